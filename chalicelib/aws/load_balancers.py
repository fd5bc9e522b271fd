"""Which of AWS's two load balancing APIs makes the call of an action: the one place that decides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.aws import elb_calls, elbv2_calls
from chalicelib.model import actions as do
from chalicelib.model.names import future_arn

if TYPE_CHECKING:
    from chalicelib.aws.clients import Clients
    from chalicelib.model.load_balancer import LoadBalancer

Making = do.CreateLoadBalancer | do.CreateTargetGroup | do.CreateListener
"""What AWS answers with an ARN, or with a name in DNS."""


@dataclass(frozen=True)
class Made:
    """What AWS gave to something new: `arns` by the names that stood for them."""

    dns_name: str | None
    arns: dict[str, str]


def create_at_aws(clients: Clients, action: Making) -> Made:
    """Create what the action names."""
    match action:
        case do.CreateLoadBalancer(load_balancer=wanted):
            return _CREATE[wanted.type](clients, wanted)
        case do.CreateTargetGroup(target_group=group):
            arn = elbv2_calls.create_target_group(clients.elbv2, action)
            return Made(None, {future_arn("targetgroup", group.name): arn})
        case do.CreateListener(load_balancer=name, listener=listener):
            arn = elbv2_calls.create_listener(clients.elbv2, action)
            return Made(None, {future_arn("listener", f"{name}/{listener.port}"): arn})


def _create_classic(clients: Clients, wanted: LoadBalancer) -> Made:
    return Made(elb_calls.create(clients.elb, wanted), {})


def _create_network(clients: Clients, wanted: LoadBalancer) -> Made:
    arn, dns_name = elbv2_calls.create_network(clients.elbv2, wanted)
    return Made(dns_name, {future_arn("loadbalancer", wanted.name): arn})


_CREATE = {"classic": _create_classic, "network": _create_network}


def perform(clients: Clients, name: str, action: elb_calls.ElbAction | elbv2_calls.NetworkAction) -> None:
    """Make the one call that the action names; without an ARN it is about the classic one `name`."""
    match action:
        case (
            do.AddTags(arn=str(arn))
            | do.DeleteLoadBalancer(arn=str(arn))
            | do.ModifyLoadBalancerAttributes(arn=str(arn))
            | do.RemoveTags(arn=str(arn))
            | do.DeleteListener(arn=arn)
            | do.DeleteTargetGroup(arn=arn)
            | do.DeregisterTargets(arn=arn)
            | do.ModifyListener(arn=arn)
            | do.ModifyListenerAttributes(arn=arn)
            | do.ModifyTargetGroup(arn=arn)
            | do.ModifyTargetGroupAttributes(arn=arn)
            | do.RegisterTargets(arn=arn)
            | do.SetSecurityGroups(arn=arn)
            | do.SetSubnets(arn=arn)
        ):
            elbv2_calls.perform_network(clients.elbv2, arn, action)
        case _:
            elb_calls.perform_classic(clients.elb, name, action)
