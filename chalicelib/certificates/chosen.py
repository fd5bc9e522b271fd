"""The certificate that a declaration or a renewal leads to: one that exists, or one to upload or to order."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.model.errors import Fault
from chalicelib.model.load_balancer import Certificate
from chalicelib.model.report import ReviewWarning
from chalicelib.x509.pem import Authority, Bundle, KeyMaterial


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The certificate that a declaration leads to.

    `reference` is its ARN, or its name while it is not uploaded; `source` the text of the tag
    `emq-elb:certificate`. `bundle` is what to upload, `authority` the new private CA to keep first, both only
    where needed. `order` are the domains of a certificate that is still to be ordered: its source stands for
    its ARN until then.
    """

    reference: str
    source: str
    certificate: Certificate | None = None
    bundle: Bundle | None = None
    authority: Authority | None = None
    order: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    warnings: tuple[ReviewWarning, ...] = ()

    @property
    def material(self) -> KeyMaterial:
        """What the actions of its plan need and do not hold."""
        return KeyMaterial(bundle=self.bundle, source=self.source, authority=self.authority)
