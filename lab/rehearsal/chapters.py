"""The steps of the rehearsal: deployed, used as in the demo, updated, and gone without a trace."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from lab.aws import SECRET
from lab.demo import client, demo
from lab.demo.client import Reply
from lab.demo.declaration import NAME
from lab.demo.steps import SECURE, refusal
from lab.demo.story import hold
from lab.machine.processes import until
from lab.rehearsal import chapters_background as background
from lab.rehearsal import chapters_events as events
from lab.rehearsal.deployed import functions, rules
from lab.rehearsal.gateway import MISSING
from lab.rehearsal.inventory import inventory
from lab.rehearsal.rehearsal import STAGE, Rehearsal, chalice, connect, take_over
from lab.rehearsal.signatures import MISMATCH

# What an update brings: a route that was not there, and a setting.
ADDED = """

@app.route("/revision", methods=["GET"], authorizer=signed)
def get_revision() -> dict[str, int]:
    return {"revision": 2}
"""
SETTING = ("SETTLE_SECONDS", "2")


def chapters(rehearsal: Rehearsal) -> list[tuple[str, Callable[[], str]]]:
    """Return the steps: title and what to do."""
    story = rehearsal.story
    before = inventory(rehearsal.aws)
    return [
        ("chalice deploy", lambda: deployed(rehearsal)),
        ("Nobody gets in without a good signature", lambda: signed_only(rehearsal)),
        ("Two instances, one cluster", lambda: demo.clustered(story)),
        ("The review, before anything is made", lambda: demo.reviewed(story)),
        ("The load balancer, which takes longer than a request", lambda: background.created(rehearsal)),
        ("Read back at AWS's API", lambda: demo.read_back(story)),
        ("Alarms and a dashboard, made in the background", lambda: background.watched(rehearsal)),
        ("Both instances in service", lambda: demo.in_service(story)),
        ("A message through the TLS listener", lambda: demo.delivered(story)),
        ("The dashboard's table, by the function that it names", lambda: shown(rehearsal)),
        ("The same request again", lambda: demo.unchanged(story)),
        ("The deep probe, by its schedule", lambda: background.deep(rehearsal)),
        *events.chapters(rehearsal),
        ("A function fails, and says so", lambda: failing(rehearsal)),
        ("What its policy does not grant is denied", lambda: denied(rehearsal)),
        ("Updated in place, under an open session", lambda: updated(rehearsal)),
        (
            "The load balancer deleted, while AWS holds on to a part",
            lambda: background.deleted(rehearsal, before),
        ),
        ("chalice delete, and nothing left", lambda: removed(rehearsal, before)),
    ]


def deployed(rehearsal: Rehearsal) -> str:
    """Package and deploy, and find each function under its own policy."""
    chalice(rehearsal, "deploy")
    take_over(rehearsal)
    connect(rehearsal)
    files = policy_files(json.loads((rehearsal.project / ".chalice" / "config.json").read_text()))
    for name, found in functions(rehearsal.aws).items():
        file = files[name.removeprefix(rehearsal.owner)]
        own = json.loads((rehearsal.project / ".chalice" / file).read_text())
        hold(found.function.policy["Statement"] == own["Statement"], f"{name} has the policy of {file}")
        print(f"   {name}: {found.function.timeout} s, {found.function.memory} MB, {file}")
    woken, routes = rehearsal.story.lab.events.rules, rehearsal.api.routes
    return f"{len(files)} functions under their own policies, {len(woken)} rules, {len(routes)} routes"


def policy_files(configured: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the policy file of each function by what follows the owner in its deployed name."""
    functions = configured["stages"][STAGE]["lambda_functions"]
    return {
        "" if name == "api_handler" else f"-{name}": one["iam_policy_file"] for name, one in functions.items()
    }


