"""SQLite files that threads and processes share: connections, transactions, schema, forks, broken files."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from portable_contracts.errors import InvalidArgument, PermissionDenied, PortableError, Unavailable, Unsupported
from portable_local._sqlite import Database, classify_sqlite

SCRIPT = "CREATE TABLE steps (number INTEGER);"
OPEN = f"""
import os, sys, threading
from portable_local._sqlite import Database
database = Database(sys.argv[1], owner="test", scripts=[{SCRIPT!r}])
def add(number):
    with database.write() as connection:
        connection.execute("INSERT INTO steps VALUES (?)", (number,))
def steps():
    return [number for number, in database.connection().execute("SELECT number FROM steps ORDER BY number")]
def open_files():
    names = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    return sum(os.readlink(name).startswith(sys.argv[1]) for name in names if os.path.exists(name))
"""

linux_only = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files are counted in /proc")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "file.db")


@pytest.fixture
def database(path: str) -> Iterator[Database]:
    database = Database(path, owner="test", scripts=[SCRIPT])
    yield database
    database.close()


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-c", OPEN + program, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run(program: str, *arguments: str) -> str:
    process = start(program, *arguments)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return out


def steps(database: Database) -> list[int]:
    return [number for (number,) in database.connection().execute("SELECT number FROM steps ORDER BY number")]


def open_files(path: str) -> int:
    names = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    return sum(os.readlink(name).startswith(path) for name in names if os.path.exists(name))


class TestConnections:
    def test_nothing_is_opened_before_the_first_use(self, database: Database, path: str) -> None:
        assert not os.path.exists(path)

    def test_missing_folders_are_made(self, tmp_path: Path) -> None:
        Database(str(tmp_path / "a" / "b" / "file.db")).connection()

        assert (tmp_path / "a" / "b" / "file.db").exists()

    def test_a_thread_has_one_connection(self, database: Database) -> None:
        assert database.connection() is database.connection()

    def test_two_threads_have_two_connections(self, database: Database) -> None:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(database.connection).result() is not database.connection()

    def test_the_file_is_in_wal_mode(self, database: Database) -> None:
        assert database.connection().execute("PRAGMA journal_mode").fetchone() == ("wal",)

    @pytest.mark.parametrize(("word", "number"), [("off", 0), ("normal", 1), ("full", 2), ("FULL", 2)])
    def test_synchronous_is_as_asked_for(self, path: str, word: str, number: int) -> None:
        connection = Database(path, synchronous=word).connection()

        assert connection.execute("PRAGMA synchronous").fetchone() == (number,)

    def test_an_unknown_synchronous_is_refused(self, path: str) -> None:
        with pytest.raises(InvalidArgument, match="off, normal or full"):
            Database(path, synchronous="extra; DROP TABLE steps")

    @linux_only
    def test_closing_closes_the_connections_of_all_threads(self, database: Database, path: str) -> None:
        leave = threading.Event()
        opened = threading.Event()

        def stay() -> None:
            database.connection()
            opened.set()
            leave.wait()

        thread = threading.Thread(target=stay)
        thread.start()
        opened.wait()
        database.connection()
        before = open_files(path)
        database.close()
        after = open_files(path)
        leave.set()
        thread.join()

        assert before > 0
        assert after == 0

    @linux_only
    def test_the_end_of_a_thread_closes_its_connection(self, database: Database, path: str) -> None:
        thread = threading.Thread(target=database.connection)
        thread.start()
        thread.join()

        assert open_files(path) == 0

    def test_a_closed_database_opens_again(self, database: Database) -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO steps VALUES (1)")
        database.close()

        assert steps(database) == [1]

    def test_closing_spares_a_connection_that_is_in_use(self, database: Database) -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO steps VALUES (1)")
            database.close()
            connection.execute("INSERT INTO steps VALUES (2)")

        assert steps(database) == [1, 2]

    def test_closing_spares_a_result_that_is_being_read(self, database: Database) -> None:
        with database.write() as connection:
            connection.executemany("INSERT INTO steps VALUES (?)", [(1,), (2,), (3,)])
        rows = database.connection().execute("SELECT number FROM steps ORDER BY number")
        first = next(rows)
        database.close()

        assert [first, *rows] == [(1,), (2,), (3,)]

    def test_an_old_sqlite_is_refused_with_what_to_do(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))

        with pytest.raises(Unsupported, match=r"needs 3\.35\.0 or newer"):
            database.connection()


class TestTransactions:
    def test_the_end_of_the_block_commits(self, database: Database, path: str) -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO steps VALUES (1)")

        assert run("print(steps())", path) == "[1]\n"

    def test_an_error_in_the_block_rolls_back(self, database: Database) -> None:
        def fail() -> None:
            with database.write() as connection:
                connection.execute("INSERT INTO steps VALUES (1)")
                raise KeyError

        with pytest.raises(KeyError):
            fail()

        assert steps(database) == []
        assert not database.connection().in_transaction

    def test_two_writers_take_turns(self, database: Database, path: str) -> None:
        process = start("print('ready', flush=True); input(); add(2)", path)
        assert process.stdout is not None
        process.stdout.readline()
        with database.write() as connection:
            process.stdin.write("\n")
            process.stdin.flush()
            connection.execute("INSERT INTO steps VALUES (1)")
        process.communicate(timeout=60)

        assert steps(database) == [1, 2]

    def test_a_full_disk_in_the_block_rolls_back_and_says_what_to_do(self, database: Database, path: str) -> None:
        connection = database.connection()
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 1}")
        with pytest.raises(sqlite3.Error) as caught, database.write():
            connection.executemany("INSERT INTO steps VALUES (?)", [(number,) for number in range(10_000)])

        assert steps(database) == []
        assert "nothing was written; make room" in database.explain(caught.value)
        assert path in database.explain(caught.value)
        assert classify_sqlite(caught.value) is PortableError

    def test_another_writer_that_does_not_end_is_unavailable(self, database: Database, path: str) -> None:
        other = Database(path)
        other.connection().execute("PRAGMA busy_timeout=0")
        with database.write(), pytest.raises(sqlite3.Error) as caught, other.write():
            pass

        assert classify_sqlite(caught.value) is Unavailable
        assert path in other.explain(caught.value)

    def test_readers_do_not_wait_for_a_writer(self, database: Database, path: str) -> None:
        other = Database(path, owner="test", scripts=[SCRIPT])
        with database.write() as connection:
            connection.execute("INSERT INTO steps VALUES (1)")

            assert steps(other) == []


class TestSchema:
    @pytest.mark.slow
    def test_processes_that_open_a_new_file_at_once_make_it_once(self, path: str) -> None:
        processes = [start("input(); add(os.getpid()); print(len(steps()))", path) for _ in range(8)]
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            process.communicate(timeout=60)

        assert [process.returncode for process in processes] == [0] * 8
        assert len(set(steps(Database(path, owner="test", scripts=[SCRIPT])))) == 8

    def test_a_new_script_is_run_on_an_old_file_once(self, database: Database, path: str) -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO steps VALUES (1)")
        scripts = [
            SCRIPT,
            "ALTER TABLE steps ADD COLUMN name TEXT DEFAULT 'a;b'; UPDATE steps SET number = number + 1;",
        ]
        for _ in range(2):
            newer = Database(path, owner="test", scripts=scripts)
            rows = newer.connection().execute("SELECT number, name FROM steps").fetchall()

        assert rows == [(2, "a;b")]

    def test_a_file_of_a_newer_version_is_refused(self, path: str) -> None:
        Database(path, owner="test", scripts=[SCRIPT, "CREATE TABLE more (number);"]).connection()

        with pytest.raises(Unsupported, match="upgrade portable"):
            Database(path, owner="test", scripts=[SCRIPT]).connection()

    def test_two_owners_share_a_file(self, database: Database, path: str) -> None:
        database.connection()
        other = Database(path, owner="other", scripts=["CREATE TABLE other (number INTEGER);"])

        assert other.connection().execute("SELECT count(*) FROM other, steps").fetchone() == (0,)

    def test_a_script_that_fails_leaves_nothing(self, path: str) -> None:
        with pytest.raises(sqlite3.OperationalError):
            Database(path, owner="test", scripts=["CREATE TABLE a (b); CREATE TABLE a (c);"]).connection()

        assert Database(path).connection().execute("SELECT name FROM sqlite_master").fetchall() == []

    def test_a_script_may_hold_triggers(self, path: str) -> None:
        script = """
            CREATE TABLE a (b);
            CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = ';'; UPDATE a SET b = b || 'x'; END;
        """
        connection = Database(path, owner="test", scripts=[script]).connection()
        connection.execute("INSERT INTO a VALUES (1)")

        assert connection.execute("SELECT b FROM a").fetchall() == [(";x",)]


@linux_only
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
class TestForks:
    """Each in a process of its own, whose only threads are those that it starts."""

    def test_no_idle_connection_goes_through_a_fork(self, path: str) -> None:
        program = """
