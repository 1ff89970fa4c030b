"""Tables in Redis: a hash for each item, readable in redis-cli, and sorted sets that know their order."""

from __future__ import annotations

from binascii import crc32
from datetime import datetime, timezone
from os import urandom
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import NoScriptError

from portable_contracts.errors import AlreadyExists, Conflict, InvalidArgument, PortableError
from portable_contracts.kv import Create, Delete, Item, KVDriver, Put
from portable_contracts.provider import Page
from portable_redis import _errors
from portable_redis._addresses import server_and_table
from portable_redis._asking import ask
from portable_redis._clients import client
from portable_redis._json import dump, load, name
from portable_redis._scripts import DELETE, INCREMENT, PUT, READ, TRANSACT, Script
from portable_redis.limits import REDIS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portable_contracts.provider import Address, Opening
    from portable_redis._addresses import Server

GROUPS = 64
"""How many parts a table has; each lies in one slot of a Redis Cluster. Another number would not find what is there."""
PAGE_BYTES = 4 << 20
"""A page ends past this much JSON: the server does nothing else while it makes one."""

_REFUSALS: dict[bytes, type[PortableError] | None] = {b"exists": AlreadyExists, b"conflict": Conflict, b"": None}


class Refused(Exception):
    """An item's state did not allow the operation."""

    def __init__(self, kind: type[PortableError], why: str, reasons: Sequence[type[PortableError] | None] = ()) -> None:
        super().__init__(why)
        self.kind = kind
        self.reasons = reasons


class Group:
    """The keys of one of a table's parts."""

    def __init__(self, table: str, number: int) -> None:
        tag = f"{{{table}:{number}}}".encode()
        self.items = tag + b":item:"
        self.index = tag + b":keys"
        self.expiring = tag + b":expiring"


