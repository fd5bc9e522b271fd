"""A small function in the emulated account, made by hand as Chalice makes one."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from zipfile import ZipFile

from lab.aws import Aws

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}


@contextmanager
def small(aws: Aws) -> Iterator[str]:
    """Make the function `small` with a role of its own, and yield its ARN; both are gone at the end."""
    iam, functions = aws.iam(), aws.client("lambda")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
    role = iam.create_role(RoleName="small-role", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="small-role", PolicyName="own", PolicyDocument=json.dumps(POLICY))
    packed = io.BytesIO()
    with ZipFile(packed, "w") as package:
        package.writestr("app.py", "revision = 1")
    made = functions.create_function(
        FunctionName="small",
        Runtime="python3.11",
        Handler="app.small",
        Role=role,
        Code={"ZipFile": packed.getvalue()},
        Timeout=7,
        MemorySize=512,
        Environment={"Variables": {"OWNER": "small"}},
    )
    try:
        yield made["FunctionArn"]
    finally:
        functions.delete_function(FunctionName="small")
        iam.delete_role_policy(RoleName="small-role", PolicyName="own")
        iam.delete_role(RoleName="small-role")
