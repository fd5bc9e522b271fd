"""The entry points: routes, event rules and schedules, each one call into a story.

Whatever is heavy (boto3, cryptography, pydantic) is imported by the story that needs it: every function
shares this module and pays for what it imports.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from chalice.app import Chalice, IAMAuthorizer, Rate, Response

if TYPE_CHECKING:
    from chalice.app import CloudWatchEvent, Request

    from chalicelib.adapters.clients import Clients
    from chalicelib.api.problems import Problem
    from chalicelib.core.events import Event
    from chalicelib.core.model import Report
    from chalicelib.core.settling import LastLook
    from chalicelib.invocation import Invocation
    from chalicelib.settings import Settings

app = Chalice(app_name="emq-elb", configure_logs=False)
signed = IAMAuthorizer()

# API Gateway gives up after 29 seconds; what takes longer than this goes on in the background.
ANSWER_WITHIN = timedelta(seconds=20)
# A pattern that filters changed-tag-keys rejects every other kind, hence $or; our own tags do not wake us
# (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html).
REGISTER_WHEN = {
    "$or": [
        {
            "source": ["aws.ec2"],
            "detail-type": ["EC2 Instance State-change Notification"],
            "detail": {"state": ["running", "stopping", "stopped", "shutting-down", "terminated"]},
        },
        {
            "source": ["aws.tag"],
            "detail-type": ["Tag Change on Resource"],
            "detail": {
                "service": ["ec2"],
                "resource-type": ["instance"],
                "changed-tag-keys": ["emq-elb:cluster"],
            },
        },
    ]
}
DRAIN_WHEN = {
    "$or": [
        {
            "source": ["aws.ec2"],
            "detail-type": [
                "EC2 Spot Instance Interruption Warning",
                "EC2 Instance Rebalance Recommendation",
            ],
        },
        {
            "source": ["aws.autoscaling"],
            "detail-type": [
                "EC2 Instance-launch Lifecycle Action",
                "EC2 Instance-terminate Lifecycle Action",
            ],
            "detail": {"LifecycleHookName": ["emq-elb-ready", "emq-elb-drain"]},
        },
    ]
}
# All that outlives an invocation, by function: when it last looked.
last_look: dict[str, LastLook] = {}
# What a function keeps for its last call and its answer.
RESERVE = timedelta(seconds=5)

# What is told to others of a PUT and a DELETE that are done (`chalicelib/announce.py`).
PROVISIONED = "Load Balancer Provisioned"
DELETED = "Load Balancer Deleted"

View = Callable[..., Response]


@cache
def settings() -> Settings:
    """The environment, read when first needed."""
    from chalicelib.settings import read_settings

    return read_settings(os.environ)


@cache
def clients() -> Clients:
    """The clients, kept for the life of the container."""
    from chalicelib.adapters.clients import Clients

    return Clients()


def invocation(within: timedelta) -> Invocation:
    """What a story needs, to answer within that time."""
    from chalicelib import telemetry
    from chalicelib.invocation import Invocation

    return Invocation(
        clients=clients(),
        settings=settings(),
        now=lambda: datetime.now(UTC),
        sleep=time.sleep,
        deadline=datetime.now(UTC) + within,
        told=telemetry.action,
    )


def remaining(context: Any) -> timedelta:
    """How long the function may still work, by what Lambda says."""
    return timedelta(milliseconds=context.get_remaining_time_in_millis()) - RESERVE


def own_arn(context: Any) -> str:
    """The ARN of the function that runs, by what Lambda says."""
    return str(context.invoked_function_arn)


def answering(view: View) -> View:
    """Turn what a view raises into a problem document; HTTP middleware of Chalice's never sees it."""

    @wraps(view)
    def answered(**parameters: str) -> Response:
        from chalicelib import telemetry
        from chalicelib.api.problems import problem, unexpected
        from chalicelib.core.errors import EmqElbError

        began = time.monotonic()
        try:
            response = view(**parameters)
        except EmqElbError as error:
            response = told_as(problem(error))
        except Exception as error:  # noqa: BLE001 - the last one to see it: told, and answered without its words
            telemetry.failed(view.__name__, error)
            response = told_as(unexpected(app.lambda_context.aws_request_id))
        telemetry.canonical(
            view.__name__,
            status=response.status_code,
            milliseconds=round((time.monotonic() - began) * 1000),
            load_balancer=parameters.get("name"),
        )
        return response

    return answered


