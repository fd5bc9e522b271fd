"""What bounds a deployment: instance ports, VPCs and names beyond which no body may reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """An empty set is no bound. `domains` are names in small letters; each stands for all below it too."""

    instance_ports: frozenset[int] = frozenset()
    vpcs: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    adoption: bool = True

    def port(self, port: int) -> bool:
        """Return whether a listener may lead to that port of an instance."""
        return not self.instance_ports or port in self.instance_ports

    def vpc(self, vpc: str) -> bool:
        """Return whether a load balancer may be in that VPC."""
        return not self.vpcs or vpc in self.vpcs

    def beyond(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the names that are neither a domain nor below one; a wildcard is below its parent."""
        return tuple(name for name in names if self.domains and not self._below(name))

    def _below(self, name: str) -> bool:
        normal = name.strip().lower().removesuffix(".").removeprefix("*.")
        return any(normal == domain or normal.endswith(f".{domain}") for domain in self.domains)
