"""The body of PUT as pydantic reads it, in one pass: types, forms, ranges, and lists as wholes.

Typed dictionaries rather than models with defaults: what is absent stays absent, and the defaults in the
schema are those of the dataclasses. A list's length is judged before its elements are looked at, and so is
how many fields an object has. Rules about two fields are in `provision/declaration_checks.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Annotated, Any, Literal, LiteralString, Required

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    with_config,
)
from pydantic.config import JsonDict
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import TypedDict

from chalicelib.api.wording import DRAINING, VALUE
from chalicelib.model.ciphers import (
    CIPHERS,
    NETWORK_POLICIES,
    PREDEFINED_POLICIES,
    PROTOCOLS,
    near_policies,
)
from chalicelib.model.dns_options import WEIGHT_MAX, ZONES_MAX
from chalicelib.model.load_balancer import (
    AccessLogs,
    CustomPolicy,
    HealthCheck,
    LoadBalancerType,
    Protocol,
    Scheme,
)
from chalicelib.model.probe_options import ProbeOptions
from chalicelib.model.syntax import (
    BUCKET_PATTERN,
    CERTIFICATE_ARN_PATTERN,
    CIDR_PATTERN,
    CLUSTER_MAX,
    DOMAIN_PATTERN,
    GROUP_PATTERN,
    HEALTH_TARGET_PATTERN,
    HOST_MAX,
    HOST_PATTERN,
    HOSTED_ZONE_PATTERN,
    INSTANCE_PATTERN,
    LOG_PREFIX_PATTERN,
    NAME_PATTERN,
    PRIVATE_OR_ELASTIC_PATTERN,
    PROFILE_PATTERN,
    SECRET_PATTERN,
    SECURITY_GROUP_PATTERN,
    SOURCE_PATTERN,
    SSL_POLICY_PATTERN,
    SUBNET_PATTERN,
    address_fault,
    bucket_fault,
    certificate_arn_fault,
    cidr_fault,
    cluster_fault,
    domain_fault,
    health_target_fault,
    host_fault,
    matches,
    profile_fault,
    quoted,
    scaling_group_fault,
)
from chalicelib.model.user_tags import OUR_TAGS, TAG_KEY_MAX, TAG_VALUE_MAX, TAGS_MAX, tag_faults
from chalicelib.model.vpc import RULES_MAX
from chalicelib.provision.declaration import Allow, Declaration

# The quotas of a load balancer's listeners and instances, and of a VPC's subnets and a group's inbound rules:
# https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-limits.html
# https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
LISTENERS_MAX = 100
INSTANCES_MAX = 1000
SUBNETS_MAX = 200
CIDRS_MAX = RULES_MAX
SECURITY_GROUPS_MAX = 5
PORT_MAX = 65535
KEEPALIVE_MAX = 4000
"""Seconds. AWS's idle timeout, one and a half times as long, ends at 6000, that of a classic one earlier."""
DRAINING_MAX = 3600
DOMAINS_MAX = 100
"""https://letsencrypt.org/docs/rate-limits/"""
SHOWN_DOMAINS_MAX = 8192
"""What fits into ACM's 32,768 characters of PEM, at three bytes a name.

https://docs.aws.amazon.com/acm/latest/APIReference/API_ImportCertificate.html
"""
LOG_INTERVALS = (5, 60)
LOG_PREFIX_MAX = 512
QOS = (0, 1, 2)
MEMBERS_MAX = 100
"""Names of profiles and of groups, each: more do not fit into a tag."""
ANSWERS_MAX = 1000
UNMANAGED_MAX = 1000
"""A sentence for each policy of a listener or an instance port, and few more."""
UNKNOWN_MAX = 10
"""How many fields that it does not know an object may have before only their number is returned."""
_STRICT = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)
# The rules about two fields that a schema can state; the default listeners need a certificate.
_TOGETHER: JsonDict = {
    "not": {"required": ["allow", "security_groups"]},
    "anyOf": [{"required": ["listeners"]}, {"required": ["certificate"]}],
}

