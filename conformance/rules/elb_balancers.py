"""Classic load balancers: names, quotas, tags, paging, schemes, security groups."""

from __future__ import annotations

from conformance.account import Account
from conformance.answer import hold, outcome, refused, same
from conformance.needs import (
    BALANCER,
    ELB_HOUR,
    GROUP,
    OTHER_BALANCER,
    VPC,
    balancer_request,
    new_balancer,
    plain,
)
from conformance.rule import question, rule

UNUSED = "conform-there-is-none"


@rule(VPC, code="provision/declaration_checks", corrects="elb_load_balancers")
def names_are_letters_digits_and_hyphens(aws: Account) -> None:
    """A load balancer's name has at most 32 characters, letters, digits and hyphens, no hyphen at either end.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html
    """
    create = aws.client("elb").create_load_balancer
    for name in (
        f"conform-{'a' * 25}",
        "conform-under_score",
        "conform-dot.dot",
        "-conform-begins",
        "conform-ends-",
    ):
        refused(create, "ValidationError", **balancer_request(aws, LoadBalancerName=name))


@rule(BALANCER, code="provision/observe", corrects="elb_load_balancers")
def a_name_is_taken_once_in_a_region(aws: Account) -> str:
    """A name is unique in a region of an account: another load balancer of that name is refused.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html
    """
    request = balancer_request(aws, LoadBalancerName=aws.need(BALANCER), Listeners=[plain(1999)])
    return refused(aws.client("elb").create_load_balancer, "DuplicateLoadBalancerName", **request)


@question(VPC, code="provision/put", corrects="elb_load_balancers", dollars=ELB_HOUR)
def the_same_name_and_equal_settings(aws: Account) -> str:
    """Whether CreateLoadBalancer with an existing name and equal settings succeeds is not certain.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html
    """
    elb, name = aws.client("elb"), new_balancer(aws)
    aws.defer(elb.delete_load_balancer, LoadBalancerName=name)
    return outcome(elb.create_load_balancer, **balancer_request(aws, LoadBalancerName=name))


@rule(VPC, code="provision/declaration_checks", corrects="elb_load_balancers")
def a_scheme_is_internet_facing_or_internal(aws: Account) -> str:
    """Another scheme is InvalidScheme.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html
    """
    request = balancer_request(aws, Scheme="private")
    return refused(aws.client("elb").create_load_balancer, "InvalidScheme", **request)


@rule(code="aws/elb", corrects="elb_load_balancers")
def account_limits_have_names(aws: Account) -> str:
    """DescribeAccountLimits names the quotas classic-load-balancers, classic-listeners and
    classic-registered-instances; by default they are 20, 100 and 1000.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-limits.html
    """
    limits = {one["Name"]: one["Max"] for one in aws.client("elb").describe_account_limits()["Limits"]}
    named = ("classic-load-balancers", "classic-listeners", "classic-registered-instances")
    hold(limits.keys() >= {*named}, f"the limits are {limits}")
    return ", ".join(f"{name} {limits[name]}" for name in named)


@rule(BALANCER, code=("model/names", "provision/declaration_checks"), corrects="elb_tags")
def tags_of_127_and_255_characters(aws: Account) -> None:
    """A tag's key has up to 127 characters, its value up to 255, and no key begins with aws:.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/add-remove-tags.html
    """
    elb, name, key = aws.client("elb"), aws.need(BALANCER), "k" * 127
    elb.add_tags(LoadBalancerNames=[name], Tags=[{"Key": key, "Value": "v" * 255}])
    aws.defer(elb.remove_tags, LoadBalancerNames=[name], Tags=[{"Key": key}])
    for tag in (
        {"Key": "k" * 129, "Value": ""},
        {"Key": "k", "Value": "v" * 257},
        {"Key": "aws:k", "Value": ""},
    ):
        refused(
            elb.add_tags, ("ValidationError", "InvalidParameterValue"), LoadBalancerNames=[name], Tags=[tag]
        )


