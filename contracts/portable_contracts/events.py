"""What handlers receive beside HTTP requests, and the codecs that make it of a platform's own shapes.

Equality of events leaves out `context` and `native`: the same logical event is equal whichever platform delivered it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod

from portable_contracts._json import read_json
from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument
from portable_contracts.provider import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta
    from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

    from portable_contracts.http import Request

    T = TypeVar("T", covariant=True)
else:
    from portable_contracts._value import Generic

    T = None


class Context(Value):
    """The invocation that an event arrived in."""

    invocation_id: str
    function: str
    provider: str
    expires: float
    """When the platform stops the invocation, in seconds since the epoch."""
    cold: bool = False
    """True for the first invocation of this process."""
    clock: Callable[[], float] = time.time
    settlement: Settlement | None = None
    """What `ack`, `retry` and `extend` act on for a message that the platform pushed: one for all of the invocation."""

    _uncompared = frozenset({"clock", "settlement"})
    _unprinted = frozenset({"clock", "settlement"})

    @property
    def deadline(self) -> datetime:
        """When the platform stops the invocation; aware, in UTC."""
        from datetime import datetime, timezone

        return datetime.fromtimestamp(self.expires, timezone.utc)

    def remaining(self) -> timedelta:
        """Return the time left until the deadline, never less than zero."""
        from datetime import timedelta

        return timedelta(seconds=max(0.0, self.expires - self.clock()))


NO_CONTEXT = Context("", "", "", float("inf"))
"""Of an event that no invocation delivered."""


class _Event(Value):
    _uncompared = frozenset({"context", "native"})
    _unprinted = frozenset({"context", "native"})


def _moment(given: Any) -> Any:
    """Return the time that is *given*: a datetime or None, or in seconds since the epoch, as a codec may."""
    if type(given) is not float:
        return given
    from datetime import datetime, timezone

    return datetime.fromtimestamp(given, timezone.utc)


class Message(_Event):
    """A queue message."""

    id: str
    queue: str
    """The resource's name in the app; as a codec gives it, the queue's name in the service."""
    body: bytes
    attributes: Mapping[str, str] = EMPTY
    attempt: int = 1
    """1 at the first delivery."""
    sent: datetime | None = None
    """Aware, in UTC."""
    group: str | None = None
    context: Context = NO_CONTEXT
    native: Any = None
    settlement: Settlement | None = None
    """What `ack`, `retry` and `extend` act on."""

    _uncompared = frozenset({"context", "native", "settlement"})
    _unprinted = frozenset({"context", "native", "settlement"})
    _lazy = {"sent": _moment}  # Making a time takes as long as making the rest of the message.

    @property
    def text(self) -> str:
        """The body as UTF-8 text. Raises InvalidArgument when it is not."""
        try:
            return self.body.decode()
        except UnicodeDecodeError as error:
            raise InvalidArgument(f"the body of message {self.id} is not UTF-8 text: {error}") from error

    def json(self) -> Any:
        """Return the body as JSON. Raises InvalidArgument when it is not."""
        try:
            return read_json(self.body)
        except (ValueError, RecursionError) as error:
            raise InvalidArgument(f"the body of message {self.id} is not JSON: {error}") from error

    def ack(self) -> None:
        """Acknowledge: it will not be delivered again. Twice, or after the lease ended, does nothing."""
        self._settlement().ack(self)

    def retry(self, delay: timedelta | None = None) -> None:
        """Give it back, to be delivered again after *delay*; without one after a wait that grows with each attempt.

        Raises Unsupported for a *delay* where the service cannot choose one.
        """
        self._settlement().retry(self, delay)

    def extend(self, by: timedelta) -> None:
        """Make the lease end *by* from now. Raises NotFound when it ended already, Unsupported where it cannot be."""
        self._settlement().extend(self, by)

    def _settlement(self) -> Settlement:
        settlement = self.settlement or self.context.settlement
        if settlement is None:
            raise InvalidArgument(f"message {self.id} was not received from a queue, so it cannot be settled")
        return settlement


class Settlement(ABC):
    """Whose answer decides what becomes of a message: a queue that was read, or the platform that pushed it."""

    @abstractmethod
    def ack(self, message: Message) -> None: ...
    @abstractmethod
    def retry(self, message: Message, delay: timedelta | None) -> None: ...
    @abstractmethod
    def extend(self, message: Message, by: timedelta) -> None: ...


class BlobEvent(_Event):
    """An object was written or deleted."""

    id: str
    bucket: str
    """The resource's name in the app; as a codec gives it, the bucket's name in the service."""
    key: str
    kind: str
    """`"created"` (also when written over) or `"deleted"`."""
    time: datetime
    """Aware, in UTC."""
    size: int | None = None
    """None for a deletion."""
    version: str | None = None
    context: Context = NO_CONTEXT
    native: Any = None


class Change(_Event):
    """An item of a table changed."""

    id: str
    table: str
    """The resource's name in the app; as a codec gives it, the table's name in the service."""
    partition: str
    sort: str
    kind: str
    """`"created"`, `"updated"` or `"deleted"`."""
    old: Any
    """The value before; None when created."""
    new: Any
    """The value after; None when deleted."""
    time: datetime
    """Aware, in UTC."""
    context: Context = NO_CONTEXT
    native: Any = None


class Tick(_Event):
    """A schedule fired."""

    schedule: str
    """The schedule's name in the app: by default its handler's name."""
    time: datetime
    """When it was due; aware, in UTC."""
    id: str = ""
    context: Context = NO_CONTEXT
    native: Any = None


class CloudEvent(_Event):
    """Any CloudEvent 1.0, or a platform's own event in that form."""

    id: str
    source: str
    type: str
    data: Any = None
    """What the JSON held, or bytes or text for another content type."""
    subject: str | None = None
    time: datetime | None = None
    content_type: str | None = None
    extensions: Mapping[str, str] = EMPTY
    context: Context = NO_CONTEXT
    native: Any = None

    def json(self) -> Any:
        """Return *data* as JSON. Raises InvalidArgument when it is bytes or text that is not JSON."""
        if not isinstance(self.data, (bytes, str)):
            return self.data
        try:
            return read_json(self.data)
        except (ValueError, RecursionError) as error:
            raise InvalidArgument(f"the data of event {self.id} is not JSON: {error}") from error


