"""The part of the plan that is about listeners: their certificates, their policies, and those behind them.

desired  actual           listener of one port
-------  ---------------  --------------------------------------------------------------------------
-        there            DeleteLoadBalancerListeners
there    -                CreateLoadBalancerListeners, then its policy if AWS's default is another
there    other wiring     both; AWS cannot change protocols and instance port in place
there    same wiring      SetLoadBalancerListenerSSLCertificate and SetLoadBalancerPoliciesOfListener

What is new on a port of its own is there before what is not wanted goes: a listener that moves to another
port leaves no gap. A certificate that ELB does not know yet, and a new one can be unknown for minutes, fails
before anything is taken away: where no listener has it by then, one that goes anyway is given it, or one that
is made for that alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from chalicelib.model import actions as do
from chalicelib.model.load_balancer import (
    SECURE_PROTOCOLS,
    CustomPolicy,
    ForeignPolicy,
    Listener,
    LoadBalancer,
    Policy,
    PredefinedPolicy,
    ProxyProtocolPolicy,
    SslPolicy,
)
from chalicelib.model.unmanaged import keeps_certificate, keeps_policy

# What AWS puts on a new secure listener by itself
# (https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-security-policy-table.html).
AWS_DEFAULT_POLICY = PredefinedPolicy("ELBSecurityPolicy-2016-08")

Setting = do.SetLoadBalancerPoliciesOfListener | do.SetLoadBalancerPoliciesForBackendServer

_OURS = "emq-elb-"
_HIGHEST_PORT = 65535
# https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-limits.html
_MOST_LISTENERS = 100
_TRIED = "ELB is to know the certificate before a port is without its listener"
_AWS_PREFIX = "ELBSecurityPolicy-"


def policy_name(policy: SslPolicy | ProxyProtocolPolicy) -> str:
    """The name that we give a policy: same content, same name, so that none is ever made twice."""
    match policy:
        case PredefinedPolicy(name):
            return _OURS + name.removeprefix(_AWS_PREFIX)
        case ProxyProtocolPolicy():
            return f"{_OURS}proxy-protocol"
        case CustomPolicy():
            content = "\n".join(
                [*sorted(policy.protocols), *sorted(policy.ciphers), str(policy.server_defined_order)]
            )
            return _OURS + hashlib.sha256(content.encode()).hexdigest()[:16]


def plan_listeners(wanted: LoadBalancer, there: LoadBalancer) -> Iterator[do.Action]:
    """The calls for listeners and everything on them, in their order."""
    actual = {listener.port: listener for listener in there.listeners}
    kept = {
        listener.port
        for listener in wanted.listeners
        if listener.port in actual and actual[listener.port].wiring == listener.wiring
    }
    new = tuple(listener for listener in wanted.listeners if listener.port not in kept)
    # One place stays free, for a listener that is made to try a certificate.
    room = max(0, _MOST_LISTENERS - 1 - len(there.listeners))
    early = tuple(listener for listener in new if _fits_beside(listener, there))[:room]
    # The policies of an instance port go with its last listener.
    survive = {listener.instance_port for listener in there.listeners if listener.port in kept}
    survive |= {listener.instance_port for listener in early}
    on_kept, on_new = _policies_of_listeners(wanted, there, actual, kept)
    on_backends = _policies_of_backends(wanted, there, survive)
    setting: tuple[Setting, ...] = (*on_kept, *on_new, *on_backends)
    needed = {name for action in setting for name in action.policy_names}
    for name, policy in sorted(_to_be_made(wanted, needed, there).items()):
        yield do.CreateLoadBalancerPolicy(
            reason="policies cannot be changed, so a new one is made", policy_name=name, policy=policy
        )
    exchanged = tuple(_certificates(wanted, there, actual))
    yield from exchanged
    yield from on_kept
    if early:
        yield do.CreateLoadBalancerListeners(reason="listeners that are missing", listeners=early)
    late = tuple(listener for listener in new if listener not in early)
    known = {one.certificate for one in (*there.listeners, *early)} | {one.certificate for one in exchanged}
    untried = _untried(late, known)
    spare = next((one.port for one in there.listeners if one.secure and one.port not in kept), None)
    trials = _trials(untried, wanted, there) if spare is None else ()
    if trials:
        yield do.CreateLoadBalancerListeners(reason=_TRIED, listeners=trials)
    elif spare is not None:
        for certificate in untried:
            yield do.SetLoadBalancerListenerSSLCertificate(reason=_TRIED, port=spare, certificate=certificate)
    if gone := tuple(sorted((actual.keys() - kept) | {trial.port for trial in trials})):
        yield do.DeleteLoadBalancerListeners(reason="listeners that are not wanted so", ports=gone)
    if late:
        yield do.CreateLoadBalancerListeners(reason="in the place of what was there", listeners=late)
    yield from on_new
    yield from on_backends
    yield from _unused_policies(there, kept, survive, setting)


def _untried(late: Iterable[Listener], known: Collection[str | None]) -> Mapping[str, Listener]:
    """The certificates that ELB may not know yet, each with a listener that will have it."""
    return {
        listener.certificate: listener
        for listener in late
        if listener.certificate and listener.certificate not in known
    }


def _trials(
    untried: Mapping[str, Listener], wanted: LoadBalancer, there: LoadBalancer
) -> tuple[Listener, ...]:
    """A listener for each certificate, on an unused port, deleted with those that it precedes."""
    used = {port for one in (*wanted.listeners, *there.listeners) for port in (one.port, one.instance_port)}
    free = (port for port in range(_HIGHEST_PORT, 0, -1) if port not in used)
    return tuple(
        replace(listener, port=port, instance_port=port)
        for listener, port in zip(untried.values(), free, strict=False)
    )


def _fits_beside(listener: Listener, there: LoadBalancer) -> bool:
    """Whether AWS takes the listener while all that are there still are: so clients have it before they go.

    Listeners on one instance port are all secure behind or all plain
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-listener-config.html).
    """
    secure = listener.instance_protocol in SECURE_PROTOCOLS
    return all(
        other.port != listener.port
        and (
            other.instance_port != listener.instance_port
            or (other.instance_protocol in SECURE_PROTOCOLS) == secure
        )
        for other in there.listeners
    )


def _certificates(
    wanted: LoadBalancer, there: LoadBalancer, actual: dict[int, Listener]
) -> Iterator[do.SetLoadBalancerListenerSSLCertificate]:
    """The highest port first: the lowest says what was declared before (`model/unmanaged.py`)."""
    for listener in sorted(wanted.listeners, key=lambda one: -one.port):
        before = actual.get(listener.port)
        if (
            before
            and before.secure
            and listener.certificate is not None
            and before.certificate != listener.certificate
            and not keeps_certificate(before, listener.certificate, there)
        ):
            yield do.SetLoadBalancerListenerSSLCertificate(
                reason=f"the listener has {before.certificate or 'none'}",
                port=listener.port,
                certificate=listener.certificate,
            )


def _policies_of_listeners(
    wanted: LoadBalancer, there: LoadBalancer, actual: dict[int, Listener], kept: set[int]
) -> tuple[
    list[do.SetLoadBalancerPoliciesOfListener],
    list[do.SetLoadBalancerPoliciesOfListener],
]:
    """What is set on listeners that stay, the highest port first, and on new ones."""
    on_kept: list[do.SetLoadBalancerPoliciesOfListener] = []
    on_new: list[do.SetLoadBalancerPoliciesOfListener] = []
    for listener in sorted(wanted.listeners, key=lambda one: -one.port):
        before = actual.get(listener.port)
        foreign = _foreign(before, there) if before and before.protocol == listener.protocol else set()
        stays = listener.port in kept
        if stays and before:
            lost = before.ssl_policy != listener.ssl_policy and not keeps_policy(
                before, listener.ssl_policy, there
            )
        else:
            lost = listener.ssl_policy not in {None, AWS_DEFAULT_POLICY} or bool(foreign)
        if lost:
            names = foreign | ({_name_of(listener.ssl_policy, there)} if listener.ssl_policy else set())
            (on_kept if stays else on_new).append(
                do.SetLoadBalancerPoliciesOfListener(
                    reason=f"port {listener.port} negotiates otherwise",
                    port=listener.port,
                    policy_names=tuple(sorted(names)),
                )
            )
    return on_kept, on_new[::-1]


def _foreign(listener: Listener, there: LoadBalancer) -> set[str]:
    return {name for name in listener.policy_names if isinstance(there.policies.get(name), ForeignPolicy)}


def _policies_of_backends(
    wanted: LoadBalancer, there: LoadBalancer, survive: set[int]
) -> tuple[do.SetLoadBalancerPoliciesForBackendServer, ...]:
    """PROXY protocol on and off; what else is set on an instance port stays, also for a new listener."""
    setting = []
    secure = {one.instance_port for one in wanted.listeners if one.instance_protocol in SECURE_PROTOCOLS}
    for port in sorted({listener.instance_port for listener in wanted.listeners}):
        names = there.backend_policies.get(port, frozenset())
        proxying = {name for name in names if isinstance(there.policies.get(name), ProxyProtocolPolicy)}
        others, gone = names - proxying, port not in survive
        if gone and port not in secure:
            others = frozenset()  # they are about certificates of instances
        on = port in wanted.proxy_protocol_ports
        if on != (bool(proxying) and not gone) or (gone and others):
            reason = f"the PROXY protocol is to be {'on' if on else 'off'}"
            setting.append(
                do.SetLoadBalancerPoliciesForBackendServer(
                    reason=reason if on or proxying else "its listener is another one",
                    instance_port=port,
                    policy_names=tuple(
                        sorted(others | ({_name_of(ProxyProtocolPolicy(), there)} if on else set()))
                    ),
                )
            )
    return tuple(setting)


def _name_of(policy: SslPolicy | ProxyProtocolPolicy, there: LoadBalancer) -> str:
    """The name of a policy of that content: one that is there, else ours.

    AWS's own names are listed beside them, but cannot be set on a listener
    (https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/ssl-config-update.html).
    """
    same = [name for name, content in there.policies.items() if content == policy]
    return min((name for name in same if not name.startswith(_AWS_PREFIX)), default=policy_name(policy))


def _to_be_made(wanted: LoadBalancer, needed: set[str], there: LoadBalancer) -> dict[str, Policy]:
    contents: list[SslPolicy | ProxyProtocolPolicy] = [
        listener.ssl_policy for listener in wanted.listeners if listener.ssl_policy
    ]
    contents.append(ProxyProtocolPolicy())
    ours = {policy_name(policy): policy for policy in contents}
    return {name: ours[name] for name in needed - there.policies.keys()}


def _unused_policies(
    there: LoadBalancer,
    kept: set[int],
    survive: set[int],
    setting: tuple[Setting, ...],
) -> Iterator[do.Action]:
    """Our policies that nothing uses after the plan: policies cannot be changed, so they would pile up."""
    set_on = {action.port for action in setting if isinstance(action, do.SetLoadBalancerPoliciesOfListener)}
    set_behind = {
        action.instance_port
        for action in setting
        if isinstance(action, do.SetLoadBalancerPoliciesForBackendServer)
    }
    used = {name for action in setting for name in action.policy_names}
    for listener in there.listeners:
        if listener.port in kept - set_on:
            used |= listener.policy_names
    for port in survive - set_behind:
        used |= there.backend_policies.get(port, frozenset())
    for name in sorted(there.policies.keys() - used):
        if name.startswith(_OURS):
            yield do.DeleteLoadBalancerPolicy(reason="nothing uses it any more", policy_name=name)
