"""The service-linked role of Elastic Load Balancing, which an account has from its first load balancer on.

https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-service-linked-roles.html
"""

from __future__ import annotations

from contextlib import suppress

from moto.iam import models
from moto.iam.exceptions import EntityAlreadyExists
from moto.iam.models import iam_backends
from moto.utilities.utils import get_partition

SERVICE = "elasticloadbalancing.amazonaws.com"
NAME = "AWSServiceRoleForElasticLoadBalancing"
PATH = f"/aws-service-role/{SERVICE}/"

# Until the role exists, ELB calls EC2 with the rights of whoever calls CreateLoadBalancer.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-permissions.html
# The page names DescribeAddresses for the API of 2015-12-01 only; the stricter reading is taken.
ASKED_OF_EC2 = (
    "ec2:DescribeAccountAttributes",
    "ec2:DescribeAddresses",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)


def install() -> None:
    """Give the role AWS's name also where CreateServiceLinkedRole makes it: moto's is in small letters."""
    models.SERVICE_NAME_CONVERSION["elasticloadbalancing"] = "ElasticLoadBalancing"


def exists(account_id: str, region: str) -> bool:
    """Whether the account has the role."""
    roles = iam_backends[account_id][get_partition(region)].roles.values()
    return any(role.path == PATH for role in list(roles))


def create(account_id: str, region: str) -> None:
    """Make the role, as a first CreateLoadBalancer does."""
    with suppress(EntityAlreadyExists):
        iam_backends[account_id][get_partition(region)].create_service_linked_role(SERVICE, "", "")
