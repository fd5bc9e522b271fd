"""What somebody changes at AWS past us, on the load balancer `demo`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.world.provisioning import Account

NAME: dict[str, Any] = {"LoadBalancerName": "demo"}
REFERENCE = "Reference-Security-Policy"
"""The attribute by which an SSL policy takes over one of AWS's."""


def register(here: Account, ids: Sequence[str]) -> None:
    """Register instances past us."""
    here.world.elb.register_instances_with_load_balancer(
        **NAME, Instances=[{"InstanceId": id_} for id_ in ids]
    )


def negotiating(here: Account, name: str, on: Mapping[str, str], *ports: int) -> None:
    """Let listeners negotiate by an SSL policy of that name with these attributes."""
    here.world.elb.create_load_balancer_policy(
        **NAME,
        PolicyName=name,
        PolicyTypeName="SSLNegotiationPolicyType",
        PolicyAttributes=[{"AttributeName": one, "AttributeValue": value} for one, value in on.items()],
    )
    for port in ports:
        here.world.elb.set_load_balancer_policies_of_listener(
            **NAME, LoadBalancerPort=port, PolicyNames=[name]
        )


def serving_another(here: Account) -> None:
    """Let listener port 8883 serve another certificate."""
    here.world.elb.set_load_balancer_listener_ssl_certificate(
        **NAME, LoadBalancerPort=8883, SSLCertificateId=here.world.upload("another")
    )


def cookies(here: Account, port: int = 18083) -> None:
    """Let a listener of HTTP keep clients at their instance by a cookie."""
    here.world.elb.create_lb_cookie_stickiness_policy(**NAME, PolicyName="sticky")
    here.world.elb.set_load_balancer_policies_of_listener(
        **NAME, LoadBalancerPort=port, PolicyNames=["sticky"]
    )


def proxying(here: Account) -> None:
    """Let instance port 1883 get the PROXY protocol."""
    here.world.elb.create_load_balancer_policy(
        **NAME,
        PolicyName="proxy",
        PolicyTypeName="ProxyProtocolPolicyType",
        PolicyAttributes=[{"AttributeName": "ProxyProtocol", "AttributeValue": "true"}],
    )
    here.world.elb.set_load_balancer_policies_for_backend_server(
        **NAME, InstancePort=1883, PolicyNames=["proxy"]
    )


def undone_exactly(
    here: Account, body: Mapping[str, Any], change: Callable[[Account], object], way_back: Sequence[str]
) -> None:
    """Let somebody change what a PUT made: the same PUT makes these calls, and then none."""
    here.put(body)
    change(here)
    planned = here.put(body, dry_run=True)
    here.put(body)
    assert here.calls.writes == way_back
    assert len(planned.steps) == len(way_back)
    here.put(body)
    assert here.calls.writes == []
