"""The blob contract: reading, describing, copying and deleting objects. More of it is in the modules `blob_*`."""

from __future__ import annotations

import hashlib
from datetime import timedelta, timezone

import pytest

from portable_conformance import contract, needs, without
from portable_conformance._bodies import MIB, pattern, patterned
from portable_conformance._buckets import digest, keys, write_all
from portable_conformance._keys import WEIRD_KEYS
from portable_contracts.errors import Conflict, InvalidArgument, NotFound, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.blob import Bucket
    from portable_contracts.harness import Harness

pytestmark = contract("bucket")

DIGITS = b"0123456789"


@pytest.fixture
def unreachable(harness: Harness, scheme: str) -> Bucket:
    """A bucket that does not exist."""
    address = harness.unreachable("bucket", scheme)
    if address is None:
        pytest.skip("the service makes a bucket on first use")
    return Bucket.at(address, opening=harness.opening({}))


class TestReading:
    @pytest.mark.parametrize(
        "body",
        [b"", b"a", b"\x00", b"\r\n\x1a\x00\xff", bytes(range(256)), b"\xef\xbb\xbfbom", pattern(65_537)],
        ids=["empty", "one-byte", "a-zero-byte", "control-bytes", "every-byte", "byte-order-mark", "65537-bytes"],
    )
    def test_an_object_is_read_as_it_was_written(self, bucket: Bucket, body: bytes) -> None:
        bucket.write("k", body)

        assert bucket.read("k") == body

    @pytest.mark.parametrize("operation", ["read", "open", "info"])
    def test_a_missing_key_is_not_found(self, bucket: Bucket, operation: str) -> None:
        with pytest.raises(NotFound):
            getattr(bucket, operation)("missing")

    @pytest.mark.parametrize("operation", ["read", "open", "info"])
    def test_the_error_for_a_missing_key_names_it_and_the_bucket(self, bucket: Bucket, operation: str) -> None:
        with pytest.raises(NotFound, match="some/missing-key") as caught:
            getattr(bucket, operation)("some/missing-key")

        assert str(bucket) in str(caught.value)
        assert caught.value.resource == str(bucket)
        assert caught.value.operation

    @pytest.mark.parametrize("operation", ["read", "open", "info"])
    def test_what_looks_like_a_folder_is_not_found(self, bucket: Bucket, operation: str) -> None:
        bucket.write("folder/sub/object", b"1")

        with pytest.raises(NotFound):
            getattr(bucket, operation)("folder/sub")

    @pytest.mark.parametrize("operation", ["read", "open", "info"])
    def test_what_looks_like_a_child_of_an_object_is_not_found(self, bucket: Bucket, operation: str) -> None:
        bucket.write("object", b"1")

        with pytest.raises(NotFound):
            getattr(bucket, operation)("object/child")

    def test_an_object_exists(self, bucket: Bucket) -> None:
        bucket.write("k", b"")

        assert bucket.exists("k") is True

    def test_a_missing_object_does_not_exist(self, bucket: Bucket) -> None:
        assert bucket.exists("k") is False

    def test_a_folder_does_not_exist(self, bucket: Bucket) -> None:
        bucket.write("folder/object", b"1")

        assert bucket.exists("folder") is False

    def test_an_object_is_read_twice_alike(self, bucket: Bucket) -> None:
        bucket.write("k", DIGITS)
        bucket.read("k")

        assert bucket.read("k") == DIGITS

    def test_an_object_and_one_below_it_are_two_objects(self, bucket: Bucket) -> None:
        bucket.write("a", b"upper")
        bucket.write("a/b", b"lower")

        assert (bucket.read("a"), bucket.read("a/b")) == (b"upper", b"lower")


