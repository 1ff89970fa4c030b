"""The app as an ASGI application, for uvicorn and any other server of that kind."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, TypeAlias

    from portable_contracts.provider import Runner

    Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]
    Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]


def entry(runner: Runner) -> Callable[[dict[str, Any], Receive, Send], Awaitable[None]]:
    """Return the ASGI application."""
    most = runner.limits.max_request_bytes
    run = runner.run_async

    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _other(runner, scope, receive, send)
            return
        body = await _body(receive, most)
        if body is None:
            return
        start, end = await run({"scope": scope, "body": body}, None)
        await send(start)
        await send(end)

    return application


async def _body(receive: Receive, most: int) -> bytes | None:
    """Return the request's body; None where the client has gone. One that the app refuses is not read to its end."""
    chunks: list[bytes] = []
    size = 0
    while size <= most:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        if not message.get("more_body"):
            return b"".join((*chunks, chunk)) if chunks else chunk
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


async def _other(runner: Runner, scope: dict[str, Any], receive: Receive, send: Send) -> None:
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