if TYPE_CHECKING:
    Event: TypeAlias = Request | Message | BlobEvent | Change | Tick | CloudEvent


class EventCodec(ABC):
    """Translates one native trigger, both ways. Pure: no I/O; the only clock is the context's."""

    shape: ClassVar[str]
    """The platform's name of the shape, as `portable decode` prints it: `"aws.sqs"`."""
    trigger: ClassVar[str]
    """`"message"`, `"blob"`, `"change"`, `"schedule"` or `"event"`."""
    words: ClassVar[Sequence[str]] = ()
    """What stands in such events beside the words of their shape, in lower case: it tells what a broken one was."""
    partial: ClassVar[bool] = False
    """The platform can be told that some of a batch failed; otherwise one failure fails the invocation."""
    ordered: ClassVar[bool] = False
    """The events are a stream's: none is handled after one before it failed."""

    @abstractmethod
    def recognises(self, raw: Any) -> bool:
        """Say whether *raw* has this shape; no other codec may say so too. Never raises."""

    @abstractmethod
    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        """Return the invocation's events, in order. Raises InvalidArgument for a broken one, naming the field."""

    def encode(self, events: Sequence[Event], failed: Sequence[bool]) -> Any:
        """Return the platform's answer; *failed* says per event whether it must be delivered again.

        Called with failures only where *partial* is declared and the platform was told to read the report.
        """
        return None


class Feed(ABC, Generic[T]):
    """Events that wait to be pulled, for one consumer, in order; its place is kept where the events are."""

    @abstractmethod
    def read(self, limit: int) -> Sequence[tuple[str, T]]:
        """Return the next up to *limit* events after the consumer's place, each with its token; the place stays."""

    @abstractmethod
    def commit(self, token: str) -> None:
        """Move the consumer's place to just after *token*; moving it back, or to the same place, does nothing."""
