"""What went wrong in a storage account, as portable errors: for blobs, tables and queues alike.

https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2 (read 2026-11-21)
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)

from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

CODES: Mapping[str, type[PortableError]] = {
    **dict.fromkeys(
        (
            *("BlobNotFound", "ContainerNotFound", "ResourceNotFound", "CannotVerifyCopySource"),
            *("TableNotFound", "EntityNotFound", "QueueNotFound", "MessageNotFound"),
        ),
        NotFound,
    ),
    **dict.fromkeys(
        (
            *("BlobAlreadyExists", "ContainerAlreadyExists", "ResourceAlreadyExists", "AccountAlreadyExists"),
            *("EntityAlreadyExists", "TableAlreadyExists", "QueueAlreadyExists"),
        ),
        AlreadyExists,
    ),
    **dict.fromkeys(
        (
            *("ConditionNotMet", "TargetConditionNotMet", "SourceConditionNotMet", "UpdateConditionNotSatisfied"),
            *("BlobOverwritten", "SequenceNumberConditionNotMet", "AppendPositionConditionNotMet"),
        ),
        Conflict,
    ),
    **dict.fromkeys(
        (
            *("AccountIsDisabled", "AuthenticationFailed", "AuthorizationFailure", "AuthorizationPermissionMismatch"),
            *("AuthorizationProtocolMismatch", "AuthorizationResourceTypeMismatch", "AuthorizationSourceIPMismatch"),
            *("AuthorizationServiceMismatch", "InsufficientAccountPermissions", "InvalidAuthenticationInfo"),
            *("NoAuthenticationInformation", "KeyBasedAuthenticationNotPermitted", "PublicAccessNotPermitted"),
            *("UnauthorizedBlobOverwrite", "BlobImmutableDueToPolicy", "ContainerDisabled", "QueueDisabled"),
        ),
        PermissionDenied,
    ),
    **dict.fromkeys(
        (
            *("InternalError", "ServerBusy", "TooManyRequests", "AccountBeingCreated"),
            *("ContainerBeingDeleted", "TableBeingDeleted", "QueueBeingDeleted", "PendingCopyOperation"),
            # Someone else holds the object for a while, who took a lease outside of this library.
            *("LeaseAlreadyPresent", "LeaseIdMissing", "LeaseIsBrokenAndCannotBeRenewed", "LeaseLost"),
        ),
        Unavailable,
    ),
    **dict.fromkeys(("OperationTimedOut",), Timeout),
    **dict.fromkeys(
        (
            *("OutOfRangeInput", "InvalidResourceName", "InvalidUri", "InvalidMetadata", "MetadataTooLarge"),
            *("EmptyMetadataKey", "RequestBodyTooLarge", "InvalidHeaderValue", "InvalidQueryParameterValue"),
            *("InvalidInput", "PropertyNameInvalid", "PropertyNameTooLong", "PropertyValueTooLarge"),
            *("EntityTooLarge", "KeyValueTooLarge", "TooManyProperties", "MessageTooLarge", "InvalidXmlDocument"),
        ),
        InvalidArgument,
    ),
}
_STATUSES: Mapping[int, type[PortableError]] = {
    401: PermissionDenied,
    403: PermissionDenied,
    404: NotFound,
    408: Timeout,
    412: Conflict,
    413: InvalidArgument,
    429: Unavailable,
    500: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Timeout,
}


class Refused(Exception):
    """An answer that is no error to the SDK, or a request that need not be sent."""

    def __init__(self, kind: type[PortableError], why: str) -> None:
        super().__init__(why)
        self.kind = kind


def classify(error: BaseException) -> type[PortableError]:
    """Say which portable error *error* is; one that is not of this SDK or the network is PortableError itself."""
    if isinstance(error, Refused):
        return error.kind
    if isinstance(error, (ServiceRequestTimeoutError, ServiceResponseTimeoutError, TimeoutError)):
        return Timeout
    if isinstance(error, (ServiceRequestError, ServiceResponseError, IncompleteReadError, ConnectionError)):
        return Unavailable
    if isinstance(error, HttpResponseError):
        found = CODES.get(code_of(error))
        if found is not None:
            return found
        found = _STATUSES.get(error.status_code or 0)
        if found is not None:
            return found
        if isinstance(error, ClientAuthenticationError):  # The credential's: there was no answer of the service.
            return PermissionDenied
        # The SDK wraps what happened while it read an answer: its own errors, or those of requests, which are OSErrors.
        inner = error.inner_exception or error.__cause__
        if error.status_code in (None, 200, 206) and inner is not error:
            if isinstance(inner, AzureError):
                return classify(inner)
            if isinstance(inner, OSError):
                return Timeout if isinstance(inner, TimeoutError) else Unavailable
    return PortableError


def code_of(error: BaseException) -> str:
    """Return the service's own code, `"BlobNotFound"`; empty where it sent none."""
    code = getattr(error, "error_code", None)
    response = getattr(error, "response", None)
    if not code and response is not None:
        code = response.headers.get("x-ms-error-code") or _code_in(response)
    return str(getattr(code, "value", code) or "")


def _code_in(response: Any) -> str:
    """Return the code in the JSON that tables answer; their SDK does not always read it."""
    if "json" not in response.headers.get("content-type", ""):
        return ""
    try:
        found = json.loads(response.text())["odata.error"]["code"]
    except (AttributeError, KeyError, TypeError, ValueError, AzureError):
        return ""
    return str(found)


def explain(error: Exception) -> str:
    """Say in one line what *error* says: the service's code and its sentence, without the ids of the request."""
    if isinstance(error, HttpResponseError):
        sentence = (error.message or error.reason or "").strip().partition("\n")[0].strip()
        code = code_of(error)
        return f"{code}: {sentence}" if code and sentence and code not in sentence else sentence or code
    return str(error).partition("\n")[0] or type(error).__name__


def changed_nothing(error: Exception) -> bool:
    """Say whether the service has not begun: it was not reached, or said that it is asked too often."""
    if isinstance(error, HttpResponseError):
        return error.status_code == 429 or code_of(error) in ("ServerBusy", "TooManyRequests")
    return isinstance(error, ServiceRequestError)


def retry_after(error: Exception) -> float | None:
    """Return the seconds that the answer's Retry-After asks to wait; None where there is none."""
    response = getattr(error, "response", None)
    if response is None:
        return None
    asked = response.headers.get("retry-after", "")
    return float(asked) if asked.isascii() and asked.isdigit() else None
