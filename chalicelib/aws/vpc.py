"""EC2: subnets, route tables and security groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from chalicelib.aws.ec2 import filters, tags_of
from chalicelib.aws.errors import translated
from chalicelib.model import errors
from chalicelib.model.names import OWNER_TAG, PENDING_TAG
from chalicelib.model.vpc import Rule, SecurityGroup, Subnet

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import (
        FilterTypeDef,
        IpPermissionOutputTypeDef,
        IpPermissionTypeDef,
        SecurityGroupTypeDef,
        UserIdGroupPairTypeDef,
    )


def subnets(client: EC2Client, ids: Iterable[str]) -> Mapping[str, Subnet]:
    """Those of the subnets that exist, by id; an unknown one is left out and no error."""
    found: dict[str, Subnet] = {}
    for some in filters("subnet-id", ids):
        with translated("DescribeSubnets"):
            for page in client.get_paginator("describe_subnets").paginate(Filters=some):
                for subnet in page["Subnets"]:
                    id_ = subnet.get("SubnetId", "")
                    found[id_] = Subnet(
                        id=id_,
                        vpc=subnet.get("VpcId", ""),
                        zone=subnet.get("AvailabilityZone", ""),
                        free_addresses=subnet.get("AvailableIpAddressCount", 0),
                        prefix=int(subnet.get("CidrBlock", "0.0.0.0/0").partition("/")[2]),
                        network=subnet.get("CidrBlock"),
                    )
    return found


def public_subnets(client: EC2Client, vpc: str, ids: Iterable[str]) -> frozenset[str]:
    """Those of the VPC's subnets whose route table leads to an internet gateway.

    A subnet without a route table of its own follows the VPC's main one
    (https://docs.aws.amazon.com/vpc/latest/userguide/configure-subnets.html).
    """
    public_of: dict[str, bool] = {}
    main = False
    with translated("DescribeRouteTables"):
        pages = client.get_paginator("describe_route_tables").paginate(
            Filters=[{"Name": "vpc-id", "Values": [vpc]}]
        )
        for page in pages:
            for table in page["RouteTables"]:
                public = any(
                    route.get("GatewayId", "").startswith("igw-") and route.get("State") != "blackhole"
                    for route in table.get("Routes", [])
                )
                for association in table.get("Associations", []):
                    if association.get("Main"):
                        main = public
                    elif subnet := association.get("SubnetId"):
                        public_of[subnet] = public
    return frozenset(id_ for id_ in ids if public_of.get(id_, main))


def has_internet_gateway(client: EC2Client, vpc: str) -> bool:
    """Whether the VPC has an internet gateway, which ELB requires for an internet-facing load balancer."""
    with translated("DescribeInternetGateways"):
        pages = client.get_paginator("describe_internet_gateways").paginate(
            Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}]
        )
        return any(page["InternetGateways"] for page in pages)


def allocations(client: EC2Client, ids: Iterable[str]) -> Mapping[str, bool]:
    """Those of the Elastic IPs that are the account's, and whether something has them already."""
    found: dict[str, bool] = {}
    for some in filters("allocation-id", ids):
        with translated("DescribeAddresses"):
            for address in client.describe_addresses(Filters=some)["Addresses"]:
                found[address.get("AllocationId", "")] = "AssociationId" in address
    return found


def groups(client: EC2Client, ids: Iterable[str]) -> Mapping[str, SecurityGroup]:
    """Those of the security groups that exist, by id; an unknown one is left out and no error."""
    return {group.id or "": group for some in filters("group-id", ids) for group in _groups(client, some)}


def groups_in(client: EC2Client, vpc: str) -> Mapping[str, SecurityGroup]:
    """Every security group of the VPC, by id: one call, whatever is looked for and by whatever name."""
    return {group.id or "": group for group in _groups(client, [{"Name": "vpc-id", "Values": [vpc]}])}


def groups_named(client: EC2Client, name: str) -> tuple[SecurityGroup, ...]:
    """The security groups of that name: at most one in each VPC."""
    return tuple(_groups(client, [{"Name": "group-name", "Values": [name]}]))


def groups_owned(client: EC2Client, owner: str) -> tuple[SecurityGroup, ...]:
    """The security groups that carry the deployment's owner tag."""
    return tuple(_groups(client, [{"Name": f"tag:{OWNER_TAG}", "Values": [owner]}]))


def _groups(client: EC2Client, some: Sequence[FilterTypeDef]) -> list[SecurityGroup]:
    with translated("DescribeSecurityGroups"):
        pages = client.get_paginator("describe_security_groups").paginate(Filters=some)
        return [_group(group) for page in pages for group in page["SecurityGroups"]]


def _group(found: SecurityGroupTypeDef) -> SecurityGroup:
    tags = tags_of(found.get("Tags", []))
    return SecurityGroup(
        name=found.get("GroupName", ""),
        vpc=found.get("VpcId", ""),
        rules=frozenset(
            rule for permission in found.get("IpPermissions", []) for rule in rules_of(permission)
        ),
        id=found.get("GroupId", ""),
        owner=tags.get(OWNER_TAG),
        pending=tags.get(PENDING_TAG),
        reaches=frozenset(
            pair.get("GroupId", "")
            for permission in found.get("IpPermissionsEgress", [])
            for pair in permission.get("UserIdGroupPairs", [])
        ),
    )


def rules_of(permission: IpPermissionOutputTypeDef) -> Iterator[Rule]:
    """The rules of a permission as EC2 shows it, one for each source."""
    kind = (permission.get("IpProtocol", "-1"), permission.get("FromPort"), permission.get("ToPort"))
    for network in permission.get("IpRanges", []):
        yield Rule(*kind, network.get("CidrIp", ""))
    for network6 in permission.get("Ipv6Ranges", []):
        yield Rule(*kind, network6.get("CidrIpv6", ""))
    for pair in permission.get("UserIdGroupPairs", []):
        yield Rule(*kind, pair.get("GroupId", ""), pair.get("UserId"), pair.get("VpcPeeringConnectionId"))
    for prefixes in permission.get("PrefixListIds", []):
        yield Rule(*kind, prefixes.get("PrefixListId", ""))


def _permissions(rules: Iterable[Rule]) -> list[IpPermissionTypeDef]:
    return [permission_of(rule) for rule in rules]


def permission_of(rule: Rule) -> IpPermissionTypeDef:
    """The permission of one rule, as EC2 showed it: it is revoked exactly as it was given.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
    """
    ip_permission: IpPermissionTypeDef = {"IpProtocol": rule.protocol}
    if rule.from_port is not None:
        ip_permission["FromPort"] = rule.from_port
    if rule.to_port is not None:
        ip_permission["ToPort"] = rule.to_port
    if rule.source.startswith("sg-"):
        pair: UserIdGroupPairTypeDef = {"GroupId": rule.source}
        if rule.user_id is not None:
            pair["UserId"] = rule.user_id
        if rule.peering is not None:
            pair["VpcPeeringConnectionId"] = rule.peering
        ip_permission["UserIdGroupPairs"] = [pair]
    elif rule.source.startswith("pl-"):
        ip_permission["PrefixListIds"] = [{"PrefixListId": rule.source}]
    elif ":" in rule.source:
        ip_permission["Ipv6Ranges"] = [{"CidrIpv6": rule.source}]
    else:
        ip_permission["IpRanges"] = [{"CidrIp": rule.source}]
    return ip_permission


def create_group(client: EC2Client, *, name: str, vpc: str, owner: str, load_balancer: str) -> str:
    """Create the security group, tagged as ours from its first moment, and return its id."""
    with translated("CreateSecurityGroup"):
        return client.create_security_group(
            GroupName=name,
            VpcId=vpc,
            Description=f"Clients of the load balancer {load_balancer}, made by emq-elb",
            TagSpecifications=[
                {"ResourceType": "security-group", "Tags": [{"Key": OWNER_TAG, "Value": owner}]}
            ],
        )["GroupId"]


def authorize(client: EC2Client, group: str, rules: Iterable[Rule]) -> None:
    """Let the rules' sources in."""
    with translated("AuthorizeSecurityGroupIngress"):
        client.authorize_security_group_ingress(GroupId=group, IpPermissions=_permissions(rules))


def revoke(client: EC2Client, group: str, rules: Iterable[Rule]) -> None:
    """Let the rules' sources in no longer."""
    with translated("RevokeSecurityGroupIngress"):
        client.revoke_security_group_ingress(GroupId=group, IpPermissions=_permissions(rules))


def delete_group(client: EC2Client, group: str) -> None:
    """Delete the group; `NotYet` while anything holds on to it, `Absent` when it is gone.

    What the role may delete hangs on a tag, and that is gone with the group: AWS may then deny it instead.
    """
    try:
        with translated("DeleteSecurityGroup"):
            client.delete_security_group(GroupId=group)
    except errors.Denied as error:
        if groups(client, [group]):
            raise
        raise errors.Absent(error.operation, error.code, f"there is no security group {group}") from None


def referring_groups(client: EC2Client, group: str) -> tuple[str, ...]:
    """Ids of other groups with a rule that names this one: they keep it from being deleted.

    Two calls: filters of one call all have to fit, and a rule is for what comes in or for what goes out.
    """
    found = {
        other.id or ""
        for rules in ("ip-permission", "egress.ip-permission")
        for other in _groups(client, [{"Name": f"{rules}.group-id", "Values": [group]}])
    }
    return tuple(sorted(found - {group}))
