"""Remember which objects are copied: a file that outlives `kill -9`, so that a second run reads none of them again.

It holds, per object, the state of both ends when they were found equal. An end that has changed since then is looked at
again; so losing the file, or a power failure that takes its last lines, costs time and nothing else.
"""

from __future__ import annotations

import json
import os
import sqlite3
from hashlib import sha256
from threading import Lock

from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from portable.copying._places import Place
    from portable_contracts.blob import BlobInfo
    from portable_contracts.provider import Opening

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS copied "
    "(key TEXT PRIMARY KEY, source TEXT, target TEXT, verified INT, losses TEXT) WITHOUT ROWID"
)
_PUT = "INSERT OR REPLACE INTO copied VALUES (?, ?, ?, ?, ?)"


class Journal:
    """The objects of one copy that are done."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = Lock()

    def open(self) -> None:
        """Open the file, or make it. Raises InvalidArgument for one that is something else."""
        try:
            os.makedirs(os.path.dirname(os.path.abspath(self._path)), exist_ok=True)
            self._connection = _opened(self._path)
        except (OSError, sqlite3.Error) as error:
            raise InvalidArgument(
                f"{self._path} cannot be used as a journal: {error}; remove it, or name another file"
            ) from error

    def close(self) -> None:
        self._connection.close()

    def done(self, key: str, source: BlobInfo, target: BlobInfo, losses: Sequence[str], *, verified: bool) -> None:
        """Remember that *key* is copied, and what of it could not be carried."""
        row = (key, _state(source), _state(target), verified, json.dumps(losses))
        with self._lock:
            self._connection.execute(_PUT, row)

    def losses(self, key: str, source: BlobInfo, target: BlobInfo, *, verified: bool) -> Sequence[str] | None:
        """Return what could not be carried when *key* was copied; None where it was not, or an end has changed since.

        With *verified* only a copy that was read back counts.
        """
        with self._lock:
            row = self._connection.execute("SELECT * FROM copied WHERE key = ?", (key,)).fetchone()
        if row is None or row[1:3] != (_state(source), _state(target)) or row[3] < verified:
            return None
        found: list[str] = json.loads(row[4])
        return found


def _opened(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _state(info: BlobInfo) -> str:
    # Where equal bytes have equal versions, the moment tells a write that changed the metadata alone.
    return f"{info.version} {info.size} {int(info.modified.timestamp())}"


def journal_for(source: Place, target: Place, path: str | None, opening: Opening) -> Journal:
    """Return the journal at *path*, by default the one of this source and target in the folder of local data."""
    if path is None:
        pair = f"{source.base} {source.prefix} {target.base} {target.prefix}"
        path = os.path.join(opening.data, "copies", sha256(pair.encode()).hexdigest()[:32] + ".db")
    return Journal(path)