class TestReadingPart:
    @pytest.mark.parametrize(
        ("start", "stop", "expected"),
        [
            (0, None, DIGITS),
            (0, 10, DIGITS),
            (0, 1, b"0"),
            (0, 9, b"012345678"),
            (3, None, b"3456789"),
            (3, 7, b"3456"),
            (4, 5, b"4"),
            (9, None, b"9"),
            (9, 10, b"9"),
            (0, 11, DIGITS),
            (5, 1000, b"56789"),
            (0, 1 << 40, DIGITS),
            (0, 0, b""),
            (5, 5, b""),
            (10, 10, b""),
            (10, None, b""),
            (10, 20, b""),
            (11, None, b""),
            (100, 200, b""),
            (1 << 40, None, b""),
        ],
    )
    def test_the_bytes_from_start_up_to_stop_are_read(
        self, bucket: Bucket, start: int, stop: int | None, expected: bytes
    ) -> None:
        bucket.write("k", DIGITS)

        with bucket.open("k", start=start, stop=stop) as stream:
            assert b"".join(stream) == expected

    @pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 0), (0, 5), (3, None), (3, 5)])
    def test_any_part_of_an_empty_object_is_empty(self, bucket: Bucket, start: int, stop: int | None) -> None:
        bucket.write("k", b"")

        with bucket.open("k", start=start, stop=stop) as stream:
            assert b"".join(stream) == b""

    @pytest.mark.parametrize(("start", "stop"), [(0, 1), (9, None), (5, 5), (10, None), (50, 60)])
    def test_the_size_told_with_a_part_is_the_whole_objects(self, bucket: Bucket, start: int, stop: int | None) -> None:
        bucket.write("k", DIGITS)

        with bucket.open("k", start=start, stop=stop) as stream:
            assert stream.info.size == 10

    @pytest.mark.parametrize(("start", "stop"), [(-1, None), (-1, 5), (0, -1), (-5, -2), (5, 4)], ids=str)
    def test_a_negative_part_is_refused(self, bucket: Bucket, start: int, stop: int | None) -> None:
        bucket.write("k", DIGITS)

        with pytest.raises(InvalidArgument):
            bucket.open("k", start=start, stop=stop)

    @pytest.mark.parametrize("bound", ["start", "stop"])
    @pytest.mark.parametrize("value", ["1", 1.0, b"1"], ids=repr)
    def test_a_bound_that_is_no_whole_number_is_refused(self, bucket: Bucket, bound: str, value: object) -> None:
        bucket.write("k", DIGITS)
        arguments: dict[str, object] = {bound: value}

        with pytest.raises(InvalidArgument):
            bucket.open("k", **arguments)  # type: ignore[arg-type]  # wrong on purpose

    @pytest.mark.parametrize(("start", "stop"), [(0, 5), (3, None), (100, None)])
    def test_a_part_of_a_missing_object_is_not_found(self, bucket: Bucket, start: int, stop: int | None) -> None:
        with pytest.raises(NotFound):
            bucket.open("missing", start=start, stop=stop)

    @pytest.mark.parametrize(
        ("start", "stop"),
        [
            (MIB - 1, MIB + 1),
            (4 * MIB - 1, 4 * MIB + 1),
            (5 * MIB, 5 * MIB + 1),
            (8 * MIB - 3, None),
            (1, 9 * MIB - 1),
            (3 * MIB + 7, 7 * MIB + 11),
        ],
    )
    def test_a_part_of_a_large_object_is_cut_to_the_byte(self, bucket: Bucket, start: int, stop: int | None) -> None:
        body = pattern(9 * MIB)
        bucket.write("k", body)

        with bucket.open("k", start=start, stop=stop) as stream:
            assert hashlib.sha256(b"".join(stream)).digest() == hashlib.sha256(body[start:stop]).digest()


