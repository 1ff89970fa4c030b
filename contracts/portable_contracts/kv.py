"""The KV contract: items with a partition key, an optional sort key, a value and a version.

What the portable type (`portable.Table`) guarantees to every driver: keys keep the portable grammar and the declared
limits; values passed `measure`; every option is filled in; nothing that `capabilities` does not declare is asked for.
*now* in the calls below is seconds since the epoch: an item whose `expires` is at or before it counts as absent.
"""

from __future__ import annotations

from abc import abstractmethod

from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument, LimitExceeded
from portable_contracts.limits import Capabilities
from portable_contracts.provider import Driver, Page

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any, ClassVar

    from portable_contracts.errors import PortableError
    from portable_contracts.events import Change, Feed


class Item(Value):
    """One item of a table."""

    partition: str
    sort: str
    value: Any
    """None, bool, int, float, str, bytes, list or dict, nested."""
    version: str
    """Opaque; changes with every write."""
    expires: datetime | None = None
    """When it stops being returned; aware, in UTC."""


class Put(Value):
    """In a transaction: write *value* at *sort*, over *if_version* only where one is given."""

    sort: str
    value: Any
    if_version: str | None = None
    expires: datetime | None = None


class Create(Value):
    """In a transaction: write *value* at *sort*, where nothing is."""

    sort: str
    value: Any
    expires: datetime | None = None


class Delete(Value):
    """In a transaction: delete *sort*, only at *if_version* where one is given."""

    sort: str
    if_version: str | None = None


class KVCapabilities(Capabilities):
    """What a KV service promises. The defaults are the portable profile."""

    transactions: bool = True
    changes: bool = True
    """Changes reach `on_change`."""
    feed: bool = False
    """Changes can be pulled (`feed`), so that a poller can drive `on_change`."""
    sweeps: bool = True
    """The service itself removes expired items, sooner or later."""
    scan_segments: bool = True
    """`scan` can be split into segments that are read side by side."""
    max_partition_bytes: int = 512
    max_sort_bytes: int = 512
    max_item_bytes: int = 400_000
    """By `measure`."""
    max_depth: int = 20
    max_transaction: int = 25
    max_get_batch: int = 100
    max_page: int = 1000


class KVDriver(Driver):
    """One table of one service; every read is strongly consistent.

    Promises, each tested by the suite:
    a value comes back equal, by type too: 1.0 as a float, -0.0, empty strings, bytes, lists and maps, ints of 64 bits.
    Of racing `if_absent` writes one wins, and of racing writes guarded by one version likewise.
    `increment` loses no step, whoever else increments.
    """

    capabilities: ClassVar[KVCapabilities]

    @abstractmethod
    def get(self, partition: str, sort: str, *, now: float) -> Item | None:
        """Return the item, or None."""

    @abstractmethod
    def get_batch(self, keys: Sequence[tuple[str, str]], *, now: float) -> Sequence[Item | None]:
        """Return up to `max_get_batch` items, one per key, in the order of *keys*."""

    @abstractmethod
    def put(
        self,
        partition: str,
        sort: str,
        value: Any,
        *,
        expires: float | None,
        if_version: str | None,
        if_absent: bool,
        now: float,
    ) -> str:
        """Write the item and return its version. *expires* is in seconds since the epoch.

        With *if_version* anything but that version, or nothing, classifies as Conflict; with *if_absent* an item that
        is there classifies as AlreadyExists. Never both.
        """

    @abstractmethod
    def delete(self, partition: str, sort: str, *, if_version: str | None, now: float) -> None:
        """Delete the item; a missing one succeeds. With *if_version* anything else, or nothing, is a Conflict."""

    @abstractmethod
    def increment(self, partition: str, sort: str, field: str, by: int, *, now: float) -> int:
        """Add *by* to the whole number at *field* of the item's map, atomically, and return the sum.

        A missing item is made, a missing field counts as 0. A value that is not a map, a field that is not an int, or
        a sum beyond 64 bits classifies as InvalidArgument and changes nothing. The item's expiry stays.
        """

    @abstractmethod
    def query_page(
        self,
        partition: str,
        *,
        start: str | None,
        stop: str | None,
        after: str | None,
        reverse: bool,
        limit: int,
        now: float,
    ) -> Page[Item]:
        """Return the next up to *limit* items of the partition, in the byte order of UTF-8 of their sort keys.

        *start* is included, *stop* is not; either None is open. *after* is the last sort key that was seen, in the
        order of reading. The page's cursor is the last sort key that was looked at, None when there is no more; a page
        may hold fewer items than *limit*, even none, and still have a cursor.
        """

    def transact(
        self, partition: str, operations: Sequence[Put | Create | Delete], *, now: float
    ) -> Sequence[str | None]:
        """Do all of *operations* or none; return the new version of each, None for a Delete.

        A refusal classifies as Conflict, and `reasons` says which operation was refused and why.
        """
        raise NotImplementedError

    def reasons(self, error: Exception) -> Sequence[type[PortableError] | None]:
        """For what `transact` raised: per operation why it was refused, None where it was not; empty if unknown."""
        return ()

    @abstractmethod
    def scan_page(self, *, segment: int, segments: int, cursor: str | None, limit: int, now: float) -> Page[Item]:
        """Return the next items of one of *segments* disjoint parts of the table, in any order."""

    def feed(self, consumer: str) -> Feed[Change]:
        """Return the changes for *consumer*, from where it stopped; one never seen starts at its first call."""
        raise NotImplementedError


