"""Threads that run plain functions for event loops."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from portable._workers import Workers


async def run(workers: Workers, *functions: Callable[[], Any]) -> list[Any]:
    loop = asyncio.get_running_loop()
    return await asyncio.gather(*[workers.run(loop, function) for function in functions], return_exceptions=True)


class TestWorkers:
    def test_results_come_back_in_the_order_of_the_calls(self) -> None:
        assert asyncio.run(run(Workers(4), *[lambda n=n: n * n for n in range(100)])) == [n * n for n in range(100)]

    @pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
    def test_what_a_function_raises_is_raised_where_it_is_awaited(self, kind: type[BaseException]) -> None:
        def fail() -> None:
            raise kind("of the function")

        async def program() -> None:
            future = Workers(1).run(asyncio.get_running_loop(), fail)
            while not future.done():
                await asyncio.sleep(0.001)
            assert repr(future.exception()) == repr(kind("of the function"))

        asyncio.run(program())

    def test_functions_run_side_by_side(self) -> None:
        meeting = threading.Barrier(4, timeout=20)

        assert sorted(asyncio.run(run(Workers(4), *[meeting.wait] * 4))) == [0, 1, 2, 3]

    def test_there_are_no_more_threads_than_it_may_have(self) -> None:
        names, running = set(), threading.Semaphore(2)

        def work() -> bool:
            names.add(threading.get_ident())
            alone = running.acquire(blocking=False)
            threading.Event().wait(0.001)
            running.release()
            return alone

        assert all(asyncio.run(run(Workers(2), *[work] * 50)))
        assert len(names) <= 2

    def test_an_idle_thread_is_taken_before_one_is_started(self) -> None:
        workers = Workers(40)

        async def one_after_the_other() -> set[int]:
            found = set()
            for _ in range(20):
                found |= set(await run(workers, threading.get_ident))
                await asyncio.sleep(0.002)  # The thread says that it is idle after its result is on the way.
            return found

        assert len(asyncio.run(one_after_the_other())) < 10

    def test_a_loop_that_has_gone_does_not_end_the_thread(self) -> None:
        workers, go_on, started = Workers(1), threading.Event(), threading.Event()

        def wait() -> None:
            started.set()
            go_on.wait(20)

        async def leave() -> None:
            workers.run(asyncio.get_running_loop(), wait)
            await asyncio.to_thread(started.wait, 20)

        asyncio.run(leave())
        go_on.set()

        assert asyncio.run(run(workers, lambda: "still there")) == ["still there"]

    def test_what_was_cancelled_meanwhile_stops_nothing_else(self) -> None:
        go_on = threading.Event()

        async def program() -> list[Any]:
            loop, workers = asyncio.get_running_loop(), Workers(1)
            first = workers.run(loop, lambda: go_on.wait(20))
            second = workers.run(loop, lambda: "second")
            first.cancel()
            go_on.set()
            return [await second, first.cancelled()]

        assert asyncio.run(program()) == ["second", True]

    def test_an_idle_thread_keeps_nothing_of_its_last_work_alive(self) -> None:
        class Big:
            def __call__(self) -> None:
                return None

        async def program() -> None:
            workers, big = Workers(1), Big()
            gone = threading.Event()
            weakref.finalize(big, gone.set)
            await workers.run(asyncio.get_running_loop(), big)
            del big
            assert await asyncio.to_thread(gone.wait, 20)

        asyncio.run(program())
