"""What is particular to tables in SQLite: files, names, the shell, crashes, processes, sweeping, changes."""

from __future__ import annotations

import json
import math
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portable.kv import Table
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PortableError,
)
from portable_contracts.events import Change
from portable_contracts.kv import Create, Delete, Put
from portable_contracts.provider import Address, Opening
from portable_local import _table_sql as sql
from portable_local import kv
from portable_local._changes import KEPT_SECONDS
from portable_local._json import dump, load
from portable_local.kv import SqliteTable

NOW = 1_800_000_000.0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opening(tmp_path: Path, clock: Clock) -> Opening:
    return Opening(data=str(tmp_path), clock=clock)


@pytest.fixture
def table(opening: Opening) -> Iterator[Table]:
    table = Table.at("sqlite://entries", opening=opening)
    yield table
    driver(table).close()


def driver(table: Table) -> SqliteTable:
    opened: SqliteTable = table._connection.driver
    return opened


def rows(table: Table) -> list[Any]:
    return list(driver(table).native().execute('SELECT partition, sort, value FROM "table_entries" ORDER BY id'))


class TestAddresses:
    def test_a_name_alone_is_a_table_in_the_data_folder(self, table: Table, tmp_path: Path) -> None:
        table.put("p", "s", 1)

        assert (tmp_path / "tables.db").exists()

    def test_an_explicit_file_holds_the_table(self, tmp_path: Path, opening: Opening) -> None:
        Table.at(f"sqlite://{tmp_path}/own.db?name=entries", opening=opening).put("p", "s", 1)

        assert (tmp_path / "own.db").exists()
        assert not (tmp_path / "tables.db").exists()

    @pytest.mark.parametrize(("word", "number"), [("off", 0), ("normal", 1), ("full", 2)])
    def test_synchronous_is_chosen_in_the_address(self, opening: Opening, word: str, number: int) -> None:
        table = Table.at(f"sqlite://entries?synchronous={word}", opening=opening)

        assert table.native().execute("PRAGMA synchronous").fetchone() == (number,)

    @pytest.mark.parametrize(
        "address",
        [
            "sqlite://",
            "sqlite:///file.db",
            "sqlite:///file.db?name=",
            "sqlite://folder/file.db?name=entries",
            "sqlite://entries?name=other",
            "sqlite://entries?synchronous=sometimes",
            "sqlite://entries?sync=full",
            "sqlite://-entries",
            "sqlite://.entries",
            "sqlite:///file.db?name=a/b",
            "sqlite:///file.db?name=a%22b",
            "sqlite:///file.db?name=a b",
            "sqlite://" + "x" * 256,
        ],
    )
    def test_a_wrong_address_is_refused_before_anything_is_opened(
        self, tmp_path: Path, opening: Opening, address: str
    ) -> None:
        with pytest.raises(InvalidArgument, match="address"):
            Table.at(address, opening=opening)

        assert os.listdir(tmp_path) == []

    def test_tables_of_one_file_are_apart(self, opening: Opening) -> None:
        one, other = Table.at("sqlite://one", opening=opening), Table.at("sqlite://other", opening=opening)
        one.put("p", "s", 1)

        assert other.get("p", "s", None) is None

    @pytest.mark.parametrize(
        ("one", "other"), [("entries", "Entries"), ("Ab", "aB"), ("e", "e.changes"), ("e-x", "e_x"), ("e", "table_e")]
    )
    def test_names_that_look_alike_are_other_tables(self, opening: Opening, one: str, other: str) -> None:
        Table.at(f"sqlite://{one}", opening=opening).put("p", "s", 1)

        assert Table.at(f"sqlite://{other}", opening=opening).get("p", "s", None) is None

    @pytest.mark.parametrize("name", ["sqlite_master", "select", "portable_schema", "x" * 255, "1", "a.b-c_D"])
    def test_any_name_of_the_grammar_is_a_table(self, opening: Opening, name: str) -> None:
        table = Table.at(f"sqlite://{name}", opening=opening)
        table.put("p", "s", 1)

        assert table.get("p", "s").value == 1


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.one_of(TEXTS, st.sampled_from(["$bytes", "$$bytes", "$", "bytes", '"$']))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    st.sampled_from(["$bytes", '"$', "AA==", '{"$bytes":"AA=="}']),
    st.binary(),
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner))


