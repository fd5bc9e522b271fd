"""Network load balancers: names, states, subnets, security groups, attributes, tags, deletion."""

from __future__ import annotations

import re
from typing import Any

from conformance.account import Account
from conformance.answer import hold, outcome, refused, same
from conformance.needs import (
    BALANCER,
    CLOSED_SUBNET,
    ELB_HOUR,
    GROUP,
    NETWORK,
    NETWORK_HOUR,
    PARENT,
    VPC,
    ZONE,
    balancer_request,
    network_request,
    new_group,
    new_network,
)
from conformance.rule import question, rule

MISFIT = ("ValidationError", "InvalidConfigurationRequest")
NO_BALANCER = "loadbalancer/net/conform-there-is-none/0123456789abcdef"
BORN = {
    "access_logs.s3.enabled": "false",
    "deletion_protection.enabled": "false",
    "load_balancing.cross_zone.enabled": "false",
    "dns_record.client_routing_policy": "any_availability_zone",
    "zonal_shift.config.enabled": "false",
}


def described(aws: Account) -> Any:
    """Return the shared network load balancer as AWS shows it."""
    describe = aws.client("elbv2").describe_load_balancers
    (found,) = describe(LoadBalancerArns=[aws.need(NETWORK).arn])["LoadBalancers"]
    return found


def absent(aws: Account, resource: str) -> str:
    """Return the ARN of something of this account that does not exist."""
    account = aws.client("sts").get_caller_identity()
    partition = account["Arn"].split(":")[1]
    return f"arn:{partition}:elasticloadbalancing:{aws.place.region}:{account['Account']}:{resource}"


def attributes(aws: Account, arn: str) -> dict[str, str]:
    """Return a load balancer's attributes."""
    answer = aws.client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=arn)
    return {one["Key"]: one["Value"] for one in answer["Attributes"]}


def set_subnets(aws: Account, *subnets: str) -> set[str]:
    """Give the shared load balancer these subnets until the rule ends; return those that it has then."""
    elbv2, arn = aws.client("elbv2"), aws.need(NETWORK).arn
    aws.defer(elbv2.set_subnets, LoadBalancerArn=arn, Subnets=[aws.need(VPC).first])
    elbv2.set_subnets(LoadBalancerArn=arn, Subnets=[*subnets])
    return {one["SubnetId"] for one in described(aws)["AvailabilityZones"]}


@rule(VPC, GROUP, code="model/syntax", corrects="elbv2_state")
def names_of_network_ones(aws: Account) -> None:
    """A network load balancer's name has at most 32 letters, digits and hyphens, no hyphen at either end, and
    does not begin with internal-.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    """
    create = aws.client("elbv2").create_load_balancer
    for name in (
        f"conform-{'a' * 25}",
        "conform-under_score",
        "-conform-begins",
        "conform-ends-",
        "internal-conform",
    ):
        refused(create, "ValidationError", **network_request(aws, Name=name))


@rule(NETWORK, VPC, GROUP, code="provision/review_network", corrects="elbv2_load_balancers")
def a_name_is_shared_with_application_ones(aws: Account) -> str:
    """Names are unique among the network and the application load balancers of a region: another one of the
    name is DuplicateLoadBalancerName.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/create-network-load-balancer.html
    """
    vpc = aws.need(VPC)
    request = network_request(
        aws, Name=aws.need(NETWORK).name, Type="application", Subnets=[vpc.first, vpc.second]
    )
    return refused(aws.client("elbv2").create_load_balancer, "DuplicateLoadBalancerName", **request)


@question(NETWORK, VPC, code="model/same_name", corrects="elbv2_load_balancers", dollars=ELB_HOUR)
def a_classic_one_of_a_network_ones_name(aws: Account) -> str:
    """Whether a classic and a network load balancer of one region may have one name is not said.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    """
    elb, name = aws.client("elb"), aws.need(NETWORK).name
    aws.spend(ELB_HOUR)
    aws.defer(elb.delete_load_balancer, LoadBalancerName=name)
    return outcome(elb.create_load_balancer, **balancer_request(aws, LoadBalancerName=name))


