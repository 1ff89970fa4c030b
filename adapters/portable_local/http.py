"""HTTP on this machine: ASGI 3, `{"scope": the scope, "body": the whole body}` in, the two messages to send out."""

from __future__ import annotations

from portable_contracts import asgi
from portable_contracts.http import HttpCodec
from portable_local._context import context_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from portable_contracts.http import Request, Response


class Asgi(HttpCodec):
    """A request that a server, such as uvicorn, has taken in whole."""

    shape = "local.asgi"

    def recognises(self, raw: Any) -> bool:
        return type(raw) is dict and type(scope := raw.get("scope")) is dict and scope.get("type") == "http"

    def decode(self, raw: Any, native_context: Any) -> Request:
        return asgi.request(raw["scope"], raw.get("body", b""), context_of(native_context))

    def encode(self, response: Response, request: Request) -> Any:
        return asgi.messages(response)