_Found = Iterator[tuple[tuple[int, ...], str]]
"""Where in a list something is wrong, and what; without a place it is the list as a whole."""
_Rule = Callable[[Any, Collection[int | str]], _Found]
"""What is wrong with a list or mapping, given it and the places whose elements are known to be wrong."""


def _shows(description: str = "", **schema: Any) -> Any:
    """Return a field's description and what its schema says beyond its type."""
    return Field(description=description or None, json_schema_extra=schema or None)


def _judged(fault: Callable[[Any], str | None], kind: LiteralString = VALUE) -> AfterValidator:
    """Refuse a value of the right type that the function finds a fault with."""

    def judge(value: object) -> object:
        if (wrong := fault(value)) is not None:
            raise PydanticCustomError(kind, "{wrong}", {"wrong": wrong})
        return value

    return AfterValidator(judge)


def _id(pattern: str, example: str) -> AfterValidator:
    return _judged(
        lambda id_: None if matches(pattern, id_) else f"{quoted(id_)} is no such id: it looks like {example}"
    )


def _one_of(values: Collection[int | str], what: str) -> AfterValidator:
    """Refuse any other value, as of a wrong type: no rule has to expect it."""
    right = ", ".join(str(value) for value in values)
    return _judged(
        lambda given: None if given in values else f"{quoted(given)} is no {what}: {right}", "one_of"
    )


def _whole(most: int, why: str, *rules: _Rule) -> WrapValidator:
    """Judge a list or mapping: its length, then its elements, then by the rules those that are sound.

    A longer one is refused before any element is looked at: one body must not cost what all of them would.
    """

    def judge(given: object, elements: ValidatorFunctionWrapHandler) -> object:
        found: list[InitErrorDetails] = []
        value = given
        if isinstance(given, list | dict) and len(given) > most:
            raise PydanticCustomError(
                "too_many",
                "it has {count} elements: at most {most} are allowed, {why}",
                {"count": len(given), "most": most, "why": why},
            )
        try:
            value = elements(given)
        except ValidationError as error:
            whole = error.errors(include_url=False)
            if not all(one["loc"] for one in whole):
                raise
            found = [
                InitErrorDetails(
                    type=PydanticCustomError(one["type"], one["msg"], one.get("ctx")),
                    loc=one["loc"],
                    input=one["input"],
                )
                for one in whole
            ]
        wrong = {one["loc"][0] for one in found}
        found += [
            InitErrorDetails(
                type=PydanticCustomError(VALUE, "{wrong}", {"wrong": message}), loc=loc, input=None
            )
            for rule in rules
            for loc, message in rule(given, wrong)
        ]
        if found:
            raise ValidationError.from_exception_data("PutBody", found, hide_input=True)
        return value

    return WrapValidator(judge)


def _some(message: str) -> _Rule:
    def rule(given: Collection[object], _: Collection[int | str]) -> _Found:
        if not given:
            yield (), message

    return rule


def _once(given: list[Any], wrong: Collection[int | str]) -> _Found:
    """Each is named once; of names no two differ in their letters' case alone."""
    seen: set[str] = set()
    for place, one in enumerate(given):
        if place in wrong or (isinstance(one, dict) and one.get("state") == DRAINING):
            continue
        name = one["id"] if isinstance(one, dict) else one
        if str(name).lower() in seen:
            yield (place,), f"{quoted(name)} is named twice"
        seen.add(str(name).lower())


def _once_exactly(given: list[Any], wrong: Collection[int | str]) -> _Found:
    """Each is named once; capitals make another name."""
    for place, name in enumerate(given):
        if place not in wrong and name in given[:place]:
            yield (place,), f"{quoted(name)} is named twice"


def _of_aws(known: Collection[str]) -> _Rule:
    def rule(given: list[str], wrong: Collection[int | str]) -> _Found:
        for name in sorted({one for place, one in enumerate(given) if place not in wrong}.difference(known)):
            yield (), f"{quoted(name)} is not on AWS's list: {', '.join([*known][:3])} …"

    return rule


