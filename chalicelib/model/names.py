"""What ours is called at AWS, and the tags that it carries.

The tags are all that is remembered between two invocations (`docs/architecture.md`):

    emq-elb:owner        load balancer, listener and target group (network), security group, server
                         certificate     the deployment that may change it
    emq-elb:cluster      instance, load balancer   the cluster: an instance is a member of every load balancer
                                         of ours that carries the same value; a load balancer without the tag
                                         serves the cluster of its own name
    emq-elb:draining     instance        the event's time (RFC 3339) and the reason; holds while it is not
                                         before the instance's launch
    emq-elb:certificate  load balancer   where its certificate comes from: `private-ca`, `secret:<id>`,
                                         `acme`, `pem`, `external`; on a server certificate: where that came
                                         from; on the secret of the private CA's key: which certificate of it
                                         stands apart, in a secret of its own
    emq-elb:hostname     load balancer   the name that clients use
    emq-elb:dns          load balancer   in which hosted zones the hostname has its record, and its weight
                                         (`model/dns_options.py`); absent: in none
    emq-elb:probe        load balancer   probe options, `key=value` between spaces
    emq-elb:members      load balancer   whose instances may join (`model/members.py`); absent: all that carry
                                         the cluster's tag
    emq-elb:pending      load balancer   since when and for what something still waits; absent: `ready`
                                         (`model/pending.py`); on a security group or a target group: since
                                         when its load balancer is gone
    emq-elb:rejected     load balancer   the name of a certificate that failed in TLS handshakes, and when
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

OWNER_TAG = "emq-elb:owner"
CLUSTER_TAG = "emq-elb:cluster"
DRAINING_TAG = "emq-elb:draining"
CERTIFICATE_TAG = "emq-elb:certificate"
HOSTNAME_TAG = "emq-elb:hostname"
DNS_TAG = "emq-elb:dns"
PROBE_TAG = "emq-elb:probe"
MEMBERS_TAG = "emq-elb:members"
PENDING_TAG = "emq-elb:pending"
REJECTED_TAG = "emq-elb:rejected"

DIGITS_IN_NAME = 16
_CUT = 20
_LAST_PORT = 65535


def certificate_path(owner: str, region: str, load_balancer: str) -> str:
    """Return the IAM path under which this load balancer's certificates are, and only they."""
    return f"{certificates_path(owner, region)}{load_balancer}/"


def certificates_path(owner: str, region: str) -> str:
    """Return the IAM path above those of all load balancers of a deployment in a region."""
    return f"/emq-elb/{owner}/{region}/"


def load_balancer_of_path(path: str) -> str:
    """Return the load balancer whose certificates are under an IAM path of ours."""
    return path.strip("/").rpartition("/")[2]


def certificate_home(arn: str) -> Literal["iam", "acm"] | None:
    """Return which of AWS's services holds a certificate of this ARN; None for an ARN of something else."""
    match arn.split(":", 5):
        case ["arn", _, "iam", "", _, resource] if resource.startswith("server-certificate/"):
            return "iam"
        case ["arn", _, "acm", _, _, resource] if resource.startswith("certificate/"):
            return "acm"
        case _:
            return None


def certificate_path_of(arn: str) -> str | None:
    """The IAM path in a server certificate's ARN; None for any other ARN."""
    if certificate_home(arn) != "iam":
        return None
    _, _, rest = arn.partition(":server-certificate")
    return rest[: rest.rindex("/") + 1]


def certificate_name_of(arn: str) -> str:
    """Return the name in an IAM server certificate's ARN: what follows the path."""
    return arn.rpartition("/")[2]


def security_group_name(load_balancer: str) -> str:
    """Return the name of the security group that we make for a load balancer."""
    return f"{load_balancer}-elb"


def target_group_name(load_balancer: str, instance_port: int) -> str:
    """Return the name of the target group that we make for an instance port of a network load balancer.

    The digits keep apart load balancers whose names begin alike: target groups share one space of names, of
    at most 32 characters.
    """
    digits = hashlib.sha256(load_balancer.encode()).hexdigest()[:4]
    return f"{load_balancer[:_CUT]}-{instance_port}-{digits}"


def future_arn(kind: Literal["loadbalancer", "listener", "targetgroup"], name: str) -> str:
    """Return what stands for the ARN of something that is to be made; no ARN begins so."""
    return f"{kind}/{name}"


def port_of_target_group(group: str, load_balancer: str) -> int | None:
    """Return the instance port for which a target group of that name is the load balancer's, else None."""
    port = group.removeprefix(f"{load_balancer[:_CUT]}-").partition("-")[0]
    found = int(port) if port.isdecimal() and len(port) <= len("65535") else 0
    return found if target_group_name(load_balancer, found) == group else None


def load_balancer_of_target_group(group: str) -> str | None:
    """Return the load balancer that a target group of that name was made for; None for another name.

    Of a name of 20 characters and more only the first 20 are known.
    """
    found = re.fullmatch(r"(.{1,20})-([0-9]{1,5})-[0-9a-f]{4}", group)
    if not found or not 0 < int(found[2]) <= _LAST_PORT:
        return None
    name = found[1]
    return name if len(name) == _CUT or target_group_name(name, int(found[2])) == group else None


def authority_certificate_secret(private_ca: str) -> str:
    """Return the secret with the certificate of the private CA whose key is in that secret."""
    return f"{private_ca}-certificate"


def load_balancer_of_group(group: str) -> str | None:
    """Return the load balancer that a security group of that name was made for; None for another name."""
    return group.removesuffix("-elb") if group.endswith("-elb") else None


PRIVATE_CA = "private-ca"
ACME = "acme"
SECRET = "secret:"  # noqa: S105 - the prefix of a tag's text, not a secret
WATCHED = frozenset({"pem", "external", ""})
ACM_RENEWS = (
    "ACM renews what it issued itself and can still validate by DNS; one that it validates by e-mail waits"
    " for your approval, and one that you imported you import again"
)
"""https://docs.aws.amazon.com/acm/latest/userguide/managed-renewal.html"""
