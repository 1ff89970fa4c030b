"""Threads that run plain functions for event loops.

asyncio's own way, an executor, makes two futures and wakes the loop for every result; here results that are ready
together come back together. That is most of what a plain handler costs under a server.
"""

from __future__ import annotations

import threading
from collections import deque
from queue import SimpleQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Work: TypeAlias = tuple["_WayBack", Future[Any], Callable[[], Any]]


class Workers:
    """Up to *most* threads, started when there is work and none of them is idle."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._work: SimpleQueue[Work] = SimpleQueue()
        self._lock = threading.Lock()
        self._count = 0
        self._idle = 0
        """Threads that wait, or are about to, and for which no work has come yet."""
        self._way_back: _WayBack | None = None

    def run(self, loop: AbstractEventLoop, function: Callable[[], Any]) -> Future[Any]:
        """Return a future of *loop*, which runs now, for what *function* gives in one of the threads."""
        way_back = self._way_back
        if way_back is None or way_back.loop is not loop:
            way_back = self._way_back = _WayBack(loop)
        future = loop.create_future()
        with self._lock:
            self._work.put((way_back, future, function))
            if self._idle:
                self._idle -= 1
                return future
            if self._count == self._most:
                return future
            self._count += 1
        # A daemon: a handler that never ends must not keep the process from ending.
        threading.Thread(target=self._serve, name="portable", daemon=True).start()
        return future

    def _serve(self) -> None:
        while True:
            with self._lock:
                if self._work.empty():
                    self._idle += 1
            way_back, future, function = self._work.get()
            result, failure = None, None
            try:
                result = function()
            except BaseException as error:
                failure = error
            way_back.send(future, result, failure)
            del way_back, future, function, result, failure  # Nothing of it is kept alive while there is no work.


class _WayBack:
    """Takes results to one loop: however many there are, it is woken once."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self._results: deque[tuple[Future[Any], Any, BaseException | None]] = deque()
        self._woken = False

    def send(self, future: Future[Any], result: Any, failure: BaseException | None) -> None:
        self._results.append((future, result, failure))
        if not self._woken:
            self._woken = True
            try:
                self.loop.call_soon_threadsafe(self._arrive)
            except RuntimeError:  # It is closed: nobody waits any more.
                self._results.clear()

    def _arrive(self) -> None:
        self._woken = False  # First: what comes from now on wakes the loop again.
        results = self._results
        while results:
            future, result, failure = results.popleft()
            if future.cancelled():
                continue
            if failure is None:
                future.set_result(result)
            else:
                future.set_exception(failure)