def _tags(given: dict[str, str], wrong: Collection[int | str]) -> _Found:
    for key, value in given.items():
        if key not in wrong:
            yield from (((), f"{quoted(key)}: {message}") for message in tag_faults(key, value))


def _log_prefix_fault(prefix: str) -> str | None:
    # AWS puts the word into every log's key by itself and refuses it before:
    # https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/enable-access-logs.html
    if "AWSLogs" not in prefix and len(prefix) <= LOG_PREFIX_MAX and matches(LOG_PREFIX_PATTERN, prefix):
        return None
    return (
        f"{quoted(prefix)} is no prefix: use at most {LOG_PREFIX_MAX} letters, digits and . - _ /,"
        " without AWSLogs"
    )


def _policy_fault(name: str) -> str | None:
    # Whether there is one of that name is left to `provision`, which knows what AWS shows.
    if matches(SSL_POLICY_PATTERN, name):
        return None
    return f"{quoted(name)} is no policy of AWS's: {', '.join(near_policies(name))} … are"


def _secret_fault(secret: str) -> str | None:
    # It is not quoted: somebody may have put the secret itself here.
    if matches(SECRET_PATTERN, secret):
        return None
    return "it is no secret's id: use 1 to 248 letters, digits and / _ + = . @ - (or its ARN)"


def _source_fault(source: str) -> str | None:
    if matches(SOURCE_PATTERN, source):
        return None
    return f"{quoted(source)} is no source that GET shows: leave it out"


def _few_unknown(body: type) -> BeforeValidator:
    """Refuse an object with many more fields than it can have, without a fault for each of them."""
    known = len(body.__annotations__)

    def bounded(given: object) -> object:
        if isinstance(given, dict) and len(given) > known + UNKNOWN_MAX:
            raise PydanticCustomError(
                "too_many_fields",
                "it has {count} fields: only {known} are known",
                {"count": len(given), "known": known},
            )
        return given

    return BeforeValidator(bounded)


Port = Annotated[int, Field(ge=1, le=PORT_MAX)]
SecretId = Annotated[str, _judged(_secret_fault), _shows(pattern=SECRET_PATTERN)]
Domain = Annotated[str, _judged(domain_fault), _shows(pattern=DOMAIN_PATTERN)]
SubnetId = Annotated[str, _id(SUBNET_PATTERN, "subnet-0123456789abcdef0"), _shows(pattern=SUBNET_PATTERN)]
SecurityGroupId = Annotated[
    str, _id(SECURITY_GROUP_PATTERN, "sg-0123456789abcdef0"), _shows(pattern=SECURITY_GROUP_PATTERN)
]
InstanceId = Annotated[str, _id(INSTANCE_PATTERN, "i-0123456789abcdef0"), _shows(pattern=INSTANCE_PATTERN)]
Cidrs = Annotated[
    list[Annotated[str, _judged(cidr_fault), _shows(pattern=CIDR_PATTERN)]],
    _whole(CIDRS_MAX, "as a security group has no more inbound rules", _once),
    _shows(maxItems=CIDRS_MAX, uniqueItems=True),
]


@with_config(_STRICT)
class ListenerBody(TypedDict):
    """One listener: what clients speak on which port, and what the instances do."""

    protocol: Protocol
    port: Port
    instance_protocol: Protocol
    instance_port: Port


@with_config(_STRICT)
class ArnBody(TypedDict, total=False):
    """A certificate that AWS has already; the other fields that GET shows are accepted and not read."""

    arn: Required[Annotated[str, _judged(certificate_arn_fault), _shows(pattern=CERTIFICATE_ARN_PATTERN)]]
    source: Annotated[str, _judged(_source_fault), _shows("As GET shows it.", pattern=SOURCE_PATTERN)]
    not_after: Annotated[str, _shows("As GET shows it; not read.")]
    days_left: Annotated[int, _shows("As GET shows it; not read.")]
    domains: Annotated[
        list[str],
        _whole(SHOWN_DOMAINS_MAX, "as AWS takes no longer certificate"),
        _shows("As GET shows it; not read.", maxItems=SHOWN_DOMAINS_MAX),
    ]


