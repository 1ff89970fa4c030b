"""Several threads that begin at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run *work* for each number below *count*, each in a thread; return what each gave, or the error it raised."""
    barrier = threading.Barrier(count)

    def begin(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(begin, number) for number in range(count)]
        return [future.exception() or future.result() for future in futures]


def other_than(kind: type[Exception], outcomes: Iterable[Any]) -> list[Any]:
    """Return the outcomes that are no error of *kind*: the winners of a race, and whatever went wrong otherwise."""
    return [outcome for outcome in outcomes if not isinstance(outcome, kind)]
