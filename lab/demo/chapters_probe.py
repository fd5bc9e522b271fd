"""The demo's chapters on the probe: faults, each named by the phase that a device does not pass, and why."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.aws import REGION
from lab.certificates.lifetimes import issue
from lab.demo.declaration import NAME
from lab.demo.probing import ask, minutes, named, probed, put_back, revive, rings, show_verdict
from lab.demo.steps import SECURE, Story, health, owner, state, watch
from lab.demo.story import hold
from lab.machine.addresses import answers
from lab.machine.processes import until, with_server_paths
from lab.nodes import brokers
from lab.nodes.brokers import MQTT, Node

HOSTNAME = {"Key": "emq-elb:hostname", "Value": "elsewhere.example.com"}
CREDENTIALS = "demo/probe"
PHASES = ("dns", "tcp", "tls", "connack", "suback", "puback", "echo")


def chapters(story: Story) -> list[tuple[str, Callable[[], str]]]:
    """Return the steps: title and what to do."""
    return [
        ("Probed as a device would: all green", lambda: green(story)),
        ("A broker is killed, and the other takes over", lambda: one_killed(story)),
        ("Every broker is killed, and the alarms ring", lambda: killed(story)),
        ("A broker is frozen: it takes connections and says nothing", lambda: frozen(story)),
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
    answer = [probed(story, "ok") for _ in range(5)][-1]
    print(f"   {'address':>16} {'port':>5}" + "".join(f"{phase:>9}" for phase in PHASES))
    for one in answer["targets"]:
        times = "".join(f"{one['times_ms'][phase]:>7.1f}ms" for phase in PHASES)
        print(f"   {one['address']:>16} {one['port']:>5}{times}")
    first = answer["targets"][0]
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


def one_killed(story: Story) -> str:
    """Kill one of several: members fall, and no device notices."""
    victim = story.lab.nodes[-1]
    brokers.kill(story.lab.cluster, victim)
    print(f"   {victim.name} is killed")
    watch(story, lambda seen: seen[victim.name] == "OutOfService", f"{victim.name} is out of service")
    for _ in range(4):
        answer = ask(story)
        hold(answer["verdict"] == "ok", f"the probe is ok, not {answer['verdict']}")
    show_verdict(answer)
    serving = sum(one == "InService" for one in health(story).values())
    return f"{serving} of {len(story.lab.nodes)} in service, the probe is ok"


def killed(story: Story) -> str:
    """Kill all brokers until the alarms ring, by CloudWatch's rules on a quick clock; bring them back."""
    kinds = ("probe", "nodes")
    for kind in kinds:
        rings(story, kind, "OK")
    for node in story.lab.nodes:
        if node.processes:
            brokers.kill(story.lab.cluster, node)
            print(f"   {node.name} is killed")
    failed = datetime.now(UTC)
    how = named(story, "connack-closed")
    rang = minutes(story, rings(story, "probe", "ALARM") - failed)
    rings(story, "nodes", "ALARM")
    hold(rang <= 5, f"the alarm rings within five minutes, not {rang:.1f}")
    revive(story)
    mended = datetime.now(UTC)
    well = minutes(story, max(rings(story, kind, "OK") for kind in kinds) - mended)
    return f"{how}; the alarm rang {rang:.1f} minutes after the kill, and ended {well:.1f} after the repair"


def expired(story: Story) -> str:
    """Put a certificate on the listener that ends in a few seconds, as if nobody had renewed it."""
    end = datetime.now(UTC) + timedelta(seconds=4)
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


def gone(iam: Any, name: str) -> bool:
    """Delete a server certificate as soon as AWS lets go of it."""
    try:
        iam.delete_server_certificate(ServerCertificateName=name)
    except iam.exceptions.DeleteConflictException:
        return False
    return True