@with_config(_STRICT)
class SecretBody(TypedDict):
    """A PEM bundle in Secrets Manager: {"certificate", "private_key", "chain"}."""

    secret_id: SecretId


@with_config(_STRICT)
class PemTexts(TypedDict, total=False):
    """PEM texts; the key is uploaded to IAM and kept nowhere else."""

    certificate: Required[str]
    private_key: Required[SecretStr]
    chain: Annotated[str, _shows("Intermediates; may be empty.")]


@with_config(_STRICT)
class PemBody(TypedDict):
    """A certificate that comes with the request."""

    pem: Annotated[PemTexts, _few_unknown(PemTexts)]


@with_config(_STRICT)
class IssuerBody(TypedDict, total=False):
    """A certificate that we issue, or have issued by the ACME CA."""

    issuer: Required[Literal["private-ca", "acme"]]
    domains: Annotated[
        list[Domain],
        _whole(DOMAINS_MAX, "as Let's Encrypt certifies no more names at once", _once),
        _shows(maxItems=DOMAINS_MAX, uniqueItems=True),
    ]


@with_config(_STRICT)
class CustomPolicyBody(TypedDict, total=False):
    """A custom SSL policy."""

    protocols: Required[
        Annotated[
            list[str],
            _whole(
                len(PROTOCOLS),
                "as AWS's list has no more",
                _some("at least one is needed"),
                _of_aws(PROTOCOLS),
            ),
            _shows(items={"type": "string", "enum": list(PROTOCOLS)}, minItems=1, maxItems=len(PROTOCOLS)),
        ]
    ]
    ciphers: Required[
        Annotated[
            list[str],
            _whole(
                len(CIPHERS), "as AWS's list has no more", _some("at least one is needed"), _of_aws(CIPHERS)
            ),
            _shows(items={"type": "string", "enum": list(CIPHERS)}, minItems=1, maxItems=len(CIPHERS)),
        ]
    ]
    server_defined_order: Annotated[bool, _shows(default=CustomPolicy.server_defined_order)]


@with_config(_STRICT)
class AllowBody(TypedDict, total=False):
    """Who may reach what, as IPv4 networks; not beside `security_groups`."""

    mqtt: Annotated[Cidrs, _shows("May reach the SSL, TLS and HTTPS listeners.", default=list(Allow.mqtt))]
    dashboard: Annotated[Cidrs, _shows("May reach the other listeners.", default=list(Allow.dashboard))]


@with_config(_STRICT)
class HealthCheckBody(TypedDict, total=False):
    """How ELB checks the health of an instance; seconds and counts."""

    target: Annotated[
        str,
        _judged(health_target_fault),
        _shows(pattern=HEALTH_TARGET_PATTERN, default=HealthCheck.target),
    ]
    interval: Annotated[int, Field(ge=5, le=300), _shows(default=HealthCheck.interval)]
    timeout: Annotated[
        int, Field(ge=2, le=120), _shows("Of a classic one at most 60.", default=HealthCheck.timeout)
    ]
    unhealthy_threshold: Annotated[int, Field(ge=2, le=10), _shows(default=HealthCheck.unhealthy_threshold)]
    healthy_threshold: Annotated[int, Field(ge=2, le=10), _shows(default=HealthCheck.healthy_threshold)]


