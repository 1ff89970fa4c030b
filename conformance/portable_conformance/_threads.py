"""Several threads that begin at the same moment."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def race(count: int, rounds: int, warm_up: Callable[[], Any], work: Callable[[int, int], Any]) -> list[list[Any]]:
    """Let *count* threads do *work* (their number, the round) side by side; return per round what each gave, or raised.

    What is not atomic is to be caught in the middle: each thread has connected before the first round (*warm_up*), all
    begin a round at one moment, and they take turns much more often than usual.
    """
    barrier = threading.Barrier(count)

    def run(number: int) -> list[Any]:
        warm_up()
        return [_outcome(barrier, work, number, turn) for turn in range(rounds)]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(count) as pool:
            by_thread = list(pool.map(run, range(count)))
    finally:
        sys.setswitchinterval(interval)
    return [list(outcomes) for outcomes in zip(*by_thread, strict=True)]


def _outcome(barrier: threading.Barrier, work: Callable[[int, int], Any], number: int, turn: int) -> Any:
    barrier.wait()
    try:
        return work(number, turn)
    except Exception as error:
        return error


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Let *count* threads do *work* once, begun at one moment; return what each gave, or the error it raised."""
    return race(count, 1, lambda: None, lambda number, _: work(number))[0]


def other_than(kind: type[Exception], outcomes: Iterable[Any]) -> list[Any]:
    """Return the outcomes that are no error of *kind*: the winners of a race, and whatever went wrong otherwise."""
    return [outcome for outcome in outcomes if not isinstance(outcome, kind)]
