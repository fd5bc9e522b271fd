"""What goes on after the answer, in a function of ours that Lambda invokes asynchronously.

The payloads are written and read here. There is no key in any of them.

    provision            {"name", "since", "existed", "body", …}      go on with a PUT
                         {"name", "leftovers"}                        finish a DELETE
                         {"name", "done", "actions"}                  announce what was done
    rotate, deep_probe   an event of EventBridge's shape, with {"name"} as its detail; for `rotate` also
                         {"asked"}, when somebody wanted the certificate replaced, due or not
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from chalicelib import telemetry
from chalicelib.announce import announce, asked_for
from chalicelib.aws.lambda_ import invoke
from chalicelib.invocation import Invocation
from chalicelib.model.errors import AwsError, IssuerLimited, NotFound
from chalicelib.model.moments import rfc3339
from chalicelib.model.report import Report

_PROVISIONED = "Load Balancer Provisioned"
_DELETED = "Load Balancer Deleted"


def after_put(name: str, body: object, report: Report, invocation: Invocation) -> None:
    """Hand a pending PUT over to the background; after one that changed something, announce it there."""
    if report.state == "pending" and isinstance(body, Mapping):
        # By now the certificate is an ARN: what the body has in its place may hold a key.
        certificate = report.carry_on["certificate"]
        rest = {key: value for key, value in body.items() if key != "certificate"}
        carried = {**rest, "certificate": certificate} if certificate else rest
        _hand_over("provision", {"name": name, **report.carry_on, "body": carried}, invocation)
    elif report.changed:
        _follow_up(_PROVISIONED, name, report, invocation)


def after_delete(name: str, report: Report, invocation: Invocation) -> None:
    """Hand a pending DELETE over to the background; after one that is done, announce it there."""
    if report.state == "pending":
        _hand_over("provision", {"name": name, "leftovers": report.carry_on}, invocation)
    elif report.changed:
        _follow_up(_DELETED, name, report, invocation)


def go_on(payload: Mapping[str, Any], invocation: Invocation) -> str:
    """Do what a payload of `provision` asks for, and return how that ended."""
    name = payload["name"]
    if "leftovers" in payload:
        from chalicelib.provision import delete as deprovision

        if not deprovision.finish(name, payload["leftovers"], invocation):
            return "superseded"
        _announce_done(_DELETED, name, (), invocation)
        return "deleted"
    if "done" in payload:
        _announce_done(payload["done"], name, payload["actions"], invocation)
        return "announced"
    from chalicelib.api.requests import read_put
    from chalicelib.provision import put as provision

    declaration, faults = read_put(name, payload["body"], region=invocation.clients.region)
    since = datetime.fromisoformat(payload["since"])
    try:
        report = provision.carry_on_put(
            declaration,
            faults,
            since,
            invocation,
            existed=payload["existed"],
            adopt=payload.get("adopt", False),
        )
    except IssuerLimited as error:
        # Lambda would ask again within minutes, and the CA wants to be left alone: the next PUT does.
        telemetry.issuer_limited(name, error.until, str(error))
        return "limited"
    if report is None:
        return "superseded"
    _announce_done(_PROVISIONED, name, _actions(report), invocation)
    return report.state


def look_after(payload: Mapping[str, Any], invocation: Invocation) -> None:
    """Wait until a changed health check has taken effect, and log a load balancer where no member passes it.

    A new load balancer has its alarms for that. The payload of a PUT that went on in the background does not
    list what it changed, so the health check of a load balancer that existed before is watched in any case.
    """
    actions = payload.get("actions", ())
    checking = not {"ConfigureHealthCheck", "ModifyTargetGroup"}.isdisjoint(actions)
    changed = checking and "CreateLoadBalancer" not in actions
    if changed or payload.get("existed"):
        from chalicelib.provision.health import watch_health_check

        watch_health_check(payload["name"], invocation)


def ask(function: str, name: str, invocation: Invocation, **more: str) -> None:
    """Invoke a scheduled function for one load balancer; `more` goes beside its name.

    Chalice passes such a function only events of EventBridge's shape.
    """
    event = {
        "version": "0",
        "id": "",
        "detail-type": "Asked For",
        "source": "emq-elb",
        "account": "",
        "time": rfc3339(invocation.now()),
        "region": "",
        "resources": [],
        "detail": {"name": name, **more},
    }
    _hand_over(function, event, invocation)


@contextmanager
def unless_gone(function: str, name: str | None) -> Iterator[None]:
    """Ignore that the load balancer `name` was deleted meanwhile: another try would not find it either."""
    try:
        yield
    except NotFound:
        if name is None:
            raise
        telemetry.canonical(function, load_balancer=name, outcome="gone")


def _hand_over(function: str, payload: Mapping[str, object], invocation: Invocation) -> None:
    invoke(invocation.clients.functions, f"{invocation.settings.owner}-{function}", payload)


def _follow_up(detail_type: str, name: str, report: Report, invocation: Invocation) -> None:
    """Leave to the background what may fail without the request failing: announcement and alarms."""
    try:
        _hand_over("provision", {"name": name, "done": detail_type, "actions": _actions(report)}, invocation)
    except AwsError as error:
        telemetry.unannounced(str(error))


def _announce_done(detail_type: str, name: str, actions: Iterable[str], invocation: Invocation) -> None:
    announce([asked_for(detail_type, name, actions)], invocation.clients)


def _actions(report: Report) -> list[str]:
    """Return the names of the AWS calls that a story made."""
    return [step.action for step in report.steps]