@with_config(_STRICT)
class AccessLogsBody(TypedDict, total=False):
    """Where access logs go; `interval` is minutes."""

    bucket: Required[Annotated[str, _judged(bucket_fault), _shows(pattern=BUCKET_PATTERN)]]
    prefix: Annotated[
        str,
        _judged(_log_prefix_fault),
        _shows(maxLength=LOG_PREFIX_MAX, pattern=LOG_PREFIX_PATTERN, default=AccessLogs.prefix),
    ]
    interval: Annotated[
        int,
        _one_of(LOG_INTERVALS, "interval"),
        _shows(enum=list(LOG_INTERVALS), default=AccessLogs.interval),
    ]


@with_config(_STRICT)
class ProbeBody(TypedDict, total=False):
    """How the probe speaks to the load balancer; `enabled` is false by default for an internal one."""

    enabled: bool
    # No Literal: to Python, and so to pydantic, true and 1.0 are both equal to 1.
    qos: Annotated[int, _one_of(QOS, "quality of service"), _shows(enum=list(QOS), default=ProbeOptions.qos)]
    protocol: Annotated[Literal["3.1.1", "5"], _shows(default=ProbeOptions.protocol)]
    credentials_secret_id: SecretId
    plain_credentials: Annotated[bool, _shows(default=ProbeOptions.plain_credentials)]
    ca_secret_id: SecretId


@with_config(_STRICT)
class MemberBody(TypedDict, total=False):
    """An instance as GET shows it; only its id is read."""

    id: Required[InstanceId]
    state: str
    reason: str


@with_config(_STRICT)
class MembersBody(TypedDict, total=False):
    """Whose instances may be members; a * at the end of a name stands for every name that begins so."""

    instance_profiles: Annotated[
        list[Annotated[str, _judged(profile_fault), _shows(pattern=PROFILE_PATTERN)]],
        _whole(MEMBERS_MAX, "as no more fit into a tag", _once_exactly),
        _shows("Names of instance profiles.", maxItems=MEMBERS_MAX, uniqueItems=True),
    ]
    auto_scaling_groups: Annotated[
        list[Annotated[str, _judged(scaling_group_fault), _shows(pattern=GROUP_PATTERN)]],
        _whole(MEMBERS_MAX, "as no more fit into a tag", _once_exactly),
        _shows("Names of Auto Scaling groups.", maxItems=MEMBERS_MAX, uniqueItems=True),
    ]


@with_config(_STRICT)
class DnsBody(TypedDict, total=False):
    """In which hosted zones the record of `hostname` is, and its weight among those of the same name."""

    zone_ids: Annotated[
        list[
            Annotated[
                str, _id(HOSTED_ZONE_PATTERN, "Z0123456789ABCDEFGHIJ"), _shows(pattern=HOSTED_ZONE_PATTERN)
            ]
        ],
        _whole(ZONES_MAX, "as no more fit into a tag", _once_exactly),
        _shows("Left out: the zone that fits the name and the scheme.", maxItems=ZONES_MAX, uniqueItems=True),
    ]
    weight: Annotated[
        int,
        Field(ge=0, le=WEIGHT_MAX),
        _shows("With a weight the record is one of several for the name, each of a load balancer of ours."),
    ]
    answers: Annotated[
        list[str],
        _whole(ANSWERS_MAX, "as GET shows no more"),
        _shows("What the name leads to, as GET shows it; not read.", maxItems=ANSWERS_MAX),
    ]


CERTIFICATE_FORMS = ("arn", "secret_id", "pem", "issuer")
WHICH_CERTIFICATE = 'exactly one of "arn", "secret_id", "pem" and "issuer" says where it comes from'


def _form_of_certificate(value: object) -> str | None:
    named = [form for form in CERTIFICATE_FORMS if isinstance(value, dict) and form in value]
    return named[0] if len(named) == 1 else None


def _as_it_is_or_policy(value: object) -> str | None:
    return "as it is" if value is None else _text_or_object(value)


def _text_or_object(value: object) -> str | None:
    return "text" if isinstance(value, str) else "object" if isinstance(value, dict) else None


