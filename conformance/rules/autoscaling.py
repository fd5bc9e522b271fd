"""Auto Scaling: lifecycle hooks, warm pools, and groups that register their instances themselves."""

from __future__ import annotations

from typing import Any

from conformance.account import TAG, Account
from conformance.answer import hold, refused, same
from conformance.needs import BALANCER, GROUP, INSTANCE_HOUR, VPC
from conformance.rule import rule

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


def new_group(aws: Account, size: int, **more: Any) -> str:
    """Make a group of small instances that goes when the rule ends."""
    ec2, autoscaling, name = aws.client("ec2"), aws.client("autoscaling"), aws.name("asg")
    template = {
        "ImageId": aws.place.image(ec2),
        "InstanceType": "t3.nano",
        "SecurityGroupIds": [aws.need(GROUP)],
        "TagSpecifications": [*aws.tagged("instance"), *aws.tagged("volume")],
    }
    ec2.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData=template, TagSpecifications=aws.tagged("launch-template")
    )
    aws.defer(ec2.delete_launch_template, LaunchTemplateName=name)
    tag = {"Key": TAG, "Value": aws.run.name, "PropagateAtLaunch": True}
    aws.defer(autoscaling.delete_auto_scaling_group, AutoScalingGroupName=name, ForceDelete=True)
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=size + 1,
        DesiredCapacity=size,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "$Latest"},
        VPCZoneIdentifier=aws.need(VPC).first,
        Tags=[{**tag, "ResourceId": name, "ResourceType": "auto-scaling-group"}],
        **more,
    )
    return name


def hook(transition: str, **more: Any) -> dict[str, Any]:
    """Return the specification of a lifecycle hook."""
    name = "emq-elb-conform-ready" if transition == LAUNCHING else "emq-elb-conform-drain"
    return {"LifecycleHookName": name, "LifecycleTransition": transition, **more}


def members(aws: Account, group: str) -> dict[str, str]:
    """Return the instances of a group with their lifecycle states."""
    (found,) = aws.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])[
        "AutoScalingGroups"
    ]
    return {one["InstanceId"]: one["LifecycleState"] for one in found["Instances"]}


def waiting(aws: Account, group: str, state: str) -> str:
    """Return the instance of a group that is in a lifecycle state, once there is one."""
    return aws.until(
        lambda: next((one for one, now in members(aws, group).items() if now == state), ""),
        300,
        f"an instance is {state}; the group has {members(aws, group)}",
    )


@rule(VPC, GROUP, code="register/hooks", corrects="autoscaling_operations")
def a_hook_waits_for_an_hour(aws: Account) -> None:
    """A lifecycle hook waits 3,600 s by default, and abandons then.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html
    """
    autoscaling, name = aws.client("autoscaling"), new_group(aws, 0)
    autoscaling.put_lifecycle_hook(AutoScalingGroupName=name, **hook(TERMINATING))
    (found,) = autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
    same(found["HeartbeatTimeout"], 3600, "its timeout")
    same(found["DefaultResult"], "ABANDON", "its default result")


@rule(
    VPC,
    GROUP,
    code=("register/hooks", "register/lifecycle"),
    corrects="lifecycle",
    minutes=2,
    dollars=INSTANCE_HOUR,
)
def a_hook_holds_an_instance(aws: Account) -> str:
    """A hook for launching holds an instance in Pending:Wait, one for terminating in Terminating:Wait;
    CompleteLifecycleAction takes the instance's id in place of the token, and says afterwards that there
    is no active action.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html
    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html
    """
    autoscaling = aws.client("autoscaling")
    hooks = [hook(LAUNCHING), hook(TERMINATING)]
    name = new_group(aws, 1, LifecycleHookSpecificationList=hooks)
    instance = waiting(aws, name, "Pending:Wait")
    done = {
        "AutoScalingGroupName": name,
        "InstanceId": instance,
        "LifecycleHookName": hooks[0]["LifecycleHookName"],
        "LifecycleActionResult": "CONTINUE",
    }
    autoscaling.complete_lifecycle_action(**done)
    same(waiting(aws, name, "InService"), instance, "in service is")
    said = refused(
        autoscaling.complete_lifecycle_action, "ValidationError", "No active Lifecycle Action", **done
    )
    autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=0)
    same(waiting(aws, name, "Terminating:Wait"), instance, "about to end is")
    autoscaling.record_lifecycle_action_heartbeat(
        AutoScalingGroupName=name, InstanceId=instance, LifecycleHookName=hooks[1]["LifecycleHookName"]
    )
    autoscaling.complete_lifecycle_action(**done | {"LifecycleHookName": hooks[1]["LifecycleHookName"]})
    aws.until(lambda: members(aws, name).get(instance) != "Terminating:Wait", 120, "it goes on")
    return said


