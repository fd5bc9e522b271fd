"""What neither the health check nor the probe will see, as warnings of the review."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, collapse_addresses, ip_network

from chalicelib.model.load_balancer import LoadBalancer, State
from chalicelib.model.names import PROBE_TAG
from chalicelib.model.probe_options import read_probe_tag
from chalicelib.model.report import ReviewWarning
from chalicelib.model.vpc import Rule
from chalicelib.probe.plan import enabled, targets
from chalicelib.provision.facts import Facts

_EVERYONE = IPv4Network("0.0.0.0/0")


def blind_spots(wanted: LoadBalancer, desired: State, facts: Facts) -> Iterator[ReviewWarning]:
    """Warn of a health check that a frozen broker passes, and of security groups that keep the probe out."""
    check = wanted.health_check.target
    if check.startswith(("TCP:", "SSL:")):
        yield ReviewWarning(
            "health-check-blind",
            f"a broker that is frozen passes the health check {check}: name its status page, HTTP:8081/status"
            " for EMQX 4.x, HTTP:18083/status for 5.x and 6.x, and let the load balancer reach that port",
        )
    yield from _withheld(wanted)
    ports = _blocked(wanted, desired, facts)
    if ports:
        yield ReviewWarning(
            "probe-blocked",
            f"the probe reaches port {' and '.join(map(str, ports))} only from an address that the security"
            " groups admit, and Lambda's addresses are any of AWS's: put the functions `probe`, `deep_probe`"
            " and `rotate` into a VPC behind a NAT gateway and admit its address (docs/deploy.md), or set"
            " `probe.enabled` to false",
        )


def _withheld(wanted: LoadBalancer) -> Iterator[ReviewWarning]:
    """Warn of listeners to which the probe does not send its password."""
    options = read_probe_tag(wanted.tags.get(PROBE_TAG))
    if not (options.credentials_secret_id and enabled(wanted)):
        return
    plain = sorted(target.port for target in targets(wanted) if not target.secure)
    if plain and not options.plain_credentials:
        yield ReviewWarning(
            "credentials-withheld",
            f"the probe does not send its password to port {' and '.join(map(str, plain))}, which is not"
            " encrypted, so that it fails there (`plain-credentials`): take the listener away, or set"
            " `probe.plain_credentials`",
        )


def _blocked(wanted: LoadBalancer, desired: State, facts: Facts) -> list[int]:
    """The ports to be probed that the groups do not open to everybody; none where a group is not known."""
    if wanted.scheme != "internet-facing" or not enabled(wanted):
        return []
    groups = dict(facts.groups)
    if desired.group:
        groups[desired.group.id or desired.group.name] = desired.group
    if not wanted.security_groups <= groups.keys():
        return []
    rules = [rule for id_ in wanted.security_groups for rule in groups[id_].rules]
    return sorted(target.port for target in targets(wanted) if not _open(rules, target.port))


def _open(rules: Iterable[Rule], port: int) -> bool:
    """Whether the rules together let every IPv4 address reach the port."""
    networks = []
    for rule in rules:
        if not rule.admits(port):
            continue
        if rule.source.startswith("pl-"):
            return True  # which addresses a prefix list holds is not known here
        if not rule.source.startswith("sg-"):
            network = ip_network(rule.source, strict=False)
            networks += [network] if isinstance(network, IPv4Network) else []
    return [*collapse_addresses(networks)] == [_EVERYONE]
