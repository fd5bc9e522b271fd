"""What is wrong with a certificate before anything is uploaded: faults, and warnings for the review.

IAM's rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_server-certs.html
What a classic load balancer takes:
https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ssl-server-cert.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.model.errors import Fault, QuotaReached
from chalicelib.model.report import ReviewWarning
from chalicelib.x509.domains import covers
from chalicelib.x509.facts import Arrangement, BundleFacts, CertificateFacts, PublicKey, arrange
from chalicelib.x509.pem_faults import LONGEST_PEM, certificate_text, chain_text, private_key_text

LONGEST_CHAIN = 2 * 1024 * 1024
RENEW_BEFORE = timedelta(days=30)
LOOKED_AT_EVERY = timedelta(hours=12)
"""The schedule of `rotate`."""
_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384"}
_LONGEST_NAME = 80
_NEARLY = 0.8


@dataclass(frozen=True)
class Fields:
    """The fields of the request that the three texts came from."""

    certificate: str
    private_key: str
    chain: str


PEM_FIELDS = Fields("certificate.pem.certificate", "certificate.pem.private_key", "certificate.pem.chain")
SECRET_FIELDS = Fields("certificate.secret_id", "certificate.secret_id", "certificate.secret_id")
ISSUER_FIELDS = Fields("certificate.issuer", "certificate.issuer", "certificate.issuer")


@dataclass(frozen=True)
class Examination:
    """What was found; without faults IAM should take the bundle."""

    faults: tuple[Fault, ...] = ()
    warnings: tuple[ReviewWarning, ...] = ()


def examine(
    facts: BundleFacts, *, now: datetime, hostnames: Sequence[str] = (), fields: Fields = PEM_FIELDS
) -> Examination:
    """Judge a bundle: every fault at once, each with what to do about it; no message shows a key.

    `now` is aware; `hostnames` are the names that clients will use. A bundle that could not be made, for want
    of a certificate, a key or a whole chain, always has a fault.
    """
    certificate = [*certificate_text(facts.certificate)]
    private_key = [*private_key_text(facts.private_key)]
    chain = [*chain_text(facts.chain)]
    warnings: list[ReviewWarning] = []
    arrangement = arrange(facts, now)
    if arrangement is not None:
        leaf = facts.pool[arrangement.leaf]
        private_key += _pair(facts, leaf)
        certificate += [*_leaf(leaf, now), *_uncovered(leaf, hostnames)]
        chain += _chain(facts.pool, arrangement, now)
        warnings += [*_leaf_warnings(leaf), *_chain_warnings(facts.pool, arrangement)]
        warnings += _expiring(facts.pool, arrangement, now)
    faults = [
        *(Fault(fields.certificate, message) for message in certificate),
        *(Fault(fields.private_key, message) for message in private_key),
        *(Fault(fields.chain, message) for message in chain),
    ]
    return Examination(tuple(faults), tuple(warnings))


def renew_from(not_before: datetime, not_after: datetime, before: timedelta = RENEW_BEFORE) -> datetime:
    """Return when a certificate is due."""
    return not_after - time_to_renew(not_after - not_before, before)


def time_to_renew(life: timedelta, before: timedelta = RENEW_BEFORE) -> timedelta:
    """Return how long before its end a certificate is due: `before`, but at most a third of its life.

    The schedule has to look at it twice before it ends: one that lives less than three days is due earlier,
    but not in the first third of its life.
    """
    return max(min(before, life / 3), min(2 * LOOKED_AT_EVERY, 2 * life / 3))


def _pair(facts: BundleFacts, leaf: CertificateFacts) -> Iterator[str]:
    key = facts.private_key.key
    if key is None or key.public is None or key.public.digest == leaf.key.digest:
        return
    if any(issuer.key.digest == key.public.digest for issuer in facts.chain.certificates):
        yield (
            "the private key belongs to a certificate of the chain: put that one in `certificate` and the"
            " others in `chain`"
        )
    else:
        yield f"the private key does not belong to the certificate of {_name(leaf)}: paste the one that does"


def _leaf(leaf: CertificateFacts, now: datetime) -> Iterator[str]:
    if not _taken(leaf.key):
        yield (
            f"the certificate's key is {_kind(leaf.key)}, and a classic load balancer takes RSA with 1024 to"
            " 4096 bits, EC P-256 and EC P-384: have it issued for one of these"
        )
    # https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.12
    if not leaf.for_servers:
        yield (
            "the certificate's extended key usage leaves out server authentication, so every client refuses"
            " it: have it issued with serverAuth"
        )
    yield from _dates("the certificate", leaf, now, "renew it first")
    if leaf.characters > LONGEST_PEM:
        yield (
            f"the certificate has {leaf.characters} characters, IAM takes {LONGEST_PEM}: have it issued for"
            " fewer names"
        )


def _uncovered(leaf: CertificateFacts, hostnames: Sequence[str]) -> Iterator[str]:
    if leaf.domains:
        certified = f"it is for {_list(leaf.domains)}"
    else:
        certified = "it has no subject alternative names, and clients no longer look at the common name"
    for hostname in hostnames:
        if not covers(leaf.domains, hostname):
            yield (
                f"the certificate does not cover {hostname}: {certified}; have it issued for that name, or"
                " set `hostname` to one that it covers"
            )


def _chain(pool: Sequence[CertificateFacts], arrangement: Arrangement, now: datetime) -> Iterator[str]:
    if arrangement.unlinked:
        last = pool[arrangement.last]
        stray = pool[arrangement.unlinked[0]]
        yield (
            f"the chain is broken: the certificate that signed {_name(last)}, of {_short(last.issuer)}, is"
            f" missing, so that {_name(stray)} proves nothing; add the missing one or take out the others"
        )
    for issuer in (pool[number] for number in arrangement.chain):
        name = f"the chain's certificate of {_name(issuer)}"
        yield from _dates(name, issuer, now, "get a new one")
        if not (issuer.authority or issuer.self_signed):
            yield f"{name} is not one of an authority, so clients refuse what it signed: get another leaf"
        if not (issuer.for_servers or issuer.self_signed):
            yield (
                f"{name} has an extended key usage without server authentication, so clients refuse what it"
                " signed for a server: get a leaf of another authority"
            )
    characters = sum(pool[number].characters for number in arrangement.chain)
    if characters > LONGEST_CHAIN:
        yield f"the chain has {characters} characters and IAM takes {LONGEST_CHAIN}: shorten it"


def _dates(what: str, certificate: CertificateFacts, now: datetime, remedy: str) -> Iterator[str]:
    # IAM refuses what begins a minute ahead: https://github.com/aws/aws-sdk-go/issues/2586
    if now < certificate.not_before:
        yield f"{what} is not valid before {_time(certificate.not_before)}: AWS takes it only from then on"
    if now > certificate.not_after:
        yield f"{what} expired at {_time(certificate.not_after)}: {remedy}"


def _leaf_warnings(leaf: CertificateFacts) -> Iterator[ReviewWarning]:
    if leaf.self_signed:
        yield ReviewWarning(
            "self-signed",
            "the certificate signed itself: only clients that were given this very certificate accept it",
        )
    if not leaf.domains:
        yield ReviewWarning(
            "no-names",
            "the certificate has no subject alternative names: most clients accept it for no name at all,"
            " whatever its common name says",
        )
    if leaf.key.kind == "rsa" and leaf.key.bits < 2048:
        yield ReviewWarning(
            "short-key", f"the certificate's key has only {leaf.key.bits} bits: many clients want 2048"
        )
    if leaf.any_purpose:
        yield ReviewWarning(
            "not-for-servers",
            "the certificate's extended key usage says any purpose and does not name server authentication:"
            " clients that use OpenSSL refuse it, and so does the probe",
        )


def _chain_warnings(pool: Sequence[CertificateFacts], arrangement: Arrangement) -> Iterator[ReviewWarning]:
    leaf = pool[arrangement.leaf]
    if not arrangement.chain and not leaf.self_signed and leaf.issuer_published:
        yield ReviewWarning(
            "no-chain",
            f"there is no chain, but {_short(leaf.issuer)} publishes its certificate: unless clients trust it"
            " as a root they need it in `chain`",
        )
    if arrangement.reordered:
        yield ReviewWarning("chain-reordered", "the chain was out of order and was put in order")
    if arrangement.expired:
        names = _list([_name(pool[number]) for number in arrangement.expired])
        yield ReviewWarning(
            "chain-superfluous",
            f"left out of the chain, because it has expired: {names}; a client that has the authority as a"
            " root of its own does not need it, and no other client takes it",
        )
    if rest := [number for number in arrangement.superfluous if number not in arrangement.expired]:
        names = _list([_name(pool[number]) for number in rest])
        yield ReviewWarning("chain-superfluous", f"left out of the chain, where it signed nothing: {names}")


def _expiring(
    pool: Sequence[CertificateFacts], arrangement: Arrangement, now: datetime
) -> Iterator[ReviewWarning]:
    for number in (arrangement.leaf, *arrangement.chain):
        one = pool[number]
        if renew_from(one.not_before, one.not_after) <= now <= one.not_after:
            days = (one.not_after - now).days
            yield ReviewWarning(
                "expires-soon",
                f"the certificate of {_name(one)} expires at {_time(one.not_after)}, in {days} days",
            )


def _taken(key: PublicKey) -> bool:
    return 1024 <= key.bits <= 4096 if key.kind == "rsa" else key.kind == "ec" and key.curve in _CURVES


def _kind(key: PublicKey) -> str:
    match key.kind:
        case "rsa":
            return f"RSA with {key.bits} bits"
        case "rsa-pss":
            return "restricted to RSA-PSS"
        case "ec":
            return f"EC {_CURVES.get(key.curve, key.curve)}"
        case "other":
            return "neither RSA nor EC"


def _name(certificate: CertificateFacts) -> str:
    return _short(certificate.subject or ", ".join(certificate.domains) or "no name")


def _short(text: str) -> str:
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}…"


def _list(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(_short(name) for name in names[:most]) + more


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def room_for_one(used: int, quota: int) -> tuple[ReviewWarning, ...]:
    """A warning where one more server certificate nearly uses up the account's quota.

    Raises QuotaReached where there is room for none: nobody is asked to issue what cannot be uploaded.
    """
    if used >= quota:
        message = f"the account has {used} server certificates and may have {quota}: ask for more"
        raise QuotaReached("UploadServerCertificate", "LimitExceeded", message)
    if used + 1 < quota * _NEARLY:
        return ()
    message = f"this is server certificate {used + 1} of {quota} in the account: ask for more in time"
    return (ReviewWarning("certificate-quota", message),)
