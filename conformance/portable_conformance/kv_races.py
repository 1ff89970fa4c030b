"""The KV contract: threads, processes and handles that use one table at once, and a writer that is killed."""

from __future__ import annotations

import subprocess
import threading
from typing import Any

import pytest

from portable_conformance import contract, needs
from portable_conformance._threads import other_than, race, together
from portable_contracts.errors import AlreadyExists, Conflict
from portable_contracts.kv import Create, Put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.kv import Table

    StartProcess = Callable[..., subprocess.Popen[str]]

pytestmark = contract("table")

THREADS = 8
STEPS = 50
RACERS = 32
ROUNDS = 25


def winners_at(kind: type[Exception], outcomes: list[list[Any]]) -> list[list[Any]]:
    """Return who won each round."""
    return [other_than(kind, each) for each in outcomes]


class TestRaces:
    def test_of_32_racing_creates_one_wins(self, table: Table) -> None:
        outcomes = race(
            RACERS,
            ROUNDS,
            lambda: table.get("p", "none", default=None),
            lambda number, turn: table.create("p", str(turn), number),
        )

        assert winners_at(AlreadyExists, outcomes) == [[table.get("p", str(turn))] for turn in range(ROUNDS)]

    def test_of_racing_creates_through_their_own_handles_one_wins(
        self, table: Table, reopen: Callable[[Table], Table]
    ) -> None:
        handles = [reopen(table) for _ in range(THREADS)]
        outcomes = race(
            THREADS,
            ROUNDS,
            lambda: table.get("p", "none", default=None),
            lambda number, turn: handles[number].create("p", str(turn), number),
        )

        assert winners_at(AlreadyExists, outcomes) == [[table.get("p", str(turn))] for turn in range(ROUNDS)]

    def test_of_racing_writes_guarded_by_one_version_one_wins(self, table: Table) -> None:
        versions = [table.put("p", str(turn), "before").version for turn in range(ROUNDS)]
        outcomes = race(
            RACERS,
            ROUNDS,
            lambda: table.get("p", "0"),
            lambda number, turn: table.put("p", str(turn), number, if_version=versions[turn]),
        )

        assert winners_at(Conflict, outcomes) == [[table.get("p", str(turn))] for turn in range(ROUNDS)]

    def test_of_racing_deletes_guarded_by_one_version_one_wins(self, table: Table) -> None:
        versions = [table.put("p", str(turn), "before").version for turn in range(ROUNDS)]
        outcomes = race(
            THREADS,
            ROUNDS,
            lambda: table.get("p", "0"),
            lambda _, turn: table.delete("p", str(turn), if_version=versions[turn]),
        )

        assert winners_at(Conflict, outcomes) == [[None]] * ROUNDS

    def test_of_racing_puts_and_deletes_guarded_by_one_version_one_wins(self, table: Table) -> None:
        versions = [table.put("p", str(turn), "before").version for turn in range(ROUNDS)]

        def put_or_delete(number: int, turn: int) -> Any:
            if number % 2:
                return table.put("p", str(turn), number, if_version=versions[turn])
            return table.delete("p", str(turn), if_version=versions[turn])

        outcomes = race(THREADS, ROUNDS, lambda: table.get("p", "0"), put_or_delete)

        assert winners_at(Conflict, outcomes) == [[table.get("p", str(turn), default=None)] for turn in range(ROUNDS)]

    @needs("transactions")
    def test_of_racing_transactions_that_create_one_item_one_wins_whole(self, table: Table) -> None:
        outcomes = race(
            THREADS,
            ROUNDS,
            lambda: table.get("p", "none", default=None),
            lambda number, turn: table.transact(
                f"p{turn}", [Create("lock", number), Put(f"of {number}", number), Put("last", number)]
            ),
        )

        assert [len(each) for each in winners_at(Conflict, outcomes)] == [1] * ROUNDS
        assert [{item.value for item in table.query(f"p{turn}")} for turn in range(ROUNDS)] == [
            {table.get(f"p{turn}", "lock").value} for turn in range(ROUNDS)
        ]
        assert len(list(table.scan())) == 3 * ROUNDS

    @pytest.mark.slow
    def test_eight_threads_of_50_guarded_increments_make_400(self, table: Table) -> None:
        table.put("p", "s", 0)

        def increment(*_: int) -> None:
            while True:
                item = table.get("p", "s")
                try:
                    table.put("p", "s", item.value + 1, if_version=item.version)
                except Conflict:
                    continue
                return

        outcomes = race(THREADS, STEPS, lambda: table.get("p", "s"), increment)

        assert outcomes == [[None] * THREADS] * STEPS
        assert table.get("p", "s").value == THREADS * STEPS

    @pytest.mark.slow
    def test_eight_threads_of_50_atomic_increments_make_400(self, table: Table) -> None:
        sums = race(
            THREADS,
            STEPS,
            lambda: table.get("p", "s", default=None),
            lambda *_: table.increment("p", "s", "n"),
        )

        assert sorted(total for each in sums for total in each) == list(range(1, THREADS * STEPS + 1))
        assert table.get("p", "s").value == {"n": THREADS * STEPS}

    def test_increments_of_two_fields_at_once_lose_nothing(self, table: Table) -> None:
        race(
            THREADS,
            ROUNDS,
            lambda: table.get("p", "s", default=None),
            lambda number, _: table.increment("p", "s", f"f{number % 2}"),
        )

        assert table.get("p", "s").value == {"f0": ROUNDS * THREADS // 2, "f1": ROUNDS * THREADS // 2}

    def test_updates_at_once_lose_nothing(self, table: Table) -> None:
        outcomes = together(
            4, lambda number: [table.update("p", "s", lambda value: [*(value or []), number]) for _ in range(5)]
        )

        assert other_than(Exception, outcomes) == outcomes
        assert sorted(table.get("p", "s").value) == sorted([0, 1, 2, 3] * 5)


class TestThreads:
    """One handle is safe from several threads."""

    def test_threads_that_use_one_handle_see_their_own_writes(self, table: Table) -> None:
        def work(number: int) -> list[Any]:
            found = []
            for step in range(20):
                table.put(f"p{number}", f"{step:02}", [number, step])
                found.append(table.get(f"p{number}", f"{step:02}").value)
            return found

        assert together(THREADS, work) == [[[number, step] for step in range(20)] for number in range(THREADS)]

    def test_threads_that_open_the_table_first_at_the_same_time_all_get_it(
        self, table: Table, reopen: Callable[[Table], Table]
    ) -> None:
        handle = reopen(table)
        outcomes = together(THREADS, lambda number: handle.put("p", str(number), number).value)

        assert outcomes == list(range(THREADS))

    def test_queries_run_while_other_threads_write(self, table: Table) -> None:
        for number in range(50):
            table.put("p", f"stays {number:02}", number)

        def work(number: int) -> list[Any]:
            if number % 2:
                for step in range(20):
                    table.put("p", f"comes {number} {step}", step)
                    table.delete("p", f"comes {number} {step}")
                return list(range(50))
            return [item.value for item in table.query("p", prefix="stays")]

        assert together(THREADS, work) == [list(range(50))] * THREADS

    def test_a_reader_never_sees_half_of_a_value(self, table: Table) -> None:
        table.put("p", "s", ["0"] * 2000)
        over = threading.Event()

        def work(number: int) -> set[int]:
            if number == 0:
                for step in range(30):
                    table.put("p", "s", [str(step)] * 2000)
                over.set()
                return {1}
            seen = set()
            while not over.is_set():
                seen.add(len(set(table.get("p", "s").value)))
            return seen | {1}

        assert together(3, work) == [{1}] * 3

    @needs("transactions")
    def test_a_query_after_a_transaction_sees_all_of_it(self, table: Table) -> None:
        over = threading.Event()

        def work(number: int) -> set[int]:
            if number == 0:
                for step in range(20):
                    table.transact("p", [Put("a", step), Put("b", step), Put("c", step)])
                over.set()
                return {1}
            seen = set()
            while not over.is_set():
                seen.add(len({item.value for item in table.query("p")}))
            return (seen - {0}) | {1}

        assert together(2, work) == [{1}] * 2


COUNTING = """
for _ in range(int(arguments[0])):
    resource.increment("p", "s", "n")
"""

CREATING = """
from portable_contracts.errors import AlreadyExists
sys.stdin.readline()
won = 0
for number in range(50):
    try:
        resource.create("p", str(number), arguments[0])
        won += 1
    except AlreadyExists:
        pass
print(won)
"""

WRITING = """
print("ready", flush=True)
number = 0
while True:
    number += 1
    resource.put("whole", "s", [number] * 500)
    print(number, flush=True)
"""

TRANSACTING = """
from portable_contracts.kv import Put
print("ready", flush=True)
number = 0
while True:
    number += 1
    resource.transact("whole", [Put(sort, number) for sort in "abcdefgh"])
    print(number, flush=True)
"""


class TestProcesses:
    def test_increments_of_several_processes_lose_nothing(self, table: Table, start_process: StartProcess) -> None:
        processes = [start_process(table, COUNTING, "25") for _ in range(3)]

        assert [process.wait() for process in processes] == [0, 0, 0]
        assert table.get("p", "s").value == {"n": 75}

    def test_of_racing_creates_in_two_processes_one_wins_each(self, table: Table, start_process: StartProcess) -> None:
        processes = [start_process(table, CREATING, name) for name in ("one", "other")]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        won = [int(process.communicate()[0]) for process in processes]

        assert sum(won) == 50
        assert len(list(table.query("p"))) == 50

    @pytest.mark.parametrize("after", [1, 5, 20])
    def test_a_writer_that_is_killed_leaves_whole_values_and_what_it_was_told_is_written(
        self, table: Table, start_process: StartProcess, after: int
    ) -> None:
        seen = killed_after(start_process(table, WRITING), after)
        value = table.get("whole", "s").value

        assert len(value) == 500
        assert len(set(value)) == 1
        assert value[0] >= seen

    @needs("transactions")
    @pytest.mark.parametrize("after", [1, 5, 20])
    def test_a_writer_that_is_killed_leaves_whole_transactions(
        self, table: Table, start_process: StartProcess, after: int
    ) -> None:
        seen = killed_after(start_process(table, TRANSACTING), after)
        values = [item.value for item in table.query("whole")]

        assert len(values) == 8
        assert len(set(values)) == 1
        assert values[0] >= seen

    def test_a_table_whose_writer_was_killed_can_be_written_at_once(
        self, table: Table, start_process: StartProcess
    ) -> None:
        killed_after(start_process(table, WRITING), 3)

        assert table.put("whole", "s", "mine") == table.get("whole", "s")


def killed_after(process: subprocess.Popen[str], writes: int) -> int:
    """Kill *process* in the middle of its writing, after *writes* of them; return the last one that it was told of."""
    assert process.stdout is not None
    for _ in range(writes + 1):
        process.stdout.readline()
    process.kill()
    rest = process.communicate()[0].splitlines()
    return max([writes, *(int(line) for line in rest if line.isdigit())])
