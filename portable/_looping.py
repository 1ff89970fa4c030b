"""Between threads and event loops: the one part that needs asyncio, imported when the first async function is met."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from concurrent.futures import Future
from contextvars import ContextVar, copy_context
from queue import SimpleQueue

from portable._workers import Workers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeVar

    R = TypeVar("R")
    Work = tuple[Callable[[], Any], Future[Any]]

THREADS = 40
"""How many plain handlers run at once under a server's event loop."""

_home: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("portable_home", default=None)
"""The loop that the thread running now works for."""
_desk: ContextVar[SimpleQueue[Work | None] | None] = ContextVar("portable_desk", default=None)
"""Where a thread that waits for the coroutine running now takes work."""


def wait_for(coroutine: Coroutine[Any, Any, R]) -> R:
    """Run *coroutine* on the loop that this thread works for, else on the one this process keeps; return its result.

    Meanwhile this thread runs the plain functions that the coroutine calls. So a chain of plain and async functions
    holds one thread, however long it is, and a full pool of threads cannot wait for itself.
    """
    loop = _home.get() or _kept_loop()
    if asyncio._get_running_loop() is loop:
        coroutine.close()
        raise RuntimeError("handle() was called on the event loop that has to do its work: await handle_async() there")
    desk: SimpleQueue[Work | None] = SimpleQueue()
    future = asyncio.run_coroutine_threadsafe(_at(desk, coroutine), loop)
    future.add_done_callback(lambda _: desk.put(None))
    try:
        while (work := desk.get()) is not None:
            function, outcome = work
            try:
                outcome.set_result(function())
            except BaseException as error:
                outcome.set_exception(error)
        return future.result()
    except _Exit as exit:
        raise exit.args[0] from None
    finally:
        future.cancel()  # Where this thread was interrupted.


class _Exit(Exception):
    """Carries SystemExit and KeyboardInterrupt, which would end the loop itself, to the thread that waits."""


async def _at(desk: SimpleQueue[Work | None], coroutine: Coroutine[Any, Any, R]) -> R:
    _desk.set(desk)
    _home.set(None)
    try:
        return await coroutine
    except (SystemExit, KeyboardInterrupt) as error:
        raise _Exit(error) from None


async def in_thread(function: Callable[..., R], *arguments: Any) -> R:
    """Run *function* in a thread, with this task's context variables; in the one that waits for this task, if any."""
    loop = asyncio.get_running_loop()
    context = copy_context()
    desk = _desk.get()

    def work() -> R:
        return context.run(_work_for, loop, function, *arguments)

    if desk is None:
        return await _current().workers.run(loop, work)  # type: ignore[no-any-return]  # one pool for every R
    outcome: Future[R] = Future()
    desk.put((work, outcome))
    return await asyncio.wrap_future(outcome)


def _work_for(loop: asyncio.AbstractEventLoop, function: Callable[..., R], *arguments: Any) -> R:
    _home.set(loop)
    _desk.set(None)
    try:
        return function(*arguments)
    except StopIteration as error:
        raise RuntimeError("StopIteration cannot leave a handler: a future would never end") from error


class _Kept:
    """What one process keeps; a forked child makes its own."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.workers = Workers(THREADS)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread: threading.Thread | None = None
        self.lock = threading.Lock()
        self.closing: list[Callable[[], Coroutine[Any, Any, None]]] = []


_kept = _Kept()


def _current() -> _Kept:
    global _kept
    if _kept.process != os.getpid():
        _kept = _Kept()
    return _kept


def _kept_loop() -> asyncio.AbstractEventLoop:
    kept = _current()
    with kept.lock:
        if kept.loop is None:
            kept.loop = asyncio.new_event_loop()
            kept.thread = threading.Thread(target=kept.loop.run_forever, name="portable-loop", daemon=True)
            kept.thread.start()
        return kept.loop


def on_close(loop: asyncio.AbstractEventLoop, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *function* on *loop* before the process ends, where it is the loop that this process keeps."""
    if loop is _kept.loop:
        _kept.closing.append(function)


@atexit.register
def _close() -> None:
    kept = _kept
    if kept.loop is None or kept.thread is None or kept.process != os.getpid():
        return
    asyncio.run_coroutine_threadsafe(_end(kept), kept.loop).result(5)
    kept.loop.call_soon_threadsafe(kept.loop.stop)
    kept.thread.join(5)
    if not kept.thread.is_alive():
        kept.loop.close()


async def _end(kept: _Kept) -> None:
    """End what mounted applications and handlers left running on the kept loop."""
    for function in kept.closing:
        await function()
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