@rule(NETWORK, VPC, GROUP, code=("provision/put", "aws/refusals"), corrects="elbv2_load_balancers")
def to_create_the_same_again_is_no_fault(aws: Account) -> str:
    """CreateLoadBalancer of the same name and settings answers the load balancer that is there; with another
    scheme it is DuplicateLoadBalancerName.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    """
    create, there = aws.client("elbv2").create_load_balancer, aws.need(NETWORK)
    request = network_request(aws, Name=there.name)
    (answered,) = create(**request)["LoadBalancers"]
    same(answered["LoadBalancerArn"], there.arn, "the ARN")
    return refused(create, "DuplicateLoadBalancerName", **request | {"Scheme": "internet-facing"})


@question(NETWORK, code="aws/elbv2", corrects="knobs")
def how_long_a_new_one_is_provisioning(aws: Account) -> str:
    """A new network load balancer is provisioning for two to three minutes, then active.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerState.html
    https://github.com/kubernetes/kops/pull/14499
    """
    return f"{aws.need(NETWORK).seconds:.0f} s"


@rule(NETWORK, code=("aws/elbv2", "model/names"), corrects="elbv2_load_balancers")
def the_name_in_dns_and_the_arn_have_one_id(aws: Account) -> None:
    """Its ARN ends in net/<name>/<16 hex digits>, and its name in DNS is
    <name>-<these digits>.elb.<region>.<suffix>.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html
    """
    found, there = described(aws), aws.need(NETWORK)
    digits = there.arn.rpartition("/")[2]
    hold(bool(re.fullmatch("[0-9a-f]{16}", digits)), f"the ARN is {there.arn}")
    hold(there.arn.endswith(f":loadbalancer/net/{there.name}/{digits}"), f"the ARN is {there.arn}")
    begins = f"{there.name}-{digits}.elb.{aws.place.region}.amazonaws.com"
    hold(found["DNSName"].startswith(begins), f"it is {found['DNSName']}")


@rule(NETWORK, ZONE, code=("aws/route53", "dns/plan"), corrects="route53_aliases")
def an_alias_of_a_network_load_balancer(aws: Account) -> None:
    """An alias target of a network load balancer is its CanonicalHostedZoneId and DNSName.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-alias.html
    """
    route53, found = aws.client("route53"), described(aws)
    record = {
        "Name": f"network.{aws.run.name}.{PARENT}",
        "Type": "A",
        "AliasTarget": {
            "HostedZoneId": found["CanonicalHostedZoneId"],
            "DNSName": found["DNSName"],
            "EvaluateTargetHealth": True,
        },
    }
    for action in ("CREATE", "DELETE"):
        changes = [{"Action": action, "ResourceRecordSet": record}]
        route53.change_resource_record_sets(HostedZoneId=aws.need(ZONE), ChangeBatch={"Changes": changes})


@rule(NETWORK, BALANCER, code=("dns/plan", "aws/elbv2"), corrects="route53_aliases")
def its_hosted_zone_is_not_the_classic_ones(aws: Account) -> str:
    """The hosted zone of a region's network load balancers is another one than that of its classic ones.

    https://docs.aws.amazon.com/general/latest/gr/elb.html
    """
    (classic,) = aws.client("elb").describe_load_balancers(LoadBalancerNames=[aws.need(BALANCER)])[
        "LoadBalancerDescriptions"
    ]
    zones = (described(aws)["CanonicalHostedZoneId"], classic["CanonicalHostedZoneNameID"])
    hold(len({*zones}) == 2, f"both are {zones[0]}")
    return f"{zones[0]}, of classic ones {zones[1]}"


@rule(VPC, GROUP, code="provision/review_network", corrects="elbv2_load_balancers")
def what_a_new_one_names_has_to_be_there(aws: Account) -> None:
    """CreateLoadBalancer: an unknown subnet is SubnetNotFound, a group InvalidSecurityGroup, a scheme
    InvalidScheme, an Elastic IP AllocationIdNotFound.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
    """
    create = aws.client("elbv2").create_load_balancer
    mapping = {"SubnetId": aws.need(VPC).first, "AllocationId": "eipalloc-0123456789abcdef0"}
    facing = {"Scheme": "internet-facing", "SubnetMappings": [mapping], "Subnets": []}
    for code, change in (
        (("SubnetNotFound",), {"Subnets": ["subnet-0123456789abcdef0"]}),
        (("InvalidSecurityGroup",), {"SecurityGroups": ["sg-0123456789abcdef0"]}),
        (("InvalidScheme", "ValidationError"), {"Scheme": "private"}),
        (("AllocationIdNotFound",), facing),
    ):
        refused(create, code, **network_request(aws, **change))


