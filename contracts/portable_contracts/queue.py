"""The queue contract: messages delivered at least once, under a lease, until they are acknowledged.

What the portable type (`portable.Queue`) guarantees to every driver: bodies are bytes; names, sizes and durations keep
the declared limits; batches are no larger than declared; nothing that `capabilities` does not declare is asked for.
"""

from __future__ import annotations

from abc import abstractmethod

from portable_contracts._value import Value
from portable_contracts.limits import Capabilities
from portable_contracts.provider import EMPTY, Driver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any, ClassVar


class Outgoing(Value):
    """A message to send; every field is filled in by the portable type."""

    body: bytes
    attributes: Mapping[str, str] = EMPTY
    delay: float = 0.0
    """Seconds before it may be received."""
    group: str | None = None
    """Messages of one group are received in the order they were sent, one receiver at a time."""
    dedup: str | None = None
    """A message whose key was sent within the service's window is accepted and not delivered again."""


class Received(Value):
    """A message under a lease."""

    _uncompared = frozenset({"receipt"})

    id: str
    body: bytes
    attributes: Mapping[str, str]
    attempt: int
    """1 at the first delivery."""
    sent: datetime
    """Aware, in UTC."""
    group: str | None
    receipt: Any
    """The driver's own; names this delivery, not the message."""


class QueueCapabilities(Capabilities):
    """What a queue service promises. The defaults are the portable profile."""

    _smaller_is_more = frozenset({"min_lease_seconds"})

    delay: bool = False
    """`send(delay=...)`."""
    retry_delay: bool = False
    """`retry(delay=...)`: redelivery after a chosen time; without it, when the lease ends."""
    choose_lease: bool = True
    """`receive(lease=...)`: without it every lease is as long as the queue itself says."""
    extend: bool = False
    """A lease can be lengthened."""
    groups: bool = False
    dedup: bool = False
    dead_letters: bool = True
    """A message that was received `max_attempts` times moves to the dead-letter queue, whoever moves it."""
    attributes_apart: bool = True
    """Attributes have room of their own; without it they count against `max_body_bytes`."""
    push: bool = True
    """The platform calls the function; without it a poller of ours must."""
    max_body_bytes: int = 48 * 1024
    max_attributes: int = 9
    max_attribute_bytes: int = 8192
    """Names and values of one message together."""
    max_delay_seconds: int = 900
    min_lease_seconds: int = 10
    max_lease_seconds: int = 300
    max_wait_seconds: int = 20
    max_send_batch: int = 10
    max_send_batch_bytes: int = 256 * 1024
    max_receive_batch: int = 10
    dedup_seconds: int = 300
    """How long a dedup key is remembered."""


class QueueDriver(Driver):
    """One queue of one service.

    Promises, each tested by the suite:
    a message that was sent is received at least once, by some receiver, until it is acknowledged or is a dead letter.
    While its lease lasts no other receiver gets it; afterwards it comes back, with `attempt` one higher.
    A receipt names one delivery: one that is stale (acknowledged, retried, or its lease ran out and the message went to
    another receiver) never acknowledges, retries or extends another delivery.
    """

    capabilities: ClassVar[QueueCapabilities]

    @abstractmethod
    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[str | Exception]:
        """Send up to `max_send_batch` messages; return one outcome per message, in order: its id, or the error."""

    @abstractmethod
    def receive_batch(self, *, limit: int, wait: float, lease: float) -> Sequence[Received]:
        """Take up to *limit* messages for *lease* seconds; wait up to *wait* seconds for the first one.

        Where `choose_lease` is not declared *lease* says nothing.
        """

    @abstractmethod
    def ack_batch(self, receipts: Sequence[Any]) -> Sequence[Exception | None]:
        """Acknowledge deliveries; return one outcome each. Twice, or a stale one, is no error and does nothing."""

    @abstractmethod
    def retry(self, receipt: Any, *, delay: float) -> None:
        """End the lease; the message may be received again after *delay* seconds. A stale receipt does nothing."""

    def next_due(self) -> float | None:
        """Return when the next message may be received, in seconds since the epoch; None where nobody can say.

        A poller waits until then; without it, it asks again and again.
        """
        return None

    def extend(self, receipt: Any, *, lease: float) -> None:
        """Make the lease end *lease* seconds from now. A stale receipt classifies as NotFound."""
        raise NotImplementedError
