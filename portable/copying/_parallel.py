"""Do many things side by side, holding no more of them than are on their way."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from threading import Event
    from typing import TypeVar

    T = TypeVar("T")


def side_by_side(tasks: Iterable[T], work: Callable[[T], None], parallel: int, stopping: Event) -> None:
    """Do *work* for each of *tasks* in *parallel* threads. What one raises ends them all, and is raised.

    *stopping* is set then, and on Ctrl-C: what is under way should end early.
    """
    with ThreadPoolExecutor(parallel) as pool:
        pending: set[Future[None]] = set()
        try:
            for task in tasks:
                pending.add(pool.submit(work, task))
                if len(pending) >= 2 * parallel:
                    pending = _some_done(pending)
            while pending:
                pending = _some_done(pending)
        except BaseException:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _some_done(pending: set[Future[None]]) -> set[Future[None]]:
    done, left = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
    return left
