"""Lifecycle hooks hold instances, and Auto Scaling answers, as AWS's pages say, through boto3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID

from lab.fidelity import autoscaling as fidelity
from lab.fidelity.knobs import KNOBS
from tests.lab.load_balancing import World

pytestmark = pytest.mark.usefixtures("aws")

REGION = "eu-central-1"
IMAGE = "ami-03cf127a"  # one of those that moto knows; to list them takes a second
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
READY = {"LifecycleHookName": "emq-elb-ready", "LifecycleTransition": LAUNCHING}
DRAIN = {"LifecycleHookName": "emq-elb-drain", "LifecycleTransition": TERMINATING}


@pytest.fixture
def autoscaling() -> Any:
    return boto3.client("autoscaling")


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []
    fidelity.on_lifecycle_action.append(heard.append)
    yield heard
    fidelity.on_lifecycle_action.remove(heard.append)


@pytest.fixture
def clock() -> list[float]:
    """A clock that stands still until its only element is changed."""
    time = [1000.0]
    KNOBS.now = lambda: time[0]
    return time


def make_group(autoscaling: Any, *hooks: dict[str, Any], capacity: int = 1, **more: Any) -> None:
    autoscaling.create_launch_configuration(
        LaunchConfigurationName="nodes", ImageId=IMAGE, InstanceType="t3.micro"
    )
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="nodes",
        LaunchConfigurationName="nodes",
        AvailabilityZones=[REGION + "a"],
        MinSize=0,
        MaxSize=10,
        DesiredCapacity=capacity,
        LifecycleHookSpecificationList=list(hooks),
        **more,
    )


def states(autoscaling: Any) -> dict[str, str]:
    described = autoscaling.describe_auto_scaling_instances()["AutoScalingInstances"]
    return {instance["InstanceId"]: instance["LifecycleState"] for instance in described}


def ec2_state(instance_id: str) -> str:
    reservations = boto3.client("ec2").describe_instances(InstanceIds=[instance_id])["Reservations"]
    return str(reservations[0]["Instances"][0]["State"]["Name"])


def scale(autoscaling: Any, capacity: int) -> None:
    autoscaling.set_desired_capacity(AutoScalingGroupName="nodes", DesiredCapacity=capacity)


def complete(autoscaling: Any, hook: str, result: str = "CONTINUE", **which: str) -> None:
    autoscaling.complete_lifecycle_action(
        AutoScalingGroupName="nodes", LifecycleHookName=hook, LifecycleActionResult=result, **which
    )


def refusal(call: Any, **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error["Code"], error["Message"]


def only(mapping: dict[str, str]) -> str:
    (key,) = mapping
    return key


def test_without_hooks_instances_come_and_go_at_once(autoscaling: Any) -> None:
    make_group(autoscaling, capacity=2)
    assert set(states(autoscaling).values()) == {"InService"}
    before = states(autoscaling)
    scale(autoscaling, 1)
    after = states(autoscaling)
    assert len(after) == 1
    assert ec2_state(only({gone: "" for gone in before if gone not in after})) == "terminated"


def test_a_hook_for_launching_holds_the_groups_first_instances_until_completed(
    autoscaling: Any,
) -> None:
    make_group(autoscaling, READY)
    instance = only(states(autoscaling))
    assert states(autoscaling) == {instance: "Pending:Wait"}
    assert ec2_state(instance) == "running"
    complete(autoscaling, "emq-elb-ready", InstanceId=instance)
    assert states(autoscaling) == {instance: "InService"}


def test_a_hook_that_is_put_later_holds_only_what_is_launched_then(autoscaling: Any) -> None:
    make_group(autoscaling)
    first = only(states(autoscaling))
    autoscaling.put_lifecycle_hook(AutoScalingGroupName="nodes", **READY)
    assert states(autoscaling) == {first: "InService"}
    scale(autoscaling, 2)
    assert sorted(states(autoscaling).values()) == ["InService", "Pending:Wait"]


def test_a_held_instance_counts_towards_the_capacity(autoscaling: Any) -> None:
    make_group(autoscaling, READY, capacity=2)
    before = states(autoscaling)
    assert list(before.values()) == ["Pending:Wait"] * 2
    scale(autoscaling, 2)
    assert states(autoscaling) == before


def test_an_abandoned_launch_is_terminated_and_replaced(autoscaling: Any) -> None:
    make_group(autoscaling, READY)
    instance = only(states(autoscaling))
    complete(autoscaling, "emq-elb-ready", "ABANDON", InstanceId=instance)
    assert ec2_state(instance) == "terminated"
    replacement = states(autoscaling)
    assert instance not in replacement
    assert list(replacement.values()) == ["Pending:Wait"]


@pytest.mark.parametrize("result", ["CONTINUE", "ABANDON"])
def test_a_hook_for_terminating_holds_until_it_is_completed_either_way(autoscaling: Any, result: str) -> None:
    make_group(autoscaling, DRAIN)
    instance = only(states(autoscaling))
    scale(autoscaling, 0)
    assert states(autoscaling) == {instance: "Terminating:Wait"}
    assert ec2_state(instance) == "running"
    complete(autoscaling, "emq-elb-drain", result, InstanceId=instance)
    assert states(autoscaling) == {}
    assert ec2_state(instance) == "terminated"


def test_an_instance_on_its_way_out_does_not_count_and_is_not_retired_twice(autoscaling: Any) -> None:
    make_group(autoscaling, DRAIN, capacity=2)
    scale(autoscaling, 1)
    scale(autoscaling, 1)
    assert sorted(states(autoscaling).values()) == ["InService", "Terminating:Wait"]


@pytest.mark.parametrize(
    ("decrement", "expected"),
    [(True, ["Terminating:Wait"]), (False, ["InService", "Terminating:Wait"])],
    ids=["with decrement", "with a replacement"],
)
def test_terminating_one_instance_through_the_group_holds_it(
    autoscaling: Any, decrement: bool, expected: list[str]
) -> None:
    make_group(autoscaling, DRAIN)
    instance = only(states(autoscaling))
    autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=instance, ShouldDecrementDesiredCapacity=decrement
    )
    assert sorted(states(autoscaling).values()) == expected
    assert states(autoscaling)[instance] == "Terminating:Wait"


def test_an_instance_that_ec2_terminated_is_replaced_even_while_pending(autoscaling: Any) -> None:
    make_group(autoscaling, READY)
    instance = only(states(autoscaling))
    boto3.client("ec2").terminate_instances(InstanceIds=[instance])
    replacement = states(autoscaling)
    assert instance not in replacement
    assert list(replacement.values()) == ["Pending:Wait"]


def test_all_hooks_of_a_transition_must_be_completed(autoscaling: Any) -> None:
    make_group(autoscaling, READY, READY | {"LifecycleHookName": "another"})
    instance = only(states(autoscaling))
    complete(autoscaling, "emq-elb-ready", InstanceId=instance)
    assert states(autoscaling) == {instance: "Pending:Wait"}
    complete(autoscaling, "another", InstanceId=instance)
    assert states(autoscaling) == {instance: "InService"}


def test_abandoning_one_hook_ends_the_others_too(autoscaling: Any) -> None:
    make_group(autoscaling, DRAIN, DRAIN | {"LifecycleHookName": "another"})
    instance = only(states(autoscaling))
    scale(autoscaling, 0)
    complete(autoscaling, "emq-elb-drain", "ABANDON", InstanceId=instance)
    assert states(autoscaling) == {}


def test_the_event_names_the_token_that_completes_the_action(
    autoscaling: Any, events: list[dict[str, Any]]
) -> None:
    make_group(autoscaling, READY | {"NotificationMetadata": "for us"})
    (event,) = events
    instance = only(states(autoscaling))
    detail = event.pop("detail")
    token = detail.pop("LifecycleActionToken")
    assert len(token) == 36
    assert detail == {
        "AutoScalingGroupName": "nodes",
        "LifecycleHookName": "emq-elb-ready",
        "EC2InstanceId": instance,
        "LifecycleTransition": LAUNCHING,
        "NotificationMetadata": "for us",
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
    }
    (group,) = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert event["detail-type"] == "EC2 Instance-launch Lifecycle Action"
    assert (event["source"], event["region"]) == ("aws.autoscaling", REGION)
    assert (event["account"], event["resources"]) == (DEFAULT_ACCOUNT_ID, [group["AutoScalingGroupARN"]])
    complete(autoscaling, "emq-elb-ready", LifecycleActionToken=token)
    assert states(autoscaling) == {instance: "InService"}


def test_scale_in_has_an_event_of_its_own(autoscaling: Any, events: list[dict[str, Any]]) -> None:
    make_group(autoscaling, DRAIN)
    assert events == []
    scale(autoscaling, 0)
    (event,) = events
    assert event["detail-type"] == "EC2 Instance-terminate Lifecycle Action"
    assert event["detail"]["LifecycleTransition"] == TERMINATING
    assert (event["detail"]["Origin"], event["detail"]["Destination"]) == ("AutoScalingGroup", "EC2")


def test_a_listener_may_complete_the_action_at_once(autoscaling: Any) -> None:
    finished = []

    def finish(event: dict[str, Any]) -> None:
        finished.append(event["detail"]["EC2InstanceId"])
        complete(autoscaling, "emq-elb-ready", InstanceId=event["detail"]["EC2InstanceId"])

    fidelity.on_lifecycle_action.append(finish)
    try:
        make_group(autoscaling, READY, capacity=3)
    finally:
        fidelity.on_lifecycle_action.remove(finish)
    assert states(autoscaling) == dict.fromkeys(finished, "InService")
    assert len(finished) == 3


@pytest.mark.parametrize(
    ("hook", "default", "expected"),
    [
        (READY, "CONTINUE", ["InService"]),
        (READY, "ABANDON", ["Pending:Wait"]),
        (READY, None, ["Pending:Wait"]),
    ],
    ids=["goes into service", "is replaced", "is replaced by default"],
)
def test_when_the_time_is_up_the_default_result_holds(
    autoscaling: Any, clock: list[float], hook: dict[str, Any], default: str | None, expected: list[str]
) -> None:
    make_group(autoscaling, hook | ({"DefaultResult": default} if default else {}))
    instance = only(states(autoscaling))
    clock[0] += 3599
    assert states(autoscaling) == {instance: "Pending:Wait"}
    clock[0] += 1
    after = states(autoscaling)
    assert list(after.values()) == expected
    assert (instance in after) == (default == "CONTINUE")


def test_the_lab_may_let_time_do_its_work_without_asking_auto_scaling(
    autoscaling: Any, clock: list[float]
) -> None:
    make_group(autoscaling, DRAIN | {"HeartbeatTimeout": 60})
    instance = only(states(autoscaling))
    scale(autoscaling, 0)
    clock[0] += 60
    assert ec2_state(instance) == "running"
    fidelity.complete_overdue()
    assert ec2_state(instance) == "terminated"


def test_a_heartbeat_gives_the_hooks_time_again_up_to_a_hundred_times(
    autoscaling: Any, clock: list[float]
) -> None:
    make_group(autoscaling, READY | {"HeartbeatTimeout": 30, "DefaultResult": "CONTINUE"})
    instance = only(states(autoscaling))
    named = {"AutoScalingGroupName": "nodes", "LifecycleHookName": "emq-elb-ready", "InstanceId": instance}
    for _ in range(149):
        clock[0] += 20
        assert states(autoscaling) == {instance: "Pending:Wait"}
        autoscaling.record_lifecycle_action_heartbeat(**named)
    clock[0] += 20
    assert states(autoscaling) == {instance: "InService"}


def test_an_action_that_is_not_active_cannot_be_completed_nor_kept_alive(autoscaling: Any) -> None:
    make_group(autoscaling, READY)
    instance = only(states(autoscaling))
    hook = {"AutoScalingGroupName": "nodes", "LifecycleHookName": "emq-elb-ready"}
    result = {"LifecycleActionResult": "CONTINUE"}
    complete(autoscaling, "emq-elb-ready", InstanceId=instance)
    by_instance = ("ValidationError", f"No active Lifecycle Action found with instance ID {instance}")
    token = "00000000-0000-0000-0000-000000000000"
    by_token = ("ValidationError", f"No active Lifecycle Action found with token {token}")
    calls = [
        refusal(autoscaling.complete_lifecycle_action, **hook, **result, InstanceId=instance),
        refusal(autoscaling.record_lifecycle_action_heartbeat, **hook, InstanceId=instance),
        refusal(autoscaling.complete_lifecycle_action, **hook, **result, LifecycleActionToken=token),
    ]
    assert calls == [by_instance, by_instance, by_token]


def test_an_action_of_another_hook_is_not_completed(autoscaling: Any) -> None:
    make_group(autoscaling, READY, DRAIN)
    instance = only(states(autoscaling))
    with pytest.raises(ClientError, match="No active Lifecycle Action"):
        complete(autoscaling, "emq-elb-drain", InstanceId=instance)
    assert states(autoscaling) == {instance: "Pending:Wait"}


@pytest.mark.parametrize(
    "changes",
    [
        {"AutoScalingGroupName": "unknown"},
        {"LifecycleActionResult": "MAYBE"},
        {"InstanceId": None},
    ],
    ids=["unknown group", "unknown result", "neither instance nor token"],
)
def test_completing_nonsense_is_a_validation_error(autoscaling: Any, changes: dict[str, Any]) -> None:
    make_group(autoscaling, READY)
    parameters = {
        "AutoScalingGroupName": "nodes",
        "LifecycleHookName": "emq-elb-ready",
        "LifecycleActionResult": "CONTINUE",
        "InstanceId": only(states(autoscaling)),
    } | changes
    given = {name: value for name, value in parameters.items() if value is not None}
    assert refusal(autoscaling.complete_lifecycle_action, **given)[0] == "ValidationError"


@pytest.mark.parametrize(
    ("hook", "after"), [(READY, "Pending:Wait"), (DRAIN, None)], ids=["launching", "terminating"]
)
def test_deleting_a_hook_completes_what_waits_for_it(
    autoscaling: Any, hook: dict[str, Any], after: str | None
) -> None:
    make_group(autoscaling, hook, capacity=1)
    instance = only(states(autoscaling))
    if hook is DRAIN:
        scale(autoscaling, 0)
    assert ec2_state(instance) == "running"
    autoscaling.delete_lifecycle_hook(
        AutoScalingGroupName="nodes", LifecycleHookName=hook["LifecycleHookName"]
    )
    assert ec2_state(instance) == "terminated"
    # An abandoned launch is replaced, now without a hook that could hold it.
    assert list(states(autoscaling).values()) == ([] if after is None else ["InService"])


def test_deleting_the_group_waits_for_no_hook_and_deletes_them(autoscaling: Any) -> None:
    make_group(autoscaling, READY, DRAIN, capacity=2)
    instances = list(states(autoscaling))
    for instance in instances:
        complete(autoscaling, "emq-elb-ready", InstanceId=instance)
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName="nodes", ForceDelete=True)
    assert {ec2_state(instance) for instance in instances} == {"terminated"}
    autoscaling.delete_launch_configuration(LaunchConfigurationName="nodes")
    make_group(autoscaling)
    assert list(states(autoscaling).values()) == ["InService"]


def test_a_hook_reads_back_as_it_was_put_with_aws_defaults(autoscaling: Any) -> None:
    make_group(autoscaling, READY)
    autoscaling.put_lifecycle_hook(
        AutoScalingGroupName="nodes", LifecycleHookName="emq-elb-ready", HeartbeatTimeout=60
    )
    (hook,) = autoscaling.describe_lifecycle_hooks(AutoScalingGroupName="nodes")["LifecycleHooks"]
    assert hook == {
        "AutoScalingGroupName": "nodes",
        "LifecycleHookName": "emq-elb-ready",
        "LifecycleTransition": LAUNCHING,
        "HeartbeatTimeout": 60,
        "GlobalTimeout": 6000,
        "DefaultResult": "ABANDON",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"AutoScalingGroupName": "unknown"},
        {"LifecycleTransition": "autoscaling:EC2_INSTANCE_REBOOTING"},
        {"HeartbeatTimeout": 29},
        {"HeartbeatTimeout": 7201},
        {"DefaultResult": "MAYBE"},
    ],
)
def test_a_hook_out_of_aws_limits_is_a_validation_error(autoscaling: Any, changes: dict[str, Any]) -> None:
    make_group(autoscaling)
    parameters = {"AutoScalingGroupName": "nodes"} | READY | changes
    assert refusal(autoscaling.put_lifecycle_hook, **parameters)[0] == "ValidationError"
    assert autoscaling.describe_lifecycle_hooks(AutoScalingGroupName="nodes")["LifecycleHooks"] == []


def test_a_group_that_cannot_be_created_leaves_no_hook_behind(autoscaling: Any) -> None:
    make_group(autoscaling)
    parameters = {"MinSize": 0, "MaxSize": 1, "AvailabilityZones": [REGION + "a"]}
    hooks = [READY]
    refused = refusal(
        autoscaling.create_auto_scaling_group,
        AutoScalingGroupName="nodes",
        LaunchConfigurationName="nodes",
        LifecycleHookSpecificationList=hooks,
        **parameters,
    )
    assert refused[0] == "AlreadyExists"
    assert autoscaling.describe_lifecycle_hooks(AutoScalingGroupName="nodes")["LifecycleHooks"] == []


def test_fifty_instances_at_most_are_described_by_id(autoscaling: Any) -> None:
    ids = [f"i-{number:017x}" for number in range(51)]
    described = autoscaling.describe_auto_scaling_instances(InstanceIds=ids[:50])
    assert described["AutoScalingInstances"] == []
    refused = refusal(autoscaling.describe_auto_scaling_instances, InstanceIds=ids)
    assert refused[0] == "ValidationError"


def test_instances_are_described_page_by_page(autoscaling: Any) -> None:
    make_group(autoscaling, capacity=5)
    pages = autoscaling.get_paginator("describe_auto_scaling_instances").paginate(
        PaginationConfig={"PageSize": 2}
    )
    sizes = [len(page["AutoScalingInstances"]) for page in pages]
    assert sizes == [2, 2, 1]
    assert refusal(autoscaling.describe_auto_scaling_instances, MaxRecords=51)[0] == "ValidationError"


def test_an_attached_instance_passes_the_hooks_for_launching(autoscaling: Any) -> None:
    make_group(autoscaling, READY, capacity=0)
    ec2 = boto3.client("ec2")
    instance = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    autoscaling.attach_instances(AutoScalingGroupName="nodes", InstanceIds=[instance])
    assert states(autoscaling) == {instance: "Pending:Wait"}


def test_a_warm_pools_instances_wait_for_the_hook_and_then_in_the_pool(
    autoscaling: Any, events: list[dict[str, Any]]
) -> None:
    make_group(autoscaling, READY, capacity=0)
    autoscaling.put_warm_pool(AutoScalingGroupName="nodes", MaxGroupPreparedCapacity=1, PoolState="Stopped")
    instance = only(states(autoscaling))
    assert states(autoscaling) == {instance: "Warmed:Pending:Wait"}
    assert [event["detail"]["Destination"] for event in events] == ["WarmPool"]
    complete(autoscaling, "emq-elb-ready", InstanceId=instance)
    assert states(autoscaling) == {instance: "Warmed:Stopped"}
    assert ec2_state(instance) == "stopped"
    pool = autoscaling.describe_warm_pool(AutoScalingGroupName="nodes")
    assert [one["InstanceId"] for one in pool["Instances"]] == [instance]
    (group,) = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert group["Instances"] == []

    scale(autoscaling, 1)
    assert states(autoscaling) == {instance: "Pending:Wait"}
    assert ec2_state(instance) == "running"
    assert events[-1]["detail"]["Origin"] == "WarmPool"


def test_with_reuse_a_scaled_in_instance_waits_and_returns_to_the_pool(
    autoscaling: Any, events: list[dict[str, Any]]
) -> None:
    make_group(autoscaling, DRAIN)
    instance = only(states(autoscaling))
    autoscaling.put_warm_pool(
        AutoScalingGroupName="nodes",
        MaxGroupPreparedCapacity=1,
        PoolState="Running",
        InstanceReusePolicy={"ReuseOnScaleIn": True},
    )
    scale(autoscaling, 0)
    assert states(autoscaling) == {instance: "Warmed:Pending:Wait"}
    assert events[-1]["detail"]["LifecycleTransition"] == TERMINATING
    assert events[-1]["detail"]["Destination"] == "WarmPool"
    complete(autoscaling, "emq-elb-drain", InstanceId=instance)
    assert states(autoscaling) == {instance: "Warmed:Running"}
    autoscaling.delete_warm_pool(AutoScalingGroupName="nodes", ForceDelete=True)
    assert ec2_state(instance) == "terminated"


@pytest.mark.parametrize("state", ["Pending:Proceed", "Warmed:Terminating:Wait", "Detaching", "Quarantined"])
def test_any_state_of_the_lifecycle_can_be_shown(autoscaling: Any, state: str) -> None:
    make_group(autoscaling)
    instance = only(states(autoscaling))
    fidelity.set_lifecycle_state(DEFAULT_ACCOUNT_ID, REGION, instance, state)
    assert states(autoscaling) == {instance: state}
    with pytest.raises(KeyError):
        fidelity.set_lifecycle_state(DEFAULT_ACCOUNT_ID, REGION, "i-unknown", state)


def test_a_load_balancer_of_the_group_gets_instances_in_service_only(autoscaling: Any) -> None:
    elb = boto3.client("elb")
    elb.create_load_balancer(
        LoadBalancerName="demo",
        Listeners=[
            {"Protocol": "TCP", "LoadBalancerPort": 1883, "InstanceProtocol": "TCP", "InstancePort": 1883}
        ],
        AvailabilityZones=[REGION + "a"],
    )

    def registered() -> list[str]:
        (described,) = elb.describe_load_balancers(LoadBalancerNames=["demo"])["LoadBalancerDescriptions"]
        return [instance["InstanceId"] for instance in described["Instances"]]

    make_group(autoscaling, READY, DRAIN, LoadBalancerNames=["demo"])
    instance = only(states(autoscaling))
    assert registered() == []
    complete(autoscaling, "emq-elb-ready", InstanceId=instance)
    assert registered() == [instance]
    (other,) = World().launch()
    elb.register_instances_with_load_balancer(LoadBalancerName="demo", Instances=[{"InstanceId": other}])
    scale(autoscaling, 0)
    assert registered() == [other]


def test_terminating_an_unknown_instance_is_a_validation_error(autoscaling: Any) -> None:
    refused = refusal(
        autoscaling.terminate_instance_in_auto_scaling_group,
        InstanceId="i-00000000000000000",
        ShouldDecrementDesiredCapacity=True,
    )
    assert refused[0] == "ValidationError"
