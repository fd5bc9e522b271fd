"""The environment as settings; an error names the variable that is wrong."""

from __future__ import annotations

import pytest

from chalicelib.model.bounds import Bounds
from chalicelib.settings import LETS_ENCRYPT, SettingsError, read_settings

OWNER = {"OWNER": "emq-elb-test"}


def test_an_owner_is_enough() -> None:
    settings = read_settings(OWNER)
    assert settings.acme_directory_url == LETS_ENCRYPT
    assert (settings.acme_contact, settings.acme_ca_bundle, settings.acme_eab_secret) == (None, None, None)
    assert settings.acme_account_secret == "emq-elb-test/acme-account"
    assert settings.private_ca_secret == "emq-elb-test/private-ca"


def test_what_is_given_for_the_acme_ca_is_taken() -> None:
    settings = read_settings(
        OWNER
        | {
            "ACME_DIRECTORY_URL": "https://ca.example.com/directory",
            "ACME_CONTACT": " ops@example.com ",
            "ACME_ACCOUNT_SECRET": "acme",
            "ACME_CA_BUNDLE": "/var/task/roots.pem",
            "ACME_EAB_SECRET": " emq-elb-test/zerossl ",
        }
    )
    assert settings.acme_directory_url == "https://ca.example.com/directory"
    assert settings.acme_contact == "ops@example.com"
    assert (settings.acme_account_secret, settings.acme_ca_bundle) == ("acme", "/var/task/roots.pem")
    assert settings.acme_eab_secret == "emq-elb-test/zerossl"


def test_the_bounds_of_a_deployment_are_lists_with_commas_and_each_is_off_by_default() -> None:
    assert read_settings(OWNER).bounds == Bounds()
    bounds = read_settings(
        OWNER
        | {
            "ALLOWED_INSTANCE_PORTS": "1883, 18083",
            "ALLOWED_VPCS": "vpc-0123456789abcdef0",
            "ALLOWED_DOMAINS": "Example.com,mqtt.example.org",
            "ALLOW_ADOPTION": "false",
        }
    ).bounds
    assert bounds == Bounds(
        instance_ports=frozenset({1883, 18083}),
        vpcs=frozenset({"vpc-0123456789abcdef0"}),
        domains=frozenset({"example.com", "mqtt.example.org"}),
        adoption=False,
    )


def test_records_are_kept_in_the_zones_that_are_named_and_in_none_by_default() -> None:
    assert read_settings(OWNER).dns_zones == ()
    assert read_settings(OWNER | {"DNS_ZONES": "Z2FDTNDATAQYW2, Z0123"}).dns_zones == (
        "Z0123",
        "Z2FDTNDATAQYW2",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OWNER", "-!"),
        ("ACME_DIRECTORY_URL", "http://ca.example.com/directory"),
        ("ACME_CONTACT", "ops"),
        ("ACME_CONTACT", "ops@"),
        ("ACME_CONTACT", "ops@localhost"),
        ("ACME_CONTACT", "mailto:ops@example.com"),
        ("ACME_CONTACT", "ops@example.com, other@example.com"),
        ("RENEW_BEFORE_DAYS", "0"),
        ("DRAIN_ON_REBALANCE", "yes"),
        ("ALLOWED_INSTANCE_PORTS", "1883,mqtt"),
        ("ALLOWED_INSTANCE_PORTS", "0"),
        ("ALLOWED_INSTANCE_PORTS", "65536"),
        ("ALLOWED_INSTANCE_PORTS", "1883,"),
        ("ALLOWED_VPCS", "default"),
        ("ALLOWED_DOMAINS", "*.example.com"),
        ("ALLOWED_DOMAINS", "example.com; example.org"),
        ("ALLOW_ADOPTION", "no"),
        ("DNS_ZONES", "example.com"),
        ("DNS_ZONES", "/hostedzone/Z2FDTNDATAQYW2"),
        ("ALARM_TOPIC_ARN", "topic"),
        ("ALARM_TOPIC_ARN", "arn:aws"),
        ("ALARM_TOPIC_ARN", "arn:aws:lambda:eu-central-1:123456789012:function:sns:live"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings(OWNER | {name: value})
