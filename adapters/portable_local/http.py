"""HTTP on this machine: ASGI 3, `{"scope": the scope, "body": the whole body}` in, the two messages to send out.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

from portable_contracts.errors import InvalidArgument
from portable_contracts.http import Headers, HttpCodec, Request
from portable_local._context import context_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from portable_contracts.http import Response


class Asgi(HttpCodec):
    """A request that a server, such as uvicorn, has taken in whole."""

    shape = "local.asgi"

    def recognises(self, raw: Any) -> bool:
        return type(raw) is dict and type(scope := raw.get("scope")) is dict and scope.get("type") == "http"

    def decode(self, raw: Any, native_context: Any) -> Request:
        scope = raw["scope"]
        try:
            path = scope["path"]
            root = scope.get("root_path")
            if root and (path == root or path.startswith(root + "/")):
                path = path[len(root) :] or "/"
            client = scope.get("client")
            return Request(
                scope["method"],
                path,
                query=scope["query_string"].decode(errors="replace"),
                headers=Headers.received(
                    [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
                ),
                body=raw["body"],
                client=client[0] if client else None,
                context=context_of(native_context),
                native=scope,
            )
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InvalidArgument(f"the scope is not one of ASGI: {type(error).__name__} {error}") from error

    def encode(self, response: Response, request: Request) -> Any:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.multi_items()]
        if "content-length" not in response.headers and 200 <= response.status != 204 != response.status != 304:
            headers.append((b"content-length", b"%d" % len(response.body)))
        return (
            {"type": "http.response.start", "status": response.status, "headers": headers},
            {"type": "http.response.body", "body": response.body},
        )
