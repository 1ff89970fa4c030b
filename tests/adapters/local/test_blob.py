"""What is particular to buckets in the file system: folders, files, crashes, processes, full disks, addresses."""

from __future__ import annotations

import errno
import http.client
import json
import os
import resource
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from portable.blob import Bucket
from portable_contracts.blob import WriteOptions
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PortableError,
)
from portable_contracts.events import BlobEvent
from portable_contracts.provider import Opening
from portable_local._blob_events import KEPT_SECONDS
from portable_local.harness import LocalHarness

if TYPE_CHECKING:
    from portable_contracts.events import Feed

MIB = 1 << 20
START = 1_700_000_000.123456


class Clock:
    """A clock that stands still until it is moved."""

    now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_bucket(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Bucket]]:
    """Return a function that opens the bucket in the folder `photos`, or another, anew."""
    opened: list[Bucket] = []

    def open_one(address: str = f"file://{tmp_path}/photos") -> Bucket:
        opened.append(Bucket.at(address, opening=Opening(data=str(tmp_path), clock=clock)))
        return opened[-1]

    yield open_one
    for bucket in opened:
        bucket._connection.driver.close()


@pytest.fixture
def bucket(open_bucket: Callable[..., Bucket]) -> Bucket:
    return open_bucket()


def folder_of(bucket: Bucket) -> Path:
    folder: Path = bucket.native()
    return folder


def leftovers(bucket: Bucket) -> list[str]:
    """Name the files that belong to no object."""
    return list(LocalHarness().leftovers(f"file://{folder_of(bucket)}"))


def content_file(bucket: Bucket, key: str) -> Path:
    (found,) = folder_of(bucket).rglob(bucket.info(key).version)
    return found


def in_python(program: str, *arguments: object) -> str:
    """Run *program* in a process of its own and return what it printed; it must end well and say nothing else."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


class TestAddresses:
    def test_a_name_is_a_folder_among_the_data(self, open_bucket: Callable[..., Bucket], tmp_path: Path) -> None:
        assert open_bucket("file://in-1").native() == tmp_path / "buckets" / "in-1"

    def test_a_path_is_a_folder_of_its_own(self, open_bucket: Callable[..., Bucket], tmp_path: Path) -> None:
        assert open_bucket(f"file://{tmp_path}/a%20b/../c/").native() == tmp_path / "c"

    def test_opening_makes_nothing(self, open_bucket: Callable[..., Bucket], tmp_path: Path) -> None:
        open_bucket("file://photos")

        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("address", "why"),
        [
            ("file://", "is not a name"),
            ("file:///", "write file://NAME, or file:///absolute/folder"),
            ("file://name/folder", "write file://NAME, or file:///absolute/folder"),
            ("file://..", "is not a name"),
            ("file://.", "is not a name"),
            ("file://a%2Fb", "is not a name"),
            ("file://a b", "is not a name"),
            ("file://photos?synchronous=always", "use off, normal or full"),
            ("file://photos?syncronous=full", "unknown parameter 'syncronous'"),
        ],
    )
    def test_a_wrong_address_is_refused(self, open_bucket: Callable[..., Bucket], address: str, why: str) -> None:
        with pytest.raises(InvalidArgument, match=why):
            open_bucket(address)

    def test_two_buckets_of_one_data_folder_are_apart(self, open_bucket: Callable[..., Bucket]) -> None:
        open_bucket("file://one").write("k", b"1")

        assert list(open_bucket("file://other").list()) == []

    @pytest.mark.parametrize("key", ["../../escaped", "/escaped", "a\x00b", "index.db", "a" * 5000])
    def test_no_key_becomes_a_path(self, bucket: Bucket, tmp_path: Path, key: str) -> None:
        driver = bucket._connection.driver
        driver.write(key, b"1", WriteOptions("text/plain"))

        assert [entry.key for entry in driver.list_page(prefix="", delimiter=None, cursor=None, limit=2).items] == [key]
        assert [path.name for path in tmp_path.iterdir()] == ["photos"]
        assert sorted(path.name for path in (tmp_path / "photos").iterdir() if path.is_dir()) == ["data", "intents"]


@pytest.fixture(scope="module")
def outcomes_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that stops an operation at each of its steps in turn, and gives what was there each time."""

    @cache
    def run(operation: str, how: str) -> list[dict[str, Any]]:
        program = Path(__file__).with_name("stopped_bucket.py").read_text()
        address = f"file://{tmp_path_factory.mktemp('stopped')}/bucket?synchronous=full"
        outcomes: list[dict[str, Any]] = json.loads(in_python(program, address, operation, how))
        return outcomes

    return run


