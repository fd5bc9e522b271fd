"""The body of PUT as pydantic reads it: names and types, strictly; a field that it does not know is a fault.

Typed dictionaries rather than models with defaults: what is absent stays absent, so that every default has
one home, `provision/declaration.py`. A list's length is judged here before its elements are looked at, and so
is how many fields an object has. Ranges, patterns and whatever concerns two fields are judged in
`provision/declaration_checks.py`; here they only stand in the schema, from the same constants.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, Required

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    TypeAdapter,
    with_config,
)
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from chalicelib.model.ciphers import CIPHERS, PREDEFINED_POLICIES, PROTOCOLS
from chalicelib.model.load_balancer import Protocol, Scheme
from chalicelib.model.syntax import (
    BUCKET_PATTERN,
    CERTIFICATE_ARN_PATTERN,
    CIDR_PATTERN,
    DOMAIN_PATTERN,
    HEALTH_TARGET_PATTERN,
    HOST_PATTERN,
    INSTANCE_PATTERN,
    NAME_PATTERN,
    SECRET_PATTERN,
    SECURITY_GROUP_PATTERN,
    SOURCE_PATTERN,
    SUBNET_PATTERN,
)
from chalicelib.provision.declaration_checks import (
    CIDRS_MAX,
    DRAINING_MAX,
    INSTANCES_MAX,
    KEEPALIVE_MAX,
    LOG_INTERVALS,
    LOG_PREFIX_MAX,
    OUR_TAGS,
    QOS,
    SECURITY_GROUPS_MAX,
    SUBNETS_MAX,
    TAG_KEY_MAX,
    TAG_VALUE_MAX,
    TAGS_MAX,
)
from chalicelib.provision.declaration_listeners import (
    DOMAINS_MAX,
    HEALTH_RANGES,
    LISTENERS_MAX,
    PORT_MAX,
    SHOWN_DOMAINS_MAX,
)

UNKNOWN_MAX = 10
"""How many fields that it does not know an object may have to be told of each."""
_STRICT = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)
# The rules about two fields that a schema can tell; the default listeners need a certificate.
_TOGETHER: JsonDict = {
    "not": {"required": ["allow", "security_groups"]},
    "anyOf": [{"required": ["listeners"]}, {"required": ["certificate"]}],
}


def _shows(description: str = "", **schema: Any) -> Any:
    """Return a field's description and what its schema says beyond its type; judged elsewhere."""
    return Field(description=description or None, json_schema_extra=schema or None)


def _texts(pattern: str, **schema: Any) -> Any:
    return _shows(items={"type": "string", "pattern": pattern}, **schema)


def _at_most(most: int, why: str) -> BeforeValidator:
    """Refuse a longer list or mapping as a whole: one body must not cost what all its elements would."""

    def bounded(given: object) -> object:
        if isinstance(given, list | dict) and len(given) > most:
            raise PydanticCustomError(
                "too_many",
                "it has {count} elements: at most {most} are right, {why}",
                {"count": len(given), "most": most, "why": why},
            )
        return given

    return BeforeValidator(bounded)


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


