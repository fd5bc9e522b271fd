"""What of a network load balancer speaks against a declaration, or should be known to a person."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv4Network, ip_address, ip_network

from chalicelib.model.errors import Fault
from chalicelib.model.load_balancer import TLS_IDLE_TIMEOUT, LoadBalancer, State
from chalicelib.model.report import ReviewWarning
from chalicelib.model.vpc import Rule
from chalicelib.provision.declaration import Declaration
from chalicelib.provision.facts import Facts

_WORDS = {"SSL": "TLS", "HTTPS": "TLS", "HTTP": "TCP"}


def address_faults(declaration: Declaration, facts: Facts) -> Iterator[Fault]:
    """Faults of `addresses` that AWS alone could show, for subnets that are not enabled yet."""
    there = facts.actual.load_balancer
    enabled = there.subnets if there else frozenset[str]()
    for subnet, address in declaration.addresses.items():
        field = f"addresses.{subnet}"
        if subnet in enabled:
            continue
        if address.startswith("eipalloc-"):
            if address not in facts.allocations:
                yield Fault(field, f"there is no Elastic IP {address} in this region")
            elif facts.allocations[address]:
                yield Fault(field, f"{address} is in use: name one that is free")
            continue
        network = facts.subnets[subnet].network if subnet in facts.subnets else None
        if network and ip_address(address) not in ip_network(network):
            yield Fault(field, f"{address} is not in {network}, the network of {subnet}")


def network_conflict(declaration: Declaration, facts: Facts, wanted: LoadBalancer) -> str | None:
    """Why the declaration conflicts with what exists at AWS; None when it does not."""
    there = facts.actual.load_balancer
    if there is None and facts.taken:
        return (
            "an application or gateway load balancer in the region has that name already: choose another name"
        )
    if foreign := sorted({group.name for group in wanted.target_groups.values()} & facts.foreign_groups):
        return (
            f"the target group {foreign[0]} exists and is not ours, and we need its name: delete it, or use"
            " another instance port"
        )
    if there is None:
        return None
    if not there.security_groups:
        return (
            "it was made without a security group, and AWS does not add one later: make a second load"
            " balancer under another name for the same `cluster`, and move the devices to it"
        )
    foreign_ports = {listener.port: listener.what for listener in there.foreign_listeners}
    for listener in wanted.listeners:
        if listener.port in foreign_ports:
            return (
                f"the listener on port {listener.port} {foreign_ports[listener.port]}, which this API cannot"
                " declare: delete it, or use another port"
            )
        group = there.target_groups.get(listener.instance_port)
        if group and group.protocol != listener.instance_protocol:
            return (
                f"the target group {group.name} of instance port {group.port} speaks {group.protocol}, which"
                f" AWS cannot change to {listener.instance_protocol}: use another instance port, or delete"
                " its listeners first"
            )
    for subnet, address in declaration.addresses.items():
        has = there.addresses.get(subnet, "one that AWS chose")
        if subnet in there.subnets and has != address:
            return f"{subnet} has the address {has}, which AWS cannot change to {address}: leave it out"
    return None


def network_warnings(declaration: Declaration, wanted: LoadBalancer) -> Iterator[ReviewWarning]:
    """Warn of what differs from a classic load balancer; nothing here stops the request."""
    said = [one.protocol for one in declaration.listeners] if "listeners" not in declaration.omitted else []
    if read := sorted({*said} & _WORDS.keys()):
        synonyms = ", ".join(f"{word} is read as {_WORDS[word]}" for word in read)
        yield ReviewWarning(
            "read-as",
            f"{synonyms}: a network load balancer speaks only TLS and TCP, and adds no X-Forwarded-For",
        )
    secure = [listener for listener in wanted.listeners if listener.secure]
    if secure and 1.5 * declaration.keepalive > TLS_IDLE_TIMEOUT:
        yield ReviewWarning(
            "keepalive-near-idle",
            f"a TLS listener closes a connection after {TLS_IDLE_TIMEOUT} silent seconds, sooner than a"
            f" broker gives up a client with a keepalive of {declaration.keepalive:g}: one late packet ends"
            " the session. A keepalive of 233 or less leaves room",
        )
    if wanted.proxy_protocol_ports:
        yield ReviewWarning(
            "proxy-v2",
            "a network load balancer sends version 2 of the PROXY protocol: EMQX reads both versions,"
            " mosquitto 2.0 reads none",
        )
    if wanted.cross_zone:
        yield ReviewWarning(
            "socket-reuse",
            "with `cross_zone` two connections from one address and port of a client, as a NAT makes them,"
            " can reach the same instance, and one of them fails; AWS also charges for traffic between zones",
        )


def client_networks(wanted: LoadBalancer, facts: Facts, desired: State) -> Mapping[int, Collection[str]]:
    """By instance port, the networks of the clients that an instance sees: their addresses are preserved.

    They are what the load balancer's own security groups let in; groups and prefix lists in these are not
    followed. https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html
    """
    own = {desired.group.id or desired.group.name: desired.group} if desired.group else {}
    groups = {**facts.groups, **own}
    rules = [rule for id_ in wanted.security_groups if id_ in groups for rule in groups[id_].rules]
    found: dict[int, set[str]] = {}
    for listener in wanted.listeners:
        admitted = {rule.source for rule in rules if rule.admits(listener.port) and "." in rule.source}
        found.setdefault(listener.instance_port, set()).update(admitted)
    return found


def admits_all(rule: Rule, port: int, clients: str, wanted: LoadBalancer) -> bool:
    """Whether the rule of an instance's group lets all clients of that network in."""
    if not rule.admits(port):
        return False
    if "." not in rule.source:
        return rule.source in wanted.security_groups or rule.source.startswith("pl-")
    inner, outer = ip_network(clients, strict=False), ip_network(rule.source, strict=False)
    return isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network) and inner.subnet_of(outer)
