"""An app's runner on this machine: it prints a line for each invocation, and has the engine at work beside it."""

from __future__ import annotations

import os
import time

from portable.dev.console import Invocation
from portable.polling.engine import Engine
from portable_contracts.events import BlobEvent, Change, Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from typing import Any

    from portable.app import App
    from portable.dev.console import Console
    from portable.polling.sources import Delivered
    from portable_contracts.provider import Runner

SECONDS = 30.0
"""Until a request's deadline: the portable profile's."""


class DevRunner:
    """Stands where the app's own runner would, which does all that is not done here."""

    def __init__(
        self,
        app: App,
        inner: Runner,
        data: str,
        console: Console,
        *,
        lines: bool,
        kinds: AbstractSet[str],
        concurrency: int,
    ) -> None:
        """Prepare the engine on the folder *data*, for triggers of these *kinds*. Raises what `Engine` raises."""
        self._app = app
        self._inner = inner
        self._console = console
        if lines:
            self._engine = Engine(app, data=data, observe=self._show, kinds=kinds, concurrency=concurrency)
        else:
            self._engine = Engine(app, data=data, kinds=kinds, concurrency=concurrency)
            # Not a wrapper that does nothing: this is what `--no-access-log` saves.
            self.run_async = inner.run_async  # type: ignore[method-assign]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def run_async(self, raw: Any, native_context: Any) -> Any:
        scope, began = raw["scope"], time.perf_counter()
        context = Context(os.urandom(8).hex(), "main", "local", time.time() + SECONDS)
        status = "failed"
        try:
            answer = await self._inner.run_async(raw, context)
            status = str(answer[0]["status"])
            return answer
        finally:
            seconds = time.perf_counter() - began
            self._console.show(Invocation(scope["method"], scope["path"], status, seconds, context.invocation_id))

    async def start(self) -> None:
        from asyncio import to_thread

        await self._inner.start()
        await to_thread(self._engine.start)

    async def stop(self) -> None:
        from asyncio import to_thread

        await to_thread(self._engine.stop)
        await self._inner.stop()

    def _show(self, delivered: Delivered) -> None:
        what, event = delivered.source, delivered.event
        if isinstance(event, BlobEvent):
            what = f"{what} {event.kind} {event.key}"
        elif isinstance(event, Change):
            what = f"{what} {event.kind} {event.partition} {event.sort}".rstrip()
        id = event.context.invocation_id
        self._console.show(Invocation(delivered.trigger, what, delivered.status, delivered.seconds, id))
