"""The async views: complete, of the same results and errors, and gentle with threads and memory."""

from __future__ import annotations

import asyncio
import copy
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from portable import aio
from portable._blob_stream import BlobReader
from portable.blob import Bucket
from portable.kv import Table
from portable.queue import Queue
from portable_contracts.errors import NotFound
from portable_contracts.events import Message

T = TypeVar("T")


def public(blocking: type) -> list[str]:
    """Return the operations of a blocking class; what opens one is no operation on it."""
    return [
        name
        for name, member in inspect.getmembers(blocking)
        if not name.startswith("_") and name != "at" and callable(member) and not inspect.isclass(member)
    ]


OPERATIONS = [
    pytest.param(view, name, id=f"{blocking.__name__}.{name}")
    for view, blocking in (
        (aio.AsyncTable, Table),
        (aio.AsyncBucket, Bucket),
        (aio.AsyncQueue, Queue),
        (aio.AsyncReader, BlobReader),
    )
    for name in public(blocking)
]


@pytest.mark.parametrize(("view", "operation"), OPERATIONS)
def test_every_operation_has_its_async_view(view: type, operation: str) -> None:
    assert operation in vars(view)


@pytest.mark.parametrize("operation", ["ack", "retry", "extend"])
def test_settling_a_message_has_its_async_view(operation: str) -> None:
    assert operation in vars(aio.AsyncMessage)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table.at(f"sqlite://{tmp_path}/tables.db?name=entries")


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return Bucket.at(f"file://{tmp_path}/photos")


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue.at(f"sqlite://{tmp_path}/queues.db?name=thumbs")


async def collected(items: AsyncIterator[T]) -> list[T]:
    return [item async for item in items]


def test_an_operation_gives_what_the_blocking_one_gives(table: Table) -> None:
    async def use() -> object:
        await aio.table(table).put("p", "s", {"n": 1})
        return (await aio.table(table).get("p", "s")).value

    assert asyncio.run(use()) == {"n": 1}


def test_an_operation_raises_what_the_blocking_one_raises(table: Table) -> None:
    with pytest.raises(NotFound):
        asyncio.run(aio.table(table).get("p", "missing"))


def test_operations_run_beside_each_other(table: Table) -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(value: object) -> int:
        both.wait()
        return 1

    async def use() -> None:
        view = aio.table(table)
        await asyncio.gather(view.update("a", "", meet), view.update("b", "", meet))

    asyncio.run(use())

    assert not both.broken


def test_a_query_gives_every_item_in_order(table: Table) -> None:
    for number in range(250):
        table.put("p", f"{number:03}", number)

    items = asyncio.run(collected(aio.table(table).query("p", reverse=True)))

    assert [item.value for item in items] == list(range(249, -1, -1))


def test_a_scan_gives_every_item(table: Table) -> None:
    for number in range(5):
        table.put(f"p{number}", "", number)

    items = asyncio.run(collected(aio.table(table).scan()))

    assert sorted(item.value for item in items) == [0, 1, 2, 3, 4]


