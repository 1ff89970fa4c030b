"""The one place where message handlers are called, for messages that were pushed and that were polled alike.

A handler that returns has done with its message, one that raises has not. `message.ack()` in it means done, whatever
follows; `message.retry()` means not done, without a traceback. After a failure the rest of its group is left alone.
"""

from __future__ import annotations

from operator import attrgetter

from portable import _reporting
from portable._driving import invocation
from portable._triggers import Batch
from portable_contracts._value import Value, setter
from portable_contracts.errors import PortableError, Unsupported
from portable_contracts.events import NO_CONTEXT, Context, Message, Settlement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from portable._calling import Step
    from portable.app import App

ACKED, RETRIED = "acked", "retried"


class NotDone(PortableError):
    """The message was given back, or left alone because one before it in its group failed: there is no traceback."""


class Outcome(Value):
    """What became of one message."""

    message: Message
    error: Exception | None
    """Why it must be delivered again; None when it is done."""
    settled: str
    """What the handler did itself: `"acked"`, `"retried"`, or nothing."""


class _Pushed(Settlement):
    """Remembers what handlers do to messages that a platform pushed: it acts on what the invocation answers alone."""

    __slots__ = ("settled",)

    def __init__(self) -> None:
        self.settled: dict[str, str] = {}
        """What was done, by the message's id."""

    def ack(self, message: Message) -> None:
        self.settled[message.id] = ACKED

    def retry(self, message: Message, delay: timedelta | None) -> None:
        if delay is not None:
            raise Unsupported(_cannot(message, "retry(delay=...)", "call retry() and let the platform choose"))
        self.settled[message.id] = RETRIED

    def extend(self, message: Message, by: timedelta) -> None:
        raise Unsupported(_cannot(message, "extend()", "set the queue's own lease longer"))


def _cannot(message: Message, what: str, instead: str) -> str:
    platform = message.context.provider or "the platform"
    return f"message {message.id} was pushed by {platform}, which has no {what}: {instead}"


class _Polled(Settlement):
    """Remembers what a handler does to one message, and passes it on to the queue that it was received from."""

    def __init__(self, behind: Settlement) -> None:
        self.behind = behind
        self.settled = ""

    def ack(self, message: Message) -> None:
        self.behind.ack(message)
        self.settled = ACKED

    def retry(self, message: Message, delay: timedelta | None) -> None:
        self.behind.retry(message, delay)
        self.settled = RETRIED

    def extend(self, message: Message, by: timedelta) -> None:
        self.behind.extend(message, by)


def was_given_back(message: Message) -> bool:
    """Say whether the handler of a message that is being delivered called its `retry`."""
    settlement = message.settlement or message.context.settlement
    if isinstance(settlement, _Pushed):
        return settlement.settled.get(message.id) == RETRIED
    return isinstance(settlement, _Polled) and settlement.settled == RETRIED


_set_queue, _set_settlement = setter(Message, "queue"), setter(Context, "settlement")
_queue_of = attrgetter("queue")


class _Course:
    """The course of one delivery: whose turn it is, and what is known so far."""

    __slots__ = (
        "_batched", "_batches", "_ordered", "_own", "_polled", "_stopped", "careful", "errors", "handle", "messages",
        "pushed",
    )  # fmt: skip

    def __init__(
        self, app: App, messages: Sequence[Message], queues: Iterable[str], ordered: bool, own: bool = False
    ) -> None:
        """With *own* nobody else has seen the messages, nor their context: what they need is told to that.

        Raises InvalidArgument when there is no handler for one of their *queues*.
        """
        handlers = [app._triggers.of_queue(queue) for queue in queues]
        self.handle: Step = handlers[0] if len(handlers) == 1 and not app._middlewares else app._chain
        self.messages = messages
        self.errors: list[Exception | None] = [None] * len(messages)
        self.pushed = _Pushed()
        self.careful = not own or not app._triggers.batches.isdisjoint(queues)
        """Whether there is more to a turn than handing the message over."""
        self._own = own
        self._ordered = ordered
        self._batches = app._triggers.batches
        self._batched: set[str] = set()
        self._polled: dict[int, _Polled] = {}
        self._stopped: dict[tuple[str, str | None], Message] = {}

    def enter(self, context: Context) -> None:
        """Make *context* the invocation that this thread or task handles."""
        if self._own and context is not NO_CONTEXT:
            _set_settlement(context, self.pushed)
        invocation.set(context)

    def turn(self, place: int, message: Message) -> Message | Batch | None:
        """Return what a handler gets at the turn of the message at *place*; None where it gets nothing."""
        if message.queue in self._batches:
            if message.queue in self._batched:
                return None
            self._batched.add(message.queue)
            return Batch(self._watched(other) for other in self._places(message.queue))
        if self._group(message) in self._stopped:
            self.errors[place] = _left_alone(message, self._stopped[self._group(message)])
            return None
        return self._watched(place)

    def finished(self, place: int, event: Message | Batch, failure: Exception | None) -> None:
        """Take down how the handler ended."""
        if failure is not None:
            _reporting.failed(event, failure)
            if self._own:
                failure.__traceback__ = None  # It has been logged, and holds this object, which holds it.
        for each in self._places(event.queue) if type(event) is Batch else (place,):
            message, why = self.messages[each], failure
            settled = self.settled(each)
            if settled == ACKED:
                why = None
            elif settled == RETRIED:
                why = NotDone(f"message {message.id} of queue {message.queue} was given back by its handler")
            elif failure is None and self._group(message) in self._stopped:
                why = _left_alone(message, self._stopped[self._group(message)])
            self.errors[each] = why
            if why is not None and (self._ordered or message.group is not None):
                self._stopped.setdefault(self._group(message), message)
                self.careful = True

    def settled(self, place: int) -> str:
        """Return what the handler itself did to the message."""
        polled = self._polled.get(place)
        return self.pushed.settled.get(self.messages[place].id, "") if polled is None else polled.settled

    def outcomes(self) -> list[Outcome]:
        return [
            Outcome(message, error, self.settled(place))
            for place, (message, error) in enumerate(zip(self.messages, self.errors, strict=True))
        ]

    def _places(self, queue: str) -> Sequence[int]:
        return [place for place, message in enumerate(self.messages) if message.queue == queue]

    def _group(self, message: Message) -> tuple[str, str | None]:
        return ("", "") if self._ordered else (message.queue, message.group)

    def _watched(self, place: int) -> Message:
        message = self.messages[place]
        if self._own:
            return message
        if message.settlement is None:
            return message.replace(settlement=self.pushed)
        self._polled[place] = _Polled(message.settlement)
        return message.replace(settlement=self._polled[place])