class TestStreams:
    def test_a_stream_tells_what_info_tells(self, bucket: Bucket) -> None:
        bucket.write("k", DIGITS, content_type="text/plain", metadata={"a": "1"})

        with bucket.open("k") as stream:
            assert stream.info == bucket.info("k")

    def test_chunks_of_a_stream_are_at_most_8_mib(self, bucket: Bucket) -> None:
        bucket.write("k", patterned(20 * MIB))

        with bucket.open("k") as stream:
            assert max(len(chunk) for chunk in stream) <= 8 * MIB

    def test_a_stream_has_no_empty_chunks(self, bucket: Bucket) -> None:
        bucket.write("k", pattern(MIB + 1))

        with bucket.open("k") as stream:
            assert all(stream)

    def test_a_stream_gives_each_byte_once(self, bucket: Bucket) -> None:
        bucket.write("k", pattern(12 * MIB))

        with bucket.open("k") as stream:
            first = next(iter(stream))
            rest = b"".join(stream)
        assert first + rest == pattern(12 * MIB)

    def test_a_stream_is_read_like_a_file(self, bucket: Bucket) -> None:
        bucket.write("k", DIGITS)

        with bucket.open("k") as stream:
            assert [stream.read(4), stream.read(4), stream.read(4), stream.read(4)] == [b"0123", b"4567", b"89", b""]

    @pytest.mark.parametrize("size", [1, 65_536, MIB + 1, 5 * MIB])
    def test_a_read_of_a_stream_gives_as_much_as_was_asked(self, bucket: Bucket, size: int) -> None:
        bucket.write("k", pattern(6 * MIB))

        with bucket.open("k") as stream:
            assert stream.read(size) == pattern(size)

    def test_a_read_without_a_size_gives_the_rest(self, bucket: Bucket) -> None:
        bucket.write("k", DIGITS)

        with bucket.open("k", start=2) as stream:
            assert (stream.read(1), stream.read(), stream.read()) == (b"2", b"3456789", b"")

    def test_a_stream_that_was_closed_is_refused(self, bucket: Bucket) -> None:
        bucket.write("k", DIGITS)
        stream = bucket.open("k")
        stream.close()

        with pytest.raises(InvalidArgument, match="closed"):
            next(iter(stream))

    def test_a_stream_closes_before_it_is_read(self, bucket: Bucket) -> None:
        bucket.write("k", DIGITS)
        bucket.open("k").close()

        assert bucket.read("k") == DIGITS

    def test_a_stream_closes_in_the_middle(self, bucket: Bucket) -> None:
        bucket.write("k", patterned(12 * MIB))
        stream = bucket.open("k")
        next(iter(stream))
        stream.close()

        assert bucket.info("k").size == 12 * MIB

    def test_a_stream_closes_twice(self, bucket: Bucket) -> None:
        bucket.write("k", DIGITS)
        stream = bucket.open("k")
        stream.close()

        stream.close()

    def test_an_object_is_overwritten_after_a_stream_of_it_was_left_half_read(self, bucket: Bucket) -> None:
        bucket.write("k", patterned(12 * MIB))
        stream = bucket.open("k")
        next(iter(stream))
        bucket.write("k", b"new")
        stream.close()

        assert bucket.read("k") == b"new"

    def test_two_streams_of_one_object_are_read_side_by_side(self, bucket: Bucket) -> None:
        bucket.write("k", pattern(6 * MIB))

        with bucket.open("k") as one, bucket.open("k", start=MIB) as other:
            assert b"".join(one)[MIB:] == b"".join(other)


