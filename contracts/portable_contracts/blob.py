"""The blob contract: objects of bytes under keys, seen whole or not at all.

What the portable type (`portable.Bucket`) guarantees to every driver: keys and metadata keep the portable grammar and
the declared limits; every option is filled in; nothing that `capabilities` does not declare is ever asked for.
"""

from __future__ import annotations

from abc import abstractmethod

from portable_contracts._value import Value
from portable_contracts.limits import Capabilities
from portable_contracts.provider import EMPTY, Driver, Page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime, timedelta
    from typing import ClassVar, Protocol

    class Source(Protocol):
        """A body of unknown length. `read(n)` gives exactly *n* bytes, fewer only at the end, b"" after it."""

        def read(self, size: int, /) -> bytes: ...


class BlobInfo(Value):
    """What is known of an object without its body."""

    key: str
    size: int
    version: str
    """Opaque; changes with every write (where `distinct_versions` is declared: even with one of equal bytes)."""
    content_type: str
    metadata: Mapping[str, str]
    modified: datetime
    """Aware, in UTC. Of a write it is that of the answer where a service does not tell the object's own: about a second
    later."""


class Prefix(Value):
    """The keys that a delimiter groups: they all start with *name*, which ends with the delimiter."""

    name: str


class WriteOptions(Value):
    """How to write; every field is filled in by the portable type."""

    content_type: str
    metadata: Mapping[str, str] = EMPTY
    if_version: str | None = None
    """Write only over this version: anything else there, or nothing, is a Conflict."""
    if_absent: bool = False
    """Write only where nothing is: else AlreadyExists. Never set together with *if_version*."""


class BlobCapabilities(Capabilities):
    """What a blob service promises. The defaults are the portable profile."""

    create: bool = True
    if_version: bool = True
    """Version-guarded write."""
    delete_if_version: bool = True
    distinct_versions: bool = True
    """Two writes of equal bytes have two versions."""
    sign: frozenset[str] = frozenset({"GET", "PUT"})
    sign_content_type: bool = True
    """A signed PUT can be bound to a content type."""
    events: frozenset[str] = frozenset({"created", "deleted"})
    """The blob events that reach `on_blob`."""
    feed: bool = False
    """Blob events can be pulled (`feed`), so that a poller can drive `on_blob`."""
    max_key_bytes: int = 850
    max_metadata_bytes: int = 2048
    """Names and values together, UTF-8."""
    max_bytes: int = 5 * 1024**3
    max_list_page: int = 1000
    max_delete_batch: int = 1000
    max_sign_seconds: int = 7 * 24 * 3600


class BlobStream:
    """An object being read: its *info*, and its bytes from the asked start to the asked stop, in order.

    Iterating gives chunks of at most a few MiB. `close` frees the connection, at any point and more than once.
    """

    info: BlobInfo

    def __init__(self, info: BlobInfo, chunks: Iterator[bytes]) -> None:
        self.info = info
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()


class BlobDriver(Driver):
    """One bucket of one service.

    Promises, each tested by the suite:
    a missing key: `info` and `open` raise what classifies as NotFound; `delete` succeeds.
    A write is seen whole or not at all, by every reader, also when its writer is killed.
    A reader that has begun keeps reading the version it began with, or fails; it never gets a mixture.
    Of racing `if_absent` writes one wins, and of racing writes guarded by one version likewise.
    """

    capabilities: ClassVar[BlobCapabilities]

    @abstractmethod
    def info(self, key: str) -> BlobInfo:
        """Describe the object, without its body."""

    @abstractmethod
    def open(self, key: str, *, start: int, stop: int | None, if_version: str | None) -> BlobStream:
        """Open the bytes from *start* up to, not with, *stop* (None: the end).

        `info.size` is the whole object's, whatever the range. A range past the end is cut; one wholly past it is empty.
        With *if_version* anything but that version classifies as Conflict, a missing object as Conflict or NotFound.
        """

    @abstractmethod
    def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
        """Write the object and describe it. A body that raises while it is read leaves what was there, and no parts."""

    @abstractmethod
    def delete(self, key: str, *, if_version: str | None) -> None:
        """Delete the object. With *if_version* anything but that version, or nothing, classifies as Conflict."""

    @abstractmethod
    def delete_batch(self, keys: Sequence[str]) -> Sequence[Exception | None]:
        """Delete up to `max_delete_batch` keys; return one outcome per key, in order: None or the error."""

    @abstractmethod
    def list_page(
        self, *, prefix: str, delimiter: str | None, cursor: str | None, limit: int
    ) -> Page[BlobInfo | Prefix]:
        """Return the next up to *limit* entries whose key starts with *prefix*, in the byte order of UTF-8.

        With a *delimiter* the keys that contain it after the prefix are given once, as a Prefix, in their place.
        *cursor* is what the page before gave: any text, valid in another process. A key that is there during the
        whole listing is listed exactly once; one that comes or goes meanwhile, at most once.
        """

    @abstractmethod
    def copy(self, source: str, target: str) -> BlobInfo:
        """Copy within the bucket, on the server, with content type and metadata; describe the target."""

    def sign(self, key: str, *, method: str, expires: timedelta, content_type: str | None) -> str:
        """Return an address that lets anyone do *method* (GET or PUT) on this key until *expires* from now."""
        raise NotImplementedError

    def feed(self, consumer: str) -> Feed[BlobEvent]:
        """Return the bucket's events for *consumer*, from where it stopped; one never seen starts at its first call."""
        raise NotImplementedError


if TYPE_CHECKING:
    from portable_contracts.events import BlobEvent, Feed
