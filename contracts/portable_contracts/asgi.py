"""ASGI 3, for every adapter whose platform speaks plain HTTP: a server's scope is a request, a response its messages.

https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

from portable_contracts.errors import InvalidArgument
from portable_contracts.http import Headers, Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeAlias

    from portable_contracts.events import Context
    from portable_contracts.http import Response
    from portable_contracts.provider import Runner

    Scope: TypeAlias = dict[str, Any]
    Message: TypeAlias = dict[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[Message]]
    Send: TypeAlias = Callable[[Message], Awaitable[None]]
    Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


def request(scope: Scope, body: bytes, context: Context) -> Request:
    """Return the request that a server has taken in whole. Raises InvalidArgument for what is no scope."""
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
            body=body,
            client=client[0] if client else None,
            context=context,
            native=scope,
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise InvalidArgument(f"the scope is not one of ASGI: {type(error).__name__} {error}") from error


def messages(response: Response) -> tuple[Message, Message]:
    """Return the two messages that send *response*."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.multi_items()]
    if "content-length" not in response.headers and 200 <= response.status != 204 != response.status != 304:
        headers.append((b"content-length", b"%d" % len(response.body)))
    return (
        {"type": "http.response.start", "status": response.status, "headers": headers},
        {"type": "http.response.body", "body": response.body},
    )


def application(runner: Runner, name: str, most: float) -> Application:
    """Return the application that hands *runner* the maps `{name: the scope, "body": the whole body}`.

    Its codec answers with `messages`. *name* tells one provider's shape from another's. A body of more than *most*
    bytes is handed over cut, for the app to refuse.
    """
    run = runner.run_async

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _other(runner, scope, receive, send)
            return
        body = await _body(receive, most)
        if body is None:
            return
        start, end = await run({name: scope, "body": body}, None)
        await send(start)
        await send(end)

    return application


async def _body(receive: Receive, most: float) -> bytes | None:
    """Return the request's body; None where the client has gone. One that the app refuses is not read to its end."""
    chunks: list[bytes] = []
    size = 0
    while size <= most:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        if not message.get("more_body"):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


async def _other(runner: Runner, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await receive()
        try:
            await runner.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await runner.stop()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1003, "reason": "portable apps answer HTTP"})
