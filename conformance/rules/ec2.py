"""Security groups and tags of EC2."""

from __future__ import annotations

from typing import Any

from conformance.account import TAG, Account
from conformance.answer import hold, outcome, refused, same
from conformance.needs import INSTANCE, VPC, new_group
from conformance.rule import question, rule


def permission(port: int = 1883, **changes: Any) -> dict[str, Any]:
    """Return an inbound permission for one port, with changes."""
    return {
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        "IpRanges": [{"CidrIp": "192.0.2.0/24"}],
        **changes,
    }


def group(aws: Account) -> str:
    """Make a security group that goes when the rule ends."""
    made = new_group(aws, aws.need(VPC).id, aws.name("sg"))
    aws.defer(aws.client("ec2").delete_security_group, GroupId=made)
    return made


def inbound(aws: Account, group_id: str) -> list[Any]:
    """Return a group's inbound permissions."""
    (found,) = aws.client("ec2").describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    permissions: list[Any] = found["IpPermissions"]
    return permissions


@rule(VPC, code="provision/plan", corrects="ec2")
def a_permission_is_revoked_as_it_was_given(aws: Account) -> str:
    """A permission is revoked exactly as it was given: another range or port is not found.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
    """
    ec2, made = aws.client("ec2"), group(aws)
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[permission()])
    revoke, code = ec2.revoke_security_group_ingress, "InvalidPermission.NotFound"
    wider = permission(IpRanges=[{"CidrIp": "192.0.0.0/16"}])
    refused(revoke, code, GroupId=made, IpPermissions=[wider])
    said = refused(revoke, code, GroupId=made, IpPermissions=[permission(1884)])
    revoke(GroupId=made, IpPermissions=[permission()])
    same(inbound(aws, made), [], "what is left of it")
    return said


@rule(VPC, code="aws/errors", corrects="ec2")
def a_permission_is_given_once(aws: Account) -> str:
    """The same permission again is InvalidPermission.Duplicate.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    ec2, made = aws.client("ec2"), group(aws)
    call = ec2.authorize_security_group_ingress
    call(GroupId=made, IpPermissions=[permission()])
    return refused(call, "InvalidPermission.Duplicate", GroupId=made, IpPermissions=[permission()])


@rule(VPC, code="provision/plan", corrects="ec2")
def icmp_has_both_ports(aws: Account) -> str:
    """ICMP is named with both ports, -1 too, else InvalidParameterValue.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
    """
    ec2, made = aws.client("ec2"), group(aws)
    icmp = permission(-1, IpProtocol="icmp")
    ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[icmp])
    portless = {key: value for key, value in icmp.items() if not key.endswith("Port")}
    revoke, text = ec2.revoke_security_group_ingress, "Must specify both from and to ports with ICMP"
    said = refused(revoke, "InvalidParameterValue", text, GroupId=made, IpPermissions=[portless])
    revoke(GroupId=made, IpPermissions=[icmp])
    same(inbound(aws, made), [], "what is left of it")
    return said


@rule(VPC, code="provision/plan", corrects="ec2")
def a_permission_is_revoked_by_its_id(aws: Account) -> None:
    """A permission is revoked by its SecurityGroupRuleIds too.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
    """
    ec2, made = aws.client("ec2"), group(aws)
    answer = ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=[permission()])
    ids = [one["SecurityGroupRuleId"] for one in answer["SecurityGroupRules"]]
    ec2.revoke_security_group_ingress(GroupId=made, SecurityGroupRuleIds=ids)
    same(inbound(aws, made), [], "what is left of it")


@question(VPC, code="aws/errors", corrects="ec2")
def sixty_inbound_rules(aws: Account) -> str:
    """A group has 60 inbound rules by default, then RulesPerSecurityGroupLimitExceeded.

    https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
    """
    ec2, made = aws.client("ec2"), group(aws)
    ranges = [{"CidrIp": f"198.51.100.{number}/32"} for number in range(61)]
    call = ec2.authorize_security_group_ingress
    call(GroupId=made, IpPermissions=[permission(IpRanges=ranges[:60])])
    return (
        f"60, and one more is {outcome(call, GroupId=made, IpPermissions=[permission(IpRanges=ranges[60:])])}"
    )


@rule(VPC, code="provision/delete", corrects="ec2")
def a_group_that_another_names_stays(aws: Account) -> str:
    """A group that a rule of another one names cannot be deleted: DependencyViolation.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    """
    ec2, named, naming = aws.client("ec2"), group(aws), group(aws)
    pair = permission(IpRanges=[], UserIdGroupPairs=[{"GroupId": named}])
    ec2.authorize_security_group_ingress(GroupId=naming, IpPermissions=[pair])
    aws.defer(ec2.revoke_security_group_ingress, GroupId=naming, IpPermissions=[pair])
    return refused(ec2.delete_security_group, "DependencyViolation", GroupId=named)


@rule(VPC, code="aws/errors", corrects="ec2")
def a_groups_name_is_taken_once(aws: Account) -> str:
    """A group that does not exist is InvalidGroup.NotFound; a name is taken once in a VPC:
    InvalidGroup.Duplicate.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    ec2, name = aws.client("ec2"), aws.name("sg")
    refused(ec2.describe_security_groups, "InvalidGroup.NotFound", GroupIds=["sg-0123456789abcdef0"])
    made = new_group(aws, aws.need(VPC).id, name)
    aws.defer(ec2.delete_security_group, GroupId=made)
    again = {"GroupName": name, "Description": f"{TAG}={aws.run.name}", "VpcId": aws.need(VPC).id}
    tags = aws.tagged("security-group")
    return refused(ec2.create_security_group, "InvalidGroup.Duplicate", **again, TagSpecifications=tags)


