"""The entry points: routes, event rules and schedules, each one call into a story.

A story imports the heavy libraries (boto3, cryptography, pydantic) itself: every function shares this module
and pays for what it imports.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from chalice.app import Chalice, IAMAuthorizer, Rate, Response

from chalicelib.api.answers import answering, flags, query_of, reported
from chalicelib.container import clients, invocation, last_look, own_arn, remaining, settings
from chalicelib.rules import DRAIN_WHEN, EXPIRING_WHEN, REGISTER_WHEN

if TYPE_CHECKING:
    from chalice.app import CloudWatchEvent, Request

app = Chalice(app_name="emq-elb", configure_logs=False)
signed = IAMAuthorizer()

# API Gateway gives up after 29 seconds; what takes longer than this goes on in the background.
ANSWER_WITHIN = timedelta(seconds=20)


@app.route("/load-balancers/{name}", methods=["PUT"], authorizer=signed)
@answering(app)
def put_load_balancer(request: Request, name: str) -> Response:
    """Create the load balancer or converge it."""
    from chalicelib import background
    from chalicelib.api.query import read_flags
    from chalicelib.api.requests import read_json, read_put
    from chalicelib.provision import put as story

    query, wrong = read_flags(query_of(request), "dry_run", "adopt")
    body = read_json(request.raw_body)
    declaration, faults = read_put(name, body, region=clients().region)
    work = invocation(ANSWER_WITHIN)
    report = story.put(declaration, (*wrong, *faults), work, dry_run=query["dry_run"], adopt=query["adopt"])
    if query["dry_run"]:
        return reported(report)
    background.after_put(name, body, report, work)
    report.complain()
    return reported(report, created=report.created)


@app.route("/load-balancers/{name}", methods=["GET"], authorizer=signed)
@answering(app)
def get_load_balancer(request: Request, name: str) -> Response:
    """Show one load balancer."""
    from chalicelib import observe
    from chalicelib.api.views import view_json

    adopt = flags(request, "adopt")["adopt"]
    return Response(view_json(observe.show(name, invocation(ANSWER_WITHIN), adopt=adopt)))


@app.route("/load-balancers", methods=["GET"], authorizer=signed)
@answering(app)
def list_load_balancers(request: Request) -> Response:
    """Show all of ours, in short."""
    from chalicelib import observe
    from chalicelib.api.views import list_json

    flags(request)
    return Response(list_json(observe.ours_of_either_kind(invocation(ANSWER_WITHIN))))


@app.route("/load-balancers/{name}", methods=["DELETE"], authorizer=signed)
@answering(app)
def delete_load_balancer(request: Request, name: str) -> Response:
    """Delete the load balancer and what was made for it."""
    from chalicelib import background
    from chalicelib.provision import delete as story

    query, work = flags(request, "dry_run", "force"), invocation(ANSWER_WITHIN)
    report = story.delete(name, work, dry_run=query["dry_run"], force=query["force"])
    if not query["dry_run"]:
        background.after_delete(name, report, work)
    return reported(report)


@app.route("/load-balancers/{name}/probe", methods=["POST"], authorizer=signed)
@answering(app)
def probe_load_balancer(request: Request, name: str) -> Response:
    """Use the load balancer as a device would, now; with `deep` in the background."""
    from chalicelib import background
    from chalicelib.api.probes import verdict_json
    from chalicelib.probe import story

    query, work = flags(request, "deep"), invocation(ANSWER_WITHIN)
    if query["deep"]:
        story.find(name, work)
        background.ask("deep_probe", name, work)
        return Response({"name": name, "state": "pending"}, status_code=202)
    return Response(verdict_json(story.probe_one(name, work), work.now()))


@app.route("/load-balancers/{name}/rotate", methods=["POST"], authorizer=signed)
@answering(app)
def rotate_certificate(request: Request, name: str) -> Response:
    """Replace the certificate now."""
    from chalicelib import background
    from chalicelib.api.rotations import rotation_json
    from chalicelib.rotate import story

    query, work = flags(request, "dry_run", "new_ca"), invocation(ANSWER_WITHIN)
    asked = work.now().isoformat()
    rotation = story.rotate_one(name, work, dry_run=query["dry_run"], trusted=query["new_ca"])
    if rotation.state == "pending":
        background.ask("rotate", name, work, asked=asked)
    return Response(rotation_json(rotation), status_code=202 if rotation.state == "pending" else 200)


@app.route("/private-ca.pem", methods=["GET"], authorizer=signed)
@answering(app)
def get_private_ca(request: Request) -> Response:
    """Show the private CA's certificate, for clients to trust."""
    from chalicelib.issuers.private_ca import load_authority
    from chalicelib.model.errors import NotFound

    flags(request)
    authority = load_authority(clients().secrets, settings().private_ca_secret)
    if authority is None:
        raise NotFound("there is no private CA yet: the first load balancer that asks for one makes it")
    return Response(authority.certificate, {"Content-Type": "application/x-pem-file"})


