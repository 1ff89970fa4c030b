"""`portable.idempotent` over any table: a handler runs once for each key, and its result is kept."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import timedelta
from typing import Any

import pytest

import portable
from portable import InProgress
from portable_conformance import contract
from portable_conformance._threads import other_than, together
from portable_conformance._values import VALUES, exact
from portable_contracts.errors import InvalidArgument
from portable_contracts.http import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.kv import Table

    PassTime = Callable[[float], None]
    StartProcess = Callable[..., subprocess.Popen[str]]

pytestmark = contract("table")

SHORT = 2
"""Seconds of a window or a lease that a test lets end."""


class Counter:
    """A handler that counts its runs, and does what it is told."""

    def __init__(self, table: Table, does: Callable[[str], Any] = lambda key: f"done {key}", **options: Any) -> None:
        self.runs: list[str] = []

        @portable.idempotent(table, key=lambda key: key, name="handler", **options)
        def handler(key: str) -> Any:
            self.runs.append(key)
            return does(key)

        self.call = handler


class TestRunning:
    def test_a_call_runs_the_handler_and_gives_its_result(self, table: Table) -> None:
        counter = Counter(table)

        assert counter.call("a") == "done a"
        assert counter.runs == ["a"]

    def test_a_second_call_gives_the_same_result_without_running_it(self, table: Table) -> None:
        counter = Counter(table)

        assert [counter.call("a"), counter.call("a")] == ["done a", "done a"]
        assert counter.runs == ["a"]

    def test_another_key_runs_it(self, table: Table) -> None:
        counter = Counter(table)
        counter.call("a")
        counter.call("b")

        assert counter.runs == ["a", "b"]

    def test_a_call_through_another_handle_does_not_run_it(
        self, table: Table, reopen: Callable[[Table], Table]
    ) -> None:
        Counter(table).call("a")
        other = Counter(reopen(table))

        assert other.call("a") == "done a"
        assert other.runs == []

    def test_handlers_of_other_names_have_runs_of_their_own(self, table: Table) -> None:
        Counter(table).call("a")

        @portable.idempotent(table, key=lambda key: key)
        def another(key: str) -> str:
            return "another's"

        assert another("a") == "another's"

    @pytest.mark.parametrize("key", ["a b", "/", "é", "ü" * 5000, "line\nend", "\x00", "{a}", "#", "%", "."], ids=ascii)
    def test_any_text_is_a_key(self, table: Table, key: str) -> None:
        counter = Counter(table)
        counter.call(key)
        counter.call(key)
        counter.call(key + " ")

        assert counter.runs == [key, key + " "]

    def test_an_async_handler_runs_once_too(self, table: Table) -> None:
        runs = []

        @portable.idempotent(table, key=lambda key: key)
        async def handler(key: str) -> str:
            runs.append(key)
            await asyncio.sleep(0)
            return "done"

        assert [asyncio.run(handler("a")), asyncio.run(handler("a"))] == ["done", "done"]
        assert runs == ["a"]


class TestResults:
    @pytest.mark.parametrize(
        "name",
        ["none", "false", "the largest int", "float one", "empty text", "every byte", "a map of every type"],
    )
    def test_it_is_given_again_exactly(self, table: Table, name: str) -> None:
        counter = Counter(table, lambda key: VALUES[name])
        counter.call("a")

        assert exact(counter.call("a")) == exact(VALUES[name])
        assert counter.runs == ["a"]

    def test_an_answer_is_given_again_whole(self, table: Table) -> None:
        answer = Response.json({"id": 1}, status=201)
        answer.set_cookie("a", "1")
        answer.set_cookie("b", "2")
        counter = Counter(table, lambda key: answer)
        counter.call("a")
        again = counter.call("a")

        assert isinstance(again, Response)
        assert (again.status, again.body) == (201, b'{"id":1}')
        assert list(again.headers.multi_items()) == list(answer.headers.multi_items())

    def test_one_that_cannot_be_kept_is_refused_each_time_and_not_run_again(self, table: Table) -> None:
        counter = Counter(table, lambda key: object())
        for _ in range(2):
            with pytest.raises(InvalidArgument, match="handler"):
                counter.call("a")

        assert counter.runs == ["a"]


class TestFailures:
    def test_a_handler_that_failed_runs_again(self, table: Table) -> None:
        outcomes = [ValueError("once"), None]

        def does(key: str) -> str:
            error = outcomes.pop(0)
            if error is not None:
                raise error
            return "done"

        counter = Counter(table, does)
        with pytest.raises(ValueError, match="once"):
            counter.call("a")

        assert counter.call("a") == "done"
        assert counter.runs == ["a", "a"]

    def test_an_async_handler_that_failed_runs_again(self, table: Table) -> None:
        runs = []

        @portable.idempotent(table, key=lambda key: key)
        async def handler(key: str) -> str:
            runs.append(key)
            if len(runs) == 1:
                raise ValueError("once")
            return "done"

        with pytest.raises(ValueError, match="once"):
            asyncio.run(handler("a"))

        assert asyncio.run(handler("a")) == "done"

    def test_a_call_while_it_runs_is_refused(self, table: Table) -> None:
        refused: list[bool] = []

        def does(key: str) -> str:
            try:
                counter.call(key)
            except InProgress as error:
                refused.append(error.retryable)
            return "done"

        counter = Counter(table, does)

        assert counter.call("a") == "done"
        assert (refused, counter.runs) == ([True], ["a"])

    def test_of_racing_calls_one_runs_it(self, table: Table) -> None:
        counter = Counter(table)
        outcomes = together(8, lambda number: counter.call("a"))

        assert counter.runs == ["a"]
        assert set(other_than(InProgress, outcomes)) == {"done a"}


class TestTime:
    def test_after_the_window_it_runs_again(self, table: Table, pass_time: PassTime) -> None:
        counter = Counter(table, window=timedelta(seconds=SHORT))
        counter.call("a")
        pass_time(SHORT + 1)
        counter.call("a")

        assert counter.runs == ["a", "a"]

    def test_a_run_that_outlived_its_lease_may_be_repeated_and_the_later_result_is_kept(
        self, table: Table, pass_time: PassTime
    ) -> None:
        def outlives(key: str) -> str:
            if len(slow.runs) == 1:
                pass_time(SHORT + 1)
                return f"{quick.call(key)}, then slowly"
            return "never"

        slow = Counter(table, outlives, lease=timedelta(seconds=SHORT))
        quick = Counter(table, lambda key: "quickly")

        assert slow.call("a") == "quickly, then slowly"
        assert slow.call("a") == "quickly"

    def test_a_run_whose_process_was_killed_is_in_progress_until_its_lease_ends(
        self, table: Table, start_process: StartProcess, pass_time: PassTime
    ) -> None:
        process = start_process(table, DYING)
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        process.kill()
        counter = Counter(table)
        with pytest.raises(InProgress):
            counter.call("a")
        pass_time(DIES_AFTER + 1)

        assert counter.call("a") == "done a"


DIES_AFTER = 5
DYING = f"""
from datetime import timedelta
import portable

@portable.idempotent(resource, key=lambda key: key, name="handler", lease=timedelta(seconds={DIES_AFTER}))
def handler(key):
    print("running", flush=True)
    time.sleep(100)

handler("a")
"""
