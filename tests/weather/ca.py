"""An ACME CA in this process, in the place of the requests to one. It believes every proof, issues at once.

Only what `acme/order.py` asks of the protocol is answered. What is real are the calls to AWS: the account's
key in Secrets Manager, the records in Route 53, the upload.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from chalicelib.acme import order
from chalicelib.acme.messages import Authorization, Order
from chalicelib.acme.records import Challenge
from tests.world.certificates import authority


@dataclass
class Ca:
    """It stands where `chalicelib/acme/messages.py` does; a connection with it is nothing."""

    domains: Sequence[str] = ()
    proven: set[str] = field(default_factory=set)
    issued: str | None = None
    retry_after: datetime | None = None

    def close(self) -> None:
        """Close the connection."""

    def sign_in(self, _ca: object, _contact: str, _bound_to: object) -> None:
        """Know every account."""

    def new_order(self, _ca: object, domains: Sequence[str], _replaces: str | None) -> Order:
        """Take an order."""
        self.domains, self.proven, self.issued = domains, set(), None
        return self._order()

    def authorization(self, _ca: object, url: str) -> Authorization:
        """Say what is to be shown for a name, which is its URL."""
        if url in self.proven:
            return Authorization(url, "valid", None, "")
        return Authorization(url, "pending", Challenge(url, f"what-is-to-be-shown-for-{len(url)}"), url)

    def answer_challenge(self, _ca: object, authorization: Authorization) -> None:
        """Believe it."""
        self.proven.add(authorization.answer_to)

    def order_now(self, _ca: object, _order: Order) -> Order:
        """Say how far the order has come."""
        return self._order()

    def finalize(self, _ca: object, _order: Order, request: bytes) -> None:
        """Issue what is asked for."""
        asked, root = x509.load_pem_x509_csr(request), authority()
        assert isinstance(root.key, RSAPrivateKey)
        now = datetime.now(UTC)
        names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(root.certificate.subject)
            .public_key(asked.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=90))
            .add_extension(names, critical=True)
            .sign(root.key, SHA256())
        )
        self.issued = made.public_bytes(Encoding.PEM).decode()

    def certificate(self, _ca: object, url: str) -> str:
        """Return the certificate, which is its URL."""
        return url

    def _order(self) -> Order:
        ready = self.proven >= {*self.domains}
        status: Any = "valid" if self.issued else "ready" if ready else "pending"
        return Order("order", status, (*self.domains,), "finalize", self.issued)


def certify() -> None:
    """Let this process order from a CA of its own, until it ends."""
    ca = Ca()
    vars(order).update(acme=ca, connect_to_ca=lambda *_: ca)
