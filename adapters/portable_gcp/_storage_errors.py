"""What goes wrong between here and Cloud Storage: which portable error it is, what it says, how long to wait.

The codes: https://docs.cloud.google.com/storage/docs/json_api/v1/status-codes and .../xml-api/reference-status.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import requests
from google.api_core.exceptions import GoogleAPICallError
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as SlowError

from portable_contracts.errors import (
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
    from collections.abc import Iterator

_STATUS: dict[int, type[PortableError]] = {
    400: InvalidArgument,
    401: PermissionDenied,
    403: PermissionDenied,
    404: NotFound,
    405: Unsupported,
    408: Timeout,
    409: Conflict,
    410: Unavailable,  # The upload's session is gone: the whole write may be done again.
    412: Conflict,
    413: LimitExceeded,
    416: InvalidArgument,
    429: Unavailable,
    499: Unavailable,  # The upload was cancelled.
    501: Unsupported,
    504: Timeout,
}
_THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded", "quotaExceeded"})
"""Reasons of a 403 that is no refusal for good."""
_QUERY = re.compile(r"\?[^\s'\")]+")
"""In it are signatures, and the names of uploads, which are keys to them."""


class Refused(Exception):
    """A call that the driver knows the portable error of."""

    def __init__(self, kind: type[PortableError], why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Damaged(Exception):
    """What came is not what the service keeps, by its checksum."""


def classify(error: Exception) -> type[PortableError]:
    if isinstance(error, Refused):
        return error.kind
    if isinstance(error, GoogleAPICallError):
        return _of_status(error)
    if isinstance(error, (requests.Timeout, SlowError, TimeoutError)):
        return Timeout
    if isinstance(error, TransportError):
        return Unavailable
    if isinstance(error, GoogleAuthError):
        return Unavailable if error.retryable else PermissionDenied
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
        return InvalidArgument
    if isinstance(error, (requests.RequestException, HTTPError, ConnectionError)):
        return Unavailable
    return PortableError


def _of_status(error: GoogleAPICallError) -> type[PortableError]:
    status = int(error.code or 0)
    if status == 403 and _THROTTLED.intersection(_reasons(error.response)):
        return Unavailable
    return _STATUS.get(status, Unavailable if status >= 500 else PortableError)


def explain(error: Exception) -> str:
    """Say what *error* says, without the address of the request."""
    if isinstance(error, DefaultCredentialsError):
        return (
            "there are no credentials of Google Cloud here: set GOOGLE_APPLICATION_CREDENTIALS to a key file, run "
            "`gcloud auth application-default login`, or run where a service account is attached"
        )
    if isinstance(error, GoogleAPICallError) and error.response is not None:
        response: Any = error.response
        said = _said(response) or getattr(response, "reason", "") or ""
        return f"{response.status_code} {said}".strip()
    if isinstance(error, (requests.RequestException, HTTPError)):
        innermost = [*_causes(error)][-1]
        return f"{type(error).__name__}: {_QUERY.sub('', str(innermost)) or 'no answer'}"
    return _QUERY.sub("", str(error)) or type(error).__name__


def retry_after(error: Exception) -> float | None:
    response = getattr(error, "response", None)
    asked = getattr(response, "headers", {}).get("Retry-After")
    if asked is None:
        return None
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(timezone.utc)).total_seconds())
    except (TypeError, ValueError):
        return None


def changed_nothing(error: Exception) -> bool:
    """Say whether the service has not begun: it was not reached, or said that it is asked too often."""
    if isinstance(error, GoogleAPICallError):
        return bool(error.code == 429)
    return isinstance(error, requests.ConnectTimeout) or any(isinstance(e, NewConnectionError) for e in _causes(error))


def is_missing_bucket(error: GoogleAPICallError) -> bool:
    """Say whether a 404 is the bucket's, not the object's."""
    return "bucket does not exist" in _said(error.response)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and what it wraps: requests wraps urllib3's errors in arguments, not as causes."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        wrapped = [getattr(seen, "reason", None), *getattr(seen, "args", ())]
        seen = next((inner for inner in wrapped if isinstance(inner, BaseException)), None)


def _document(response: Any) -> dict[str, Any]:
    """Return the `error` of an answer of the JSON API; empty for others."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return error if isinstance(error, dict) else {"message": error}


def _reasons(response: Any) -> list[str]:
    return [str(one.get("reason")) for one in _document(response).get("errors", ()) if isinstance(one, dict)]


def _said(response: Any) -> str:
    """Return what an answer of either API says of the error."""
    document = _document(response)
    if document:
        return str(document.get("message", ""))
    text = getattr(response, "text", "")
    found = [re.search(f"<{tag}>([^<]*)</{tag}>", text) for tag in ("Code", "Message")]
    return ": ".join(part[1] for part in found if part)