add(1)
stay = threading.Event()
opened = threading.Event()
threading.Thread(target=lambda: (steps(), opened.set(), stay.wait())).start()
opened.wait()
if os.fork() == 0:
    print(open_files(), flush=True)
    os._exit(0)
os.wait()
stay.set()
"""
        assert run(program, path) == "0\n"

    def test_parent_and_child_go_on_writing(self, path: str) -> None:
        program = """
add(1)
child = os.fork()
if child == 0:
    for number in range(100, 200):
        add(number)
    os._exit(0)
for number in range(200, 300):
    add(number)
os.waitpid(child, 0)
print(steps() == [1, *range(100, 300)])
"""
        assert run(program, path) == "True\n"

    def test_a_child_that_outlives_its_parents_connections_loses_nothing(self, path: str) -> None:
        # An inherited connection would let the parent's closing delete the log that the child writes.
        program = """
add(1)
steps()
reading, writing = os.pipe()
if os.fork() == 0:
    add(2)
    os.read(reading, 1)
    add(3)
    os._exit(0)
while steps() != [1, 2]:
    pass
database.close()
os.write(writing, b"x")
os.wait()
print(steps())
"""
        assert run(program, path) == "[1, 2, 3]\n"

    def test_a_transaction_in_another_thread_survives_a_fork(self, path: str) -> None:
        program = """