class TestStorage:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ({"name": "Ada", "n": 1}, '{"name":"Ada","n":1}'),
            ("日本語", '"日本語"'),
            (b"\x00\xff", '{"$bytes":"AP8="}'),
            ({"$bytes": "AP8="}, '{"$$bytes":"AP8="}'),
            ({"$$bytes": b""}, '{"$$$bytes":{"$bytes":""}}'),
            ({"cost": "$5"}, '{"cost":"$5"}'),
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (2**63 - 1, "9223372036854775807"),
            (5e-324, "5e-324"),
            (None, "null"),
        ],
    )
    def test_a_value_is_readable_in_the_shell(self, table: Table, value: Any, text: str) -> None:
        table.put("p", "s", value)

        assert rows(table) == [("p", "s", text)]

    @settings(deadline=None)  # the machine may be busy
    @given(VALUES)
    def test_any_value_comes_back_from_json_exactly(self, value: Any) -> None:
        assert repr(load(dump(value))) == repr(value)

    @settings(deadline=None)  # the machine may be busy
    @given(VALUES)
    def test_any_value_is_stored_as_json(self, value: Any) -> None:
        json.loads(dump(value))

    def test_the_sign_of_a_zero_survives(self) -> None:
        assert math.copysign(1, load(dump(-0.0))) == -1

    def test_what_the_shell_changed_to_something_else_than_json_is_an_error_that_names_the_file(
        self, table: Table, tmp_path: Path
    ) -> None:
        table.put("p", "s", 1)
        table.native().execute("UPDATE table_entries SET value = 'oops'")

        with pytest.raises(PortableError, match=r"get 'p', 's' in table entries: .*tables\.db"):
            table.get("p", "s")

    def test_versions_do_not_repeat_where_an_item_is_made_again(self, table: Table) -> None:
        versions = set()
        for _ in range(100):
            versions.add(table.put("p", "s", 1).version)
            table.delete("p", "s")

        assert len(versions) == 100

    def test_a_value_that_is_written_again_unchanged_has_a_new_version(self, table: Table) -> None:
        assert table.put("p", "s", 1).version != table.put("p", "s", 1).version


class TestListing:
    def test_a_page_of_large_items_ends_early_and_goes_on(self, table: Table) -> None:
        large = "x" * 400_000
        for number in range(8):
            table.put("p", str(number), large)
        first = driver(table).query_page("p", start=None, stop=None, after=None, reverse=False, limit=8, now=NOW)

        assert 0 < len(first.items) < 8
        assert first.cursor == first.items[-1].sort
        assert [item.sort for item in table.page("p", limit=8).items] == list("01234567")

    def test_a_query_of_large_items_needs_little_memory(self, table: Table) -> None:
        for number in range(300):
            table.put("p", f"{number:03}", "x" * 100_000)
        tracemalloc.start()
        count = sum(1 for _ in table.query("p"))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert count == 300
        assert peak < 8 * 1024**2

    @pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
    def test_each_page_begins_at_its_place_in_the_index(self, table: Table, reverse: bool) -> None:
        seen: list[str] = []
        connection = table.native()
        connection.set_trace_callback(seen.append)
        driver(table).query_page("p", start="a", stop="z", after="m", reverse=reverse, limit=5, now=NOW)
        connection.set_trace_callback(None)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {seen[0]}").fetchall()

        assert "(partition=? AND sort>? AND sort<?)" in plan[0][3]
        assert ("'a'" in seen[0], "'z'" in seen[0]) == ((True, False) if reverse else (False, True))

    @pytest.mark.parametrize("segments", [1, 2, 7])
    def test_segments_share_the_items_out(self, table: Table, segments: int) -> None:
        for number in range(600):
            table.put(f"p{number % 3}", str(number), number)
        found = [[item.value for item in table.scan(segment=part, segments=segments)] for part in range(segments)]

        assert sorted(value for part in found for value in part) == list(range(600))
        assert all(found)

    def test_what_is_written_during_a_listing_does_not_wait_for_it(self, table: Table) -> None:
        for number in range(1000):
            table.put("p", f"{number:04}", number)
        items = table.query("p")
        next(items)
        table.put("p", "9999", "late")

        assert [item.value for item in items][-1] == "late"


