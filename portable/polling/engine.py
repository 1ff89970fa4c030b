"""The engine: hands an app what its queues, tables, buckets and schedules hold for it, as a platform would.

It is what drives an app on this machine, and what takes the messages of a queue for which a platform calls no function.

Everything is delivered at least once: a message until its handler succeeds or it is a dead letter, changes and blob
events in their order until they succeed, a tick for the latest time that was due. What fails waits before it comes
again.
"""

from __future__ import annotations

import logging
import threading
import time

from portable.polling.leases import Leases
from portable.polling.sources import SECONDS, FeedSource, QueueSource, ScheduleSource, Surroundings, wait_after

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet
    from typing import Any

    from portable.app import App
    from portable.polling.sources import Delivered, Source

LEASE = 30.0
"""Seconds; the lease of a message is renewed while its handler takes longer."""
WAIT = 0.5
"""Seconds that a thread waits for a message here, and that stopping may take therefore."""
LONG_WAIT = 5.0
"""Likewise at a service that is paid by the request."""
IDLE, LONGEST_IDLE = 0.1, 5.0
"""Seconds between looks at a source that had nothing: at first, and at most at such a service."""
MARGIN = 5.0
"""Seconds before the end of an invocation at which `drain` begins no more messages."""
KINDS = frozenset({"message", "change", "blob", "schedule"})
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
        kinds: AbstractSet[str] = KINDS,
        concurrency: int = 1,
    ) -> None:
        """Prepare the engine; in the folder *data* it remembers when schedules fired.

        *observe* is told of every event after its handler; *wait_after* says how many seconds what failed for the nth
        time waits; *kinds* are the triggers that it drives. Up to *concurrency* messages, or batches, of each queue are
        handled side by side; those of one ordering group never are. Raises InvalidArgument for a schedule that is never
        due, Unsupported for a resource whose events cannot be followed.
        """
        self._concurrency = concurrency
        self._stopping = threading.Event()
        self._leases = Leases(LEASE)
        around = Surroundings(app, data, clock, observe, wait_after, self._leases, self._stopping.is_set)
        self.sources = list(_sources(around, kinds))
        self._threads: list[threading.Thread] = []

    def begin(self) -> None:
        """Let everything that happens from now on count: changes, blob events, and times of schedules."""
        for source in self.sources:
            source.begin()

    def drain(self) -> None:
        """Deliver what is due, on this thread, until nothing is."""
        while sum(source.poll(0) for source in self.sources):
            pass

    def drain_until(self, end: float) -> int:
        """Deliver messages, side by side, until there are none or it is nearly *end*, in seconds since the epoch.

        Return how many that were. Raises what the first queue that failed raised, when all are done.
        """
        counts: list[int] = []
        failures: list[Exception] = []

        def drain(source: Source) -> None:
            try:
                while time.time() < end - MARGIN and (found := source.poll(0)):
                    counts.append(found)
            except Exception as error:
                failures.append(error)

        self._leases.start()
        try:
            threads = self._threads_for(drain)
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(max(0.0, end - time.time()))
        finally:
            self._leases.stop()
        if failures:
            raise failures[0]
        return sum(counts)

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
        self._threads = self._threads_for(self._run)
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

    def _threads_for(self, work: Callable[[Source], None]) -> list[threading.Thread]:
        return [
            threading.Thread(target=work, args=(source,), name=f"portable {source.kind}", daemon=True)
            for source in self.sources
            for _ in range(self._concurrency if source.kind == "message" else 1)
        ]

    def _run(self, source: Source) -> None:
        pause, idle = PAUSE, IDLE
        while not self._stopping.is_set():
            try:
                found = source.poll(LONG_WAIT if source.remote else WAIT)
            except Exception:
                # The service is away, the disk is full: what waits there keeps waiting, and so does the engine.
                _log.exception("%s failed; trying again in %g s", source, pause)
                self._stopping.wait(pause)
                pause = min(LONGEST_PAUSE, pause * 2)
            else:
                pause = PAUSE
                if found:
                    idle = IDLE
                else:
                    self._stopping.wait(idle)
                    idle = min(LONGEST_IDLE, idle * 2) if source.remote else IDLE


def _sources(around: Surroundings, kinds: AbstractSet[str]) -> Iterator[Source]:
    spec = around.app.spec()
    seconds = {function.name: float(function.timeout or SECONDS) for function in spec.functions}
    followed: set[Any] = set()
    for trigger in spec.triggers:
        if trigger.kind not in kinds:
            continue
        limit = seconds.get(trigger.function, SECONDS)
        if trigger.kind == "schedule":
            yield ScheduleSource(around, trigger, limit)
            continue
        resource: Any = around.app.resources.get((_RESOURCES.get(trigger.kind, ""), trigger.source))
        if resource is None or resource in followed:
            continue  # CloudEvents come over HTTP; and one feed serves all handlers of its resource.
        followed.add(resource)
        yield (QueueSource if trigger.kind == "message" else FeedSource)(around, trigger, limit, resource)
