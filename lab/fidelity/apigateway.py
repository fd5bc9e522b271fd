"""Corrections to moto's API Gateway: what `chalice deploy` imports is taken, and who may call is kept.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from moto.apigateway.exceptions import BadRequestException
from moto.apigateway.models import APIGatewayBackend, Integration, RestAPI
from moto.apigateway.responses import APIGatewayResponse
from moto.apigateway.utils import deserialize_body

_import_rest_api = APIGatewayBackend.import_rest_api
_put_rest_api = APIGatewayBackend.put_rest_api
_put_integration = APIGatewayBackend.put_integration

LONGEST_MILLISECONDS = 29_000


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    corrections = {"import_rest_api": _import, "put_rest_api": _put, "put_integration": _integrate}
    for name, correction in corrections.items():
        setattr(APIGatewayBackend, name, correction)
    for name, answer in {"import_rest_api": _import_rest_api_answer}.items():
        setattr(APIGatewayResponse, name, answer)


def _integrate(backend: APIGatewayBackend, *asked: Any, **named: Any) -> Integration:
    """An integration takes 50 ms to 29 s.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    """
    milliseconds = named.get("timeout_in_millis")
    if milliseconds is not None and not 50 <= int(milliseconds) <= LONGEST_MILLISECONDS:
        message = f"Timeout should be between 50 ms and {LONGEST_MILLISECONDS} ms"
        raise BadRequestException(message)
    return _put_integration(backend, *asked, **named)


def _import(backend: APIGatewayBackend, api_doc: dict[str, Any], fail_on_warnings: bool) -> RestAPI:
    """A definition needs no description: only `title` and `version` of `info` are required.

    https://github.com/OAI/OpenAPI-Specification/blob/main/versions/2.0.md#info-object
    """
    definition = {**api_doc, "info": {"description": None, **api_doc["info"]}}
    return _import_rest_api(backend, definition, fail_on_warnings and "swagger" not in api_doc)


def _put(
    backend: APIGatewayBackend,
    function_id: str,
    api_doc: dict[str, Any],
    fail_on_warnings: bool,
    mode: str = "merge",
) -> RestAPI:
    """Swagger 2.0 is taken like OpenAPI 3.0, and a method under Signature Version 4 is one for IAM to judge.

    moto validates OpenAPI 3 only, and imports every method without authorization.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-authtype.html
    """
    older = "swagger" in api_doc
    definition = {key: value for key, value in api_doc.items() if key != "swagger"}
    api = _put_rest_api(backend, function_id, definition, fail_on_warnings and not older, mode)
    schemes = (
        api_doc.get("securityDefinitions", {})
        if older
        else api_doc.get("components", {}).get("securitySchemes", {})
    )
    for path, methods in api_doc["paths"].items():
        resource = api.get_resource_for_path(path)
        for name, method in methods.items():
            resource.resource_methods[name.upper()].authorization_type = authorization(method, schemes)
    return api


def authorization(method: Mapping[str, Any], schemes: Mapping[str, Any]) -> str:
    """Return `AWS_IAM` for a method that names a scheme of Signature Version 4, else `NONE`."""
    named = [schemes.get(name, {}) for one in method.get("security", []) for name in one]
    signed = any(scheme.get("x-amazon-apigateway-authtype") == "awsSigv4" for scheme in named)
    return "AWS_IAM" if signed else "NONE"


def _import_rest_api_answer(response: APIGatewayResponse) -> tuple[int, dict[str, str], str]:
    """The endpoint's type comes in the query; without it the API is edge-optimised.

    https://docs.aws.amazon.com/apigateway/latest/api/API_ImportRestApi.html
    """
    fails = response._get_bool_param("failonwarnings") or False  # noqa: SLF001 - its only place
    api = response.backend.import_rest_api(deserialize_body(response.body), fails)
    if types := response.querystring.get("endpointConfigurationTypes"):
        api.endpoint_configuration = {"types": list(types)}
    return 200, {}, json.dumps(api.to_dict())
