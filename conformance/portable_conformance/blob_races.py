"""The blob contract under races: threads, processes, and writers that are killed."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from portable_conformance import contract, needs
from portable_conformance._bodies import MIB, pattern, patterned
from portable_conformance._buckets import alike, digest, keys
from portable_contracts.errors import AlreadyExists, Conflict, PortableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from subprocess import Popen
    from typing import TypeVar

    from portable.blob import Bucket

    T = TypeVar("T")

pytestmark = contract("bucket")

RACERS = 32


def race(racers: int, run: Callable[[int], T]) -> Sequence[T | PortableError]:
    """Call *run* with 0, 1, ... at the same moment; return what each call gave, or the portable error it raised."""
    barrier = threading.Barrier(racers)

    def racer(number: int) -> T | PortableError:
        barrier.wait()
        try:
            return run(number)
        except PortableError as error:
            return error

    with ThreadPoolExecutor(racers) as pool:
        return list(pool.map(racer, range(racers)))


def failures(outcomes: Sequence[object]) -> list[type]:
    return sorted({type(outcome) for outcome in outcomes if isinstance(outcome, PortableError)}, key=str)


def successes(outcomes: Sequence[object]) -> list[int]:
    return [number for number, outcome in enumerate(outcomes) if not isinstance(outcome, PortableError)]


def line_of(process: Popen[str]) -> str:
    """Wait for the next line that *process* prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@needs("create")