@pytest.mark.slow
class TestStoppedWriters:
    @pytest.mark.parametrize("how", ["kill", "interrupt"])
    @pytest.mark.parametrize(
        ("operation", "after"),
        [
            ("write over", ("new", "old", "none")),
            ("write over with a stream", ("new", "old", "none")),
            ("write", ("old", "old", "new")),
            ("create", ("old", "old", "new")),
            ("copy over", ("new", "old", "none")),
            ("delete", ("none", "old", "none")),
            ("delete many", ("none", "none", "none")),
        ],
    )
    def test_an_operation_is_done_whole_or_not_at_all(
        self, outcomes_of: Callable[..., list[dict[str, Any]]], operation: str, how: str, after: tuple[str, str, str]
    ) -> None:
        seen = [(outcome["k"], outcome["kept"], outcome["absent"]) for outcome in outcomes_of(operation, how)]

        assert len(seen) > 20
        assert set(seen) == {("old", "old", "none"), after}

    @pytest.mark.parametrize("how", ["kill", "interrupt"])
    @pytest.mark.parametrize("operation", ["write over", "write", "create", "copy over", "delete", "delete many"])
    def test_the_listing_agrees_with_the_objects(
        self, outcomes_of: Callable[..., list[dict[str, Any]]], operation: str, how: str
    ) -> None:
        outcomes = outcomes_of(operation, how)

        assert [outcome["listed"] for outcome in outcomes] == [
            [key for key in ("absent", "k", "kept") if outcome[key] != "none"] for outcome in outcomes
        ]

    @pytest.mark.parametrize("operation", ["write over", "write", "create", "copy over", "delete", "delete many"])
    def test_the_next_writer_clears_away_what_a_killed_one_left(
        self, outcomes_of: Callable[..., list[dict[str, Any]]], operation: str
    ) -> None:
        assert {outcome["leftovers"] for outcome in outcomes_of(operation, "kill")} == {0}

    @pytest.mark.parametrize("operation", ["write over", "write", "create", "copy over", "delete", "delete many"])
    def test_an_interrupted_writer_leaves_nothing_behind(
        self, outcomes_of: Callable[..., list[dict[str, Any]]], operation: str
    ) -> None:
        assert {outcome["leftovers"] for outcome in outcomes_of(operation, "interrupt")} == {0}


class TestLeftovers:
    PROGRAM = """
import os, signal, sys
from portable.blob import Bucket
def body():
    yield b"x" * 100_000
    os.kill(os.getpid(), signal.SIGKILL)
Bucket.at(sys.argv[1]).write("k", body())
"""

    @pytest.fixture
    def killed(self, bucket: Bucket) -> Bucket:
        """A bucket in which a writer was killed."""
        bucket.write("first", b"")
        bucket._connection.driver.close()
        subprocess.run([sys.executable, "-c", self.PROGRAM, f"file://{folder_of(bucket)}"], check=False)
        return bucket

    def test_a_killed_writer_leaves_its_file(self, killed: Bucket) -> None:
        assert len(leftovers(killed)) == 1

    def test_a_reader_leaves_it(self, killed: Bucket) -> None:
        killed.exists("k")

        assert len(leftovers(killed)) == 1

    @pytest.mark.parametrize(
        "use",
        [
            lambda bucket: bucket.write("x", b""),
            lambda bucket: bucket.copy("first", "x"),
            lambda bucket: bucket.delete("k"),
            lambda bucket: bucket.delete_many(["k"]),
        ],
        ids=["write", "copy", "delete", "delete_many"],
    )
    def test_the_next_writer_removes_it(self, killed: Bucket, use: Callable[[Bucket], object]) -> None:
        use(killed)

        assert leftovers(killed) == []

    def test_what_a_writer_that_lives_has_begun_stays(self, bucket: Bucket, open_bucket: Callable[..., Bucket]) -> None:
        def body() -> Iterator[bytes]:
            yield b"begun, "
            open_bucket().write("other", b"")
            bucket.write("another", b"")
            yield b"done"

        bucket.write("k", body())

        assert bucket.read("k") == b"begun, done"

    def test_a_file_that_cannot_be_removed_stops_no_writer(self, killed: Bucket) -> None:
        (file,) = map(Path, leftovers(killed))
        file.unlink()
        file.mkdir()
        killed.write("k", b"1")

        assert killed.read("k") == b"1"

    def test_a_process_that_deleted_nothing_leaves_nothing_to_clear(self, bucket: Bucket) -> None:
        program = """
import os, signal, sys
from portable.blob import Bucket
Bucket.at(sys.argv[1]).delete("missing")
os.kill(os.getpid(), signal.SIGKILL)
"""
        subprocess.run([sys.executable, "-c", program, f"file://{folder_of(bucket)}"], check=False)
        bucket.write("k", b"1")

        assert bucket.read("k") == b"1"

    def test_notes_that_are_none_do_no_harm(self, bucket: Bucket, open_bucket: Callable[..., Bucket]) -> None:
        bucket.write("k", b"1")
        info = bucket.info("k")
        (folder_of(bucket) / "intents" / "empty").touch()
        (folder_of(bucket) / "intents" / "short").write_bytes(b"0000")
        (folder_of(bucket) / "intents" / "cut").write_bytes(b"0000001b00000000" + f"{info.version} x".encode())
        open_bucket().write("x", b"")

        assert bucket.read("k") == b"1"

    def test_a_program_that_ends_leaves_no_notes(self, bucket: Bucket) -> None:
        program = """
import sys
from concurrent.futures import ThreadPoolExecutor
from portable.blob import Bucket
bucket = Bucket.at(sys.argv[1])
with ThreadPoolExecutor(4) as pool:
    list(pool.map(lambda number: bucket.write(str(number), b"1"), range(20)))
"""
        in_python(program, f"file://{folder_of(bucket)}")

        assert list((folder_of(bucket) / "intents").iterdir()) == []

    def test_many_writes_use_few_notes(self, bucket: Bucket) -> None:
        for number in range(20):
            bucket.write("k", b"%d" % number)

        assert len(list((folder_of(bucket) / "intents").iterdir())) == 1


