"""From what botocore raises to the classes of `model/errors.py`, by the table in `aws/refusals.py`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.aws.refusals import Meaning, meaning_of
from chalicelib.model import errors
from chalicelib.tls.reasons import reason_of

_CLASS_OF: dict[Meaning | None, type[errors.AwsError]] = {
    Meaning.NOT_YET: errors.NotYet,
    Meaning.ALREADY_SO: errors.Duplicate,
    Meaning.GONE: errors.Absent,
    Meaning.THEIRS: errors.Theirs,
    Meaning.FULL: errors.QuotaReached,
    Meaning.WRONG: errors.Refused,
    Meaning.NOT_ALLOWED: errors.Denied,
    Meaning.SLOW: errors.Throttled,
    None: errors.AwsError,
}
_SERVERS_FAULT = 500


def of_code(operation: str, code: str, message: str, status: int = 400) -> errors.AwsError:
    """Return the error for an AWS code; for an unknown code the HTTP `status` decides."""
    meaning = meaning_of(operation, code, message)
    if meaning is Meaning.GONE and code in {"InvalidInstance", "InvalidTarget"}:
        return errors.InvalidInstance(operation, code, message)
    if meaning is None and status >= _SERVERS_FAULT:
        meaning = Meaning.SLOW
    return _CLASS_OF[meaning](operation, code, message)


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turn what botocore raises inside into an error of ours that names the AWS `operation`.

    A connection that fails or times out is `Throttled`: AWS could not be asked, asking again may help. So is
    an answer that is not AWS's, such as a proxy's page. What botocore itself finds wrong, before it asks, is
    `Refused`, without its words, which may quote a secret.
    """
    # Imported here: where a call is made, botocore is loaded already.
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    try:
        yield
    except exceptions.ClientError as error:
        answer = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
        raise of_code(operation, answer.get("Code", "Unknown"), answer.get("Message", ""), status) from None
    except exceptions.NoCredentialsError as error:
        raise errors.Denied(operation, "NoCredentials", str(error)) from None
    except exceptions.ParamValidationError:
        raise errors.Refused(operation, "ParamValidation", "a value is not of AWS's form") from None
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        reason = reason_of(error)
        message = f"AWS could not be reached: {reason}" if reason else "AWS could not be reached"
        raise errors.Throttled(operation, type(error).__name__, message) from None
    # A page that leads to itself, and would be read for ever, is no answer either.
    except (ResponseParserError, exceptions.PaginationError) as error:
        raise errors.Throttled(operation, type(error).__name__, "the answer could not be read") from None
