"""Certificates: each kind of source, what AWS needs time for, and the private CA that is made once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto.acm.models import acm_backends

from chalicelib.model.errors import Conflict, InvalidRequest
from lab.fidelity import iam as fidelity_iam
from lab.fidelity.knobs import KNOBS
from tests.world.certificates import authority, leaf, self_signed
from tests.world.kinds import Kind, each_kind
from tests.world.provisioning import Account, Killed, issued, pem

SECURE = {"protocol": "SSL", "port": 8883, "instance_protocol": "TCP", "instance_port": 1883}
PRIVATE_CA = {"issuer": "private-ca"}


def body_with(here: Account, certificate: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "subnets": here.subnets[:2],
        "security_groups": [here.group()],
        "certificate": certificate,
        **more,
    }


def secret(here: Account, one: dict[str, str]) -> str:  # noqa: ARG001 - it is in that account
    boto3.client("secretsmanager").create_secret(Name="tls/mqtt", SecretString=json.dumps(one))
    return "tls/mqtt"


def source(here: Account) -> str:
    return str(here.snapshot()["load balancers"]["demo"]["tags"]["emq-elb:certificate"])


def codes(report: Any) -> set[str]:
    return {warning.code for warning in report.warnings}


def test_each_source_ends_on_the_listener_and_in_the_tag(here: Account) -> None:
    arn = here.world.upload("by-hand")
    sources = {
        "external": {"arn": arn},
        "pem": {"pem": pem(issued())},
        "secret:tls/mqtt": {"secret_id": secret(here, pem(issued("b.example.com", key="b")))},
        "private-ca": {"issuer": "private-ca", "domains": ["c.example.com"]},
    }
    body = body_with(here, {"arn": arn})
    seen = set()
    for text, certificate in sources.items():
        here.put({**body, "certificate": certificate})
        assert source(here) == text
        seen.add(here.served())
        here.put(here.get())
        assert here.calls.writes == []
    assert len(seen) == 4
    assert len(here.certificates()) == 4


def test_the_same_content_is_uploaded_once(here: Account) -> None:
    body = body_with(here, {"pem": pem(issued())})
    here.put(body)
    here.put(body)
    here.put({**body, "certificate": {"arn": here.world.upload("by-hand")}})
    here.put(body)
    assert here.calls.writes == ["AddTags", "SetLoadBalancerListenerSSLCertificate"]
    assert len(here.certificates()) == 2


def test_a_name_that_is_taken_elsewhere_in_the_account_is_a_conflict(here: Account) -> None:
    body = body_with(here, {"pem": pem(issued())})
    here.put(body)
    (metadata,) = here.certificates()
    here.world.iam.update_server_certificate(
        ServerCertificateName=metadata["ServerCertificateName"], NewPath="/elsewhere/"
    )
    with pytest.raises(Conflict, match="which is not ours: its path is /elsewhere/"):
        here.put(body)
    assert here.calls.writes == []


def test_a_pem_with_faults_changes_nothing_and_every_fault_is_answered(here: Account) -> None:
    given = {
        **pem(leaf("mqtt.example.com", not_after=datetime.now(UTC) - timedelta(days=1))),
        "private_key": pem(issued("other.example.com", key="other"))["private_key"],
    }
    before = here.snapshot()
    body = body_with(here, {"pem": given}, hostname="else.example.com", keepalive=0, instances=["i-00000000"])
    with pytest.raises(InvalidRequest) as caught:
        here.put(body)
    fields = {fault.field.partition("[")[0] for fault in caught.value.faults}
    assert fields == {
        "certificate.pem.certificate",
        "certificate.pem.private_key",
        "keepalive",
        "instances",
    }
    assert here.calls.writes == []
    assert len(here.snapshot()["load balancers"]) == len(before["load balancers"])


def test_a_self_signed_certificate_is_taken_with_a_warning(here: Account) -> None:
    report = here.put(body_with(here, {"pem": pem(self_signed("mqtt.example.com"))}))
    assert "self-signed" in codes(report)


@pytest.mark.parametrize(
    ("certificate", "field", "says"),
    [
        (
            {"arn": "arn:aws:iam::123456789012:server-certificate/none"},
            "certificate.arn",
            "there is no certificate",
        ),
        (
            {"arn": "arn:aws:acm:eu-central-1:123456789012:certificate/none"},
            "certificate.arn",
            "there is no certificate",
        ),
        ({"secret_id": "none"}, "certificate.secret_id", "there is no secret none"),
    ],
    ids=["IAM", "ACM", "secret"],
)
def test_what_is_named_and_not_there_is_a_fault(
    here: Account, certificate: dict[str, str], field: str, says: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        here.put(body_with(here, certificate))
    assert [(fault.field, says in fault.message) for fault in caught.value.faults] == [(field, True)]
    assert here.calls.writes == []


def test_a_certificate_that_expires_soon_is_warned_of(here: Account) -> None:
    body = body_with(here, {"pem": pem(issued())})
    assert "expires-soon" not in codes(here.put(body))
    here.passed += timedelta(days=75)
    assert "expires-soon" in codes(here.put(here.get()))


def test_the_quota_of_certificates_is_warned_of_before_it_is_reached(here: Account) -> None:
    fidelity_iam.set_quota("123456789012", 2)
    body = body_with(here, {"pem": pem(issued())})
    here.world.upload("another")
    assert "certificate-quota" in codes(here.put(body))


def test_an_acm_certificate_is_named_and_shown_whatever_becomes_of_it(here: Account) -> None:
    acm = boto3.client("acm")
    one = issued()
    arn = acm.import_certificate(
        Certificate=one.certificate_pem.encode(),
        PrivateKey=one.private_key_pem.encode(),
        CertificateChain=one.full_chain_pem.encode(),
    )["CertificateArn"]
    here.put(body_with(here, {"arn": arn}))
    assert here.get()["certificate"]["arn"] == arn
    acm_backends["123456789012"]["eu-central-1"]._certificates[arn].status = "EXPIRED"
    shown = here.get()
    assert shown["certificate"]["arn"] == arn
    here.put(shown)
    assert here.calls.writes == []
    with pytest.raises(InvalidRequest, match="EXPIRED"):
        here.put(body_with(here, {"arn": arn}), name="new")


def test_without_names_the_private_ca_certifies_the_hostname_or_else_warns(here: Account) -> None:
    assert "default-domains" in codes(here.put(body_with(here, PRIVATE_CA)))
    assert here.get()["certificate"]["domains"] == ["*.eu-central-1.elb.amazonaws.com"]
    report = here.put(body_with(here, PRIVATE_CA, hostname="mqtt.example.com"), name="named")
    assert "default-domains" not in codes(report)
    assert here.get("named")["certificate"]["domains"] == ["mqtt.example.com"]
    assert len(here.secrets()) == 2, "the CA, and its certificate apart from its key"


def test_other_names_are_another_certificate_and_the_old_ones_bring_the_old_one_back(here: Account) -> None:
    first = {"issuer": "private-ca", "domains": ["a.example.com"]}
    here.put(body_with(here, first))
    before = here.served()
    here.put({**here.get(), "certificate": {"issuer": "private-ca", "domains": ["b.example.com"]}})
    assert here.calls.writes == ["UploadServerCertificate", "SetLoadBalancerListenerSSLCertificate"]
    here.put({**here.get(), "certificate": first})
    assert here.calls.writes == ["SetLoadBalancerListenerSSLCertificate"]
    assert here.served() == before


def test_a_body_that_get_showed_before_a_renewal_does_not_undo_it(here: Account) -> None:
    here.put(body_with(here, {"issuer": "private-ca", "domains": ["a.example.com"]}))
    old = here.get()
    # What `rotate` does: a certificate for the same names, made later, is uploaded and installed.
    path = here.certificates()[0]["Path"]
    one = leaf(
        "a.example.com", signed_by=authority(), key="renewed", not_after=datetime.now(UTC) + timedelta(99)
    )
    renewed = here.world.iam.upload_server_certificate(
        ServerCertificateName="renewed",
        Path=path,
        CertificateBody=one.certificate_pem,
        PrivateKey=one.private_key_pem,
    )["ServerCertificateMetadata"]["Arn"]
    here.world.elb.set_load_balancer_listener_ssl_certificate(
        LoadBalancerName="demo", LoadBalancerPort=8883, SSLCertificateId=renewed
    )
    here.put(old)
    assert here.calls.writes == []
    assert here.served() == renewed


def test_a_certificate_that_failed_on_the_wire_is_not_taken_up_again(here: Account) -> None:
    body = body_with(here, {"issuer": "private-ca", "domains": ["a.example.com"]})
    here.put(body)
    name = here.certificates()[0]["ServerCertificateName"]
    here.put({**body, "certificate": {"issuer": "private-ca", "domains": ["b.example.com"]}})
    here.world.elb.add_tags(LoadBalancerNames=["demo"], Tags=[{"Key": "emq-elb:rejected", "Value": name}])
    here.put(body)
    assert not here.served().endswith(name)
    assert len(here.certificates()) == 3


def test_the_private_ca_is_made_once(here: Account) -> None:
    here.put(body_with(here, PRIVATE_CA))
    kept = {one["ARN"] for one in here.secrets()}
    here.put(body_with(here, PRIVATE_CA), name="other")
    assert {one["ARN"] for one in here.secrets()} == kept


def test_a_private_ca_that_vanished_is_a_conflict_and_never_a_new_one(here: Account) -> None:
    body = body_with(here, PRIVATE_CA)
    here.put(body)
    boto3.client("secretsmanager").delete_secret(
        SecretId=here.settings.private_ca_secret, ForceDeleteWithoutRecovery=True
    )
    changed = {**body, "certificate": {"issuer": "private-ca", "domains": ["new.example.com"]}}
    for name, asked in (("demo", changed), ("other", body)):
        with pytest.raises(Conflict, match="the private CA is gone, and demo uses that CA"):
            here.put(asked, name=name)
        assert here.calls.writes == []
    # What is served is not the CA's business.
    here.put(body)
    assert here.calls.writes == []
    # Nobody trusts it any more: a new one does no harm.
    here.delete(force=True)
    here.put(body)
    assert len(here.secrets()) == 2


def test_of_two_requests_that_make_the_private_ca_at_once_one_does(here: Account) -> None:
    body = body_with(here, PRIVATE_CA)
    here.calls.kill_after = 1
    with pytest.raises(Killed):
        here.put(body)
    here.calls.kill_after = None
    here.put(body, name="other")
    here.put(body)
    assert len(here.secrets()) == 2, "the CA, and its certificate apart from its key"
    assert len(here.certificates()) == 2


@each_kind
def test_a_new_certificate_is_waited_for(here: Account, kind: Kind) -> None:
    KNOBS.certificate_propagation_seconds = 12
    report = here.put(body_with(here, {"pem": pem(issued())}, type=kind.type))
    assert report.state == "ready"
    assert timedelta(seconds=12) <= here.passed < timedelta(seconds=20)
    assert here.calls.writes.count("UploadServerCertificate") == 1


def test_a_listener_that_a_failed_call_left_behind_is_set_right(here: Account) -> None:
    body = body_with(here, {"arn": here.world.upload("by-hand")})
    here.put(body)
    KNOBS.certificate_propagation_seconds = 12
    KNOBS.failed_listener_stays = True
    report = here.put(
        {
            **body,
            "certificate": {"pem": pem(issued("b.example.com", key="b"))},
            "listeners": [SECURE, {**SECURE, "port": 8884}],
        }
    )
    assert report.state == "ready"
    shown = [one["Listener"]["SSLCertificateId"] for one in here.world.describe()["ListenerDescriptions"]]
    assert len(set(shown)) == 1
    assert "Invalid-Certificate" not in shown


def test_two_deployments_do_not_share_their_certificates(here: Account) -> None:
    body = body_with(here, PRIVATE_CA)
    here.put(body)
    other = here.owned_by("emq-elb-prod")
    other.settings = replace(other.settings, private_ca_secret="emq-elb-prod/private-ca")
    other.put(body, name="other")
    assert {one["Path"] for one in here.certificates()} == {
        "/emq-elb/emq-elb-test/eu-central-1/demo/",
        "/emq-elb/emq-elb-prod/eu-central-1/other/",
    }
