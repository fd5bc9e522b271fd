"""Corrections to moto's ELBv2: network load balancers answer and refuse as AWS's do.

moto's own operations are replaced one by one; each of ours is a function of the region's memory and the
request, in a module of its own topic (`elbv2_listeners`, `elbv2_target_groups` …), under the page that it
follows. Rules and trust stores stay moto's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from threading import RLock
from types import SimpleNamespace
from typing import Any

from moto.core.responses import ActionResult
from moto.elbv2.models import ELBv2Backend
from moto.elbv2.responses import ELBV2Response

from lab.fidelity import elbv2_listeners, elbv2_load_balancers, elbv2_ssl, elbv2_target_groups
from lab.fidelity.elbv2_state import (
    Answer,
    Region,
    Request,
    asked_tags,
    invalid,
    listener,
    load_balancer,
    region_of,
    regions_of,
    required,
    target_group,
)

Operation = Callable[[Region, Request], Answer]

MOST_DESCRIBED = 20
WRITING = RLock()
"""moto's server answers in threads; what an operation has checked must still hold when it changes it."""


def add_tags(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddTags.html"""
    for arn in required(request, "ResourceArns"):
        refuse_absent(region, arn)
        asked_tags(region, arn, required(request, "Tags"))
    return {}


def remove_tags(region: Region, request: Request) -> Answer:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RemoveTags.html"""
    for arn in required(request, "ResourceArns"):
        refuse_absent(region, arn)
        region.moto.tagging_service.untag_resource_using_names(arn, required(request, "TagKeys"))
    return {}


def describe_tags(region: Region, request: Request) -> Answer:
    """Show the tags of at most 20 things of mixed kinds; one that is not there fails the whole call.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
    """
    arns = required(request, "ResourceArns")
    if len(arns) > MOST_DESCRIBED:
        raise invalid(f"Up to {MOST_DESCRIBED} resources can be described at a time, not {len(arns)}")
    for arn in arns:
        refuse_absent(region, arn)
    return {
        "TagDescriptions": [
            {"ResourceArn": arn, "Tags": [{"Key": k, "Value": v} for k, v in region.tags(arn).items()]}
            for arn in arns
        ]
    }


def refuse_absent(region: Region, arn: str) -> None:
    """Refuse, with the code of its kind, an ARN of nothing that is there."""
    kind = arn.rpartition(":")[2].partition("/")[0]
    find: Mapping[str, Callable[[Region, str], object]] = {
        "listener": listener,
        "targetgroup": target_group,
    }
    find.get(kind, load_balancer)(region, arn)


OPERATIONS: tuple[Operation, ...] = (
    elbv2_load_balancers.create_load_balancer,
    elbv2_load_balancers.describe_load_balancers,
    elbv2_load_balancers.delete_load_balancer,
    elbv2_load_balancers.describe_load_balancer_attributes,
    elbv2_load_balancers.modify_load_balancer_attributes,
    elbv2_load_balancers.set_security_groups,
    elbv2_load_balancers.set_subnets,
    elbv2_load_balancers.describe_account_limits,
    elbv2_target_groups.create_target_group,
    elbv2_target_groups.describe_target_groups,
    elbv2_target_groups.modify_target_group,
    elbv2_target_groups.delete_target_group,
    elbv2_target_groups.describe_target_group_attributes,
    elbv2_target_groups.modify_target_group_attributes,
    elbv2_target_groups.register_targets,
    elbv2_target_groups.deregister_targets,
    elbv2_target_groups.describe_target_health,
    elbv2_listeners.create_listener,
    elbv2_listeners.modify_listener,
    elbv2_listeners.delete_listener,
    elbv2_listeners.describe_listeners,
    elbv2_listeners.add_listener_certificates,
    elbv2_listeners.remove_listener_certificates,
    elbv2_listeners.describe_listener_certificates,
    elbv2_listeners.describe_listener_attributes,
    elbv2_listeners.modify_listener_attributes,
    elbv2_ssl.describe_ssl_policies,
    add_tags,
    remove_tags,
    describe_tags,
)


def install() -> None:
    """Put the corrections in place; calling it again changes nothing."""
    ELBV2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER = {}  # ours answer under the API's own names
    for operation in OPERATIONS:
        setattr(ELBV2Response, operation.__name__, _answering(operation))
    for method in (describe_target_groups, register_targets, deregister_targets):
        setattr(ELBv2Backend, method.__name__, method)


def certificate_in_use(account_id: str, arn: str) -> bool:
    """Say whether a listener of any region uses a certificate, or still holds on to it."""
    return elbv2_listeners.in_use(account_id, regions_of(account_id), arn)


def _answering(operation: Operation) -> Callable[[ELBV2Response], ActionResult]:
    def answer(response: ELBV2Response) -> ActionResult:
        region = region_of(response.current_account, response.region)
        with WRITING:
            return ActionResult(operation(region, response.params))

    return answer


def describe_target_groups(
    backend: ELBv2Backend,
    load_balancer_arn: str | None = None,
    target_group_arns: Iterable[str] | None = None,
    names: Iterable[str] | None = None,
) -> list[SimpleNamespace]:
    """Return target groups to moto's Auto Scaling."""
    asked: dict[str, Any] = {
        "LoadBalancerArn": load_balancer_arn,
        "TargetGroupArns": list(target_group_arns or ()),
        "Names": list(names or ()),
    }
    region = region_of(backend.account_id, backend.region_name)
    shown = elbv2_target_groups.describe_target_groups(region, asked)["TargetGroups"]
    found = [region.target_groups[one["TargetGroupArn"]] for one in shown]
    return [
        SimpleNamespace(
            arn=one.arn,
            name=one.name,
            port=one.port,
            targets={id_: {"id": id_, "port": port} for id_, port in one.targets},
        )
        for one in found
    ]


def register_targets(
    backend: ELBv2Backend, target_group_arn: str, instances: Iterable[Mapping[str, Any]]
) -> None:
    """Register what moto's Auto Scaling launches."""
    _targets(elbv2_target_groups.register_targets, backend, target_group_arn, instances)


def deregister_targets(
    backend: ELBv2Backend, target_group_arn: str, instances: Iterable[Mapping[str, Any]]
) -> None:
    """Deregister what moto's Auto Scaling detaches or terminates."""
    _targets(elbv2_target_groups.deregister_targets, backend, target_group_arn, instances)


def _targets(
    operation: Operation, backend: ELBv2Backend, arn: str, instances: Iterable[Mapping[str, Any]]
) -> None:
    targets = [
        {"Id": one.get("id") or one.get("Id"), "Port": one.get("port") or one.get("Port")}
        for one in instances
    ]
    region = region_of(backend.account_id, backend.region_name)
    with WRITING:
        if targets:
            operation(region, {"TargetGroupArn": arn, "Targets": targets})
