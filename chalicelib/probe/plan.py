"""What a probe saw, and what that says of a load balancer.

An `Outcome` is one address of one listener, tried once. A listener is as good as its addresses: a device
picks one of them and does not know of the others. Every cause has its line in `docs/operations.md`, and a
test holds the two together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from chalicelib.model.dns_options import read_dns_tag
from chalicelib.model.load_balancer import TCP_PROTOCOLS, LoadBalancer
from chalicelib.model.names import (
    DIGITS_IN_NAME,
    DNS_TAG,
    PENDING_TAG,
    PROBE_TAG,
    certificate_home,
    certificate_name_of,
)
from chalicelib.model.probe_options import ProbeOptions, read_probe_tag
from chalicelib.tls.handshake import Served
from chalicelib.x509.domains import address_of, covers

Phase = Literal["prepare", "dns", "tcp", "tls", "connack", "suback", "puback", "echo"]
Grade = Literal["ok", "degraded", "failed"]

PHASES: tuple[Phase, ...] = ("prepare", "dns", "tcp", "tls", "connack", "suback", "puback", "echo")
"""In the order in which a device goes through them; `prepare` is what happens before the first packet."""

UNEXPECTED = "unexpected"
ELSEWHERE = "dns-elsewhere"

CAUSES: Mapping[str, frozenset[Phase]] = {
    "secret": frozenset({"prepare"}),
    UNEXPECTED: frozenset({"prepare"}),
    "deadline": frozenset(PHASES),
    "dns": frozenset({"dns"}),
    ELSEWHERE: frozenset({"dns"}),
    "tcp-refused": frozenset({"tcp"}),
    "tcp-timeout": frozenset({"tcp"}),
    "tcp-unreachable": frozenset({"tcp"}),
    "tls-timeout": frozenset({"tls"}),
    "tls-closed": frozenset({"tls"}),
    "tls-garbage": frozenset({"tls"}),
    "tls-protocol": frozenset({"tls"}),
    "tls-cipher": frozenset({"tls"}),
    "tls-expired": frozenset({"tls"}),
    "tls-not-yet-valid": frozenset({"tls"}),
    "tls-name": frozenset({"tls"}),
    "tls-untrusted": frozenset({"tls"}),
    "tls-invalid": frozenset({"tls"}),
    "tls-unproven": frozenset({"tls"}),
    "plain-credentials": frozenset({"connack"}),
    "connack-refused": frozenset({"connack"}),
    "connack-timeout": frozenset({"connack"}),
    "connack-closed": frozenset({"connack"}),
    "connack-garbage": frozenset({"connack"}),
    "suback-refused": frozenset({"suback"}),
    "suback-timeout": frozenset({"suback"}),
    "suback-closed": frozenset({"suback"}),
    "suback-garbage": frozenset({"suback"}),
    "puback-refused": frozenset({"puback"}),
    "puback-timeout": frozenset({"puback"}),
    "puback-closed": frozenset({"puback"}),
    "puback-garbage": frozenset({"puback"}),
    "echo-timeout": frozenset({"echo"}),
    "echo-closed": frozenset({"echo"}),
    "echo-garbage": frozenset({"echo"}),
    "echo-wrong": frozenset({"echo"}),
}
"""Every cause, and the phases in which it may end a probe.