class TestProcesses:
    def test_one_of_32_processes_creates_the_object(self, bucket: Bucket) -> None:
        program = """
import os, sys
from portable.blob import Bucket
from portable_contracts.errors import AlreadyExists
bucket = Bucket.at(sys.argv[1])
ready, go = os.pipe(), os.pipe()
for number in range(32):
    if not os.fork():
        os.close(go[1])
        os.write(ready[1], b".")
        os.read(go[0], 1)
        try:
            bucket.create("k", str(number))
            os.write(1, b"won %d\\n" % number)
        except AlreadyExists:
            os.write(1, b"lost %d\\n" % number)
        os._exit(0)
for number in range(32):
    os.read(ready[0], 1)
os.close(go[1])
for number in range(32):
    os.wait()
"""
        outcomes = dict(line.split()[::-1] for line in in_python(program, f"file://{folder_of(bucket)}").splitlines())
        winner = bucket.read("k").decode()

        assert len(outcomes) == 32
        assert [number for number, outcome in outcomes.items() if outcome == "won"] == [winner]

    def test_a_child_of_a_fork_and_its_parent_both_write(self, bucket: Bucket) -> None:
        program = """
import os, sys
from portable.blob import Bucket
bucket = Bucket.at(sys.argv[1])
bucket.write("before", b"1")
child = os.fork()
for number in range(50):
    bucket.write(f"{'parent' if child else 'child'}/{number}", b"1")
    bucket.write("both", str(number))
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
        in_python(program, f"file://{folder_of(bucket)}")

        assert (len(list(bucket.list())), bucket.read("both"), leftovers(bucket)) == (102, b"49", [])

    def test_versions_of_equal_bytes_never_repeat(self, bucket: Bucket) -> None:
        program = """
import sys
from portable.blob import Bucket
bucket = Bucket.at(sys.argv[1])
for _ in range(100):
    print(bucket.write("k", b"same").version)
    bucket.delete("k")
