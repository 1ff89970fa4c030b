"""What the suites of the queue contract share: taking messages, and letting leases end."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from portable_contracts.harness import Harness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.queue import Queue
    from portable_contracts.events import Message
    from portable_contracts.queue import QueueCapabilities

LONGEST_WAIT = 120
"""Seconds that a test may really wait for."""
OWN_LEASE = 10
"""Seconds of the leases of a fresh queue, where they cannot be chosen: see `Harness.create`."""


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def take(queue: Queue, count: int = 1, **options: Any) -> list[Message]:
    """Receive *count* messages, in as many calls as it takes; fewer where no more come."""
    messages: list[Message] = []
    for _ in range(3):
        messages += queue.receive(count - len(messages), wait=seconds(1), **options)
        if len(messages) == count:
            break
    return messages


def sent_and_received(queue: Queue, *arguments: Any, **options: Any) -> Message:
    """Send one message and receive it."""
    queue.send(*arguments, **options)
    (message,) = take(queue)
    return message


def bodies(messages: list[Message]) -> list[bytes]:
    return [message.body for message in messages]


def drain(queue: Queue) -> list[bytes]:
    """Receive and acknowledge until nothing comes; return the bodies in the order in which they came."""
    found: list[bytes] = []
    while messages := queue.receive(10):
        for message in messages:
            found.append(message.body)
            message.ack()
    return found


class Leases:
    """Takes messages for the shortest lease, and lets that lease end."""

    def __init__(self, capabilities: QueueCapabilities, pass_time: Callable[[float], None]) -> None:
        self.length = max(10, capabilities.min_lease_seconds) if capabilities.choose_lease else OWN_LEASE
        self.options: dict[str, Any] = {"lease": seconds(self.length)} if capabilities.choose_lease else {}
        self._pass_time = pass_time

    def take(self, queue: Queue, count: int = 1) -> list[Message]:
        return take(queue, count, **self.options)

    def one(self, queue: Queue) -> Message:
        (message,) = self.take(queue)
        return message

    def end(self) -> None:
        self._pass_time(self.length + 1)


def needs_a_clock_of_ours(harness: Harness, wait: float) -> None:
    """Skip the test where it would really have to wait for longer than is bearable."""
    if not harness.moves_time() and wait > LONGEST_WAIT:
        pytest.skip(f"it would take {wait:.0f} seconds: this service's clock cannot be moved")