def told_as(problem: Problem) -> Response:
    """The problem document as an answer."""
    return Response(problem.body, {**problem.headers}, problem.status)


def request() -> Request:
    """The request that is being answered."""
    current = app.current_request
    if current is None:
        raise RuntimeError("there is a request only while one is answered")
    return current


def flags(*known: str) -> dict[str, bool]:
    """The query parameters as flags; raises InvalidRequest for any other."""
    from chalicelib.api.requests import read_flags
    from chalicelib.core.errors import InvalidRequest

    given, faults = read_flags(request().query_params, *known)
    if faults:
        raise InvalidRequest(faults)
    return given


@app.route("/load-balancers/{name}", methods=["PUT"], authorizer=signed)
@answering
def put_load_balancer(name: str) -> Response:
    """Create the load balancer or converge it."""
    from chalicelib import provision as story
    from chalicelib.api.requests import read_flags, read_json, read_put

    query, wrong = read_flags(request().query_params, "dry_run", "adopt")
    body = read_json(request().raw_body)
    declaration, faults = read_put(name, body, region=clients().region)
    report = story.put(
        declaration,
        (*wrong, *faults),
        invocation(ANSWER_WITHIN),
        dry_run=query["dry_run"],
        adopt=query["adopt"],
    )
    if report.state == "pending" and isinstance(body, dict):
        # By now the certificate is an ARN: what the body has in its place may hold a key.
        certificate = report.carry_on["certificate"]
        rest = {key: value for key, value in body.items() if key != "certificate"}
        carried = {**rest, "certificate": certificate} if certificate else rest
        in_background({"name": name, **report.carry_on, "body": carried})
    elif report.changed and not query["dry_run"]:
        done(PROVISIONED, name, report)
    return reported(report, created=report.created and not query["dry_run"])


@app.route("/load-balancers/{name}", methods=["GET"], authorizer=signed)
@answering
def get_load_balancer(name: str) -> Response:
    """Show one load balancer."""
    from chalicelib import observe
    from chalicelib.api.views import view_json

    adopt = flags("adopt")["adopt"]
    return Response(view_json(observe.shown(name, invocation(ANSWER_WITHIN), adopt=adopt)))


@app.route("/load-balancers", methods=["GET"], authorizer=signed)
@answering
def list_load_balancers() -> Response:
    """Show all of ours, in short."""
    from chalicelib import observe
    from chalicelib.api.views import list_json

    flags()
    return Response(list_json(observe.ours(invocation(ANSWER_WITHIN))))


@app.route("/load-balancers/{name}", methods=["DELETE"], authorizer=signed)
@answering
def delete_load_balancer(name: str) -> Response:
    """Delete the load balancer and what was made for it."""
    from chalicelib import deprovision as story

    query = flags("dry_run", "force")
    report = story.delete(name, invocation(ANSWER_WITHIN), dry_run=query["dry_run"], force=query["force"])
    if report.state == "pending":
        in_background({"name": name, "leftovers": report.carry_on})
    elif report.changed and not query["dry_run"]:
        done(DELETED, name, report)
    return reported(report, created=False)


@app.route("/load-balancers/{name}/probe", methods=["POST"], authorizer=signed)
@answering
def probe_load_balancer(name: str) -> Response:
    """Use the load balancer as a device would, now; with `deep` in the background."""
    from chalicelib import probe as story
    from chalicelib.api.probes import asked_deep, verdict_json

    work = invocation(ANSWER_WITHIN)
    if flags("deep")["deep"]:
        story.find(name, work)
        in_background(asked_deep(name, work.now()), "deep_probe")
        return Response({"name": name, "state": "pending"}, status_code=202)
    return Response(verdict_json(story.probe_one(name, work), work.now()))


@app.route("/load-balancers/{name}/rotate", methods=["POST"], authorizer=signed)
@answering
def rotate_certificate(name: str) -> Response:
    """Replace the certificate now."""
    from chalicelib import rotate as story
    from chalicelib.api.rotations import asked_rotation, rotation_json

    query, work = flags("dry_run", "new_ca"), invocation(ANSWER_WITHIN)
    rotation = story.rotate_one(name, work, dry_run=query["dry_run"], trusted=query["new_ca"])
    if rotation.state == "pending":
        in_background(asked_rotation(name, work.now()), "rotate")
    return Response(rotation_json(rotation), status_code=202 if rotation.state == "pending" else 200)


