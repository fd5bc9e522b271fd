"""Subnets and zones of classic load balancers."""

from __future__ import annotations

from conformance.account import Account
from conformance.answer import refused, same
from conformance.needs import (
    BALANCER,
    CLOSED_SUBNET,
    ELB_HOUR,
    OTHER_BALANCER,
    VPC,
    balancer_request,
    new_balancer,
)
from conformance.rule import question, rule

SAME_ZONE = "ELB cannot be attached to multiple subnets in the same AZ."


@rule(VPC, code="provision/declaration_checks", corrects="elb_network")
def there_is_at_least_one_subnet(aws: Account) -> str:
    """A load balancer in a VPC has at least one subnet.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-manage-subnets.html
    """
    create = aws.client("elb").create_load_balancer
    return refused(create, "ValidationError", **balancer_request(aws, Subnets=[]))


@rule(BALANCER, VPC, code="provision/plan", corrects="elb_network")
def the_last_subnet_stays(aws: Account) -> str:
    """The last subnet cannot be detached.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-manage-subnets.html
    """
    detach = aws.client("elb").detach_load_balancer_from_subnets
    subnets = [aws.need(VPC).first]
    return refused(
        detach, "InvalidConfigurationRequest", LoadBalancerName=aws.need(BALANCER), Subnets=subnets
    )


@rule(VPC, code="provision/review", corrects="elb_network")
def one_subnet_a_zone(aws: Account) -> str:
    """A load balancer has at most one subnet in a zone; two are InvalidConfigurationRequest.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-manage-subnets.html
    https://github.com/hashicorp/terraform/issues/9120
    """
    subnets = [aws.need(VPC).first, aws.need(VPC).beside]
    create = aws.client("elb").create_load_balancer
    return refused(create, "InvalidConfigurationRequest", **balancer_request(aws, Subnets=subnets))


@rule(BALANCER, VPC, code="aws/refusals", corrects="elb_network")
def a_zones_only_subnet_cannot_be_swapped(aws: Account) -> str:
    """To swap a zone's only subnet needs another zone in between: a second subnet of the zone is refused.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-manage-subnets.html
    """
    attach, beside = aws.client("elb").attach_load_balancer_to_subnets, [aws.need(VPC).beside]
    code = "InvalidConfigurationRequest"
    return refused(attach, code, SAME_ZONE, LoadBalancerName=aws.need(BALANCER), Subnets=beside)


@question(OTHER_BALANCER, VPC, code="aws/refusals", corrects="elb_network", minutes=1)
def how_long_a_detached_subnet_is_seen(aws: Account) -> str:
    """After a detachment ELB still sees the old subnet in the zone for a while.

    https://github.com/hashicorp/terraform/issues/9120
    """
    elb, name, vpc = aws.client("elb"), aws.need(OTHER_BALANCER), aws.need(VPC)
    elb.attach_load_balancer_to_subnets(LoadBalancerName=name, Subnets=[vpc.second])
    elb.detach_load_balancer_from_subnets(LoadBalancerName=name, Subnets=[vpc.first])
    attach = elb.attach_load_balancer_to_subnets
    codes = ["InvalidConfigurationRequest"]
    seconds = aws.once_allowed(attach, codes, 330, LoadBalancerName=name, Subnets=[vpc.beside])
    return f"{seconds:.0f} s"


@rule(VPC, code="provision/review", corrects="elb_network")
def a_subnet_is_27_or_larger(aws: Account) -> str:
    """A subnet is /27 or larger and has 8 free addresses, else it is InvalidSubnet.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-backend-instances.html
    """
    create = aws.client("elb").create_load_balancer
    return refused(create, "InvalidSubnet", **balancer_request(aws, Subnets=[aws.need(VPC).tiny]))


@rule(VPC, code="provision/review", corrects="elb_network")
def an_unknown_subnet_is_not_found(aws: Account) -> str:
    """A subnet that does not exist is SubnetNotFound.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html
    """
    create = aws.client("elb").create_load_balancer
    return refused(create, "SubnetNotFound", **balancer_request(aws, Subnets=["subnet-0123456789abcdef0"]))


@rule(CLOSED_SUBNET, VPC, code="provision/review", corrects="elb_network")
def internet_facing_wants_an_internet_gateway(aws: Account) -> str:
    """An internet-facing load balancer needs a VPC with an internet gateway, else InvalidSubnet.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-internet-facing-load-balancers.html
    """
    request = balancer_request(aws, Subnets=[aws.need(CLOSED_SUBNET)], Scheme="internet-facing")
    create = aws.client("elb").create_load_balancer
    return refused(create, "InvalidSubnet", "no associated Internet gateway", **request)


@rule(VPC, code="provision/review", corrects="elb_network", dollars=ELB_HOUR)
def elb_looks_at_no_route_table(aws: Account) -> None:
    """An internet gateway of the VPC is enough: the guide advises public subnets, ELB does not look at
    route tables.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-internet-facing-load-balancers.html
    """
    elb = aws.client("elb")
    name = new_balancer(aws, Scheme="internet-facing")  # this VPC has a gateway, and no route to it
    aws.defer(elb.delete_load_balancer, LoadBalancerName=name)
    (found,) = elb.describe_load_balancers(LoadBalancerNames=[name])["LoadBalancerDescriptions"]
    same(found["Scheme"], "internet-facing", "its scheme")


@rule(CLOSED_SUBNET, VPC, code="provision/review", corrects="elb_network")
def subnets_are_of_one_vpc(aws: Account) -> str:
    """Subnets of two VPCs are InvalidConfigurationRequest.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html
    """
    subnets = [aws.need(VPC).second, aws.need(CLOSED_SUBNET)]
    create, codes = aws.client("elb").create_load_balancer, ("InvalidConfigurationRequest", "InvalidSubnet")
    return refused(create, codes, **balancer_request(aws, Subnets=subnets))


@rule(BALANCER, VPC, code="aws/elb", corrects="elb_load_balancers")
def its_zones_are_those_of_its_subnets(aws: Account) -> None:
    """A load balancer that was made with subnets shows their availability zones and their VPC.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_LoadBalancerDescription.html
    """
    (found,) = aws.client("elb").describe_load_balancers(LoadBalancerNames=[aws.need(BALANCER)])[
        "LoadBalancerDescriptions"
    ]
    same(found["AvailabilityZones"], [aws.need(VPC).zones[0]], "its zones")
    same(found["VPCId"], aws.need(VPC).id, "its VPC")
