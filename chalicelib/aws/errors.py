"""From AWS's error codes on the wire to the classes of `model/errors.py`: the one place that does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.model import errors
from chalicelib.tls.reasons import reason_of

_CLASSES: dict[type[errors.AwsError], tuple[str, ...]] = {
    errors.Absent: (
        "LoadBalancerNotFound",
        "ListenerNotFound",
        "PolicyNotFound",
        "NoSuchEntity",
        "InvalidGroup.NotFound",
        "InvalidInstanceID.NotFound",
        "InvalidPermission.NotFound",
        "ResourceNotFound",
        "ResourceNotFoundException",
        "NoSuchHostedZone",
        "NoSuchChange",
    ),
    errors.Duplicate: (
        "DuplicateLoadBalancerName",
        "DuplicateListener",
        "DuplicatePolicyName",
        "EntityAlreadyExists",
        "InvalidGroup.Duplicate",
        "InvalidPermission.Duplicate",
        "ResourceExistsException",
    ),
    errors.InUse: ("DeleteConflict", "DependencyViolation", "ConcurrentModification", "ConcurrentTagAccess"),
    errors.CertificateUnknown: ("CertificateNotFound",),
    errors.InvalidInstance: ("InvalidInstance",),
    errors.QuotaReached: (
        "TooManyLoadBalancers",
        "TooManyPolicies",
        "TooManyTags",
        "TagLimitExceeded",
        "LimitExceeded",
        "LimitExceededException",
        "SecurityGroupLimitExceeded",
        "RulesPerSecurityGroupLimitExceeded",
        "SecurityGroupsPerInterfaceLimitExceeded",
    ),
    errors.Throttled: (
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "DependencyThrottle",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "RequestThrottled",
        "RequestThrottledException",
        "BandwidthLimitExceeded",
        "SlowDown",
        "PriorRequestNotComplete",
    ),
    errors.Denied: (
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "UnauthorizedAccess",
        "OperationNotPermitted",
        "NotAuthorized",
        # What a region says that the account has not enabled, each service in its own way.
        "AuthFailure",
        "InvalidClientTokenId",
        "OptInRequired",
        "UnrecognizedClientException",
    ),
    errors.Refused: (
        "ValidationError",
        "ValidationException",
        "InvalidConfigurationRequest",
        "SubnetNotFound",
        "InvalidSubnet",
        "InvalidSubnetID.NotFound",
        "InvalidSecurityGroup",
        "InvalidScheme",
        "DuplicateTagKeys",
        "TagPolicyViolation",
        "UnsupportedProtocol",
        "PolicyTypeNotFound",
        "LoadBalancerAttributeNotFound",
        "MalformedCertificate",
        "KeyPairMismatch",
        "InvalidInput",
        "InvalidChangeBatch",
        "InvalidParameterValue",
        "InvalidParameterException",
        "InvalidRequestException",
    ),
}
_CLASS_OF_CODE = {code: cls for cls, codes in _CLASSES.items() for code in codes}


def of_code(operation: str, code: str, message: str) -> errors.AwsError:
    """The error for an AWS code; `AwsError` itself for one that has no class."""
    return _CLASS_OF_CODE.get(code, errors.AwsError)(operation, code, message)


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turn what botocore raises inside into an error of ours that names the AWS `operation`.

    A connection that fails or times out is `Throttled`: AWS could not be asked, asking again may help. So is
    an answer that is not AWS's, such as a proxy's page. What botocore itself finds wrong, before it asks, is
    `Refused`, without its words, which may quote a secret.
    """
    # Imported here: whoever gets as far as a call has botocore loaded already.
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    try:
        yield
    except exceptions.ClientError as error:
        said = error.response.get("Error", {})
        raise of_code(operation, said.get("Code", "Unknown"), said.get("Message", "")) from None
    except exceptions.NoCredentialsError as error:
        raise errors.Denied(operation, "NoCredentials", str(error)) from None
    except exceptions.ParamValidationError:
        raise errors.Refused(operation, "ParamValidation", "a value is not of AWS's form") from None
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        reason = reason_of(error)
        message = f"AWS could not be reached: {reason}" if reason else "AWS could not be reached"
        raise errors.Throttled(operation, type(error).__name__, message) from None
    except ResponseParserError:
        raise errors.Throttled(operation, "ResponseParserError", "the answer could not be read") from None