@app.route("/private-ca.pem", methods=["GET"], authorizer=signed)
@answering
def get_private_ca() -> Response:
    """Show the private CA's certificate, for clients to trust."""
    from chalicelib.adapters.issuers.private_ca import load_authority
    from chalicelib.core.errors import NotFound

    flags()
    authority = load_authority(clients().secrets, settings().private_ca_secret)
    if authority is None:
        raise NotFound("there is no private CA yet: the first load balancer that asks for one makes it")
    return Response(authority.certificate, {"Content-Type": "application/x-pem-file"})


@app.route("/openapi.json", methods=["GET"], authorizer=signed)
@answering
def get_openapi() -> Response:
    """Show the API's own description."""
    from chalicelib.api.openapi import document

    flags()
    return Response(document())


def reported(report: Report, *, created: bool) -> Response:
    """The answer of PUT and DELETE."""
    from chalicelib.api.views import report_json

    status = 202 if report.state == "pending" else 201 if created else 200
    return Response(report_json(report), status_code=status)


def done(detail_type: str, name: str, report: Report) -> None:
    """Leave to the background what follows and can fail alone: others are told, alarms come along."""
    from chalicelib import telemetry
    from chalicelib.core.errors import AwsError

    try:
        in_background({"name": name, "done": detail_type, "actions": actions(report)})
    except AwsError as error:
        telemetry.unannounced(str(error))


def actions(report: Report) -> list[str]:
    """Which AWS calls a story came to."""
    return [step.action for step in report.steps]


def tell_others(detail_type: str, name: str, actions: Iterable[str]) -> None:
    """Put a change on EventBridge, for users' own rules."""
    from chalicelib.announce import announce, asked_for

    announce([asked_for(detail_type, name, actions)], clients())


def in_background(payload: Mapping[str, object], function: str = "provision") -> None:
    """Hand over to a function of ours that is invoked asynchronously; there is no key in the payload."""
    from chalicelib.adapters.functions import invoke

    invoke(clients().functions, f"{settings().owner}-{function}", payload)


@app.lambda_function(name="provision")
def provision(event: dict[str, Any], context: Any) -> dict[str, object]:
    """Go on with a PUT or a DELETE that AWS needed more time for; let the alarms follow."""
    from chalicelib import alarms, deprovision, telemetry
    from chalicelib import provision as story
    from chalicelib.api.requests import read_put

    name, work = event["name"], invocation(remaining(context))
    if "leftovers" in event:
        deprovision.finish(name, event["leftovers"], work)
        outcome = "deleted"
        tell_others(DELETED, name, ())
    elif "done" in event:
        outcome = "told"
        tell_others(event["done"], name, event["actions"])
    else:
        declaration, faults = read_put(name, event["body"], region=clients().region)
        since = datetime.fromisoformat(event["since"])
        report = story.carry_on(declaration, faults, since, work, existed=event["existed"])
        outcome = report.state if report else "superseded"
        if report and report.state == "ready":
            tell_others(PROVISIONED, name, actions(report))
    alarms.converge(work, own_arn(context))
    telemetry.canonical("provision", load_balancer=name, outcome=outcome)
    return {"name": name, "outcome": outcome}


@app.on_cw_event(REGISTER_WHEN, name="register")
def register(event: CloudWatchEvent) -> None:
    """Make the registered instances match the clusters, soon after something changed."""
    from chalicelib import register as story
    from chalicelib import telemetry

    told = readable("register", event)
    if told is None:
        return
    look = story.answer(told, invocation(remaining(event.context)), last_look.get("register"))
    if look is None:
        telemetry.canonical("register", event=told.id, instance=told.instance, outcome="answered already")
        return
    last_look["register"] = look.memory
    telemetry.canonical(
        "register", event=told.id, instance=told.instance, steps=len(look.steps), left_out=look.left_out
    )
    look.complain()


@app.on_cw_event(DRAIN_WHEN, name="drain")
def drain(event: CloudWatchEvent) -> None:
    """Do at once what an interruption or a lifecycle hook asks for."""
    from chalicelib import register as story
    from chalicelib import telemetry

    told = readable("drain", event)
    if told is not None:
        steps = story.drain(told, invocation(remaining(event.context)))
        actions = [step.action for _, step in steps]
        telemetry.canonical("drain", event=told.id, instance=told.instance, actions=actions)


