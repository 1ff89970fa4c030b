"""What a table refuses before a driver is called: keys, values, versions, moments and ranges that are wrong."""

from __future__ import annotations

from portable._driving import Connection, Resource
from portable_contracts.errors import InvalidArgument, LimitExceeded
from portable_contracts.kv import Create, Delete, Put, measure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from typing import Any

INT64 = 1 << 63


class TableArguments(Resource):
    """The base of Table: its methods raise InvalidArgument, or LimitExceeded that names whose limit it is."""

    kind = "table"

    def _check(self, operation: str, partition: str, sort: str) -> Connection:
        """Return the connection. Raises InvalidArgument or LimitExceeded for a wrong key."""
        connection = self._connection
        capabilities = connection.capabilities
        # What is printable has neither control characters nor surrogates; four bytes are the most a character takes.
        if not (
            type(partition) is str
            and type(sort) is str
            and 0 < len(partition) <= capabilities.max_partition_bytes // 4
            and len(sort) <= capabilities.max_sort_bytes // 4
            and partition.isprintable()
            and sort.isprintable()
        ):
            if partition == "":
                raise self._invalid(operation, "the partition key is empty")
            self._check_key(operation, "the partition key", partition, "max_partition_bytes")
            self._check_key(operation, "the sort key", sort, "max_sort_bytes")
        return connection

    def _check_key(self, operation: str, what: str, key: str, limit: str) -> None:
        if type(key) is not str:
            raise self._invalid(operation, f"{what} is {key!r}, of type {type(key).__name__}: keys are str")
        for character in key:
            if character < " " or "\x7f" <= character < "\xa0":
                raise self._invalid(operation, f"{what} {key!r} holds the control character {character!r}")
        try:
            size = len(key.encode())
        except UnicodeEncodeError:
            raise self._invalid(operation, f"{what} {key!r} holds a lone surrogate, which is no text") from None
        if size > getattr(self._connection.capabilities, limit):
            raise self._limit(limit, size, what, operation)

    def _measure(self, operation: str, value: Any, connection: Connection) -> None:
        capabilities = connection.capabilities
        try:
            size = measure(value, max_depth=capabilities.max_depth)
        except LimitExceeded as error:
            raise self._limit("max_depth", capabilities.max_depth + 1, "the depth of the value", operation) from error
        except InvalidArgument as error:
            raise self._invalid(operation, str(error)) from None
        if size > capabilities.max_item_bytes:
            raise self._limit("max_item_bytes", size, "the value", operation)

    def _check_version(self, operation: str, version: str) -> None:
        if type(version) is not str or not version:
            raise self._invalid(operation, f"if_version={version!r}: pass the version of an item that was read")

    def _check_count(self, operation: str, name: str, count: int) -> None:
        if type(count) is not int or count < 1:
            raise self._invalid(operation, f"{name}={count!r}: pass an int from 1")

    def _moment(self, operation: str, expires: datetime | timedelta, now: float) -> datetime:
        from datetime import datetime, timedelta, timezone

        if isinstance(expires, datetime):
            if expires.utcoffset() is None:
                raise self._invalid(operation, "expires has no time zone: pass an aware datetime, or a timedelta")
            seconds = expires.timestamp()
        elif isinstance(expires, timedelta):
            seconds = now + expires.total_seconds()
        else:
            raise self._invalid(operation, f"expires={expires!r}: pass an aware datetime, or a timedelta")
        try:
            return datetime.fromtimestamp(seconds, timezone.utc)
        except (OverflowError, ValueError, OSError):
            raise self._invalid(operation, f"expires={expires!r} is outside the years 1 to 9999") from None

    def _bounds(
        self, operation: str, partition: str, prefix: str, start: str | None, stop: str | None
    ) -> tuple[str | None, str | None] | None:
        """Return the first sort key and the one after the last, None for an open end; or None for an empty range."""
        self._check(operation, partition, "")
        self._check_key(operation, "prefix", prefix, "max_sort_bytes")
        lower, upper = prefix or None, _after_prefix(prefix)
        if start is not None:
            self._check_key(operation, "start", start, "max_sort_bytes")
            lower = start if lower is None else max(lower, start)
        if stop is not None:
            self._check_key(operation, "stop", stop, "max_sort_bytes")
            upper = stop if upper is None else min(upper, stop)
        if upper is not None and upper <= (lower or ""):
            return None
        return lower, upper

    def _checked(self, partition: str, operation: Put | Create | Delete, now: float) -> Put | Create | Delete:
        """Return an operation of a transaction as the driver gets it."""
        if type(operation) not in (Put, Create, Delete):
            raise self._invalid("transact", f"{operation!r} is not a Put, Create or Delete")
        connection = self._check("transact", partition, operation.sort)
        if not isinstance(operation, Create) and operation.if_version is not None:
            self._check_version("transact", operation.if_version)
        if isinstance(operation, Delete):
            return operation
        self._measure("transact", operation.value, connection)
        if operation.expires is None:
            return operation
        return operation.replace(expires=self._moment("transact", operation.expires, now))


def _after_prefix(prefix: str) -> str | None:
    """Return the least key that is greater than all that begin with *prefix*; None where there is none."""
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return None
    # The order of code points is that of their UTF-8. Neither control characters nor surrogates are in keys.
    following = {"~": "\u00a0", "\ud7ff": "\ue000"}.get(kept[-1]) or chr(ord(kept[-1]) + 1)
    return kept[:-1] + following