@rule(CLOSED_SUBNET, VPC, GROUP, code="provision/review", corrects="elbv2_load_balancers")
def an_internet_facing_one_needs_an_internet_gateway(aws: Account) -> str:
    """In a VPC without an internet gateway an internet-facing network load balancer is InvalidSubnet.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/create-network-load-balancer.html
    """
    request = network_request(aws, Scheme="internet-facing", Subnets=[aws.need(CLOSED_SUBNET)])
    del request["SecurityGroups"]
    return refused(aws.client("elbv2").create_load_balancer, "InvalidSubnet", **request)


@rule(VPC, GROUP, code="provision/declaration_checks", corrects="elbv2_load_balancers")
def a_private_address_is_for_internal_ones(aws: Account) -> str:
    """A private address of a subnet can be named for an internal load balancer only.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SubnetMapping.html
    """
    mapping = {"SubnetId": aws.need(VPC).first, "PrivateIPv4Address": "10.213.1.77"}
    request = network_request(aws, Scheme="internet-facing", SubnetMappings=[mapping], Subnets=[])
    return refused(aws.client("elbv2").create_load_balancer, MISFIT, **request)


@rule(
    VPC,
    GROUP,
    code="provision/plan_network",
    corrects="elbv2_load_balancers",
    dollars=NETWORK_HOUR,
    minutes=0.1,
)
def without_security_groups_it_never_gets_any(aws: Account) -> str:
    """A network load balancer that was made without security groups cannot be given any.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html
    https://github.com/hashicorp/terraform-provider-aws/issues/32982
    """
    arn = new_network(aws, SecurityGroups=[])
    give = aws.client("elbv2").set_security_groups
    return refused(give, MISFIT, LoadBalancerArn=arn, SecurityGroups=[aws.need(GROUP)])


@rule(NETWORK, GROUP, VPC, code="provision/plan_network", corrects="elbv2_load_balancers")
def its_security_groups_are_exchanged_but_never_all_taken(aws: Account) -> str:
    """Its security groups can be exchanged for others, and never all be taken away.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html
    """
    elbv2, arn = aws.client("elbv2"), aws.need(NETWORK).arn
    other = new_group(aws, aws.need(VPC).id, aws.name("sg"))
    aws.defer(elbv2.set_security_groups, LoadBalancerArn=arn, SecurityGroups=[aws.need(GROUP)])
    elbv2.set_security_groups(LoadBalancerArn=arn, SecurityGroups=[other])
    same(described(aws)["SecurityGroups"], [other], "its groups")
    return refused(elbv2.set_security_groups, MISFIT, LoadBalancerArn=arn, SecurityGroups=[])


@rule(NETWORK, VPC, code="provision/plan_network", corrects="elbv2_load_balancers", minutes=1)
def a_zone_is_added_and_removed(aws: Account) -> None:
    """SetSubnets adds a zone, and removes one.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/availability-zones.html
    """
    vpc = aws.need(VPC)
    same(set_subnets(aws, vpc.first, vpc.second), {vpc.first, vpc.second}, "the subnets")
    same(set_subnets(aws, vpc.first), {vpc.first}, "the subnets")


@rule(NETWORK, VPC, code="provision/review", corrects="elbv2_load_balancers", minutes=0.5)
def a_subnet_of_16_addresses_is_large_enough(aws: Account) -> None:
    """A subnet with a /28 block, which no classic load balancer takes, is large enough for a network one.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/availability-zones.html
    """
    vpc = aws.need(VPC)
    same(set_subnets(aws, vpc.first, vpc.tiny), {vpc.first, vpc.tiny}, "the subnets")


