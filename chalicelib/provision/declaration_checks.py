"""What must hold of a declaration before anything is called at AWS.

An ordered list of small checks; each names the fields that it reads, so that a field which is already known
to be wrong spoils no judgement about the others. Listeners, and what only listeners use, are checked in
`declaration_listeners.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from chalicelib.model.errors import Fault
from chalicelib.model.load_balancer import IDLE_TIMEOUT_MAX
from chalicelib.model.names import (
    CERTIFICATE_TAG,
    HOSTNAME_TAG,
    OWNER_TAG,
    PENDING_TAG,
    PROBE_TAG,
    REJECTED_TAG,
    security_group_name,
)
from chalicelib.model.probe_options import probe_tag
from chalicelib.model.syntax import (
    INSTANCE_PATTERN,
    SECRET_PATTERN,
    SECURITY_GROUP_PATTERN,
    SUBNET_PATTERN,
    bucket_fault,
    cidr_fault,
    host_fault,
    matches,
    name_fault,
    quoted,
    tag_text_fault,
)
from chalicelib.provision import declaration_listeners as of_listeners
from chalicelib.provision.declaration import Allow, Declaration

ALLOW_BESIDE_GROUPS = Fault("allow", "only for a security group that we make: leave security_groups out")
KEEPALIVE_MAX = 2400
DRAINING_MAX = 3600
# The quotas of a load balancer's listeners and instances, and of a VPC's subnets and a group's inbound rules:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-limits.html
# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
INSTANCES_MAX = 1000
SUBNETS_MAX = 200
CIDRS_MAX = 60
SECURITY_GROUPS_MAX = 5
TAG_KEY_MAX = 127
TAG_VALUE_MAX = 255
LOG_INTERVALS = (5, 60)
LOG_PREFIX_MAX = 512
QOS = (0, 1, 2)
OUR_TAGS = (OWNER_TAG, CERTIFICATE_TAG, HOSTNAME_TAG, PROBE_TAG, PENDING_TAG, REJECTED_TAG)
TAGS_MAX = 50 - len(OUR_TAGS)
"""A load balancer's tags that are the user's: 50, less those that we may need ourselves.

https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/add-remove-tags.html
"""


def faults(
    declaration: Declaration,
    *,
    region: str | None = None,
    unsound: Collection[str] = frozenset(),
    partial: Collection[str] = frozenset(),
) -> tuple[Fault, ...]:
    """Return everything that is wrong with a declaration, under its field; empty when nothing is.

    Checks that read an `unsound` field are left out; of a `partial` one some elements are missing, and only
    what holds whatever they are is told. With a `region` a certificate of ACM must be there.
    """
    found = [
        fault
        for fields, check in _CHECKS
        if not set(fields.split()).intersection(unsound)
        and (check in _OF_SOME or not set(fields.split()).intersection(partial))
        for fault in check(declaration)
    ]
    if region is not None and "certificate" not in unsound:
        found += of_listeners.acm_certificate(declaration, region)
    return tuple(found)


def _name(declaration: Declaration) -> Iterator[Fault]:
    if (wrong := name_fault(declaration.name)) is not None:
        yield Fault("name", wrong)


def _group_name(declaration: Declaration) -> Iterator[Fault]:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html"""
    if declaration.security_groups is None and declaration.name.lower().startswith("sg-"):
        yield Fault(
            "name",
            'AWS takes no security group whose name begins with "sg-", and ours would be'
            f" {security_group_name(declaration.name)}: name `security_groups`, or take another name",
        )


def _some_subnet(declaration: Declaration) -> Iterator[Fault]:
    if not declaration.subnets:
        yield Fault("subnets", "at least one subnet is needed, one per availability zone")


def _subnets(declaration: Declaration) -> Iterator[Fault]:
    yield from _ids("subnets", declaration.subnets, SUBNET_PATTERN, "subnet-0123456789abcdef0")


def _some_group(declaration: Declaration) -> Iterator[Fault]:
    if declaration.security_groups is not None and not declaration.security_groups:
        yield Fault(
            "security_groups",
            f"none is named: 1 to {SECURITY_GROUPS_MAX} is right; leave it out and one is made",
        )


def _security_groups(declaration: Declaration) -> Iterator[Fault]:
    groups = declaration.security_groups or ()
    yield from _ids("security_groups", groups, SECURITY_GROUP_PATTERN, "sg-0123456789abcdef0")


def _instances(declaration: Declaration) -> Iterator[Fault]:
    yield from _ids("instances", declaration.instances, INSTANCE_PATTERN, "i-0123456789abcdef0")


