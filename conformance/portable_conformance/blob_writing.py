"""The blob contract: writing objects, seen whole or not at all. Their conditions are in `blob_versions`."""

from __future__ import annotations

import hashlib
import io

import pytest

from portable_conformance import contract, needs
from portable_conformance._bodies import MIB, BodyFailed, failing, pattern, patterned
from portable_conformance._buckets import alike, digest, keys
from portable_contracts.errors import AlreadyExists, Conflict, InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from portable.blob import Bucket
    from portable_contracts.harness import Harness

pytestmark = contract("bucket")

FAILURES = [0, 1, 100_000, 9 * MIB]
"""After so many bytes a body fails: at once, in what fits one request, and in what needs several."""


class TestWriting:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b"bytes", b"bytes"),
            (bytearray(b"array"), b"array"),
            (memoryview(b"a view")[2:], b"view"),
            ("text", b"text"),
            ("täxt 𐐷", "täxt 𐐷".encode()),
            ("", b""),
            (b"", b""),
            ([], b""),
            ([b""], b""),
            ([b"one"], b"one"),
            ([b"one", b"", b"two"], b"onetwo"),
            ((b"a", b"tuple"), b"atuple"),
            ([bytearray(b"mixed"), memoryview(b"views")], b"mixedviews"),
        ],
        ids=[
            *("bytes", "a bytearray", "a memoryview", "text", "text of every plane", "no text", "no bytes"),
            *("an empty list", "a list of no bytes", "a list", "a longer list", "a tuple", "a list of several types"),
        ],
    )
    def test_a_body_of_this_type_is_written(self, bucket: Bucket, body: object, expected: bytes) -> None:
        bucket.write("k", body)  # type: ignore[arg-type]  # each is one of the types that are allowed

        assert bucket.read("k") == expected

    @pytest.mark.parametrize("count", [0, 1, 10_000])
    def test_a_generator_of_unknown_length_is_written(self, bucket: Bucket, count: int) -> None:
        bucket.write("k", (b"%d," % number for number in range(count)))

        assert bucket.read("k") == b"".join(b"%d," % number for number in range(count))

    def test_a_file_in_memory_is_written(self, bucket: Bucket) -> None:
        bucket.write("k", io.BytesIO(b"in memory"))

        assert bucket.read("k") == b"in memory"

    def test_a_file_on_disk_is_written(self, bucket: Bucket, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(pattern(3 * MIB))
        with (tmp_path / "file").open("rb") as file:
            bucket.write("k", file)

        assert bucket.read("k") == pattern(3 * MIB)

    def test_a_file_is_written_from_where_it_stands(self, bucket: Bucket) -> None:
        file = io.BytesIO(b"skipped|written")
        file.seek(8)
        bucket.write("k", file)

        assert bucket.read("k") == b"written"

    def test_a_file_that_gives_less_than_was_asked_is_written_whole(self, bucket: Bucket) -> None:
        class Trickle(io.RawIOBase):
            """A socket or pipe: a read gives what has come so far."""

            def __init__(self) -> None:
                self.left = io.BytesIO(pattern(100_000))

            def readable(self) -> bool:
                return True

            def read(self, size: int = -1) -> bytes:
                return self.left.read(min(size, 777) if size >= 0 else 777)

        bucket.write("k", Trickle())

        assert bucket.read("k") == pattern(100_000)

    def test_a_stream_of_another_object_is_written(self, bucket: Bucket) -> None:
        bucket.write("source", patterned(9 * MIB))
        with bucket.open("source") as stream:
            bucket.write("target", stream)

        assert digest(bucket, "target") == hashlib.sha256(pattern(9 * MIB)).digest()

    def test_an_object_is_written_over_with_its_own_stream(self, bucket: Bucket) -> None:
        bucket.write("k", patterned(9 * MIB))
        with bucket.open("k") as stream:
            bucket.write("k", (bytes(reversed(chunk)) for chunk in stream))

        assert bucket.info("k").size == 9 * MIB

    @pytest.mark.parametrize("body", [None, 1, 1.5, object(), {"a": 1}, True], ids=lambda body: type(body).__name__)
    def test_a_body_of_another_type_is_refused_and_nothing_is_stored(self, bucket: Bucket, body: object) -> None:
        with pytest.raises(InvalidArgument):
            bucket.write("k", body)  # type: ignore[arg-type]  # wrong on purpose

        assert not bucket.exists("k")

    @pytest.mark.parametrize("chunks", [["text"], [b"bytes", "text"], [b"bytes", None], [1, 2]], ids=repr)
    def test_a_chunk_of_another_type_is_refused_and_nothing_is_stored(
        self, bucket: Bucket, chunks: list[object]
    ) -> None:
        with pytest.raises(InvalidArgument):
            bucket.write("k", iter(chunks))  # type: ignore[arg-type]  # wrong on purpose

        assert not bucket.exists("k")

    def test_a_file_opened_as_text_is_refused_and_nothing_is_stored(self, bucket: Bucket) -> None:
        with pytest.raises(InvalidArgument):
            bucket.write("k", io.StringIO("text"))  # type: ignore[arg-type]  # wrong on purpose

        assert not bucket.exists("k")

    @pytest.mark.parametrize(
        ("before", "after"),
        [(b"old", b"new"), (b"long" * 1000, b"short"), (b"x", b""), (b"", b"x"), (b"same", b"same")],
    )
    def test_a_write_replaces_what_was_there(self, bucket: Bucket, before: bytes, after: bytes) -> None:
        bucket.write("k", before)
        bucket.write("k", after)

        assert bucket.read("k") == after

    def test_a_large_object_is_replaced_by_a_small_one(self, bucket: Bucket) -> None:
        bucket.write("k", patterned(12 * MIB))
        bucket.write("k", b"small")

        assert (bucket.read("k"), bucket.info("k").size) == (b"small", 5)

    def test_writes_leave_other_keys_alone(self, bucket: Bucket) -> None:
        bucket.write("a", b"a")
        bucket.write("ab", b"ab")
        bucket.write("a/b", b"a/b")
        bucket.write("a", b"changed")

        assert (bucket.read("ab"), bucket.read("a/b")) == (b"ab", b"a/b")


class TestLargeBodies:
    @pytest.mark.parametrize(
        "size",
        [base + offset for base in (65_536, MIB, 4 * MIB, 5 * MIB, 8 * MIB) for offset in (-1, 0, 1)],
    )
    def test_a_body_around_a_chunk_boundary_is_written_whole(self, bucket: Bucket, size: int) -> None:
        bucket.write("k", patterned(size))

        assert (bucket.info("k").size, digest(bucket, "k")) == (size, hashlib.sha256(pattern(size)).digest())

    @pytest.mark.parametrize("chunk", [1 << 10, 65_521, 8 * MIB, 16 * MIB])
    def test_chunks_of_any_size_make_one_object(self, bucket: Bucket, chunk: int) -> None:
        bucket.write("k", patterned(12 * MIB, chunk))

        assert digest(bucket, "k") == hashlib.sha256(pattern(12 * MIB)).digest()

    @pytest.mark.slow
    def test_a_body_of_33_mib_is_written_whole(self, bucket: Bucket) -> None:
        bucket.write("k", patterned(33 * MIB))

        assert digest(bucket, "k") == hashlib.sha256(pattern(33 * MIB)).digest()

    def test_12_mib_of_bytes_are_written_whole(self, bucket: Bucket) -> None:
        bucket.write("k", pattern(12 * MIB))

        assert digest(bucket, "k") == hashlib.sha256(pattern(12 * MIB)).digest()

    def test_a_large_body_keeps_its_content_type_and_metadata(self, bucket: Bucket) -> None:
        bucket.write("k", patterned(12 * MIB), content_type="video/mp4", metadata={"a": "ü"})
        info = bucket.info("k")

        assert (info.content_type, info.metadata) == ("video/mp4", {"a": "ü"})


class TestWritesThatFail:
    @pytest.mark.parametrize("after", FAILURES)
    def test_a_body_that_raises_makes_no_object(self, bucket: Bucket, after: int) -> None:
        with pytest.raises(BodyFailed):
            bucket.write("k", failing(after))

        assert not bucket.exists("k")

    @pytest.mark.parametrize("after", FAILURES)
    def test_a_body_that_raises_leaves_the_old_object(self, bucket: Bucket, after: int) -> None:
        before = bucket.write("k", b"old", metadata={"a": "1"})
        with pytest.raises(BodyFailed):
            bucket.write("k", failing(after), metadata={"a": "2"})

        assert bucket.read("k") == b"old"
        assert alike(bucket.info("k"), before)

    @pytest.mark.parametrize("after", FAILURES)
    def test_a_body_that_raises_is_not_listed(self, bucket: Bucket, after: int) -> None:
        with pytest.raises(BodyFailed):
            bucket.write("k", failing(after))

        assert keys(bucket) == []

    @pytest.mark.parametrize("after", FAILURES)
    def test_a_body_that_raises_leaves_no_parts(
        self, bucket: Bucket, after: int, harness: Harness, address_of: Callable[[Bucket], str]
    ) -> None:
        with pytest.raises(BodyFailed):
            bucket.write("k", failing(after))

        assert list(harness.leftovers(address_of(bucket))) == []

    @pytest.mark.parametrize("after", FAILURES)
    def test_a_key_is_written_after_a_body_for_it_raised(self, bucket: Bucket, after: int) -> None:
        with pytest.raises(BodyFailed):
            bucket.write("k", failing(after))
        bucket.write("k", b"second attempt")

        assert bucket.read("k") == b"second attempt"

    def test_a_file_that_cannot_be_read_makes_no_object(self, bucket: Bucket) -> None:
        class Broken(io.RawIOBase):
            def readable(self) -> bool:
                return True

            def read(self, size: int = -1) -> bytes:
                raise OSError("the disk is gone")

        with pytest.raises(OSError, match="the disk is gone"):
            bucket.write("k", Broken())

        assert not bucket.exists("k")

    @pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, GeneratorExit])
    def test_an_interrupted_body_leaves_the_old_object(self, bucket: Bucket, interruption: type[BaseException]) -> None:
        def body() -> Iterator[bytes]:
            yield pattern(6 * MIB)
            raise interruption

        bucket.write("k", b"old")
        with pytest.raises(interruption):
            bucket.write("k", body())

        assert bucket.read("k") == b"old"

    @needs("create")
    def test_a_failed_body_of_a_create_leaves_the_key_free(self, bucket: Bucket) -> None:
        with pytest.raises(BodyFailed):
            bucket.create("k", failing(9 * MIB))

        assert bucket.create("k", b"second attempt").size == 14


