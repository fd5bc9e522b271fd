"""API Gateway takes what `chalice deploy` imports, as AWS's pages say, through boto3."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

pytestmark = pytest.mark.usefixtures("aws")

URI = (
    "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:…:function:f/invocations"
)
SIGNED = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "x-amazon-apigateway-authtype": "awsSigv4",
}
KEYED = {"type": "apiKey", "name": "x-api-key", "in": "header"}
SCHEMES = {"sigv4": SIGNED, "key": KEYED}


def method(*security: str) -> dict[str, Any]:
    """One method of a definition, under these schemes."""
    integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": URI, "responses": {}}
    described: dict[str, Any] = {"responses": {}, "x-amazon-apigateway-integration": integration}
    return described | ({"security": [{name: []} for name in security]} if security else {})


def definition(paths: dict[str, Any], kind: str = "swagger") -> bytes:
    """A definition as Chalice writes it, or the same as OpenAPI 3."""
    described: dict[str, Any] = {"info": {"title": "emq-elb", "version": "1.0"}, "paths": paths}
    if kind == "swagger":
        described |= {"swagger": "2.0", "securityDefinitions": SCHEMES}
    else:
        described |= {"openapi": "3.0.1", "components": {"securitySchemes": SCHEMES}}
    return json.dumps(described).encode()


PATHS = {"/things/{name}": {"get": method("sigv4"), "put": method("key"), "delete": method()}}


@pytest.fixture
def gateway() -> Any:
    return boto3.client("apigateway")


def methods(gateway: Any, api: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Every method of an API: who may call it, and what it invokes."""
    return {
        (resource["path"], name): (found["authorizationType"], found["methodIntegration"]["uri"])
        for resource in gateway.get_resources(restApiId=api, embed=["methods"])["items"]
        for name, found in resource.get("resourceMethods", {}).items()
    }


@pytest.mark.parametrize("kind", ["swagger", "openapi"])
def test_an_imported_definition_needs_no_description_and_keeps_who_may_call(gateway: Any, kind: str) -> None:
    made = gateway.import_rest_api(body=definition(PATHS, kind))
    assert made["name"] == "emq-elb"
    assert "description" not in made
    assert methods(gateway, made["id"]) == {
        ("/things/{name}", "GET"): ("AWS_IAM", URI),
        ("/things/{name}", "PUT"): ("NONE", URI),
        ("/things/{name}", "DELETE"): ("NONE", URI),
    }


@pytest.mark.parametrize(
    ("asked", "kind"), [({}, "EDGE"), ({"endpointConfigurationTypes": "REGIONAL"}, "REGIONAL")]
)
def test_the_endpoints_type_is_the_one_that_was_asked_for(
    gateway: Any, asked: dict[str, str], kind: str
) -> None:
    made = gateway.import_rest_api(body=definition(PATHS), parameters=asked)
    assert made["endpointConfiguration"]["types"] == [kind]
    assert gateway.get_rest_api(restApiId=made["id"])["endpointConfiguration"]["types"] == [kind]


def test_a_definition_that_overwrites_leaves_nothing_of_the_former(gateway: Any) -> None:
    api = gateway.import_rest_api(body=definition(PATHS))["id"]
    gateway.put_rest_api(
        restApiId=api, mode="overwrite", body=definition({"/other": {"get": method("sigv4")}})
    )
    assert methods(gateway, api) == {("/other", "GET"): ("AWS_IAM", URI)}


@pytest.mark.parametrize(
    ("milliseconds", "taken"), [(49, False), (50, True), (29_000, True), (29_001, False)]
)
def test_an_integration_takes_29_seconds_at_most(milliseconds: int, taken: bool) -> None:
    gateway = boto3.client("apigateway")
    api = gateway.create_rest_api(name="one")["id"]
    (root,) = gateway.get_resources(restApiId=api)["items"]
    here: Any = {"restApiId": api, "resourceId": root["id"], "httpMethod": "GET"}
    gateway.put_method(**here, authorizationType="NONE")
    try:
        gateway.put_integration(**here, type="MOCK", timeoutInMillis=milliseconds)
    except gateway.exceptions.BadRequestException:
        assert not taken
    else:
        assert taken
