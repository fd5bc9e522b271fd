"""Records of Route 53: alias targets, weights, batches."""

from __future__ import annotations

from typing import Any

from conformance.account import Account
from conformance.answer import hold, refused, same
from conformance.needs import BALANCER, PARENT, VPC, ZONE, new_zone
from conformance.rule import question, rule

INVALID = "InvalidChangeBatch"


def change(action: str, **record: Any) -> dict[str, Any]:
    """Return one change."""
    return {"Action": action, "ResourceRecordSet": record}


def batch(aws: Account, *changes: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of ChangeResourceRecordSets for the shared zone."""
    return {"HostedZoneId": aws.need(ZONE), "ChangeBatch": {"Changes": [*changes]}}


def make(aws: Account, *changes: dict[str, Any]) -> dict[str, Any]:
    """Make changes in one batch, and return what Route 53 says of them."""
    answer: dict[str, Any] = aws.client("route53").change_resource_record_sets(**batch(aws, *changes))[
        "ChangeInfo"
    ]
    return answer


def address(aws: Account, label: str, value: str = "192.0.2.1", **more: Any) -> dict[str, Any]:
    """Return a plain A record below the shared zone."""
    return {
        "Name": f"{label}.{aws.run.name}.{PARENT}",
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": value}],
        **more,
    }


def alias(aws: Account, label: str, **more: Any) -> dict[str, Any]:
    """Return an alias record for the shared load balancer."""
    (found,) = aws.client("elb").describe_load_balancers(LoadBalancerNames=[aws.need(BALANCER)])[
        "LoadBalancerDescriptions"
    ]
    return {
        "Name": f"{label}.{aws.run.name}.{PARENT}",
        "Type": "A",
        "AliasTarget": {
            "HostedZoneId": found["CanonicalHostedZoneNameID"],
            "DNSName": found["DNSName"],
            "EvaluateTargetHealth": True,
        },
        **more,
    }


def weighted(record: dict[str, Any], weight: int, name: str = "one") -> dict[str, Any]:
    """Return a record as one of several for its name."""
    return record | {"SetIdentifier": name, "Weight": weight}


@rule(BALANCER, ZONE, code="aws/route53", corrects=("elb_load_balancers", "route53_aliases"))
def an_alias_of_a_classic_load_balancer(aws: Account) -> None:
    """An alias target of a classic load balancer is its CanonicalHostedZoneNameID and DNSName; it has no TTL.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-alias.html
    """
    record = alias(aws, "alias")
    make(aws, change("CREATE", **record))
    listed = aws.client("route53").list_resource_record_sets(
        HostedZoneId=aws.need(ZONE), StartRecordName=record["Name"], StartRecordType="A", MaxItems="1"
    )
    (found,) = listed["ResourceRecordSets"]
    same(found["AliasTarget"]["HostedZoneId"], record["AliasTarget"]["HostedZoneId"], "its zone")
    hold("TTL" not in found, f"it has a TTL of {found.get('TTL')}")
    make(aws, change("DELETE", **record))


@rule(BALANCER, ZONE, code="aws/route53", corrects="route53_aliases")
def an_alias_with_the_wrong_zone_is_refused(aws: Account) -> str:
    """An alias target in another zone than the load balancer's, or one that does not exist, is refused.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html
    """
    call, record = aws.client("route53").change_resource_record_sets, alias(aws, "wrong")
    # The zone of network load balancers in eu-west-1, and that of classic ones there: one of them is wrong.
    known = record["AliasTarget"]["HostedZoneId"]
    other = next(zone for zone in ("Z2IFOLAFXWLO4F", "Z32O12XQLNTSW2") if zone != known)
    target = record["AliasTarget"] | {"HostedZoneId": other}
    said = refused(call, INVALID, **batch(aws, change("CREATE", **record | {"AliasTarget": target})))
    missing = record["AliasTarget"] | {"DNSName": f"no-such-{record['AliasTarget']['DNSName']}"}
    refused(call, INVALID, **batch(aws, change("CREATE", **record | {"AliasTarget": missing})))
    return said


@rule(BALANCER, ZONE, code="aws/route53", corrects="route53_changes")
def an_alias_has_no_ttl(aws: Account) -> str:
    """An alias with a TTL is InvalidInput.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html
    """
    call, record = aws.client("route53").change_resource_record_sets, alias(aws, "ttl", TTL=60)
    return refused(call, ("InvalidInput", INVALID), **batch(aws, change("CREATE", **record)))


@rule(ZONE, code="aws/route53", corrects="route53_changes")
def weights_are_0_to_255(aws: Account) -> None:
    """A weight is 0 to 255 and needs a SetIdentifier.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html
    """
    call, record = aws.client("route53").change_resource_record_sets, address(aws, "weight")
    codes = ("InvalidInput", INVALID)
    refused(call, codes, **batch(aws, change("CREATE", **weighted(record, 256))))
    refused(call, codes, **batch(aws, change("CREATE", **record | {"Weight": 1})))
    for weight in (0, 255):
        made = weighted(record, weight, str(weight))
        make(aws, change("CREATE", **made))
        aws.defer(call, **batch(aws, change("DELETE", **made)))


@rule(ZONE, code="aws/route53", corrects="route53_changes")
def simple_and_weighted_exclude_each_other(aws: Account) -> str:
    """A simple and a weighted record of one name and type exclude each other, by UPSERT too; DELETE and
    CREATE in one batch exchange them.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-weighted.html
    https://github.com/kubernetes-sigs/external-dns/issues/1411
    """
    call, simple = aws.client("route53").change_resource_record_sets, address(aws, "either")
    several = weighted(simple, 10)
    make(aws, change("CREATE", **simple))
    refused(call, INVALID, **batch(aws, change("CREATE", **several)))
    said = refused(call, INVALID, **batch(aws, change("UPSERT", **several)))
    make(aws, change("DELETE", **simple), change("CREATE", **several))
    refused(call, INVALID, **batch(aws, change("CREATE", **simple)))
    make(aws, change("DELETE", **several))
    return said


@rule(ZONE, code="aws/route53", corrects="route53_changes")
def a_cname_stands_alone(aws: Account) -> str:
    """A CNAME stands beside no other record of its name, and not at the apex.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html
    """
    call, plain = aws.client("route53").change_resource_record_sets, address(aws, "alone")
    cname = plain | {"Type": "CNAME", "ResourceRecords": [{"Value": "elsewhere.example"}]}
    make(aws, change("CREATE", **plain))
    aws.defer(call, **batch(aws, change("DELETE", **plain)))
    refused(call, INVALID, **batch(aws, change("CREATE", **cname)))
    apex = cname | {"Name": f"{aws.run.name}.{PARENT}"}
    return refused(call, INVALID, **batch(aws, change("CREATE", **apex)))


@rule(ZONE, code=("aws/route53", "acme/records"), corrects="route53_changes")
def a_record_is_deleted_as_it_stands(aws: Account) -> str:
    """DELETE names the exact record as it stands; CREATE of one that exists is refused.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
    """
    call, record = aws.client("route53").change_resource_record_sets, address(aws, "exact")
    make(aws, change("CREATE", **record))
    refused(call, INVALID, **batch(aws, change("CREATE", **record)))
    refused(call, INVALID, **batch(aws, change("DELETE", **record | {"TTL": 61})))
    said = refused(call, INVALID, **batch(aws, change("DELETE", **address(aws, "exact", "192.0.2.2"))))
    make(aws, change("DELETE", **record))
    return said


@rule(ZONE, code=("aws/route53", "acme/records"), corrects="route53_changes")
def a_batch_is_made_whole_or_not_at_all(aws: Account) -> None:
    """A batch is made whole or not at all.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
    """
    route53, new, missing = aws.client("route53"), address(aws, "new"), address(aws, "missing")
    call = route53.change_resource_record_sets
    refused(call, INVALID, **batch(aws, change("CREATE", **new), change("DELETE", **missing)))
    listed = route53.list_resource_record_sets(HostedZoneId=aws.need(ZONE))["ResourceRecordSets"]
    hold(not [one for one in listed if one["Name"].startswith("new.")], "half of the batch was made")


@rule(ZONE, code=("aws/route53", "acme/challenges"), corrects="route53", minutes=1.5)
def a_change_is_pending_and_then_in_sync(aws: Account) -> str:
    """A change is PENDING until it has spread to all of Route 53's servers, then INSYNC.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html
    """
    route53, record = aws.client("route53"), address(aws, "sync")
    made = make(aws, change("CREATE", **record))
    same(made["Status"], "PENDING", "the status at first")
    began = aws.place.clock()
    aws.until(
        lambda: route53.get_change(Id=made["Id"])["ChangeInfo"]["Status"] == "INSYNC", 120, "it is INSYNC"
    )
    seconds = aws.place.clock() - began
    make(aws, change("DELETE", **record))
    return f"{seconds:.0f} s"


@rule(ZONE, code="acme/records", corrects="route53_changes")
def text_stands_in_quotation_marks(aws: Account) -> str:
    """The value of a TXT record stands in quotation marks, with at most 255 characters in each string.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html
    """
    call = aws.client("route53").change_resource_record_sets

    def text(value: str) -> dict[str, Any]:
        record = address(aws, "text") | {"Type": "TXT", "ResourceRecords": [{"Value": value}]}
        return batch(aws, change("CREATE", **record))

    refused(call, INVALID, **text(f'"{"a" * 256}"'))
    return refused(call, INVALID, **text("bare text"))


@rule(ZONE, code="aws/route53", corrects="route53_changes")
def a_record_is_in_its_zone(aws: Account) -> str:
    """A name outside the zone is refused.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
    """
    call, record = aws.client("route53").change_resource_record_sets, address(aws, "x")
    return refused(call, INVALID, **batch(aws, change("CREATE", **record | {"Name": "x.example.net"})))


@question(VPC, ZONE, code="aws/route53", corrects="route53")
def private_zones_of_a_vpc(aws: Account) -> str:
    """ListHostedZonesByVPC lists the private zones of a VPC with their owner, other accounts' too; a private
    and a public zone may have one name.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZonesByVPC.html
    """
    route53, vpc = aws.client("route53"), aws.need(VPC).id
    where = {"VPCRegion": aws.place.region, "VPCId": vpc}
    zone = new_zone(aws, f"{aws.run.name}.{PARENT}", VPC=where)
    aws.defer(route53.delete_hosted_zone, Id=zone)
    listed = route53.list_hosted_zones_by_vpc(**where)["HostedZoneSummaries"]
    (found,) = [one for one in listed if one["HostedZoneId"].rpartition("/")[2] == zone]
    owner = ", ".join(sorted(found["Owner"]))
    return f"{len(listed)} zones; the owner of ours is an {owner}"
