"""The demo's chapters on rotation: nobody notices a good one, and a bad one is refused or put back."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from cryptography import x509

from lab.certificates import issuer
from lab.cloudwatch.metrics import reader
from lab.demo import client
from lab.demo.client import Reply
from lab.demo.declaration import NAME, declaration
from lab.demo.steps import SECURE, Story, owner, refusal
from lab.demo.story import hold
from lab.machine.processes import until
from lab.machine.threads import beside
from lab.machine.tls import trusting

SECRET = "demo/certificate"  # noqa: S105 - the secret's name
TOPIC = "rotation/demo"
RSA_ONLY = {"protocols": ["TLSv1.2"], "ciphers": ["ECDHE-RSA-AES128-GCM-SHA256"]}


def chapters(story: Story) -> list[tuple[str, Callable[[], str]]]:
    """Return the steps: title and what to do."""
    return [
        ("A certificate with five days left", lambda: nearly_over(story)),
        ("Replaced under an open session", lambda: replaced(story)),
        ("A broken replacement is refused", lambda: refused(story)),
        ("One that fails on the wire is rolled back", lambda: rolled_back(story)),
    ]


def nearly_over(story: Story) -> str:
    """Serve a certificate that other tooling keeps in a secret, and that has five days left."""
    who = owner(story)
    five_days = issuer.bundle(issuer.authority(story.lab.aws, who), domains(story), 5)
    issuer.keep(story.lab.aws, SECRET, five_days, owner=who)
    reply = put(story)
    until(lambda: source(story) == f"secret:{SECRET}", 60, "the load balancer serves it", pause=0.2)
    shown = client.request("GET", story.url).body["certificate"]
    hold(shown["days_left"] <= 5, f"it has five days left, not {shown['days_left']}")
    until(lambda: serials(story) == {serial(story)}, 20, "it is seen at every address")
    return f"{reply.status}: {shown['days_left']} days left, by {shown['source']}"


def replaced(story: Story) -> str:
    """Rotate while one session stays open and new ones connect throughout."""
    lab = story.lab
    session = client.subscribe(lab.processes, through(story), TOPIC, "session")
    log = lab.directory / "session.log"
    before = serials(story)
    signer = issuer.authority(lab.aws, owner(story))
    issuer.keep(lab.aws, SECRET, issuer.bundle(signer, domains(story), 89))
    with connecting(story) as visitors:
        until(lambda: visitors.connected > 2, 20, "new sessions connect")
        reply = rotate(story)
        hold(reply.status in {200, 202}, f"the rotation answers 200 or 202, not {refusal(reply)}")
        until(lambda: serials(story) == {serial(story)}, 60, "the new serial is seen at every address")
        enough = visitors.connected + 3
        until(lambda: visitors.connected > enough, 20, "new sessions connect")
    hold(not visitors.failures, f"every new session connects, not: {visitors.failures[:1]}")
    hold(not serials(story) & before, "the old serial is gone")
    done = client.publish(through(story), TOPIC, "after the rotation")
    hold(done.returncode == 0, f"mosquitto_pub succeeds: {done.stderr}")
    until(lambda: "after the rotation" in log.read_text(), 10, "the session that stayed open receives it")
    hold(session.alive() and log.read_text().count("sending CONNECT") == 1, "it never reconnected")
    lab.processes.end(session)
    verified = "verified" if reply.body["verified"] else "not yet verified"
    return (
        f"{reply.body['state']} and {verified}; one session stayed open,"
        f" {visitors.connected} new ones connected, none failed"
    )


def refused(story: Story) -> str:
    """Put a certificate with somebody else's key into the secret: nothing is uploaded."""
    signer, held = issuer.authority(story.lab.aws, owner(story)), certificates(story)
    good, other = (issuer.bundle(signer, domains(story), 89) for _ in range(2))
    issuer.keep(story.lab.aws, SECRET, good, other.private_key)
    before = serials(story)
    reply = rotate(story)
    hold(reply.status == 409, f"the rotation answers 409, not {refusal(reply)}")
    hold(certificates(story) == held, "nothing was uploaded")
    hold(serials(story) == before, "what is served is what was served")
    return str(reply.body["detail"])


