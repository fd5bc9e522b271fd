"""What `rotate`, `expiring`, `probe`, `deep_probe` and `widget` are for: certificates, and a look at them."""

from __future__ import annotations

import json
from datetime import timedelta

import boto3
import pytest

from chalicelib.model.errors import Unserved
from lab.fidelity.knobs import KNOBS
from tests.enforced import OWNER, Deployment
from tests.enforced.provisioning import LATE, PRIVATE_CA, acm_certificate
from tests.world.issuing import acme_for, authority, make_due
from tests.world.provisioning import issued
from tests.world.register import sample
from tests.world.rotating import (
    HOST,
    LONG_AGO,
    body,
    bundle,
    front,
    keep_secret,
    served,
    uploaded_a_minute_ago,
    use_in_second,
)

SECRET = {"secret_id": f"{OWNER}/mqtt"}


def asked(prod: Deployment) -> None:
    """Probe and rotate on request, at once and in the background."""
    with front(prod.here) as wire:
        prod.put(body(prod.here, wire.port, PRIVATE_CA))
        prod.http("POST", "/load-balancers/demo/probe", {})
        prod.http("POST", "/load-balancers/demo/probe?deep=true", {})
        assert prod.http("POST", "/load-balancers/demo/rotate", {})["state"] == "rotated"
        KNOBS.certificate_propagation_seconds = LATE
        assert prod.http("POST", "/load-balancers/demo/rotate", {})["state"] == "pending"
        prod.background()


def rolled_back(prod: Deployment) -> None:
    """Put the old certificate back where the new one fails on the wire, on request and by the schedule."""
    keep_secret(bundle(40), f"{OWNER}/mqtt")
    with front(prod.here) as wire:
        prod.put(body(prod.here, wire.port, SECRET))
        wire.good = wire._arn()
        for key, by_schedule in (("other", False), ("third", True)):
            keep_secret(bundle(70, key=key), f"{OWNER}/mqtt")
            if by_schedule:
                with pytest.raises(Unserved, match=r"TLS handshakes with .* failed"):
                    prod.run("rotate", sample("schedule-rotate"))
            else:
                assert prod.http("POST", "/load-balancers/demo/rotate", {})["state"] == "pending"
                prod.background()
            assert wire._arn() == wire.good


def due(prod: Deployment) -> None:
    """Renew by the schedule, near the quota, and retire what is superseded; watch what is ACM's."""
    for number in range(15):
        prod.here.world.upload(f"theirs-{number}")
    with front(prod.here) as wire:
        prod.here.passed = LONG_AGO
        prod.put(body(prod.here, wire.port, PRIVATE_CA))
        prod.put(body(prod.here, 8883, PRIVATE_CA, "network"), "fleet")
        prod.here.passed = timedelta()
        second = served(prod.here, 8883, "fleet")
        arn = acm_certificate()
        use_in_second("network", False, "eu-central-1", arn)
        prod.put(body(prod.here, 8883, {"arn": arn}), "other")
        prod.put(
            {"type": "network", "subnets": prod.here.subnets[:2], "certificate": {"arn": arn}}, "network"
        )
        first = wire._arn()
        # As it was made before its certificate had a secret of its own.
        boto3.client("secretsmanager").untag_resource(
            SecretId=f"{OWNER}/private-ca", TagKeys=["emq-elb:certificate"]
        )
        prod.run("rotate", sample("schedule-rotate"))
        assert served(prod.here, 8883, "fleet") != second
        uploaded_a_minute_ago()
        prod.http("POST", "/load-balancers/demo/rotate", {})
        uploaded_a_minute_ago()
        prod.run("rotate", sample("schedule-rotate"))
        assert first not in {one["Arn"] for one in prod.here.certificates()}
    prod.run("expiring", {**sample("acm-approaching-expiration"), "resources": [arn]})


def ordered(prod: Deployment) -> None:
    """Order a certificate from an ACME CA, in the background, with an account that is made for it."""
    with authority(prod.acme, prod.here) as ca, front(prod.here) as wire:
        assert prod.put(body(prod.here, wire.port, acme_for(HOST)))["state"] == "pending"
        prod.background()
        assert prod.http("GET", "/load-balancers/demo")["certificate"]["source"] == "acme"
        assert prod.http("POST", "/load-balancers/demo/rotate", {})["state"] == "pending"
        prod.background()
        assert ca.records() == {}


def renewed(prod: Deployment) -> None:
    """Renew a certificate by an ACME CA that does not know us yet."""
    with authority(prod.acme, prod.here) as ca, front(prod.here) as wire:
        served = make_due(prod.here, wire.port)
        prod.run("rotate", sample("schedule-rotate"))
        assert wire._arn() != served
        assert ca.records() == {}


def probed(prod: Deployment) -> None:
    """Probe, shallow and deep, with secrets named as ours and with one tagged for us; show the table."""
    keep_secret(json.dumps({"username": "probe", "password": "made-up"}), f"{OWNER}/mqtt")
    boto3.client("secretsmanager").create_secret(
        Name="team/roots",
        SecretString=json.dumps({"certificate": issued().chain_pem}),
        Tags=[{"Key": "emq-elb:owner", "Value": OWNER}],
    )
    options = {"credentials_secret_id": f"{OWNER}/mqtt", "ca_secret_id": "team/roots"}
    certificate = {"issuer": "private-ca", "domains": [HOST]}
    prod.put({**prod.here.article, "certificate": certificate, "probe": options})
    bought = {"arn": prod.here.world.upload("bought")}
    imported = {"arn": acm_certificate()}
    for name, external in (("bought", bought), ("imported", imported)):
        given = {"subnets": prod.here.subnets[:2], "certificate": external, "cluster": "demo"}
        prod.put({**given, "probe": {"credentials_secret_id": f"{OWNER}/mqtt"}}, name)
    network = {"type": "network", "subnets": prod.here.subnets[:2], "cluster": "demo"}
    prod.put({**network, "certificate": certificate}, "network")
    for function in ("probe", "deep_probe"):
        prod.run(function, sample("schedule-tick"))
    prod.run("widget", {})
    pressed = [("probe", name) for name in ("demo", "network", "bought", "imported")]
    for action, name in (*pressed, ("rotate", "demo")):
        prod.run("widget", {"action": action, "name": name})