A refusal goes on with the broker's reason after a colon, and so does a close that MQTT 5 gives a reason for;
`unexpected` goes on with the kind of the error.
"""


@dataclass(frozen=True)
class HostnameRecord:
    """A hostname whose record in Route 53 we keep, and the DNS names of the load balancers it may lead to.

    `shared`: the record has a weight, and the hosts are all of ours that have a record of that hostname.
    """

    name: str
    hosts: frozenset[str]
    shared: bool = False


@dataclass(frozen=True, kw_only=True)
class Target:
    """One listener of one load balancer, to be tried at each address of `host`.

    `hostname` is the name that the certificate has to cover, None where the certificate itself says it;
    `certificate` the name in IAM of the one that was installed, None for one of ACM. `installed` are the
    names in that one, where AWS was asked for them. `record` is the hostname's record, None where there is
    none that has to lead here.
    """

    load_balancer: str
    host: str
    port: int
    secure: bool
    hostname: str | None = None
    certificate: str | None = None
    installed: frozenset[str] = frozenset()
    options: ProbeOptions = field(default_factory=ProbeOptions)
    record: HostnameRecord | None = None


@dataclass(frozen=True)
class Failure:
    """Where a probe ended and why; `cause` is one of `CAUSES`, with the broker's reason after a refusal.

    `detail` is what the library or the broker says of it, and contains no key and no password.
    """

    phase: Phase
    cause: str
    detail: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Hold the closed list: a cause that the runbook does not know is a defect of ours."""
        if self.phase not in CAUSES[self.kind]:
            raise ValueError(f"{self.cause} is no cause of the phase {self.phase}")

    @property
    def kind(self) -> str:
        """The cause without the broker's own reason: what the runbook lists."""
        return self.cause.partition(":")[0]

    @property
    def of_broker(self) -> bool:
        """Whether a broker's part had begun: everything before it is the load balancer alone."""
        return PHASES.index(self.phase) >= PHASES.index("connack")


UNTRIED = Failure("prepare", "deadline")
"""The invocation ended before this had its turn, which says nothing of the load balancer."""

_ENDED_BY_ANOTHER = frozenset({"connack-closed", "suback-closed", "puback-closed", "echo-closed"})
_GOLDEN = (5**0.5 - 1) / 2
_ADDRESSES_SHOWN = 3


def perhaps_ended_by_another(failure: Failure | None) -> bool:
    """Whether a session of the same user may have ended this one.

    A broker that takes the user name for the client id (EMQX and mosquitto: `use_username_as_clientid`) keeps
    one session for each user, and closes the earlier one.
    """
    return failure is not None and failure.kind in _ENDED_BY_ANOTHER


def first_turn(run: int, count: int) -> int:
    """The index at which the order of trying begins in this run: the minute, or the hour, by the clock.

    Steps of the golden ratio: whatever share of the order is left untried, up to six tenths, nobody is left
    out three runs in a row.
    """
    return int(run * _GOLDEN % 1 * count)


def hint(cause: str, options: ProbeOptions) -> str:
    """What may be behind a cause of which nobody said a word, where the cause alone names something else."""
    if cause == "echo-timeout" and options.protocol == "3.1.1" and options.qos:
        return (
            "the broker acknowledged the message and did not deliver it; in MQTT 3.1.1 it may acknowledge one"
            " that its rules deny: protocol 5 shows that"
        )
    if cause == "puback-closed" and options.qos == 2:
        return "the broker may not allow QoS 2: set `probe.qos` to 1"
    if cause == "connack-closed":
        return (
            "no instance is in service, the broker's listener is at its limit of connections, or the broker"
            f" does not know MQTT {options.protocol}"
        )
    return ""


def unforeseen(error: Exception) -> Failure:
    """The failure of a target whose probe raised what nobody expected; nothing of the message is in it."""
    return Failure("prepare", f"{UNEXPECTED}:{type(error).__name__}")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One address of one listener, tried once. Times are milliseconds by phase, for the phases passed."""

    port: int
    address: str | None = None
    failure: Failure | None = None
    times_ms: Mapping[str, float] = field(default_factory=dict)
    tls_version: str | None = None
    cipher: str | None = None
    served: Served | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the outcomes of one load balancer say together; `failure` is the earliest in a device's way."""

    load_balancer: str
    grade: Grade
    outcomes: tuple[Outcome, ...]
    failure: Failure | None = None

    @property
    def success(self) -> bool | None:
        """Whether devices can use it; None where nothing failed and not everything had its turn."""
        failures = [outcome.failure for outcome in self.outcomes if outcome.failure]
        return None if failures and all(one == UNTRIED for one in failures) else not failures

    @property
    def logged(self) -> str:
        """The grade, or "untried" where the probe cannot say."""
        return "untried" if self.success is None else self.grade


