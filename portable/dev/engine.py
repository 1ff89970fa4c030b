"""The engine: hands an app what its queues, tables, buckets and schedules hold for it, as a platform would.

Everything is delivered at least once: a message until its handler succeeds or it is a dead letter, changes and blob
events in their order until they succeed, a tick for the latest time that was due. What fails waits before it comes
again.
"""

from __future__ import annotations

import logging
import threading
import time

from portable.dev.leases import Leases
from portable.dev.sources import SECONDS, FeedSource, QueueSource, ScheduleSource, Surroundings, wait_after

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from portable.app import App
    from portable.dev.sources import Delivered, Source

LEASE = 30.0
"""Seconds; the lease of a message is renewed while its handler takes longer."""
WAIT = 0.5
"""Seconds that a thread waits for a message, and that stopping may take therefore."""
IDLE = 0.1
"""Seconds between looks at a source that had nothing."""
PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between looks at a source that fails itself: at first, and at most."""

_RESOURCES = {"message": "queue", "change": "table", "blob": "bucket"}
_log = logging.getLogger("portable")


class Engine:
    """Runs the triggers of one app, which is bound to resources of this machine."""

    def __init__(
        self,
        app: App,
        *,
        data: str,
        clock: Callable[[], float] = time.time,
        observe: Callable[[Delivered], None] = lambda delivered: None,
        wait_after: Callable[[int], float] = wait_after,
    ) -> None:
        """Prepare the engine; in the folder *data* it remembers when schedules fired.

        *observe* is told of every event after its handler; *wait_after* says how many seconds what failed for the nth
        time waits. Raises InvalidArgument for a schedule that is never due, Unsupported for a resource whose events
        cannot be followed.
        """
        self._stopping = threading.Event()
        self._leases = Leases(LEASE)
        around = Surroundings(app, data, clock, observe, wait_after, self._leases, self._stopping.is_set)
        self.sources = list(_sources(around))
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Let everything that happens from now on count: changes, blob events, and times of schedules."""
        for source in self.sources:
            source.begin()

    def drain(self) -> None:
        """Deliver what is due, on this thread, until nothing is."""
        while sum(source.poll(0) for source in self.sources):
            pass

    def next_due(self) -> float:
        """Return when there will be something to do, in seconds since the epoch, as far as that is known."""
        moments = [source.next_due() for source in self.sources]
        return min((moment for moment in moments if moment is not None), default=float("inf"))

    def start(self) -> None:
        """Begin, and deliver from now on what comes, each source in a thread of its own."""
        self.begin()
        self._stopping.clear()
        if self.sources:
            self._leases.start()
        self._threads = [
            threading.Thread(target=self._run, args=(source,), name=f"portable {source.kind}", daemon=True)
            for source in self.sources
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, patience: float = 30.0) -> None:
        """Deliver nothing more, and wait up to *patience* seconds for what is being handled."""
        self._stopping.set()
        until = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._threads = []
        self._leases.stop()
        for source in self.sources:
            source.end()

    def _run(self, source: Source) -> None:
        pause = PAUSE
        while not self._stopping.is_set():
            try:
                found = source.poll(WAIT)
            except Exception:
                # The service is away, the disk is full: what waits there keeps waiting, and so does the engine.
                _log.exception("%s failed; trying again in %g s", source, pause)
                self._stopping.wait(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
            else:
                pause = PAUSE
                if not found:
                    self._stopping.wait(IDLE)


def _sources(around: Surroundings) -> Iterator[Source]:
    spec = around.app.spec()
    seconds = {function.name: float(function.timeout or SECONDS) for function in spec.functions}
    followed: set[Any] = set()
    for trigger in spec.triggers:
        limit = seconds.get(trigger.function, SECONDS)
        if trigger.kind == "schedule":
            yield ScheduleSource(around, trigger, limit)
            continue
        resource: Any = around.app.resources.get((_RESOURCES.get(trigger.kind, ""), trigger.source))
        if resource is None or resource in followed:
            continue  # CloudEvents come over HTTP; and one feed serves all handlers of its resource.
        followed.add(resource)
        yield (QueueSource if trigger.kind == "message" else FeedSource)(around, trigger, limit, resource)
