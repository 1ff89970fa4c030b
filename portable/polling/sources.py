"""Where the engine's events come from, and how each kind of them is handed to the app."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from datetime import timedelta

from portable import _reporting
from portable._delivery import NotDone, deliver
from portable._driving import call
from portable._triggers import DeliveryFailed
from portable.polling.claims import Claim
from portable.polling.schedules import Schedule
from portable_contracts._value import Value
from portable_contracts.errors import Unsupported
from portable_contracts.events import Context, Settlement, Tick
from portable_contracts.queue import QueueDriver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from typing import Any

    from portable._driving import Resource
    from portable.app import App
    from portable.polling.leases import Leases
    from portable.queue import Queue
    from portable_contracts.deploy import TriggerSpec
    from portable_contracts.events import BlobEvent, Change, Feed, Message

BATCH = 10
"""Messages that a handler with `batch=True` gets at most."""
READ = 100
"""Changes or blob events that are read at once."""
SECONDS = 900.0
"""How long an invocation may take where its function says nothing."""


class Delivered(Value):
    """One event that a handler has had."""

    event: Message | Change | BlobEvent | Tick
    trigger: str
    """`"message"`, `"change"`, `"blob"` or `"schedule"`."""
    source: str
    """The name of the queue, table, bucket or schedule."""
    error: Exception | None
    seconds: float

    @property
    def status(self) -> str:
        """`"ok"`, `"failed"`, or `"retried"` for a message that its handler gave back."""
        if self.error is None:
            return "ok"
        return "retried" if isinstance(self.error, NotDone) else "failed"


class Surroundings(Value):
    """What every source of one engine shares."""

    app: App
    data: str
    clock: Callable[[], float]
    observe: Callable[[Delivered], None]
    wait_after: Callable[[int], float]
    """Seconds that what failed for the nth time waits."""
    leases: Leases
    stopping: Callable[[], bool]

    def context(self, function: str, seconds: float) -> Context:
        """Return the context of a new invocation."""
        return Context(os.urandom(8).hex(), function, "local", self.clock() + seconds, clock=self.clock)


class Source(ABC):
    """One trigger's events."""

    remote = False
    """Looking costs a request to a service elsewhere."""

    def __init__(self, around: Surroundings, trigger: TriggerSpec, seconds: float) -> None:
        self.around = around
        self.kind = trigger.kind
        self.name = trigger.name if trigger.kind == "schedule" else trigger.source
        self.function = trigger.function
        self.seconds = seconds

    def begin(self) -> None:  # noqa: B027  # the messages of a queue count wherever it begins
        """Take the place from which events count."""

    @abstractmethod
    def poll(self, wait: float) -> int:
        """Hand over what is due, up to a batch; wait up to *wait* seconds for it. Return how many events that was."""

    def next_due(self) -> float | None:
        """Return when there will be something to do, in seconds since the epoch, where that is known."""
        return None

    def end(self) -> None:  # noqa: B027  # most keep nothing from others
        """Give back what other processes may have now."""

    def context(self) -> Context:
        return self.around.context(self.function, self.seconds)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def handle(self, event: Change | BlobEvent | Tick) -> bool:
        """Call the event's handlers, log what they raise, and say whether they raised nothing."""
        began, failure = time.perf_counter(), None
        try:
            self.around.app.handle(event)
        except Exception as error:
            failure = error
            if not isinstance(error, DeliveryFailed):  # Of several failures each has been logged.
                _reporting.failed(event, error)
        self.around.observe(Delivered(event, self.kind, self.name, failure, time.perf_counter() - began))
        return failure is None


class QueueSource(Source):
    """The messages of a queue; what becomes of one that its handler gives back without a delay is decided here."""

    def __init__(self, around: Surroundings, trigger: TriggerSpec, seconds: float, queue: Queue) -> None:
        super().__init__(around, trigger, seconds)
        self.queue = queue
        # A service that can say when the next message is due is on this machine, and asked for nothing.
        self.remote = type(queue._connection.driver).next_due is QueueDriver.next_due
        self._limit = BATCH if queue.name in around.app._triggers.batches else 1
        # What the service can do, not what all targets of the app can: no handler sees what is done with it here.
        self._service = queue._connection.driver.capabilities
        self._lease = None if self._service.extend else timedelta(seconds=_longest_lease(queue, seconds))

    def poll(self, wait: float) -> int:
        waited = timedelta(seconds=min(wait, self.queue._connection.capabilities.max_wait_seconds))
        received = self.queue.receive(self._limit, wait=waited, lease=self._lease)
        if not received:
            return 0
        context = self.context()
        messages = [
            message.replace(context=context, settlement=_Turn(self, message.settlement)) for message in received
        ]
        began = time.perf_counter()
        with self.around.leases.held(self.queue, messages if self._service.extend else ()):
            outcomes = deliver(self.around.app, messages)
        seconds = time.perf_counter() - began
        for outcome in outcomes:
            if not outcome.settled:
                if outcome.error is None:
                    outcome.message.ack()
                else:
                    outcome.message.retry()
            self.around.observe(Delivered(outcome.message, self.kind, self.name, outcome.error, seconds))
        return len(messages)

    def next_due(self) -> float | None:
        due: float | None = self.queue._connection.driver.next_due()
        return due

    def give_back(self, message: Message, behind: Settlement) -> None:
        """Have *message* come again after the engine's wait; when its lease ends, where the service chooses no time."""
        if not self._service.retry_delay:
            behind.retry(message, None)
            return
        # Past the portable type, which leaves a message to its lease where a target has no `retry_delay`: that is
        # about messages that a handler receives itself, and here the engine is the platform.
        delay = min(self.around.wait_after(message.attempt), self._service.max_delay_seconds)
        call(self.queue, "retry", message.id, True, self.queue._connection.driver.retry, message.native, delay=delay)