inside, forked = threading.Event(), threading.Event()
def work():
    with database.write() as connection:
        connection.execute("INSERT INTO steps VALUES (1)")
        inside.set()
        forked.wait()
        connection.execute("INSERT INTO steps VALUES (2)")
thread = threading.Thread(target=work)
thread.start()
inside.wait()
if os.fork() == 0:
    os._exit(0)
os.wait()
forked.set()
thread.join()
print(steps())
"""
        assert run(program, path) == "[1, 2]\n"

    def test_a_child_that_ends_in_the_ordinary_way_does_no_harm(self, path: str) -> None:
        program = """
add(1)
kept = database.connection()
kept.execute("BEGIN IMMEDIATE")
kept.execute("INSERT INTO steps VALUES (2)")
if os.fork() == 0:
    del kept
    sys.exit(0)
os.wait()
kept.execute("INSERT INTO steps VALUES (3)")
kept.execute("COMMIT")
print(steps(), database.connection().execute("PRAGMA integrity_check").fetchone()[0])
"""
        assert run(program, path) == "[1, 2, 3] ok\n"


class TestProcesses:
    @pytest.mark.slow
    def test_processes_that_write_at_once_lose_no_step(self, database: Database, path: str) -> None:
        program = "\nfor number in range(200): add(int(sys.argv[2]) * 1000 + number)"
        processes = [start(program, path, str(number)) for number in range(4)]
        for process in processes:
            process.communicate(timeout=60)

        assert steps(database) == [process * 1000 + number for process in range(4) for number in range(200)]


def make_text(path: str) -> None:
    with open(path, "w") as file:
        file.write("This is no database, but it is long enough to look like one. " * 100)


def make_damaged(path: str) -> None:
    run("database.connection().executemany('INSERT INTO steps VALUES (?)', [(n,) for n in range(5000)])", path)
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 20_000)


class TestBrokenFiles:
    @pytest.mark.parametrize(
        ("make", "said"), [(make_text, "holds something else"), (make_damaged, "is damaged; restore a copy")]
    )
    def test_the_error_says_what_is_wrong_and_what_to_do(
        self, path: str, make: Callable[[str], None], said: str
    ) -> None:
        make(path)
        database = Database(path, owner="test", scripts=[SCRIPT])
        with pytest.raises(sqlite3.DatabaseError) as caught:
            steps(database)

        assert classify_sqlite(caught.value) is PortableError
        assert said in database.explain(caught.value)
        assert path in database.explain(caught.value)

    def test_a_file_that_is_no_database_is_left_as_it_is(self, path: str) -> None:
        make_text(path)
        before = Path(path).read_bytes()
        with pytest.raises(sqlite3.DatabaseError):
            Database(path, owner="test", scripts=[SCRIPT]).connection()

        assert Path(path).read_bytes() == before
        assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]

    def test_a_folder_in_the_place_of_the_file_is_denied(self, path: str) -> None:
        os.mkdir(path)
        database = Database(path)
        with pytest.raises(sqlite3.OperationalError) as caught:
            database.connection()

        assert classify_sqlite(caught.value) is PermissionDenied
        assert path in database.explain(caught.value)

    def test_a_file_in_the_place_of_the_folder_is_named(self, path: str) -> None:
        make_text(path)
        database = Database(os.path.join(path, "file.db"))
        with pytest.raises(OSError) as caught:
            database.connection()

        assert classify_sqlite(caught.value) is PortableError
        assert path in database.explain(caught.value)

    @pytest.mark.parametrize("exists", [False, True], ids=["new file", "file that is there"])
    def test_a_read_only_folder_is_denied_with_what_to_do(self, exists: bool) -> None:
        with tempfile.TemporaryDirectory() as folder:  # Not pytest's: no other user may enter that.
            path = os.path.join(folder, "file.db")
            if exists:
                Database(path, owner="test", scripts=[SCRIPT]).connection()
                os.chmod(path, 0o444)
            os.chmod(folder, 0o555)
            program = """
