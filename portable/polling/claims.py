"""Which of several processes on one data folder may do a thing: the one that holds the lock on its file.

The system gives the lock back when a process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class Claim:
    """A file that one holder at a time, thread or process, may have; it remembers a line of text."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._file: int | None = None

    def take(self) -> bool:
        """Take the claim, and say whether it is held now."""
        if self._file is not None:
            return True
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def give_back(self) -> None:
        """Let another holder take the claim; one that is not held stays so."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def read(self) -> str:
        """Return the text that was written last, by any holder; empty at first."""
        return os.pread(self._held(), 4096, 0).decode(errors="replace").rstrip("\n")

    def write(self, text: str) -> None:
        """Remember *text*, of one line."""
        # One write over the old text: a process that is killed between the two calls leaves the tail of a longer one,
        # which readers see as a second line.
        line = f"{text}\n".encode()
        os.pwrite(self._held(), line, 0)
        os.ftruncate(self._held(), len(line))

    def _held(self) -> int:
        if self._file is None:
            raise RuntimeError(f"{self.path} is not held: take() it first")
        return self._file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()
