"""Queue: messages that are delivered at least once, under a lease, until they are acknowledged.

    thumbs.send({"key": "in/cat.jpg"}, delay=timedelta(seconds=5))
    for message in thumbs.receive(wait=timedelta(seconds=10)):
        work(message.json())
        message.ack()

A message that is neither acknowledged nor given back comes again when its lease ends, so whoever receives it must be
able to do its work twice.
"""

from __future__ import annotations

from portable._driving import Resource, call, translate
from portable._outgoing import Send, batches, checked, lease_seconds, seconds
from portable_contracts.errors import NotFound, PortableError
from portable_contracts.events import Message, Settlement
from portable_contracts.provider import EMPTY, Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import timedelta
    from typing import Any, TypeVar

    from portable_contracts.provider import Opening
    from portable_contracts.queue import Outgoing, Received

    T = TypeVar("T")

__all__ = ["Queue", "Send", "backoff"]

LEASE = 30
"""Seconds that `receive` leases messages for where it is told nothing else."""
LONGEST_BACKOFF = 900.0
"""Seconds."""


def backoff(attempt: int) -> float:
    """Return the seconds that `message.retry()` waits after the attempt of this number: 1, 2, 4, ... up to 900."""
    return min(LONGEST_BACKOFF, 2.0 ** min(attempt - 1, 10))


