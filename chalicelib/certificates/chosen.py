"""The certificate that a declaration leads to: existing, to be uploaded, to be ordered, or unusable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from chalicelib.model.errors import Fault
from chalicelib.model.load_balancer import Certificate
from chalicelib.model.names import ACME
from chalicelib.model.report import ReviewWarning
from chalicelib.x509.pem import Authority, Bundle, KeyMaterial

TO_BE_ORDERED = "to-be-ordered"
"""Stands in a wanted listener where the ARN of an ordered certificate will be. No answer shows it."""


@dataclass(frozen=True, kw_only=True)
class Existing:
    """A certificate that is at AWS. `source` is the text of the tag `emq-elb:certificate`."""

    certificate: Certificate
    source: str
    warnings: tuple[ReviewWarning, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ToUpload:
    """A certificate that IAM does not have yet.

    `certificate` is as it will be; its name stands for its ARN. `authority` is the new private CA that signed
    it and has to be kept first. `unmarked` is the private CA where its certificate does not stand apart from
    its key yet.
    """

    certificate: Certificate
    source: str
    bundle: Bundle
    authority: Authority | None = None
    unmarked: Authority | None = None
    warnings: tuple[ReviewWarning, ...] = ()

    @property
    def material(self) -> KeyMaterial:
        """The keys that the actions of its plan need and do not hold."""
        return KeyMaterial(bundle=self.bundle, source=self.source, authority=self.authority or self.unmarked)


@dataclass(frozen=True, kw_only=True)
class ToOrder:
    """A certificate for these names that the ACME CA has to issue first."""

    domains: tuple[str, ...]
    warnings: tuple[ReviewWarning, ...] = ()

    @property
    def source(self) -> str:
        """The text of the tag `emq-elb:certificate`."""
        return ACME


@dataclass(frozen=True, kw_only=True)
class Unusable:
    """No certificate: the faults say why."""

    faults: tuple[Fault, ...]


Chosen = Existing | ToUpload | ToOrder | Unusable


def reference(chosen: Chosen) -> str | None:
    """What a wanted listener names: the ARN, or what stands for it until AWS has given one."""
    match chosen:
        case Existing(certificate=certificate) | ToUpload(certificate=certificate):
            return certificate.arn
        case ToOrder():
            return TO_BE_ORDERED
        case Unusable():
            return None
        case _:
            assert_never(chosen)


def source_of(chosen: Chosen) -> str | None:
    """The text of the tag `emq-elb:certificate`; None for one that cannot be used."""
    return None if isinstance(chosen, Unusable) else chosen.source
