"""The demo's chapters on the probe: faults, each named by the phase that a device does not pass, and why."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from lab import brokers, client
from lab.addresses import answers
from lab.aws import REGION
from lab.brokers import MQTT, Node
from lab.declaration import NAME, declaration
from lab.lifetimes import issue
from lab.processes import until, with_server_paths
from lab.steps import SECURE, Story, owner, refusal, state, watch
from lab.story import hold

HOSTNAME = {"Key": "emq-elb:hostname", "Value": "elsewhere.example.com"}
CREDENTIALS = "demo/probe"
PHASES = ("dns", "tcp", "tls", "connack", "suback", "puback", "echo")


def chapters(story: Story) -> list[tuple[str, Callable[[], str]]]:
    """Return the steps: title and what to do."""
    return [
        ("Probed as a device would: all green", lambda: green(story)),
        ("A broker is frozen: it takes connections and says nothing", lambda: frozen(story)),
        ("Every broker is killed", lambda: killed(story)),
        ("The certificate expires", lambda: expired(story)),
        ("The certificate is for another name", lambda: misnamed(story)),
        ("A listener that offers obsolete TLS only", lambda: obsolete(story)),
        ("The probe's password is wrong", lambda: locked_out(story)),
        ("All green again", lambda: green(story)),
    ]


def green(story: Story) -> str:
    """Bring every broker back and probe until all is well; print the times by phase."""
    for node in story.lab.nodes:
        if not node.processes:
            brokers.revive(story.lab.cluster, node.instance_id)
    watch(story, lambda seen: set(seen.values()) == {"InService"}, "all are in service")
    until(lambda: state(story) == "ready", 60, "the load balancer is ready", pause=0.2)
    told = [probed(story, "ok") for _ in range(5)][-1]
    print(f"   {'address':>16} {'port':>5}" + "".join(f"{phase:>9}" for phase in PHASES))
    for one in told["targets"]:
        times = "".join(f"{one['times_ms'][phase]:>7.1f}ms" for phase in PHASES)
        print(f"   {one['address']:>16} {one['port']:>5}{times}")
    first = told["targets"][0]
    return (
        f"{first['tls']['version']}, {first['tls']['cipher']}, {first['certificate']['days_left']} days left"
    )


def frozen(story: Story) -> str:
    """Stop a broker in its tracks: its port still accepts, so that a TCP health check sees nothing."""
    victim = story.lab.nodes[0]
    brokers.freeze(victim)
    try:
        print(f"   {victim.name} is frozen")
        return named(story, "connack-timeout")
    finally:
        brokers.thaw(victim)


def killed(story: Story) -> str:
    """Kill all brokers: the load balancer has nobody to lead a device to."""
    for node in story.lab.nodes:
        brokers.kill(story.lab.cluster, node)
        print(f"   {node.name} is killed")
    try:
        return named(story, "connack-closed")
    finally:
        revive(story)


def expired(story: Story) -> str:
    """Put a certificate on the listener that ends in a few seconds, as if nobody had renewed it."""
    end = datetime.now(UTC) + timedelta(seconds=8)
    answer = story.lab.aws.secretsmanager().get_secret_value(SecretId=f"{owner(story)}/private-ca")
    authority = json.loads(answer["SecretString"])
    leaf, key = issue(
        authority["certificate"], authority["private_key"], f"*.{REGION}.elb.amazonaws.com", end
    )
    iam, elb = story.lab.aws.iam(), story.lab.aws.elb()
    arn = iam.upload_server_certificate(
        ServerCertificateName="forgotten", CertificateBody=leaf, PrivateKey=key
    )["ServerCertificateMetadata"]["Arn"]

    def installed() -> bool:
        try:
            elb.set_load_balancer_listener_ssl_certificate(
                LoadBalancerName=NAME, LoadBalancerPort=SECURE, SSLCertificateId=arn
            )
        except elb.exceptions.CertificateNotFoundException:  # a new one needs a moment at AWS
            return False
        return True

    try:
        until(installed, 30, "ELB knows the certificate")
        print(f"   the listener has a certificate that ends at {end:%H:%M:%S}")
        until(lambda: datetime.now(UTC) > end, 30, "it has ended", pause=0.2)
        return named(story, "tls-expired")
    finally:
        put_back(story)
        until(lambda: gone(iam, "forgotten"), 60, "AWS lets go of the certificate", pause=0.5)


def misnamed(story: Story) -> str:
    """Say that clients use a name that the certificate does not cover."""
    elb = story.lab.aws.elb()
    elb.add_tags(LoadBalancerNames=[NAME], Tags=[HOSTNAME])  # type: ignore[list-item] # a plain dict
    try:
        return named(story, "tls-name")
    finally:
        put_back(story)


def obsolete(story: Story) -> str:
    """Let the listener speak TLS 1.0 and nothing else, as somebody's click would."""
    elb = story.lab.aws.elb()
    elb.create_load_balancer_policy(
        LoadBalancerName=NAME,
        PolicyName="yesterday",
        PolicyTypeName="SSLNegotiationPolicyType",
        PolicyAttributes=[
            {"AttributeName": name, "AttributeValue": "true"} for name in ("Protocol-TLSv1", "AES128-SHA")
        ],
    )
    elb.set_load_balancer_policies_of_listener(
        LoadBalancerName=NAME, LoadBalancerPort=SECURE, PolicyNames=["yesterday"]
    )
    try:
        return named(story, "tls-protocol")
    finally:
        put_back(story)