def broken(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """The load balancers at which the prober itself failed, as against those that it found failing."""
    return tuple(
        one.load_balancer
        for one in verdicts
        if any(outcome.failure and outcome.failure.kind == UNEXPECTED for outcome in one.outcomes)
    )


def judge_outcomes(load_balancer: str, outcomes: Iterable[Outcome]) -> Verdict:
    """Judge a load balancer by every address of every listener that carries MQTT.

    failed:   a listener answers at none of its addresses, or the hostname leads elsewhere: its devices are
              cut off
    degraded: a listener answers at some address and not at another: its devices fail now and then
    ok:       every listener answers at every address

    Raises ValueError for no outcome at all: what nobody tried is neither good nor bad.
    """
    seen = tuple(sorted(outcomes, key=lambda outcome: (outcome.port, outcome.address or "")))
    if not seen:
        raise ValueError(f"{load_balancer} was not tried")
    failures = [outcome.failure for outcome in seen if outcome.failure]
    answering = {outcome.port for outcome in seen if outcome.failure is None}
    grade: Grade = "ok"
    if any(failure.cause == ELSEWHERE for failure in failures):
        grade = "failed"
    elif failures:
        grade = "degraded" if {outcome.port for outcome in seen} <= answering else "failed"
    first = min(failures, key=lambda failure: PHASES.index(failure.phase), default=None)
    return Verdict(load_balancer=load_balancer, grade=grade, outcomes=seen, failure=first)


def targets(
    load_balancer: LoadBalancer, installed: Mapping[str, frozenset[str]] | None = None
) -> tuple[Target, ...]:
    """The listeners that carry MQTT, whether or not the probe is enabled; `installed` are names by ARN.

    SSL in front of TCP or SSL is taken for MQTT over TLS, and so is TLS in front of TCP or TLS. TCP in front
    of TCP may be anything: it is MQTT when it leads to 1883, or to a port that a secure listener leads to.
    """
    carrying = [listener for listener in load_balancer.listeners if listener.protocol in TCP_PROTOCOLS]
    brokers = {listener.instance_port for listener in carrying if listener.secure} | {1883}
    return tuple(
        Target(
            load_balancer=load_balancer.name,
            host=load_balancer.dns_name or "",
            port=listener.port,
            secure=listener.secure,
            hostname=load_balancer.hostname,
            certificate=_certificate_name(listener.certificate),
            installed=(installed or {}).get(listener.certificate or "", frozenset()),
            options=read_probe_tag(load_balancer.tags.get(PROBE_TAG)),
        )
        for listener in carrying
        if listener.secure or (listener.instance_protocol == "TCP" and listener.instance_port in brokers)
    )


def hostname_records(ours: Iterable[LoadBalancer]) -> Mapping[str, HostnameRecord]:
    """Return the record of each load balancer's hostname, where one is kept, by the load balancer's name.

    `ours` are all load balancers of ours. While one is pending its record may not be there yet, and a name
    with a wildcard is nobody's to resolve.
    """
    kept = [
        (one, options, hostname.lower())
        for one in ours
        if (options := read_dns_tag(one.tags.get(DNS_TAG))) and (hostname := one.hostname)
    ]
    return {
        one.name: HostnameRecord(
            name,
            frozenset(
                other.dns_name
                for other, _, shared in kept
                if other.dns_name and (other is one or (options.weight is not None and shared == name))
            ),
            shared=options.weight is not None,
        )
        for one, options, name in kept
        if PENDING_TAG not in one.tags and "*" not in name
    }


def led_elsewhere(record: HostnameRecord, found: Collection[str], here: Collection[str]) -> Failure | None:
    """Say whether a hostname that resolves to `found` leads past the addresses `here`.

    One in common is enough: of many addresses DNS returns some, not the same ones for both names.
    """
    if not {*found}.isdisjoint(here):
        return None
    there, own = (", ".join(sorted(one)[:_ADDRESSES_SHOWN]) for one in (found, here))
    return Failure("dns", ELSEWHERE, f"{record.name} leads to {there}, and the load balancer is at {own}")


def certificates_to_read(load_balancer: LoadBalancer) -> frozenset[str]:
    """The ARNs of the certificates that AWS has to be asked for, so that a password may be sent.

    None where there is no password or a hostname, and not those whose name in IAM has their digest.
    """
    options = read_probe_tag(load_balancer.tags.get(PROBE_TAG))
    if options.credentials_secret_id is None or load_balancer.hostname is not None:
        return frozenset()
    ports = {target.port for target in targets(load_balancer) if target.secure}
    served = {one.certificate for one in load_balancer.listeners if one.port in ports and one.certificate}
    return frozenset(
        arn for arn in served if certificate_home(arn) and not _has_digest(_certificate_name(arn) or "")
    )


def _has_digest(name: str) -> bool:
    digits = name.rpartition("-")[2]
    return len(digits) == DIGITS_IN_NAME and {*digits} <= {*"0123456789abcdef"}


def _certificate_name(arn: str | None) -> str | None:
    return certificate_name_of(arn) if arn and certificate_home(arn) == "iam" else None


def own_root(target: Target, served: Served) -> str | None:
    """The root that came with the certificate, PEM, where what came is exactly what was installed.

    A name of ours in IAM ends in the digest over leaf and chain, so that the listener's ARN, as AWS shows it,
    says whether somebody else stands in between. Otherwise a root that comes along proves nothing.
    """
    return served.root if _installed(target, served) else None


def _installed(target: Target, served: Served) -> bool:
    installed = (target.certificate or "").rpartition("-")[2]
    return len(installed) == DIGITS_IN_NAME and (served.leaf.digest or "").startswith(installed)


def withheld(target: Target, served: Served | None) -> Failure | None:
    """Why a password is not sent to this listener; None where it may be.

    Over TLS the certificate has to be the one that was installed, or to cover a name that was not taken from
    it: the tag's, the load balancer's own, or all of those that AWS shows of the installed one, which ACM
    renews by itself. A valid certificate for any other name is not enough: anybody can have one.
    """
    if not target.secure:
        if target.options.plain_credentials:
            return None
        detail = (
            "the listener is not encrypted, so that the password of `probe.credentials_secret_id` is not"
            " sent; `probe.plain_credentials` allows it"
        )
        return Failure("connack", "plain-credentials", detail)
    if served and (
        _installed(target, served)
        or (target.installed and target.installed == {*served.leaf.domains})
        or covers(served.leaf.domains, target.hostname or target.host)
    ):
        return None
    detail = (
        "the certificate is not the one that was installed here, and does not cover the load balancer's own"
        " name, so that no password is sent: set `hostname`"
    )
    return Failure("tls", "tls-unproven", detail)


def enabled(load_balancer: LoadBalancer) -> bool:
    """Whether the schedule probes it: as its tag says, and by default unless it is internal.

    An internal one is reached from its VPC only, where the function is not unless someone put it there.
    """
    asked = read_probe_tag(load_balancer.tags.get(PROBE_TAG)).enabled
    return load_balancer.scheme == "internet-facing" if asked is None else asked


def name_to_verify(hostname: str | None, domains: Iterable[str], dns_name: str) -> str:
    """The name that clients use: the tag's, else the certificate's first that is no wildcard, else DNS's.

    An address that a certificate covers is no name.
    """
    plain = (domain for domain in domains if "*" not in domain and address_of(domain) is None)
    return hostname or next(plain, dns_name)


def name_failure(hostname: str | None, domains: tuple[str, ...], dns_name: str) -> Failure | None:
    """Say whether a client that asks for the name would refuse the certificate."""
    if covers(domains, name_to_verify(hostname, domains, dns_name)):
        return None
    return Failure("tls", "tls-name")
