"""What a classic load balancer holds on to when it is deleted."""

from __future__ import annotations

from conformance import pki
from conformance.account import Account
from conformance.answer import refused
from conformance.needs import (
    BALANCER,
    CERTIFICATE,
    ELB_HOUR,
    VPC,
    new_balancer,
    new_group,
    plain,
    secure,
    upload_for_the_rule,
)
from conformance.rule import question, rule
from conformance.rules.elb_balancers import UNUSED
from conformance.rules.elb_listeners import add


@rule(code="provision/delete", corrects="elb_load_balancers")
def to_delete_what_is_missing_succeeds(aws: Account) -> None:
    """DeleteLoadBalancer of a load balancer that does not exist succeeds.

    https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeleteLoadBalancer.html
    """
    aws.client("elb").delete_load_balancer(LoadBalancerName=UNUSED)


@question(VPC, code="provision/sweep", corrects=("ec2", "knobs"), minutes=2, dollars=ELB_HOUR)
def how_long_a_deleted_one_holds_its_group(aws: Account) -> str:
    """DeleteLoadBalancer answers at once, but its network interfaces linger for up to minutes:
    DeleteSecurityGroup says DependencyViolation.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    """
    elb, ec2 = aws.client("elb"), aws.client("ec2")
    group = new_group(aws, aws.need(VPC).id, aws.name("sg"))
    name = new_balancer(aws, SecurityGroups=[group])
    elb.delete_load_balancer(LoadBalancerName=name)
    codes = ["DependencyViolation", "InvalidGroup.InUse"]
    return f"{aws.once_allowed(ec2.delete_security_group, codes, 600, GroupId=group):.0f} s"


@question(
    VPC,
    code=("provision/sweep", "rotate/delete_superseded"),
    corrects=("iam", "knobs"),
    minutes=1.5,
    dollars=ELB_HOUR,
)
def how_long_a_deleted_one_holds_its_certificate(aws: Account) -> str:
    """A deleted load balancer's hold on its certificate lingers for up to minutes: DeleteServerCertificate
    says DeleteConflict.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
    """
    elb, iam = aws.client("elb"), aws.client("iam")
    uploaded, name = upload_for_the_rule(aws, pki.leaf()), new_balancer(aws)
    listeners = [secure(8883, uploaded.arn)]
    create = elb.create_load_balancer_listeners
    aws.once_allowed(create, ["CertificateNotFound"], 900, LoadBalancerName=name, Listeners=listeners)
    elb.delete_load_balancer(LoadBalancerName=name)
    delete = iam.delete_server_certificate
    seconds = aws.once_allowed(delete, ["DeleteConflict"], 600, ServerCertificateName=uploaded.name)
    return f"{seconds:.0f} s"


@rule(BALANCER, CERTIFICATE, code=("rotate/delete_superseded", "aws/iam"), corrects="iam", minutes=0.05)
def a_certificate_in_use_cannot_be_deleted(aws: Account) -> str:
    """DeleteServerCertificate of one that a listener uses is DeleteConflict.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServerCertificate.html
    """
    add(aws, secure(2030, aws.need(CERTIFICATE).arn))
    delete = aws.client("iam").delete_server_certificate
    return refused(delete, "DeleteConflict", ServerCertificateName=aws.need(CERTIFICATE).name)


@rule(VPC, code="provision/delete", corrects="ec2", dollars=ELB_HOUR)
def a_group_in_use_cannot_be_deleted(aws: Account) -> str:
    """DeleteSecurityGroup of one that a load balancer has is DependencyViolation.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    """
    elb, ec2 = aws.client("elb"), aws.client("ec2")
    group = new_group(aws, aws.need(VPC).id, aws.name("sg"))
    name = new_balancer(aws, SecurityGroups=[group], Listeners=[plain(1883)])
    aws.defer(elb.delete_load_balancer, LoadBalancerName=name)
    # The interfaces may come a moment after the answer; until then the group would be free.
    filters = [{"Name": "group-id", "Values": [group]}]
    aws.until(
        lambda: ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"],
        120,
        "it has network interfaces",
    )
    return refused(ec2.delete_security_group, "DependencyViolation", GroupId=group)