def _left_alone(message: Message, before: Message) -> NotDone:
    return NotDone(f"message {message.id} waits for message {before.id} before it, which is not done")


def deliver(app: App, messages: Sequence[Message], *, ordered: bool = False) -> list[Outcome]:
    """Hand *messages* to their handlers; return one outcome each, in order. Failures are logged here, once.

    With *ordered* all are one group: none is handled after one before it failed.

    Raises InvalidArgument, before any is handled, when there is no handler for one of them.
    """
    course = _Course(app, messages, set(map(_queue_of, messages)), ordered)
    _run(course)
    return course.outcomes()


async def deliver_async(app: App, messages: Sequence[Message], *, ordered: bool = False) -> list[Outcome]:
    """Do what `deliver` does, on a running event loop."""
    course = _Course(app, messages, set(map(_queue_of, messages)), ordered)
    await _run_async(course)
    return course.outcomes()


def push(app: App, messages: Sequence[Message], ordered: bool) -> list[Exception | None]:
    """Do what `deliver` does for messages that a codec has just made, with the service's names of their queues.

    Return why each must come again, or None. Raises InvalidArgument too for a queue that is none of the app's.
    """
    course = _Course(app, messages, _named(app, messages), ordered, own=True)
    _run(course)
    return course.errors


async def push_async(app: App, messages: Sequence[Message], ordered: bool) -> list[Exception | None]:
    """Do what `push` does, on a running event loop."""
    course = _Course(app, messages, _named(app, messages), ordered, own=True)
    await _run_async(course)
    return course.errors


def _named(app: App, messages: Sequence[Message]) -> Iterable[str]:
    """Put the app's names in place of the service's; return those that there are."""
    names = {queue: app._resources.logical("queue", queue) for queue in set(map(_queue_of, messages))}
    if any(native != logical for native, logical in names.items()):
        for message in messages:
            _set_queue(message, names[message.queue])
    return names.values()


def _run(course: _Course) -> None:
    handle, settled = course.handle.plain, course.pushed.settled
    before = context = invocation.get()
    event: Message | Batch | None
    try:
        for place, message in enumerate(course.messages):
            event = course.turn(place, message) if course.careful else message
            if event is None:
                continue
            if event.context is not context:
                context = event.context
                course.enter(context)
            try:
                handle(event)
            except Exception as error:
                course.finished(place, event, error)
            else:
                if settled or course.careful:
                    course.finished(place, event, None)
    finally:
        invocation.set(before)


async def _run_async(course: _Course) -> None:
    handle, settled = course.handle.on_loop, course.pushed.settled
    before = context = invocation.get()
    event: Message | Batch | None
    try:
        for place, message in enumerate(course.messages):
            event = course.turn(place, message) if course.careful else message
            if event is None:
                continue
            if event.context is not context:
                context = event.context
                course.enter(context)
            try:
                await handle(event)
            except Exception as error:
                course.finished(place, event, error)
            else:
                if settled or course.careful:
                    course.finished(place, event, None)
    finally:
        invocation.set(before)


def result_of(outcomes: Sequence[Outcome]) -> None:
    """Raise what the only outcome says."""
    error = outcomes[0].error
    if error is not None:
        raise error