CertificateBody = Annotated[
    Annotated[ArnBody, _few_unknown(ArnBody), Tag("arn")]
    | Annotated[SecretBody, _few_unknown(SecretBody), Tag("secret_id")]
    | Annotated[PemBody, _few_unknown(PemBody), Tag("pem")]
    | Annotated[IssuerBody, _few_unknown(IssuerBody), Tag("issuer")],
    Discriminator(
        _form_of_certificate, custom_error_type="which_certificate", custom_error_message=WHICH_CERTIFICATE
    ),
]
PolicyName = Annotated[
    str,
    _judged(_policy_fault, "one_of"),
    _shows(pattern=SSL_POLICY_PATTERN, examples=[*PREDEFINED_POLICIES[:1], *NETWORK_POLICIES[:1]]),
    Tag("text"),
]
SslPolicyBody = Annotated[
    PolicyName
    | Annotated[CustomPolicyBody, _few_unknown(CustomPolicyBody), Tag("object")]
    | Annotated[None, Tag("as it is")],
    Discriminator(
        _as_it_is_or_policy,
        custom_error_type="text_or_object",
        custom_error_message="it must be the name of an AWS policy, an object with protocols and ciphers, or"
        " null: each secure listener keeps what it has",
    ),
]


def _switch_or_object(value: object) -> str:
    return "object" if isinstance(value, dict) else "switch"


DnsOptionsBody = Annotated[
    Annotated[bool, Tag("switch")] | Annotated[DnsBody, _few_unknown(DnsBody), Tag("object")],
    Discriminator(_switch_or_object),
]


def _switch_or_ports(value: object) -> str:
    return "ports" if isinstance(value, list) else "switch"


ProxyProtocolBody = Annotated[
    Annotated[bool, Tag("switch")]
    | Annotated[
        list[Port],
        _whole(LISTENERS_MAX, "as a load balancer has no more listeners", _once),
        _shows(maxItems=LISTENERS_MAX, uniqueItems=True),
        Tag("ports"),
    ],
    Discriminator(_switch_or_ports),
]
InstanceBody = Annotated[
    Annotated[InstanceId, Tag("text")] | Annotated[MemberBody, _few_unknown(MemberBody), Tag("object")],
    Discriminator(
        _text_or_object,
        custom_error_type="text_or_object",
        custom_error_message="it must be an instance's id, or an instance as GET shows it",
    ),
]


