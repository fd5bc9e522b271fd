"""Certificates of listeners: which ELB knows, which it holds on to, and how a listener shows its own."""

from __future__ import annotations

from moto.acm.models import CertBundle, acm_backends
from moto.iam.models import IAMBackend, iam_backends
from moto.utilities.utils import get_partition

from lab.fidelity.elb_state import Listener, LoadBalancer, Region, arn_of, refusal, regions_of
from lab.fidelity.knobs import KNOBS


def refuse_unknown(region: Region, arn: str) -> None:
    """Refuse with CertificateNotFound unless ELB knows the certificate."""
    if not known(region, arn):
        raise refusal("CertificateNotFound", f"Server Certificate not found for the key: {arn}")


def known(region: Region, arn: str) -> bool:
    """Say whether ELB knows the certificate: an IAM one once it has propagated, an ACM one of this region.

    https://repost.aws/knowledge-center/elb-ssl-tls-certificate-error describes the propagation.
    """
    if _acm(region, arn) is not None:
        return True
    certificate = _iam(region).get_certificate_by_arn(arn)
    if certificate is None:
        return False
    uploaded_at: float = getattr(certificate, "uploaded_at", float("-inf"))
    return KNOBS.now() - uploaded_at >= KNOBS.certificate_propagation_seconds


def shown(region: Region, listener: Listener) -> str | None:
    """Return the certificate as a listener reads: `Invalid-Certificate` when it has gone from IAM.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
    """
    arn = listener.certificate
    if arn is None or ":iam:" not in arn:
        return arn
    return arn if _iam(region).get_certificate_by_arn(arn) else "Invalid-Certificate"


def put_listener(region: Region, load_balancer: LoadBalancer, listener: Listener) -> None:
    """Keep the listener in its port's place; the one before lets its certificate go.

    ACM lists who uses a certificate:
    https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateDetail.html
    """
    take_listener(region, load_balancer, listener.port)
    load_balancer.listeners[listener.port] = listener
    bundle = _acm(region, listener.certificate)
    if bundle is not None:
        bundle.in_use_by.append(arn_of(region, load_balancer))


def take_listener(region: Region, load_balancer: LoadBalancer, port: int) -> None:
    """Take the port's listener away, if there is one; it lets its certificate go."""
    listener = load_balancer.listeners.pop(port, None)
    if listener is None or listener.certificate is None:
        return
    region.released[listener.certificate] = KNOBS.now()
    bundle = _acm(region, listener.certificate)
    if bundle is not None:
        bundle.in_use_by.remove(arn_of(region, load_balancer))


def in_use(account_id: str, arn: str) -> bool:
    """Say whether a classic load balancer of any region uses the certificate, or still holds on to it.

    The hold is `KNOBS.certificate_hold_seconds` after a listener let go.
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
    """
    return any(_uses(region, arn) for region in regions_of(account_id))


def _uses(region: Region, arn: str) -> bool:
    since = region.released.get(arn)
    if since is not None and KNOBS.now() - since < KNOBS.certificate_hold_seconds:
        return True
    return any(
        listener.certificate == arn
        for load_balancer in list(region.load_balancers.values())
        for listener in list(load_balancer.listeners.values())
    )


def _iam(region: Region) -> IAMBackend:
    return iam_backends[region.account_id][get_partition(region.name)]


def _acm(region: Region, arn: str | None) -> CertBundle | None:
    if arn is None or ":acm:" not in arn:
        return None
    return acm_backends[region.account_id][region.name]._certificates.get(arn)  # noqa: SLF001 - moto's look-up raises
