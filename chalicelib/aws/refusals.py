"""What AWS's refusals mean, for each operation that we call: the one table that decides it.

    not yet      AWS sees something late, or holds on to it: look again, then go on in the background
    already so   somebody, perhaps an earlier run, has done it: look again
    gone         what the call names is not there (any more): look again without it
    theirs       it belongs to somebody else, or waits for somebody else: 409
    full         a quota: 429
    wrong        the request itself, or what it names: 400
    not allowed  a permission is missing: 502
    slow         AWS is busy or out of reach, also after botocore's own retries: 503

A row is a code, or `code: text` where the same code means several things and the message decides. Operations
name their codes as AWS does on the wire (https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/
and the pages beside it). EC2's model names no errors; its documentation does
(https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from chalicelib.model.errors import AwsError, Denied, NotYet


class Meaning(StrEnum):
    """What a refusal means for the caller."""

    NOT_YET = "not yet"
    ALREADY_SO = "already so"
    GONE = "gone"
    THEIRS = "theirs"
    FULL = "full"
    WRONG = "wrong"
    NOT_ALLOWED = "not allowed"
    SLOW = "slow"


NOT_YET, ALREADY_SO, GONE, THEIRS = Meaning.NOT_YET, Meaning.ALREADY_SO, Meaning.GONE, Meaning.THEIRS
FULL, WRONG, NOT_ALLOWED, SLOW = Meaning.FULL, Meaning.WRONG, Meaning.NOT_ALLOWED, Meaning.SLOW

Rows = Mapping[Meaning, str]
"""Codes between spaces; a row with a text ends at its line."""

EVERYWHERE: Rows = {
    SLOW: """
        Throttling ThrottlingException ThrottledException RequestLimitExceeded RequestThrottled
        RequestThrottledException TooManyRequestsException BandwidthLimitExceeded SlowDown DependencyThrottle
        InternalError InternalFailure InternalServerError InternalServiceError InternalServiceException
        InternalException ServerInternal ServiceFailure ServiceException ServiceUnavailable
        ServiceUnavailableException Unavailable RequestTimeout RequestTimeoutException RequestExpired
    """,
    NOT_ALLOWED: """
        AccessDenied AccessDeniedException UnauthorizedOperation UnauthorizedAccess OperationNotPermitted
        NotAuthorized ExpiredToken ExpiredTokenException SignatureDoesNotMatch IncompleteSignature
        MissingAuthenticationToken InvalidAccessKeyId Blocked PendingVerification
        AuthFailure InvalidClientTokenId OptInRequired UnrecognizedClientException
    """,
    WRONG: """
        ValidationError ValidationException InvalidParameterValue InvalidParameterCombination
        InvalidParameter InvalidParameterException InvalidInput InvalidRequest MissingParameter
        MalformedQueryString InvalidAction InvalidNextToken UnknownParameter
    """,
}
"""What every service may say. The last line of `not allowed` is how a region answers that the account has not
enabled."""

_ANY_GONE = """
    LoadBalancerNotFound ListenerNotFound TargetGroupNotFound RuleNotFound TrustStoreNotFound
