"""Buckets in the file system: bytes in files of their own, everything else of an object in an index in SQLite.

    FOLDER/index.db    one row per object: key, version, size, content type, metadata
    FOLDER/data/ab/..  the bytes of a version, in a file with its name, never changed
    FOLDER/intents/    what writes in progress would leave behind if they were killed

A write makes a new file, then changes the row, then removes the old file, so that the row decides what an object is.
No key becomes a path.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from portable_contracts.blob import BlobDriver, BlobInfo, BlobStream, Prefix
from portable_contracts.errors import AlreadyExists, Conflict, InvalidArgument, NotFound, PortableError
from portable_contracts.provider import Page
from portable_local import _blob_events
from portable_local._addresses import checked_name, synchronous
from portable_local._contents import Contents
from portable_local._intents import Intents
from portable_local._sqlite import Database, classify_sqlite
from portable_local.limits import FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import timedelta

    from portable_contracts.blob import Source, WriteOptions
    from portable_contracts.provider import Address, Opening
    from portable_local._intents import Intent, Note
    from portable_local._signed import SignedServer

T = TypeVar("T")

# A deletion is an update of `deleted`, so that whoever records events learns when it was.
SCHEMA = """
CREATE TABLE objects (
    key TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    size INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    modified REAL NOT NULL,
    deleted REAL
) WITHOUT ROWID;
CREATE TRIGGER deleted AFTER UPDATE OF deleted ON objects BEGIN
    DELETE FROM objects WHERE key = NEW.key;
