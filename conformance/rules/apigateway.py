"""API Gateway: endpoints, time limits, imported definitions."""

from __future__ import annotations

import json
from typing import Any

from conformance.account import Account
from conformance.answer import refused, same
from conformance.needs import API, new_api
from conformance.rule import question, rule

SIGNED = {
    "swagger": "2.0",
    "info": {"title": "conformance", "version": "1.0"},
    "schemes": ["https"],
    "paths": {
        "/signed": {
            "get": {
                "security": [{"sigv4": []}],
                "responses": {"200": {"description": "ok"}},
                "x-amazon-apigateway-integration": {
                    "type": "http_proxy",
                    "httpMethod": "GET",
                    "uri": "https://example.com/",
                },
            }
        }
    },
    "securityDefinitions": {
        "sigv4": {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "x-amazon-apigateway-authtype": "awsSigv4",
        }
    },
}


def root(aws: Account, api: str) -> str:
    """Return the id of an API's root resource."""
    (found,) = aws.client("apigateway").get_resources(restApiId=api)["items"]
    id_: str = found["id"]
    return id_


@rule(API, code=".chalice/config.json", corrects="apigateway")
def an_api_is_edge_optimised_by_default(aws: Account) -> None:
    """A REST API is edge-optimised unless another endpoint is asked for.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-endpoint-types.html
    """
    gateway = aws.client("apigateway")
    found = gateway.get_rest_api(restApiId=aws.need(API))["endpointConfiguration"]["types"]
    same(found, ["EDGE"], "its endpoint")
    regional = new_api(aws, endpointConfiguration={"types": ["REGIONAL"]})
    aws.defer(gateway.delete_rest_api, restApiId=regional)
    types = gateway.get_rest_api(restApiId=regional)["endpointConfiguration"]["types"]
    same(types, ["REGIONAL"], "the other's endpoint")


@rule(API, code="api/answers", corrects="apigateway")
def an_integration_takes_29_seconds(aws: Account) -> str:
    """An integration of an edge-optimised API may take up to 29 s.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    """
    gateway, api = aws.client("apigateway"), aws.need(API)
    here: dict[str, Any] = {"restApiId": api, "resourceId": root(aws, api), "httpMethod": "GET"}
    gateway.put_method(**here, authorizationType="AWS_IAM")
    aws.defer(gateway.delete_method, **here)
    mock: dict[str, Any] = here | {"type": "MOCK", "requestTemplates": {"application/json": "{}"}}
    gateway.put_integration(**mock, timeoutInMillis=29_000)
    return refused(gateway.put_integration, "BadRequestException", **mock, timeoutInMillis=29_001)


@rule(code="app.py", corrects="apigateway")
def a_definition_is_imported(aws: Account) -> None:
    """ImportRestApi takes Swagger 2.0 without a description, and makes a method under awsSigv4 one
    of AWS_IAM.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api.html
    """
    gateway = aws.client("apigateway")
    body = SIGNED | {"info": {"title": aws.name("api"), "version": "1.0"}}
    api = gateway.import_rest_api(
        body=json.dumps(body), parameters={"endpointConfigurationTypes": "REGIONAL"}
    )
    aws.defer(gateway.delete_rest_api, restApiId=api["id"])
    same(api["endpointConfiguration"]["types"], ["REGIONAL"], "its endpoint")
    resources = gateway.get_resources(restApiId=api["id"], embed=["methods"])["items"]
    (signed,) = [one for one in resources if one["path"] == "/signed"]
    same(signed["resourceMethods"]["GET"]["authorizationType"], "AWS_IAM", "who may call")


@question(
    API,
    code="app.py",
    corrects="apigateway",
    minutes=0.5,
    left_out="moto serves no deployed API of its own; lab/rehearsal/gateway.py answers the lab's",
)
def a_request_without_a_signature(aws: Account) -> str:
    """A request without a signature is 403, Missing Authentication Token.

    https://repost.aws/knowledge-center/api-gateway-troubleshoot-403-forbidden
    """
    from urllib.error import HTTPError
    from urllib.request import urlopen

    gateway, api = aws.client("apigateway"), aws.need(API)
    here: dict[str, Any] = {"restApiId": api, "resourceId": root(aws, api), "httpMethod": "GET"}
    gateway.put_method(**here, authorizationType="AWS_IAM")
    aws.defer(gateway.delete_method, **here)
    gateway.put_integration(**here, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    gateway.create_deployment(restApiId=api, stageName="conform")
    url = f"https://{api}.execute-api.{aws.place.region}.amazonaws.com/conform/"

    def answered() -> str:
        try:
            with urlopen(url, timeout=20) as answer:
                return f"{answer.status}"
        except HTTPError as error:
            with error:
                return f"{error.code} {error.read().decode()}"

    def ready() -> str:
        said = answered()
        return "" if "Forbidden" in said else said  # until the deployment has spread

    return aws.until(ready, 60, "the API answers")
