"""Everything at AWS that a load balancer could leave behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.aws import Aws


def of_load_balancers(aws: Aws) -> frozenset[str]:
    """Return what there is, each thing as its kind and its name."""
    elbv2, route53 = aws.elbv2(), aws.route53()
    return flat(
        {
            "load balancer": [
                one["LoadBalancerName"]
                for one in aws.elb().describe_load_balancers()["LoadBalancerDescriptions"]
            ]
            + [one["LoadBalancerArn"] for one in elbv2.describe_load_balancers()["LoadBalancers"]],
            "target group": [one["TargetGroupArn"] for one in elbv2.describe_target_groups()["TargetGroups"]],
            "server certificate": [
                one["ServerCertificateName"]
                for one in aws.iam().list_server_certificates()["ServerCertificateMetadataList"]
            ],
            "security group": [
                one["GroupId"] for one in aws.ec2().describe_security_groups()["SecurityGroups"]
            ],
            "record": [
                f"{record['Type']} {record['Name']}"
                for zone in route53.list_hosted_zones()["HostedZones"]
                for record in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
            ],
        }
    )


def flat(kinds: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Return the names of each kind, with the kind before each."""
    return frozenset(f"{kind} {name}" for kind, names in kinds.items() for name in names)