class RedisTable(KVDriver):
    """One table of one server, for any number of threads and processes."""

    scheme = "redis"
    capabilities = REDIS

    def __init__(self, server: Server, table: str) -> None:
        self._server = server
        self._groups = [Group(table, number) for number in range(GROUPS)]

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> RedisTable:
        return cls(*server_and_table(address))

    def classify(self, error: Exception) -> type[PortableError]:
        return error.kind if isinstance(error, Refused) else _errors.classify(error)

    def explain(self, error: Exception) -> str:
        return str(error) if isinstance(error, Refused) else _errors.explain(error)

    def changed_nothing(self, error: Exception) -> bool:
        return _errors.changed_nothing(error)

    def reasons(self, error: Exception) -> Sequence[type[PortableError] | None]:
        return error.reasons if isinstance(error, Refused) else ()

    def native(self) -> Any:
        return client(self._server)

    def get(self, partition: str, sort: str, *, now: float) -> Item | None:
        found = ask(client(self._server), ("HMGET", self._key(partition, sort), b"value", b"version", b"expires"))
        return _item(partition, sort, found, now)

    def get_batch(self, keys: Sequence[tuple[str, str]], *, now: float) -> Sequence[Item | None]:
        pipeline = client(self._server).pipeline(transaction=False)
        for partition, sort in keys:
            pipeline.execute_command("HMGET", self._key(partition, sort), "value", "version", "expires")
        return [
            _item(partition, sort, found, now)
            for (partition, sort), found in zip(keys, pipeline.execute(), strict=True)
        ]

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
        version = _new_version()
        arguments = [repr(now), dump(value), version]
        guarded = if_absent or if_version is not None
        if guarded:
            arguments += (_seconds(expires), "absent" if if_absent else "version", if_version or "")
        elif expires is not None:
            arguments.append(_seconds(expires))
        answer = self._run(PUT, [self._key(partition, sort)], arguments, again=guarded)
        if answer == b"exists":
            raise Refused(AlreadyExists, "there is an item already")
        if answer == b"conflict":
            raise Refused(Conflict, "the item has another version, or is gone")
        return version

    def delete(self, partition: str, sort: str, *, if_version: str | None, now: float) -> None:
        arguments = [repr(now)] if if_version is None else [repr(now), if_version]
        answer = self._run(DELETE, [self._key(partition, sort)], arguments)
        if answer == b"conflict":
            raise Refused(Conflict, "the item has another version, or is gone")

    def increment(self, partition: str, sort: str, field: str, by: int, *, now: float) -> int:
        arguments = [repr(now), _new_version(), name(field), str(by)]
        code, *rest = self._run(INCREMENT, [self._key(partition, sort)], arguments)
        if code == b"no map":
            raise Refused(InvalidArgument, "the item's value is not a map")
        if code == b"no int":
            raise Refused(InvalidArgument, f"field {field!r} is {rest[0].decode(errors='replace')}, not an int")
        if code == b"too large":
            raise Refused(InvalidArgument, f"field {field!r} would be beyond 64 bits")
        return int(rest[0])

    def transact(
        self, partition: str, operations: Sequence[Put | Create | Delete], *, now: float
    ) -> Sequence[str | None]:
        arguments = [repr(now)]
        versions: list[str | None] = []
        token = _new_version()
        for place, operation in enumerate(operations):
            if isinstance(operation, Delete):
                versions.append(None)
                arguments += ("delete", "", "", "", operation.if_version or "")
                continue
            version = f"{token}{place}"
            versions.append(version)
            moment = _seconds(None if operation.expires is None else operation.expires.timestamp())
            if isinstance(operation, Create):
                arguments += ("create", dump(operation.value), version, moment, "")
            else:
                arguments += ("put", dump(operation.value), version, moment, operation.if_version or "")
        keys = [self._key(partition, operation.sort) for operation in operations]
        answer = self._run(TRANSACT, keys, arguments, again=any(versions))
        if answer[0] != b"done":
            reasons = [_REFUSALS[code] for code in answer]
            refusals = ", ".join(
                f"{type(operation).__name__} {operation.sort!r} ({reason.__name__})"
                for operation, reason in zip(operations, reasons, strict=True)
                if reason is not None
            )
            raise Refused(Conflict, f"nothing was done, because of {refusals}", reasons)
        return versions

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
        head = partition.encode() + b"\t"
        lower = b"[" + head if start is None else b"[" + head + start.encode()
        upper = b"(" + partition.encode() + b"\n" if stop is None else b"(" + head + stop.encode()
        if after is not None and reverse:
            upper = b"(" + head + after.encode()
        elif after is not None:
            lower = b"(" + head + after.encode()
        last, items = self._read(self._group(partition), lower, upper, reverse, limit, now)
        return Page(items, last.partition(b"\t")[2].decode() if last else None)

    def scan_page(self, *, segment: int, segments: int, cursor: str | None, limit: int, now: float) -> Page[Item]:
        number, lower = segment, b"-"
        if cursor is not None:
            place, _, after = cursor.partition(":")
            number, lower = int(place), b"(" + after.encode() if after else b"-"
        items: list[Item] = []
        while number < GROUPS and len(items) < limit:
            last, found = self._read(self._groups[number], lower, b"+", False, limit - len(items), now)
            items += found
            if last:
                return Page(items, f"{number}:{last.decode()}")
            number, lower = number + segments, b"-"
        return Page(items, f"{number}:" if number < GROUPS else None)

    def _read(
        self, group: Group, lower: bytes, upper: bytes, reverse: bool, limit: int, now: float
    ) -> tuple[bytes, list[Item]]:
        """Return the last key that was looked at, empty at the end, and the items from *lower* to *upper*."""
        command, first, second = ("ZREVRANGEBYLEX", upper, lower) if reverse else ("ZRANGEBYLEX", lower, upper)
        last, *found = self._run(
            READ,
            [group.index],
            [repr(now), command, first, second, str(limit), str(PAGE_BYTES)],
        )
        items = []
        for each in found:
            member, version, expires, value = each.split(b"\n", 3)
            partition, _, sort = member.decode().partition("\t")
            items.append(Item(partition, sort, load(value.decode()), version.decode(), _moment(expires)))
        return last, items

    def _run(
        self, script: Script, keys: Sequence[bytes], arguments: Sequence[bytes | str], *, again: bool = False
    ) -> Any:
        """Run *script*; with *again* once more where the connection was lost, which its own version makes harmless."""
        connected = client(self._server)
        try:
            return ask(connected, ("EVALSHA", script.sha, str(len(keys)), *keys, *arguments))
        except NoScriptError:  # The server was started, or its scripts were forgotten, since it saw this one.
            return ask(connected, ("EVAL", script.text, str(len(keys)), *keys, *arguments))
        except LostConnection:
            if not again:
                raise
            return self._run(script, keys, arguments)

    def _group(self, partition: str) -> Group:
        return self._groups[crc32(partition.encode()) % GROUPS]

    def _key(self, partition: str, sort: str) -> bytes:
        return self._group(partition).items + f"{partition}\t{sort}".encode()


class TlsRedisTable(RedisTable):
    """Likewise, over TLS."""

    scheme = "rediss"


def _new_version() -> str:
    return urandom(9).hex()


def _seconds(expires: float | None) -> str:
    return "" if expires is None else repr(expires)


def _moment(expires: bytes | None) -> datetime | None:
    return datetime.fromtimestamp(float(expires), timezone.utc) if expires else None


def _item(partition: str, sort: str, found: Sequence[bytes], now: float) -> Item | None:
    value, version, expires = found
    if value is None:
        return None
    if expires is None:
        return Item(partition, sort, load(value.decode()), version.decode())
    if float(expires) <= now:
        return None
    return Item(partition, sort, load(value.decode()), version.decode(), _moment(expires))
