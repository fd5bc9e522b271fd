"""What single values look like: each function says what is wrong with one, or None.

The patterns are anchored and kept to what JSON Schema's regular expressions know too, because the API's
description shows the same ones.
"""

from __future__ import annotations

import ipaddress
import json
import re
import unicodedata
from base64 import urlsafe_b64decode

NAME_PATTERN = r"^(?!internal-)[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$"
HOSTED_ZONE_PATTERN = r"^[0-9A-Z]{1,32}$"
SUBNET_PATTERN = r"^subnet-[0-9a-f]{8}([0-9a-f]{9})?$"
SECURITY_GROUP_PATTERN = r"^sg-[0-9a-f]{8}([0-9a-f]{9})?$"
ALLOCATION_PATTERN = r"^eipalloc-[0-9a-f]{8}([0-9a-f]{9})?$"
INSTANCE_PATTERN = r"^i-[0-9a-f]{8}([0-9a-f]{9})?$"
HEALTH_TARGET_PATTERN = r"^((TCP|SSL):[0-9]{1,5}|HTTPS?:[0-9]{1,5}/[!-~]{0,1023})$"
SECRET_PATTERN = r"^[A-Za-z0-9/_+=.@:-]{1,248}$"  # noqa: S105 - the form of a secret's id
SOURCE_PATTERN = r"^(private-ca|acme|pem|external|secret:[A-Za-z0-9/_+=.@:-]{1,248})$"
PROFILE_PATTERN = r"^[A-Za-z0-9_+=,.@-]{1,128}\*?$"
GROUP_PATTERN = r"^(?!\*$)[!-9;-~]{1,255}$"
SSL_POLICY_PATTERN = r"^ELBSecurityPolicy-[A-Za-z0-9-]{1,100}$"
LOG_PREFIX_PATTERN = r"^[A-Za-z0-9._/-]*$"
BUCKET_PATTERN = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_ADDRESS = rf"({_OCTET}\.){{3}}{_OCTET}"
PRIVATE_OR_ELASTIC_PATTERN = rf"({ALLOCATION_PATTERN}|^{_ADDRESS}$)"
HOST_PATTERN = rf"^({_LABEL}\.)*(?![0-9]+$){_LABEL}$"
DOMAIN_PATTERN = rf"^(({_LABEL}\.)*(?![0-9]+$){_LABEL}|\*\.({_LABEL}\.)+(?![0-9]+$){_LABEL}|{_ADDRESS})$"
CIDR_PATTERN = rf"^{_ADDRESS}/(3[0-2]|[12]?[0-9])$"
_IAM_ARN = r"arn:aws[a-z-]*:iam::[0-9]{12}:server-certificate/([!-~]{0,510}/)?[A-Za-z0-9_+=,.@-]{1,128}"
_ACM_ARN = r"arn:aws[a-z-]*:acm:[a-z0-9-]{1,32}:[0-9]{12}:certificate/[A-Za-z0-9_-]{1,128}"
CERTIFICATE_ARN_PATTERN = rf"^({_IAM_ARN}|{_ACM_ARN})$"
HOST_MAX = 253
CLUSTER_MAX = 255
_SHOWN = 80

_URL_SAFE = str.maketrans("+/", "-_")
_RUN = re.compile(r"[A-Za-z0-9+/_-]{40,}")
_HEX = re.compile(r"[0-9A-Fa-f]{40,}")
# Names of hosts may be longer than what is shown of a text, and have no room for a key.
_DOTTED = re.compile(rf"{_LABEL}(\.{_LABEL})+")
# As OpenSSL prints a key's bytes, as lines that were joined, or as every other byte of UTF-16.
_BETWEEN = re.compile(r"[\s:\0]+")
_KEY_LINE = re.compile(r"BEGIN.{0,40}PRIVATE.{0,3}KEY", re.IGNORECASE | re.DOTALL)
# A private key's DER is a sequence that begins with its version, 0 or 1 (RFC 5958, 8017 and 5915).
_KEY_DER = re.compile(rb"\x30([\x02-\x7f]|\x81.|\x82..)\x02\x01[\x00\x01]", re.DOTALL)


