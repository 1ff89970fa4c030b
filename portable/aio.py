"""Async views of the resources: the same operations, awaited. Drivers block, so each call runs in a thread.

    from portable import aio

    entries = aio.table(app.table("entries"))
    item = await entries.get("welcome", "1")
    async for item in entries.query("welcome"): ...

Arguments, results and errors are those of the blocking operations. A call that is cancelled ends unheard in its thread.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from threading import Lock as Turn

from portable._blob_stream import BlobReader
from portable.blob import Bucket
from portable.kv import Table
from portable.locks import Lease, Lock
from portable.queue import Queue
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import Message
from portable_contracts.provider import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
    from datetime import datetime, timedelta
    from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

    from portable._blob_body import Body
    from portable_contracts.blob import BlobInfo, Prefix
    from portable_contracts.errors import PortableError
    from portable_contracts.events import Context
    from portable_contracts.provider import Page

    P = ParamSpec("P")
    R = TypeVar("R")
    T = TypeVar("T")
else:
    from portable_contracts._value import Generic

    P = R = T = None

_TAKEN = 100
"""Items that one visit to a thread takes from an iterator."""


def table(blocking: Table) -> AsyncTable:
    """Return the async view of a table."""
    return AsyncTable(blocking)


def bucket(blocking: Bucket) -> AsyncBucket:
    """Return the async view of a bucket."""
    return AsyncBucket(blocking)


def queue(blocking: Queue) -> AsyncQueue:
    """Return the async view of a queue."""
    return AsyncQueue(blocking)


def message(blocking: Message) -> AsyncMessage:
    """Return the async view of a message, such as a handler receives."""
    return AsyncMessage(blocking)


def lock(blocking: Lock) -> AsyncLock:
    """Return the async view of a lock: `async with await aio.lock(lock).acquire() as lease`."""
    return AsyncLock(blocking)


class _View(Generic[T]):
    def __init__(self, blocking: T) -> None:
        self.blocking = blocking
        """What this is a view of."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.blocking!r})"


class _Awaited(Generic[P, R]):
    """A blocking operation, as one to be awaited."""

    def __init__(self, operation: Callable[Concatenate[Any, P], R]) -> None:
        self._name = operation.__name__
        self.__doc__ = operation.__doc__

    def __get__(self, view: _View[Any], owner: object) -> Callable[P, Coroutine[Any, Any, R]]:
        operation = getattr(view.blocking, self._name)

        def begin(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
            return _in_thread(operation, *args, **kwargs)

        return begin


class _Iterated(Generic[P, R]):
    """A blocking operation that iterates, as one for `async for`."""

    def __init__(self, operation: Callable[Concatenate[Any, P], Iterator[R]]) -> None:
        self._name = operation.__name__
        self.__doc__ = operation.__doc__

    def __get__(self, view: _View[Any], owner: object) -> Callable[P, AsyncIterator[R]]:
        operation = getattr(view.blocking, self._name)

        def begin(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
            return _iterate(lambda: operation(*args, **kwargs), _TAKEN)

        return begin


class AsyncTable(_View[Table]):
    """The operations of `portable.Table`, awaited."""

    get = _Awaited(Table.get)
    get_many = _Awaited(Table.get_many)
    put = _Awaited(Table.put)
    create = _Awaited(Table.create)
    delete = _Awaited(Table.delete)
    update = _Awaited(Table.update)
    increment = _Awaited(Table.increment)
    page = _Awaited(Table.page)
    transact = _Awaited(Table.transact)
    native = _Awaited(Table.native)
    query = _Iterated(Table.query)
    scan = _Iterated(Table.scan)


class AsyncBucket(_View[Bucket]):
    """The operations of `portable.Bucket`, awaited."""

    read = _Awaited(Bucket.read)
    info = _Awaited(Bucket.info)
    exists = _Awaited(Bucket.exists)
    delete = _Awaited(Bucket.delete)
    delete_many = _Awaited(Bucket.delete_many)
    copy = _Awaited(Bucket.copy)
    sign = _Awaited(Bucket.sign)
    native = _Awaited(Bucket.native)

    if TYPE_CHECKING:

        @overload
        def list(self, prefix: str = "", delimiter: None = None) -> AsyncIterator[BlobInfo]: ...
        @overload
        def list(self, prefix: str = "", delimiter: str | None = None) -> AsyncIterator[BlobInfo | Prefix]: ...
        def list(self, prefix: str = "", delimiter: str | None = None) -> Any: ...
        @overload
        async def page(
            self, prefix: str = "", delimiter: None = None, *, limit: int = 100, cursor: str | None = None
        ) -> Page[BlobInfo]: ...
        @overload
        async def page(
            self, prefix: str = "", delimiter: str | None = None, *, limit: int = 100, cursor: str | None = None
        ) -> Page[BlobInfo | Prefix]: ...
        async def page(self, *args: Any, **kwargs: Any) -> Any: ...
    else:
        list = _Iterated(Bucket.list)
        page = _Awaited(Bucket.page)

    async def open(self, key: str, *, start: int = 0, stop: int | None = None) -> AsyncReader:
        """Open the object as a stream: `async with await bucket.open(key) as stream`. Else as `Bucket.open`."""
        return AsyncReader(await _in_thread(self.blocking.open, key, start=start, stop=stop))

    async def write(
        self,
        key: str,
        body: Body | AsyncIterable[bytes],
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] = EMPTY,
        if_version: str | None = None,
    ) -> BlobInfo:
        """Write the object as `Bucket.write` does; *body* may be an async iterable of bytes too."""
        with _pieces(body) as pieces:
            return await _in_thread(
                self.blocking.write, key, pieces, content_type=content_type, metadata=metadata, if_version=if_version
            )

    async def create(
        self,
        key: str,
        body: Body | AsyncIterable[bytes],
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] = EMPTY,
    ) -> BlobInfo:
        """Write the object where there is none, as `Bucket.create`; *body* may be an async iterable of bytes too."""
        with _pieces(body) as pieces:
            return await _in_thread(self.blocking.create, key, pieces, content_type=content_type, metadata=metadata)


