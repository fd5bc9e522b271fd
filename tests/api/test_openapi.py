"""The description is sound and has every route of the app, and what it promises holds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no stubs
import pytest
from hypothesis import given
from openapi_spec_validator import OpenAPIV31SpecValidator

from chalicelib.api.openapi import ROUTES, document
from chalicelib.api.problems import problem, unexpected
from chalicelib.api.requests import read_name, read_put
from chalicelib.api.views import list_json, report_json, view_json
from chalicelib.model.report import Report, ReviewWarning
from chalicelib.model.step import Step
from chalicelib.provision.declaration import Declaration
from tests.api.test_problems import ROWS
from tests.api.test_views import VIEW, view_of
from tests.world.strategies import declarations, given_arns

DOCUMENT = document()


def validator(name: str) -> Any:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema.Draft202012Validator(schema)


def test_the_description_is_sound_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_making_it_twice_makes_the_same() -> None:
    assert document() == DOCUMENT


def test_the_description_has_every_route_that_the_app_has() -> None:
    from app import app

    served = {(method.lower(), path) for path, methods in app.routes.items() for method in methods}
    assert {(route.method, route.path) for route in ROUTES} == served


@pytest.mark.parametrize("route", [route for route in ROUTES if route.examples])
def test_examples_are_what_the_reader_takes(route: Any) -> None:
    for body in route.examples.values():
        validator(route.body).validate(body)
        assert read_put("demo", body)[1] == ()


@given(declarations(certificates=given_arns))
def test_what_get_shows_is_as_described(declaration: Declaration) -> None:
    view = view_of(declaration)
    validator("LoadBalancer").validate(view_json(view))
    validator("LoadBalancers").validate(list_json([view.load_balancer]))
    # What GET shows is also a body.
    validator("PutBody").validate(view_json(view))


def test_reports_are_as_described() -> None:
    done = Report(
        name="demo",
        state="ready",
        steps=(Step(action="CreateTags", reason="x", fields={"instances": ["i-1"]}),),
        warnings=(ReviewWarning("single-zone", "x"),),
        view=VIEW,
    )
    gone = Report(name="demo", state="pending", steps=())
    for report in (done, gone):
        validator("Report").validate(report_json(report))


def test_problems_are_as_described() -> None:
    for answer in (*(problem(error) for error, _, _ in ROWS), unexpected("1-2-3")):
        validator("Problem").validate(answer.body)


def test_every_status_that_a_problem_has_is_described_where_it_can_come() -> None:
    statuses = {problem(error).status for error, _, _ in ROWS} | {500}
    put = next(route for route in ROUTES if route.operation == "putLoadBalancer")
    get = next(route for route in ROUTES if route.operation == "getLoadBalancer")
    assert {*put.problems, *get.problems} == statuses


@pytest.mark.parametrize(
    ("name", "sound"),
    [("demo", True), ("a", True), ("internal-a", False), ("a_b", False), ("a" * 33, False), ("", False)],
)
def test_names_are_described_as_they_are_read(name: str, sound: bool) -> None:
    schema = DOCUMENT["paths"]["/load-balancers/{name}"]["get"]["parameters"][0]["schema"]
    assert jsonschema.Draft202012Validator(schema).is_valid(name) is sound
    assert (read_name(name) == ()) is sound


def test_the_docs_have_the_statuses_and_flags_of_every_route() -> None:
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    rows = dict(re.findall(r"^\| \[`([A-Z]+ /[^`]+)`\]\([^)]+\) \| (.*) \|$", text, re.MULTILINE))
    expected = {
        f"{route.method.upper()} {route.path}": "{} | {} · {}".format(
            ", ".join(f"`{flag}`" for flag in route.flags),
            ", ".join(str(status) for status in route.answers),
            ", ".join(str(status) for status in sorted(route.problems)),
        ).strip()
        for route in ROUTES
    }
    assert rows == expected


def test_the_docs_have_every_field_of_the_body() -> None:
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    table = text.partition("### Fields of the body")[2].partition("###")[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE)
    documented = {name for cell in cells for name in re.findall(r"`([a-z_]+)`", cell)}
    assert documented == DOCUMENT["components"]["schemas"]["PutBody"]["properties"].keys()
