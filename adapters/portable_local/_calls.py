"""ASGI for the conformance suite: as a server such as uvicorn speaks it, and as golden files hold it."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from portable_contracts.http import Headers, Response
from portable_local.entry import entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from portable_contracts.harness import HttpCall
    from portable_contracts.provider import Runner

CHUNK = 65_536
"""How much of a body a server hands over at once."""


def scope_of(call: HttpCall) -> dict[str, Any]:
    """Return the scope that a server such as uvicorn makes of *call*."""
    path, _, query = call.target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "method": call.method,
        "root_path": "",
        "path": unquote_to_bytes(path).decode(),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in call.headers],
        "client": (call.client, 54321),
        "server": ("127.0.0.1", 8000),
    }


def response_of(messages: Sequence[Mapping[str, Any]], method: str) -> Response:
    """Return what a server sends the client for an application's *messages*."""
    start, *rest = messages
    headers = Headers.received((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
    body = b"".join(message.get("body", b"") for message in rest)
    return Response(b"" if method == "HEAD" else body, start["status"], headers)


def send(runner: Runner, call: HttpCall) -> Response:
    """Drive the provider's ASGI application as a server does."""
    pieces = _pieces(call.body)
    sent: list[Mapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(pieces, {"type": "http.disconnect"})

    async def take(message: dict[str, Any]) -> None:
        sent.append(message)

    async def serve() -> None:
        await entry(runner)(scope_of(call), receive, take)

    asyncio.run(serve())
    return response_of(sent, call.method)


def _pieces(body: bytes) -> Iterator[dict[str, Any]]:
    starts = range(0, len(body), CHUNK) or (0,)
    for start in starts:
        more = start + CHUNK < len(body)
        yield {"type": "http.request", "body": body[start : start + CHUNK], "more_body": more}


def from_json(raw: Any) -> dict[str, Any]:
    """Return the invocation that a golden file holds: its texts are bytes where ASGI has bytes.

    Raises TypeError for what no server makes: a scope comes from the program that calls us, never from the network.
    """
    scope = dict(raw["scope"])
    for name in ("type", "method", "path", "root_path"):
        if type(scope[name]) is not str:
            raise TypeError(f"{name} of a scope is str")
    host, port = scope["client"]
    if (type(host), type(port)) != (str, int):
        raise TypeError("the client of a scope is a host and a port")
    for name in ("raw_path", "query_string"):
        scope[name] = scope[name].encode("latin-1")
    scope["headers"] = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in scope["headers"]]
    return {**raw, "scope": scope, "body": _bytes(raw["body"])}


def to_json(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return an application's messages as a golden file holds them."""
    start, body = messages
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in start["headers"]]
    return [{**start, "headers": headers}, {**body, "body": _text(body["body"])}]


def _bytes(written: Any) -> bytes:
    return b64decode(written["base64"]) if isinstance(written, dict) else written.encode()


def _text(body: bytes) -> Any:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(body).decode()}