class TestWritesInProgress:
    """A body can look at the bucket while it is being written."""

    @pytest.mark.parametrize("size", [10, 9 * MIB])
    def test_readers_see_nothing_of_a_new_object_while_it_is_written(self, bucket: Bucket, size: int) -> None:
        seen: list[bool] = []

        def body() -> Iterator[bytes]:
            yield from patterned(size)
            seen.append(bucket.exists("k"))

        bucket.write("k", body())

        assert seen == [False]

    @pytest.mark.parametrize("size", [10, 9 * MIB])
    def test_readers_see_the_old_object_while_it_is_overwritten(self, bucket: Bucket, size: int) -> None:
        seen: list[bytes] = []

        def body() -> Iterator[bytes]:
            yield from patterned(size)
            seen.append(bucket.read("k"))

        bucket.write("k", b"old")
        bucket.write("k", body())

        assert seen == [b"old"]

    @pytest.mark.parametrize("size", [10, 9 * MIB])
    def test_a_new_object_is_not_listed_while_it_is_written(self, bucket: Bucket, size: int) -> None:
        seen: list[list[str]] = []

        def body() -> Iterator[bytes]:
            yield from patterned(size)
            seen.append(keys(bucket))

        bucket.write("old", b"1")
        bucket.write("new", body())

        assert seen == [["old"]]

    def test_an_object_is_written_whole_though_its_key_is_deleted_meanwhile(self, bucket: Bucket) -> None:
        def body() -> Iterator[bytes]:
            yield from patterned(9 * MIB)
            bucket.delete("k")

        bucket.write("k", b"old")
        bucket.write("k", body())

        assert digest(bucket, "k") == hashlib.sha256(pattern(9 * MIB)).digest()

    def test_the_last_of_two_overlapping_writes_wins(self, bucket: Bucket) -> None:
        def body() -> Iterator[bytes]:
            yield b"outer"
            bucket.write("k", b"inner")

        bucket.write("k", body())

        assert bucket.read("k") == b"outer"

    @needs("if_version")
    def test_a_guarded_write_conflicts_with_one_that_finished_during_its_body(self, bucket: Bucket) -> None:
        def body() -> Iterator[bytes]:
            yield pattern(6 * MIB)
            bucket.write("k", b"inner")

        version = bucket.write("k", b"old").version
        with pytest.raises(Conflict):
            bucket.write("k", body(), if_version=version)

        assert bucket.read("k") == b"inner"

    @needs("create")
    def test_a_create_meets_an_object_that_was_made_during_its_body(self, bucket: Bucket) -> None:
        def body() -> Iterator[bytes]:
            yield pattern(6 * MIB)
            bucket.write("k", b"inner")

        with pytest.raises(AlreadyExists):
            bucket.create("k", body())

        assert bucket.read("k") == b"inner"
