"""Carry the items of a table."""

from __future__ import annotations

import struct
import time
from hashlib import sha256
from threading import Event

from portable.copying._parallel import side_by_side
from portable_contracts.errors import InvalidArgument, NotFound, PermissionDenied, PortableError
from portable_contracts.kv import measure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from portable.copying._places import Place
    from portable.copying._report import Report
    from portable.kv import Table
    from portable_contracts.kv import Item

BATCH_BYTES = 1 << 20
"""A batch ends when its values have so many."""


class Items:
    """The copy of a table.

    What is there is found by reading the target: an item that is equal already is not written again.
    """

    def __init__(self, source: Place, target: Place, report: Report, parallel: int) -> None:
        self._source: Table = source.resource  # type: ignore[assignment]  # of this kind are both places
        self._target: Table = target.resource  # type: ignore[assignment]  # likewise
        self._report = report
        self._parallel = parallel
        self._stopping = Event()

    def run(self) -> None:
        size = self._target._connection.capabilities.max_get_batch
        side_by_side(_batches(self._source.scan(), size), self._carry, self._parallel, self._stopping)

    def measure(self) -> None:
        """Count nothing: that would read, and pay for, every item."""

    def _carry(self, items: Sequence[Item]) -> None:
        self._report.add(found=len(items))
        left = [item for item in items if self._is_allowed(item)]
        there = self._read(left)
        if there is None or self._stopping.is_set():
            return
        present = [item for item, other in zip(left, there, strict=True) if other is not None and _equal(item, other)]
        known = {(item.partition, item.sort) for item in present}
        written = [item for item in left if (item.partition, item.sort) not in known]
        self._report.add(unchanged=len(present))
        self._sum_up((item, item) for item in present)
        if self._report.dry_run:
            self._report.add(copied=len(written))
            return
        written = [item for item in written if self._write(item)]
        if self._report.verify:
            self._verify(written)
        else:
            self._report.add(copied=len(written))

    def _is_allowed(self, item: Item) -> bool:
        """Check the item against what the target takes; report where it does not."""
        try:
            connection = self._target._check("copy", item.partition, item.sort)
            self._target._measure("copy", item.value, connection)
        except PortableError as error:
            self._fail(item, error)
            return False
        return True

    def _read(self, items: Sequence[Item]) -> Sequence[Item | None] | None:
        """Return what the target has in place of *items*; None where it cannot be read, which is reported."""
        try:
            return self._target.get_many([(item.partition, item.sort) for item in items])
        except (NotFound, PermissionDenied):
            raise  # It is the table, not these items.
        except PortableError as error:
            for item in items:
                self._fail(item, error)
            return None

    def _write(self, item: Item) -> bool:
        if self._stopping.is_set():
            return False
        try:
            self._target.put(item.partition, item.sort, item.value, expires=item.expires)
        except PortableError as error:
            self._fail(item, error)
            return False
        return True

    def _verify(self, items: Sequence[Item]) -> None:
        """Read *items* back and compare them."""
        there = self._read(items)
        for item, back in zip(items, there or (), strict=there is not None):
            if back is None:
                if item.expires is None or item.expires.timestamp() > time.time():
                    self._fail(item, PortableError("it was not there when it was read back"))
                continue
            self._sum_up([(item, back)])
            if _bytes(back.value) != _bytes(item.value):
                self._fail(item, PortableError("it was read back with another value than was sent"))
                continue
            self._report.add(copied=1)
            if back.expires != item.expires:
                self._report.lose(_place(item), f"the expiry {item.expires}: it became {back.expires}")

    def _sum_up(self, pairs: Iterable[tuple[Item, Item]]) -> None:
        if not self._report.verify or self._report.dry_run:
            return  # Not every item is read back, so that the sums would say nothing.
        for item, other in pairs:
            self._report.sum_up(_sum(item), _sum(other))

    def _fail(self, item: Item, error: PortableError) -> None:
        self._report.fail(_place(item), error)


def _batches(items: Iterator[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield the items in batches of *size*, fewer where they are large."""
    batch: list[Item] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += _weight(item.value)
        if len(batch) == size or weight >= BATCH_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _weight(value: Any) -> int:
    try:
        return measure(value)
    except InvalidArgument:
        return BATCH_BYTES  # What this one holds the target will say.


def _place(item: Item) -> str:
    return f"{item.partition!r}, {item.sort!r}" if item.sort else repr(item.partition)


def _equal(item: Item, other: Item) -> bool:
    return item.expires == other.expires and _bytes(item.value) == _bytes(other.value)


def _sum(item: Item) -> int:
    """Return a number of 256 bits for keys and value; the sum of such numbers does not depend on the items' order."""
    return int.from_bytes(sha256(_bytes([item.partition, item.sort, item.value])).digest(), "big")


def _bytes(value: Any) -> bytes:
    """Return bytes that two values share only if they are equal and of the same types."""
    if isinstance(value, dict):
        entries = b"".join(_bytes(name) + _bytes(entry) for name, entry in sorted(value.items()))
        return b"m%d:%b" % (len(value), entries)
    if isinstance(value, list):
        return b"l%d:%b" % (len(value), b"".join(map(_bytes, value)))
    if isinstance(value, str):
        encoded = value.encode()
        return b"s%d:%b" % (len(encoded), encoded)
    if isinstance(value, bytes):
        return b"b%d:%b" % (len(value), value)
    if isinstance(value, float):
        return b"f" + struct.pack(">d", value)
    return f"{value};".encode()  # None, True, False, or an int