@rule(
    VPC,
    GROUP,
    code="provision/plan_network",
    corrects="elbv2_load_balancers",
    dollars=NETWORK_HOUR,
    minutes=3.5,
)
def an_address_is_named_again_with_its_subnet(aws: Account) -> None:
    """SetSubnets takes the address that an enabled subnet has already, and leaves it as it is.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSubnets.html
    """
    elbv2, vpc, address = aws.client("elbv2"), aws.need(VPC), "10.213.1.77"
    mapping = {"SubnetId": vpc.first, "PrivateIPv4Address": address}
    arn = new_network(aws, SubnetMappings=[mapping], Subnets=[])

    def shown() -> Any:
        (found,) = elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        return found

    aws.until(lambda: shown()["State"]["Code"] == "active", 600, "it is active")
    elbv2.set_subnets(LoadBalancerArn=arn, SubnetMappings=[mapping, {"SubnetId": vpc.second}])
    zones = {one["SubnetId"]: one["LoadBalancerAddresses"] for one in shown()["AvailabilityZones"]}
    same(zones.keys(), {vpc.first, vpc.second}, "the subnets")
    same([one.get("PrivateIPv4Address") for one in zones[vpc.first]], [address], "the address")


@question(NETWORK, VPC, code="provision/plan_network", corrects="elbv2_load_balancers", minutes=0.5)
def a_zones_subnet_exchanged_in_one_call(aws: Account) -> str:
    """Whether SetSubnets exchanges the subnet of a zone for another one of the same zone is not said.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_SetSubnets.html
    """
    elbv2, arn, vpc = aws.client("elbv2"), aws.need(NETWORK).arn, aws.need(VPC)
    aws.defer(elbv2.set_subnets, LoadBalancerArn=arn, Subnets=[vpc.first])
    return outcome(elbv2.set_subnets, LoadBalancerArn=arn, Subnets=[vpc.beside])


@rule(NETWORK, code=("model/unmanaged", "aws/elbv2"), corrects="elbv2_load_balancers")
def what_a_new_network_one_is_born_with(aws: Account) -> str:
    """A new network load balancer balances within its zones, has no deletion protection and no access logs.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
    """
    found = attributes(aws, aws.need(NETWORK).arn)
    same({key: found.get(key) for key in BORN}, BORN, "the attributes")
    return ", ".join(f"{key}={value}" for key, value in sorted(found.items()) if key not in BORN)


@rule(NETWORK, code="aws/elbv2_calls", corrects="elbv2_state")
def an_attribute_that_is_not_there_is_refused(aws: Account) -> str:
    """A key that no load balancer has is InvalidConfigurationRequest.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyLoadBalancerAttributes.html
    """
    bogus = [{"Key": "conformance.enabled", "Value": "true"}]
    modify = aws.client("elbv2").modify_load_balancer_attributes
    return refused(modify, MISFIT, LoadBalancerArn=aws.need(NETWORK).arn, Attributes=bogus)


