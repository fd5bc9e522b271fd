"""Corrections to moto's classic ELB: every operation answers and refuses as AWS does.

moto's own operations are replaced one by one; each of ours is a function of the region's memory and the
request, in a module of its own topic (`elb_listeners`, `elb_policies` …), under the page that it follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import RLock
from types import SimpleNamespace

from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult
from moto.elb.models import ELBBackend
from moto.elb.responses import ELBResponse

from lab.fidelity import (
    elb_certificates,
    elb_instances,
    elb_listeners,
    elb_load_balancers,
    elb_network,
    elb_policies,
    elb_service_role,
    elb_settings,
    elb_stacks,
    elb_tags,
)
from lab.fidelity.elb_state import Answer, Region, Request, arn_of, existing, instances, region_of

Operation = Callable[[Region, Request], Answer]

OPERATIONS: dict[str, Operation] = {
    "enable_availability_zones_for_load_balancer": elb_network.refuse_zones_in_a_vpc,
    "disable_availability_zones_for_load_balancer": elb_network.refuse_zones_in_a_vpc,
    **{
        operation.__name__: operation
        for operation in (
            elb_load_balancers.create_load_balancer,
            elb_load_balancers.delete_load_balancer,
            elb_load_balancers.describe_load_balancers,
            elb_load_balancers.describe_account_limits,
            elb_listeners.create_load_balancer_listeners,
            elb_listeners.delete_load_balancer_listeners,
            elb_listeners.set_load_balancer_listener_ssl_certificate,
            elb_policies.create_load_balancer_policy,
            elb_policies.create_app_cookie_stickiness_policy,
            elb_policies.create_lb_cookie_stickiness_policy,
            elb_policies.set_load_balancer_policies_of_listener,
            elb_policies.set_load_balancer_policies_for_backend_server,
            elb_policies.delete_load_balancer_policy,
            elb_policies.describe_load_balancer_policies,
            elb_policies.describe_load_balancer_policy_types,
            elb_instances.register_instances_with_load_balancer,
            elb_instances.deregister_instances_from_load_balancer,
            elb_instances.describe_instance_health,
            elb_network.apply_security_groups_to_load_balancer,
            elb_network.attach_load_balancer_to_subnets,
            elb_network.detach_load_balancer_from_subnets,
            elb_settings.configure_health_check,
            elb_settings.describe_load_balancer_attributes,
            elb_settings.modify_load_balancer_attributes,
            elb_tags.add_tags,
            elb_tags.remove_tags,
            elb_tags.describe_tags,
        )
    },
}

WRITING = RLock()
"""moto's server answers in threads; what an operation has checked must still hold when it changes it."""


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    ELBResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER = {}  # ours answer under the API's own names
    for name, operation in OPERATIONS.items():
        setattr(ELBResponse, name, _answering(operation))
    for method in (describe_load_balancers, register_instances, deregister_instances, iter_tagged_resources):
        setattr(ELBBackend, method.__name__, method)
    elb_stacks.install()
    elb_service_role.install()


def certificate_in_use(account_id: str, arn: str) -> bool:
    """Say whether a classic load balancer of any region uses the certificate, or still holds on to it.

    This is the question that IAM's DeleteServerCertificate asks; `KNOBS.certificate_hold_seconds` counts.
    """
    return elb_certificates.in_use(account_id, arn)


def _answering(operation: Operation) -> Callable[[ELBResponse], ActionResult]:
    def answer(response: ELBResponse) -> ActionResult:
        region = region_of(response.current_account, response.region)
        if operation.__name__.startswith("describe_"):
            return ActionResult(operation(region, response.params))
        with WRITING:
            return ActionResult(operation(region, response.params))

    return answer


def describe_load_balancers(backend: ELBBackend, names: Iterable[str]) -> list[SimpleNamespace]:
    """Return to moto's Auto Scaling the load balancers of those names, all of them without any."""
    region = region_of(backend.account_id, backend.region_name)
    found = [existing(region, name) for name in names or list(region.load_balancers)]
    members = instances(region)
    return [
        SimpleNamespace(name=one.name, instance_ids=elb_instances.registered(one, members)) for one in found
    ]


def register_instances(
    backend: ELBBackend,
    load_balancer_name: str,
    instance_ids: Iterable[str],
    from_autoscaling: bool = False,  # noqa: ARG001 - moto's signature
) -> None:
    """Register what moto's Auto Scaling launches; it names no instance that is not there."""
    region = region_of(backend.account_id, backend.region_name)
    with WRITING:
        found = instances(region)
        elb_instances.add(
            region, existing(region, load_balancer_name), [one for one in instance_ids if one in found]
        )


def deregister_instances(
    backend: ELBBackend,
    load_balancer_name: str,
    instance_ids: Iterable[str],
    from_autoscaling: bool = False,  # noqa: ARG001 - moto's signature
) -> None:
    """Deregister what moto's Auto Scaling detaches or terminates."""
    region = region_of(backend.account_id, backend.region_name)
    with WRITING:
        elb_instances.remove(region, existing(region, load_balancer_name), instance_ids)


def iter_tagged_resources(backend: ELBBackend) -> Iterator[TaggedResource]:
    """Return to the tagging API classic load balancers, under the resource type that AWS gives them.

    https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    """
    region = region_of(backend.account_id, backend.region_name)
    for load_balancer in list(region.load_balancers.values()):
        yield TaggedResource(
            arn=arn_of(region, load_balancer),
            tags=dict(load_balancer.tags),
            resource_type="elasticloadbalancing:loadbalancer",
        )
