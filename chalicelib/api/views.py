"""A load balancer, a list of them, and a report as JSON values, in the words of PUT's body.

What `view_json` returns can be sent back as PUT's body and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import assert_never

from chalicelib.api.wording import DRAINING
from chalicelib.dns.plan import ADDRESS_TYPES, described, strays
from chalicelib.model.dns_options import DnsOptions, read_dns_tag
from chalicelib.model.load_balancer import (
    TCP_PROTOCOLS,
    CustomPolicy,
    Listener,
    LoadBalancer,
    Member,
    PredefinedPolicy,
    SslPolicy,
    keepalive_of,
    longest_idle_timeout,
)
from chalicelib.model.members import Members, read_members_tag
from chalicelib.model.moments import rfc3339
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    DNS_TAG,
    MEMBERS_TAG,
    PENDING_TAG,
    PROBE_TAG,
    certificate_home,
)
from chalicelib.model.probe_options import ProbeOptions, read_probe_tag
from chalicelib.model.report import Report, View
from chalicelib.model.route53 import RecordSet
from chalicelib.model.same_name import two_of_one_name
from chalicelib.model.syntax import SOURCE_PATTERN, cidr_fault, matches
from chalicelib.model.unmanaged import shown_policy, unmanaged
from chalicelib.model.user_tags import shown_tags
from chalicelib.model.vpc import SecurityGroup

Json = dict[str, object]


def view_json(view: View) -> Json:
    """Return one load balancer as GET shows it; a field without a value is left out.

    Listeners are in the order of their ports. Where listeners differ in a field that the body has only once
    (certificate, SSL policy), the secure listener with the lowest port decides, and `unmanaged` names the
    others.
    """
    balancer = view.load_balancer
    listeners = _by_port(balancer)
    shown: Json = {
        **_identity(balancer),
        "subnets": sorted(balancer.subnets),
        "listeners": [_listener_json(listener) for listener in listeners],
        **_certificate_json(view),
        **_policy_json(balancer),
        **_admission_json(view),
        "health_check": {
            "target": balancer.health_check.target,
            "interval": balancer.health_check.interval,
            "timeout": balancer.health_check.timeout,
            "unhealthy_threshold": balancer.health_check.unhealthy_threshold,
            "healthy_threshold": balancer.health_check.healthy_threshold,
        },
        **_keepalive_json(balancer),
        "connection_draining": balancer.connection_draining,
        "cross_zone": balancer.cross_zone,
        "proxy_protocol": _proxy_protocol(balancer),
    }
    if balancer.addresses:
        shown["addresses"] = dict(sorted(balancer.addresses.items()))
    if (logs := balancer.access_logs) is not None:
        interval = {} if logs.interval is None else {"interval": logs.interval}
        shown["access_logs"] = {"bucket": logs.bucket, "prefix": logs.prefix, **interval}
    shown["instances"] = [
        _member_json(member) for member in sorted(view.members, key=lambda member: member.id)
    ]
    members = read_members_tag(balancer.tags.get(MEMBERS_TAG)) or Members()
    if named := {kind: list(names) for kind, names in vars(members).items() if names}:
        shown["members"] = named
    if balancer.hostname is not None:
        shown["hostname"] = balancer.hostname
        if (dns := read_dns_tag(balancer.tags.get(DNS_TAG))) is not None:
            shown["dns"] = _dns_json(dns, view)
    shown["probe"] = _probe_json(read_probe_tag(balancer.tags.get(PROBE_TAG)))
    shown["tags"] = shown_tags(balancer.tags)
    if sentences := (*unmanaged(balancer), *_elsewhere(view), *_of_two(view)):
        shown["unmanaged"] = list(sentences)
    return shown


def list_json(balancers: Iterable[LoadBalancer]) -> Json:
    """Return load balancers in short, by name: as a listing and tags show them."""
    return {
        "load_balancers": [
            {
                **_identity(balancer),
                # Of a network one a listing has neither.
                **({} if balancer.arn else _listed(balancer)),
            }
            for balancer in sorted(balancers, key=lambda balancer: balancer.name)
        ]
    }


def _listed(balancer: LoadBalancer) -> Json:
    return {
        "listeners": [_listener_json(listener) for listener in _by_port(balancer)],
        "instances": sorted(balancer.instances),
    }


def report_json(report: Report) -> Json:
    """Return the answer of PUT and DELETE; `load_balancer` is null where none exists (any more)."""
    return {
        "name": report.name,
        "dns_name": None if report.view is None else report.view.load_balancer.dns_name,
        "state": report.state,
        "changed": report.changed,
        "actions": [{"action": step.action, "reason": step.reason, **step.fields} for step in report.steps],
        "warnings": [{"code": warning.code, "message": warning.message} for warning in report.warnings],
        "load_balancer": None if report.view is None else view_json(report.view),
    }


def _identity(balancer: LoadBalancer) -> Json:
    return {
        "name": balancer.name,
        "type": balancer.type,
        **({} if balancer.dns_name is None else {"dns_name": balancer.dns_name}),
        "state": "pending" if PENDING_TAG in balancer.tags else "ready",
        "cluster": balancer.cluster,
        "scheme": balancer.scheme,
    }


def _keepalive_json(balancer: LoadBalancer) -> Json:
    """The keepalive that the idle timeout bears; nothing where no idle timeout can be set."""
    if not balancer.idle_timeout:
        return {}
    return {"keepalive": keepalive_of(min(balancer.idle_timeout, longest_idle_timeout(balancer)))}


def _by_port(balancer: LoadBalancer) -> list[Listener]:
    return sorted(balancer.listeners, key=lambda listener: listener.port)


def _listener_json(listener: Listener) -> Json:
    return {
        "protocol": listener.protocol,
        "port": listener.port,
        "instance_protocol": listener.instance_protocol,
        "instance_port": listener.instance_port,
    }


def _certificate_json(view: View) -> Json:
    """The certificate as it is, or in a dry run as it will be: it has no ARN before it is at AWS."""
    named = [listener.certificate for listener in _by_port(view.load_balancer) if listener.certificate]
    if not named:
        return {}
    shown: Json = {} if certificate_home(named[0]) is None else {"arn": named[0]}
    source = view.load_balancer.tags.get(CERTIFICATE_TAG)
    if source is not None and matches(SOURCE_PATTERN, source):
        shown["source"] = source
    if (certificate := view.certificate) is not None and certificate.arn == named[0]:
        shown["not_after"] = rfc3339(certificate.not_after)
        # Rounded down: a certificate with "0" has less than a day, one below 0 has expired.
        shown["days_left"] = (certificate.not_after - view.now) // timedelta(days=1)
        shown["domains"] = list(certificate.domains)
    return {"certificate": shown}


def _policy_json(balancer: LoadBalancer) -> Json:
    """The policy as it is; null where a body cannot say it, or there is none."""
    if not any(listener.secure for listener in balancer.listeners):
        return {}
    policy = shown_policy(balancer)
    return {"ssl_policy": _ssl_policy(policy) if policy else None}


def _ssl_policy(policy: SslPolicy) -> object:
    match policy:
        case PredefinedPolicy(name=name):
            return name
        case CustomPolicy():
            return {
                "protocols": sorted(policy.protocols),
                "ciphers": sorted(policy.ciphers),
                "server_defined_order": policy.server_defined_order,
            }
        case _:
            assert_never(policy)


def _admission_json(view: View) -> Json:
    attached = view.load_balancer.security_groups
    # In a dry run its name stands for the id of a group that is not made yet.
    if view.group is None or attached != {view.group.id or view.group.name}:
        return {"security_groups": sorted(attached)}
    ports = {True: set[int](), False: set[int]()}
    for listener in view.load_balancer.listeners:
        ports[listener.secure].add(listener.port)
    # Where there is no such listener there is nothing to let anybody reach, and the default means the same.
    return {
        "allow": {
            **({"mqtt": _admitted(view.group, ports[True])} if ports[True] else {}),
            **({"dashboard": _admitted(view.group, ports[False])} if ports[False] else {}),
        }
    }


def _admitted(group: SecurityGroup, ports: Iterable[int]) -> list[str]:
    """The networks that reach every one of the ports; a hand-made rule for one port only is left out."""
    admitted = [{rule.source for rule in group.rules if rule.admits(port)} for port in ports]
    return sorted(source for source in set.intersection(*admitted) if cidr_fault(source) is None)


def _proxy_protocol(balancer: LoadBalancer) -> bool | list[int]:
    backs = {listener.instance_port for listener in balancer.listeners if listener.protocol in TCP_PROTOCOLS}
    if backs and backs <= balancer.proxy_protocol_ports:
        return True
    return sorted(balancer.proxy_protocol_ports) or False


def _member_json(member: Member) -> Json:
    reason = "" if member.description in {"", "N/A"} else member.description
    return {"id": member.id, "state": DRAINING if member.draining else member.state, "reason": reason}


def _dns_json(dns: DnsOptions, view: View) -> Json:
    weight = {} if dns.weight is None else {"weight": dns.weight}
    answers = {} if view.records is None else {"answers": sorted(_answers(view.records))}
    return {"zone_ids": list(dns.zone_ids), **weight, **answers}


def _answers(records: Iterable[RecordSet]) -> set[str]:
    return {target for one in records if one.type in ADDRESS_TYPES for target in one.leads_to}


def _elsewhere(view: View) -> Iterator[str]:
    """Say of a record that somebody else changed that it is left alone."""
    balancer = view.load_balancer
    stray = strays(balancer.name, balancer.dns_name or "", view.records or ())
    if stray is not None:
        yield f"{described(stray)} does not lead to this load balancer: somebody else changed it"


def _of_two(view: View) -> Iterator[str]:
    """Say that this is one of two of its name."""
    if view.same_name:
        yield f"{two_of_one_name(view.load_balancer.name)}; until then PUT and DELETE refuse the name"


def _probe_json(probe: ProbeOptions) -> Json:
    optional = {
        "enabled": probe.enabled,
        "credentials_secret_id": probe.credentials_secret_id,
        "plain_credentials": probe.plain_credentials or None,
        "ca_secret_id": probe.ca_secret_id,
    }
    return {
        "qos": probe.qos,
        "protocol": probe.protocol,
        **{key: value for key, value in optional.items() if value is not None},
    }