@question(BALANCER, code="provision/declaration_checks", corrects="elb_tags")
def a_tag_one_character_longer(aws: Account) -> str:
    """The guide says 127 and 255 characters, the API's text 128 and 256.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/add-remove-tags.html
    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_Tag.html
    """
    elb, name, key = aws.client("elb"), aws.need(BALANCER), "k" * 128
    aws.defer(elb.remove_tags, LoadBalancerNames=[name], Tags=[{"Key": key}])
    return outcome(elb.add_tags, LoadBalancerNames=[name], Tags=[{"Key": key, "Value": "v" * 256}])


@rule(BALANCER, code="aws/elb", corrects="elb_tags")
def a_tag_named_twice_is_refused(aws: Account) -> str:
    """A key that one request names twice is DuplicateTagKeys.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_AddTags.html
    """
    twice = [{"Key": "twice", "Value": "1"}, {"Key": "twice", "Value": "2"}]
    add = aws.client("elb").add_tags
    return refused(add, "DuplicateTagKeys", LoadBalancerNames=[aws.need(BALANCER)], Tags=twice)


@question(OTHER_BALANCER, code="provision/declaration_checks", corrects="elb_tags")
def ten_tags_or_fifty(aws: Account) -> str:
    """The guide says that a load balancer has up to 50 tags, the API's text says 10.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/add-remove-tags.html
    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_AddTags.html
    """
    elb, name = aws.client("elb"), aws.need(OTHER_BALANCER)
    tags = [{"Key": f"tag-{number}", "Value": ""} for number in range(50)]
    for start in range(0, len(tags), 5):
        aws.defer(
            elb.remove_tags,
            LoadBalancerNames=[name],
            Tags=[{"Key": one["Key"]} for one in tags[start : start + 5]],
        )
    for number, tag in enumerate(tags):
        said = outcome(elb.add_tags, LoadBalancerNames=[name], Tags=[tag])
        if said != "accepted":
            return f"{number + 1} tags at most; then {said}"  # beside the run's own
    return "more than 50"


@rule(BALANCER, code="aws/elb", corrects="elb_tags")
def tags_of_twenty_load_balancers_at_once(aws: Account) -> str:
    """DescribeTags takes 1 to 20 names, and has no pages.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeTags.html
    """
    describe = aws.client("elb").describe_tags
    answer = describe(LoadBalancerNames=[aws.need(BALANCER)])
    hold(answer.keys() == {"TagDescriptions", "ResponseMetadata"}, f"it answers {answer.keys()}")
    refused(describe, "ValidationError", LoadBalancerNames=[])
    return refused(describe, "ValidationError", LoadBalancerNames=[f"{UNUSED}-{n}" for n in range(21)])


@rule(BALANCER, OTHER_BALANCER, code="aws/elb", corrects="elb_load_balancers")
def load_balancers_come_in_pages(aws: Account) -> None:
    """DescribeLoadBalancers has pages of 1 to 400, with Marker and NextMarker.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeLoadBalancers.html
    """
    describe, seen = aws.client("elb").describe_load_balancers, set()
    wanted = {aws.need(BALANCER), aws.need(OTHER_BALANCER)}
    answer = describe(PageSize=1)
    hold(
        len(answer["LoadBalancerDescriptions"]) == 1 and "NextMarker" in answer,
        "the first page is not one of two",
    )
    while True:
        seen |= {one["LoadBalancerName"] for one in answer["LoadBalancerDescriptions"]}
        if not (marker := answer.get("NextMarker")):
            break
        answer = describe(PageSize=1, Marker=marker)
    hold(seen >= wanted, f"the pages together leave out {wanted - seen}")
    refused(describe, "ValidationError", PageSize=401)
    refused(describe, "ValidationError", PageSize=0)


@rule(BALANCER, code="aws/elb", corrects="elb_load_balancers")
def one_missing_name_fails_the_whole_call(aws: Account) -> str:
    """To name one load balancer that does not exist fails all of DescribeLoadBalancers: LoadBalancerNotFound.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeLoadBalancers.html
    """
    describe = aws.client("elb").describe_load_balancers
    return refused(describe, "LoadBalancerNotFound", LoadBalancerNames=[aws.need(BALANCER), UNUSED])


