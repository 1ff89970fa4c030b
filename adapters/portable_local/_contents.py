"""The files that hold a bucket's bytes: each is written once, under the name of its version, and never changed."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portable_contracts.blob import Source

CHUNK = 1 << 20


class Contents:
    """The files in *folder*, spread over 256 folders by the first two digits of their versions.

    With *durable* a file, and its name, is on the disk before `write` or `copy` returns.
    """

    def __init__(self, folder: str, *, durable: bool) -> None:
        self._folder = folder
        self._durable = durable

    def write(self, version: str, body: bytes | Source) -> int:
        """Write a file and return its size. One that raises may leave a part of it."""
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        path = self._path(version)
        try:
            file = os.open(path, flags, 0o666)
        except FileNotFoundError:
            self._make_folder(path)
            file = os.open(path, flags, 0o666)
        try:
            if isinstance(body, bytes):
                _write_all(file, body)
                size = len(body)
            else:
                size = 0
                while chunk := body.read(CHUNK):
                    _write_all(file, chunk)
                    size += len(chunk)
            if self._durable:
                os.fsync(file)
        finally:
            os.close(file)
        if self._durable:
            _fsync(os.path.dirname(path))
        return size

    def copy(self, source: str, target: str) -> None:
        """Make a second file of *source*'s bytes. Raises FileNotFoundError when *source* is not there."""
        old, new = self._path(source), self._path(target)
        if not os.path.isdir(os.path.dirname(new)):
            self._make_folder(new)
        try:
            # As the files never change, two names of one file are as good as two files.
            os.link(old, new)
        except FileNotFoundError:
            raise
        except OSError:  # The file system has no links, or allows no more of this file.
            shutil.copyfile(old, new)
            if self._durable:
                _fsync(new)
        if self._durable:
            _fsync(os.path.dirname(new))

    def open(self, version: str) -> Content:
        """Open a file. Raises FileNotFoundError when it is not there."""
        return Content(os.open(self._path(version), os.O_RDONLY))

    def remove(self, version: str) -> None:
        """Remove a file, if it is there. Who has it open keeps it."""
        try:
            os.unlink(self._path(version))
        except FileNotFoundError:
            pass

    def _path(self, version: str) -> str:
        return f"{self._folder}/{version[:2]}/{version}"

    def _make_folder(self, path: str) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if self._durable:
            _fsync(self._folder)
            _fsync(os.path.dirname(self._folder))


class Content:
    """An open file."""

    def __init__(self, file: int) -> None:
        self._file = file

    def size(self) -> int:
        return os.fstat(self._file).st_size

    def chunks(self, start: int, stop: int) -> Chunks:
        """Return the bytes from *start* up to *stop*, in chunks; the file is theirs from now on."""
        file, self._file = self._file, -1
        return Chunks(file, start, stop)

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)


class Chunks:
    """The bytes of an open file between two places; it closes the file at the end."""

    def __init__(self, file: int, start: int, stop: int) -> None:
        self._file = file
        self._place = start
        self._stop = stop

    def __iter__(self) -> Chunks:
        return self

    def __next__(self) -> bytes:
        chunk = b""
        if self._file >= 0 and self._place < self._stop:
            chunk = os.pread(self._file, min(CHUNK, self._stop - self._place), self._place)
        if not chunk:
            self.close()
            raise StopIteration
        self._place += len(chunk)
        return chunk

    def close(self) -> None:
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    __del__ = close


def _write_all(file: int, data: bytes) -> None:
    written = os.write(file, data)
    while written < len(data):  # A signal, or 2 GiB, cuts a write short.
        written += os.write(file, memoryview(data)[written:])


def _fsync(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