_INT64 = 1 << 63


def measure(value: Any, *, max_depth: int = 20, where: str = "value") -> int:
    """Return the size of *value* as the limit on items counts it; the keys are not in it.

    The count is at least what any service bills: names and text by their UTF-8 bytes, bytes by their length, numbers
    12, None and booleans 1, lists and maps 3, and 1 for each entry.
    Raises InvalidArgument, naming the place, for what no table takes: NaN and infinities, ints beyond 64 bits, map keys
    that are not str, lone surrogates, other types (a tuple would come back as a list); LimitExceeded past *max_depth*.
    """
    try:
        return _size(value, max_depth)
    except _Refused as refusal:
        place = where + "".join(f"[{step!r}]" for step in reversed(refusal.path))
        error = LimitExceeded(f"{place} is nested deeper than {max_depth} levels", limit="max_depth", allowed=max_depth)
        raise error if refusal.too_deep else InvalidArgument(f"{place} {refusal.why}") from None


class _Refused(Exception):
    def __init__(self, why: str, too_deep: bool = False) -> None:
        self.why = why
        self.too_deep = too_deep
        self.path: list[str | int] = []


def _size(value: Any, depth: int) -> int:
    kind = type(value)
    if kind is str:
        if value.isascii():
            return len(value)
        try:
            return len(value.encode())
        except UnicodeEncodeError:
            raise _Refused("holds a lone surrogate, which UTF-8 cannot carry") from None
    if kind is dict:
        if depth <= 0:
            raise _Refused("", too_deep=True)
        size = 3
        for name, entry in value.items():
            if type(name) is not str:
                raise _Refused(f"has the map key {name!r}: map keys are str")
            try:
                size += 1 + _size(name, 0) + _size(entry, depth - 1)
            except _Refused as refusal:
                refusal.path.append(name)
                raise
        return size
    if kind is int:
        if not -_INT64 <= value < _INT64:
            raise _Refused("is an int beyond 64 bits: store it as text")
        return 12
    if kind is float:
        if value - value != 0.0:
            raise _Refused(f"is {value}: no table stores NaN or infinity")
        return 12
    if value is None or kind is bool:
        return 1
    if kind is bytes:
        return len(value)
    if kind is list:
        if depth <= 0:
            raise _Refused("", too_deep=True)
        size = 3
        for index, entry in enumerate(value):
            try:
                size += 1 + _size(entry, depth - 1)
            except _Refused as refusal:
                refusal.path.append(index)
                raise
        return size
    hint = ": use a list" if isinstance(value, (tuple, set, frozenset)) else ""
    raise _Refused(f"is of type {kind.__name__}, which no table stores{hint}")
