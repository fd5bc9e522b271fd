"""The throw-away stage: how it is named, and that the sweep finds what a killed run of it leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from conformance import pki
from conformance.account import Account, Budget, Run
from conformance.app_aws import STAGE, AwsSite, aws_site
from conformance.emulated import PLACE, emulated
from conformance.needs import new_subnet, new_vpc, plain
from conformance.run import clean
from conformance.sweep import named
from tests.conformance.test_killed import inventory

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
GRANT = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "*"}],
}


@pytest.fixture
def aws() -> Iterator[Account]:
    """An account with a run, on the corrected moto."""
    with emulated() as session:
        yield Account(session, PLACE, Run.begin(datetime.now(UTC)), Budget(1, 60))


@pytest.fixture
def site(aws: Account) -> Iterator[AwsSite]:
    """A copy of the program, to be deployed."""
    with aws_site(aws, "me") as one:
        yield one


def test_the_stage_is_named_after_the_run(site: AwsSite) -> None:
    path = site.project / ".chalice" / "config.json"
    config = site.configured(json.loads(path.read_text()))
    (stage,) = config["stages"].values()
    owner = stage["environment_variables"]["OWNER"]
    assert owner == f"{config['app_name']}-{STAGE}"
    assert named(owner) == named(config["app_name"]) == site.aws.run.name
    files = {one["iam_policy_file"] for one in stage["lambda_functions"].values()}
    assert len(files) == len(stage["lambda_functions"]) == 10
    assert all(re.fullmatch(r"app/policy-\w+\.json", one) for one in files)


def test_what_the_program_leaves_is_found_and_what_is_like_it_stays(aws: Account) -> None:
    iam, secrets, ec2 = aws.client("iam"), aws.client("secretsmanager"), aws.client("ec2")

    def secret_names() -> set[str]:
        return {one["Name"] for one in secrets.list_secrets()["SecretList"]}

    deployment = f"conform-{aws.run.name}-{STAGE}"
    bundle = pki.leaf("P-256")
    for owner in ("emq-elb-prod", "conformity", "conform-somebody-app"):
        iam.create_role(RoleName=owner, AssumeRolePolicyDocument=json.dumps(TRUST))
        iam.upload_server_certificate(
            ServerCertificateName=f"{owner}-certificate",
            Path=f"/emq-elb/{owner}/eu-central-1/demo/",
            CertificateBody=bundle.body,
            PrivateKey=bundle.key_pem(),
        )
        secrets.create_secret(Name=f"{owner}/private-ca", SecretString="{}")
    before, kept = inventory(aws.client), secret_names()
    vpc = new_vpc(aws, "10.215.0.0/16")
    subnet = new_subnet(aws, vpc, "eu-central-1a", "10.215.0.0/24")
    group = ec2.create_security_group(GroupName="conform-elb", Description="ours", VpcId=vpc)["GroupId"]
    aws.client("elb").create_load_balancer(
        LoadBalancerName="conform",
        Scheme="internal",
        Subnets=[subnet],
        SecurityGroups=[group],
        Listeners=[plain(1883)],
        Tags=[{"Key": "emq-elb:owner", "Value": deployment}],
    )
    iam.create_role(RoleName=f"{deployment}-register", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=f"{deployment}-register", PolicyName="own", PolicyDocument=json.dumps(GRANT))
    iam.upload_server_certificate(
        ServerCertificateName="eu-central-1-conform-0123456789abcdef",
        Path=f"/emq-elb/{deployment}/eu-central-1/conform/",
        CertificateBody=bundle.body,
        PrivateKey=bundle.key_pem(),
    )
    secrets.create_secret(Name=f"{deployment}/private-ca", SecretString="{}")
    assert clean(aws, lambda _: None) == []
    assert inventory(aws.client) == before
    assert secret_names() == kept