"""
        with ThreadPoolExecutor(2) as pool:
            outputs = pool.map(lambda _: in_python(program, f"file://{folder_of(bucket)}"), range(2))

        assert len(set("".join(outputs).split())) == 200


class TestFiles:
    def test_bytes_are_in_a_file_of_their_own(self, bucket: Bucket) -> None:
        bucket.write("k", b"body")

        assert content_file(bucket, "k").read_bytes() == b"body"

    def test_what_is_replaced_or_deleted_takes_its_file_with_it(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        bucket.write("k", b"2")
        bucket.write("l", b"3")
        bucket.copy("l", "k")
        bucket.delete("k")
        bucket.delete_many(["l", "missing"])

        assert leftovers(bucket) == []

    def test_a_copy_shares_its_bytes_on_disk(self, bucket: Bucket) -> None:
        bucket.write("k", b"body")
        bucket.copy("k", "copy")

        assert content_file(bucket, "copy").samefile(content_file(bucket, "k"))

    def test_a_copy_has_its_own_bytes_where_there_are_no_links(
        self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "no links here")

        bucket.write("k", b"body", metadata={"a": "1"})
        monkeypatch.setattr(os, "link", refuse)
        copied = bucket.copy("k", "copy")

        assert (bucket.read("copy"), copied.metadata) == (b"body", {"a": "1"})
        assert not content_file(bucket, "copy").samefile(content_file(bucket, "k"))

    def test_a_file_that_is_gone_is_an_error_that_says_so(self, bucket: Bucket) -> None:
        bucket.write("k", b"body")
        content_file(bucket, "k").unlink()

        with pytest.raises(PortableError, match=r"read 'k' .* is gone from .*: restore it, or write") as caught:
            bucket.read("k")
        assert type(caught.value) is PortableError

    def test_a_file_that_was_cut_is_an_error_that_says_so(self, bucket: Bucket) -> None:
        bucket.write("k", b"body")
        os.truncate(content_file(bucket, "k"), 3)

        with pytest.raises(PortableError, match="has 3 bytes, not 4"):
            bucket.read("k")

    @pytest.mark.parametrize(
        "mend",
        [lambda bucket: bucket.write("k", b"new"), lambda bucket: bucket.delete("k")],
        ids=["write", "delete"],
    )
    def test_an_object_without_its_file_can_be_written_or_deleted(
        self, bucket: Bucket, mend: Callable[[Bucket], object]
    ) -> None:
        bucket.write("k", b"body")
        content_file(bucket, "k").unlink()
        mend(bucket)

        assert [bucket.read(entry.key) for entry in bucket.list()] in ([b"new"], [])

    def test_a_reader_keeps_the_version_that_it_began_with(self, bucket: Bucket) -> None:
        bucket.write("k", b"o" * 3 * MIB)
        with bucket.open("k") as stream:
            first = next(stream)
            bucket.write("k", b"n" * 3 * MIB)
            bucket.delete("k")
            rest = stream.read()

        assert set(first + rest) == {ord("o")}

    def test_a_stream_that_is_dropped_closes_its_file(self, bucket: Bucket) -> None:
        bucket.write("k", b"body")
        before = len(os.listdir("/dev/fd"))
        for _ in range(10):
            bucket.open("k")
            next(bucket.open("k"))

        assert len(os.listdir("/dev/fd")) == before

    @pytest.mark.parametrize(("synchronous", "syncs"), [("off", 0), ("normal", 0), ("full", 2)])
    def test_only_a_full_write_waits_for_the_disk(
        self, open_bucket: Callable[..., Bucket], tmp_path: Path, synchronous: str, syncs: int
    ) -> None:
        bucket = open_bucket(f"file://{tmp_path}/photos?synchronous={synchronous}")
        bucket.write("k", b"1")
        for number in range(256):
            (folder_of(bucket) / "data" / f"{number:02x}").mkdir(exist_ok=True)
        calls: list[str] = []

        def note(frame: object, event: str, function: Any) -> None:
            if event == "c_call" and function.__name__ in ("fsync", "execute"):
                calls.append(function.__name__)

        sys.setprofile(note)
        bucket.write("k", b"1")
        sys.setprofile(None)

        # The file and its name, before the row that names it: BEGIN, SELECT, INSERT, COMMIT.
        assert calls == ["fsync"] * syncs + ["execute"] * 4


class TestMemory:
    def test_a_large_object_is_written_and_read_in_little_memory(self, bucket: Bucket) -> None:
        piece = bytes(MIB // 2)
        tracemalloc.start()
        bucket.write("k", (piece for _ in range(128)))
        with bucket.open("k") as stream:
            size = sum(len(chunk) for chunk in stream)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert size == 64 * MIB
        assert peak < 8 * MIB

    def test_a_long_listing_needs_little_memory(self, bucket: Bucket) -> None:
        fill(bucket, [f"k{number:06}" for number in range(20_000)])
        tracemalloc.start()
        count = sum(1 for _ in bucket.list())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert count == 20_000
        assert peak < 4 * MIB

    def test_the_keys_of_a_group_are_skipped_not_read(self, bucket: Bucket) -> None:
        fill(bucket, [f"{folder}/{number:05}" for folder in "abc" for number in range(5000)])
        connection = bucket._connection.driver._database.connection()
        steps: list[int] = []
        connection.set_progress_handler(lambda: steps.append(1), 100)
        groups = list(bucket.list(delimiter="/"))
        connection.set_progress_handler(None, 0)

        assert len(groups) == 3
        assert len(steps) < 10


def fill(bucket: Bucket, keys: list[str]) -> None:
    """Put *keys* into the index, without files: no listing looks at those."""
    bucket.exists("k")
    with bucket._connection.driver._database.write() as connection:
        connection.executemany(
            "INSERT INTO objects (key, version, size, content_type, metadata, modified) "
            "VALUES (?, '1', 1, 'a/b', '', 1.0)",
            [(key,) for key in keys],
        )


class TestBrokenFolders:
    def test_a_folder_that_is_a_file_is_an_error_that_says_so(self, bucket: Bucket) -> None:
        folder_of(bucket).write_text("not a folder")

        with pytest.raises(PortableError, match="must be a folder: move the file away, or use another address"):
            bucket.write("k", b"1")

    def test_a_folder_below_a_file_is_an_error_that_says_so(
        self, open_bucket: Callable[..., Bucket], tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("not a folder")

        with pytest.raises(PortableError, match="must be a folder: move the file away, or use another address"):
            open_bucket(f"file://{tmp_path}/file/bucket").write("k", b"1")

    def test_an_index_that_is_no_database_is_an_error_that_says_so(self, bucket: Bucket) -> None:
        folder_of(bucket).mkdir()
        (folder_of(bucket) / "index.db").write_bytes(b"not a database " * 100)

        with pytest.raises(PortableError, match=r"index\.db holds something else; move it away"):
            bucket.read("k")

    def test_a_damaged_index_is_an_error_that_says_so(self, bucket: Bucket, open_bucket: Callable[..., Bucket]) -> None:
        fill(bucket, [f"k{number:05}" for number in range(2000)])
        bucket._connection.driver._database.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        bucket._connection.driver.close()
        index = folder_of(bucket) / "index.db"
        data = bytearray(index.read_bytes())
        data[8192:] = os.urandom(len(data) - 8192)
        index.write_bytes(data)

        with pytest.raises(PortableError, match=r"index\.db is damaged; restore a copy"):
            list(open_bucket().list())

    @pytest.fixture
    def plain_user(self) -> Iterator[None]:
        """Have no more rights than anybody, also where the tests run as root."""
        if os.geteuid():
            yield
            return
        os.seteuid(65534)
        yield
        os.seteuid(0)

    @pytest.fixture
    def open_to_all(self) -> Iterator[Path]:
        """A folder that every user reaches, with an object in a bucket."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)
            bucket = Bucket.at(f"file://{folder}/photos")
            bucket.write("k", b"old")
            bucket._connection.driver.close()
            for path in [folder, *folder.rglob("*")]:
                path.chmod(0o555 if path.is_dir() else 0o444)
            yield folder
            for path in [folder, *folder.rglob("*")]:
                path.chmod(0o755)

    @pytest.mark.parametrize(
        "use",
        [
            lambda bucket: bucket.write("k", b"new"),
            lambda bucket: bucket.delete("k"),
            lambda bucket: bucket.copy("k", "l"),
        ],
        ids=["write", "delete", "copy"],
    )
    def test_a_read_only_folder_is_an_error_that_says_so(
        self, open_to_all: Path, plain_user: None, use: Callable[[Bucket], object]
    ) -> None:
        with pytest.raises(PermissionDenied, match="writable for this user"):
            use(Bucket.at(f"file://{open_to_all}/photos"))

    def test_a_bucket_in_a_read_only_folder_is_an_error_that_says_so(self, open_to_all: Path, plain_user: None) -> None:
        with pytest.raises(PermissionDenied, match="writable for this user"):
            Bucket.at(f"file://{open_to_all}/another").write("k", b"1")

    @pytest.fixture
    def small_files(self) -> Iterator[None]:
        """Let no file grow beyond 1 MiB: as on a full disk, but for the number of the error."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, before[1]))
        yield
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    @pytest.mark.parametrize("body", [bytes(2 * MIB), [bytes(MIB)] * 2], ids=["bytes", "stream"])
    def test_a_full_disk_is_an_error_that_says_so_and_leaves_the_old_object(
        self, bucket: Bucket, small_files: None, body: Any
    ) -> None:
        before = bucket.write("k", b"old")
        with pytest.raises(PortableError, match="nothing was written; make room on the disk of"):
            bucket.write("k", body)

        assert (bucket.info("k"), bucket.read("k"), leftovers(bucket)) == (before, b"old", [])

    def test_an_index_on_a_full_disk_leaves_the_old_object(self, bucket: Bucket) -> None:
        before = bucket.write("k", b"old")
        connection = bucket._connection.driver._database.connection()
        connection.execute(f"PRAGMA max_page_count={connection.execute('PRAGMA page_count').fetchone()[0]}")
        with pytest.raises(PortableError, match="nothing was written; make room on the disk of"):
            bucket.write("k", b"new", metadata={"a": "x" * 8000})

        assert (bucket.info("k"), bucket.read("k"), leftovers(bucket)) == (before, b"old", [])


class TestEvents:
    @pytest.fixture
    def feed(self, bucket: Bucket) -> Feed[BlobEvent]:
        feed: Feed[BlobEvent] = bucket._connection.driver.feed("one")
        return feed

    def kinds(self, feed: Feed[BlobEvent]) -> list[tuple[str, str]]:
        return [(event.kind, event.key) for _, event in feed.read(100)]

    def test_a_write_is_told_with_all_that_is_known(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        version = bucket.write("in/k", b"body").version
        name = str(folder_of(bucket))

        assert [event for _, event in feed.read(10)] == [
            BlobEvent(
                id=f"{name}/1",
                bucket=name,
                key="in/k",
                kind="created",
                time=datetime.fromtimestamp(START, timezone.utc),
                size=4,
                version=version,
            )
        ]

    def test_a_deletion_is_told_with_its_time(self, bucket: Bucket, feed: Feed[BlobEvent], clock: Clock) -> None:
        version = bucket.write("k", b"body").version
        clock.now += 60
        bucket.delete("k")
        event = feed.read(10)[1][1]

        assert (event.kind, event.size, event.version) == ("deleted", None, version)
        assert event.time == datetime.fromtimestamp(START + 60, timezone.utc)

    def test_events_come_in_the_order_of_the_writes(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("a", b"1")
        bucket.write("a", b"2")
        bucket.create("b", b"1")
        bucket.copy("a", "c")
        bucket.delete("a")
        bucket.delete_many(["b", "c"])

        assert self.kinds(feed) == [
            ("created", "a"),
            ("created", "a"),
            ("created", "b"),
            ("created", "c"),
            ("deleted", "a"),
            ("deleted", "b"),
            ("deleted", "c"),
        ]

    def test_what_was_refused_is_not_told(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        version = bucket.write("k", b"1").version
        bucket.write("k", b"2")
        with pytest.raises(Conflict):
            bucket.write("k", b"3", if_version=version)
        with pytest.raises(Conflict):
            bucket.delete("k", if_version=version)
        with pytest.raises(AlreadyExists):
            bucket.create("k", b"4")
        bucket.delete("missing")

        assert self.kinds(feed) == [("created", "k"), ("created", "k")]

    def test_a_consumer_starts_at_its_first_call(self, bucket: Bucket) -> None:
        bucket.write("before", b"1")
        feed = bucket._connection.driver.feed("one")
        bucket.write("after", b"1")

        assert self.kinds(feed) == [("created", "after")]

    def test_nothing_is_kept_without_a_consumer(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        rows = bucket._connection.driver._database.connection().execute("SELECT count(*) FROM events")

        assert rows.fetchone() == (0,)

    def test_reading_keeps_the_place_and_committing_moves_it(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        for key in "abc":
            bucket.write(key, b"1")
        token = feed.read(2)[-1][0]
        again = self.kinds(feed)
        feed.commit(token)

        assert (len(again), self.kinds(feed)) == (3, [("created", "c")])

    def test_a_place_never_moves_back(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("a", b"1")
        bucket.write("b", b"1")
        first, second = (token for token, _ in feed.read(2))
        feed.commit(second)
        feed.commit(first)

        assert feed.read(10) == []

    def test_a_consumer_goes_on_where_it_stopped_in_another_process(
        self, bucket: Bucket, feed: Feed[BlobEvent], open_bucket: Callable[..., Bucket], clock: Clock
    ) -> None:
        clock.now = time.time()  # That of the other process.
        bucket.write("a", b"1")
        feed.commit(feed.read(1)[0][0])
        bucket.write("b", b"1")
        in_python(
            "import sys; from portable.blob import Bucket; Bucket.at(sys.argv[1]).write('c', b'')",
            f"file://{folder_of(bucket)}",
        )

        assert self.kinds(open_bucket()._connection.driver.feed("one")) == [("created", "b"), ("created", "c")]

    def test_each_consumer_has_a_place_of_its_own(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        other = bucket._connection.driver.feed("other")
        bucket.write("k", b"1")
        feed.commit(feed.read(1)[0][0])

        assert (self.kinds(feed), self.kinds(other)) == ([], [("created", "k")])

    def test_what_every_consumer_has_passed_is_forgotten(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        other = bucket._connection.driver.feed("other")
        for key in "abc":
            bucket.write(key, b"1")
        feed.commit(feed.read(3)[2][0])
        other.commit(other.read(2)[1][0])
        rows = bucket._connection.driver._database.connection().execute("SELECT key FROM events")

        assert rows.fetchall() == [("c",)]

    def test_a_consumer_that_stays_away_does_not_fill_the_disk(
        self, bucket: Bucket, feed: Feed[BlobEvent], clock: Clock
    ) -> None:
        for number in range(10):
            bucket.write(f"old/{number}", b"1")
        clock.now += KEPT_SECONDS + 1
        for number in range(10):
            bucket.write(f"new/{number}", b"1")

        assert self.kinds(feed) == [("created", f"new/{number}") for number in range(10)]

    def test_ids_are_not_used_again_after_they_were_forgotten(self, bucket: Bucket, feed: Feed[BlobEvent]) -> None:
        bucket.write("a", b"1")
        token, first = feed.read(1)[0]
        feed.commit(token)
        bucket.write("b", b"1")

        assert feed.read(1)[0][1].id != first.id


class TestSignedAddresses:
    def ask(
        self, method: str, address: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        parts = urlsplit(address)
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"{parts.path}?{parts.query}", body, named)
        answer = connection.getresponse()
        found = answer.status, answer.read(), answer.headers
        connection.close()
        return found

    def test_the_server_is_on_this_machine_only(self, bucket: Bucket) -> None:
        parts = urlsplit(bucket.sign("k"))
        server = bucket._connection.driver._server._server

        assert (parts.scheme, parts.hostname) == ("http", "127.0.0.1")
        assert server.socket.getsockname() == ("127.0.0.1", parts.port)

    def test_an_answer_says_what_the_object_is(self, bucket: Bucket, clock: Clock) -> None:
        info = bucket.write("k", b"body", content_type="text/css")
        headers = self.ask("GET", bucket.sign("k"))[2]

        assert (
            dict(headers.items()).items()
            >= {
                "Content-Type": "text/css",
                "Content-Length": "4",
                "ETag": f'"{info.version}"',
                "Last-Modified": "Tue, 14 Nov 2023 22:13:20 GMT",
                "Accept-Ranges": "bytes",
            }.items()
        )

    def test_a_head_says_the_same_without_the_bytes(self, bucket: Bucket) -> None:
        bucket.write("k", b"body", content_type="text/css")
        status, body, headers = self.ask("HEAD", bucket.sign("k"))

        assert (status, body, headers["content-type"], headers["content-length"]) == (200, b"", "text/css", "4")

    @pytest.mark.parametrize(
        ("asked", "status", "given", "told"),
        [
            ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
            ("bytes=7-", 206, b"789", "bytes 7-9/10"),
            ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
            ("bytes=10-", 416, b"", "bytes */10"),
            ("bytes=4-2", 200, b"0123456789", None),
            ("bytes=-3", 200, b"0123456789", None),
            ("bytes=0-1,4-5", 200, b"0123456789", None),
            ("lines=1-2", 200, b"0123456789", None),
        ],
    )
    def test_one_range_is_given_and_others_are_ignored(
        self, bucket: Bucket, asked: str, status: int, given: bytes, told: str | None
    ) -> None:
        bucket.write("k", b"0123456789")
        answer = self.ask("GET", bucket.sign("k"), range=asked)

        assert (*answer[:2], answer[2]["content-range"]) == (status, given, told)

    @pytest.mark.parametrize(
        "tamper",
        [
            lambda address: address.replace("/k?", "/other?"),
            lambda address: address.replace("method=GET", "method=PUT"),
            lambda address: address.replace("expires=1", "expires=9"),
            lambda address: address + "&type=text%2Fhtml",
            lambda address: address.replace("signature=", "signature=0"),
            lambda address: address.partition("&signature=")[0],
            lambda address: address.partition("?")[0],
            lambda address: address.replace("signature=", "signature=%C3%A9"),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_an_address_that_was_changed_is_refused(
        self, bucket: Bucket, method: str, tamper: Callable[[str], str]
    ) -> None:
        bucket.write("k", b"secret")
        bucket.write("other", b"secret")
        status, body, _ = self.ask(method, tamper(bucket.sign("k")), b"new" if method == "PUT" else None)

        assert (status, b"secret" in body) == (403, False)
        assert bucket.read("other") == b"secret"

    @pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
    def test_another_method_is_refused(self, bucket: Bucket, method: str) -> None:
        bucket.write("k", b"old")

        assert self.ask(method, bucket.sign("k"), b"new")[:2] == (403, b"the address is signed for GET\n")

    def test_an_address_ends_when_the_clock_says_so(self, bucket: Bucket, clock: Clock) -> None:
        bucket.write("k", b"body")
        address = bucket.sign("k", expires=timedelta(minutes=1))
        clock.now += 59.9
        before = self.ask("GET", address)[0]
        clock.now += 0.2

        assert (before, self.ask("GET", address)[:2]) == (200, (403, b"the address has expired\n"))

    def test_an_address_of_another_process_is_refused(self, bucket: Bucket, open_bucket: Callable[..., Bucket]) -> None:
        bucket.write("k", b"secret")
        other = urlsplit(open_bucket().sign("k"))
        address = urlsplit(bucket.sign("k"))._replace(query=other.query).geturl()

        assert self.ask("GET", address)[0] == 403

    def test_a_put_writes_with_the_type_that_it_names(self, bucket: Bucket) -> None:
        status = self.ask("PUT", bucket.sign("k", "PUT"), b"body", content_type="image/png")[0]

        assert (status, bucket.read("k"), bucket.info("k").content_type) == (200, b"body", "image/png")

    def test_a_put_without_a_type_writes_bytes(self, bucket: Bucket) -> None:
        self.ask("PUT", bucket.sign("k", "PUT"), b"body")

        assert bucket.info("k").content_type == "application/octet-stream"

    @pytest.mark.parametrize("headers", [{}, {"content_type": "image/gif"}, {"content_type": "image/png; q=1"}])
    def test_a_put_of_another_type_than_signed_is_refused(self, bucket: Bucket, headers: dict[str, str]) -> None:
        address = bucket.sign("k", "PUT", content_type="image/png")

        assert self.ask("PUT", address, b"body", **headers)[0] == 403
        assert not bucket.exists("k")

    def test_the_sender_of_a_large_body_hears_that_it_is_refused(self, bucket: Bucket) -> None:
        assert self.ask("PUT", bucket.sign("k"), bytes(MIB))[0] == 403

    def test_a_put_without_a_length_is_refused(self, bucket: Bucket) -> None:
        parts = urlsplit(bucket.sign("k", "PUT"))
        with socket.create_connection((parts.hostname or "", parts.port or 0), 30) as connection:
            connection.sendall(f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            answer = connection.makefile("rb").readline()

        assert answer == b"HTTP/1.1 411 Length Required\r\n"

    def test_a_put_that_breaks_off_leaves_the_old_object(self, bucket: Bucket) -> None:
        bucket.write("k", b"old")
        parts = urlsplit(bucket.sign("k", "PUT"))
        with socket.create_connection((parts.hostname or "", parts.port or 0), 30) as connection:
            head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
            connection.sendall(head.encode() + b"only this")
            connection.shutdown(socket.SHUT_WR)
            connection.makefile("rb").read()

        assert (bucket.read("k"), leftovers(bucket)) == (b"old", [])

    def test_closing_the_bucket_ends_its_addresses(self, bucket: Bucket) -> None:
        address = bucket.sign("k")
        bucket._connection.driver.close()

        with pytest.raises(ConnectionError):
            self.ask("GET", address)

    def test_many_clients_are_served_at_once(self, bucket: Bucket) -> None:
        bucket.write("k", bytes(MIB))
        address = bucket.sign("k")
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: self.ask("GET", address)[:2], range(32)))

        assert answers == [(200, bytes(MIB))] * 32

    def test_a_child_of_a_fork_signs_with_a_server_of_its_own(self, bucket: Bucket) -> None:
        program = """