@with_config(ConfigDict(**_STRICT, json_schema_extra=_TOGETHER))
class PutBody(TypedDict, total=False):
    """The whole declaration of a load balancer; what it omits takes its default."""

    subnets: Required[
        Annotated[
            list[SubnetId],
            _whole(
                SUBNETS_MAX,
                "as a VPC has no more subnets",
                _some("at least one subnet is needed, one per availability zone"),
                _once,
            ),
            _shows(minItems=1, maxItems=SUBNETS_MAX, uniqueItems=True),
        ]
    ]
    cluster: Annotated[
        str,
        _judged(cluster_fault),
        _shows(
            "The cluster whose instances are its members. Default: the one of its own name. Several load"
            " balancers may serve one cluster.",
            minLength=1,
            maxLength=CLUSTER_MAX,
        ),
    ]
    type: Annotated[
        LoadBalancerType,
        _shows(
            "Cannot be changed later. Default: that of the existing load balancer, else classic.",
            default=Declaration.type,
        ),
    ]
    scheme: Annotated[Scheme, _shows("Cannot be changed later.", default=Declaration.scheme)]
    listeners: Annotated[
        list[Annotated[ListenerBody, _few_unknown(ListenerBody)]],
        _whole(
            LISTENERS_MAX,
            "as a load balancer has no more listeners",
            _some(f"it is empty: name 1 to {LISTENERS_MAX}"),
        ),
        _shows(minItems=1, maxItems=LISTENERS_MAX),
    ]
    certificate: Annotated[
        CertificateBody, _shows("Where the certificate of the secure listeners comes from.")
    ]
    ssl_policy: SslPolicyBody
    security_groups: Annotated[
        list[SecurityGroupId],
        _whole(
            SECURITY_GROUPS_MAX,
            "as a load balancer is in no more security groups",
            _some(f"it is empty: name 1 to {SECURITY_GROUPS_MAX}, or leave it out and one is made"),
            _once,
        ),
        _shows(minItems=1, maxItems=SECURITY_GROUPS_MAX, uniqueItems=True),
    ]
    allow: Annotated[AllowBody, _few_unknown(AllowBody)]
    health_check: Annotated[HealthCheckBody, _few_unknown(HealthCheckBody)]
    keepalive: Annotated[
        float,
        Field(gt=0, le=KEEPALIVE_MAX, allow_inf_nan=False),
        _shows(
            "At most 2400, of a network one with a TLS listener below 350; of a network one 230 by default.",
            default=Declaration.keepalive,
        ),
    ]
    connection_draining: Annotated[
        int, Field(ge=0, le=DRAINING_MAX), _shows(default=Declaration.connection_draining)
    ]
    cross_zone: Annotated[bool, _shows("Of a network one false by default.", default=Declaration.cross_zone)]
    addresses: Annotated[
        dict[SubnetId, Annotated[str, _judged(address_fault), _shows(pattern=PRIVATE_OR_ELASTIC_PATTERN)]],
        _whole(SUBNETS_MAX, "as a VPC has no more subnets"),
        _shows(
            "Of a network one: by subnet an Elastic IP's allocation, or for an internal one a private"
            " address. Cannot be changed later.",
            maxProperties=SUBNETS_MAX,
        ),
    ]
    proxy_protocol: Annotated[
        ProxyProtocolBody,
        _shows(
            "For every instance port of a TCP, SSL or TLS listener, or these.",
            default=Declaration.proxy_protocol,
        ),
    ]
    access_logs: Annotated[AccessLogsBody, _few_unknown(AccessLogsBody)]
    instances: Annotated[
        list[InstanceBody],
        _whole(INSTANCES_MAX, "as a load balancer has no more instances", _once),
        _shows(maxItems=INSTANCES_MAX, uniqueItems=True),
    ]
    members: Annotated[
        MembersBody,
        _few_unknown(MembersBody),
        _shows("Whose instances may be members; left out, every instance that carries the cluster's tag."),
    ]
    hostname: Annotated[
        str,
        _judged(host_fault),
        _shows("The name that clients use.", pattern=HOST_PATTERN, maxLength=HOST_MAX),
    ]
    dns: Annotated[
        DnsOptionsBody,
        _shows(
            "Whether `hostname` is kept as an alias record in Route 53, and in which hosted zones. Needs"
            " the setting DNS_ZONES.",
            default=False,
        ),
    ]
    probe: Annotated[ProbeBody, _few_unknown(ProbeBody)]
    tags: Annotated[
        dict[str, str],
        _whole(TAGS_MAX, f"AWS's {TAGS_MAX + len(OUR_TAGS)} less the {len(OUR_TAGS)} of ours", _tags),
        _shows(
            maxProperties=TAGS_MAX,
            propertyNames={"minLength": 1, "maxLength": TAG_KEY_MAX},
            additionalProperties={"type": "string", "maxLength": TAG_VALUE_MAX},
        ),
    ]
    name: Annotated[str, _shows("As GET shows it: the name in the path.", pattern=NAME_PATTERN)]
    dns_name: Annotated[str, _shows("As GET shows it; not read.")]
    state: Annotated[Literal["ready", "pending"], _shows("As GET shows it; not read.")]
    unmanaged: Annotated[
        list[str],
        _whole(UNMANAGED_MAX, "as GET shows no more"),
        _shows("As GET shows it; not read.", maxItems=UNMANAGED_MAX),
    ]


@cache
def put_body() -> TypeAdapter[PutBody]:
    """Return what reads a PUT's body; made once, when the first body comes."""
    return TypeAdapter(Annotated[PutBody, _few_unknown(PutBody)])