END;
"""
_VERSION = "SELECT version FROM objects WHERE key = ?"
_INFO = "SELECT key, version, size, content_type, metadata, modified FROM objects WHERE key = ?"
_LIST = (
    "SELECT key, version, size, content_type, metadata, modified FROM objects "
    "WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"
)
_PUT = (
    "INSERT INTO objects (key, version, size, content_type, metadata, modified) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (key) DO UPDATE SET version = excluded.version, size = excluded.size, "
    "content_type = excluded.content_type, metadata = excluded.metadata, modified = excluded.modified"
)
_DELETE = "UPDATE objects SET deleted = ? WHERE key = ? RETURNING version"
_DELETE_VERSION = "UPDATE objects SET deleted = ? WHERE key = ? AND version = ? RETURNING version"
_BEHIND_ALL_KEYS = b"\xff"
"""SQLite sorts any bytes behind all text."""


class Refused(Exception):
    """An object's state did not allow the operation."""

    def __init__(self, kind: type[PortableError], why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Damaged(Exception):
    """The index names a file that is not there, or not as it was written."""


class FileBucket(BlobDriver):
    """A bucket in a folder, for any number of threads and processes."""

    scheme = "file"
    capabilities = FILE

    def __init__(self, folder: str, name: str, clock: Callable[[], float], synchronous: str = "normal") -> None:
        self._folder = folder
        self._name = name
        self._clock = clock
        self._database = Database(
            os.path.join(folder, "index.db"),
            synchronous=synchronous,
            owner="bucket",
            scripts=[SCHEMA + _blob_events.SCHEMA],
        )
        self._contents = Contents(os.path.join(folder, "data"), durable=synchronous == "full")
        self._intents = Intents(os.path.join(folder, "intents"), self._clear)
        self._server: SignedServer | None = None
        self._server_lock = threading.Lock()

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> FileBucket:
        chosen = synchronous(address, address.parameters)
        if not address.path:
            name = checked_name(address, address.name)
            folder = os.path.join(opening.data, "buckets", name)
        elif address.name or not address.path.strip("/"):
            raise InvalidArgument(f"address {address}: write file://NAME, or file:///absolute/folder")
        else:
            name = folder = os.path.normpath(address.path)
        return cls(os.path.abspath(folder), name, opening.clock, chosen)

    def classify(self, error: Exception) -> type[PortableError]:
        if isinstance(error, Refused):
            return error.kind
        return classify_sqlite(error)

    def explain(self, error: Exception) -> str:
        if isinstance(error, sqlite3.Error):
            return self._database.explain(error)
        if isinstance(error, OSError) and error.errno in _ADVICE:
            return f"{error}: {_ADVICE[error.errno].format(folder=self._folder)}"
        return super().explain(error)

    def native(self) -> Path:
        return Path(self._folder)

    def close(self) -> None:
        with self._server_lock:
            server, self._server = self._server, None
        if server is not None:
            server.close()
        self._intents.close()
        self._database.close()

    def info(self, key: str) -> BlobInfo:
        row = self._database.connection().execute(_INFO, (key,)).fetchone()
        if row is None:
            raise Refused(NotFound, "there is no such object")
        return _info(row)

    def open(self, key: str, *, start: int, stop: int | None, if_version: str | None) -> BlobStream:
        info, content = self._found(key, self._contents.open)
        if if_version is not None and info.version != if_version:
            raise Refused(Conflict, f"the object is not at version {if_version!r}")
        if content.size() != info.size:
            raise Damaged(
                f"the file of its version {info.version} has {content.size():,} bytes, not {info.size:,}: restore it "
                f"in {self._folder}, or write the object anew"
            )
        return BlobStream(info, content.chunks(start, info.size if stop is None else min(stop, info.size)))

    def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
        version = _new_version()
        with self._intents.note() as note:
            note.write([(version, key)])
            size = self._contents.write(version, body)
            now = self._clock()
            info = BlobInfo(key, size, version, options.content_type, dict(options.metadata), _moment(now))
            self._commit(info, now, note, options.if_version, options.if_absent)
        return info

    def copy(self, source: str, target: str) -> BlobInfo:
        version = _new_version()
        with self._intents.note() as note:
            note.write([(version, target)])
            info, _ = self._found(source, lambda found: self._contents.copy(found, version))
            now = self._clock()
            info = info.replace(key=target, version=version, modified=_moment(now))
            self._commit(info, now, note)
        return info

    def _commit(
        self, info: BlobInfo, now: float, note: Note, if_version: str | None = None, if_absent: bool = False
    ) -> None:
        """Put *info* into the index, if what is there allows it, and remove the file of what it replaces."""
        with self._database.write() as connection:
            row = connection.execute(_VERSION, (info.key,)).fetchone()
            there = None if row is None else row[0]
            if if_absent and there is not None:
                raise Refused(AlreadyExists, "there is an object already")
            if if_version is not None and there != if_version:
                raise Refused(Conflict, f"the object is not at version {if_version!r}")
            if there is not None:
                note.write([(info.version, info.key), (there, info.key)])
            metadata = json.dumps(info.metadata) if info.metadata else ""
            connection.execute(_PUT, (info.key, info.version, info.size, info.content_type, metadata, now))
        if there is not None:
            self._discard(there)

    def delete(self, key: str, *, if_version: str | None) -> None:
        self._delete((key,), if_version)

    def delete_batch(self, keys: Sequence[str]) -> Sequence[Exception | None]:
        self._delete(keys, None)
        return [None] * len(keys)

    def _delete(self, keys: Sequence[str], if_version: str | None) -> None:
        with self._intents.note() as note:
            gone: list[Intent] = []
            with self._database.write() as connection:
                now = self._clock()
                for key in keys:
                    if if_version is None:
                        rows = connection.execute(_DELETE, (now, key)).fetchall()
                    else:
                        rows = connection.execute(_DELETE_VERSION, (now, key, if_version)).fetchall()
                        if not rows:
                            raise Refused(Conflict, f"the object is not at version {if_version!r}")
                    gone.extend((version, key) for (version,) in rows)
                if gone:
                    note.write(gone)
            for version, _ in gone:
                self._discard(version)

    def list_page(
        self, *, prefix: str, delimiter: str | None, cursor: str | None, limit: int
    ) -> Page[BlobInfo | Prefix]:
        # A cursor is where the next page begins.
        start: str | None = prefix if cursor is None else cursor
        stop = _behind(prefix) or _BEHIND_ALL_KEYS
        entries: list[BlobInfo | Prefix] = []
        full = False
        while start is not None and not full:
            full = len(entries) == limit
            start = self._list(entries, start, stop, prefix, delimiter, limit)
        return Page(entries, start)

    def _list(
        self,
        entries: list[BlobInfo | Prefix],
        start: str,
        stop: str | bytes,
        prefix: str,
        delimiter: str | None,
        limit: int,
    ) -> str | None:
        """Add entries up to *limit*, or up to the first group of keys; return where to go on, None at the end."""
        rows = self._database.connection().execute(_LIST, (start, stop, limit - len(entries) + 1))
        try:
            for row in rows:
                key: str = row[0]
                if len(entries) == limit:
                    return key
                cut = -1 if delimiter is None else key.find(delimiter, len(prefix))
                if cut >= 0:
                    # The other keys of the group are skipped, not read.
                    group = key[: cut + len(delimiter or "")]
                    entries.append(Prefix(group))
                    return _behind(group)
                entries.append(_info(row))
        finally:
            rows.close()  # Unread rows would hold a snapshot of the index open.
        return None

    def sign(self, key: str, *, method: str, expires: timedelta, content_type: str | None) -> str:
        from portable_local._signed import SignedServer

        with self._server_lock:
            if self._server is None or self._server.process != os.getpid():
                self._server = SignedServer(self, self._clock)
            return self._server.address(key, method, expires.total_seconds(), content_type)

    def feed(self, consumer: str) -> _blob_events.BucketFeed:
        return _blob_events.BucketFeed(self._database, self._name, consumer)

    def _found(self, key: str, use: Callable[[str], T]) -> tuple[BlobInfo, T]:
        """Describe the object, and *use* its version's file, whatever is written meanwhile."""
        missed = ""
        while True:
            info = self.info(key)
            try:
                return info, use(info.version)
            except FileNotFoundError as error:
                # It was replaced since the index was read, unless the index still names it.
                if info.version == missed:
                    raise Damaged(
                        f"the file of its version {missed} is gone from {self._folder}: restore it, or write the "
                        "object anew"
                    ) from error
                missed = info.version

    def _discard(self, version: str) -> None:
        try:
            self._contents.remove(version)
        except OSError:  # The object is as it was asked for: that counts.
            pass

    def _clear(self, intents: Iterable[Intent]) -> None:
        connection = self._database.connection()
        for version, key in intents:
            if connection.execute(_VERSION, (key,)).fetchone() != (version,):
                self._contents.remove(version)


_ADVICE = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "nothing was written; make room on the disk of {folder}"
    ),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS), "make {folder}, and all in it, readable and writable for this user"
    ),
    **dict.fromkeys(
        (errno.EEXIST, errno.ENOTDIR), "{folder} must be a folder: move the file away, or use another address"
    ),
}


def _new_version() -> str:
    return os.urandom(12).hex()


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _info(row: Any) -> BlobInfo:
    key, version, size, content_type, metadata, modified = row
    return BlobInfo(key, size, version, content_type, json.loads(metadata) if metadata else {}, _moment(modified))


def _behind(prefix: str) -> str | None:
    """Return the first text, in the order of code points, behind all that start with *prefix*; None where none is."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if following == 0xD800 else following)
