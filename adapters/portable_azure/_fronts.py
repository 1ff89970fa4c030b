"""What App Service's front and the Functions host make of an HTTP call, and of a function's answer.

Calls and answers are the host's RpcHttp, as maps: for the suite, and for `portable invoke`. The rules are those of
https://github.com/Azure/azure-functions-host/blob/dev/src/WebJobs.Script.Grpc/MessageExtensions/GrpcMessageConversionExtensions.cs
https://github.com/dotnet/aspnetcore/blob/main/src/Http/Http.Abstractions/src/PathString.cs (the path in `url`)
https://github.com/dotnet/aspnetcore/blob/main/src/Http/Http/src/Internal/ResponseCookies.cs (cookies)
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from portable_azure.http import ROUTE_PARAMETER
from portable_contracts._percent import parse_query
from portable_contracts.http import Headers, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from portable_contracts.harness import HttpCall

PREFIXES = {
    "azure.http": "/api",
    "azure.http~root": "",
    "azure.http~prefix": "/guestbook/v1",
    "azure.http~host": "/api",
}
"""The forms, and the route prefix of each; the last is the host alone, as in a container or on a desk."""

_ESCAPE = re.compile("(%[0-9A-Fa-f]{2})")
_SLASH = re.compile("(%2[Ff])")


def request(form: str, call: HttpCall) -> dict[str, Any]:
    """Return what the worker is sent of *call*."""
    prefix = PREFIXES[form]
    path, mark, query = call.target.partition("?")
    headers = [(name.lower(), value) for name, value in call.headers]
    if form != "azure.http~host":
        headers = _through_front(headers, call.client, prefix + call.target)
        path = _SLASH.sub("/", path)  # The front decodes escaped slashes; the host by itself leaves them.
    decoded = prefix + "".join(part if _SLASH.fullmatch(part) else unquote(part) for part in _SLASH.split(path))
    rest = decoded[len(prefix) + 1 :]
    return {
        "method": call.method,
        "url": f"https://{dict(headers).get('host', 'guestbook.azurewebsites.net')}{_escaped(decoded)}{mark}{query}",
        "headers": _joined(headers),
        "query": {name: value for name, value in _joined(parse_query(query)).items() if value},
        "params": {ROUTE_PARAMETER: rest} if rest else {},
        "body": call.body,
    }


def _through_front(headers: list[tuple[str, str]], client: str, target: str) -> list[tuple[str, str]]:
    added = {
        "x-forwarded-proto": "https",
        "x-forwarded-for": f"[{client}]:54321" if ":" in client else f"{client}:54321",
        "x-waws-unencoded-url": target,
    }
    before = [value for name, value in headers if name == "x-forwarded-for"]
    added["x-forwarded-for"] = ", ".join((*before, added["x-forwarded-for"]))
    return [*(pair for pair in headers if pair[0] not in added), *added.items()]


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in lists.items()}


def _escaped(path: str) -> str:
    """Write a decoded path in a URL; what looks like an escape in it stays as it is."""
    return "".join(
        part if _ESCAPE.fullmatch(part) else quote(part, safe="!$&'()*+,-./:;=@_~") for part in _ESCAPE.split(path)
    )


def response(answer: Mapping[str, Any], call: HttpCall) -> Response:
    """Return what the client is sent for *answer*, whose body is bytes."""
    headers = Headers(
        (name, value) for name, value in answer["headers"].items() if (name, value) != ("content-type", "")
    )
    for cookie in answer["cookies"]:
        headers.add("set-cookie", _set_cookie(cookie))
    return Response(b"" if call.method == "HEAD" else answer["body"], int(answer["status_code"]), headers)


def _set_cookie(cookie: Mapping[str, Any]) -> str:
    cookie = {"domain": "", **cookie}  # The worker sends an empty domain where there is none.
    line = [f"{cookie['name']}={quote(cookie['value'], safe='-_.~')}"]
    line += [f"{name}={cookie[name]}" for name in ("expires", "max-age", "domain", "path") if name in cookie]
    line += ["secure"] if cookie.get("secure") else []
    line += [f"samesite={cookie['samesite'].lower()}"] if cookie.get("samesite") else []
    line += ["httponly"] if cookie.get("httponly") else []
    return "; ".join(line)