class Queue(Resource):
    """A queue of messages."""

    kind = "queue"

    @classmethod
    def at(cls, address: str, *, opening: Opening | None = None) -> Queue:
        """Open the queue at *address* on its own, without an app. Raises InvalidArgument for a wrong address."""
        from portable.connecting import open_address

        connection = open_address("queue", address, opening)
        parsed = Address.parse(address)
        return cls(parsed.name or parsed.parameters.get("name", address), lambda: connection)

    def send(
        self,
        body: Any,
        *,
        attributes: Mapping[str, str] = EMPTY,
        delay: timedelta | None = None,
        group: str | None = None,
        dedup: str | None = None,
    ) -> str:
        """Send a message and return its id. *body* is bytes, text (sent as UTF-8), or any value that JSON can write.

        *delay* is how long nobody receives it. Messages of one *group* are received in the order in which they were
        sent, by one receiver at a time. A message whose *dedup* key was sent shortly before is not delivered again.
        A send whose answer was lost is tried again, so the message may come twice; with *dedup* it does not.

        Raises InvalidArgument for a wrong body, name or key, LimitExceeded for what is too large, Unsupported where the
        service does not have delays, groups or dedup.
        """
        return call(self, "send", "", True, self._send_one, checked(self, body, attributes, delay, group, dedup))

    def send_many(self, messages: Iterable[Any]) -> list[str | PortableError]:
        """Send bodies, as `send` takes them, or `Send` values; return for each, in order, its id or what went wrong.

        One bad message stops no other. They go out in as few calls as the service's limits allow, while *messages* is
        being read. Raises InvalidArgument when *messages* is itself a single body.
        """
        if isinstance(messages, (str, bytes, bytearray, memoryview, dict, Send)):
            what = type(messages).__name__
            raise self._invalid("send_many", f"messages is a single {what}: put it in a list, or use send")
        outcomes: list[str | PortableError] = []
        for batch in batches(self, messages):
            sent = iter(self._in_few_calls("send", self._connection.driver.send_batch, batch.accepted))
            outcomes += [next(sent) if refusal is None else refusal for refusal in batch.refusals]
        return outcomes

    def receive(
        self, limit: int = 10, *, wait: timedelta | None = None, lease: timedelta | None = None
    ) -> list[Message]:
        """Take up to *limit* messages; nobody else gets them for *lease*, by default 30 seconds.

        Without *wait* it returns at once, perhaps with none; with it, as soon as there is one, or when *wait* is over.
        Raises LimitExceeded for a *wait* or *lease* that the service does not offer, Unsupported for a *lease* where it
        is the queue's own.
        """
        connection = self._connection
        capabilities = connection.capabilities
        if type(limit) is not int or limit < 1:
            raise self._invalid("receive", f"limit is {limit!r}: it is a whole number, 1 or more")
        waiting = 0.0 if wait is None else seconds(self, "wait", wait, "receive", "max_wait_seconds")
        if lease is None:
            leased = float(max(capabilities.min_lease_seconds, min(LEASE, capabilities.max_lease_seconds)))
        else:
            leased = lease_seconds(self, "lease", lease, "receive")
            self._require("choose_lease", "receive(lease=...)")
        messages: list[Message] = []
        while True:
            asked = min(limit - len(messages), capabilities.max_receive_batch)
            try:
                received: Sequence[Received] = call(
                    self, "receive", "", True, connection.driver.receive_batch, limit=asked, wait=waiting, lease=leased
                )
            except PortableError:
                if messages:  # Raising would keep these from everybody until their lease ends.
                    return messages
                raise
            messages += [self._message(each) for each in received]
            if len(received) < asked or len(messages) == limit:
                return messages
            waiting = 0.0

    def ack_many(self, messages: Iterable[Message]) -> list[PortableError | None]:
        """Acknowledge messages that this queue gave; return for each, in order, None or what went wrong.

        It makes as few calls as the service's limits allow. Raises InvalidArgument for a message of another queue.
        """
        receipts = [self._receipt(message) for message in messages]
        size = self._connection.capabilities.max_receive_batch
        outcomes: list[PortableError | None] = []
        for start in range(0, len(receipts), size):
            batch = receipts[start : start + size]
            outcomes += self._in_few_calls("ack", self._connection.driver.ack_batch, batch)
        return outcomes

    def _send_one(self, message: Outgoing) -> str:
        outcome: str | Exception = self._connection.driver.send_batch((message,))[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _ack_one(self, receipt: Any) -> None:
        outcome: Exception | None = self._connection.driver.ack_batch((receipt,))[0]
        if outcome is not None:
            raise outcome

    def _message(self, received: Received) -> Message:
        return Message(
            received.id,
            self.name,
            received.body,
            received.attributes,
            received.attempt,
            received.sent,
            received.group,
            native=received.receipt,
            settlement=_Delivery(self, received.receipt),
        )

    def _receipt(self, message: Message) -> Any:
        settlement = message.settlement
        if not isinstance(settlement, _Delivery) or settlement.queue is not self:
            raise self._invalid("ack_many", f"message {message.id} was not received from this queue")
        return settlement.receipt

    def _in_few_calls(self, operation: str, function: Callable[[list[T]], Sequence[Any]], batch: list[T]) -> list[Any]:
        """Call *function* with *batch*, and again with those that failed and may be retried; return all outcomes."""
        outcomes: list[Any] = [None] * len(batch)
        pending = list(range(len(batch)))

        def attempt() -> None:
            nonlocal pending
            again, first = [], None
            for index, outcome in zip(pending, function([batch[index] for index in pending]), strict=True):
                outcomes[index] = outcome
                if isinstance(outcome, Exception):
                    outcomes[index] = error = translate(self, operation, "", outcome)
                    if error is not outcome:
                        error.__cause__ = outcome
                    if error.retryable:
                        again.append(index)
                        first = first or outcome
            pending = again
            if first is not None:
                raise first

        try:
            if batch:
                call(self, operation, "", True, attempt)
        except PortableError as error:
            for index in pending:
                outcomes[index] = outcomes[index] or error
        return outcomes


class _Delivery(Settlement):
    """One delivery of a message, by a queue that was read."""

    def __init__(self, queue: Queue, receipt: Any) -> None:
        self.queue = queue
        self.receipt = receipt
        self._given_back = False
        """Where the service ends no lease early, what is given back stays leased, and this end of it must know."""

    def ack(self, message: Message) -> None:
        if not self._given_back:
            call(self.queue, "ack", f"message {message.id}", True, self.queue._ack_one, self.receipt)

    def retry(self, message: Message, delay: timedelta | None) -> None:
        queue, connection = self.queue, self.queue._connection
        if delay is not None:
            queue._require("retry_delay", "retry(delay=...)")
            wait = seconds(queue, "delay", delay, "retry", "max_delay_seconds")
        elif connection.capabilities.retry_delay:
            wait = max(1.0, min(backoff(message.attempt), connection.capabilities.max_delay_seconds))
        else:
            # Ending the lease would deliver it at once, in a loop if it always fails.
            self._given_back = True
            return
        call(queue, "retry", f"message {message.id}", True, connection.driver.retry, self.receipt, delay=wait)

    def extend(self, message: Message, by: timedelta) -> None:
        queue = self.queue
        queue._require("extend", "extend")
        lease = lease_seconds(queue, "by", by, "extend")
        if self._given_back:
            raise NotFound(
                f"extend message {message.id} in {queue}: it was given back", operation="extend", resource=str(queue)
            )
        call(queue, "extend", f"message {message.id}", True, queue._connection.driver.extend, self.receipt, lease=lease)
