"""What calls handlers beside HTTP: which handlers an event has, and what becomes of it when several fail."""

from __future__ import annotations

from portable import _reporting
from portable_contracts.deploy import TriggerSpec
from portable_contracts.errors import InvalidArgument, PortableError
from portable_contracts.events import BlobEvent, Change, CloudEvent, Message, Tick
from portable_contracts.provider import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from portable._calling import Handler

ANY = "*"
"""The type of `on_event` that stands for every event without a handler of its own."""


class DeliveryFailed(PortableError):
    """Some of an invocation's events were not handled: the platform must deliver them again."""

    reported = True


class Batch(list[Message]):
    """The messages of one queue that came together: what a handler with `batch=True` gets."""

    __slots__ = ()

    @property
    def queue(self) -> str:
        return self[0].queue

    @property
    def context(self) -> Any:
        return self[0].context

    @property
    def native(self) -> Any:
        return self[0].native


class BlobTrigger:
    """A handler of a bucket's events, and which of them it wants."""

    __slots__ = ("events", "handler", "prefix", "suffix")

    def __init__(self, handler: Handler, prefix: str, suffix: str, events: Sequence[str]) -> None:
        self.handler = handler
        self.prefix = prefix
        self.suffix = suffix
        self.events = tuple(events)

    def wants(self, event: BlobEvent) -> bool:
        return event.kind in self.events and event.key.startswith(self.prefix) and event.key.endswith(self.suffix)


class Triggers:
    """The handlers of an app's messages, blob events, changes, schedules and CloudEvents, by what calls them."""

    def __init__(self) -> None:
        self.messages: dict[str, Handler] = {}
        self.batches: set[str] = set()
        """The queues whose handler takes the list."""
        self.blobs: dict[str, list[BlobTrigger]] = {}
        self.changes: dict[str, list[Handler]] = {}
        self.schedules: dict[str, Handler] = {}
        self.events: dict[str, list[Handler]] = {}
        self.specs: list[TriggerSpec] = []

    def add_message(self, queue: str, handler: Handler, batch: bool, function: str) -> None:
        """Let *handler* have the messages of *queue*. Raises InvalidArgument, with both places, for a second one."""
        present = self.messages.setdefault(queue, handler)
        if present is not handler:
            raise InvalidArgument(
                f"{handler.place}: queue {queue} has the handler {present.name} at {present.place}: a message has one"
            )
        if batch:
            self.batches.add(queue)
        self._note("message", queue, handler.name, function, handler, {"batch": batch})

    def add_blob(self, bucket: str, trigger: BlobTrigger, function: str) -> None:
        """Let a handler have the bucket's events that it wants."""
        self.blobs.setdefault(bucket, []).append(trigger)
        handler = trigger.handler
        options = {"prefix": trigger.prefix, "suffix": trigger.suffix, "events": trigger.events}
        self._note("blob", bucket, handler.name, function, handler, options)

    def add_change(self, table: str, handler: Handler, function: str) -> None:
        """Let *handler* have the table's changes."""
        self.changes.setdefault(table, []).append(handler)
        self._note("change", table, handler.name, function, handler)

    def add_schedule(self, cron: str, name: str, handler: Handler, function: str) -> None:
        """Call *handler* when *cron* is due. Raises InvalidArgument, with both places, for a *name* that is taken."""
        present = self.schedules.setdefault(name, handler)
        if present is not handler:
            raise InvalidArgument(
                f"{handler.place}: there is a schedule {name!r} at {present.place}: give one of them another name=..."
            )
        self._note("schedule", cron, name, function, handler)

    def add_event(self, type: str, handler: Handler, function: str) -> None:
        """Let *handler* have the CloudEvents of this *type*."""
        self.events.setdefault(type, []).append(handler)
        self._note("event", type, handler.name, function, handler)

    def _note(
        self, kind: str, source: str, name: str, function: str, handler: Handler, options: Mapping[str, Any] = EMPTY
    ) -> None:
        self.specs.append(TriggerSpec(kind, source, name, function, options, handler.place))

    def of_queue(self, queue: str) -> Handler:
        """Return the handler of the queue's messages. Raises InvalidArgument, as `handlers` does."""
        handler: Handler = _known(self.messages, queue, "messages of queue", "@app.on_message")
        return handler

    def handlers(self, event: Any) -> Sequence[Handler]:
        """Return the handlers that *event* is for; none for a blob event that no filter lets through.

        Raises InvalidArgument for an event that the app has no handler for: it must not get lost.
        """
        if isinstance(event, (Message, Batch)):
            return (self.of_queue(event.queue),)
        if isinstance(event, BlobEvent):
            triggers = _known(self.blobs, event.bucket, "events of bucket", "@app.on_blob")
            return [trigger.handler for trigger in triggers if trigger.wants(event)]
        if isinstance(event, Change):
            changes: Sequence[Handler] = _known(self.changes, event.table, "changes of table", "@app.on_change")
            return changes
        if isinstance(event, Tick):
            return (_known(self.schedules, event.schedule, "the schedule", "@app.schedule"),)
        if isinstance(event, CloudEvent):
            return self.events.get(event.type) or (
                self.events.get(ANY) or _known(self.events, event.type, "events of type", "@app.on_event")
            )
        raise InvalidArgument(
            f"{type(event).__name__} is no event: handle() takes what portable's event types describe"
        )

    def plain(self, event: Any) -> Any:
        """Call the handlers of *event*; return what the only one gave."""
        handlers = self.handlers(event)
        if len(handlers) == 1:
            return handlers[0].plain(event)
        errors = []
        for handler in handlers:
            try:
                handler.plain(event)
            except Exception as error:
                errors.append(error)
        return _raise_all(event, errors, len(handlers))

    async def on_loop(self, event: Any) -> Any:
        """Do what `plain` does, on a running event loop."""
        handlers = self.handlers(event)
        if len(handlers) == 1:
            return await handlers[0].on_loop(event)
        errors = []
        for handler in handlers:
            try:
                await handler.on_loop(event)
            except Exception as error:
                errors.append(error)
        return _raise_all(event, errors, len(handlers))


def _raise_all(event: Any, errors: list[Exception], handlers: int) -> None:
    if len(errors) == 1:
        raise errors[0]
    if errors:
        for error in errors:
            _reporting.failed(event, error)
        raise failure(errors[0], f"{len(errors)} of {handlers} handlers failed for {_reporting.described(event)}")


def failure(first: BaseException, what: str) -> DeliveryFailed:
    """Return the error for several failures that have been logged: its cause is the first, without its traceback."""
    error = DeliveryFailed(f"{what}; the first: {type(first).__name__}: {first}")
    error.__cause__ = first.with_traceback(None)
    return error


def _known(handlers: dict[str, Any], name: str, what: str, decorator: str) -> Any:
    found = handlers.get(name)
    if found is None:
        from portable._nearest import nearest

        raise InvalidArgument(
            f"no handler takes {what} {name!r}{nearest(name, handlers)}: {_listed(handlers)}; add one with {decorator}"
        )
    return found


def _listed(names: Iterable[str]) -> str:
    return f"there are handlers for {', '.join(names)}" if names else "the app has no such handlers"
