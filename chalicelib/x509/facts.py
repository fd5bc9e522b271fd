"""What the PEM texts of a certificate, its key and its chain hold, and the order that they make.

`x509/read.py` reads; `x509/preflight.py` judges. Nothing in here holds any part of a private key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from chalicelib.model.errors import Fault, InvalidRequest
from chalicelib.x509.pem import GivenPem

MOST_CERTIFICATES = 16
"""In one text. Chains in use have two to four. More are a whole trust store, and cost time."""


@dataclass(frozen=True, kw_only=True)
class PublicKey:
    """The public half of a key. `curve` is the SEC name (`secp256r1`), empty unless `kind` is `ec`.

    One of `rsa-pss` may be used for RSA-PSS signatures alone. `digest` is the SHA-256 of its
    SubjectPublicKeyInfo, with the algorithm of plain RSA for `rsa-pss` too: equal digests are equal numbers.
    """

    kind: Literal["rsa", "rsa-pss", "ec", "other"]
    bits: int
    curve: str = ""
    digest: str


@dataclass(frozen=True, kw_only=True)
class CertificateFacts:
    """One certificate.

    `subject` and `issuer` are distinguished names for people to read; `names` the DNS names and `addresses`
    the IP addresses of its SAN. `self_signed` is verified, not guessed from the names. `for_servers` is what
    its extended key usage says, True without one; `any_purpose` whether that says no more than "any", which
    some clients do not take for servers; `issuer_published` whether it says where its issuer's certificate
    can be fetched, as those of public authorities do. `characters` is its length as PEM.
    """

    subject: str
    issuer: str
    digest: str
    key: PublicKey
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    common_name: str | None = None
    authority: bool = False
    self_signed: bool = False
    for_servers: bool = True
    any_purpose: bool = False
    issuer_published: bool = False
    characters: int = 0

    @property
    def domains(self) -> tuple[str, ...]:
        """Every name that it certifies, DNS names first."""
        return (*self.names, *self.addresses)


@dataclass(frozen=True, kw_only=True)
class KeyFacts:
    """One private key; `public` is None when it could not be read. `characters` is its length as PEM."""

    public: PublicKey | None = None
    encrypted: bool = False
    characters: int = 0


@dataclass(frozen=True, kw_only=True)
class TextFacts:
    """One of the three texts.

    `certificates` are the readable ones of the `certificate_blocks`, and `places` their places among these;
    no certificate is read when the text has more than `MOST_CERTIFICATES`. `unreadable` names, for each of
    the others, the part that cannot be read, None for a block that is no certificate. `key` is the first of
    the `key_blocks`. `others` are the labels of all other blocks; `torn` is a BEGIN without its END;
    `escaped` means line breaks written as the two characters backslash and n.
    """

    blank: bool = False
    certificates: tuple[CertificateFacts, ...] = ()
    places: tuple[int, ...] = ()
    certificate_blocks: int = 0
    unreadable: Mapping[int, str | None] = field(default_factory=dict)
    key: KeyFacts | None = None
    key_blocks: int = 0
    others: tuple[str, ...] = ()
    torn: bool = False
    escaped: bool = False


@dataclass(frozen=True, kw_only=True)
class BundleFacts:
    """All three texts. `links` holds (n, m) where number m of `pool` verifiably signed number n."""

    certificate: TextFacts
    private_key: TextFacts
    chain: TextFacts
    links: frozenset[tuple[int, int]] = frozenset()

    @property
    def pool(self) -> tuple[CertificateFacts, ...]:
        """The certificates of both texts: the certificate's first, then the chain's."""
        return (*self.certificate.certificates, *self.chain.certificates)


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """Which certificate is the leaf and which are its chain, issuer first, as numbers of the pool.

    `superfluous` have no place in the chain and do no harm by being left out. `unlinked` have none because a
    certificate between them and the chain is missing: such a chain cannot be sent. `expired` are those of the
    superfluous that signed one of the chain, and have expired.
    """

    leaf: int
    chain: tuple[int, ...] = ()
    superfluous: tuple[int, ...] = ()
    expired: tuple[int, ...] = ()
    unlinked: tuple[int, ...] = ()
    reordered: bool = False

    @property
    def last(self) -> int:
        """The last one that has its place: its signer is missing, unless it signed itself."""
        return self.chain[-1] if self.chain else self.leaf


def arrange(facts: BundleFacts, now: datetime | None = None) -> Arrangement | None:
    """Find the leaf, and walk from it from issuer to issuer; None when there is no certificate.

    The leaf is the certificate that the key belongs to, else the first. Of several issuers that would do (one
    authority, cross-signed) the next in the given order is taken that has not expired. Where all of them have
    expired, the chain ends below them: only clients that have the authority as a root of their own go on, and
    these do not need them. An expired intermediate that signed the leaf itself stays: it is a fault. The leaf
    itself and certificates given twice are left out of the chain. A root at the end is kept when it was
    given: it does no harm on the wire, and the probe trusts it.
    """
    if not facts.certificate.certificates:
        return None
    pool = facts.pool
    leaf = _leaf(facts)
    first_of: dict[str, int] = {pool[leaf].digest: leaf}
    for number, certificate in enumerate(pool):
        first_of.setdefault(certificate.digest, number)
    left = sorted(number for number in first_of.values() if number != leaf)

    given = tuple(left)
    chain: list[int] = []
    expired: tuple[int, ...] = ()
    at = leaf
    while not pool[at].self_signed:
        issuers = [number for number in left if (at, number) in facts.links]
        valid = [number for number in issuers if now is None or now <= pool[number].not_after]
        if not valid and (chain or all(pool[number].self_signed for number in issuers)):
            expired = tuple(issuers)
        if not issuers or expired:
            break
        issuers = valid or issuers
        at = next((number for number in issuers if number > at), issuers[0])
        left.remove(at)
        chain.append(at)

    complete = pool[at].self_signed or bool(expired)
    placed = {(pool[number].subject, pool[number].key.digest) for number in chain}
    superfluous = tuple(
        number for number in left if complete or (pool[number].subject, pool[number].key.digest) in placed
    )
    unlinked = tuple(number for number in left if number not in superfluous)
    return Arrangement(
        leaf=leaf,
        chain=tuple(chain),
        superfluous=superfluous,
        expired=expired,
        unlinked=unlinked,
        reordered=tuple(number for number in given if number in chain) != tuple(chain),
    )


def given_in_secret(value: Mapping[str, str], *, field: str = "certificate.secret_id") -> GivenPem:
    """Return the texts of a secret with `private_key` and `certificate` or `fullchain`, and maybe `chain`.

    InvalidRequest names the missing keys; any other key of the secret is ignored.
    """
    certificate = value.get("certificate") or value.get("fullchain")
    private_key = value.get("private_key")
    lacking = [
        *([] if certificate else ["`certificate` (or `fullchain`)"]),
        *([] if private_key else ["`private_key`"]),
    ]
    if not certificate or not private_key:
        raise InvalidRequest(
            [Fault(field, f"the secret has no {' and no '.join(lacking)}: add it as PEM text")]
        )
    return GivenPem(certificate, private_key, value.get("chain", ""))


def _leaf(facts: BundleFacts) -> int:
    key = facts.private_key.key
    if key is not None and key.public is not None:
        for number, certificate in enumerate(facts.certificate.certificates):
            if certificate.key.digest == key.public.digest:
                return number
    return 0


@dataclass(frozen=True)
class AuthorityFacts:
    """A private CA: the identifier that its leaves name as their issuer's key, and its end."""

    key_id: str
    not_after: datetime