class TestDescription:
    def test_info_tells_the_key(self, bucket: Bucket) -> None:
        bucket.write("a/b c", b"1")

        assert bucket.info("a/b c").key == "a/b c"

    @pytest.mark.parametrize("size", [0, 1, 10, 65_536])
    def test_info_tells_the_size(self, bucket: Bucket, size: int) -> None:
        bucket.write("k", b"x" * size)

        assert bucket.info("k").size == size

    def test_the_version_is_text(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        version = bucket.info("k").version

        assert isinstance(version, str)
        assert version

    def test_modified_is_in_utc(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")

        assert bucket.info("k").modified.tzinfo == timezone.utc

    def test_modified_is_the_time_of_the_write(self, bucket: Bucket, pass_time: Callable[[float], None]) -> None:
        before = bucket.write("a", b"1").modified
        pass_time(5)
        after = bucket.write("b", b"1").modified

        assert timedelta(seconds=3) <= after - before <= timedelta(seconds=60)

    def test_modified_moves_when_an_object_is_overwritten(
        self, bucket: Bucket, pass_time: Callable[[float], None]
    ) -> None:
        before = bucket.write("k", b"1").modified
        pass_time(5)
        bucket.write("k", b"1")

        assert bucket.info("k").modified - before >= timedelta(seconds=3)

    def test_modified_stays_when_an_object_is_read(self, bucket: Bucket, pass_time: Callable[[float], None]) -> None:
        before = bucket.write("k", b"1").modified
        pass_time(5)
        bucket.read("k")

        assert bucket.info("k").modified == before

    def test_a_write_returns_what_info_tells(self, bucket: Bucket) -> None:
        written = bucket.write("k", DIGITS, content_type="text/plain", metadata={"a": "1"})

        assert written == bucket.info("k")

    def test_a_create_returns_what_info_tells(self, bucket: Bucket) -> None:
        written = bucket.create("k", DIGITS, content_type="text/plain", metadata={"a": "1"})

        assert written == bucket.info("k")


class TestContentTypes:
    @pytest.mark.parametrize(
        "content_type",
        [
            "text/plain",
            "text/html; charset=utf-8",
            "application/json",
            "application/vnd.api+json",
            "image/svg+xml",
            "application/x-tar",
            'multipart/mixed; boundary="a b"',
            "application/octet-stream",
        ],
    )
    def test_a_content_type_is_kept(self, bucket: Bucket, content_type: str) -> None:
        bucket.write("k", b"1", content_type=content_type)

        assert bucket.info("k").content_type == content_type

    @pytest.mark.parametrize("body", [b"bytes", b"", [b"chunk"]], ids=repr)
    def test_without_a_content_type_bytes_are_application_octet_stream(self, bucket: Bucket, body: bytes) -> None:
        bucket.write("k", body)

        assert bucket.info("k").content_type == "application/octet-stream"

    @pytest.mark.parametrize("key", ["k", "page.html", "photo.png"])
    def test_without_a_content_type_text_is_text_plain_in_utf_8(self, bucket: Bucket, key: str) -> None:
        bucket.write(key, "text")

        assert bucket.info(key).content_type == "text/plain; charset=utf-8"

    @pytest.mark.parametrize(
        ("key", "content_type"),
        [
            ("page.html", "text/html"),
            ("photo.jpg", "image/jpeg"),
            ("in/PHOTO.JPG", "image/jpeg"),
            ("data.json", "application/json"),
            ("archive.tar.gz", "application/gzip"),
            ("no-extension", "application/octet-stream"),
            ("folder.html/object", "application/octet-stream"),
            ("what.is.this", "application/octet-stream"),
            ("html", "application/octet-stream"),
        ],
    )
    def test_without_a_content_type_bytes_are_what_the_keys_extension_says(
        self, bucket: Bucket, key: str, content_type: str
    ) -> None:
        bucket.write(key, b"1")

        assert bucket.info(key).content_type == content_type

    @pytest.mark.parametrize(
        "content_type",
        ["", "text", "/plain", "text/", "text/plain\r\nx-a: 1", "text/plain\n", "text/plä", "a b/c", 1, b"text/plain"],
        ids=repr,
    )
    def test_a_wrong_content_type_is_refused_and_nothing_is_stored(self, bucket: Bucket, content_type: object) -> None:
        with pytest.raises(InvalidArgument):
            bucket.write("k", b"1", content_type=content_type)  # type: ignore[arg-type]  # wrong on purpose

        assert not bucket.exists("k")

    def test_a_write_without_a_content_type_forgets_the_old_one(self, bucket: Bucket) -> None:
        bucket.write("k", b"1", content_type="text/html")
        bucket.write("k", b"2")

        assert bucket.info("k").content_type == "application/octet-stream"


class TestDeleting:
    def test_a_deleted_object_is_gone(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        bucket.delete("k")

        assert not bucket.exists("k")

    def test_a_deleted_object_is_not_read(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        bucket.delete("k")

        with pytest.raises(NotFound):
            bucket.read("k")

    def test_a_deleted_object_is_not_listed(self, bucket: Bucket) -> None:
        bucket.write("a", b"1")
        bucket.write("b", b"1")
        bucket.delete("a")

        assert keys(bucket) == ["b"]

    def test_deleting_a_missing_object_succeeds(self, bucket: Bucket) -> None:
        bucket.delete("missing")

    def test_deleting_twice_succeeds(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        bucket.delete("k")

        bucket.delete("k")

    @pytest.mark.parametrize("neighbour", ["folder/a/b", "folder/ab", "folder", "folder/A"])
    def test_a_delete_leaves_neighbours(self, bucket: Bucket, neighbour: str) -> None:
        bucket.write(neighbour, b"here")
        bucket.write("folder/a", b"1")
        bucket.delete("folder/a")

        assert bucket.read(neighbour) == b"here"

    def test_deleting_a_folder_deletes_nothing(self, bucket: Bucket) -> None:
        bucket.write("folder/a", b"1")
        bucket.delete("folder")

        assert bucket.exists("folder/a")

    def test_a_deleted_object_is_written_anew_without_its_past(self, bucket: Bucket) -> None:
        bucket.write("k", b"1", content_type="text/html", metadata={"a": "1"})
        bucket.delete("k")
        bucket.write("k", b"2")
        info = bucket.info("k")

        assert (info.content_type, info.metadata) == ("application/octet-stream", {})

    def test_the_last_object_below_a_prefix_takes_the_prefix_with_it(self, bucket: Bucket) -> None:
        bucket.write("folder/a", b"1")
        bucket.delete("folder/a")

        assert list(bucket.list(delimiter="/")) == []


@needs("delete_if_version")
class TestGuardedDeletes:
    def test_a_delete_of_the_version_that_is_there_succeeds(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version
        bucket.delete("k", if_version=version)

        assert not bucket.exists("k")

    def test_a_delete_of_a_version_that_is_past_conflicts(self, bucket: Bucket) -> None:
        past = bucket.write("k", b"1").version
        bucket.write("k", b"2")

        with pytest.raises(Conflict):
            bucket.delete("k", if_version=past)

    def test_a_delete_that_conflicts_leaves_the_object(self, bucket: Bucket) -> None:
        past = bucket.write("k", b"1").version
        before = bucket.write("k", b"2")
        with pytest.raises(Conflict):
            bucket.delete("k", if_version=past)

        assert bucket.info("k") == before

    def test_a_guarded_delete_of_a_missing_object_conflicts(self, bucket: Bucket) -> None:
        elsewhere = bucket.write("elsewhere", b"1").version

        with pytest.raises(Conflict):
            bucket.delete("missing", if_version=elsewhere)

    def test_a_guarded_delete_done_twice_conflicts(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version
        bucket.delete("k", if_version=version)

        with pytest.raises(Conflict):
            bucket.delete("k", if_version=version)

    @needs("distinct_versions")
    def test_a_version_from_before_a_delete_does_not_delete_the_object_made_anew(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version
        bucket.delete("k")
        bucket.write("k", b"1")

        with pytest.raises(Conflict):
            bucket.delete("k", if_version=version)

    @pytest.mark.parametrize("version", [1, b"v", True, ""], ids=repr)
    def test_a_version_of_another_type_is_refused(self, bucket: Bucket, version: object) -> None:
        with pytest.raises(InvalidArgument):
            bucket.delete("k", if_version=version)  # type: ignore[arg-type]  # wrong on purpose

    def test_the_error_of_a_conflict_names_key_and_bucket(self, bucket: Bucket) -> None:
        past = bucket.write("some/key", b"1").version
        bucket.write("some/key", b"2")

        with pytest.raises(Conflict, match="some/key") as caught:
            bucket.delete("some/key", if_version=past)

        assert (caught.value.operation, caught.value.resource) == ("delete", str(bucket))


@without("delete_if_version")
class TestWithoutGuardedDeletes:
    def test_a_guarded_delete_is_unsupported(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version

        with pytest.raises(Unsupported):
            bucket.delete("k", if_version=version)

    def test_an_unsupported_guarded_delete_leaves_the_object(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version
        with pytest.raises(Unsupported):
            bucket.delete("k", if_version=version)

        assert bucket.exists("k")


class TestDeletingMany:
    def test_the_named_objects_are_deleted(self, bucket: Bucket) -> None:
        write_all(bucket, "abcd")
        bucket.delete_many(["a", "c"])

        assert keys(bucket) == ["b", "d"]

    def test_missing_keys_among_them_are_no_error(self, bucket: Bucket) -> None:
        write_all(bucket, "ab")
        bucket.delete_many(["missing", "a", "missing/too"])

        assert keys(bucket) == ["b"]

    def test_no_keys_delete_nothing(self, bucket: Bucket) -> None:
        write_all(bucket, "ab")
        bucket.delete_many([])

        assert keys(bucket) == ["a", "b"]

    def test_a_key_named_twice_is_deleted(self, bucket: Bucket) -> None:
        write_all(bucket, "ab")
        bucket.delete_many(["a", "a"])

        assert keys(bucket) == ["b"]

    def test_keys_come_from_a_generator(self, bucket: Bucket) -> None:
        write_all(bucket, "abc")
        bucket.delete_many(key for key in "ab")

        assert keys(bucket) == ["c"]

    def test_everything_that_a_listing_gives_is_deleted(self, bucket: Bucket) -> None:
        write_all(bucket, [f"folder/{number}" for number in range(20)])
        write_all(bucket, ["kept"])
        bucket.delete_many(entry.key for entry in bucket.list("folder/"))

        assert keys(bucket) == ["kept"]

    @pytest.mark.parametrize("key", WEIRD_KEYS[:8])
    def test_a_weird_key_is_deleted_among_others(self, bucket: Bucket, key: str) -> None:
        write_all(bucket, ["first", key, "zlast"])
        bucket.delete_many(["first", key])

        assert keys(bucket) == ["zlast"]

    def test_a_refused_key_is_refused(self, bucket: Bucket) -> None:
        with pytest.raises(InvalidArgument):
            bucket.delete_many(["a", "/refused"])

    def test_one_text_in_place_of_keys_is_refused(self, bucket: Bucket) -> None:
        write_all(bucket, "ab")

        with pytest.raises(InvalidArgument):
            bucket.delete_many("ab")

    @pytest.mark.slow
    def test_2500_keys_are_deleted_the_missing_ones_among_them(self, bucket: Bucket) -> None:
        names = [f"k{number:04}" for number in range(2500)]
        write_all(bucket, [*names[::2], "kept"])
        bucket.delete_many(names)

        assert keys(bucket) == ["kept"]


class TestCopying:
    def test_a_copy_has_the_same_bytes(self, bucket: Bucket) -> None:
        bucket.write("source", DIGITS)
        bucket.copy("source", "target")

        assert bucket.read("target") == DIGITS

    def test_a_copy_leaves_its_source(self, bucket: Bucket) -> None:
        before = bucket.write("source", DIGITS)
        bucket.copy("source", "target")

        assert (bucket.read("source"), bucket.info("source")) == (DIGITS, before)

    def test_a_copy_keeps_the_content_type(self, bucket: Bucket) -> None:
        bucket.write("source", b"1", content_type="text/html; charset=utf-8")
        bucket.copy("source", "target")

        assert bucket.info("target").content_type == "text/html; charset=utf-8"

    def test_a_copy_keeps_the_metadata(self, bucket: Bucket) -> None:
        bucket.write("source", b"1", metadata={"a": "1", "b": "ü 日本"})
        bucket.copy("source", "target")

        assert bucket.info("target").metadata == {"a": "1", "b": "ü 日本"}

    def test_a_copy_returns_what_info_tells(self, bucket: Bucket) -> None:
        bucket.write("source", DIGITS, content_type="text/html", metadata={"a": "1"})
        copied = bucket.copy("source", "target")

        assert copied == bucket.info("target")

    def test_a_copy_replaces_what_was_there(self, bucket: Bucket) -> None:
        bucket.write("source", b"new", content_type="text/html", metadata={"a": "1"})
        bucket.write("target", b"a longer old one", content_type="text/css", metadata={"b": "2"})
        bucket.copy("source", "target")
        info = bucket.info("target")

        assert (bucket.read("target"), info.content_type, info.metadata) == (b"new", "text/html", {"a": "1"})

    def test_a_copy_stays_when_its_source_changes(self, bucket: Bucket) -> None:
        bucket.write("source", b"old")
        bucket.copy("source", "target")
        bucket.write("source", b"new")

        assert bucket.read("target") == b"old"

    def test_a_copy_stays_when_its_source_is_deleted(self, bucket: Bucket) -> None:
        bucket.write("source", b"1")
        bucket.copy("source", "target")
        bucket.delete("source")

        assert bucket.read("target") == b"1"

    def test_a_source_stays_when_its_copy_is_deleted(self, bucket: Bucket) -> None:
        bucket.write("source", b"1")
        bucket.copy("source", "target")
        bucket.delete("target")

        assert bucket.read("source") == b"1"

    def test_a_source_stays_when_its_copy_is_overwritten(self, bucket: Bucket) -> None:
        bucket.write("source", b"1")
        bucket.copy("source", "target")
        bucket.write("target", b"2")

        assert bucket.read("source") == b"1"

    def test_a_copy_is_made_of_a_copy(self, bucket: Bucket) -> None:
        bucket.write("a", b"1", metadata={"a": "1"})
        bucket.copy("a", "b")
        bucket.delete("a")
        bucket.copy("b", "c")
        bucket.delete("b")

        assert (bucket.read("c"), bucket.info("c").metadata) == (b"1", {"a": "1"})

    def test_a_copy_of_a_missing_object_is_not_found(self, bucket: Bucket) -> None:
        with pytest.raises(NotFound, match="missing"):
            bucket.copy("missing", "target")

    def test_a_copy_of_a_missing_object_makes_none(self, bucket: Bucket) -> None:
        with pytest.raises(NotFound):
            bucket.copy("missing", "target")

        assert not bucket.exists("target")

    def test_a_copy_of_a_missing_object_leaves_the_target(self, bucket: Bucket) -> None:
        bucket.write("target", b"old")
        with pytest.raises(NotFound):
            bucket.copy("missing", "target")

        assert bucket.read("target") == b"old"

    def test_a_copy_onto_itself_keeps_the_object(self, bucket: Bucket) -> None:
        bucket.write("k", DIGITS, content_type="text/html", metadata={"a": "1"})
        bucket.copy("k", "k")
        info = bucket.info("k")

        assert (bucket.read("k"), info.content_type, info.metadata) == (DIGITS, "text/html", {"a": "1"})

    def test_a_copy_of_a_missing_object_onto_itself_is_not_found(self, bucket: Bucket) -> None:
        with pytest.raises(NotFound):
            bucket.copy("missing", "missing")

    def test_an_empty_object_is_copied(self, bucket: Bucket) -> None:
        bucket.write("source", b"")
        bucket.copy("source", "target")

        assert bucket.read("target") == b""

    def test_a_large_object_is_copied_whole(self, bucket: Bucket) -> None:
        bucket.write("source", patterned(12 * MIB))
        bucket.copy("source", "target")

        assert digest(bucket, "target") == hashlib.sha256(pattern(12 * MIB)).digest()

    def test_a_copy_goes_below_its_source(self, bucket: Bucket) -> None:
        bucket.write("a", b"1")
        bucket.copy("a", "a/b")

        assert (bucket.read("a"), bucket.read("a/b")) == (b"1", b"1")


class TestAMissingBucket:
    @pytest.mark.parametrize(
        "operation",
        [
            lambda bucket: bucket.read("k"),
            lambda bucket: bucket.info("k"),
            lambda bucket: bucket.write("k", b"1"),
            lambda bucket: bucket.write("k", patterned(9 * MIB)),
            lambda bucket: list(bucket.list()),
            lambda bucket: bucket.copy("k", "l"),
        ],
        ids=["read", "info", "write", "large-write", "list", "copy"],
    )
    def test_an_operation_on_it_is_not_found(self, unreachable: Bucket, operation: Callable[[Bucket], object]) -> None:
        with pytest.raises(NotFound):
            operation(unreachable)

    def test_opening_it_makes_no_call(self, unreachable: Bucket) -> None:
        assert "bucket" in str(unreachable)
