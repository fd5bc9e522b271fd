"""What somebody changes at AWS past us, on the load balancer `demo`."""

from __future__ import annotations

from typing import Any

from tests.world.provisioning import Account

NAME: dict[str, Any] = {"LoadBalancerName": "demo"}


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