@rule(VPC, GROUP, code="register/lifecycle", corrects="lifecycle", minutes=2, dollars=INSTANCE_HOUR)
def a_warm_pool_is_never_in_service(aws: Account) -> str:
    """A hook holds an instance of a warm pool in Warmed:Pending:Wait; completed it rests in the pool, and is
    no instance in service of the group.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/warm-pool-instance-lifecycle.html
    """
    autoscaling = aws.client("autoscaling")
    name = new_group(aws, 0, LifecycleHookSpecificationList=[hook(LAUNCHING)])
    autoscaling.put_warm_pool(AutoScalingGroupName=name, MinSize=1, MaxGroupPreparedCapacity=1)

    def pool() -> list[Any]:
        found: list[Any] = autoscaling.describe_warm_pool(AutoScalingGroupName=name)["Instances"]
        return found

    def waits() -> str:
        return next(
            (one["InstanceId"] for one in pool() if one["LifecycleState"] == "Warmed:Pending:Wait"), ""
        )

    instance = aws.until(waits, 300, "an instance is Warmed:Pending:Wait")
    autoscaling.complete_lifecycle_action(
        AutoScalingGroupName=name,
        InstanceId=instance,
        LifecycleHookName=hook(LAUNCHING)["LifecycleHookName"],
        LifecycleActionResult="CONTINUE",
    )
    aws.until(lambda: [one["LifecycleState"] for one in pool()] == ["Warmed:Stopped"], 300, "it rests")
    hold(instance not in members(aws, name), "the group lists it beside those in service")
    (seen,) = autoscaling.describe_auto_scaling_instances(InstanceIds=[instance])["AutoScalingInstances"]
    return str(seen["LifecycleState"])


@rule(code=("aws/autoscaling", "register/observe"), corrects="autoscaling_operations")
def fifty_instances_at_once(aws: Account) -> str:
    """DescribeAutoScalingInstances takes up to 50 ids; those in no group are left out.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingInstances.html
    """
    call = aws.client("autoscaling").describe_auto_scaling_instances
    ids = [f"i-{number:017x}" for number in range(51)]
    same(call(InstanceIds=ids[:50])["AutoScalingInstances"], [], "it answers")
    return refused(call, "ValidationError", InstanceIds=ids)


@rule(
    BALANCER,
    code=("provision/review", "register/plan"),
    corrects=("autoscaling", "elb"),
    minutes=1.5,
    dollars=INSTANCE_HOUR,
)
def a_group_registers_its_instances_itself(aws: Account) -> None:
    """An Auto Scaling group with a load balancer's name in LoadBalancerNames registers its instances itself.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/attach-load-balancer-asg.html
    """
    elb, autoscaling, balancer = aws.client("elb"), aws.client("autoscaling"), aws.need(BALANCER)
    name = new_group(aws, 1, LoadBalancerNames=[balancer])
    (found,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    same(found["LoadBalancerNames"], [balancer], "it names")

    def registered() -> set[str]:
        (one,) = elb.describe_load_balancers(LoadBalancerNames=[balancer])["LoadBalancerDescriptions"]
        return {instance["InstanceId"] for instance in one["Instances"]}

    aws.until(lambda: registered() & members(aws, name).keys(), 240, "its instance is registered")


@rule(VPC, GROUP, code="aws/errors", corrects="autoscaling_operations")
def a_group_that_is_not_there(aws: Account) -> str:
    """An operation on a group that does not exist is ValidationError.

    https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CompleteLifecycleAction.html
    """
    call, name = aws.client("autoscaling").put_lifecycle_hook, aws.name("none")
    return refused(call, "ValidationError", AutoScalingGroupName=name, **hook(TERMINATING))