class TestExpiry:
    WRITES: dict[str, Callable[[Table], Any]] = {
        "put": lambda table: table.put("q", "s", "last"),
        "create": lambda table: table.create("q", "s", "last"),
        "update": lambda table: table.update("q", "s", lambda _: "last"),
        "increment": lambda table: table.increment("q", "s", "n"),
        "transact": lambda table: table.transact("q", [Put("s", "last")]),
    }

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
    def test_expired_items_are_removed_from_the_file_by_later_writes(
        self, table: Table, clock: Clock, write: Callable[[Table], Any]
    ) -> None:
        for number in range(10):
            table.put("p", str(number), number, expires=timedelta(seconds=5))
        clock.now += kv.SWEEP_SECONDS
        write(table)

        assert [partition for partition, _, _ in rows(table)] == ["q"]

    def test_a_sweep_is_bounded_and_goes_on_with_the_next_write(self, table: Table, clock: Clock) -> None:
        many = kv.SWEPT_AT_ONCE + 10
        for number in range(many):
            table.put("p", str(number), number, expires=timedelta(seconds=5))
        clock.now += kv.SWEEP_SECONDS
        table.put("q", "s", 1)
        first = len(rows(table))
        table.put("q", "s", 2)

        assert first == 11
        assert len(rows(table)) == 1

    def test_a_sweep_uses_the_index(self, table: Table) -> None:
        statement = sql.SWEEP.format(table="table_entries")
        plan = table.native().execute(f"EXPLAIN QUERY PLAN {statement}", (NOW, NOW, 1)).fetchall()

        assert any("table_entries/expires (expires<?)" in row[3] for row in plan)

    def test_a_table_whose_items_do_not_expire_pays_no_index(self, table: Table) -> None:
        table.put("p", "s", 1)
        count = (
            table.native()
            .execute(
                'SELECT count(*) FROM "table_entries" INDEXED BY "table_entries/expires" WHERE expires IS NOT NULL'
            )
            .fetchone()
        )

        assert count == (0,)

    @pytest.mark.parametrize(
        "moment",
        [
            datetime(1, 1, 1, tzinfo=timezone.utc),
            datetime(2031, 2, 3, 4, 5, 6, 789, tzinfo=timezone.utc),
            datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc),
        ],
        ids=str,
    )
    def test_a_moment_comes_back_as_it_was(self, table: Table, clock: Clock, moment: datetime) -> None:
        clock.now = -1e12
        table.put("p", "s", 1, expires=moment)

        assert table.get("p", "s").expires == moment


