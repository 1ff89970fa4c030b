"""SDK clients, made on first use: once per process and key, whatever the number of threads."""

from __future__ import annotations

import os
from threading import Lock
from typing import Generic, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class Clients(Generic[T]):
    """The clients of one kind that this process has. A forked child has none: it never uses its parent's sockets."""

    def __init__(self) -> None:
        self._made: dict[Hashable, T] = {}
        self._lock = Lock()
        os.register_at_fork(after_in_child=self._forget)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the client for *key*, made by *make* if there is none yet."""
        made = self._made
        client = made.get(key)
        if client is None:
            with self._lock:
                client = made.get(key)
                if client is None:
                    client = made[key] = make()
        return client

    def _forget(self) -> None:
        self._made = {}
        self._lock = Lock()  # Another thread of the parent may have held it.