@app.route("/openapi.json", methods=["GET"], authorizer=signed)
@answering(app)
def get_openapi(request: Request) -> Response:
    """Show the API's own description."""
    from chalicelib.api.openapi import document

    flags(request)
    return Response(document())


@app.lambda_function(name="provision")
def provision(event: dict[str, Any], context: Any) -> dict[str, object]:
    """Finish a PUT or a DELETE for which AWS needed more time, then converge the alarms."""
    from chalicelib import background, telemetry
    from chalicelib.monitor import apply as alarms

    name, work = event["name"], invocation(remaining(context))
    outcome = background.go_on(event, work)
    alarms.converge_alarms(work, own_arn(context), app.app_name)
    telemetry.canonical("provision", load_balancer=name, outcome=outcome)
    background.look_after(event, work)
    return {"name": name, "outcome": outcome}


@app.on_cw_event(REGISTER_WHEN, name="register")
def register(event: CloudWatchEvent) -> None:
    """Make the registered instances match the clusters, soon after something changed."""
    from chalicelib import telemetry
    from chalicelib.register import story
    from chalicelib.register.settle import Memory

    hint = story.readable("register", event.to_dict())
    if hint is None:
        return
    memory = last_look.get("register", Memory())
    look = story.answer_event(hint, invocation(remaining(event.context)), memory)
    if look is None:
        telemetry.canonical("register", event=hint.id, instance=hint.instance, outcome="answered already")
        return
    last_look["register"] = look.memory
    if isinstance(look, story.Untagged):
        telemetry.canonical("register", event=hint.id, instance=hint.instance, outcome="not tagged")
        return
    telemetry.canonical(
        "register", event=hint.id, instance=hint.instance, steps=len(look.steps), left_out=look.left_out
    )
    look.complain()


@app.on_cw_event(DRAIN_WHEN, name="drain")
def drain(event: CloudWatchEvent) -> None:
    """Act at once on an interruption or a lifecycle action."""
    from chalicelib import telemetry
    from chalicelib.register import story

    hint = story.readable("drain", event.to_dict())
    if hint is not None:
        drained = story.drain(hint, invocation(remaining(event.context)))
        telemetry.canonical(
            "drain",
            event=hint.id,
            instance=hint.instance,
            actions=[step.action for _, step in drained.steps],
            refused=[f"{place}: {error}" for place, error in drained.refused],
        )
        drained.complain()


@app.schedule(Rate(1, unit=Rate.MINUTES), name="reconcile")
def reconcile(event: CloudWatchEvent) -> None:
    """Look without an event; now and then keep names' records, and sweep what deleted load balancers left."""
    from chalicelib import telemetry
    from chalicelib.invocation import gathering
    from chalicelib.model.errors import Unserved
    from chalicelib.monitor import apply as alarms
    from chalicelib.provision import keep_names as names
    from chalicelib.provision import sweep
    from chalicelib.register import story

    work = invocation(remaining(event.context))
    failures: list[tuple[str, Exception]] = []
    records, kept, swept = names.NOTHING_READ, names.KeptNames(), 0
    with gathering("dns", failures):
        # Before the load balancers: each one that has a record is among those.
        records = names.read_records(work) if names.names_due(work.now()) else records
    look = story.reconcile(work)
    failures += look.failures
    failures += look.left_alone
    with gathering("dns", failures):
        if look.load_balancers is not None:
            kept = names.keep_names(records, look.load_balancers, work)
    with gathering("sweep", failures):
        swept = len(sweep.sweep(work)) if sweep.sweep_due(work.now()) else 0
    with gathering("alarms", failures):
        if alarms.alarms_due(work.now()):
            alarms.converge_alarms(work, own_arn(event.context), app.app_name)
    telemetry.canonical(
        "reconcile",
        drift=look.drift,
        left_out=look.left_out,
        swept=swept,
        names=kept.changed,
        dns_elsewhere=dict(kept.elsewhere),
    )
    if failures:
        raise Unserved(failures)