class TestChanges:
    def read(self, table: Table, consumer: str = "count") -> list[Change]:
        return [change for _, change in driver(table).feed(consumer).read(1000)]

    def test_nothing_is_recorded_before_the_first_consumer(self, table: Table) -> None:
        table.put("p", "s", 1)

        assert self.read(table) == []
        assert table.native().execute('SELECT count(*) FROM "table_entries/changes"').fetchone() == (0,)

    def test_a_process_that_was_there_before_the_consumer_records_from_then_on(
        self, table: Table, opening: Opening
    ) -> None:
        table.put("p", "s", 1)
        other = Table.at("sqlite://entries", opening=opening)
        self.read(other)
        table.put("p", "s", 2)

        assert [(change.kind, change.old, change.new) for change in self.read(other)] == [("updated", 1, 2)]

    def test_every_kind_of_write_is_recorded_with_old_and_new_value(self, table: Table) -> None:
        self.read(table)
        table.put("p", "a", b"1")
        table.create("p", "b", {"n": 1})
        table.put("p", "a", None)
        table.increment("p", "b", "n")
        table.update("p", "a", lambda value: [value])
        table.transact("p", [Put("a", 3), Create("c", 4), Delete("b")])
        table.delete("p", "a")
        table.delete("p", "missing")

        assert [(change.sort, change.kind, change.old, change.new) for change in self.read(table)] == [
            ("a", "created", None, b"1"),
            ("b", "created", None, {"n": 1}),
            ("a", "updated", b"1", None),
            ("b", "updated", {"n": 1}, {"n": 2}),
            ("a", "updated", None, [None]),
            ("a", "updated", [None], 3),
            ("c", "created", None, 4),
            ("b", "deleted", {"n": 2}, None),
            ("a", "deleted", 3, None),
        ]

    def test_a_change_has_the_moment_of_its_write(self, table: Table, clock: Clock) -> None:
        self.read(table)
        for act in (lambda: table.put("p", "s", 1), lambda: table.put("p", "s", 2), lambda: table.delete("p", "s")):
            clock.now += 60
            act()

        assert [change.time.timestamp() - NOW for change in self.read(table)] == [60, 120, 180]

    def test_what_was_refused_is_not_recorded(self, table: Table) -> None:
        table.put("p", "s", 1)
        self.read(table)
        refused: list[Callable[[], Any]] = [
            lambda: table.create("p", "s", 2),
            lambda: table.put("p", "s", 2, if_version="other"),
            lambda: table.delete("p", "s", if_version="other"),
            lambda: table.transact("p", [Put("other", 1), Create("s", 2)]),
            lambda: table.increment("p", "s", "n"),
        ]
        for act in refused:
            with pytest.raises((AlreadyExists, Conflict, InvalidArgument)):
                act()

        assert self.read(table) == []

    def test_an_item_over_an_expired_one_is_a_deletion_and_a_creation(self, table: Table, clock: Clock) -> None:
        table.put("p", "s", "old", expires=timedelta(seconds=1))
        self.read(table)
        clock.now += 2
        table.put("p", "s", "new")

        changes = [(change.kind, change.old, change.new) for change in self.read(table)]
        assert changes == [("deleted", "old", None), ("created", None, "new")]

    def test_the_removal_of_an_expired_item_is_a_deletion(self, table: Table, clock: Clock) -> None:
        table.put("p", "s", "old", expires=timedelta(seconds=1))
        self.read(table)
        clock.now += kv.SWEEP_SECONDS
        table.put("q", "s", 1)

        assert [(change.partition, change.kind) for change in self.read(table)] == [("q", "created"), ("p", "deleted")]

    def test_what_the_shell_deletes_is_recorded(self, table: Table) -> None:
        table.put("p", "s", 1)
        self.read(table)
        before = time.time()
        table.native().execute("DELETE FROM table_entries")
        change = self.read(table)[0]

        assert (change.kind, change.old) == ("deleted", 1)
        assert before - 1 < change.time.timestamp() < time.time() + 1

    def test_a_consumer_goes_on_where_it_stopped(self, table: Table, opening: Opening) -> None:
        feed = driver(table).feed("count")
        for number in range(5):
            table.put("p", str(number), number)
        feed.commit(feed.read(3)[-1][0])
        driver(table).close()

        again = driver(Table.at("sqlite://entries", opening=opening)).feed("count")
        assert [change.new for _, change in again.read(10)] == [3, 4]

    def test_reading_alone_moves_nothing(self, table: Table) -> None:
        feed = driver(table).feed("count")
        table.put("p", "s", 1)

        assert feed.read(10) == feed.read(10) != []

    def test_committing_an_earlier_place_moves_nothing(self, table: Table) -> None:
        feed = driver(table).feed("count")
        for number in range(3):
            table.put("p", str(number), number)
        tokens = [token for token, _ in feed.read(3)]
        feed.commit(tokens[2])
        feed.commit(tokens[0])

        assert feed.read(10) == []

    def test_changes_are_kept_until_every_consumer_has_passed_them(self, table: Table) -> None:
        fast, slow = driver(table).feed("fast"), driver(table).feed("slow")
        for number in range(3):
            table.put("p", str(number), number)
        count = 'SELECT count(*) FROM "table_entries/changes"'
        fast.commit(fast.read(3)[-1][0])
        between = table.native().execute(count).fetchone()
        slow.commit(slow.read(3)[-1][0])

        assert between == (3,)
        assert table.native().execute(count).fetchone() == (0,)

    def test_a_new_consumer_starts_at_its_first_call_also_after_all_was_trimmed(self, table: Table) -> None:
        first = driver(table).feed("first")
        table.put("p", "s", 1)
        first.commit(first.read(1)[0][0])
        second = driver(table).feed("second")
        table.put("p", "s", 2)

        assert [change.new for _, change in second.read(10)] == [2]
        assert [change.new for _, change in first.read(10)] == [2]

    def test_a_consumer_that_stays_away_does_not_fill_the_disk(self, table: Table, clock: Clock) -> None:
        driver(table).feed("gone")
        for number in range(5):
            table.put("p", str(number), number)
        clock.now += KEPT_SECONDS
        table.put("p", "last", "last")

        assert [change.new for _, change in driver(table).feed("gone").read(10)] == ["last"]

    def test_the_ids_of_changes_do_not_repeat(self, table: Table) -> None:
        feed = driver(table).feed("count")
        seen = []
        for number in range(3):
            table.put("p", "s", number)
            ((token, change),) = feed.read(10)
            seen.append(change.id)
            feed.commit(token)

        assert len(set(seen)) == 3