def test_a_query_gives_what_came_before_an_error() -> None:
    class Broken(Table):
        def query(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            yield "first"
            raise NotFound("gone")

    seen: list[object] = []

    async def use() -> None:
        async for item in aio.table(Broken("t", pytest.fail)).query("p"):
            seen.append(item)

    with pytest.raises(NotFound):
        asyncio.run(use())

    assert seen == ["first"]


def test_a_query_that_is_left_ends_the_blocking_one(table: Table) -> None:
    ended = threading.Event()

    def numbers() -> Iterator[int]:
        try:
            yield from range(10_000)
        finally:
            ended.set()

    async def use() -> None:
        iterator = aio._iterate(numbers, 10)
        async for _ in iterator:
            break
        await iterator.aclose()  # type: ignore[attr-defined]  # it is a generator, as `async for` leaves it

    asyncio.run(use())

    assert ended.is_set()


def test_a_listing_gives_keys_and_prefixes(bucket: Bucket) -> None:
    for key in ("a/1", "a/2", "b"):
        bucket.write(key, b"")

    async def use() -> list[str]:
        view = aio.bucket(bucket)
        return [getattr(entry, "name", None) or entry.key async for entry in view.list(delimiter="/")]  # type: ignore[union-attr]  # a Prefix has a name

    assert asyncio.run(use()) == ["a/", "b"]


def test_a_stream_gives_its_description_and_its_bytes(bucket: Bucket) -> None:
    body = bytes(range(256)) * 20_000
    bucket.write("big", body)

    async def use() -> tuple[int, bytes]:
        async with await aio.bucket(bucket).open("big", start=5) as stream:
            return stream.info.size, b"".join([chunk async for chunk in stream])

    assert asyncio.run(use()) == (len(body), body[5:])


def test_a_stream_can_be_read_in_parts(bucket: Bucket) -> None:
    bucket.write("key", b"abcdef")

    async def use() -> list[bytes]:
        async with await aio.bucket(bucket).open("key") as stream:
            return [await stream.read(4), await stream.read()]

    assert asyncio.run(use()) == [b"abcd", b"ef"]


@pytest.mark.parametrize("operation", ["write", "create"])
def test_a_body_can_be_an_async_iterable(bucket: Bucket, operation: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for number in range(3):
            await asyncio.sleep(0)
            yield b"%d" % number

    asyncio.run(getattr(aio.bucket(bucket), operation)("key", chunks()))

    assert bucket.read("key") == b"012"


def test_what_an_async_body_raises_comes_out_and_leaves_nothing(bucket: Bucket) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"half"
        raise OSError("the client went away")

    with pytest.raises(OSError, match="went away"):
        asyncio.run(aio.bucket(bucket).write("key", chunks()))

    assert not bucket.exists("key")


def test_a_cancelled_write_leaves_nothing(bucket: Bucket) -> None:
    async def use() -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def chunks() -> AsyncIterator[bytes]:
            yield b"half"
            begun.set()
            await go_on.wait()
            yield b"rest"

        writing = asyncio.create_task(aio.bucket(bucket).write("key", chunks()))
        await begun.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        go_on.set()

    asyncio.run(use())  # Its end waits for the threads.

    assert not bucket.exists("key")


def test_a_received_message_is_settled_by_awaiting(queue: Queue) -> None:
    queue.send({"n": 1})

    async def use() -> tuple[object, int]:
        view = aio.queue(queue)
        (message,) = await view.receive()
        await message.ack()
        return message.json(), len(await view.receive())

    assert asyncio.run(use()) == ({"n": 1}, 0)


@pytest.mark.parametrize(
    "settle",
    [lambda message: message.retry(timedelta(0)), lambda message: message.extend(timedelta(seconds=20))],
    ids=["retry", "extend"],
)
def test_a_handlers_message_has_a_view_too(queue: Queue, settle: Callable[[aio.AsyncMessage], Awaitable[None]]) -> None:
    queue.send(b"")
    (message,) = queue.receive()

    async def use() -> None:
        await settle(aio.message(message))

    asyncio.run(use())


def test_messages_are_acknowledged_together(queue: Queue) -> None:
    queue.send_many([b"1", b"2"])

    async def use() -> list[object]:
        view = aio.queue(queue)
        return list(await view.ack_many(await view.receive()))

    assert asyncio.run(use()) == [None, None]


def test_a_message_view_has_every_field_of_the_message() -> None:
    declared = {field for field in Message._fields if field != "settlement"}
    message = aio.message(Message("1", "q", b"body"))

    assert {field for field in declared if getattr(message, field) == getattr(message.blocking, field)} == declared


def test_a_view_can_be_copied() -> None:
    message = aio.message(Message("1", "q", b"body"))

    assert copy.copy(message).id == "1"