@app.schedule(Rate(1, unit=Rate.MINUTES), name="probe")
def probe(event: CloudWatchEvent) -> None:
    """Use every load balancer of ours as a device would."""
    from chalicelib import telemetry
    from chalicelib.probe import story

    unread: list[tuple[str, Exception]] = []
    work = invocation(remaining(event.context))
    verdicts = story.probe_all(work, unread=lambda *found: unread.append(found))
    grades = [verdict.logged for verdict in verdicts]
    telemetry.canonical("probe", **telemetry.counted(grades, "ok", "degraded", "failed", "untried"))
    story.complain(verdicts, unread)


@app.schedule(Rate(1, unit=Rate.HOURS), name="deep_probe")
def deep_probe(event: CloudWatchEvent) -> None:
    """Run the checks that take minutes, at every load balancer or at the one that the event names."""
    from chalicelib import background, telemetry
    from chalicelib.probe import deep as story

    name, work = event.detail.get("name"), invocation(remaining(event.context))
    unread: list[tuple[str, Exception]] = []
    with background.unless_gone("deep_probe", name):
        verdicts = (
            (story.deep_probe_one(name, work),)
            if name
            else story.deep_probe_all(work, unread=lambda *found: unread.append(found))
        )
        results = [verdict.result for verdict in verdicts]
        telemetry.canonical("deep_probe", **telemetry.counted(results, "passed", "untested", "failed"))
        story.complain_of_deep(verdicts, unread)


@app.schedule(Rate(12, unit=Rate.HOURS), name="rotate")
def rotate(event: CloudWatchEvent) -> None:
    """Replace every certificate that is due; where the event names a load balancer, finish its rotation."""
    from chalicelib import background, telemetry
    from chalicelib.rotate import story

    name, work = event.detail.get("name"), invocation(remaining(event.context))
    asked = event.detail.get("asked")
    with background.unless_gone("rotate", name):
        rotations = (story.carry_on(name, work, asked=asked),) if name else story.rotate_all(work)
        states = [rotation.state for rotation in rotations]
        telemetry.canonical("rotate", **telemetry.counted(states, "rotated", "kept", "pending"))


@app.on_cw_event(EXPIRING_WHEN, name="expiring")
def expiring(event: CloudWatchEvent) -> None:
    """Log that a certificate of ACM, which we do not renew, ends soon."""
    from chalicelib import telemetry
    from chalicelib.rotate.events import read_expiring
    from chalicelib.rotate.report import report_expiring

    hint = read_expiring(event.resources, event.detail)
    if isinstance(hint, str):
        telemetry.dropped("expiring", str(event.event_id), hint)
        return
    serving = report_expiring(hint, invocation(remaining(event.context)))
    telemetry.canonical("expiring", serving=len(serving))


@app.lambda_function(name="widget")
def widget(event: dict[str, Any], context: Any) -> str | dict[str, object]:
    """Show the state of all load balancers; probe or rotate the one whose button was pressed."""
    from chalicelib.monitor import widget as story
    from chalicelib.monitor.apply import widget_arn

    if story.describes(event):
        return story.widget_documentation()
    work, name = invocation(remaining(context)), str(event.get("name", ""))
    match event.get("action"):
        case "probe":
            return story.probe_button(name, work)
        case "rotate":
            return story.rotate_button(name, work)
        case _:
            return story.status_table(work, widget_arn(own_arn(context), settings().owner))