class TestThreads:
    def test_of_32_threads_that_create_one_item_one_wins(self, table: Table) -> None:
        together = threading.Barrier(32)

        def create(number: int) -> int | None:
            together.wait()
            try:
                return int(table.create("p", "s", number).value)
            except AlreadyExists:
                return None

        with ThreadPoolExecutor(32) as pool:
            won = [number for number in pool.map(create, range(32)) if number is not None]

        assert won == [table.get("p", "s").value]

    def test_50_updates_in_each_of_8_threads_are_400(self, table: Table) -> None:
        def count(_: int) -> None:
            for _ in range(50):
                table.update("p", "s", lambda value: (value or 0) + 1)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(count, range(8)))

        assert table.get("p", "s").value == 400

    def test_a_table_that_is_closed_while_threads_use_it_fails_none_of_them(self, table: Table) -> None:
        def count(_: int) -> None:
            for _ in range(50):
                table.increment("p", "s", "n")
                driver(table).close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(count, range(8)))

        assert table.get("p", "s").value == {"n": 400}


PROCESS = """
import sys, json, os
from portable.kv import Table
from portable_contracts.errors import AlreadyExists
from portable_contracts.kv import Create, Delete, Put
from portable_contracts.provider import Opening
table = Table.at(sys.argv[2] if sys.argv[2:] else "sqlite://entries", opening=Opening(data=sys.argv[1]))
"""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROCESS + program, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def race(program: str, count: int, folder: Path) -> list[str]:
    """Start *count* processes, let them begin at once, and return what each printed."""
    processes = [start("print('ready', flush=True); input()\n" + program, str(folder)) for _ in range(count)]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * count
    return answers


class TestProcesses:
    @pytest.mark.slow
    def test_of_32_processes_that_create_one_item_one_wins(self, table: Table, tmp_path: Path) -> None:
        program = """
try:
    print(table.create("p", "s", os.getpid()).value)
except AlreadyExists:
    print("lost")
"""
        answers = race(program, 32, tmp_path)
        won = [answer for answer in answers if answer != "lost"]

        assert won == [str(table.get("p", "s").value)]

    @pytest.mark.slow
    def test_updates_of_several_processes_lose_no_step(self, table: Table, tmp_path: Path) -> None:
        race("for _ in range(50): table.update('p', 's', lambda value: (value or 0) + 1)", 8, tmp_path)

        assert table.get("p", "s").value == 400

    @pytest.mark.slow
    def test_increments_of_several_processes_lose_no_step(self, table: Table, tmp_path: Path) -> None:
        race("for _ in range(50): table.increment('p', 's', 'n')", 8, tmp_path)

        assert table.get("p", "s").value == {"n": 400}

    @pytest.mark.slow
    def test_the_versions_of_forked_processes_do_not_repeat(self, tmp_path: Path) -> None:
        program = """
table.put("p", "s", 0)
for child in range(4):
    if os.fork() == 0:
        versions = [table.put("p", "s", number).version for number in range(20)]
        os.write(1, (" ".join(versions) + " ").encode())  # in one piece, whatever the others write
        os._exit(0)
for child in range(4):
    os.wait()
print(*[table.put("p", "s", number).version for number in range(20)])
"""
        out, _ = start(program, str(tmp_path)).communicate(timeout=60)

        assert len(set(out.split())) == 100

    @pytest.mark.slow
    def test_the_changes_of_several_processes_are_in_the_order_of_their_writes(
        self, table: Table, tmp_path: Path
    ) -> None:
        feed = driver(table).feed("count")
        race("for _ in range(50): table.increment('p', 's', 'n')", 4, tmp_path)

        assert [change.new["n"] for _, change in feed.read(1000)] == list(range(1, 201))


WRITER = """
import itertools, random
pad = random.Random(table.get("p", "left").value)
for number in itertools.count(table.get("p", "left").value + 1):
    text = "x" * pad.randrange(20_000)
    table.transact("p", [Put("left", number), Put("right", number)])
    table.put("q", str(number % 20), {"number": number, "text": text, "length": len(text)})
    table.increment("p", "count", "n")
    table.delete("q", str(pad.randrange(20)))
    print(number, flush=True)
"""