@rule(code="aws/errors", corrects="elb_state")
def what_is_missing_is_not_found(aws: Account) -> None:
    """Every operation on a load balancer that does not exist is LoadBalancerNotFound.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DescribeLoadBalancerAttributes.html
    """
    elb, here = aws.client("elb"), {"LoadBalancerName": UNUSED}
    check = {"Target": "TCP:80", "Interval": 30, "Timeout": 5, "UnhealthyThreshold": 2, "HealthyThreshold": 2}
    refused(elb.describe_load_balancer_attributes, "LoadBalancerNotFound", **here)
    refused(elb.describe_instance_health, "LoadBalancerNotFound", **here)
    refused(elb.configure_health_check, "LoadBalancerNotFound", **here, HealthCheck=check)
    refused(elb.describe_tags, "LoadBalancerNotFound", LoadBalancerNames=[UNUSED])
    refused(elb.create_load_balancer_listeners, "LoadBalancerNotFound", **here, Listeners=[plain(1883)])


@rule(VPC, code="provision/desired", corrects="elb_network", dollars=ELB_HOUR)
def without_a_group_it_gets_the_default_one(aws: Account) -> None:
    """A load balancer that is made without a security group gets the default group of its VPC.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html
    """
    elb, ec2, name = aws.client("elb"), aws.client("ec2"), new_balancer(aws)
    aws.defer(elb.delete_load_balancer, LoadBalancerName=name)
    (found,) = elb.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"]
    filters = [
        {"Name": "vpc-id", "Values": [aws.need(VPC).id]},
        {"Name": "group-name", "Values": ["default"]},
    ]
    (default,) = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
    same(found["SecurityGroups"], [default["GroupId"]], "its groups")


@rule(VPC, BALANCER, code="provision/review", corrects="elb_network")
def an_unknown_group_is_refused(aws: Account) -> str:
    """A security group that does not exist is InvalidSecurityGroup.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_ApplySecurityGroupsToLoadBalancer.html
    """
    elb, groups = aws.client("elb"), ["sg-0123456789abcdef0"]
    refused(elb.create_load_balancer, "InvalidSecurityGroup", **balancer_request(aws, SecurityGroups=groups))
    apply = elb.apply_security_groups_to_load_balancer
    return refused(apply, "InvalidSecurityGroup", LoadBalancerName=aws.need(BALANCER), SecurityGroups=groups)


@rule(BALANCER, GROUP, code="provision/plan", corrects="elb_network")
def groups_can_be_exchanged(aws: Account) -> None:
    """ApplySecurityGroupsToLoadBalancer replaces the groups, and says which there are now.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_ApplySecurityGroupsToLoadBalancer.html
    """
    groups = [aws.need(GROUP)]
    answer = aws.client("elb").apply_security_groups_to_load_balancer(
        LoadBalancerName=aws.need(BALANCER), SecurityGroups=groups
    )
    same(answer["SecurityGroups"], groups, "the groups now")


@rule(BALANCER, code="tools/findings_account.py", corrects="elb_service_role")
def the_first_load_balancer_makes_a_role(aws: Account) -> None:
    """An account with a load balancer has the role AWSServiceRoleForElasticLoadBalancing; until then ELB
    calls EC2 with the rights of the caller.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-service-linked-roles.html
    """
    aws.need(BALANCER)
    role = aws.client("iam").get_role(RoleName="AWSServiceRoleForElasticLoadBalancing")["Role"]
    same(role["Path"], "/aws-service-role/elasticloadbalancing.amazonaws.com/", "its path")


@rule(BALANCER, code="provision/observe", corrects="elb_load_balancers")
def a_dns_name_has_the_region_and_elb(aws: Account) -> str:
    """The DNS name of a classic load balancer ends in <region>.elb.<suffix>, an internal one's begins with
    internal-; it is not the name of a network one, <name>.elb.<region>.<suffix>.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-internal-load-balancers.html
    """
    (found,) = aws.client("elb").describe_load_balancers(LoadBalancerNames=[aws.need(BALANCER)])[
        "LoadBalancerDescriptions"
    ]
    name = found["DNSName"]
    hold(name.startswith(f"internal-{aws.need(BALANCER)}-"), f"it is {name}")
    hold(f".{aws.place.region}.elb.amazonaws.com" in name, f"it is {name}")
    return "internal-<name>-<number>.<region>.elb.<suffix>"
