"""What COS's errors are: https://www.tencentcloud.com/document/product/436/7730, read 2026-11-21.

FileAlreadyExists, the answer to a create over an object, is not on that page; users of the real service report it:
https://github.com/apache/opendal/pull/7526.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import ParseError

import requests
import urllib3
from qcloud_cos.cos_exception import CosClientError, CosServiceError

from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
    Unsupported,
)

_CODES: dict[str, type[PortableError]] = {
    "FileAlreadyExists": AlreadyExists,
    "PreconditionFailed": Conflict,
    "NoSuchUpload": PortableError,  # It was there when its parts were sent: the object itself is another matter.
    "ExpiredToken": PermissionDenied,
    "InvalidObjectState": PortableError,  # Archived: it has to be restored first.
    "RequestTimeout": Timeout,
    "IncompleteBody": Unavailable,
    "UserNetworkTooSlow": Unavailable,
    "PathConflict": Unavailable,  # Somebody else is writing to the same key at this moment, as with the next one.
    "UploadConflict": Unavailable,
    "NotImplemented": Unsupported,
    "SlowDown": Unavailable,
    # In the answer to a deletion of many these come without a status.
    "AccessDenied": PermissionDenied,
    "InternalError": Unavailable,
    "ServiceUnavailable": Unavailable,
}


def code_of(error: Exception) -> str:
    """Return the service's word for *error*; empty for what is no answer of the service, and where it used none."""
    told = error.get_digest_msg() if isinstance(error, CosServiceError) else None
    return str(told.get("code", "")) if isinstance(told, dict) else ""


def status_of(error: Exception) -> int:
    """Return the status of the answer that *error* is, 0 for what is none."""
    return int(error.get_status_code()) if isinstance(error, CosServiceError) else 0


def classify(error: Exception) -> type[PortableError]:
    if isinstance(error, PortableError):
        return type(error)
    if isinstance(error, CosServiceError):
        return _CODES.get(code_of(error)) or of_status(status_of(error))
    if isinstance(error, CosClientError):
        # The SDK hides what went wrong on the wire in an error of its own.
        return _of_wire(error.__context__) if error.__context__ is not None else PortableError
    return _of_wire(error)


def of_status(status: int) -> type[PortableError]:
    """Return what an answer with *status* is that says no more."""
    if status in (408, 504):
        return Timeout
    if status == 429 or status >= 500:
        return Unavailable
    if status in (401, 402, 403, 451):  # 402: the account is overdrawn; 451: the domain is not registered.
        return PermissionDenied
    return {404: NotFound, 412: Conflict}.get(status, PortableError)


def _of_wire(error: BaseException) -> type[PortableError]:
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return Timeout
    if isinstance(error, _BROKEN):
        return Unavailable
    return PortableError


_BROKEN = (
    requests.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.HTTPError,
    ConnectionError,
    ParseError,  # Half of an answer.
)


def explain(error: Exception) -> str:
    """Say what *error* says, without the request's address: that may be a signed one."""
    if isinstance(error, CosServiceError):
        told: Any = error.get_digest_msg()
        if not isinstance(told, dict):
            return f"COS answered {status_of(error)}"
        request = f" (request {told['requestid']})" if told.get("requestid") else ""
        return f"{told.get('code', '')}: {told.get('message', '')}{request}"
    if isinstance(error, CosClientError) and isinstance(error.__context__, requests.RequestException):
        wire = error.__context__
        reason = wire.args[0] if wire.args else wire
        return f"COS is out of reach: {getattr(reason, 'reason', None) or type(wire).__name__}"
    return str(error) or type(error).__name__


def retry_after(error: Exception) -> float | None:
    try:
        return max(0.0, float(getattr(error, "retry_after", None) or ""))
    except ValueError:
        return None


def changed_nothing(error: Exception) -> bool:
    """Say whether *error* proves that nothing was done: COS refused to begin, or was not reached."""
    return (
        code_of(error) == "SlowDown"
        or status_of(error) == 429
        or isinstance(error.__context__, requests.ConnectTimeout)
        or getattr(error, "before", False) is True
    )
