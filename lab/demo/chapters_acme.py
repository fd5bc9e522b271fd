"""The demo's chapter on ACME: a CA that looks into DNS issues a certificate, and renews it."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from lab.certificates.acme import Acme
from lab.demo import client
from lab.demo.chapters_rotate import put, rotate, serial, serials, serials_for, source
from lab.demo.declaration import NAME, declaration
from lab.demo.steps import Story, refusal
from lab.demo.story import hold
from lab.fidelity.knobs import KNOBS
from lab.machine.processes import until
from lab.machine.tls import trusting

ZONE = "example.com"
HOST = f"mqtt.{ZONE}"
SPREADS_IN = 0.5


def chapters(story: Story) -> list[tuple[str, Callable[[], str]]]:
    """Return the steps: title and what to do; none in a lab without an ACME CA."""
    acme = story.lab.acme
    if acme is None:
        return []
    return [
        ("A certificate of an ACME CA", lambda: issued(story, acme)),
        ("Renewed by the CA", lambda: renewed(story, acme)),
    ]


def issued(story: Story, acme: Acme) -> str:
    """Ask for one by PUT: the CA looks for the record in Route 53 before it issues."""
    KNOBS.dns_propagation_seconds = SPREADS_IN
    shown: dict[str, tuple[str, ...]] = {}

    def show(name: str, values: tuple[str, ...]) -> None:
        acme.show(name, values)
        shown.setdefault(name, values)

    KNOBS.dns_shows = show
    story.lab.aws.route53().create_hosted_zone(Name=ZONE, CallerReference=NAME)
    reply = put(story, certificate={"issuer": "acme", "domains": [HOST, f"*.{HOST}"]}, hostname=HOST)
    until(lambda: source(story) == "acme", 60, "the load balancer serves it", pause=0.5)
    seen(story, verified_by(story, acme))
    for name, values in shown.items():
        print(f"   {name} TXT, {len(values)} values: shown until the CA had looked")
    hold(bool(shown), "the CA was shown a record")
    return f"{reply.status}: for {HOST} and *.{HOST}, verified with the CA's root at every address"


def renewed(story: Story, acme: Acme) -> str:
    """Rotate: another one of the same CA, seen on the wire; then the private CA's again."""
    before = serial(story)
    reply = rotate(story)
    hold(reply.status in {200, 202}, f"the rotation answers 200 or 202, not {refusal(reply)}")
    until(lambda: serial(story) != before, 60, "there is another certificate", pause=0.2)
    seen(story, verified_by(story, acme))
    body = declaration(story.lab)
    hold(client.request("PUT", story.url, body).status in {200, 202}, "the private CA serves again")
    until(lambda: source(story) == "private-ca", 60, "the private CA serves again", pause=0.2)
    seen(story, lambda: serials(story))
    hold(not challenges(story), f"no challenge is left in Route 53, not {challenges(story)}")
    route53 = story.lab.aws.route53()
    for zone in route53.list_hosted_zones()["HostedZones"]:
        route53.delete_hosted_zone(Id=zone["Id"])
    return f"{reply.status}: the new serial seen at every address, nothing left in Route 53"


def seen(story: Story, look: Callable[[], set[int]]) -> None:
    """Wait until every address serves what AWS's API says, to a client that trusts its issuer only."""

    def served() -> bool:
        try:
            return look() == {serial(story)}
        except ssl.SSLCertVerificationError:  # an address that still serves the one before
            return False

    until(served, 60, "it is seen at every address")


def verified_by(story: Story, acme: Acme) -> Callable[[], set[int]]:
    """A look by a client that trusts the CA's root only."""
    context = trusting(acme.root())
    return lambda: serials_for(story, HOST, context)


def challenges(story: Story) -> list[str]:
    """The names of the TXT records that are in Route 53."""
    route53 = story.lab.aws.route53()
    return [
        record["Name"]
        for zone in route53.list_hosted_zones()["HostedZones"]
        for record in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
        if record["Type"] == "TXT"
    ]