def quoted(value: object) -> str:
    """Return a value as a message may show it: JSON, short, never what a list holds, nor what may be a key.

    A long text is not shown at all, because the first 80 characters of a key in base64 are the key.
    """
    match value:
        case str():
            if "-----BEGIN" in value:
                return "a PEM text"
            long = len(value) > _SHOWN and not (len(value) <= HOST_MAX and _DOTTED.fullmatch(value))
            if long or any(_looks_random(run) for run in _RUN.findall(value)):
                return f"a text of {len(value)} characters"
            text = json.dumps(value[: _SHOWN + 1])
        case None | bool():
            text = json.dumps(value)
        case float():
            text = repr(value)
        case int():
            # Beyond 4,300 digits Python refuses to write an integer out.
            text = json.dumps(value) if value.bit_length() < 4 * _SHOWN else "a number that long"
        case dict():
            return "an object"
        case list() | tuple():
            return "a list"
        case _:
            return "that"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _looks_random(run: str) -> bool:
    """Whether a run of base64's digits looks like bytes, and like no name: hex, or of every kind of them."""
    mixed = re.search("[a-z]", run) and re.search("[A-Z]", run) and re.search("[0-9]", run)
    return bool(mixed or _HEX.search(run))


def holds_key(text: str) -> bool:
    """Return whether a private key stands in a text: its PEM, or its DER (or PEM) in base64 or hex."""
    joined = _BETWEEN.sub("", text)
    if _KEY_LINE.search(text) or _KEY_LINE.search(joined):
        return True
    for run in (*_RUN.findall(text), *_RUN.findall(joined)):
        head = run[:80]
        # The first digits are enough: its version, or the line with which a PEM text begins.
        decoded = [urlsafe_b64decode(head.translate(_URL_SAFE)[: len(head) // 4 * 4])]
        if _HEX.fullmatch(head):
            decoded.append(bytes.fromhex(head[: len(head) // 2 * 2]))
        if any(_KEY_DER.match(one) or b"PRIVATE KEY" in one for one in decoded):
            return True
    return False


def matches(pattern: str, text: str) -> bool:
    """Return whether the whole text fits: `$` alone would let a last newline pass."""
    return re.fullmatch(pattern, text) is not None


def name_fault(name: str) -> str | None:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_CreateLoadBalancer.html"""
    if matches(NAME_PATTERN, name):
        return None
    return (
        f"{quoted(name)} is no name for a load balancer: at most 32 letters, digits and hyphens, "
        'no hyphen at either end, not beginning with "internal-"'
    )


def shown_name(name: str) -> str:
    """Return a load balancer's name as a message or a log may show it: what cannot be one may be anything."""
    return name if name_fault(name) is None else quoted(name)


def host_fault(name: str) -> str | None:
    """A DNS name without a trailing dot, as clients would use it; an IP address is none."""
    if len(name) <= HOST_MAX and matches(HOST_PATTERN, name):
        return None
    return f"{quoted(name)} is no DNS name: use labels of letters, digits and hyphens between dots"


def domain_fault(name: str) -> str | None:
    """A name to certify: a DNS name, perhaps with a wildcard as its left-most label, or an IPv4 address."""
    if len(name) <= HOST_MAX and matches(DOMAIN_PATTERN, name):
        return None
    return (
        f"{quoted(name)} cannot be certified: use a DNS name, an IPv4 address, or a wildcard "
        'for one label, as in "*.example.com"'
    )


def cidr_fault(text: str) -> str | None:
    """An IPv4 network with its host bits zero: a classic load balancer in a VPC has no IPv6.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-internet-facing-load-balancers.html
    """
    if ":" in text:
        return f"{quoted(text)} is IPv6, which a classic load balancer in a VPC does not have: use IPv4"
    if not matches(CIDR_PATTERN, text):
        return f'{quoted(text)} is no IPv4 network: write it as "10.0.0.0/8"'
    network = ipaddress.IPv4Network(text, strict=False)
    if str(network) != text:
        return f'{quoted(text)} has bits set beyond its prefix: the network is "{network}"'
    return None


def address_fault(text: str) -> str | None:
    """An Elastic IP by its allocation, or an IPv4 address."""
    if matches(ALLOCATION_PATTERN, text) or matches(_ADDRESS, text):
        return None
    return (
        f"{quoted(text)} is neither an Elastic IP's allocation, as eipalloc-0123456789abcdef0, nor an IPv4"
        " address"
    )


def certificate_arn_fault(arn: str, region: str | None = None) -> str | None:
    """A server certificate of IAM, or a certificate of ACM in the load balancer's own region."""
    if not matches(CERTIFICATE_ARN_PATTERN, arn):
        # It is not quoted: somebody may have put a key here.
        return (
            "it is no certificate's ARN: use arn:aws:iam::<account>:server-certificate/<name> "
            "or arn:aws:acm:<region>:<account>:certificate/<id>"
        )
    service, there = arn.split(":")[2:4]
    if service == "acm" and region is not None and there != region:
        return f"it is in {there}: ACM's certificates work in one region, here {region}"
    return None


def health_target_fault(target: str) -> str | None:
    """https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_HealthCheck.html"""
    fits = matches(HEALTH_TARGET_PATTERN, target)
    if fits and 1 <= int(target.partition(":")[2].partition("/")[0]) <= 65535:
        return None
    return (
        f"{quoted(target)} is no target: use TCP:port, SSL:port, HTTP:port/path or HTTPS:port/path, with"
        " up to 1024 characters of path"
    )


def profile_fault(name: str) -> str | None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html"""
    if matches(PROFILE_PATTERN, name):
        return None
    return (
        f"{quoted(name)} is no instance profile's name: 1 to 128 letters, digits and _ + = , . @ - are right,"
        " and a * at the end for every name that begins so"
    )


def scaling_group_fault(name: str) -> str | None:
    """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html"""
    if matches(GROUP_PATTERN, name):
        return None
    return (
        f"{quoted(name)} is no Auto Scaling group's name: 1 to 255 printable ASCII characters without a space"
        " or a colon are right, and a * at the end for every name that begins so"
    )


def bucket_fault(bucket: str) -> str | None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""
    if matches(BUCKET_PATTERN, bucket) and ".." not in bucket and not matches(_ADDRESS, bucket):
        return None
    return f"{quoted(bucket)} is no bucket's name: 3 to 63 small letters, digits, hyphens and single dots"


def cluster_fault(cluster: str) -> str | None:
    """The value of a tag, which an instance and a load balancer carry alike.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/add-remove-tags.html
    """
    if not 1 <= len(cluster) <= CLUSTER_MAX:
        return (
            f"a cluster's name has 1 to {CLUSTER_MAX} characters, as the value of a tag, not {len(cluster)}"
        )
    if cluster.lower().startswith("aws:"):
        return f"{quoted(cluster)} begins with aws:, which AWS keeps for itself"
    if cluster != cluster.strip():
        return f"{quoted(cluster)} has a space at an end, which nobody would see"
    return tag_text_fault(cluster)


def tag_text_fault(text: str) -> str | None:
    """The characters that AWS takes in tags: letters, digits and spaces of any script, and a few signs."""
    odd = next((c for c in text if unicodedata.category(c)[0] not in "LZN" and c not in "_.:/=+-@"), None)
    return (
        None
        if odd is None
        else f"{quoted(odd)} cannot be in a tag: letters, digits, spaces and _ . : / = + - @ can"
    )