def _longest_lease(queue: Queue, seconds: float) -> float:
    """Return the lease for a handler that takes up to *seconds*, where none can be made longer meanwhile."""
    capabilities = queue._connection.capabilities
    return max(float(capabilities.min_lease_seconds), min(seconds, float(capabilities.max_lease_seconds)))


class _Turn(Settlement):
    """One delivery by the engine."""

    def __init__(self, source: QueueSource, behind: Any) -> None:
        self._source = source
        self._behind = behind

    def ack(self, message: Message) -> None:
        self._behind.ack(message)

    def retry(self, message: Message, delay: timedelta | None) -> None:
        if delay is None:
            self._source.give_back(message, self._behind)
        else:
            self._behind.retry(message, delay)

    def extend(self, message: Message, by: timedelta) -> None:
        self._behind.extend(message, by)


class FeedSource(Source):
    """The changes of a table, or the events of a bucket: in order, by one process at a time, each until it succeeds."""

    def __init__(self, around: Surroundings, trigger: TriggerSpec, seconds: float, resource: Resource) -> None:
        super().__init__(around, trigger, seconds)
        self.resource = resource
        driver = resource._connection.driver
        if not driver.capabilities.feed:
            raise Unsupported(f"{trigger.name} cannot follow {resource}: {driver.scheme}:// has no feed of its events")
        self._feed: Feed[Any] = driver.feed(around.app.name)
        consumer = f"{around.app.name}.{resource.kind}.{resource.name}"
        self._claim = Claim(os.path.join(around.data, "consumers", consumer))
        self._failures = 0
        self._not_before = 0.0

    def begin(self) -> None:
        self._read(1)  # A consumer that was never seen starts at its first call.

    def poll(self, wait: float) -> int:
        if self.around.clock() < self._not_before or not self._claim.take():
            return 0
        events = self._read(READ)
        for done, (token, event) in enumerate(events):
            if self.around.stopping():
                return done
            if not self._handled(event):
                self._failures += 1
                self._not_before = self.around.clock() + self.around.wait_after(self._failures)
                return done + 1
            self._failures = 0
            call(self.resource, "commit events", "", True, self._feed.commit, token)
        return len(events)

    def next_due(self) -> float | None:
        return self._not_before if self._failures else None

    def end(self) -> None:
        self._claim.give_back()

    def _read(self, limit: int) -> Sequence[tuple[str, Any]]:
        return call(self.resource, "read events", "", True, self._feed.read, limit)

    def _handled(self, event: Any) -> bool:
        # The feed names the resource as its address does; handlers know it by its name in the app.
        event = event.replace(context=self.context(), **{self.resource.kind: self.resource.name})
        return not self.around.app._triggers.handlers(event) or self.handle(event)


class ScheduleSource(Source):
    """The ticks of one schedule."""

    def __init__(self, around: Surroundings, trigger: TriggerSpec, seconds: float) -> None:
        super().__init__(around, trigger, seconds)
        self._schedule = Schedule(f"{around.app.name}.{trigger.name}", trigger.source, around.data, around.clock)

    def begin(self) -> None:
        self._schedule.begin()

    def poll(self, wait: float) -> int:
        return int(self._schedule.fire(self.fire))

    def next_due(self) -> float | None:
        return self._schedule.next_due

    def fire(self, time: datetime) -> bool:
        """Hand over the tick of *time*, and say whether its handler raised nothing."""
        return self.handle(Tick(self.name, time, f"{self.name}@{time:%Y%m%dT%H%M%SZ}", self.context()))


def wait_after(failures: int) -> float:
    """Return the seconds that what failed for the nth time waits: 1, 2, 4, ... up to a minute."""
    return float(min(60, 1 << min(failures - 1, 10)))
