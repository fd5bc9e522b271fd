"""EC2: instances and their tags, and the regions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from chalicelib.aws.errors import translated
from chalicelib.model import errors
from chalicelib.model.batches import batches
from chalicelib.model.load_balancer import Instance
from chalicelib.model.names import CLUSTER_TAG, DRAINING_TAG

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef, InstanceTypeDef, TagTypeDef

_ID = re.compile(r"\bi-[0-9a-f]+")
# EC2 takes at most this many values in one filter
# (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html).
_FILTER_VALUES = 200


def instances_tagged(client: EC2Client, cluster: str) -> Mapping[str, Instance]:
    """The instances that carry the cluster's tag, whatever their state."""
    return _instances(client, [{"Name": f"tag:{CLUSTER_TAG}", "Values": [cluster]}])


def instances_in_clusters(client: EC2Client) -> Mapping[str, Instance]:
    """The instances that carry any cluster's tag, whatever their state, by id: one call for each 1,000."""
    return _instances(client, [{"Name": "tag-key", "Values": [CLUSTER_TAG]}])


def instances_by_id(client: EC2Client, ids: Iterable[str]) -> Mapping[str, Instance]:
    """Read the instances by id, named to EC2 instead of filtered: an id that is left out does not exist.

    A filtered listing may be stale. For unknown ids EC2 has an error of its own, which fails the whole call
    (https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html). Its message names all of them
    ("The instance IDs 'i-…, i-…' do not exist"): the next call is for the others. Where the message names
    none, each half is asked for.
    """
    asked = sorted(set(ids))
    if not asked:
        return {}
    try:
        with translated("DescribeInstances"):
            answer = client.describe_instances(InstanceIds=asked)
    except errors.Absent as error:
        if known := {*asked} - {*_ID.findall(error.message)}:
            if len(known) < len(asked):
                return instances_by_id(client, known)
            if middle := len(asked) // 2:
                return {**instances_by_id(client, asked[:middle]), **instances_by_id(client, asked[middle:])}
        return {}
    return {
        found.get("InstanceId", ""): _instance(found)
        for reservation in answer["Reservations"]
        for found in reservation.get("Instances", [])
    }


def instances(client: EC2Client, ids: Iterable[str]) -> Mapping[str, Instance]:
    """Those of the instances that EC2 still knows, by id; an unknown one is left out and no error."""
    found: dict[str, Instance] = {}
    for some in filters("instance-id", ids):
        found |= _instances(client, some)
    return found


def interrupted(client: EC2Client, ids: Iterable[str]) -> frozenset[str]:
    """Those of the Spot instances that EC2 is about to take back: one call for each 200.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-request-status.html
    """
    marked: FilterTypeDef = {"Name": "status-code", "Values": ["marked-for-stop", "marked-for-termination"]}
    found: set[str] = set()
    for some in filters("instance-id", ids):
        with translated("DescribeSpotInstanceRequests"):
            pages = client.get_paginator("describe_spot_instance_requests").paginate(Filters=[*some, marked])
            found |= {one.get("InstanceId", "") for page in pages for one in page["SpotInstanceRequests"]}
    return frozenset(found)


def _instances(client: EC2Client, some: Sequence[FilterTypeDef]) -> dict[str, Instance]:
    with translated("DescribeInstances"):
        pages = client.get_paginator("describe_instances").paginate(
            Filters=some, PaginationConfig={"PageSize": 1000}
        )
        return {
            found.get("InstanceId", ""): _instance(found)
            for page in pages
            for reservation in page["Reservations"]
            for found in reservation.get("Instances", [])
        }


def _instance(found: InstanceTypeDef) -> Instance:
    tags = tags_of(found.get("Tags", []))
    return Instance(
        id=found.get("InstanceId", ""),
        state=found.get("State", {}).get("Name", "terminated"),
        vpc=found.get("VpcId"),
        zone=found.get("Placement", {}).get("AvailabilityZone", ""),
        launched=found["LaunchTime"],
        cluster=tags.get(CLUSTER_TAG),
        draining=tags.get(DRAINING_TAG),
        profile=found.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2] or None,
        group_name=tags.get("aws:autoscaling:groupName"),
        spot=found.get("InstanceLifecycle") == "spot",
        user_tags=sum(not key.startswith("aws:") for key in tags),
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


def tags_of(tags: Iterable[TagTypeDef]) -> dict[str, str]:
    """Return a resource's tags by their keys."""
    return {tag.get("Key", ""): tag.get("Value", "") for tag in tags}


def filters(name: str, values: Iterable[str]) -> list[list[FilterTypeDef]]:
    """Return one filter for each call that it takes to ask for all the values."""
    return [[{"Name": name, "Values": some}] for some in batches(sorted(set(values)), _FILTER_VALUES)]


def regions(client: EC2Client) -> tuple[str, ...]:
    """The regions that the account can use, opted in or not in need of it."""
    with translated("DescribeRegions"):
        found = client.describe_regions()["Regions"]
    return tuple(sorted(region.get("RegionName", "") for region in found))
