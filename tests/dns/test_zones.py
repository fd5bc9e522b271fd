"""Which zone a load balancer's name belongs into, and what is said where none fits."""

from __future__ import annotations

import pytest

from chalicelib.dns.zones import hiding, zone_faults, zones_for
from chalicelib.model.route53 import Zone

PUBLIC = Zone("ZPUBLIC", "example.com")
CLOSER = Zone("ZCLOSER", "mqtt.example.com")
PRIVATE = Zone("ZPRIVATE", "example.com", private=True, vpcs=frozenset({"vpc-1"}))
OTHER_VPC = Zone("ZOTHER", "example.com", private=True, vpcs=frozenset({"vpc-2"}))
TWIN = Zone("ZTWIN", "example.com")
ALL = (PUBLIC, CLOSER, PRIVATE, OTHER_VPC)
HOST = "a.example.com"


@pytest.mark.parametrize(
    ("host", "named", "internal", "ids"),
    [
        ("a.example.com", (), False, ["ZPUBLIC"]),
        ("A.Example.COM", (), False, ["ZPUBLIC"]),
        ("example.com", (), False, ["ZPUBLIC"]),
        ("mqtt.example.com", (), False, ["ZCLOSER"]),
        ("a.mqtt.example.com", (), False, ["ZCLOSER"]),
        ("a.example.com", (), True, ["ZPRIVATE"]),
        ("mqtt.example.com", (), True, ["ZPRIVATE"]),
        ("a.example.com", ("ZPUBLIC", "ZPRIVATE"), False, ["ZPUBLIC", "ZPRIVATE"]),
        ("a.example.com", ("ZPUBLIC",), True, ["ZPUBLIC"]),
    ],
)
def test_a_name_is_kept_in_the_closest_zone_that_its_clients_ask(
    host: str, named: tuple[str, ...], internal: bool, ids: list[str]
) -> None:
    assert [one.id for one in zones_for(host, ALL, named, internal=internal, vpc="vpc-1")] == ids
    assert [*zone_faults(host, ALL, [], named, internal=internal, vpc="vpc-1")] == []


@pytest.mark.parametrize(
    ("zones", "host", "named", "internal", "faults"),
    [
        ((PUBLIC,), "a.example.org", (), False, [("hostname", "in none of the public zones")]),
        ((), HOST, (), False, [("hostname", "none that exists")]),
        ((PUBLIC,), HOST, (), True, [("hostname", "private zones of vpc-1")]),
        ((OTHER_VPC,), HOST, (), True, [("hostname", "name that in `dns.zone_ids`")]),
        ((PUBLIC, TWIN), HOST, (), False, [("dns", "ZPUBLIC, public) and example.com (ZTWIN")]),
        (
            (PUBLIC, CLOSER),
            HOST,
            ("ZCLOSER", "ZNONE", "ZGONE", "ZPUBLIC"),
            False,
            [
                ("dns.zone_ids[0]", "is not in the zone mqtt.example.com"),
                ("dns.zone_ids[1]", "none of this deployment's zones"),
                ("dns.zone_ids[2]", "no hosted zone ZGONE"),
            ],
        ),
    ],
)
def test_where_no_zone_fits_the_fault_says_which_there_are(
    zones: tuple[Zone, ...],
    host: str,
    named: tuple[str, ...],
    internal: bool,
    faults: list[tuple[str, str]],
) -> None:
    found = [*zone_faults(host, zones, ["ZGONE"], named, internal=internal, vpc="vpc-1")]
    assert [one.field for one in found] == [field for field, _ in faults]
    for one, (_, words) in zip(found, faults, strict=True):
        assert words in one.message


def test_a_private_zone_of_the_vpc_hides_a_public_record_from_clients_there() -> None:
    assert hiding(HOST, ALL, [PUBLIC], "vpc-1") == (PRIVATE,)
    assert hiding(HOST, ALL, [PUBLIC, PRIVATE], "vpc-1") == ()
    assert hiding(HOST, ALL, [PUBLIC], "vpc-3") == ()