"""

ELB: Mapping[str, Rows] = {
    "AddTags": {GONE: _ANY_GONE, FULL: "TooManyTags", WRONG: "DuplicateTagKeys"},
    "ApplySecurityGroupsToLoadBalancer": {
        GONE: "LoadBalancerNotFound",
        WRONG: "InvalidConfigurationRequest InvalidSecurityGroup",
    },
    "AttachLoadBalancerToSubnets": {
        GONE: "LoadBalancerNotFound",
        # https://github.com/hashicorp/terraform-provider-aws/issues/9120
        NOT_YET: "InvalidConfigurationRequest: multiple subnets in the same AZ",
        WRONG: "InvalidConfigurationRequest SubnetNotFound InvalidSubnet",
    },
    "ConfigureHealthCheck": {GONE: "LoadBalancerNotFound"},
    "CreateLoadBalancer": {
        ALREADY_SO: "DuplicateLoadBalancerName",
        NOT_YET: "CertificateNotFound",
        FULL: "TooManyLoadBalancers TooManyTags",
        # Of a network one somebody may have taken an address since the review looked.
        THEIRS: "ResourceInUse",
        WRONG: """
            InvalidConfigurationRequest SubnetNotFound InvalidSubnet InvalidSecurityGroup InvalidScheme
            DuplicateTagKeys UnsupportedProtocol AllocationIdNotFound AvailabilityZoneNotSupported
        """,
    },
    "CreateLoadBalancerListeners": {
        GONE: "LoadBalancerNotFound",
        ALREADY_SO: "DuplicateListener",
        NOT_YET: "CertificateNotFound",
        WRONG: "InvalidConfigurationRequest UnsupportedProtocol",
    },
    "CreateLoadBalancerPolicy": {
        GONE: "LoadBalancerNotFound",
        ALREADY_SO: "DuplicatePolicyName",
        FULL: "TooManyPolicies",
        WRONG: "PolicyTypeNotFound InvalidConfigurationRequest",
    },
    # Of a network one: deletion protection, and an endpoint service that somebody made of it.
    "DeleteLoadBalancer": {GONE: "LoadBalancerNotFound", THEIRS: "OperationNotPermitted ResourceInUse"},
    "DeleteLoadBalancerListeners": {GONE: "LoadBalancerNotFound"},
    "DeleteLoadBalancerPolicy": {
        GONE: "LoadBalancerNotFound",
        # https://github.com/hashicorp/terraform-provider-aws/issues/10989
        NOT_YET: "InvalidConfigurationRequest: enabled or referred",
        WRONG: "InvalidConfigurationRequest",
    },
    "DeregisterInstancesFromLoadBalancer": {GONE: "LoadBalancerNotFound InvalidInstance"},
    "DescribeAccountLimits": {},
    "DescribeInstanceHealth": {GONE: "LoadBalancerNotFound InvalidInstance"},
    "DescribeLoadBalancerAttributes": {GONE: "LoadBalancerNotFound", WRONG: "LoadBalancerAttributeNotFound"},
    "DescribeLoadBalancerPolicies": {GONE: "LoadBalancerNotFound PolicyNotFound"},
    "DescribeLoadBalancers": {GONE: "LoadBalancerNotFound"},
    "DescribeTags": {GONE: _ANY_GONE},
    "DetachLoadBalancerFromSubnets": {GONE: "LoadBalancerNotFound", WRONG: "InvalidConfigurationRequest"},
    "ModifyLoadBalancerAttributes": {
        GONE: "LoadBalancerNotFound",
        WRONG: "LoadBalancerAttributeNotFound InvalidConfigurationRequest",
    },
    "RegisterInstancesWithLoadBalancer": {GONE: "LoadBalancerNotFound InvalidInstance"},
    "RemoveTags": {GONE: _ANY_GONE, FULL: "TooManyTags"},
    "SetLoadBalancerListenerSSLCertificate": {
        GONE: "LoadBalancerNotFound ListenerNotFound",
        NOT_YET: "CertificateNotFound",
        WRONG: "InvalidConfigurationRequest UnsupportedProtocol",
    },
    "SetLoadBalancerPoliciesForBackendServer": {
        GONE: "LoadBalancerNotFound PolicyNotFound",
        WRONG: "InvalidConfigurationRequest",
    },
    "SetLoadBalancerPoliciesOfListener": {
        GONE: "LoadBalancerNotFound PolicyNotFound ListenerNotFound",
        WRONG: "InvalidConfigurationRequest",
    },
}

# The second API: what both have stands above.
ELBV2: Mapping[str, Rows] = {
    "CreateListener": {
        GONE: "LoadBalancerNotFound TargetGroupNotFound",
        ALREADY_SO: "DuplicateListener",
        NOT_YET: "CertificateNotFound",
        THEIRS: "TargetGroupAssociationLimit",
        FULL: """
            TooManyListeners TooManyCertificates TooManyTargets TooManyActions TooManyTags
            TooManyRegistrationsForTargetId TooManyUniqueTargetGroupsPerLoadBalancer
        """,
        WRONG: """
            InvalidConfigurationRequest IncompatibleProtocols SSLPolicyNotFound UnsupportedProtocol
            ALPNPolicyNotFound InvalidLoadBalancerAction TrustStoreNotFound TrustStoreNotReady
        """,
    },
    "CreateTargetGroup": {
        ALREADY_SO: "DuplicateTargetGroupName",
        FULL: "TooManyTargetGroups TooManyTags",
        WRONG: "InvalidConfigurationRequest",
    },
    # https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/2006
    "DeleteListener": {GONE: "ListenerNotFound", NOT_YET: "ResourceInUse"},
    "DeleteTargetGroup": {GONE: "TargetGroupNotFound", NOT_YET: "ResourceInUse"},
    "DeregisterTargets": {GONE: "TargetGroupNotFound InvalidTarget"},
    "DescribeListenerAttributes": {GONE: "ListenerNotFound"},
    "DescribeListenerCertificates": {GONE: "ListenerNotFound"},
    "DescribeListeners": {GONE: "ListenerNotFound LoadBalancerNotFound", WRONG: "UnsupportedProtocol"},
    "DescribeTargetGroupAttributes": {GONE: "TargetGroupNotFound"},
    "DescribeTargetGroups": {GONE: "LoadBalancerNotFound TargetGroupNotFound"},
    "DescribeTargetHealth": {GONE: "TargetGroupNotFound InvalidTarget", SLOW: "HealthUnavailable"},
    "ModifyListener": {
        GONE: "ListenerNotFound LoadBalancerNotFound TargetGroupNotFound",
        ALREADY_SO: "DuplicateListener",
        NOT_YET: "CertificateNotFound",
        THEIRS: "TargetGroupAssociationLimit",
        FULL: """
            TooManyListeners TooManyCertificates TooManyTargets TooManyActions
            TooManyRegistrationsForTargetId TooManyUniqueTargetGroupsPerLoadBalancer
        """,
        WRONG: """
            InvalidConfigurationRequest IncompatibleProtocols SSLPolicyNotFound UnsupportedProtocol
            ALPNPolicyNotFound InvalidLoadBalancerAction TrustStoreNotFound TrustStoreNotReady
        """,
    },
    "ModifyListenerAttributes": {GONE: "ListenerNotFound", WRONG: "InvalidConfigurationRequest"},
    "ModifyTargetGroup": {GONE: "TargetGroupNotFound", WRONG: "InvalidConfigurationRequest"},
    "ModifyTargetGroupAttributes": {GONE: "TargetGroupNotFound", WRONG: "InvalidConfigurationRequest"},
    "RegisterTargets": {
        GONE: "TargetGroupNotFound InvalidTarget",
        FULL: "TooManyTargets TooManyRegistrationsForTargetId",
    },
    "SetSecurityGroups": {
        GONE: "LoadBalancerNotFound",
        WRONG: "InvalidConfigurationRequest InvalidSecurityGroup",
    },
    "SetSubnets": {
        GONE: "LoadBalancerNotFound",
        # The subnet that was just removed from the zone is still seen there, as with classic ones.
        NOT_YET: "InvalidConfigurationRequest: multiple subnets in the same Availability Zone",
        THEIRS: "ResourceInUse",
        FULL: "CapacityReservationPending CapacityDecreaseRequestsLimitExceeded",
        WRONG: """
            InvalidConfigurationRequest SubnetNotFound InvalidSubnet AllocationIdNotFound
            AvailabilityZoneNotSupported
        """,
    },
}

EC2: Mapping[str, Rows] = {
    "DescribeAddresses": {GONE: "InvalidAllocationID.NotFound InvalidAddress.NotFound"},
    "AuthorizeSecurityGroupIngress": {
        ALREADY_SO: "InvalidPermission.Duplicate",
        GONE: "InvalidGroup.NotFound",
        FULL: "RulesPerSecurityGroupLimitExceeded SecurityGroupsPerInterfaceLimitExceeded",
        WRONG: "InvalidPermission.Malformed InvalidGroupId.Malformed InvalidPrefixListID.NotFound",
    },
    "CreateSecurityGroup": {
        ALREADY_SO: "InvalidGroup.Duplicate",
        FULL: "SecurityGroupLimitExceeded TagLimitExceeded",
        WRONG: "InvalidVpcID.NotFound InvalidGroup.Reserved TagPolicyViolation",
    },
    "CreateTags": {
        GONE: "InvalidInstanceID.NotFound InvalidGroup.NotFound InvalidID",
        NOT_YET: "ConcurrentTagAccess",
        FULL: "TagLimitExceeded",
        WRONG: "InvalidInstanceID.Malformed InvalidTagKey.Malformed TagPolicyViolation",
    },
    "DeleteSecurityGroup": {
        GONE: "InvalidGroup.NotFound",
        NOT_YET: "DependencyViolation InvalidGroup.InUse",
        WRONG: "InvalidGroupId.Malformed CannotDelete",
    },
    "DeleteTags": {
        GONE: "InvalidInstanceID.NotFound InvalidGroup.NotFound InvalidID",
        NOT_YET: "ConcurrentTagAccess",
        WRONG: "InvalidTagKey.Malformed TagPolicyViolation",
    },
    "DescribeInstances": {GONE: "InvalidInstanceID.NotFound", WRONG: "InvalidInstanceID.Malformed"},
    "DescribeInternetGateways": {GONE: "InvalidInternetGatewayID.NotFound"},
    "DescribeRegions": {},
    "DescribeRouteTables": {GONE: "InvalidRouteTableID.NotFound"},
    "DescribeSecurityGroups": {GONE: "InvalidGroup.NotFound", WRONG: "InvalidGroupId.Malformed"},
    "DescribeSpotInstanceRequests": {GONE: "InvalidSpotInstanceRequestID.NotFound"},
    "DescribeSubnets": {WRONG: "InvalidSubnetID.NotFound InvalidSubnetID.Malformed"},
    "RevokeSecurityGroupIngress": {
        ALREADY_SO: "InvalidPermission.NotFound",
        GONE: "InvalidGroup.NotFound",
        WRONG: "InvalidPermission.Malformed InvalidGroupId.Malformed",
    },
}

IAM: Mapping[str, Rows] = {
    "DeleteServerCertificate": {GONE: "NoSuchEntity", NOT_YET: "DeleteConflict", FULL: "LimitExceeded"},
    "GetAccountSummary": {},
    "GetServerCertificate": {GONE: "NoSuchEntity"},
    "ListServerCertificates": {},
    "UploadServerCertificate": {
        ALREADY_SO: "EntityAlreadyExists",
        NOT_YET: "ConcurrentModification",
        FULL: "LimitExceeded",
        WRONG: "MalformedCertificate KeyPairMismatch",
    },
}

OTHERS: Mapping[str, Rows] = {
    # AWS Certificate Manager
    "DescribeCertificate": {GONE: "ResourceNotFoundException", WRONG: "InvalidArnException"},
    # EC2 Auto Scaling. It has no code for an action that is over: https://github.com/convox/rack/issues/2432
    "CompleteLifecycleAction": {
        GONE: "ValidationError: No active Lifecycle Action",
        NOT_YET: "ResourceContention",
    },
    "DescribeAutoScalingGroups": {SLOW: "ResourceContention"},
    "DescribeAutoScalingInstances": {SLOW: "ResourceContention"},
    "RecordLifecycleActionHeartbeat": {
        GONE: "ValidationError: No active Lifecycle Action",
        NOT_YET: "ResourceContention",
    },
    # CloudWatch
    "DeleteAlarms": {GONE: "ResourceNotFound", NOT_YET: "ResourceConflict"},
    "DeleteDashboards": {GONE: "ResourceNotFound DashboardNotFoundError", NOT_YET: "ConflictException"},
    "DescribeAlarms": {},
    "GetDashboard": {GONE: "ResourceNotFound"},
    "GetMetricData": {},
    "PutDashboard": {NOT_YET: "ConflictException", WRONG: "InvalidParameterInput"},
    "PutMetricAlarm": {FULL: "LimitExceeded"},
    # EventBridge
    "PutEvents": {},
    # Lambda. An asynchronous call is not refused for what stands behind the function, but may be.
    "Invoke": {
        GONE: "ResourceNotFoundException NoPublishedVersionException",
        NOT_YET: """
            ResourceConflictException ResourceNotReadyException SnapStartNotReadyException
            ENINotReadyException CodeArtifactUserPendingException DurableExecutionAlreadyStartedException
        """,
        FULL: "ENILimitReachedException SubnetIPAddressLimitReachedException ServiceQuotaExceededException",
        NOT_ALLOWED: """
            EC2AccessDeniedException KMSAccessDeniedException KMSDisabledException KMSInvalidStateException
            KMSNotFoundException CodeArtifactUserDeletedException CodeArtifactUserFailedException
        """,
        SLOW: """
            EC2ThrottledException EC2UnexpectedException EFSIOException EFSMountConnectivityException
            EFSMountFailureException EFSMountTimeoutException S3FilesMountConnectivityException
            S3FilesMountFailureException S3FilesMountTimeoutException SnapStartException
            SnapStartRegenerationFailureException SnapStartTimeoutException
        """,
        WRONG: """
            InvalidParameterValueException InvalidRequestContentException InvalidRuntimeException
            InvalidSecurityGroupIDException InvalidSubnetIDException InvalidZipFileException
            ModeNotSupportedException RecursiveInvocationException RequestTooLargeException
            RuntimeAliasDeletedException RuntimeVersionDeletedException
            SerializedRequestEntityTooLargeException UnsupportedMediaTypeException
        """,
    },
    # Route 53. A batch is refused as a whole when a record set is not (any more) as it was read.
    "ChangeResourceRecordSets": {
        GONE: "NoSuchHostedZone NoSuchHealthCheck",
        WRONG: """
            InvalidChangeBatch: is not permitted in zone
            InvalidChangeBatch: is not permitted at apex
            InvalidChangeBatch: cannot be created as
            InvalidChangeBatch: Invalid Resource Record
        """,
        NOT_YET: "InvalidChangeBatch PriorRequestNotComplete",
    },
    "GetChange": {GONE: "NoSuchChange"},
    "GetHostedZone": {GONE: "NoSuchHostedZone"},
    "ListHostedZones": {WRONG: "NoSuchDelegationSet DelegationSetNotReusable"},
    "ListResourceRecordSets": {GONE: "NoSuchHostedZone"},
    # S3, whose model names no errors: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    "ListBuckets": {NOT_ALLOWED: "AccountProblem AllAccessDisabled NotSignedUp"},
    # Secrets Manager. A secret that is scheduled for deletion is refused with the first code.
    "CreateSecret": {
        THEIRS: "InvalidRequestException",
        ALREADY_SO: "ResourceExistsException",
        FULL: "LimitExceededException",
        NOT_ALLOWED: "EncryptionFailure DecryptionFailure",
        WRONG: "ResourceNotFoundException MalformedPolicyDocumentException PreconditionNotMetException",
    },
    "PutSecretValue": {
        GONE: "ResourceNotFoundException",
        THEIRS: "InvalidRequestException",
        ALREADY_SO: "ResourceExistsException",
        FULL: "LimitExceededException",
        NOT_ALLOWED: "EncryptionFailure DecryptionFailure",
    },
    "TagResource": {
        GONE: "ResourceNotFoundException",
        THEIRS: "InvalidRequestException",
        WRONG: "MalformedPolicyDocumentException PreconditionNotMetException",
    },
    "DescribeSecret": {GONE: "ResourceNotFoundException InvalidRequestException"},
    "GetSecretValue": {
        GONE: "ResourceNotFoundException InvalidRequestException",
        NOT_ALLOWED: "DecryptionFailure",
    },
}

REFUSALS: Mapping[str, Rows] = {**ELB, **ELBV2, **EC2, **IAM, **OTHERS}
"""What each operation may say besides `EVERYWHERE`; its own rows come first."""

OWNED = frozenset({*ELB, *ELBV2} - {"CreateLoadBalancer", "CreateTargetGroup"}) | {
    "AuthorizeSecurityGroupIngress",
    "RevokeSecurityGroupIngress",
    "DeleteSecurityGroup",
}
"""Operations that our policies allow on what carries our owner tag. IAM sees a tag later than the call that
set it, by 25 seconds and more (https://github.com/kubernetes/kops/pull/12680): `not allowed` until then."""

GROUP_UNKNOWN = "InvalidSecurityGroup"
"""What ELB says of a security group that somebody made or deleted a moment ago. It is `wrong` of a group that
a user named, and `not yet` of one that we make."""


_FIELDS: Mapping[str, str] = {
    "AllocationIdNotFound": "addresses",
    "AvailabilityZoneNotSupported": "subnets",
    "InvalidScheme": "scheme",
    "InvalidSecurityGroup": "security_groups",
    "InvalidSubnet": "subnets",
    "SSLPolicyNotFound": "ssl_policy",
    "SubnetNotFound": "subnets",
    # What classic ELB says of a reference to a policy that it does not have.
    "CreateLoadBalancerPolicy InvalidConfigurationRequest": "ssl_policy",
}
"""The field of the body that a refusal is about, by its code, or by operation and code."""

_FULL_NAMES = {
    "RegisterInstances": "RegisterInstancesWithLoadBalancer",
    "DeregisterInstances": "DeregisterInstancesFromLoadBalancer",
}
"""Operations of ELB that actions, and so answers and logs, name more shortly."""


def meaning_of(operation: str, code: str, message: str = "") -> Meaning | None:
    """What a refusal means, by the operation, its code, and where the code alone does not say, its text.

    None for one that nobody knows.
    """
    rows = REFUSALS.get(_FULL_NAMES.get(operation, operation), {})
    return _found(rows, code, message) or _found(EVERYWHERE, code, message)


def _found(rows: Rows, code: str, message: str) -> Meaning | None:
    parsed = [(meaning, *row) for meaning, text in rows.items() for row in parse_rows(text)]
    by_text = (meaning for meaning, name, part in parsed if name == code and part and part in message)
    by_code = (meaning for meaning, name, part in parsed if name == code and not part)
    return next(by_text, None) or next(by_code, None)


def field_of(error: AwsError) -> str | None:
    """The field of the body that a refusal is about; None where it does not say."""
    return _FIELDS.get(error.code) or _FIELDS.get(f"{error.operation} {error.code}")


def passes(error: AwsError, *, own_group: bool, just_ours: bool) -> bool:
    """Whether a refusal passes by itself, by its meaning and by what the same request did before.

    `own_group`: the security group is one that we make. `just_ours`: our owner tag was put on something a
    moment ago.
    """
    if isinstance(error, Denied):
        return just_ours and error.operation in OWNED | _FULL_NAMES.keys()
    return isinstance(error, NotYet) or (own_group and error.code == GROUP_UNKNOWN)


def parse_rows(text: str) -> list[tuple[str, str]]:
    """Each code with the text that decides, empty where the code alone does."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        code, separator, part = line.strip().partition(": ")
        found += [(code, part)] if separator else [(one, "") for one in line.split()]
    return found