def readable(function: str, event: CloudWatchEvent) -> Event | None:
    """The event as a value; one that cannot be read is told and dropped, since Lambda would try it again."""
    from chalicelib import telemetry
    from chalicelib.core.events import Unreadable, read_event

    told = read_event(event.to_dict())
    if isinstance(told, Unreadable):
        telemetry.dropped(function, told.id, told.reason)
        return None
    return told


@app.schedule(Rate(1, unit=Rate.MINUTES), name="reconcile")
def reconcile(event: CloudWatchEvent) -> None:
    """Look without an event, and now and then sweep what deleted load balancers left."""
    from chalicelib import alarms, sweep, telemetry
    from chalicelib import register as story

    work = invocation(remaining(event.context))
    look = story.reconcile(work)
    swept = sweep.sweep(work) if sweep.due(work.now()) else ()
    if alarms.due(work.now()):
        alarms.converge(work, own_arn(event.context))
    telemetry.canonical(
        "reconcile",
        drift=sorted({name for name, step in look.steps if step.action.endswith("Instances")}),
        left_out=look.left_out,
        swept=len(swept),
    )
    look.complain()


@app.schedule(Rate(1, unit=Rate.MINUTES), name="probe")
def probe(event: CloudWatchEvent) -> None:
    """Use every load balancer of ours as a device would."""
    from chalicelib import telemetry
    from chalicelib.probe import probe_all

    grades = [verdict.grade for verdict in probe_all(invocation(remaining(event.context)))]
    telemetry.canonical("probe", **{grade: grades.count(grade) for grade in ("ok", "degraded", "failed")})


@app.schedule(Rate(1, unit=Rate.HOURS), name="deep_probe")
def deep_probe(event: CloudWatchEvent) -> None:
    """Try what takes minutes; of one load balancer, when the event names it."""
    from chalicelib import deep_probe as story
    from chalicelib import telemetry

    name, work = event.detail.get("name"), invocation(remaining(event.context))
    verdicts = (story.deep_probe_one(name, work),) if name else story.deep_probe_all(work)
    results = [verdict.result for verdict in verdicts]
    telemetry.canonical(
        "deep_probe", **{result: results.count(result) for result in ("passed", "untested", "failed")}
    )


@app.schedule(Rate(12, unit=Rate.HOURS), name="rotate")
def rotate(event: CloudWatchEvent) -> None:
    """Replace every certificate that is due; go on with that of one load balancer when the event names it."""
    from chalicelib import rotate as story
    from chalicelib import telemetry

    name, work = event.detail.get("name"), invocation(remaining(event.context))
    rotations = (story.carry_on(name, work),) if name else story.rotate_all(work)
    states = [rotation.state for rotation in rotations]
    telemetry.canonical("rotate", **{state: states.count(state) for state in ("rotated", "kept", "pending")})


@app.on_cw_event(
    {"source": ["aws.acm"], "detail-type": ["ACM Certificate Approaching Expiration"]}, name="expiring"
)
def expiring(event: CloudWatchEvent) -> None:
    """Tell that a certificate of ACM ends soon, which nobody here renews."""
    from chalicelib import telemetry
    from chalicelib.rotations_told import watched

    work = invocation(remaining(event.context))
    days = float(event.detail["DaysToExpiry"])
    serving = [name for arn in event.resources for name in watched(arn, days, work)]
    telemetry.canonical("expiring", serving=len(serving))


@app.lambda_function(name="widget")
def widget(event: dict[str, Any], context: Any) -> str | dict[str, object]:
    """Show how all load balancers are; probe or rotate one when its button was pressed."""
    from chalicelib import widget as story
    from chalicelib.alarms import widget_arn
    from chalicelib.api.page import said
    from chalicelib.api.rotations import asked_rotation

    if story.describes(event):
        return story.described()
    work, name = invocation(remaining(context)), str(event.get("name", ""))
    match event.get("action"):
        case "probe":
            return story.probe(name, work)
        case "rotate":
            in_background(asked_rotation(name, work.now()), "rotate")
            return said(f"{name}: asked for; the log of the function rotate tells how it went.")
        case _:
            return story.shown(work, widget_arn(own_arn(context), settings().owner))
