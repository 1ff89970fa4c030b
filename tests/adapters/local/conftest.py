"""A clock that a test moves, and queues that live by it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portable.queue import Queue
from portable_contracts.provider import Opening

START = 1_700_000_000.123456
OPEN = """
import os, sys
from datetime import timedelta
from portable.queue import Queue
from portable_contracts.provider import Opening
queue = Queue.at("sqlite://thumbs", opening=Opening(data=sys.argv[1]))
"""


class Clock:
    """A clock that stands still until it is told to pass time."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def pass_time(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_queue(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Queue]]:
    """Return a function that opens the queue `thumbs`, or another, under the test's clock."""
    opened: list[Queue] = []

    def open_one(name: str = "thumbs", *, clock: Callable[[], float] = clock, **options: Any) -> Queue:
        queue = Queue.at(f"sqlite://{name}", opening=Opening(data=str(tmp_path), clock=clock, options=options))
        opened.append(queue)
        return queue

    yield open_one
    for queue in opened:
        queue._connection.driver.close()


@pytest.fixture
def queue(open_queue: Callable[..., Queue]) -> Queue:
    return open_queue()


@pytest.fixture
def start_beside(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts a program in a process of its own, in which `queue` is the queue `thumbs`."""
    started = []

    def start(program: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", OPEN + program, str(tmp_path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