def _ids(field: str, ids: Sequence[str], pattern: str, example: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, one in enumerate(ids):
        if not matches(pattern, one):
            yield Fault(f"{field}[{index}]", f"{quoted(one)} is no such id: it looks like {example}")
        elif one in seen:
            yield Fault(f"{field}[{index}]", f"{quoted(one)} is named twice")
        seen.add(one)


def _allow_without_groups(declaration: Declaration) -> Iterator[Fault]:
    if declaration.security_groups is not None and declaration.allow != Allow():
        yield ALLOW_BESIDE_GROUPS


def _allow(declaration: Declaration) -> Iterator[Fault]:
    for field, cidrs in (
        ("allow.mqtt", declaration.allow.mqtt),
        ("allow.dashboard", declaration.allow.dashboard),
    ):
        seen: set[str] = set()
        for index, cidr in enumerate(cidrs):
            if (wrong := cidr_fault(cidr)) is not None:
                yield Fault(f"{field}[{index}]", wrong)
            elif cidr in seen:
                yield Fault(f"{field}[{index}]", f"{quoted(cidr)} is named twice")
            seen.add(cidr)


def _keepalive(declaration: Declaration) -> Iterator[Fault]:
    if not 0 < declaration.keepalive <= KEEPALIVE_MAX:
        yield Fault(
            "keepalive",
            f"{quoted(declaration.keepalive)} is out of range: more than 0, at most {KEEPALIVE_MAX} seconds, "
            f"as AWS's idle timeout ends at {IDLE_TIMEOUT_MAX}",
        )


def _connection_draining(declaration: Declaration) -> Iterator[Fault]:
    if not 0 <= declaration.connection_draining <= DRAINING_MAX:
        yield Fault(
            "connection_draining",
            f"{quoted(declaration.connection_draining)} is out of range: 0 (none) to {DRAINING_MAX} seconds",
        )


def _access_logs(declaration: Declaration) -> Iterator[Fault]:
    logs = declaration.access_logs
    if logs is None:
        return
    if (wrong := bucket_fault(logs.bucket)) is not None:
        yield Fault("access_logs.bucket", wrong)
    # AWS puts the word into every log's key by itself and refuses it before:
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/enable-access-logs.html
    if "AWSLogs" in logs.prefix or len(logs.prefix) > LOG_PREFIX_MAX or not logs.prefix.isprintable():
        yield Fault(
            "access_logs.prefix",
            f"{quoted(logs.prefix)} is no prefix: at most {LOG_PREFIX_MAX} printable characters, not AWSLogs",
        )
    if logs.interval not in LOG_INTERVALS:
        yield Fault(
            "access_logs.interval", f"{quoted(logs.interval)} is no interval: 5 or 60 minutes is right"
        )


def _hostname(declaration: Declaration) -> Iterator[Fault]:
    if declaration.hostname is not None and (wrong := host_fault(declaration.hostname)) is not None:
        yield Fault("hostname", wrong)


def _probe(declaration: Declaration) -> Iterator[Fault]:
    probe = declaration.probe
    secrets = {"credentials_secret_id": probe.credentials_secret_id, "ca_secret_id": probe.ca_secret_id}
    for field, secret in secrets.items():
        if secret is not None and not matches(SECRET_PATTERN, secret):
            yield Fault(f"probe.{field}", of_listeners.WRONG_ID)
    if probe.qos not in QOS:
        yield Fault("probe.qos", f"{quoted(probe.qos)} is no quality of service: 0, 1 or 2 is right")
    # The options are kept in a tag.
    elif len(probe_tag(probe) or "") > TAG_VALUE_MAX:
        yield Fault(
            "probe",
            f"the options together are longer than {TAG_VALUE_MAX} characters: use shorter secret ids",
        )


def _tags(declaration: Declaration) -> Iterator[Fault]:
    for key, value in declaration.tags.items():
        yield from (Fault("tags", f"{quoted(key)}: {wrong}") for wrong in _tag(key, value))


def _tag(key: str, value: str) -> Iterator[str]:
    if not 1 <= len(key) <= TAG_KEY_MAX:
        yield f"a key has 1 to {TAG_KEY_MAX} characters"
    if len(value) > TAG_VALUE_MAX:
        yield f"its value has {len(value)} characters, at most {TAG_VALUE_MAX} is right"
    if key.lower().startswith(("aws:", "emq-elb:")):
        yield "a key cannot begin with aws: or emq-elb:, which are kept for AWS and for us"
    yield from (wrong for wrong in (tag_text_fault(key), tag_text_fault(value)) if wrong is not None)


_CHECKS: tuple[tuple[str, Callable[[Declaration], Iterator[Fault]]], ...] = (
    ("name", _name),
    ("name security_groups", _group_name),
    ("subnets", _some_subnet),
    ("subnets", _subnets),
    *of_listeners.CHECKS,
    ("security_groups", _some_group),
    ("security_groups", _security_groups),
    ("security_groups allow", _allow_without_groups),
    ("allow", _allow),
    ("keepalive", _keepalive),
    ("connection_draining", _connection_draining),
    ("access_logs", _access_logs),
    ("instances", _instances),
    ("hostname", _hostname),
    ("probe", _probe),
    ("tags", _tags),
)
"""The fields that a check reads, and the check."""
_OF_SOME = of_listeners.OF_SOME | {_subnets, _security_groups, _instances, _allow_without_groups}