from portable_local._sqlite import classify_sqlite
import sqlite3
if os.getuid() == 0:
    os.setuid(65534)
try:
    add(1)
except sqlite3.Error as error:
    print(classify_sqlite(error).__name__, "|", database.explain(error))
"""
            said = run(program, path)
            os.chmod(folder, 0o755)

        assert said.startswith("PermissionDenied | ")
        assert "writable for this user" in said
        assert path in said

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (sqlite3.OperationalError("database is locked"), Unavailable),
            (sqlite3.OperationalError("database table is locked: steps"), Unavailable),
            (sqlite3.OperationalError("database or disk is full"), PortableError),
            (sqlite3.OperationalError("attempt to write a readonly database"), PermissionDenied),
            (sqlite3.OperationalError("unable to open database file"), PermissionDenied),
            (sqlite3.OperationalError("disk I/O error"), PortableError),
            (sqlite3.DatabaseError("database disk image is malformed"), PortableError),
            (sqlite3.DatabaseError("file is not a database"), PortableError),
            (sqlite3.IntegrityError("UNIQUE constraint failed: a.b"), PortableError),
            (PermissionError(13, "Permission denied"), PermissionDenied),
            (OSError(30, "Read-only file system"), PermissionDenied),
            (OSError(28, "No space left on device"), PortableError),
            (Unsupported("too old"), Unsupported),
            (ValueError("something else"), PortableError),
        ],
        ids=str,
    )
    def test_errors_are_classified(self, error: Exception, kind: type[PortableError]) -> None:
        assert classify_sqlite(error) is kind
