"""Which portable error an error of a service that speaks gRPC is: Firestore and Pub/Sub.

https://docs.cloud.google.com/firestore/docs/understand-error-codes,
https://docs.cloud.google.com/pubsub/docs/reference/error-codes
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from google.api_core import exceptions as google_errors
from google.auth import exceptions as auth_errors

from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
    Unsupported,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    Reasons = Sequence[type[PortableError] | None]

_KINDS: tuple[tuple[type[Exception], type[PortableError]], ...] = (
    (google_errors.DeadlineExceeded, Timeout),
    (google_errors.AlreadyExists, AlreadyExists),
    (google_errors.Aborted, Unavailable),
    (google_errors.NotFound, NotFound),
    (google_errors.Unauthenticated, PermissionDenied),
    (google_errors.PermissionDenied, PermissionDenied),
    (google_errors.ResourceExhausted, Unavailable),
    (google_errors.ServiceUnavailable, Unavailable),
    (google_errors.InternalServerError, Unavailable),
    (google_errors.Cancelled, Unavailable),
    (google_errors.MethodNotImplemented, Unsupported),
    (google_errors.OutOfRange, InvalidArgument),
    (auth_errors.TransportError, Unavailable),
    (auth_errors.RefreshError, PermissionDenied),
    (auth_errors.GoogleAuthError, PermissionDenied),
    (TimeoutError, Timeout),
    (ConnectionError, Unavailable),
)
"""By the first that fits. FAILED_PRECONDITION is not among them: a guard that did not hold is `Refused`, what else it
says (no such index, a database in Datastore mode) is no error of one call."""


class Refused(Exception):
    """An item's state did not allow the operation; the service's own error, where there is one, is its cause."""

    def __init__(self, kind: type[PortableError], why: str, reasons: Reasons = ()) -> None:
        super().__init__(why)
        self.kind = kind
        self.reasons = reasons


def classify(error: Exception) -> type[PortableError]:
    if isinstance(error, Refused):
        return error.kind
    if isinstance(error, grpc.RpcError):
        error = google_errors.from_grpc_error(error)
    if isinstance(error, google_errors.InvalidArgument):
        too_large = "exceeds the " in str(error.message) or "longer than" in str(error.message)
        return LimitExceeded if too_large else InvalidArgument
    if isinstance(error, auth_errors.GoogleAuthError) and error.retryable:
        return Unavailable
    return next((kind for known, kind in _KINDS if isinstance(error, known)), PortableError)


def explain(error: Exception) -> str:
    if not isinstance(error, google_errors.GoogleAPICallError):
        return ""
    code = error.grpc_status_code
    return f"{code.name if code else 'error'}: {str(error.message)[:500]}"


def retry_after(error: Exception) -> float | None:
    """Return the seconds of google.rpc.RetryInfo, which an error may have with it."""
    for detail in error.details if isinstance(error, google_errors.GoogleAPICallError) else ():
        if type(detail).__name__ == "RetryInfo":
            seconds: float = detail.retry_delay.ToTimedelta().total_seconds()
            return seconds
    return None


def changed_nothing(error: Exception) -> bool:
    # ABORTED is the loser of a race, RESOURCE_EXHAUSTED is over a quota; what no server was reached with is not sent.
    if isinstance(error, (google_errors.Aborted, google_errors.ResourceExhausted)) or hasattr(error, "of_reading"):
        return True
    return isinstance(error, google_errors.ServiceUnavailable) and "failed to connect to all" in str(error.message)


def refusal(error: google_errors.GoogleAPICallError) -> Refused | None:
    """Return what says that a precondition did not hold; None for any other error."""
    message = str(error.message)
    if isinstance(error, google_errors.AlreadyExists):
        return Refused(AlreadyExists, "there is an item already")
    # "The Cloud Firestore API is not available for Firestore in Datastore Mode" has the same code.
    if isinstance(error, google_errors.FailedPrecondition) and "Datastore Mode" not in message:
        return Refused(Conflict, "the item is not at this version")
    # As has a database that does not exist.
    if isinstance(error, google_errors.NotFound) and "No document" in message:
        return Refused(Conflict, "there is no item at this version")
    return None
