"""The blob contract: reading objects, whole and in part, and what is known of them."""

from __future__ import annotations

import hashlib
from datetime import timedelta, timezone

import pytest

from portable_conformance import contract, needs
from portable_conformance._bodies import MIB, pattern, patterned
from portable_conformance._buckets import alike
from portable_contracts.errors import InvalidArgument, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.blob import Bucket

pytestmark = contract("bucket")

DIGITS = b"0123456789"


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
        pass_time(4)
        after = bucket.write("b", b"1").modified

        assert timedelta(seconds=2) <= after - before <= timedelta(seconds=60)

    def test_modified_moves_when_an_object_is_overwritten(
        self, bucket: Bucket, pass_time: Callable[[float], None]
    ) -> None:
        bucket.write("k", b"1")
        before = bucket.info("k").modified
        pass_time(3)
        bucket.write("k", b"1")

        assert bucket.info("k").modified - before >= timedelta(seconds=2)

    def test_modified_stays_when_an_object_is_read(self, bucket: Bucket, pass_time: Callable[[float], None]) -> None:
        bucket.write("k", b"1")
        before = bucket.info("k").modified
        pass_time(2)
        bucket.read("k")

        assert bucket.info("k").modified == before

    def test_a_write_returns_what_info_tells(self, bucket: Bucket) -> None:
        written = bucket.write("k", DIGITS, content_type="text/plain", metadata={"a": "1"})

        assert alike(written, bucket.info("k"))

    @needs("create")
    def test_a_create_returns_what_info_tells(self, bucket: Bucket) -> None:
        written = bucket.create("k", DIGITS, content_type="text/plain", metadata={"a": "1"})

        assert alike(written, bucket.info("k"))


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