import os, sys, warnings
from urllib.request import urlopen
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with the server's thread
from portable.blob import Bucket
bucket = Bucket.at(sys.argv[1])
bucket.write("k", b"body")
bucket.sign("k")
child = os.fork()
assert urlopen(bucket.sign("k")).read() == b"body"
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
        in_python(program, f"file://{folder_of(bucket)}")


class TestTheDriver:
    def test_native_is_the_folder(self, bucket: Bucket, tmp_path: Path) -> None:
        assert bucket.native() == tmp_path / "photos"

    def test_a_closed_bucket_opens_anew(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        bucket._connection.driver.close()
        bucket.write("l", b"2")

        assert bucket.read("k") == b"1"

    def test_threads_close_what_they_opened(self, bucket: Bucket) -> None:
        def write_in_threads() -> int:
            for number in range(8):
                thread = threading.Thread(target=bucket.write, args=(str(number), b""))
                thread.start()
                thread.join()
            return len(os.listdir("/dev/fd"))

        assert write_in_threads() == write_in_threads()

    def test_the_index_can_be_read_with_any_tool(self, bucket: Bucket) -> None:
        bucket.write("k", b"12345", metadata={"by": "ada"})
        rows = sqlite3.connect(folder_of(bucket) / "index.db")
        found = rows.execute("SELECT key, size, metadata FROM objects").fetchall()
        rows.close()

        assert found == [("k", 5, '{"by": "ada"}')]

    def test_a_missing_object_names_key_and_bucket(self, open_bucket: Callable[..., Bucket]) -> None:
        with pytest.raises(NotFound, match="read 'k' in bucket photos: there is no such object"):
            open_bucket("file://photos").read("k")