class TestRacingCreates:
    @pytest.mark.parametrize("size", [8, MIB])
    def test_one_of_32_racers_creates_the_object(self, bucket: Bucket, size: int) -> None:
        outcomes = race(RACERS, lambda number: bucket.create("k", b"%08d" % number * (size // 8)))
        (winner,) = successes(outcomes)

        assert failures(outcomes) == [AlreadyExists]
        assert bucket.read("k") == b"%08d" % winner * (size // 8)

    def test_one_of_32_racers_with_handles_of_their_own_creates_the_object(
        self, bucket: Bucket, reopen: Callable[[Bucket], Bucket]
    ) -> None:
        handles = [reopen(bucket) for _ in range(RACERS)]
        outcomes = race(RACERS, lambda number: handles[number].create("k", b"%d" % number))
        (winner,) = successes(outcomes)

        assert bucket.read("k") == b"%d" % winner

    def test_racers_for_their_own_keys_all_win(self, bucket: Bucket) -> None:
        outcomes = race(RACERS, lambda number: bucket.create(f"k{number:02}", b"1"))

        assert len(successes(outcomes)) == len(keys(bucket)) == RACERS

    def test_one_of_several_processes_creates_the_object(
        self, bucket: Bucket, start_process: Callable[..., Popen[str]]
    ) -> None:
        program = """
from portable_contracts.errors import AlreadyExists
print("ready", flush=True)
sys.stdin.readline()
try:
    resource.create("k", arguments[0])
    print("won")
except AlreadyExists:
    print("lost")
"""
        processes = [start_process(bucket, program, str(number)) for number in range(4)]
        assert [line_of(process) for process in processes] == ["ready"] * 4
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        outcomes = [process.communicate(timeout=60)[0].strip() for process in processes]

        assert sorted(outcomes) == ["lost", "lost", "lost", "won"]
        assert bucket.read("k") == str(outcomes.index("won")).encode()


@needs("if_version")
class TestRacingGuardedWrites:
    @pytest.mark.parametrize("size", [8, MIB])
    def test_one_of_32_racers_with_one_version_writes(self, bucket: Bucket, size: int) -> None:
        version = bucket.write("k", b"old").version
        outcomes = race(RACERS, lambda number: bucket.write("k", b"%08d" % number * (size // 8), if_version=version))
        (winner,) = successes(outcomes)

        assert failures(outcomes) == [Conflict]
        assert bucket.read("k") == b"%08d" % winner * (size // 8)

    @pytest.mark.slow
    def test_8_threads_lose_none_of_their_increments(self, bucket: Bucket, far: bool) -> None:
        each = 10 if far else 50
        bucket.write("counter", b"0")

        def count(_: int) -> None:
            done = 0
            while done < each:
                with bucket.open("counter") as stream:
                    value = int(b"".join(stream))
                    version = stream.info.version
                try:
                    bucket.write("counter", b"%d" % (value + 1), if_version=version)
                    done += 1
                except Conflict:
                    pass

        outcomes = race(8, count)

        assert (failures(outcomes), bucket.read("counter")) == ([], b"%d" % (8 * each))

    @needs("delete_if_version")
    def test_one_of_a_guarded_write_and_a_guarded_delete_wins(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"old").version

        def run(number: int) -> None:
            if number:
                bucket.write("k", b"new", if_version=version)
            else:
                bucket.delete("k", if_version=version)

        outcomes = race(2, run)

        assert (len(successes(outcomes)), failures(outcomes)) == (1, [Conflict])
        assert bucket.exists("k") is (successes(outcomes) == [1])

    @needs("delete_if_version")
    def test_one_of_32_racers_with_one_version_deletes(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"old").version
        outcomes = race(RACERS, lambda _: bucket.delete("k", if_version=version))

        assert (len(successes(outcomes)), failures(outcomes)) == (1, [Conflict])


class TestReadersAndWriters:
    @pytest.mark.slow
    @pytest.mark.parametrize("size", [1000, 3 * MIB])
    def test_a_read_during_overwrites_sees_one_version(self, bucket: Bucket, size: int) -> None:
        bucket.write("k", b"0" * size)
        done = threading.Event()

        def run(number: int) -> set[tuple[int, bool]]:
            if number == 0:
                for turn in range(1, 31):
                    bucket.write("k", b"%d" % (turn % 10) * size)
                done.set()
                return set()
            seen = set()
            while not done.is_set():
                body = bucket.read("k")
                seen.add((len(body), body == body[:1] * len(body)))
            return seen

        outcomes = race(4, run)

        assert failures(outcomes) == []
        assert set().union(*outcomes) == {(size, True)}  # type: ignore[arg-type]  # no errors, see above

    @pytest.mark.parametrize("change", ["overwrite", "delete", "copy over"])
    def test_a_stream_that_has_begun_gives_the_version_it_began_with_or_fails(
        self, bucket: Bucket, change: str
    ) -> None:
        changes: dict[str, Callable[[], object]] = {
            "overwrite": lambda: bucket.write("k", b"x" * (20 * MIB)),
            "delete": lambda: bucket.delete("k"),
            "copy over": lambda: bucket.copy("other", "k"),
        }
        bucket.write("k", patterned(20 * MIB))
        bucket.write("other", b"x" * (20 * MIB))
        with bucket.open("k") as stream:
            chunks = iter(stream)
            found = hashlib.sha256(next(chunks))
            changes[change]()
            try:
                for chunk in chunks:
                    found.update(chunk)
            except PortableError:
                return

        assert found.digest() == hashlib.sha256(pattern(20 * MIB)).digest()

    def test_a_read_tells_the_info_of_the_bytes_that_it_gives(self, bucket: Bucket) -> None:
        versions = {bucket.write("k", b"%d" % number).version: b"%d" % number for number in range(2)}
        done = threading.Event()

        def run(number: int) -> None:
            if number == 0:
                for turn in range(40):
                    versions[bucket.write("k", b"%d" % turn).version] = b"%d" % turn
                done.set()
                return
            while not done.is_set():
                with bucket.open("k") as stream:
                    pairs.append((stream.info.version, b"".join(stream)))

        pairs: list[tuple[str, bytes]] = []
        outcomes = race(3, run)

        assert failures(outcomes) == []
        assert [pair for pair in pairs if versions[pair[0]] != pair[1]] == []

    def test_racing_unguarded_writes_leave_one_of_them_whole(self, bucket: Bucket) -> None:
        race(8, lambda number: bucket.write("k", iter([b"%d" % number * MIB] * 2)))
        body = bucket.read("k")

        assert len(body) == 2 * MIB
        assert len(set(body)) == 1

    def test_racing_writes_and_deletes_leave_an_object_or_none(self, bucket: Bucket) -> None:
        outcomes = race(16, lambda number: bucket.delete("k") if number % 2 else bucket.write("k", b"whole"))

        assert failures(outcomes) == []
        assert [bucket.read(key) for key in keys(bucket)] in ([], [b"whole"])

    def test_racing_deletes_all_succeed(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        outcomes = race(RACERS, lambda _: bucket.delete("k"))

        assert failures(outcomes) == []

    def test_threads_share_one_handle(self, bucket: Bucket) -> None:
        def run(number: int) -> bytes:
            for turn in range(10):
                key = f"{number}/{turn}"
                bucket.write(key, pattern(number * 1000 + turn), metadata={"n": str(number)})
                assert bucket.read(key) == pattern(number * 1000 + turn)
                assert bucket.info(key).metadata == {"n": str(number)}
                assert len(list(bucket.list(f"{number}/"))) == turn + 1
            return b""

        assert failures(race(8, run)) == []

    def test_threads_make_the_first_call_on_a_handle_together(
        self, bucket: Bucket, reopen: Callable[[Bucket], Bucket]
    ) -> None:
        bucket.write("k", b"1")
        fresh = reopen(bucket)

        assert race(16, lambda _: fresh.read("k")) == [b"1"] * 16

    def test_a_handle_that_was_used_works_in_another_thread(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(bucket.read, "k").result() == b"1"


class TestOtherProcesses:
    def test_another_process_reads_what_was_written(
        self, bucket: Bucket, start_process: Callable[..., Popen[str]]
    ) -> None:
        bucket.write("k", "tëxt", metadata={"a": "1"})
        process = start_process(bucket, "print(ascii((resource.read('k'), dict(resource.info('k').metadata))))")

        assert process.communicate(timeout=60)[0].strip() == ascii(("tëxt".encode(), {"a": "1"}))

    def test_what_another_process_wrote_is_read(self, bucket: Bucket, start_process: Callable[..., Popen[str]]) -> None:
        bucket.write("k", b"old")
        process = start_process(bucket, "resource.write('k', b'new')")
        process.communicate(timeout=60)

        assert bucket.read("k") == b"new"


KILLED = """
import os, signal
def body():
    for number in range(int(arguments[0])):
        yield bytes([number]) * (1 << 20)
    print("written", flush=True)
    sys.stdin.readline()
resource.write("k", body())
"""


class TestKilledWriters:
    @pytest.fixture(params=[1, 9], ids=["1-mib", "9-mib"])
    def kill_a_writer(
        self, bucket: Bucket, start_process: Callable[..., Popen[str]], request: pytest.FixtureRequest
    ) -> Callable[[], None]:
        """Start a process that writes to `k`, and kill it when all but the end of its body was taken."""

        def kill() -> None:
            process = start_process(bucket, KILLED, str(request.param))
            assert line_of(process) == "written"
            process.kill()
            process.wait(timeout=60)

        return kill

    def test_a_killed_writer_makes_no_object(self, bucket: Bucket, kill_a_writer: Callable[[], None]) -> None:
        kill_a_writer()

        assert not bucket.exists("k")

    def test_a_killed_writer_leaves_the_old_object(self, bucket: Bucket, kill_a_writer: Callable[[], None]) -> None:
        before = bucket.write("k", b"old", metadata={"a": "1"})
        kill_a_writer()

        assert bucket.read("k") == b"old"
        assert alike(bucket.info("k"), before)

    def test_the_object_of_a_killed_writer_is_not_listed(
        self, bucket: Bucket, kill_a_writer: Callable[[], None]
    ) -> None:
        kill_a_writer()

        assert keys(bucket) == []

    def test_a_key_is_written_after_its_writer_was_killed(
        self, bucket: Bucket, kill_a_writer: Callable[[], None]
    ) -> None:
        kill_a_writer()
        bucket.write("k", patterned(2 * MIB))

        assert digest(bucket, "k") == hashlib.sha256(pattern(2 * MIB)).digest()

    @pytest.mark.slow
    def test_a_writer_killed_at_any_moment_leaves_a_whole_object(
        self, bucket: Bucket, start_process: Callable[..., Popen[str]]
    ) -> None:
        program = """
print("begun", flush=True)
turn = 0
while True:
    turn += 1
    resource.write("k", bytes([turn % 251]) * 200_000, metadata={"turn": str(turn % 251)})
    if turn == int(arguments[0]):
        print("killed soon", flush=True)
"""
        bucket.write("k", bytes(200_000), metadata={"turn": "0"})
        seen = []
        for turns in (1, 2, 3, 5, 8):
            process = start_process(bucket, program, str(turns))
            assert [line_of(process), line_of(process)] == ["begun", "killed soon"]
            process.kill()
            process.wait(timeout=60)
            with bucket.open("k") as stream:
                body = b"".join(stream)
                seen.append((len(body), set(body), stream.info.metadata))

        assert [found for found in seen if found[:2] != (200_000, {int(found[2]["turn"])})] == []