def locked_out(story: Story) -> str:
    """Let the brokers ask for a password, and give the probe another one."""
    secrets, elb = story.lab.aws.secretsmanager(), story.lab.aws.elb()
    value = json.dumps({"username": "probe", "password": "not the one"})
    secrets.create_secret(Name=CREDENTIALS, SecretString=value)
    tag = {"Key": "emq-elb:probe", "Value": f"credentials_secret_id={CREDENTIALS}"}
    elb.add_tags(LoadBalancerNames=[NAME], Tags=[tag])  # type: ignore[list-item] # a plain dict
    try:
        with passwords_wanted(story):
            return named(story, "connack-refused:not-authorized")
    finally:
        secrets.delete_secret(SecretId=CREDENTIALS, ForceDeleteWithoutRecovery=True)
        put_back(story)


@contextmanager
def passwords_wanted(story: Story) -> Iterator[None]:
    """Run the brokers with a password file while the block lasts."""
    lab = story.lab
    known = lab.directory / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-c", "-b", str(known), "probe", "the right one"],
        env=with_server_paths({}),
        check=True,
        capture_output=True,
    )
    for node in lab.nodes:
        brokers.kill(lab.cluster, node)
        address, port = node.endpoints[MQTT]
        configuration = lab.directory / f"{node.name}-locked.conf"
        text = brokers.mosquitto(address, port).replace("allow_anonymous true", "allow_anonymous false")
        configuration.write_text(f"{text}password_file {known}\n")
        process = lab.processes.start(
            f"{node.name}-locked",
            ["mosquitto", "-c", str(configuration)],
            ready=lambda address=address, port=port: answers(address, port),  # type: ignore[misc] # bound now
        )
        lab.cluster.nodes[node.instance_id] = Node(node.instance_id, node.name, node.endpoints, (process,))
    try:
        yield
    finally:
        for node in lab.nodes:
            brokers.kill(lab.cluster, node)
        revive(story)


def revive(story: Story) -> None:
    """Start every broker that is not there, and wait until AWS says that it serves."""
    for node in story.lab.nodes:
        if not node.processes:
            brokers.revive(story.lab.cluster, node.instance_id)
    watch(story, lambda seen: set(seen.values()) == {"InService"}, "all are in service")


def put_back(story: Story) -> None:
    """Ask for the load balancer as it was declared: the plan is the way back."""
    reply = client.request("PUT", story.url, declaration(story.lab))
    hold(reply.status in {200, 202}, f"the PUT answers 200 or 202, not {refusal(reply)}")
    for action in reply.body["actions"]:
        print(f"   {action['action']}: {action['reason']}")


def named(story: Story, cause: str) -> str:
    """Probe until that is the cause, and say how it was told."""
    found: list[Any] = []

    def seen() -> bool:
        told = ask(story)
        found[:] = [one for one in told["targets"] if one["cause"] == cause]
        line = ", ".join(f"{one['address']} {one['cause'] or 'ok'}" for one in told["targets"])
        print(f"   {told['verdict']}: {line}", flush=True)
        return bool(found)

    until(seen, 90, f"a probe says {cause}", pause=0.3)
    return f"told as {found[0]['cause']}, in the phase {found[0]['phase']}"


def probed(story: Story, verdict: str) -> Any:
    """Probe until the verdict is so, and return the answer."""
    told: list[Any] = []

    def seen() -> bool:
        told.append(ask(story))
        return bool(told[-1]["verdict"] == verdict)

    until(seen, 60, f"a probe says {verdict}", pause=0.3)
    return told[-1]


def ask(story: Story) -> Any:
    """Ask the app to probe; what it answers is kept for the report."""
    reply = client.request("POST", f"{story.url}/probe")
    hold(reply.status == 200, f"a probe answers 200, not {refusal(reply)}")
    story.probes.append((datetime.now(UTC), reply.body))
    return reply.body


def gone(iam: Any, name: str) -> bool:
    """Delete a server certificate as soon as AWS lets go of it."""
    try:
        iam.delete_server_certificate(ServerCertificateName=name)
    except iam.exceptions.DeleteConflictException:
        return False
    return True
