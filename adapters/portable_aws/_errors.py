"""What AWS's errors are, whatever the service: botocore's own exceptions, and the codes that all services use."""

from __future__ import annotations

from typing import Any

from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError

from portable_contracts.errors import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonErrors.html and each service's own, read 2026-11-21;
# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html for those that are throttles.
THROTTLES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""The service did not begin what it was asked for."""

_TIMEOUTS = frozenset({"RequestTimeout", "RequestTimeoutException"})
_DENIALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AccountProblem",
        "AllAccessDisabled",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "KMSAccessDeniedException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "NotSignedUp",
        "OptInRequired",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)

_UNREACHED = (sdk.EndpointConnectionError, sdk.ConnectTimeoutError, sdk.ProxyConnectionError)
"""The service never heard of the request."""
_SIGNED_OUT = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.TokenRetrievalError,
    sdk.NoAuthTokenError,
    sdk.SSOError,
    sdk.MetadataRetrievalError,
    sdk.RefreshWithMFAUnsupportedError,
    sdk.InfiniteLoopConfigError,
)
_WRONG = (
    sdk.NoRegionError,
    sdk.InvalidRegionError,
    sdk.ParamValidationError,
    sdk.UnknownEndpointError,
    sdk.EndpointProviderError,
    sdk.ConfigNotFound,
    sdk.ConfigParseError,
    sdk.ProfileNotFound,
)


def code_of(error: Exception) -> str:
    """Return the service's word for *error*; empty for what is no answer of a service."""
    if not isinstance(error, sdk.ClientError):
        return ""
    # Where a client asks for it SQS answers with words of its older protocol: AWS.SimpleQueueService.NonExistentQueue.
    return str(error.response.get("Error", {}).get("Code", ""))


def classify(error: Exception, codes: Mapping[str, type[PortableError]]) -> type[PortableError]:
    """Return the portable error that *error* is; *codes* are the service's own, by the service's words."""
    if isinstance(error, PortableError):
        return type(error)
    if isinstance(error, sdk.ClientError):
        return _of_code(code_of(error), _status(error), codes)
    if isinstance(error, (sdk.ReadTimeoutError, sdk.ConnectTimeoutError)):
        return Timeout
    if isinstance(error, _SIGNED_OUT):
        return PermissionDenied
    if isinstance(error, _WRONG):
        return InvalidArgument
    if isinstance(
        error, (sdk.ConnectionError, sdk.HTTPClientError, sdk.IncompleteReadError, sdk.ResponseStreamingError)
    ):
        return Unavailable
    # An answer that is none, such as half of one.
    return Unavailable if isinstance(error, (sdk.ChecksumError, ResponseParserError)) else PortableError


def _of_code(code: str, status: int, codes: Mapping[str, type[PortableError]]) -> type[PortableError]:
    kind = codes.get(code)
    if kind is not None:
        return kind
    if code in THROTTLES or status == 429 or (status >= 500 and status != 501):
        return Unavailable
    if code in _TIMEOUTS or status == 408:
        return Timeout
    if code in _DENIALS or status in (401, 403):
        return PermissionDenied
    return NotFound if status == 404 else PortableError


def _status(error: sdk.ClientError) -> int:
    answer: Any = error.response.get("ResponseMetadata", {})
    return int(answer.get("HTTPStatusCode", 0))


def explain(error: Exception) -> str:
    """Say what *error* says, after the service's word for it."""
    if isinstance(error, sdk.ClientError):
        message = error.response.get("Error", {}).get("Message") or error.response.get("Message") or ""
        return f"{code_of(error)}: {message}" if message else code_of(error)
    if isinstance(error, _SIGNED_OUT):
        return f"{error}: give credentials by the environment, a profile or a role"
    if isinstance(error, sdk.NoRegionError):
        return "there is no region: add ?region=... to the address, region to the target, or set AWS_REGION"
    return str(error) or type(error).__name__


def retry_after(error: Exception) -> float | None:
    """Return the seconds that the answer asks to wait; few services do."""
    if not isinstance(error, sdk.ClientError):
        return None
    headers: Any = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def changed_nothing(error: Exception) -> bool:
    """Say whether *error* proves that the service did nothing: it refused to begin, or was not reached."""
    return (
        isinstance(error, _UNREACHED)
        or code_of(error) in THROTTLES
        or (isinstance(error, sdk.ClientError) and _status(error) == 429)
    )