class AsyncReader(_View[BlobReader]):
    """An object being read: `async for chunk in stream`, or `await stream.read(n)`."""

    read = _Awaited(BlobReader.read)
    close = _Awaited(BlobReader.close)

    @property
    def info(self) -> BlobInfo:
        """The object's description."""
        return self.blocking.info

    def __aiter__(self) -> AsyncIterator[bytes]:
        # Chunks are up to a few MiB: one a visit keeps the memory flat.
        return _iterate(lambda: self.blocking, 1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncQueue(_View[Queue]):
    """The operations of `portable.Queue`, awaited; `receive` gives async messages."""

    send = _Awaited(Queue.send)
    send_many = _Awaited(Queue.send_many)
    native = _Awaited(Queue.native)

    async def receive(
        self, limit: int = 10, *, wait: timedelta | None = None, lease: timedelta | None = None
    ) -> list[AsyncMessage]:
        """Take up to *limit* messages, as `Queue.receive`; a *wait* keeps a thread that long."""
        received = await _in_thread(self.blocking.receive, limit, wait=wait, lease=lease)
        return [AsyncMessage(message) for message in received]

    async def ack_many(self, messages: Iterable[AsyncMessage]) -> list[PortableError | None]:
        """Acknowledge messages that this queue gave, as `Queue.ack_many`."""
        return await _in_thread(self.blocking.ack_many, [message.blocking for message in messages])


class AsyncMessage(_View[Message]):
    """A message, with what it was received with, whose settling is awaited."""

    if TYPE_CHECKING:
        id: str
        queue: str
        body: bytes
        attributes: Mapping[str, str]
        attempt: int
        sent: datetime | None
        group: str | None
        context: Context
        native: Any
        text: str

        def json(self) -> Any: ...
    else:

        def __getattr__(self, name: str) -> Any:
            if name == "blocking":  # Asked for before it is set, by copying: do not ask again.
                raise AttributeError(name)
            return getattr(self.blocking, name)

    ack = _Awaited(Message.ack)
    retry = _Awaited(Message.retry)
    extend = _Awaited(Message.extend)


class AsyncLock(_View[Lock]):
    """A lock whose lease is awaited."""

    async def acquire(self, *, wait: timedelta | None = None) -> AsyncLease:
        """Take the lock, as `Lock.acquire`; a *wait* keeps a thread that long."""
        return AsyncLease(await _in_thread(self.blocking.acquire, wait=wait))


class AsyncLease(_View[Lease]):
    """A lock that is held: `async with` releases it at the end."""

    extend = _Awaited(Lease.extend)
    release = _Awaited(Lease.release)

    @property
    def token(self) -> int:
        """The fencing token."""
        return self.blocking.token

    @property
    def expires(self) -> datetime:
        """When it ends, unless it is extended; aware, in UTC."""
        return self.blocking.expires

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await _in_thread(self.blocking.__exit__)


async def _in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    from asyncio import to_thread

    return await to_thread(function, *args, **kwargs)


async def _iterate(begin: Callable[[], Iterator[T]], most: int) -> AsyncIterator[T]:
    """Yield what the blocking iterator gives, taking up to *most* items in one visit to a thread."""
    taking = _Taking(begin)
    try:
        while True:
            items, failure = await _in_thread(taking.take, most)
            for item in items:
                yield item
            if failure is not None:
                raise failure
            if len(items) < most:
                return
    finally:
        await _in_thread(taking.close)


class _Taking(Generic[T]):
    """A blocking iterator that threads take from by turns."""

    def __init__(self, begin: Callable[[], Iterator[T]]) -> None:
        self._begin = begin
        self._iterator: Iterator[T] | None = None
        # A visit whose awaiting task was cancelled still runs when `close` comes.
        self._turn = Turn()

    def take(self, most: int) -> tuple[list[T], Exception | None]:
        """Return up to *most* items, fewer at the end, and what was raised after the last of them."""
        items: list[T] = []
        with self._turn:
            try:
                if self._iterator is None:
                    self._iterator = iter(self._begin())
                items.extend(islice(self._iterator, most))
            except Exception as error:
                return items, error
        return items, None

    def close(self) -> None:
        with self._turn:
            close = getattr(self._iterator, "close", None)
            if close is not None:
                close()


@contextmanager
def _pieces(body: Body | AsyncIterable[bytes]) -> Iterator[Body]:
    """Give *body* in a form that a thread can read; one that is an async iterable ends with the block."""
    from collections.abc import AsyncIterable

    if not isinstance(body, AsyncIterable):
        yield body
        return
    from asyncio import get_running_loop, run_coroutine_threadsafe

    loop, chunks, left = get_running_loop(), aiter(body), False

    async def piece() -> bytes | None:
        if left:
            raise InvalidArgument("the write was cancelled while its body was being read")
        return await anext(chunks, None)

    def pieces() -> Iterator[bytes]:
        while (chunk := run_coroutine_threadsafe(piece(), loop).result()) is not None:
            yield chunk

    try:
        yield pieces()
    finally:
        left = True