def signed_only(rehearsal: Rehearsal) -> str:
    """Ask every route without a signature, with a wrong one, and then as it should be."""
    url, routes = rehearsal.story.lab.api_url, rehearsal.api.routes
    for route in routes:
        where = f"{url}{route.resource.replace('{name}', NAME)}"
        refused(route.method, where, None, MISSING)
        refused(route.method, where, "another", MISMATCH)
    print(f"   without a signature: 403 {MISSING}\n   with another secret's: 403 {MISMATCH}")
    refused("GET", f"{url}/nowhere", SECRET, MISSING)
    listed = json.loads(client.emq_elb(rehearsal.story.lab, "list", "--json"))
    hold(listed == {"load_balancers": []}, f"signed, there are none yet, not {listed}")
    return f"{len(routes)} of {len(routes)} routes want a signature, and the right one"


def refused(method: str, url: str, secret: str | None, why: str) -> None:
    """Hold that a request, signed with a secret or not at all, gets no further than API Gateway."""
    reply = client.request(method, url, secret=secret)
    held = reply.status == 403 and reply.body["message"].startswith(why)
    hold(held, f"{method} {url} is refused with {why!r}, not {refusal(reply)}")


def shown(rehearsal: Rehearsal) -> str:
    """Do what CloudWatch's console does: invoke the widget's function, and press its button."""
    cloudwatch = rehearsal.aws.cloudwatch()
    (dashboard,) = cloudwatch.list_dashboards()["DashboardEntries"]
    body = json.loads(cloudwatch.get_dashboard(DashboardName=dashboard["DashboardName"])["DashboardBody"])
    (endpoint,) = [one["properties"]["endpoint"] for one in body["widgets"] if one["type"] == "custom"]
    hold(endpoint in {one.arn for one in functions(rehearsal.aws).values()}, f"{endpoint} is deployed")
    for event in ({}, {"action": "probe", "name": NAME}):
        answer = rehearsal.aws.client("lambda").invoke(FunctionName=endpoint, Payload=json.dumps(event))
        said = json.loads(answer["Payload"].read())
        hold(not answer.get("FunctionError") and NAME in said, f"it shows {NAME}, not {said}")
    return f"{endpoint.rpartition(':')[2]} shows {NAME}, and probes it"


def failing(rehearsal: Rehearsal) -> str:
    """Send functions what they cannot read, and the API a request for what is not there."""
    name, work = f"{rehearsal.owner}-provision", rehearsal.functions
    invoke = rehearsal.aws.client("lambda").invoke
    answer = invoke(FunctionName=name, Payload=b"{}")
    error = json.loads(answer["Payload"].read())
    hold(answer.get("FunctionError") == "Unhandled", "Lambda says that the function failed")
    hold(error["errorType"] == "KeyError", f"it says how: {error}")
    before = len(work.outcomes)
    invoke(FunctionName=name, Payload=b"{}", InvocationType="Event")

    def attempts() -> list[str | None]:
        return [outcome.error for who, outcome in work.outcomes[before:] if who == name]

    until(lambda: len(attempts()) >= 3, 30, "an event is tried three times")
    hold(attempts() == ["KeyError"] * 3, f"each time it fails the same way: {attempts()}")
    reply = client.request("GET", f"{rehearsal.story.lab.api_url}/load-balancers/nobody")
    hold(reply.status == 404 and reply.body["status"] == 404, f"the API answers 404, not {refusal(reply)}")
    return f"{error['errorType']}, tried three times as an event; the API says {reply.body['title']!r}"


def denied(rehearsal: Rehearsal) -> str:
    """Try what a stolen role would: the probe's may look at load balancers, and change nothing."""
    name = f"{rehearsal.owner}-probe"
    elb = rehearsal.aws.client("elb", name)
    elb.describe_load_balancers(LoadBalancerNames=[NAME])
    try:
        elb.delete_load_balancer(LoadBalancerName=NAME)
        said = "nothing"
    except ClientError as error:
        said = error.response["Error"]["Code"]
    hold(said == "AccessDenied", f"AWS says AccessDenied, not {said}")
    nothing_else_denied(rehearsal)
    return f"elasticloadbalancing:DeleteLoadBalancer: {said}; no function was denied anything so far"


