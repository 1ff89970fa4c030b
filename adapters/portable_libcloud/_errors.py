"""What went wrong between a driver, Libcloud, its HTTP client and a service, in portable words."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import requests
from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import InvalidCredsError, LibcloudError
from libcloud.storage.types import ContainerDoesNotExistError, ObjectDoesNotExistError
from urllib3 import exceptions as urllib3

from portable_contracts import errors
from portable_contracts.errors import PortableError

_STATUS = re.compile(r"status.?code\D{0,3}(\d{3})", re.IGNORECASE)
"""Most of Libcloud's errors have the service's status in their text alone."""
_CODES: dict[str, type[PortableError]] = {
    "AccessDenied": errors.PermissionDenied,
    "ExpiredToken": errors.PermissionDenied,
    "InternalError": errors.Unavailable,
    "InvalidAccessKeyId": errors.PermissionDenied,
    "InvalidToken": errors.PermissionDenied,
    "OperationAborted": errors.Unavailable,
    "RequestTimeout": errors.Timeout,
    "RequestTimeTooSkewed": errors.PermissionDenied,
    "ServiceUnavailable": errors.Unavailable,
    "SlowDown": errors.Unavailable,
}
"""S3's error codes that their status does not tell, or that come without one, in an answer about many keys:
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
_STATUSES: dict[int, type[PortableError]] = {
    401: errors.PermissionDenied,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    408: errors.Timeout,
    412: errors.Conflict,
    429: errors.Unavailable,
    501: errors.Unsupported,
}


class Answered(Exception):
    """The service refused, with this HTTP status, and a code and message where it gave any."""

    def __init__(self, status: int, code: str = "", message: str = "", retry_after: float | None = None) -> None:
        super().__init__(f"{code or status}: {message or 'the service gave no reason'}")
        self.status = status
        self.code = code
        self.retry_after = retry_after


def refused(response: requests.Response) -> Answered:
    """Read what the service says of its refusal."""
    code = message = ""
    try:
        document = ElementTree.fromstring(response.content)  # noqa: S314  # a service that is trusted with the data
    except (ElementTree.ParseError, requests.RequestException):
        pass  # HEAD has no body, and proxies answer in HTML.
    else:
        told = {element.tag.rpartition("}")[2]: element.text or "" for element in document}
        code, message = told.get("Code", ""), told.get("Message", "")
    try:
        wait: float | None = float(response.headers["retry-after"])
    except (KeyError, ValueError):
        wait = None
    return Answered(response.status_code, code, message, wait)


def classify(error: Exception) -> type[PortableError]:
    if isinstance(error, Answered):
        return _CODES.get(error.code) or _of_status(error.status)
    if isinstance(error, (ContainerDoesNotExistError, ObjectDoesNotExistError)):
        return errors.NotFound
    if isinstance(error, InvalidCredsError):
        return errors.PermissionDenied
    if isinstance(error, BaseHTTPError):
        return _of_status(error.code)
    if isinstance(error, LibcloudError):
        status = _STATUS.search(str(error.value))
        return _of_status(int(status[1])) if status else PortableError
    if isinstance(error, (requests.Timeout, urllib3.TimeoutError)):
        return errors.Timeout
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, urllib3.HTTPError)):
        return errors.Unavailable
    return PortableError


def _of_status(status: int) -> type[PortableError]:
    return _STATUSES.get(status) or (errors.Unavailable if status >= 500 else PortableError)


def explain(error: Exception) -> str:
    # Libcloud's own text begins with the driver and its secret-less, but long, representation.
    return str(error.value) if isinstance(error, LibcloudError) else str(error) or type(error).__name__