class TestCrashes:
    @pytest.mark.slow
    @pytest.mark.parametrize("synchronous", ["off", "normal", "full"])
    def test_a_writer_that_is_killed_leaves_whole_items_and_a_feed_that_tells_of_each(
        self, tmp_path: Path, synchronous: str
    ) -> None:
        opening = Opening(data=str(tmp_path))
        address = f"sqlite://entries?synchronous={synchronous}"
        table = Table.at(address, opening=opening)
        feed = driver(table).feed("copy")
        table.transact("p", [Put("left", 0), Put("right", 0)])
        copy: dict[tuple[str, str], Any] = {}
        moments = random.Random(synchronous)
        for _ in range(6):
            process = start(WRITER, str(tmp_path), address)
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.06))  # It is killed wherever it happens to be.
            process.kill()
            acknowledged = process.communicate()[0].split()
            while changes := feed.read(100):
                apply(changes, copy)
                feed.commit(changes[-1][0])

            assert table.native().execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert table.get("p", "left").value == table.get("p", "right").value
            assert table.get("p", "left").value >= int((acknowledged or ["0"])[-1])
            assert all(len(item.value["text"]) == item.value["length"] for item in table.query("q"))
            assert copy == {(item.partition, item.sort): item.value for item in table.scan()}


def apply(changes: Any, copy: dict[tuple[str, str], Any]) -> None:
    for _, change in changes:
        assert copy.get((change.partition, change.sort)) == change.old
        if change.kind == "deleted":
            del copy[change.partition, change.sort]
        else:
            assert ((change.partition, change.sort) in copy) == (change.kind == "updated")
            copy[change.partition, change.sort] = change.new


class TestBrokenFiles:
    @pytest.fixture
    def full(self, table: Table) -> Table:
        """A table on a disk that has no room for another page."""
        table.put("p", "s", "old")
        connection = table.native()
        connection.execute(f"PRAGMA max_page_count={connection.execute('PRAGMA page_count').fetchone()[0]}")
        return table

    LARGE = "x" * 100_000
    WRITES: dict[str, Callable[[Table], Any]] = {
        "put": lambda table: table.put("p", "s", TestBrokenFiles.LARGE),
        "create": lambda table: table.create("p", "new", TestBrokenFiles.LARGE),
        "update": lambda table: table.update("p", "s", lambda _: TestBrokenFiles.LARGE),
        "transact": lambda table: table.transact("p", [Put("s", "new"), Create("new", TestBrokenFiles.LARGE)]),
    }

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
    def test_a_full_disk_leaves_what_was_there(self, full: Table, write: Callable[[Table], Any]) -> None:
        with pytest.raises(PortableError, match=r"full: nothing was written; make room on the disk of .*tables\.db"):
            write(full)

        assert [(item.sort, item.value) for item in full.scan()] == [("s", "old")]

    def test_a_table_works_again_once_there_is_room(self, full: Table) -> None:
        with pytest.raises(PortableError):
            full.put("p", "s", self.LARGE)
        full.native().execute("PRAGMA max_page_count=1000000")
        full.put("p", "s", self.LARGE)

        assert full.get("p", "s").value == self.LARGE

    CALLS: dict[str, Callable[[Table], Any]] = {
        "get": lambda table: table.get("p", "s"),
        "put": lambda table: table.put("p", "s", 1),
        "increment": lambda table: table.increment("p", "s", "n"),
        "transact": lambda table: table.transact("p", [Put("s", 1)]),
        "query": lambda table: list(table.query("p")),
        "scan": lambda table: list(table.scan()),
    }

    @pytest.mark.parametrize("act", CALLS.values(), ids=CALLS)
    def test_a_file_that_is_no_database_is_named_with_what_to_do(
        self, table: Table, tmp_path: Path, act: Callable[[Table], Any]
    ) -> None:
        (tmp_path / "tables.db").write_text("no database " * 1000)

        with pytest.raises(PortableError, match=r"tables\.db holds something else; move it away") as caught:
            act(table)
        assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)
        assert caught.value.resource == "table entries"


class TestDriver:
    def test_making_one_does_no_io(self, tmp_path: Path) -> None:
        SqliteTable.from_address(Address("sqlite", "entries"), Opening(data=str(tmp_path / "none")))

        assert not (tmp_path / "none").exists()

    def test_the_native_client_is_a_sqlite_connection(self, table: Table) -> None:
        assert isinstance(table.native(), sqlite3.Connection)

    def test_a_closed_table_opens_again(self, table: Table) -> None:
        table.put("p", "s", 1)
        driver(table).close()

        assert table.get("p", "s").value == 1

    def test_its_limits_are_those_of_this_machine(self, table: Table) -> None:
        with pytest.raises(LimitExceeded, match=r"table entries on sqlite://entries allows 4,194,304"):
            table.put("p", "s", "x" * (4 * 1024**2 + 1))

    def test_a_missing_item_is_not_found(self, table: Table) -> None:
        with pytest.raises(NotFound, match="get 'p', 's' in table entries"):
            table.get("p", "s")
