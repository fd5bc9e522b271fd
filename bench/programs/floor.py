"""What the floors of both kinds of load balancer make first: three writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def group_and_certificate(asked: dict[str, Any], ec2: Any, iam: Any) -> tuple[str, str]:
    """Make the security group, which admits MQTT from everywhere, and upload the certificate.

    Returns the group's id and the certificate's ARN.
    """
    name = asked["name"]
    group = ec2.create_security_group(
        GroupName=f"{name}-elb", Description="MQTT from everywhere", VpcId=asked["vpc"]
    )["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpProtocol="tcp", FromPort=8883, ToPort=8883, CidrIp="0.0.0.0/0"
    )
    uploaded = iam.upload_server_certificate(
        ServerCertificateName=name,
        CertificateBody=Path(asked["certificate"]).read_text(),
        PrivateKey=Path(asked["private_key"]).read_text(),
        CertificateChain=Path(asked["chain"]).read_text(),
    )
    return str(group), str(uploaded["ServerCertificateMetadata"]["Arn"])
