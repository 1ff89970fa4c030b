"""Queues in Azure Queue Storage. A message is a text there: the body in Base64, its attributes in front of it.

The service neither waits for messages nor moves what was received too often: the driver asks again until one comes,
and sends a dead letter to its queue before it deletes it from this one.
"""

from __future__ import annotations

import math
import time
from binascii import a2b_base64, b2a_base64
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from azure.core.exceptions import HttpResponseError

from portable_azure import _clients, _errors
from portable_azure._addresses import Place, place
from portable_azure._envelope import pack, unpack
from portable_azure._errors import Refused
from portable_azure.limits import AZQUEUE
from portable_contracts.clients import Clients
from portable_contracts.errors import InvalidArgument, LimitExceeded, NotFound, PortableError, Unavailable
from portable_contracts.provider import Address
from portable_contracts.queue import QueueDriver, Received

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from azure.storage.queue import QueueClient, QueueMessage

    from portable_contracts.provider import Opening
    from portable_contracts.queue import Outgoing, QueueCapabilities

FOREVER = -1
"""How long a message lives that nobody acknowledges; the service's own default is a week."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds between two requests of one that waits: each costs money."""
LARGEST = int(AZQUEUE.max_body_bytes)

_STALE = frozenset({"MessageNotFound", "PopReceiptMismatch"})

_queues: Clients[QueueClient] = Clients()


class Receipt:
    """One delivery: what the service knows it by, which every lengthening of its lease changes."""

    __slots__ = ("ends", "id", "in_doubt", "lock", "pop")

    def __init__(self, id: str, pop: str, ends: float) -> None:
        self.id = id
        self.pop = pop
        """Empty for a delivery that is over."""
        self.ends = ends
        """When the lease does, in seconds since the epoch."""
        self.in_doubt = False
        """Nobody knows whether the last lengthening was done: then the service knows the delivery by another name."""
        self.lock = Lock()

    def __repr__(self) -> str:
        return f"Receipt({self.id!r})"


class AzureQueue(QueueDriver):
    """One queue of a storage account."""

    scheme = "azqueue"
    capabilities: ClassVar[QueueCapabilities] = AZQUEUE

    def __init__(
        self, where: Place, clock: Callable[[], float], max_attempts: int | None, dead_letter: Place | None
    ) -> None:
        self._place = where
        self._clock = clock
        self._max_attempts = max_attempts
        self._dead_letter = dead_letter

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> AzureQueue:
        return cls(place(address), opening.clock, *_dead_letters(address, opening))

    def classify(self, error: Exception) -> type[PortableError]:
        if _errors.code_of(error) in _STALE:
            return NotFound
        kind = _errors.classify(error)
        # An answer that ended too early: the SDK gives it the status of the whole one.
        return Unavailable if kind is PortableError and _status(error) in (None, 200, 201, 204) else kind

    def explain(self, error: Exception) -> str:
        return _errors.explain(error)

    def retry_after(self, error: Exception) -> float | None:
        return _errors.retry_after(error)

    def changed_nothing(self, error: Exception) -> bool:
        return _errors.changed_nothing(error)

    def native(self) -> QueueClient:
        return _queue(self._place)

    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[str | Exception]:
        outcomes: list[str | Exception] = []
        for message in messages:
            content = pack(message.body, message.attributes)
            if len(content) > LARGEST:
                outcomes.append(_too_large(len(content)))
                continue
            try:
                outcomes.append(self._send(self._place, content, message.delay))
            except HttpResponseError as error:
                outcomes.append(error)
        return outcomes

    def _send(self, where: Place, content: bytes, delay: float) -> str:
        sent = _queue(where).send_message(
            b2a_base64(content, newline=False).decode(),
            visibility_timeout=math.ceil(delay),
            time_to_live=FOREVER,
        )
        return str(sent.id)

    def receive_batch(self, *, limit: int, wait: float, lease: float) -> Sequence[Received]:
        until, pause = time.monotonic() + wait, FIRST_PAUSE
        while True:
            received, buried = self._take(limit, math.ceil(lease))
            if received:
                return received
            if buried:  # There may be others behind the dead letters.
                continue
            left = until - time.monotonic()
            if left <= 0:
                return ()
            time.sleep(min(pause, left))
            pause = min(pause * 2, LONGEST_PAUSE)

    def _take(self, limit: int, lease: int) -> tuple[list[Received], int]:
        """Return what was received, and how many of the messages that came were dead letters instead."""
        # One page is one request: to be told that there are no more would be another.
        pages = self.native().receive_messages(messages_per_page=limit, visibility_timeout=lease).by_page()
        found = list(next(pages, ()))
        ends = self._clock() + lease
        received = []
        for message in found:
            if self._max_attempts is not None and (message.dequeue_count or 1) > self._max_attempts:
                self._bury(message)
            else:
                received.append(_received(message, ends))
        return received, len(found) - len(received)

    def _bury(self, message: QueueMessage) -> None:
        """Send *message* to the dead letters, then delete it: a crash between the two leaves it twice, never lost."""
        assert self._dead_letter is not None  # It comes with max_attempts.
        _queue(self._dead_letter).send_message(message.content, time_to_live=FOREVER)
        try:
            self.native().delete_message(message.id, message.pop_receipt)
        except HttpResponseError as error:
            if _errors.code_of(error) not in _STALE:
                raise

    def ack_batch(self, receipts: Sequence[Receipt]) -> Sequence[Exception | None]:
        return [self._ack(receipt) for receipt in receipts]

    def _ack(self, receipt: Receipt) -> Exception | None:
        with receipt.lock:
            if receipt.pop:
                try:
                    self.native().delete_message(receipt.id, receipt.pop)
                except HttpResponseError as error:
                    if _errors.code_of(error) not in _STALE:
                        return error
                receipt.pop = ""
        return None

    def retry(self, receipt: Receipt, *, delay: float) -> None:
        with receipt.lock:
            if receipt.pop:
                try:
                    self._hide(receipt, math.ceil(delay))
                except HttpResponseError as error:
                    if _errors.code_of(error) not in _STALE:
                        raise
                receipt.pop = ""

    def extend(self, receipt: Receipt, *, lease: float) -> None:
        seconds = math.ceil(lease)
        with receipt.lock:
            now = self._clock()
            if not receipt.pop or now >= receipt.ends:
                raise Refused(NotFound, "the lease is over")
            try:
                receipt.pop = self._hide(receipt, seconds)
            except Exception as error:
                # Within the lease nobody but us can have changed it: the lengthening whose answer was lost was done.
                # It lasts; but what the service now knows it by is lost too, so the message will come again.
                if not (receipt.in_doubt and _errors.code_of(error) in _STALE):
                    receipt.in_doubt = self.classify(error).retryable
                    raise
            receipt.in_doubt = False
            receipt.ends = now + seconds

    def _hide(self, receipt: Receipt, seconds: int) -> str:
        updated = self.native().update_message(receipt.id, receipt.pop, visibility_timeout=seconds)
        return str(updated.pop_receipt)


