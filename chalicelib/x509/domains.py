"""The names that a certificate certifies, and the names that clients ask for."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.model.load_balancer import LoadBalancerType


def covers(domains: Iterable[str], hostname: str) -> bool:
    """Whether a client that asks for `hostname` accepts a certificate whose SAN holds `domains`.

    An asterisk stands for exactly one whole label, the left-most, and what follows it has two labels at
    least, as OpenSSL wants it. An IP address is only ever covered by itself. A wildcard as the `hostname`
    is covered by the same wildcard: that is how a renewal is held against what it replaces.
    https://www.rfc-editor.org/rfc/rfc9525#section-6.3
    """
    address = address_of(hostname)
    if address is not None:
        return any(address_of(domain) == address for domain in domains)
    wanted = _normal(hostname)
    return bool(wanted) and any(_matches(_normal(domain), wanted) for domain in domains)


def same_names(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether both lists have the same names, in any order and spelling: CAs write small letters."""
    return {address_of(one) or _normal(one) for one in some} == {
        address_of(one) or _normal(one) for one in others
    }


def address_of(name: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that the text is; None for a DNS name."""
    try:
        return ip_address(name.strip("[]"))
    except ValueError:
        return None


def default_domains(
    hostname: str | None, type_: LoadBalancerType, region: str, dns_suffix: str
) -> tuple[str, ...]:
    """Return the names for a certificate of ours when the body names none.

    Without a hostname: every load balancer of that type in the region, since the load balancer's own DNS name
    is not known before it exists. `dns_suffix` is the partition's, as `amazonaws.com`.
    """
    own = {"classic": f"*.{region}.elb.{dns_suffix}", "network": f"*.elb.{region}.{dns_suffix}"}
    return (hostname or own[type_],)


def _normal(name: str) -> str:
    return name.strip().lower().removesuffix(".")


def _matches(domain: str, hostname: str) -> bool:
    if domain == hostname:
        return True
    label, _, parent = domain.partition(".")
    if label != "*" or "." not in parent or "*" in parent:
        return False
    first, _, rest = hostname.partition(".")
    return bool(first) and rest == parent
