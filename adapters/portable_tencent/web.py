"""A web function: SCF sends HTTP as it is, to a server on port 9000. A bundle's `scf_bootstrap` says

    #!/bin/bash
    exec /var/lang/python310/bin/python3.10 -m portable_tencent.web main:handler

where `main.handler` is `portable.entrypoint(app, "tencent")`. It needs uvicorn in the bundle, or any server of ASGI
that is given `portable_tencent.web.application(handler)`. https://cloud.tencent.com/document/product/583/56124
"""

from __future__ import annotations

from math import inf

from portable_contracts import asgi
from portable_contracts.errors import LimitExceeded
from portable_contracts.http import HttpCodec
from portable_contracts.reading import client_address
from portable_tencent._context import LONGEST_SECONDS, context_of
from portable_tencent._credentials import OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from portable_contracts.asgi import Application, Scope
    from portable_contracts.http import Request, Response
    from portable_tencent.entry import EventFunction

PORT = 9000
"""The platform knows no other."""
MOST_BODY, MOST_HEADERS = 6_291_456, 4096
"""Bytes of an answer, as the page above has them; a request past 6 MB never comes this far."""
_OWN = OWN.encode()


class WebFunction(HttpCodec):
    """A request that a server took in whole: `{"web": its ASGI scope, "body": the bytes}`."""

    shape = "tencent.http.web"

    def recognises(self, raw: Any) -> bool:
        return type(raw) is dict and type(scope := raw.get("web")) is dict and scope.get("type") == "http"

    def decode(self, raw: Any, native_context: Any) -> Request:
        scope, own = _split(raw["web"])
        context = context_of(
            {
                "request_id": own.get("request-id", ""),
                "function_name": own.get("name", ""),
                "time_limit_in_ms": _limit(own.get("timeout", "")),
            }
        )
        request = asgi.request(scope, raw.get("body", b""), context)
        # The peer is the platform's proxy.
        request.client = client_address(own.get("remote-addr") or request.headers.get("x-forwarded-for", ""))
        return request

    def encode(self, response: Response, request: Request) -> Any:
        size = sum(len(name) + len(value) for name, value in response.headers.multi_items())
        _within(len(response.body), MOST_BODY, "the bytes of the response", "max_response_bytes")
        _within(size, MOST_HEADERS, "the bytes of its headers", "max_header_bytes")
        return asgi.messages(response)


def _within(actual: int, most: int, what: str, limit: str) -> None:
    if actual > most:
        raise LimitExceeded(
            f"{what} are {actual:,}; a web function of SCF carries {most:,}",
            limit=limit,
            actual=actual,
            allowed=most,
            owner="Tencent Cloud",
        )


def _split(scope: Scope) -> tuple[Scope, dict[str, str]]:
    """Return the scope without the platform's own headers, and those by what follows `x-scf-`."""
    theirs: list[tuple[bytes, bytes]] = []
    own: dict[str, str] = {}
    for name, value in scope.get("headers") or ():
        if name[: len(_OWN)].lower() == _OWN:
            own[name[len(_OWN) :].decode("latin-1").lower()] = value.decode("latin-1")
        else:
            theirs.append((name, value))
    return {**scope, "headers": theirs}, own


def _limit(timeout: str) -> int:
    """Return the function's limit in milliseconds. The page does not tell the unit, but a limit is 1 to 900 seconds."""
    told = int(timeout) if timeout.isascii() and timeout.isdecimal() and len(timeout) < 9 else 0
    return told * 1000 if told <= LONGEST_SECONDS else told


def application(handler: EventFunction) -> Application:
    """Return the ASGI application of what `portable.entrypoint(app, "tencent")` made."""
    return asgi.application(handler.runner, "web", inf)


def serve(handler: EventFunction, host: str = "0.0.0.0", port: int = PORT) -> None:  # noqa: S104
    """Serve *handler* until the platform ends the process; on all addresses, for its proxy does not come from here."""
    import uvicorn

    uvicorn.run(
        application(handler),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )


if __name__ == "__main__":
    import sys

    from portable_tencent.custom_runtime import load

    serve(load(sys.argv[1] if len(sys.argv) > 1 else "main:handler"))  # type: ignore[arg-type]  # what the module holds
