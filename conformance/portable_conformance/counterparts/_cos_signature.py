"""The signatures of COS's XML API, as https://www.tencentcloud.com/document/product/436/7778 describes them."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, quote, unquote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from portable_conformance.counterparts._tencent_accounts import Account
    from portable_conformance.counterparts._wire import WireRequest

_FIELDS = (
    "q-sign-algorithm",
    "q-ak",
    "q-sign-time",
    "q-key-time",
    "q-header-list",
    "q-url-param-list",
    "q-signature",
)
_TOKEN = "x-cos-security-token"


class Refusal(Exception):
    """An answer that is an error, by its code; every code is one of
    https://www.tencentcloud.com/document/product/436/7730, but FileAlreadyExists, which that page leaves out and
    https://github.com/apache/opendal/pull/7526 saw."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.status = status
        self.code = code


def check(
    request: WireRequest,
    parameters: Sequence[tuple[str, str]],
    host: str,
    account_of: Callable[[str], Account | None],
    now: Callable[[str], float],
) -> None:
    """Raise Refusal unless the request is signed, in a header or its query, by somebody known, for this very moment.

    *now* tells the time by which the signatures of a key are judged.
    """
    header = request.headers.get("authorization", "")
    query = dict(parameters)
    told = dict(parse_qsl(header, keep_blank_values=True)) if header else query
    if not header and "q-signature" not in query:
        raise Refusal(403, "AccessDenied", "Access Denied.")
    if any(field not in told for field in _FIELDS) or told["q-sign-algorithm"] != "sha1":
        raise Refusal(403, "AccessDenied", "The signature is not whole.")
    account = account_of(told["q-ak"])
    if account is None:
        raise Refusal(403, "InvalidAccessKeyId", "The Access Key Id you provided does not exist in our records.")
    if account.token and account.token != (request.headers.get(_TOKEN) or query.get(_TOKEN)):
        raise Refusal(403, "InvalidAccessKeyId", "The token does not go with the Access Key Id.")
    expected = _signature(
        request.method, unquote(request.path), told, parameters, {**request.headers, "host": host}, account.key
    )
    if expected is None or not hmac.compare_digest(expected, told["q-signature"]):
        raise Refusal(403, "SignatureDoesNotMatch", "The Signature you specified is invalid.")
    start, _, end = told["q-sign-time"].partition(";")
    if not (start.isdigit() and end.isdigit() and int(start) - 900 <= now(told["q-ak"])):
        raise Refusal(403, "RequestTimeTooSkewed", "The signature is not good yet.")
    if now(told["q-ak"]) > int(end):
        raise Refusal(403, "Request has expired", "Request has expired.")


def _signature(
    method: str,
    path: str,
    told: Mapping[str, str],
    parameters: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
    key: str,
) -> str | None:
    """Return what the request should be signed with; None where it lacks something that it claims to have signed."""
    signed_parameters = _chosen(told["q-url-param-list"], {_encoded(name).lower(): value for name, value in parameters})
    signed_headers = _chosen(told["q-header-list"], headers)
    if signed_parameters is None or signed_headers is None:
        return None
    text = f"{method.lower()}\n{path}\n{signed_parameters}\n{signed_headers}\n"
    signed = f"sha1\n{told['q-sign-time']}\n{hashlib.sha1(text.encode()).hexdigest()}\n"
    sign_key = hmac.new(key.encode(), told["q-key-time"].encode(), hashlib.sha1).hexdigest()
    return hmac.new(sign_key.encode(), signed.encode(), hashlib.sha1).hexdigest()


def _chosen(names: str, values: Mapping[str, str]) -> str | None:
    listed = [name for name in names.split(";") if name]
    if listed != sorted(listed) or any(name not in values for name in listed):
        return None
    return "&".join(f"{name}={_encoded(values[name])}" for name in listed)


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
