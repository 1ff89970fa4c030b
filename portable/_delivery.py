"""The one place where message handlers are called, for messages that were pushed and that were polled alike.

A handler that returns has done with its message, one that raises has not. `message.ack()` in it means done, whatever
follows; `message.retry()` means not done, without a traceback. After a failure the rest of its group is left alone.
"""

from __future__ import annotations

from portable import _reporting
from portable._driving import invocation
from portable._triggers import Batch
from portable_contracts._value import Value
from portable_contracts.errors import PortableError, Unsupported
from portable_contracts.events import Settlement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from portable.app import App
    from portable_contracts.events import Message

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


class _Watched(Settlement):
    """Remembers what the handler does to its message, and passes it on to whoever delivered it."""

    def __init__(self, behind: Settlement | None) -> None:
        self.behind = behind
        self.settled = ""

    def ack(self, message: Message) -> None:
        if self.behind is not None:
            self.behind.ack(message)
        self.settled = ACKED

    def retry(self, message: Message, delay: timedelta | None) -> None:
        if self.behind is not None:
            self.behind.retry(message, delay)
        elif delay is not None:
            raise Unsupported(_pushed(message, "retry(delay=...)", "call retry() and let the platform choose"))
        self.settled = RETRIED

    def extend(self, message: Message, by: timedelta) -> None:
        if self.behind is None:
            raise Unsupported(_pushed(message, "extend()", "set the queue's own lease longer"))
        self.behind.extend(message, by)


def _pushed(message: Message, what: str, instead: str) -> str:
    platform = message.context.provider or "the platform"
    return f"message {message.id} was pushed by {platform}, which has no {what}: {instead}"


class _Delivery:
    """The course of one call of `deliver`: what to hand over next, and what is known so far."""

    def __init__(self, app: App, messages: Sequence[Message], ordered: bool) -> None:
        self._app = app
        self._ordered = ordered
        self._messages = messages
        self._watches = [_Watched(message.settlement) for message in messages]
        self._outcomes: list[Outcome | None] = [None] * len(messages)
        self._stopped: dict[tuple[str, str | None], Message] = {}

    def units(self) -> Iterator[tuple[list[int], Message | Batch]]:
        """Yield what a handler gets next, after the places of its messages; leave out what must not be handled."""
        for index, message in enumerate(self._messages):
            if self._outcomes[index] is not None:
                continue
            if message.queue in self._app._triggers.batches:
                places = [place for place, other in enumerate(self._messages) if other.queue == message.queue]
                yield places, Batch(self._watched(place) for place in places)
                continue
            before = self._stopped.get(self._group(message))
            if before is None:
                yield [index], self._watched(index)
            else:
                self._outcomes[index] = Outcome(message, _left_alone(message, before), "")

    def _group(self, message: Message) -> tuple[str, str | None]:
        return ("", "") if self._ordered else (message.queue, message.group)

    def _watched(self, place: int) -> Message:
        return self._messages[place].replace(settlement=self._watches[place])

    def finished(self, places: list[int], event: Message | Batch, error: Exception | None) -> None:
        """Take down how the handler ended."""
        if error is not None:
            _reporting.failed(event, error)
        for place in places:
            message, settled = self._messages[place], self._watches[place].settled
            group = self._group(message)
            why: Exception | None
            if settled == ACKED:
                why = None
            elif settled == RETRIED:
                why = NotDone(f"message {message.id} of queue {message.queue} was given back by its handler")
            elif error is None and group in self._stopped:
                why = _left_alone(message, self._stopped[group])
            else:
                why = error
            self._outcomes[place] = Outcome(message, why, settled)
            if why is not None and group[1] is not None:
                self._stopped.setdefault(group, message)

    def outcomes(self) -> list[Outcome]:
        return [outcome for outcome in self._outcomes if outcome is not None]


def _left_alone(message: Message, before: Message) -> NotDone:
    return NotDone(f"message {message.id} waits for message {before.id} before it, which is not done")


def deliver(app: App, messages: Sequence[Message], *, ordered: bool = False) -> list[Outcome]:
    """Hand *messages* to their handlers; return one outcome each, in order. Failures are logged here, once.

    With *ordered* all are one group: none is handled after one before it failed.

    Raises InvalidArgument, before any is handled, when there is no handler for one of them.
    """
    delivery = _begin(app, messages, ordered)
    for places, event in delivery.units():
        token = invocation.set(event.context)
        failure: Exception | None = None
        try:
            app._chain.plain(event)
        except Exception as error:
            failure = error
        finally:
            invocation.reset(token)
        delivery.finished(places, event, failure)
    return delivery.outcomes()


async def deliver_async(app: App, messages: Sequence[Message], *, ordered: bool = False) -> list[Outcome]:
    """Do what `deliver` does, on a running event loop."""
    delivery = _begin(app, messages, ordered)
    for places, event in delivery.units():
        token = invocation.set(event.context)
        failure: Exception | None = None
        try:
            await app._chain.on_loop(event)
        except Exception as error:
            failure = error
        finally:
            invocation.reset(token)
        delivery.finished(places, event, failure)
    return delivery.outcomes()


def result_of(outcomes: Sequence[Outcome]) -> None:
    """Raise what the only outcome says."""
    error = outcomes[0].error
    if error is not None:
        raise error


def _begin(app: App, messages: Sequence[Message], ordered: bool) -> _Delivery:
    for message in messages:
        app._triggers.handlers(message)
    return _Delivery(app, messages, ordered)