Port = Annotated[int, _shows(minimum=1, maximum=PORT_MAX)]
SecretId = Annotated[str, _shows(pattern=SECRET_PATTERN)]
Cidrs = Annotated[
    list[str],
    _at_most(CIDRS_MAX, "as a security group has no more inbound rules"),
    _texts(CIDR_PATTERN, maxItems=CIDRS_MAX, uniqueItems=True),
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
    """A certificate that AWS has already; what GET says beside the ARN may stand here and is not read."""

    arn: Required[Annotated[str, _shows(pattern=CERTIFICATE_ARN_PATTERN)]]
    source: Annotated[str, _shows("As GET shows it.", pattern=SOURCE_PATTERN)]
    not_after: Annotated[str, _shows("As GET shows it; not read.")]
    days_left: Annotated[int, _shows("As GET shows it; not read.")]
    domains: Annotated[
        list[str],
        _at_most(SHOWN_DOMAINS_MAX, "as AWS takes no longer certificate"),
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
        list[str],
        _at_most(DOMAINS_MAX, "as Let's Encrypt certifies no more names at once"),
        _texts(DOMAIN_PATTERN, maxItems=DOMAINS_MAX, uniqueItems=True),
    ]


@with_config(_STRICT)
class CustomPolicyBody(TypedDict, total=False):
    """An SSL policy of one's own."""

    protocols: Required[
        Annotated[
            list[str],
            _at_most(len(PROTOCOLS), "as AWS's list has no more"),
            _shows(items={"type": "string", "enum": list(PROTOCOLS)}, minItems=1, maxItems=len(PROTOCOLS)),
        ]
    ]
    ciphers: Required[
        Annotated[
            list[str],
            _at_most(len(CIPHERS), "as AWS's list has no more"),
            _shows(items={"type": "string", "enum": list(CIPHERS)}, minItems=1, maxItems=len(CIPHERS)),
        ]
    ]
    server_defined_order: Annotated[bool, _shows(default=True)]


@with_config(_STRICT)
class AllowBody(TypedDict, total=False):
    """Who may reach what, as IPv4 networks; not beside `security_groups`."""

    mqtt: Annotated[Cidrs, _shows("May reach the SSL and HTTPS listeners.", default=["0.0.0.0/0"])]
    dashboard: Annotated[Cidrs, _shows("May reach the other listeners.", default=[])]


def _ranged(field: str, default: int) -> Any:
    low, high = HEALTH_RANGES[field]
    return _shows(minimum=low, maximum=high, default=default)


@with_config(_STRICT)
class HealthCheckBody(TypedDict, total=False):
    """How an instance is found healthy; seconds and counts."""

    target: Annotated[str, _shows(pattern=HEALTH_TARGET_PATTERN, default="TCP:1883")]
    interval: Annotated[int, _ranged("interval", 30)]
    timeout: Annotated[int, _ranged("timeout", 5)]
    unhealthy_threshold: Annotated[int, _ranged("unhealthy_threshold", 2)]
    healthy_threshold: Annotated[int, _ranged("healthy_threshold", 2)]


@with_config(_STRICT)
class AccessLogsBody(TypedDict, total=False):
    """Where access logs go; `interval` is minutes."""

    bucket: Required[Annotated[str, _shows(pattern=BUCKET_PATTERN)]]
    prefix: Annotated[str, _shows(maxLength=LOG_PREFIX_MAX, default="")]
    interval: Annotated[int, _shows(enum=list(LOG_INTERVALS), default=60)]


@with_config(_STRICT)
class ProbeBody(TypedDict, total=False):
    """How the probe speaks to the load balancer; `enabled` is false by default for an internal one."""

    enabled: bool
    # No Literal: to Python, and so to pydantic, true and 1.0 are both equal to 1.
    qos: Annotated[int, _shows(enum=list(QOS), default=1)]
    protocol: Annotated[Literal["3.1.1", "5"], _shows(default="3.1.1")]
    credentials_secret_id: SecretId
    ca_secret_id: SecretId


@with_config(_STRICT)
class MemberBody(TypedDict, total=False):
    """An instance as GET shows it; only its id is read."""

    id: Required[Annotated[str, _shows(pattern=INSTANCE_PATTERN)]]
    state: str
    reason: str


CERTIFICATE_FORMS = ("arn", "secret_id", "pem", "issuer")
WHICH_CERTIFICATE = 'exactly one of "arn", "secret_id", "pem" and "issuer" says where it comes from'


def _form_of_certificate(value: object) -> str | None:
    named = [form for form in CERTIFICATE_FORMS if isinstance(value, dict) and form in value]
    return named[0] if len(named) == 1 else None


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
PolicyName = Annotated[str, _shows(enum=list(PREDEFINED_POLICIES)), Tag("text")]
SslPolicyBody = Annotated[
    PolicyName | Annotated[CustomPolicyBody, _few_unknown(CustomPolicyBody), Tag("object")],
    Discriminator(
        _text_or_object,
        custom_error_type="text_or_object",
        custom_error_message="the name of an AWS policy, or an object with protocols and ciphers, is right",
    ),
]
InstanceBody = Annotated[
    Annotated[str, _shows(pattern=INSTANCE_PATTERN), Tag("text")]
    | Annotated[MemberBody, _few_unknown(MemberBody), Tag("object")],
    Discriminator(
        _text_or_object,
        custom_error_type="text_or_object",
        custom_error_message="an instance's id, or an instance as GET shows it, is right",
    ),
]


@with_config(ConfigDict(**_STRICT, json_schema_extra=_TOGETHER))
class PutBody(TypedDict, total=False):
    """The whole declaration of a load balancer; what it omits takes its default."""

    subnets: Required[
        Annotated[
            list[str],
            _at_most(SUBNETS_MAX, "as a VPC has no more subnets"),
            _texts(SUBNET_PATTERN, minItems=1, maxItems=SUBNETS_MAX, uniqueItems=True),
        ]
    ]
    scheme: Annotated[Scheme, _shows("Cannot be changed later.", default="internet-facing")]
    listeners: Annotated[
        list[Annotated[ListenerBody, _few_unknown(ListenerBody)]],
        _at_most(LISTENERS_MAX, "as a load balancer has no more listeners"),
        _shows(minItems=1, maxItems=LISTENERS_MAX),
    ]
    certificate: Annotated[
        CertificateBody, _shows("Where the certificate of the secure listeners comes from.")
    ]
    ssl_policy: SslPolicyBody
    security_groups: Annotated[
        list[str],
        _at_most(SECURITY_GROUPS_MAX, "as a load balancer is in no more security groups"),
        _texts(SECURITY_GROUP_PATTERN, minItems=1, maxItems=SECURITY_GROUPS_MAX, uniqueItems=True),
    ]
    allow: Annotated[AllowBody, _few_unknown(AllowBody)]
    health_check: Annotated[HealthCheckBody, _few_unknown(HealthCheckBody)]
    keepalive: Annotated[float, _shows(exclusiveMinimum=0, maximum=KEEPALIVE_MAX, default=300)]
    connection_draining: Annotated[int, _shows(minimum=0, maximum=DRAINING_MAX, default=300)]
    cross_zone: Annotated[bool, _shows(default=True)]
    proxy_protocol: Annotated[bool, _shows(default=False)]
    access_logs: Annotated[AccessLogsBody, _few_unknown(AccessLogsBody)]
    instances: Annotated[
        list[InstanceBody],
        _at_most(INSTANCES_MAX, "as a load balancer has no more instances"),
        _shows(maxItems=INSTANCES_MAX, uniqueItems=True),
    ]
    hostname: Annotated[str, _shows("The name that clients use.", pattern=HOST_PATTERN, maxLength=253)]
    probe: Annotated[ProbeBody, _few_unknown(ProbeBody)]
    tags: Annotated[
        dict[str, str],
        _at_most(TAGS_MAX, f"AWS's {TAGS_MAX + len(OUR_TAGS)} less the {len(OUR_TAGS)} of ours"),
        _shows(
            maxProperties=TAGS_MAX,
            propertyNames={"minLength": 1, "maxLength": TAG_KEY_MAX},
            additionalProperties={"type": "string", "maxLength": TAG_VALUE_MAX},
        ),
    ]
    name: Annotated[str, _shows("As GET shows it: the name in the path.", pattern=NAME_PATTERN)]
    dns_name: Annotated[str, _shows("As GET shows it; not read.")]
    state: Annotated[Literal["ready", "pending"], _shows("As GET shows it; not read.")]


@cache
def put_body() -> TypeAdapter[PutBody]:
    """Return what reads a PUT's body; made once, when the first body comes."""
    return TypeAdapter(Annotated[PutBody, _few_unknown(PutBody)])