@rule(VPC, code=("register/apply", "aws/ec2"), corrects="ec2")
def a_resource_has_fifty_tags(aws: Account) -> str:
    """A resource has 50 tags, one more is TagLimitExceeded.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html
    """
    ec2, made = aws.client("ec2"), group(aws)
    call = ec2.create_tags
    call(Resources=[made], Tags=[{"Key": f"tag-{number}", "Value": ""} for number in range(49)])
    return refused(call, "TagLimitExceeded", Resources=[made], Tags=[{"Key": "one more", "Value": ""}])


@rule(VPC, code="register/apply", corrects="ec2")
def a_batch_of_tags_fails_as_a_whole(aws: Account) -> str:
    """A batch of CreateTags fails as a whole: where one resource does not exist, none gets the tag.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html
    """
    ec2, made = aws.client("ec2"), group(aws)
    tag = {"Key": "batch", "Value": "1"}
    # The run's own permissions are about what carries its tag, and so not about what does not exist.
    codes = ("InvalidID", "InvalidInstanceID.NotFound", "UnauthorizedOperation")
    said = refused(ec2.create_tags, codes, Resources=[made, "i-0123456789abcdef0"], Tags=[tag])
    (found,) = ec2.describe_security_groups(GroupIds=[made])["SecurityGroups"]
    hold(tag not in found["Tags"], "the resource that exists has got the tag")
    return said


@rule(code="aws/errors", corrects="ec2")
def an_instance_that_is_not_there(aws: Account) -> str:
    """An instance that does not exist is InvalidInstanceID.NotFound; a filter for its id finds nothing.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    ec2, missing = aws.client("ec2"), "i-0123456789abcdef0"
    filters = [{"Name": "instance-id", "Values": [missing]}]
    same(ec2.describe_instances(Filters=filters)["Reservations"], [], "the filter finds")
    return refused(ec2.describe_instances, "InvalidInstanceID.NotFound", InstanceIds=[missing])


@rule(INSTANCE, code="aws/ec2", corrects="ec2")
def instances_are_found_by_tag(aws: Account) -> None:
    """A filter tag:<key> finds an instance by its tag.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
    """
    ec2, instance = aws.client("ec2"), aws.need(INSTANCE)
    filters = [{"Name": f"tag:{TAG}", "Values": [aws.run.name]}]
    found = {
        one["InstanceId"]
        for reservation in ec2.describe_instances(Filters=filters)["Reservations"]
        for one in reservation["Instances"]
    }
    hold(instance in found, f"it finds {found or 'nothing'}")