def _queue(where: Place) -> QueueClient:
    return _queues.get(where, lambda: _clients.client("queue", where).get_queue_client(where.name))


def _status(error: Exception) -> int | None:
    return error.status_code if isinstance(error, HttpResponseError) else 0


def _received(message: QueueMessage, ends: float) -> Received:
    body, attributes = unpack(_content(message.content))
    return Received(
        message.id,
        body,
        attributes,
        int(message.dequeue_count or 1),
        message.inserted_on,  # type: ignore[arg-type]  # a message that was received has it, and its receipt
        None,
        Receipt(message.id, message.pop_receipt, ends),  # type: ignore[arg-type]
    )


def _content(text: str) -> bytes:
    """Return what *text* carries: messages of others may be plain text, which is no Base64."""
    try:
        data = a2b_base64(text)
    except ValueError:
        return text.encode()
    return data if b2a_base64(data, newline=False).decode() == text else text.encode()


def _too_large(size: int) -> LimitExceeded:
    return LimitExceeded(
        f"body and attributes are {size:,} bytes together; a message in Azure Queue Storage has {LARGEST:,}",
        limit="max_body_bytes",
        actual=size,
        allowed=LARGEST,
        owner="azqueue",
    )


def _dead_letters(address: Address, opening: Opening) -> tuple[int | None, Place | None]:
    """Return the attempts that a message has, and the queue that it goes to after them."""
    options = {name: value for name, value in opening.options.items() if value is not None}
    for unknown in options.keys() - {"max_attempts", "dead_letter"}:
        raise InvalidArgument(f"queue {address}: unknown option {unknown!r}; known: max_attempts, dead_letter")
    if not options:
        return None, None
    if len(options) == 1:
        raise InvalidArgument(f"queue {address}: max_attempts and dead_letter go together; only {options} was given")
    max_attempts, dead_letter = options["max_attempts"], Address.parse(options["dead_letter"])
    if type(max_attempts) is not int or max_attempts < 1:
        raise InvalidArgument(f"queue {address}: max_attempts is {max_attempts!r}: it is a whole number, 1 or more")
    if dead_letter.scheme != "azqueue" or place(dead_letter) == place(address):
        raise InvalidArgument(f"queue {address}: its dead letters cannot go to {dead_letter}: name another azqueue://")
    return max_attempts, place(dead_letter)
