"""EC2: subnets, route tables, security groups, instances and their tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from chalicelib.adapters.faults import translated
from chalicelib.core import errors
from chalicelib.core.model import Instance, Rule, SecurityGroup, Subnet
from chalicelib.core.names import CLUSTER_TAG, DRAINING_TAG, OWNER_TAG, PENDING_TAG

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import (
        FilterTypeDef,
        InstanceTypeDef,
        IpPermissionOutputTypeDef,
        IpPermissionTypeDef,
        SecurityGroupTypeDef,
        TagTypeDef,
    )

# EC2 takes at most this many values in one filter
# (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html).
_FILTER_VALUES = 200


def subnets(client: EC2Client, ids: Iterable[str]) -> Mapping[str, Subnet]:
    """Those of the subnets that exist, by id; an unknown one is left out and no error."""
    found: dict[str, Subnet] = {}
    for some in _filters("subnet-id", ids):
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


def groups(client: EC2Client, ids: Iterable[str]) -> Mapping[str, SecurityGroup]:
    """Those of the security groups that exist, by id; an unknown one is left out and no error."""
    return {group.id or "": group for some in _filters("group-id", ids) for group in _groups(client, some)}


def groups_in(client: EC2Client, vpc: str) -> Mapping[str, SecurityGroup]:
    """Every security group of the VPC, by id: one call, whatever is looked for and by whatever name."""
    return {group.id or "": group for group in _groups(client, [{"Name": "vpc-id", "Values": [vpc]}])}


def groups_named(client: EC2Client, name: str) -> tuple[SecurityGroup, ...]:
    """The security groups of that name: at most one in each VPC."""
    return tuple(_groups(client, [{"Name": "group-name", "Values": [name]}]))


def groups_owned(client: EC2Client, owner: str) -> tuple[SecurityGroup, ...]:
    """The security groups that carry the deployment's owner tag."""
    return tuple(_groups(client, [{"Name": f"tag:{OWNER_TAG}", "Values": [owner]}]))


def _groups(client: EC2Client, filters: Sequence[FilterTypeDef]) -> list[SecurityGroup]:
    with translated("DescribeSecurityGroups"):
        pages = client.get_paginator("describe_security_groups").paginate(Filters=filters)
        return [_group(group) for page in pages for group in page["SecurityGroups"]]


def _group(found: SecurityGroupTypeDef) -> SecurityGroup:
    return SecurityGroup(
        name=found.get("GroupName", ""),
        vpc=found.get("VpcId", ""),
        rules=frozenset(
            Rule(
                protocol=permission.get("IpProtocol", "-1"),
                from_port=permission.get("FromPort", -1),
                to_port=permission.get("ToPort", -1),
                source=source,
            )
            for permission in found.get("IpPermissions", [])
            for source in _sources(permission)
        ),
        id=found.get("GroupId", ""),
        owner=_tags(found.get("Tags", [])).get(OWNER_TAG),
        pending=_tags(found.get("Tags", [])).get(PENDING_TAG),
    )


def _sources(permission: IpPermissionOutputTypeDef) -> list[str]:
    return [
        *(source.get("CidrIp", "") for source in permission.get("IpRanges", [])),
        *(source.get("CidrIpv6", "") for source in permission.get("Ipv6Ranges", [])),
        *(source.get("GroupId", "") for source in permission.get("UserIdGroupPairs", [])),
        *(source.get("PrefixListId", "") for source in permission.get("PrefixListIds", [])),
    ]


def _permissions(rules: Iterable[Rule]) -> list[IpPermissionTypeDef]:
    return [_permission(rule) for rule in rules]


def _permission(rule: Rule) -> IpPermissionTypeDef:
    told: IpPermissionTypeDef = {"IpProtocol": rule.protocol}
    if rule.from_port >= 0:
        told |= {"FromPort": rule.from_port, "ToPort": rule.to_port}
    if rule.source.startswith("sg-"):
        told["UserIdGroupPairs"] = [{"GroupId": rule.source}]
    elif rule.source.startswith("pl-"):
        told["PrefixListIds"] = [{"PrefixListId": rule.source}]
    elif ":" in rule.source:
        told["Ipv6Ranges"] = [{"CidrIpv6": rule.source}]
    else:
        told["IpRanges"] = [{"CidrIp": rule.source}]
    return told


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
    """Delete the group; `InUse` while anything holds on to it, `Absent` when it is gone.

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
    """Ids of other groups with a rule that names this one: they keep it from being deleted."""
    found = _groups(client, [{"Name": "ip-permission.group-id", "Values": [group]}])
    return tuple(sorted(other.id or "" for other in found if other.id != group))


def instances_tagged(client: EC2Client, cluster: str) -> Mapping[str, Instance]:
    """The instances that carry the cluster's tag, whatever their state."""
    return _instances(client, [{"Name": f"tag:{CLUSTER_TAG}", "Values": [cluster]}])


