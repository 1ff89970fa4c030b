"""HTTP on Azure Functions: the HttpRequest that the worker makes of the host's call, and the HttpResponse it takes.

What the host does with a request, and with an answer, is in its source, since no page says it:
https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script.Grpc/MessageExtensions/GrpcMessageConversionExtensions.cs
https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script/Binding/Http/RawScriptResult.cs
"""

from __future__ import annotations

from portable_azure._context import FRONT_SECONDS, context_of
from portable_contracts.errors import InvalidArgument
from portable_contracts.http import Headers, HttpCodec, Request, unquote
from portable_contracts.reading import client_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from portable_contracts.http import Response

FUNCTION = "http"
"""The name of the function that answers HTTP."""
ROUTE_PARAMETER = "portable_path"
"""The name of the catch-all parameter in that function's route."""
_CREDENTIALS = ("x-functions-key", "x-ms-token-")
"""The host's key that a caller showed, and the tokens of App Service's own sign-in: `request.native` has them."""
_COOKIE_VALUE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


class FunctionsRequest(HttpCodec):
    """https://learn.microsoft.com/python/api/azure-functions/azure.functions.httprequest"""

    shape = "azure.http"

    def recognises(self, raw: Any) -> bool:
        return hasattr(raw, "route_params") and hasattr(raw, "get_body")

    def decode(self, raw: Any, native_context: Any) -> Request:
        context = context_of(native_context, most=FRONT_SECONDS)
        address, _, query = raw.url.partition("?")
        headers = Headers.received(
            (name, _cookies(value) if name == "cookie" else value)
            for name, value in raw.headers.items()
            if not name.startswith(_CREDENTIALS)
        )
        return Request(
            raw.method.upper(),
            _path(raw, address, headers, context.function),
            query=query,
            headers=headers,
            body=raw.get_body(),
            client=client_address(headers.get("x-forwarded-for", "")),
            context=context,
            native=raw,
        )

    def encode(self, response: Response, request: Request) -> Any:
        from azure.functions import HttpResponse

        fields, cookies = response.headers.joined()  # Of several fields with one name the worker keeps the last.
        answer = HttpResponse(response.body, status_code=response.status)
        # An empty content type keeps the worker from adding text/plain, and the host sends none.
        for name, value in {"content-type": "", **fields}.items():
            if not value.isascii():
                raise InvalidArgument(f"Azure Functions carries ASCII alone in header {name}: percent-encode the rest")
            answer.headers.add(name, value)
        for line in cookies:
            answer.headers.add("Set-Cookie", _checked_cookie(line))
        return answer


def _path(raw: Any, address: str, headers: Headers, function: str) -> str:
    """Return the decoded path, without the host's route prefix, which is `/api` unless host.json says else.

    The catch-all parameter is what follows the prefix. The host has decoded it, all but `%2F`, which may be an escaped
    slash or have been `%252F`. Which one says the header with what the client wrote, that App Service's front adds;
    where another one wrote it, it decides of nothing but this.
    """
    rest = raw.route_params.get(ROUTE_PARAMETER)
    if rest is None:
        if function == FUNCTION:
            return "/"  # The parameter that matched nothing is left out.
        path = unquote("/" + address.partition("://")[2].partition("/")[2])
        return path[4:] or "/" if path == "/api" or path.startswith("/api/") else path
    ending = "/" + _with_slashes(rest)
    sent = unquote(headers.get("x-waws-unencoded-url", "").partition("?")[0])
    plain = _with_slashes(sent)
    start = len(plain) - len(ending)
    if plain.endswith(ending) and sent.startswith(plain[:start] + "/"):
        return sent[start:]
    return ending


def _with_slashes(path: str) -> str:
    return path.replace("%2F", "/").replace("%2f", "/")


def _cookies(value: str) -> str:
    """Undo the commas that the host may put between cookies: https://github.com/Azure/azure-functions-host/issues/9505"""
    parts = [part.strip() for part in value.split(",")]
    return "; ".join(parts) if all("=" in part.partition(";")[0] for part in parts) else value


def _checked_cookie(line: str) -> str:
    """Return *line*, which the worker takes apart with http.cookies and the host puts together again.

    Raises InvalidArgument for what that would drop, and for a value that the host would percent-encode:
    https://github.com/Azure/azure-functions-python-worker/issues/1794
    """
    from http.cookies import CookieError, SimpleCookie  # The worker has loaded it.

    name, _, value = line.partition(";")[0].partition("=")
    if not _COOKIE_VALUE.issuperset(value):
        raise InvalidArgument(
            f"Azure Functions percent-encodes the value of cookie {name.strip()[:40]!r}: keep to letters, digits and "
            "-_.~, such as URL-safe Base64 without ="
        )
    try:
        cookies = SimpleCookie(line)
        if len(cookies) == 1:
            _check_attributes(next(iter(cookies.values())))
            return line
    except (CookieError, ValueError):
        pass
    raise InvalidArgument(f"the Azure Functions worker cannot read the cookie {name.strip()[:40]!r}: use set_cookie()")


def _check_attributes(cookie: Any) -> None:
    """Raise ValueError for what the worker would fail at."""
    if cookie["max-age"]:
        float(cookie["max-age"])
    if cookie["expires"]:
        from datetime import datetime

        datetime.strptime(cookie["expires"], "%a, %d %b %Y %H:%M:%S GMT")  # noqa: DTZ007  # only its form matters
