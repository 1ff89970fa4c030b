"""Leases of messages that are being handled, made longer for as long as it takes."""

from __future__ import annotations

import threading
import time

from portable._driving import call
from portable_contracts.errors import PortableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from portable.queue import Queue
    from portable_contracts.events import Message


class Leases:
    """Renews the leases it is told of when half of each is over; by the real clock, in a thread of its own."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._held: set[Held] = set()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="portable leases", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def held(self, queue: Queue, messages: Sequence[Message]) -> Held:
        """Return a context manager in which the leases of *messages* do not end."""
        return Held(self, queue, messages)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._stopping:
                    self._changed.wait(self.seconds / 8)
                if self._stopping:
                    return
                half_ago = time.monotonic() - self.seconds / 2
                due = [held for held in self._held if held.renewed <= half_ago]
            # Without the lock: a renewal is a call of a service, and nobody else's handler waits for it.
            for held in due:
                held.renew()


class Held:
    """Messages whose leases are renewed while the block lasts."""

    def __init__(self, leases: Leases, queue: Queue, messages: Sequence[Message]) -> None:
        self._leases = leases
        self._queue = queue
        self._messages = messages
        self.renewed = time.monotonic()

    def renew(self) -> None:
        self.renewed = time.monotonic()
        for message in self._messages:
            try:
                extend = self._queue._connection.driver.extend
                call(self._queue, "extend", message.id, True, extend, message.native, lease=self._leases.seconds)
            except PortableError:
                pass  # It was settled meanwhile; or the service is away, which shows where it is settled.

    def __enter__(self) -> Self:
        with self._leases._changed:
            self._leases._held.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        with self._leases._changed:
            self._leases._held.discard(self)
