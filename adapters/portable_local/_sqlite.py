"""SQLite files that several threads and processes use at once: connections, transactions, schema, errors."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from portable_contracts.errors import InvalidArgument, PermissionDenied, PortableError, Unavailable, Unsupported

if TYPE_CHECKING:
    from collections.abc import Sequence

OLDEST = (3, 35, 0)
"""The first SQLite with RETURNING."""
BUSY_SECONDS = 10.0
"""How long a statement waits for another process's transaction before it fails as Unavailable."""
CACHED_STATEMENTS = 256


class Database:
    """One SQLite file in WAL mode, opened on first use.

    Its schema is made of *scripts*, each run once per file in one transaction; *owner* names them, so that several
    owners can keep their tables in one file. A script, once released, never changes: a new one goes behind it.
    Everything done through it raises `sqlite3.Error` or `OSError` for `classify_sqlite`.
    """

    def __init__(self, path: str, *, synchronous: str = "NORMAL", owner: str = "", scripts: Sequence[str] = ()) -> None:
        if synchronous.upper() not in ("OFF", "NORMAL", "FULL"):
            raise InvalidArgument(f"synchronous={synchronous!r} for {path}: use off, normal or full")
        self.path = os.path.abspath(path)
        self.synchronous = synchronous.upper()
        self._owner = owner
        self._scripts = scripts
        self._local = threading.local()
        _databases[id(self)] = self

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection, in autocommit mode. Do not keep it: take it anew for each operation."""
        handle: _Handle | None = getattr(self._local, "handle", None)
        return handle.connection if handle is not None else self._open()

    def write(self) -> Transaction:
        """Return a context manager: a transaction that holds the write lock from its start; gives the connection.

        Use that connection in it and no other: `connection()` may give another one once somebody called `close`.
        """
        return Transaction(self.connection())

    def close(self) -> None:
        """Close every thread's connection, those in use as soon as their user is done; a later call opens anew."""
        # The handles go with the thread-local, and with each handle its connection, unless a running call holds it.
        self._local = threading.local()

    def _open(self) -> sqlite3.Connection:
        handle = _Handle(self._connect())
        # Nobody but the handle holds the connection here: where there are more references, somebody is using it.
        handle.idle_references = handle.references()
        self._local.handle = handle
        return handle.connection

    def _connect(self) -> _Connection:
        if sqlite3.sqlite_version_info < OLDEST:
            raise Unsupported(
                f"this Python has SQLite {sqlite3.sqlite_version}; the local provider needs "
                f"{'.'.join(map(str, OLDEST))} or newer: use a Python built with a newer one"
            )
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        connection = sqlite3.connect(
            self.path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,  # whichever thread lets go of it closes it
            cached_statements=CACHED_STATEMENTS,
            factory=_Connection,
        )
        connection.process = os.getpid()
        try:
            _use_wal(connection)
            connection.execute(f"PRAGMA synchronous={self.synchronous}")
            if self._scripts:
                _migrate(connection, self._owner, self._scripts)
        except BaseException:
            connection.close()
            raise
        return connection

    def explain(self, error: Exception) -> str:
        """Return what *error* says, with the file's path and what to do about it."""
        text = str(error) or type(error).__name__
        advice = next((advice for fragment, _, advice in _MEANINGS if fragment in text), None)
        if advice is None:
            return text if self.path in text else f"{text} ({self.path})"
        return f"{text}: {advice.format(path=self.path)}"