@rule(NETWORK, code="aws/refusals", corrects="elbv2_load_balancers")
def deletion_protection_stands_in_the_way(aws: Account) -> str:
    """With deletion protection DeleteLoadBalancer is OperationNotPermitted.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html
    """
    elbv2, arn = aws.client("elbv2"), aws.need(NETWORK).arn
    modify, key = elbv2.modify_load_balancer_attributes, "deletion_protection.enabled"
    aws.defer(modify, LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": "false"}])
    modify(LoadBalancerArn=arn, Attributes=[{"Key": key, "Value": "true"}])
    return refused(elbv2.delete_load_balancer, "OperationNotPermitted", LoadBalancerArn=arn)


@rule(code="provision/delete", corrects="elbv2_load_balancers")
def to_delete_a_network_one_that_is_missing_succeeds(aws: Account) -> None:
    """DeleteLoadBalancer of one that does not exist succeeds.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html
    """
    aws.client("elbv2").delete_load_balancer(LoadBalancerArn=absent(aws, NO_BALANCER))


@rule(NETWORK, code="aws/elbv2", corrects="elbv2")
def tags_of_20_at_a_time(aws: Account) -> str:
    """DescribeTags takes 20 ARNs, and one that does not exist fails the whole call: LoadBalancerNotFound.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
    """
    describe, missing = aws.client("elbv2").describe_tags, absent(aws, NO_BALANCER)
    refused(describe, "LoadBalancerNotFound", ResourceArns=[aws.need(NETWORK).arn, missing])
    many = [f"{missing[:-2]}{number:02}" for number in range(21)]
    return refused(describe, "ValidationError", ResourceArns=many)


@rule(NETWORK, code=("model/names", "provision/declaration_checks"), corrects="elbv2_state")
def tags_of_network_ones_have_no_key_of_awss(aws: Account) -> None:
    """A key that begins with aws: is refused, and one that is named twice is DuplicateTagKeys.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AddTags.html
    """
    add, arns = aws.client("elbv2").add_tags, [aws.need(NETWORK).arn]
    reserved = ("ValidationError", "InvalidParameterValue")
    refused(add, reserved, ResourceArns=arns, Tags=[{"Key": "aws:k", "Value": ""}])
    twice = [{"Key": "twice", "Value": "1"}, {"Key": "twice", "Value": "2"}]
    refused(add, "DuplicateTagKeys", ResourceArns=arns, Tags=twice)


@rule(NETWORK, code="aws/elbv2", corrects="elbv2_load_balancers")
def one_missing_network_one_fails_the_whole_call(aws: Account) -> str:
    """To name one that does not exist fails all of DescribeLoadBalancers: LoadBalancerNotFound.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html
    """
    names = [aws.need(NETWORK).name, "conform-there-is-none"]
    return refused(aws.client("elbv2").describe_load_balancers, "LoadBalancerNotFound", Names=names)


@rule(code="aws/elbv2", corrects="elbv2_state")
def pages_of_the_second_api_have_up_to_400(aws: Account) -> None:
    """DescribeLoadBalancers and DescribeTargetGroups have pages of 1 to 400.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html
    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html
    """
    elbv2 = aws.client("elbv2")
    for describe in (elbv2.describe_load_balancers, elbv2.describe_target_groups):
        describe(PageSize=400)
        refused(describe, "ValidationError", PageSize=401)


@rule(code="aws/elbv2", corrects="elbv2_load_balancers")
def account_limits_of_the_second_api(aws: Account) -> str:
    """DescribeAccountLimits names the quotas network-load-balancers, target-groups,
    listeners-per-network-load-balancer and targets-per-network-load-balancer.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Limit.html
    """
    limits = {one["Name"]: one["Max"] for one in aws.client("elbv2").describe_account_limits()["Limits"]}
    named = (
        "network-load-balancers",
        "target-groups",
        "listeners-per-network-load-balancer",
        "targets-per-network-load-balancer",
    )
    hold(limits.keys() >= {*named}, f"the limits are {limits}")
    return ", ".join(f"{name} {limits[name]}" for name in named)


@rule(
    NETWORK, VPC, code=("provision/delete", "provision/sweep"), corrects="elbv2_load_balancers", minutes=0.5
)
def its_interfaces_hold_its_security_group(aws: Account) -> str:
    """It has a network interface ELB net/<name>/<id> in each subnet, and DeleteSecurityGroup of its group is
    DependencyViolation.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html
    """
    ec2, group = aws.client("ec2"), new_group(aws, aws.need(VPC).id, aws.name("sg"))
    elbv2, there = aws.client("elbv2"), aws.need(NETWORK)
    (before,) = described(aws)["SecurityGroups"]
    aws.defer(ec2.delete_security_group, GroupId=group)
    aws.defer(elbv2.set_security_groups, LoadBalancerArn=there.arn, SecurityGroups=[before])
    elbv2.set_security_groups(LoadBalancerArn=there.arn, SecurityGroups=[group])
    filters = [{"Name": "group-id", "Values": [group]}]
    found = aws.until(
        lambda: ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"],
        120,
        "it has interfaces",
    )
    wanted = f"ELB {there.arn.partition(':loadbalancer/')[2]}"
    same({one["Description"] for one in found}, {wanted}, "the description")
    return refused(ec2.delete_security_group, "DependencyViolation", GroupId=group)


@question(VPC, GROUP, code="provision/sweep", corrects=("ec2", "knobs"), minutes=4, dollars=NETWORK_HOUR)
def how_long_a_deleted_network_one_holds_its_group(aws: Account) -> str:
    """DeleteLoadBalancer answers at once, but the interfaces linger for minutes.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    """
    elbv2, ec2 = aws.client("elbv2"), aws.client("ec2")
    group = new_group(aws, aws.need(VPC).id, aws.name("sg"))
    elbv2.delete_load_balancer(LoadBalancerArn=new_network(aws, SecurityGroups=[group]))
    codes = ["DependencyViolation", "InvalidGroup.InUse"]
    return f"{aws.once_allowed(ec2.delete_security_group, codes, 600, GroupId=group):.0f} s"
