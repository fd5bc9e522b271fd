"""What a TLS handshake with one address showed: a value, whether it went well or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from chalicelib.model.load_balancer import Leaf

HandshakeCause = Literal[
    "tcp-refused",  # nobody listens
    "tcp-timeout",  # nobody answers: filtered, or gone
    "tcp-unreachable",  # no way to that address
    "tls-timeout",  # it took the connection and said nothing
    "tls-closed",  # it hung up, or reset, or sent an alert, in the middle of the handshake
    "tls-garbage",  # it answered, and not in TLS
    "tls-protocol",  # no TLS version in common
    "tls-cipher",  # no cipher in common
    "tls-expired",
    "tls-not-yet-valid",
    "tls-name",  # its certificate is for other names
    "tls-untrusted",  # signed by nobody that is trusted
    "tls-invalid",  # the certificate, or one that signed it, has a flaw of another kind
]

UNVERIFIED_CAUSES: frozenset[HandshakeCause] = frozenset(
    {"tls-expired", "tls-not-yet-valid", "tls-name", "tls-untrusted", "tls-invalid"}
)
"""Those where a certificate was served and refused by us."""


@dataclass(frozen=True)
class Trust:
    """Whose signature is enough: `anchors` are PEM texts, of authorities or of the very certificate.

    `system` adds the roots of the machine. An intermediate as an anchor is enough too: who signed it may be
    known to the devices only.
    """

    anchors: tuple[str, ...] = ()
    system: bool = True


@dataclass(frozen=True, kw_only=True)
class Served:
    """The certificate on the wire, with the digest over all that came.

    `chain_not_after` is the first end among those that came with it and belong to the path that verified; of
    all that came, where nothing was verified; None when there are none. `root` is the last that came, as PEM,
    where it signed itself.
    """

    leaf: Leaf
    chain_not_after: datetime | None = None
    root: str | None = None

    @property
    def ends(self) -> datetime:
        """When devices begin to refuse it: its own end or an issuer's, whichever is first."""
        end = self.leaf.not_after
        return min(end, self.chain_not_after or end)


@dataclass(frozen=True, kw_only=True)
class Handshake:
    """One handshake: `cause` is None when it was completed and the certificate verified.

    `served` is there whenever a certificate was seen, verified or not; `version` and `cipher` are OpenSSL's
    names; times are milliseconds, None for a phase that was not completed.
    """

    address: str
    port: int
    cause: HandshakeCause | None = None
    detail: str = ""
    served: Served | None = None
    version: str | None = None
    cipher: str | None = None
    tcp_ms: float | None = None
    tls_ms: float | None = None

    @property
    def verified(self) -> bool:
        """Whether a client that trusts the same would have gone on."""
        return self.cause is None
