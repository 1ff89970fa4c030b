"""What a write would leave behind if its process were killed now: noted before, so that another process clears it away.

A note names content files and the keys that they are for. A file that is noted, and that the index does not name for
its key, belongs to no object: it was never committed, or it was replaced. Whoever writes has a note of its own, which
it keeps locked; the system unlocks it when the process dies, and the next process that begins to write clears it.
"""

from __future__ import annotations

import errno
import fcntl
import os
from binascii import crc32
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Intent = tuple[str, str]
    """The version that names a content file, and the key."""

_HEADER = 16


class Intents:
    """The notes in *folder*; *clear* removes the noted content files that belong to no object."""

    def __init__(self, folder: str, clear: Callable[[Iterable[Intent]], None]) -> None:
        self._folder = folder
        self._clear = clear
        self._free: list[Note] = []
        self._process = os.getpid()

    def note(self) -> Note:
        """Return a free note, for one write, as a context manager."""
        if self._process != os.getpid():  # A child of a fork shares its parent's notes, and their locks.
            self._process = os.getpid()
            self._free = []
        try:
            return self._free.pop()
        except IndexError:
            return self._new()

    def close(self) -> None:
        """Let go of the free notes."""
        self._free.clear()

    def _new(self) -> Note:
        os.makedirs(self._folder, exist_ok=True)
        self._clear_abandoned()
        while True:
            path = os.path.join(self._folder, os.urandom(8).hex())
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_nlink:
                return Note(path, file, self._free, self._clear)
            os.close(file)  # Another process took it for an abandoned one before it was locked.

    def _clear_abandoned(self) -> None:
        for name in os.listdir(self._folder):
            path = os.path.join(self._folder, name)
            try:
                file = os.open(path, os.O_RDWR)
            except OSError:  # Gone meanwhile, or another user's.
                continue
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._clear(_read(file))
                os.unlink(path)
            except OSError:
                pass  # Its writer lives, or what it left cannot be removed: the next writer tries again.
            finally:
                os.close(file)


class Note:
    """What one write may leave behind. Leaving its `with` block by an error clears that away."""

    def __init__(self, path: str, file: int, free: list[Note], clear: Callable[[Iterable[Intent]], None]) -> None:
        self._path = path
        self._file = file
        self._free = free
        self._clear = clear
        self._process = os.getpid()
        self._intents: list[Intent] = []

    def write(self, intents: list[Intent]) -> None:
        """Note *intents* in place of what was noted before."""
        text = "\n".join([f"{version} {key}" for version, key in intents]).encode()
        record = b"%08x%08x" % (len(text), crc32(text)) + text
        self._intents = intents
        if os.pwrite(self._file, record, 0) < len(record):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)

    def __enter__(self) -> Note:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            # The error may be a signal's, and have come right after the commit: only the index knows.
            try:
                self._clear(self._intents)
            except Exception:
                return  # The note stays, for a later process.
        self._intents = []
        self._free.append(self)

    def __del__(self) -> None:
        if self._process == os.getpid():
            if not self._intents:
                try:
                    os.unlink(self._path)
                except OSError:  # The folder is gone.
                    pass
            os.close(self._file)


def _read(file: int) -> Iterable[Intent]:
    header = os.pread(file, _HEADER, 0)
    try:
        text = os.pread(file, int(header[:8], 16), _HEADER)
        if crc32(text) != int(header[8:], 16):
            return ()  # Killed while it was noting: nothing was done yet.
    except ValueError:  # Before its first note.
        return ()
    return [(version, key) for version, _, key in (line.partition(" ") for line in text.decode().split("\n"))]