def nothing_else_denied(rehearsal: Rehearsal) -> None:
    """Hold that no function asked for more than its role may do, but for the one that was made to."""
    refused = rehearsal.functions.denied()
    meant = [f"{rehearsal.owner}-probe elasticloadbalancing:DeleteLoadBalancer"]
    hold(refused == meant, f"nothing else was denied, but: {', '.join(refused)}")


def updated(rehearsal: Rehearsal) -> str:
    """Deploy changed code and a changed setting; everything stays where it is, and sessions stay open."""
    lab, story = rehearsal.story.lab, rehearsal.story
    address = next(iter(lab.addresses(NAME).values()))
    where = client.through_tls(address, SECURE, lab.directory / "private-ca.pem")
    session = client.subscribe(lab.processes, where, "updates/demo", "session")
    revision = f"{lab.api_url}/revision"
    hold(client.request("GET", revision).status == 403, "the new route is not there yet")
    functions_before, balancers_before = functions(lab.aws), balancers(rehearsal)
    id_ = rehearsal.api.id
    change(rehearsal)
    chalice(rehearsal, "deploy")
    take_over(rehearsal)
    found = functions(lab.aws)
    arns = {name: one.arn for name, one in functions_before.items()}
    hold({name: one.arn for name, one in found.items()} == arns, "every function keeps its ARN")
    hold(rehearsal.api.id == id_, "the API keeps its id, and so its URL")
    hold(rules(lab.aws, found) == lab.events.rules, "the rules are as they were")
    codes = {one.code for one in found.values()}
    hold(not codes & {one.code for one in functions_before.values()}, "every function has new code")
    name, value = SETTING
    hold(all(one.function.environment[name] == value for one in found.values()), f"{name} is {value} for all")
    reply = client.request("GET", revision)
    hold(reply == Reply(200, {"revision": 2}), f"the new route answers, not {refusal(reply)}")
    hold(balancers(rehearsal) == balancers_before, "the load balancer is untouched")
    demo.unchanged(story)
    done = client.publish(where, "updates/demo", "after the update")
    hold(done.returncode == 0, f"mosquitto_pub succeeds: {done.stderr}")
    until(lambda: "after the update" in session.log.read_text(), 10, "the open session receives it")
    hold(session.log.read_text().count("sending CONNECT") == 1, "it never reconnected")
    lab.processes.end(session)
    return f"{len(found)} functions and the API replaced where they are; the session stayed open"


def change(rehearsal: Rehearsal) -> None:
    """Change the copy of the project as a developer would."""
    with (rehearsal.project / "app.py").open("a") as app:
        app.write(ADDED)
    path = rehearsal.project / ".chalice" / "config.json"
    configured = json.loads(path.read_text())
    configured["environment_variables"] = configured.get("environment_variables", {}) | dict([SETTING])
    path.write_text(json.dumps(configured, indent=2))


def balancers(rehearsal: Rehearsal) -> object:
    """Return everything that AWS says of the load balancer."""
    elb = rehearsal.aws.elb()
    return (
        elb.describe_load_balancers(LoadBalancerNames=[NAME])["LoadBalancerDescriptions"],
        elb.describe_tags(LoadBalancerNames=[NAME])["TagDescriptions"],
        elb.describe_load_balancer_attributes(LoadBalancerName=NAME)["LoadBalancerAttributes"],
    )


def removed(rehearsal: Rehearsal, before: frozenset[str]) -> str:
    """Remove the deployment; the private CA stays, because devices trust it."""
    unanswered = [one for one in rehearsal.story.lab.events.delivered if one.error is not None]
    hold(not unanswered, f"every event was answered, but: {unanswered[:1]}")
    nothing_else_denied(rehearsal)
    chalice(rehearsal, "delete")
    left = inventory(rehearsal.aws) - before
    stays = {f"secret {rehearsal.owner}/private-ca{what}" for what in ("", "-certificate")}
    hold(left == stays, f"nothing is left but the private CA: {', '.join(sorted(left))}")
    return f"left on purpose: {', '.join(sorted(stays))}"
