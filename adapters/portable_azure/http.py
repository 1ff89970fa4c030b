"""HTTP on Azure Functions: the HttpRequest that the worker makes, and the HttpResponse it takes."""

from __future__ import annotations

from portable_azure._context import context_of
from portable_contracts.errors import InvalidArgument
from portable_contracts.http import Headers, HttpCodec, Request, unquote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from portable_contracts.http import Response

ROUTE_PARAMETER = "portable_path"
"""The name of the catch-all parameter in the route of the generated function."""


class FunctionsRequest(HttpCodec):
    """https://learn.microsoft.com/python/api/azure-functions/azure.functions.httprequest"""

    shape = "azure.http"

    def recognises(self, raw: Any) -> bool:
        return hasattr(raw, "route_params") and hasattr(raw, "get_body")

    def decode(self, raw: Any, native_context: Any) -> Request:
        context = context_of(native_context)
        rest, _, query = raw.url.partition("?")
        path = "/" + rest.partition("://")[2].partition("/")[2]
        headers = Headers.received(
            (name, _cookies(value) if name == "cookie" else value) for name, value in raw.headers.items()
        )
        # The host writes the address with its port; the last one is what its own front saw.
        client = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        if client.count(":") == 1:
            client = client.partition(":")[0]
        return Request(
            raw.method.upper(),
            _without_prefix(path, raw.route_params.get(ROUTE_PARAMETER)),
            query=query.partition("#")[0],
            headers=headers,
            body=raw.get_body(),
            client=client or None,
            context=context,
            native=raw,
        )

    def encode(self, response: Response, request: Request) -> Any:
        from azure.functions import HttpResponse

        answer = HttpResponse(response.body, status_code=response.status)
        for name in response.headers:
            values = response.headers.getlist(name)
            if name == "set-cookie":
                for value in values:
                    answer.headers.add("Set-Cookie", _checked_cookie(value))
            else:
                # The worker keeps only the last of several fields with one name.
                answer.headers.add(name, ", ".join(values))
        return answer


def _without_prefix(path: str, rest: str | None) -> str:
    """Return the decoded path without the host's route prefix, which is `/api` unless host.json says else.

    *rest* is what the catch-all route matched: all that follows the prefix. Without it, `/api` is taken off.
    """
    decoded = unquote(path)
    if rest is not None:
        for tail in (rest, unquote(rest)):
            if decoded.endswith("/" + tail.lstrip("/")):
                return "/" + tail.lstrip("/")
    if rest is None and (decoded == "/api" or decoded.startswith("/api/")):
        return decoded[4:] or "/"
    return decoded


def _cookies(value: str) -> str:
    """Undo the commas that the host may put between cookies: https://github.com/Azure/azure-functions-host/issues/9505"""
    parts = [part.strip() for part in value.split(",")]
    return "; ".join(parts) if all("=" in part.partition(";")[0] for part in parts) else value


def _checked_cookie(value: str) -> str:
    """Return *value*, which the worker sends through http.cookies: what that cannot read it would drop unsaid."""
    from http.cookies import CookieError, SimpleCookie  # The worker has loaded it.

    try:
        if len(SimpleCookie(value)) == 1:
            return value
    except CookieError:
        pass
    name = value.partition("=")[0][:40]
    raise InvalidArgument(f"the Azure Functions worker cannot carry the cookie {name!r}: keep to RFC 6265's characters")