def rolled_back(story: Story) -> str:
    """Offer an EC certificate to a listener that takes RSA ciphers only: only a handshake shows the fault."""
    signer = issuer.authority(story.lab.aws, owner(story))
    issuer.keep(story.lab.aws, SECRET, issuer.bundle(signer, domains(story), 89.5))
    hold(put(story, ssl_policy=RSA_ONLY).status in {200, 202}, "the policy is set")
    until(lambda: serials(story) == {serial(story)}, 60, "the listener serves RSA")
    before = serials(story)
    issuer.keep(story.lab.aws, SECRET, issuer.bundle(signer, domains(story), 89.9, "ec"))
    reply = rotate(story)
    hold(reply.status == 200, f"the rotation answers 200, not {refusal(reply)}")
    hold(reply.body["state"] == "rolled-back", f"it is rolled back, not {reply.body['state']}")
    print(f"   {reply.body['reason']}")
    until(lambda: serials(story) == before, 20, "the old serial is back at every address")
    points = [point for point in reader(story.lab.directory / "api.log")() if point.value]
    hold("CertificateRollbacks" in {point.name for point in points}, "the metric is logged")
    again = rotate(story)
    hold(again.status == 409, f"it is not installed again, not {refusal(again)}")
    story.lab.aws.secretsmanager().delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    body = declaration(story.lab)
    hold(client.request("PUT", story.url, body).status in {200, 202}, "the private CA serves again")
    until(lambda: source(story) == "private-ca", 60, "the private CA serves again", pause=0.2)
    until(lambda: serials(story) == {serial(story)}, 60, "its certificate is seen at every address")
    return "the old one is back and seen at every address; CertificateRollbacks 1"


def put(story: Story, **changes: Any) -> Reply:
    """Ask for the demo's load balancer with the certificate in the secret."""
    body = {**declaration(story.lab), "certificate": {"secret_id": SECRET}, **changes}
    del body["instances"]  # the tags decide by now
    reply = client.request("PUT", story.url, body)
    hold(reply.status in {200, 202}, f"the PUT answers 200 or 202, not {refusal(reply)}")
    return reply


def rotate(story: Story) -> Reply:
    """Ask for a rotation."""
    return client.request("POST", f"{story.url}/rotate")


def domains(story: Story) -> list[str]:
    """The names of the demo's certificate."""
    certificate: Any = declaration(story.lab)["certificate"]
    found: list[str] = certificate["domains"]
    return found


def source(story: Story) -> str:
    """Where the certificate comes from, by the app's word."""
    return str(client.request("GET", story.url).body["certificate"].get("source"))


def serial(story: Story) -> int:
    """The serial number of the certificate that AWS's API says is served."""
    (found,) = story.lab.aws.elb().describe_load_balancers(LoadBalancerNames=[NAME])[
        "LoadBalancerDescriptions"
    ]
    arns = [one["Listener"].get("SSLCertificateId", "") for one in found["ListenerDescriptions"]]
    name = next(arn for arn in arns if arn).rpartition("/")[2]
    kept = story.lab.aws.iam().get_server_certificate(ServerCertificateName=name)["ServerCertificate"]
    return x509.load_pem_x509_certificate(kept["CertificateBody"].encode()).serial_number


def serials(story: Story) -> set[int]:
    """The serial numbers on the wire, verified by the private CA, one for each address."""
    context = trusting(authority_file(story))
    return serials_for(story, client.request("GET", story.url).body["dns_name"], context)


def serials_for(story: Story, host: str, context: ssl.SSLContext) -> set[int]:
    """The serial numbers on the wire, verified for a host, one for each address."""
    found = set()
    for address in story.lab.addresses(NAME).values():
        with (
            socket.create_connection((address, SECURE), 10) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            der = secure.getpeercert(binary_form=True)
        found.add(x509.load_der_x509_certificate(der or b"").serial_number)
    return found


def certificates(story: Story) -> set[str]:
    """The names of all server certificates."""
    listed = story.lab.aws.iam().list_server_certificates()["ServerCertificateMetadataList"]
    return {one["ServerCertificateName"] for one in listed}


def authority_file(story: Story) -> Path:
    """The private CA's certificate, as a client fetched it."""
    return story.lab.directory / "private-ca.pem"


def through(story: Story) -> list[str]:
    """mosquitto's options for the TLS listener."""
    address = next(iter(story.lab.addresses(NAME).values()))
    return client.through_tls(address, SECURE, authority_file(story))


@dataclass
class Visitors:
    """Sessions that come and go, one after another."""

    connected: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def connecting(story: Story) -> Iterator[Visitors]:
    """Connect, publish and leave, over and over, until the end of the block."""
    visitors = Visitors()
    where = through(story)

    def visit(stop: Event) -> None:
        while not stop.is_set():
            done = client.publish(where, f"{TOPIC}/visitors", "passing by")
            if done.returncode == 0:
                visitors.connected += 1
            else:
                visitors.failures.append(done.stderr or done.stdout)

    with beside("visitors", visit):
        yield visitors
