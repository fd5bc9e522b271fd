"""X.509 and PEM: from texts to facts, and to a bundle that IAM takes.

What is wrong is for `x509/preflight.py` to say: whatever the texts hold, reading them raises nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chalicelib.model.errors import InvalidRequest
from chalicelib.model.load_balancer import Certificate, Leaf
from chalicelib.model.report import ReviewWarning
from chalicelib.x509 import pem
from chalicelib.x509.facts import MOST_CERTIFICATES, AuthorityFacts, BundleFacts, TextFacts, arrange
from chalicelib.x509.parse import (
    ReadCertificate,
    ReadKey,
    describe_leaf,
    own_key,
    parse_certificate,
    read_private_key,
    signed,
    unreadable_part,
)
from chalicelib.x509.pem import Bundle, GivenPem, certificate_digest
from chalicelib.x509.preflight import PEM_FIELDS, Fields, examine


def checked(
    given: GivenPem, *, now: datetime, hostnames: Sequence[str] = (), fields: Fields = PEM_FIELDS
) -> tuple[Bundle, tuple[ReviewWarning, ...]]:
    """Read and examine; return what to upload and the warnings, or raise InvalidRequest with every fault."""
    facts, bundle = read_pem(given.certificate, given.private_key, given.chain, now=now)
    found = examine(facts, now=now, hostnames=hostnames, fields=fields)
    if found.faults or bundle is None:
        raise InvalidRequest(found.faults)
    return bundle, found.warnings


def read_pem(
    certificate: str, private_key: str, chain: str, *, now: datetime | None = None
) -> tuple[BundleFacts, Bundle | None]:
    """Read three PEM texts; the bundle is None when they hold no leaf, no usable key or a broken chain.

    In the bundle are the PEM blocks alone: the leaf; the key as PKCS #1 or SEC 1, the forms that IAM takes
    most surely; the chain in order, without the leaf and without what has expired and is not needed `now`.
    """
    leaf_text = pem.parse(certificate)
    key_text = pem.parse(private_key)
    chain_text = pem.parse(chain)
    leaves, issuers = _certificates(leaf_text), _certificates(chain_text)
    first_key = next((block for block in key_text.blocks if block.is_private_key), None)
    key = None if first_key is None else read_private_key(first_key)
    pool = [*leaves.values(), *issuers.values()]
    facts = BundleFacts(
        certificate=_text_facts(certificate, leaf_text, leaves),
        private_key=_text_facts(private_key, key_text, {}, key),
        chain=_text_facts(chain, chain_text, issuers),
        links=frozenset(
            (issued, issuer)
            for issued in range(len(pool))
            for issuer in range(len(pool))
            if signed(pool[issued], pool[issuer])
        ),
    )
    return facts, _bundle(facts, pool, key, now)


def certificates_alone(text: str) -> str:
    """Return the certificates of a PEM text encoded anew, and nothing else that the text holds."""
    readable = _certificates(pem.parse(text)).values()
    return "".join(pem.encode(pem.CERTIFICATE_LABEL, one.der) for one in readable)


def to_be(bundle: Bundle, *, name: str, path: str) -> Certificate:
    """The server certificate that a bundle will be at AWS; until then its name stands for its ARN."""
    leaf = read_leaf(bundle.certificate, bundle.chain)
    if leaf is None:
        raise ValueError("a bundle that was just made cannot be read")
    return Certificate(arn=name, not_after=leaf.not_after, leaf=leaf, name=name, path=path)


def read_leaf(certificate: str, chain: str) -> Leaf | None:
    """Read a certificate that IAM gave back; None when it cannot be read."""
    leaf = _first(certificate)
    return describe_leaf(leaf, certificate_digest(certificate, chain)) if leaf else None


def describe_authority(certificate: str) -> AuthorityFacts | None:
    """Describe the first certificate of a text as the issuer of others; None when it cannot be read."""
    found = _first(certificate)
    return AuthorityFacts(own_key(found.parsed), found.facts.not_after) if found else None


def _first(text: str) -> ReadCertificate | None:
    """The first certificate of a text that can be read; None when there is none."""
    return next(iter(_certificates(pem.parse(text)).values()), None)


def _text_facts(
    text: str, parsed: pem.Text, certificates: dict[int, ReadCertificate], key: ReadKey | None = None
) -> TextFacts:
    blocks = [block for block in parsed.blocks if block.is_certificate]
    return TextFacts(
        blank=not text.strip(),
        certificates=tuple(one.facts for one in certificates.values()),
        places=tuple(certificates),
        certificate_blocks=len(blocks),
        unreadable={
            place: unreadable_part(block.der)
            for place, block in enumerate(blocks)
            if block.der and place not in certificates and len(blocks) <= MOST_CERTIFICATES
        },
        key=None if key is None else key.facts,
        key_blocks=sum(block.is_private_key for block in parsed.blocks),
        others=tuple(
            block.label for block in parsed.blocks if not (block.is_certificate or block.is_private_key)
        ),
        torn=parsed.torn,
        escaped="\\n" in text and not any(block.der for block in parsed.blocks),
    )


def _certificates(text: pem.Text) -> dict[int, ReadCertificate]:
    """Return the certificates that can be read by their places; none when there are too many."""
    blocks = [block for block in text.blocks if block.is_certificate]
    if len(blocks) > MOST_CERTIFICATES:
        return {}
    found = {place: parse_certificate(block.der) for place, block in enumerate(blocks) if block.der}
    return {place: one for place, one in found.items() if one is not None}


def _bundle(
    facts: BundleFacts, pool: Sequence[ReadCertificate], key: ReadKey | None, now: datetime | None
) -> Bundle | None:
    arrangement = arrange(facts, now)
    if arrangement is None or arrangement.unlinked or key is None or key.text is None:
        return None
    if facts.private_key.key_blocks > 1:
        return None
    texts = [pem.encode(pem.CERTIFICATE_LABEL, one.der) for one in pool]
    return Bundle(
        certificate=texts[arrangement.leaf],
        private_key=key.text,
        chain="".join(texts[number] for number in arrangement.chain),
    )