class Transaction:
    """`with database.write() as connection:` commits at the end, or rolls back when the block or the commit raises."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Connection:
        self._connection.execute("BEGIN IMMEDIATE")
        return self._connection

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:  # A full disk rolls back by itself.
                self._connection.execute("ROLLBACK")


class _Connection(sqlite3.Connection):
    process = 0

    def __del__(self) -> None:
        if self.process == os.getpid():
            self.close()
        elif self.process:
            # Closing what was open across a fork would undo what the parent is writing: leak it.
            import ctypes

            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))


class _Handle:
    """Closes the connection when its thread or its Database is done with it, not when the garbage collector comes."""

    __slots__ = ("connection", "idle_references")

    def __init__(self, connection: _Connection) -> None:
        self.connection = connection
        self.idle_references = 0

    def references(self) -> int:
        """Count the references to the connection; those of its own cache are among them, in every version."""
        return sys.getrefcount(self.connection)

    def __del__(self) -> None:
        if self.references() <= self.idle_references and self.connection.process == os.getpid():
            self.connection.close()


_databases: WeakValueDictionary[int, Database] = WeakValueDictionary()


def _let_go_before_fork() -> None:
    # SQLite keeps its locks in the process's memory: a child that inherited an open file would believe that it holds
    # them, and its log could be deleted under it. So nothing that is idle stays open; both sides open anew.
    for reference in _databases.valuerefs():
        database = reference()
        if database is not None:
            database.close()


os.register_at_fork(before=_let_go_before_fork)


def _use_wal(connection: sqlite3.Connection) -> None:
    # The change to WAL does not wait for other connections as everything else does: it fails at once.
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
        time.sleep(0.005)


def _migrate(connection: sqlite3.Connection, owner: str, scripts: Sequence[str]) -> None:
    if _version(connection, owner) == len(scripts):
        return
    with Transaction(connection):
        connection.execute(
            "CREATE TABLE IF NOT EXISTS portable_schema (owner TEXT PRIMARY KEY, version INTEGER) WITHOUT ROWID"
        )
        done = _version(connection, owner)
        if done > len(scripts):
            raise Unsupported(
                f"{owner} in {connection.execute('PRAGMA database_list').fetchone()[2]} has schema {done}, and this "
                f"version of portable knows {len(scripts)}: upgrade portable, or use another data folder"
            )
        for script in scripts[done:]:
            for statement in statements(script):
                connection.execute(statement)
        connection.execute("INSERT OR REPLACE INTO portable_schema VALUES (?, ?)", (owner, len(scripts)))


def _version(connection: sqlite3.Connection, owner: str) -> int:
    try:
        row = connection.execute("SELECT version FROM portable_schema WHERE owner = ?", (owner,)).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return 0
    return 0 if row is None else int(row[0])


def statements(script: str) -> list[str]:
    """Return the statements of *script*, one by one: `executescript` commits the transaction that it is called in."""
    complete, pending = [], ""
    for part in script.split(";")[:-1]:
        pending += part + ";"
        if sqlite3.complete_statement(pending):
            complete.append(pending)
            pending = ""
    return complete


# By their texts, which are SQLite's own and old: Python 3.10 does not give the codes.
_MEANINGS: Sequence[tuple[str, type[PortableError], str]] = (
    ("is locked", Unavailable, f"another process has been writing to {{path}} for {BUSY_SECONDS:.0f} s"),
    ("is full", PortableError, "nothing was written; make room on the disk of {path}"),
    ("readonly database", PermissionDenied, "make {path} and its folder writable for this user"),
    ("unable to open", PermissionDenied, "{path} and its folder must be readable and writable for this user"),
    ("not a database", PortableError, "{path} holds something else; move it away, or give the address another file"),
    ("malformed", PortableError, "{path} is damaged; restore a copy, or move it away to start empty"),
    ("disk I/O error", PortableError, "the disk of {path} fails, or the file was taken away while it was open"),
)


def classify_sqlite(error: Exception) -> type[PortableError]:
    """Say which portable error *error*, from a Database, is."""
    if isinstance(error, PortableError):
        return type(error)
    if isinstance(error, OSError):
        denied = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        return PermissionDenied if denied else PortableError
    if isinstance(error, sqlite3.Error):
        text = str(error)
        return next((kind for fragment, kind, _ in _MEANINGS if fragment in text), PortableError)
    return PortableError