def instances_in_clusters(client: EC2Client) -> Mapping[str, Instance]:
    """The instances that carry any cluster's tag, whatever their state, by id: one call for each 1,000."""
    return _instances(client, [{"Name": "tag-key", "Values": [CLUSTER_TAG]}])


def instances_by_id(client: EC2Client, ids: Iterable[str]) -> Mapping[str, Instance]:
    """The same as `instances`, but named to EC2 and not filtered: what it does not find does not exist.

    A filtered listing may be stale; for an id that it names and does not know, EC2 has an error of its own
    (https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html). That fails the whole call,
    which is then made again for either half.
    """
    asked = sorted(set(ids))
    if not asked:
        return {}
    try:
        with translated("DescribeInstances"):
            answer = client.describe_instances(InstanceIds=asked)
    except errors.Absent:
        middle = len(asked) // 2
        if not middle:
            return {}
        return {**instances_by_id(client, asked[:middle]), **instances_by_id(client, asked[middle:])}
    return {
        found.get("InstanceId", ""): _instance(found)
        for reservation in answer["Reservations"]
        for found in reservation.get("Instances", [])
    }


def instances(client: EC2Client, ids: Iterable[str]) -> Mapping[str, Instance]:
    """Those of the instances that EC2 still knows, by id; an unknown one is left out and no error."""
    found: dict[str, Instance] = {}
    for some in _filters("instance-id", ids):
        found |= _instances(client, some)
    return found


def _instances(client: EC2Client, filters: Sequence[FilterTypeDef]) -> dict[str, Instance]:
    with translated("DescribeInstances"):
        pages = client.get_paginator("describe_instances").paginate(
            Filters=filters, PaginationConfig={"PageSize": 1000}
        )
        return {
            found.get("InstanceId", ""): _instance(found)
            for page in pages
            for reservation in page["Reservations"]
            for found in reservation.get("Instances", [])
        }


def _instance(found: InstanceTypeDef) -> Instance:
    tags = _tags(found.get("Tags", []))
    return Instance(
        id=found.get("InstanceId", ""),
        state=found.get("State", {}).get("Name", "terminated"),
        vpc=found.get("VpcId"),
        zone=found.get("Placement", {}).get("AvailabilityZone", ""),
        launched=found["LaunchTime"],
        cluster=tags.get(CLUSTER_TAG),
        draining=tags.get(DRAINING_TAG),
        group_name=tags.get("aws:autoscaling:groupName"),
        address=found.get("PrivateIpAddress"),
        security_groups=frozenset(group.get("GroupId", "") for group in found.get("SecurityGroups", [])),
    )


def tag(client: EC2Client, ids: Sequence[str], key: str, value: str) -> None:
    """Set one tag on all the resources: one call takes up to 1,000."""
    with translated("CreateTags"):
        client.create_tags(Resources=list(ids), Tags=[{"Key": key, "Value": value}])


def untag(client: EC2Client, ids: Sequence[str], key: str) -> None:
    """Take one tag off all the resources, whatever its value."""
    with translated("DeleteTags"):
        client.delete_tags(Resources=list(ids), Tags=[{"Key": key}])


def _tags(tags: Iterable[TagTypeDef]) -> dict[str, str]:
    return {tag.get("Key", ""): tag.get("Value", "") for tag in tags}


def _filters(name: str, values: Iterable[str]) -> list[list[FilterTypeDef]]:
    ordered = sorted(set(values))
    return [
        [{"Name": name, "Values": ordered[start : start + _FILTER_VALUES]}]
        for start in range(0, len(ordered), _FILTER_VALUES)
    ]


def regions(client: EC2Client) -> tuple[str, ...]:
    """The regions that the account can use, opted in or not in need of it."""
    with translated("DescribeRegions"):
        found = client.describe_regions()["Regions"]
    return tuple(sorted(region.get("RegionName", "") for region in found))
