"""Bucket: what it checks before a driver is called, what it tries again, and what it makes of bodies and pages."""

from __future__ import annotations

import io
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from portable._blob_grammar import begins_no_key
from portable._driving import ATTEMPTS, Call, Connection, observe
from portable.blob import Bucket
from portable_contracts.blob import (
    BlobCapabilities,
    BlobDriver,
    BlobInfo,
    BlobStream,
    Prefix,
    WriteOptions,
)
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
    Unsupported,
)
from portable_contracts.provider import Address, Opening, Page

if TYPE_CHECKING:
    from portable_contracts.blob import Source

MIB = 1 << 20
WRITTEN = datetime(2026, 11, 20, tzinfo=timezone.utc)
PIECE = 4


class ServiceError(Exception):
    """What the service of these tests raises; it asks to be tried again at once."""

    def __init__(self, kind: type[PortableError], *, changed_nothing: bool = False) -> None:
        super().__init__("the service said no")
        self.kind = kind
        self.changed_nothing = changed_nothing


class ScriptedBucket(BlobDriver):
    """A bucket in memory that notes its calls, and raises what it is told to, one error for each call or chunk."""

    scheme = "scripted"
    capabilities = BlobCapabilities(max_bytes=10 * MIB, max_list_page=4, max_delete_batch=3, max_sign_seconds=3600)

    def __init__(self) -> None:
        self.objects: dict[str, tuple[BlobInfo, bytes]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.errors: list[Exception] = []
        self.chunk_errors: dict[int, Exception | None] = {}
        """By the place in the object: what a stream does there, once. None is the end."""
        self.outcomes: list[list[Exception | None]] = []
        """What the next batches of deletions give."""
        self.version = 0
        self.closed_streams = 0

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> ScriptedBucket:
        return cls()

    def classify(self, error: Exception) -> type[PortableError]:
        return error.kind if isinstance(error, ServiceError) else PortableError

    def retry_after(self, error: Exception) -> float | None:
        return 0.0

    def changed_nothing(self, error: Exception) -> bool:
        return isinstance(error, ServiceError) and error.changed_nothing

    def native(self) -> str:
        return "the client"

    def note(self, operation: str, **arguments: Any) -> None:
        self.calls.append((operation, arguments))
        if self.errors:
            raise self.errors.pop(0)

    def info(self, key: str) -> BlobInfo:
        self.note("info", key=key)
        if key not in self.objects:
            raise ServiceError(NotFound)
        return self.objects[key][0]

    def open(self, key: str, *, start: int, stop: int | None, if_version: str | None) -> BlobStream:
        self.note("open", start=start, stop=stop, if_version=if_version)
        if key not in self.objects:
            raise ServiceError(NotFound)
        info, body = self.objects[key]
        if if_version not in (None, info.version):
            raise ServiceError(Conflict)
        return BlobStream(info, self.chunks(body, start, len(body) if stop is None else min(stop, len(body))))

    def chunks(self, body: bytes, start: int, stop: int) -> Iterator[bytes]:
        try:
            for place in range(start, stop, PIECE):
                if place in self.chunk_errors:
                    error = self.chunk_errors.pop(place)
                    if error is None:
                        return
                    raise error
                yield body[place : min(place + PIECE, stop)]
                yield b""
        finally:
            self.closed_streams += 1

    def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
        data = body if isinstance(body, bytes) else b"".join(iter(lambda: body.read(1 << 16), b""))
        self.note("write", body=data, options=options)
        if options.if_absent and key in self.objects:
            raise ServiceError(AlreadyExists)
        self.version += 1
        info = BlobInfo(key, len(data), str(self.version), options.content_type, options.metadata, WRITTEN)
        self.objects[key] = (info, data)
        return info

    def delete(self, key: str, *, if_version: str | None) -> None:
        self.note("delete", key=key, if_version=if_version)
        self.objects.pop(key, None)

    def delete_batch(self, keys: Sequence[str]) -> Sequence[Exception | None]:
        self.note("delete_batch", keys=list(keys))
        outcomes = self.outcomes.pop(0) if self.outcomes else [None] * len(keys)
        for key, outcome in zip(keys, outcomes, strict=True):
            if outcome is None:
                self.objects.pop(key, None)
        return outcomes

    def list_page(
        self, *, prefix: str, delimiter: str | None, cursor: str | None, limit: int
    ) -> Page[BlobInfo | Prefix]:
        self.note("list_page", prefix=prefix, delimiter=delimiter, cursor=cursor, limit=limit)
        found = sorted(key for key in self.objects if key.startswith(prefix) and key > (cursor or ""))
        return Page([self.objects[key][0] for key in found[:limit]], found[limit - 1] if found[limit:] else None)

    def copy(self, source: str, target: str) -> BlobInfo:
        self.note("copy", source=source, target=target)
        info, body = self.objects[source]
        self.objects[target] = (info.replace(key=target), body)
        return self.objects[target][0]

    def sign(self, key: str, *, method: str, expires: timedelta, content_type: str | None) -> str:
        self.note("sign", method=method, expires=expires, content_type=content_type)
        return f"https://service/{key}"


@pytest.fixture
def driver() -> ScriptedBucket:
    return ScriptedBucket()


@pytest.fixture
def bucket(driver: ScriptedBucket) -> Bucket:
    return connected(driver)


def connected(driver: ScriptedBucket, **limits: Any) -> Bucket:
    """Return a bucket on *driver*; *limits* are those of another target of the app."""
    capabilities = driver.capabilities.replace(**limits)
    owners = {field: "target prod (acme)" if field in limits else "this machine" for field in capabilities._fields}
    return Bucket("photos", lambda: Connection(driver, capabilities, owners, Opening()))


def operations(driver: ScriptedBucket) -> list[str]:
    return [operation for operation, _ in driver.calls]


class TestKeys:
    @pytest.mark.parametrize(
        "key", ["a", "a/b", ".a", "a.", "...", "a b", "ü/日本", "a\u2028b", "\ufdd0", "-", "k" * 850]
    )
    def test_a_key_of_the_grammar_is_written(self, bucket: Bucket, driver: ScriptedBucket, key: str) -> None:
        bucket.write(key, b"")

        assert list(driver.objects) == [key]

    @pytest.mark.parametrize(
        ("key", "why"),
        [
            ("", "is empty"),
            ("/a", "begins or ends with '/'"),
            ("a/", "begins or ends with '/'"),
            ("a//b", "holds '//'"),
            (".", "segment '.' or '..'"),
            ("a/../b", "segment '.' or '..'"),
            ("a\\b", "backslash"),
            ("a\nb", r"control character '\\n'"),
            ("a\x7fb", r"control character '\\x7f'"),
            ("a\x85b", r"control character '\\x85'"),
            ("a\ud800", "lone surrogate"),
            (None, "of type NoneType: keys are str"),
        ],
    )
    def test_the_error_says_what_is_wrong_with_a_key(self, bucket: Bucket, key: Any, why: str) -> None:
        with pytest.raises(InvalidArgument, match=why):
            bucket.read(key)

    @pytest.mark.parametrize(
        "use",
        [
            lambda bucket: bucket.read("/"),
            lambda bucket: bucket.open("/"),
            lambda bucket: bucket.info("/"),
            lambda bucket: bucket.exists("/"),
            lambda bucket: bucket.write("/", b""),
            lambda bucket: bucket.create("/", b""),
            lambda bucket: bucket.delete("/"),
            lambda bucket: bucket.delete_many(["/"]),
            lambda bucket: bucket.copy("/", "k"),
            lambda bucket: bucket.copy("k", "/"),
            lambda bucket: bucket.sign("/"),
        ],
        ids=["read", "open", "info", "exists", "write", "create", "delete", "delete_many", "from", "to", "sign"],
    )
    def test_a_refused_key_reaches_no_driver(
        self, bucket: Bucket, driver: ScriptedBucket, use: Callable[[Bucket], object]
    ) -> None:
        with pytest.raises(InvalidArgument, match="on bucket photos"):
            use(bucket)

        assert driver.calls == []

    def test_a_long_key_names_whose_limit_it_passes(self, driver: ScriptedBucket) -> None:
        with pytest.raises(LimitExceeded) as caught:
            connected(driver, max_key_bytes=9).info("日本語x")

        assert str(caught.value) == "key is 10 bytes; bucket photos on target prod (acme) allows 9"
        assert (caught.value.limit, caught.value.owner) == ("max_key_bytes", "target prod (acme)")


class TestContentTypes:
    @pytest.mark.parametrize(
        ("key", "content_type"),
        [
            ("cat.jpg", "image/jpeg"),
            ("in/CAT.JPG", "image/jpeg"),
            ("page.html", "text/html"),
            ("archive.tar.gz", "application/gzip"),
            ("a.json/b", "application/octet-stream"),
            ("noextension", "application/octet-stream"),
            (".json", "application/octet-stream"),
            ("folder/.json", "application/octet-stream"),
            ("a.unknown", "application/octet-stream"),
            ("a.", "application/octet-stream"),
        ],
    )
    def test_bytes_are_what_the_keys_extension_says(self, bucket: Bucket, key: str, content_type: str) -> None:
        assert bucket.write(key, b"").content_type == content_type

    def test_a_stream_is_what_the_keys_extension_says(self, bucket: Bucket) -> None:
        assert bucket.write("cat.png", iter([b""])).content_type == "image/png"

    def test_text_is_plain_text_in_utf_8_whatever_the_key_says(self, bucket: Bucket) -> None:
        assert bucket.write("page.html", "text").content_type == "text/plain; charset=utf-8"

    def test_a_given_type_wins(self, bucket: Bucket) -> None:
        assert bucket.write("cat.jpg", "text", content_type="image/gif").content_type == "image/gif"

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "text/x; a=b", "application/vnd.a+json", "a/b ;c=d", "a/" + "b" * 253]
    )
    def test_a_type_that_a_header_carries_is_kept(self, bucket: Bucket, content_type: str) -> None:
        assert bucket.create("k", b"", content_type=content_type).content_type == content_type

    @pytest.mark.parametrize(
        "content_type",
        ["", "text", "/x", "x/", "x/y\r\nset-cookie: a", "text/plä", "a b/c", " a/b", "a/b/c", "a/" + "b" * 254, 1],
        ids=ascii,
    )
    def test_a_type_that_no_header_carries_is_refused(
        self, bucket: Bucket, driver: ScriptedBucket, content_type: Any
    ) -> None:
        with pytest.raises(InvalidArgument, match="content type"):
            bucket.write("k", b"", content_type=content_type)

        assert driver.calls == []


class TestMetadata:
    def test_the_mapping_is_copied(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        metadata = {"by": "ada"}
        bucket.write("k", b"", metadata=metadata)
        metadata["by"] = "eve"

        assert driver.calls[0][1]["options"].metadata == {"by": "ada"}

    @pytest.mark.parametrize(
        ("metadata", "why"),
        [
            ({"By": "x"}, "'By' is not lower-case"),
            ({"1a": "x"}, "'1a' is not lower-case"),
            ({"a-b": "x"}, "'a-b' is not lower-case"),
            ({"": "x"}, "'' is not lower-case"),
            ({"ª": "x"}, "is not lower-case"),
            ({"a": 1}, "'a' is of type int"),
            ({"a": "\udfff"}, "lone surrogate"),
            ([("a", "b")], "of type list"),
        ],
        ids=ascii,
    )
    def test_the_error_says_what_is_wrong(self, bucket: Bucket, metadata: Any, why: str) -> None:
        with pytest.raises(InvalidArgument, match=why):
            bucket.write("k", b"", metadata=metadata)

    def test_names_and_values_count_in_utf_8(self, driver: ScriptedBucket) -> None:
        with pytest.raises(LimitExceeded, match=r"metadata is 12 bytes; .* allows 11"):
            connected(driver, max_metadata_bytes=11).write("k", b"", metadata={"ab": "ü", "cd": "日本"})


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [b"body", bytearray(b"body"), memoryview(b"-body")[1:], "body", io.BytesIO(b"body"), [b"bo", b"", b"dy"]],
        ids=lambda body: type(body).__name__,
    )
    def test_a_body_is_written(self, bucket: Bucket, driver: ScriptedBucket, body: Any) -> None:
        bucket.write("k", body)

        assert driver.objects["k"][1] == b"body"

    def test_a_driver_gets_just_as_many_bytes_as_it_asks_for(self) -> None:
        asked = [1, 3, 5, 100, 1]

        class Asking(ScriptedBucket):
            def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
                assert not isinstance(body, bytes)
                return super().write(key, b"|".join(body.read(size) for size in asked), options)

        driver = Asking()
        pieces: list[bytes | bytearray | memoryview] = [b"0", b"", b"12345", bytearray(b"67"), memoryview(b"89")]
        connected(driver).write("k", iter(pieces))

        assert driver.objects["k"][1] == b"0|123|45678|9|"

    def test_a_buffer_that_is_filled_again_is_written_as_it_was(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        def reusing() -> Iterator[bytearray]:
            buffer = bytearray()
            for number in range(3):
                buffer[:] = b"%d" % number * (number + 1)
                yield buffer

        bucket.write("k", reusing())

        assert driver.objects["k"][1] == b"011222"

    def test_large_pieces_are_cut_without_a_copy_of_the_rest(self, driver: ScriptedBucket) -> None:
        class Discarding(ScriptedBucket):
            def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
                assert not isinstance(body, bytes)
                while body.read(1 << 16):
                    pass
                return super().write(key, b"", options)

        piece = bytes(8 * MIB)
        tracemalloc.start()
        connected(Discarding()).write("k", iter([piece]))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert peak < 2 * MIB

    @pytest.mark.parametrize("body", [None, 1, True, object(), {"a": 1}], ids=lambda body: type(body).__name__)
    def test_what_is_no_body_is_refused(self, bucket: Bucket, driver: ScriptedBucket, body: Any) -> None:
        with pytest.raises(InvalidArgument, match="cannot be written: give bytes, str, a file"):
            bucket.write("k", body)

        assert driver.calls == []

    def test_text_that_is_no_utf_8_is_refused(self, bucket: Bucket) -> None:
        with pytest.raises(InvalidArgument, match="lone surrogate"):
            bucket.write("k", "a\ud800")

    @pytest.mark.parametrize(
        "body",
        [io.StringIO("text"), io.StringIO(""), iter(["text"]), [1, 2], [b"a", None]],
        ids=["a text file", "an empty text file", "pieces of text", "ints", "bytes, then None"],
    )
    def test_pieces_that_are_no_bytes_are_refused(self, bucket: Bucket, driver: ScriptedBucket, body: Any) -> None:
        with pytest.raises(InvalidArgument, match=r"a piece of type .*, not bytes") as caught:
            bucket.write("k", body)

        assert caught.value.resource == "bucket photos"
        assert driver.objects == {}

    def test_the_bodys_own_error_comes_out_as_it_is(self, bucket: Bucket) -> None:
        failure = OSError("the disk is gone")

        def body() -> Iterator[bytes]:
            yield b"1"
            raise failure

        with pytest.raises(OSError, match="the disk is gone") as caught:
            bucket.write("k", body())

        assert caught.value is failure
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)

    def test_a_body_that_fails_is_not_read_again(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        class Failing(io.BytesIO):
            reads = 0

            def read(self, size: int | None = -1, /) -> bytes:
                Failing.reads += 1
                raise ServiceError(PermissionDenied)

        with pytest.raises(ServiceError):
            bucket.write("k", Failing(b"1"))

        assert Failing.reads == 1

    @pytest.mark.parametrize("kind", [bytes, lambda data: iter([data]), io.BytesIO], ids=["bytes", "iterator", "file"])
    def test_a_body_as_large_as_allowed_is_written(self, driver: ScriptedBucket, kind: Callable[[bytes], Any]) -> None:
        assert connected(driver, max_bytes=5).write("k", kind(b"12345")).size == 5

    @pytest.mark.parametrize("kind", [bytes, lambda data: iter([data]), io.BytesIO], ids=["bytes", "iterator", "file"])
    def test_a_body_of_one_byte_more_is_refused(self, driver: ScriptedBucket, kind: Callable[[bytes], Any]) -> None:
        with pytest.raises(LimitExceeded, match=r"body is 6 bytes; .* allows 5"):
            connected(driver, max_bytes=5).write("k", kind(b"123456"))

        assert driver.objects == {}

    def test_an_endless_body_is_read_no_further_than_allowed(self, driver: ScriptedBucket) -> None:
        given: list[int] = []

        def endless() -> Iterator[bytes]:
            while True:
                given.append(1)
                yield b"x"

        with pytest.raises(LimitExceeded):
            connected(driver, max_bytes=100).write("k", endless())

        assert len(given) == 101


class TestConditions:
    def test_the_version_of_a_write_reaches_the_driver(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        bucket.write("k", b"", if_version="7")

        assert driver.calls[0][1]["options"].if_version == "7"

    def test_the_version_of_a_delete_reaches_the_driver(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        bucket.delete("k", if_version="7")

        assert driver.calls == [("delete", {"key": "k", "if_version": "7"})]

    def test_a_create_is_a_write_where_nothing_is(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        bucket.create("k", b"")

        assert driver.calls[0][1]["options"].if_absent is True

    @pytest.mark.parametrize("version", ["", 1, b"1"], ids=repr)
    def test_what_is_no_version_is_refused(self, bucket: Bucket, driver: ScriptedBucket, version: Any) -> None:
        with pytest.raises(InvalidArgument, match="if_version"):
            bucket.write("k", b"", if_version=version)

        assert driver.calls == []

    @pytest.mark.parametrize(
        ("lacking", "use"),
        [
            ("create", lambda bucket: bucket.create("k", b"")),
            ("if_version", lambda bucket: bucket.write("k", b"", if_version="1")),
            ("delete_if_version", lambda bucket: bucket.delete("k", if_version="1")),
            ("sign_content_type", lambda bucket: bucket.sign("k", "PUT", content_type="a/b")),
        ],
    )
    def test_what_a_target_lacks_is_unsupported_before_anything_is_sent(
        self, driver: ScriptedBucket, lacking: str, use: Callable[[Bucket], object]
    ) -> None:
        with pytest.raises(Unsupported, match=rf"on bucket photos: target prod \(acme\) does not have '{lacking}'"):
            use(connected(driver, **{lacking: False}))

        assert driver.calls == []


class TestTryingAgain:
    @pytest.mark.parametrize(
        "use",
        [
            lambda bucket: bucket.read("k"),
            lambda bucket: bucket.open("k"),
            lambda bucket: bucket.info("k"),
            lambda bucket: bucket.exists("k"),
            lambda bucket: bucket.write("k", b""),
            lambda bucket: bucket.write("k", "text"),
            lambda bucket: bucket.write("k", io.BytesIO(b"file")),
            lambda bucket: bucket.write("k", [b"list"]),
            lambda bucket: bucket.delete("k"),
            lambda bucket: bucket.delete_many(["k"]),
            lambda bucket: bucket.copy("k", "l"),
            lambda bucket: list(bucket.list()),
            lambda bucket: bucket.page(limit=1),
            lambda bucket: bucket.sign("k"),
        ],
    )
    def test_what_is_safe_to_repeat_is_repeated(
        self, bucket: Bucket, driver: ScriptedBucket, use: Callable[[Bucket], object]
    ) -> None:
        bucket.write("k", b"0")
        driver.errors = [ServiceError(Unavailable), ServiceError(Timeout)]
        use(bucket)

        assert driver.errors == []

    @pytest.mark.parametrize(
        "use",
        [
            lambda bucket: bucket.write("k", b"", if_version="1"),
            lambda bucket: bucket.create("l", b""),
            lambda bucket: bucket.delete("k", if_version="1"),
            lambda bucket: bucket.write("k", iter([b"used up"])),
            lambda bucket: bucket.create("l", [b"list"]),
        ],
        ids=["guarded write", "create", "guarded delete", "iterator", "create of a list"],
    )
    def test_what_is_not_safe_to_repeat_is_raised(
        self, bucket: Bucket, driver: ScriptedBucket, use: Callable[[Bucket], object]
    ) -> None:
        bucket.write("k", b"0")
        driver.errors = [ServiceError(Unavailable)]
        with pytest.raises(Unavailable):
            use(bucket)

        assert len(driver.calls) == 2

    def test_a_file_is_read_again_from_where_it_stood(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        file = io.BytesIO(b"skipped|written")
        file.seek(8)
        driver.errors = [ServiceError(Unavailable)]
        bucket.write("k", file)

        assert [arguments["body"] for _, arguments in driver.calls] == [b"written", b"written"]

    def test_a_pipe_is_not_read_again(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        class Pipe(io.BytesIO):
            def seekable(self) -> bool:
                return False

        driver.errors = [ServiceError(Unavailable)]
        with pytest.raises(Unavailable):
            bucket.write("k", Pipe(b"used up"))

    @pytest.mark.parametrize("body", [b"whole", [b"who", b"le"]], ids=["bytes", "list"])
    def test_a_create_that_the_service_did_not_begin_is_repeated(
        self, bucket: Bucket, driver: ScriptedBucket, body: Any
    ) -> None:
        driver.errors = [ServiceError(Unavailable, changed_nothing=True)]
        bucket.create("k", body)

        assert bucket.read("k") == b"whole"

    def test_a_body_that_is_used_up_is_not_written_again_though_nothing_was_done(
        self, bucket: Bucket, driver: ScriptedBucket
    ) -> None:
        driver.errors = [ServiceError(Unavailable, changed_nothing=True)]
        with pytest.raises(Unavailable):
            bucket.write("k", iter([b"used up"]))

        assert not bucket.exists("k")

    def test_the_services_error_is_the_cause(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        failure = ServiceError(PermissionDenied)
        driver.errors = [failure]
        with pytest.raises(PermissionDenied, match="info 'k' in bucket photos: the service said no") as caught:
            bucket.info("k")

        assert caught.value.__cause__ is failure


class TestStreams:
    BODY = b"0123456789abcdef"

    @pytest.fixture(autouse=True)
    def body(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        bucket.write("k", self.BODY)
        driver.calls.clear()

    @pytest.mark.parametrize("sizes", [[16], [1] * 16, [3, 5, 8], [4, 4, 4, 4], [15, 100]], ids=repr)
    def test_reads_give_just_as_much_as_they_ask_for(self, bucket: Bucket, sizes: list[int]) -> None:
        with bucket.open("k") as stream:
            pieces = [stream.read(size) for size in sizes]
            rest = stream.read(1)

        assert (b"".join(pieces), rest) == (self.BODY, b"")
        assert [len(piece) for piece in pieces[:-1]] == sizes[:-1]

    def test_a_read_without_a_size_gives_all_that_is_left(self, bucket: Bucket) -> None:
        with bucket.open("k") as stream:
            assert (stream.read(5), stream.read(0), stream.read(), stream.read()) == (
                self.BODY[:5],
                b"",
                self.BODY[5:],
                b"",
            )

    def test_chunks_come_after_a_read_that_ended_within_one(self, bucket: Bucket) -> None:
        with bucket.open("k", start=1) as stream:
            assert (stream.read(2), list(stream)) == (b"12", [b"34", b"5678", b"9abc", b"def"])

    def test_chunks_are_never_empty(self, bucket: Bucket) -> None:
        with bucket.open("k") as stream:
            assert list(stream) == [b"0123", b"4567", b"89ab", b"cdef"]

    def test_small_reads_do_not_copy_the_rest_of_a_chunk(self, driver: ScriptedBucket) -> None:
        class OneChunk(ScriptedBucket):
            def chunks(self, body: bytes, start: int, stop: int) -> Iterator[bytes]:
                yield body

        bucket = connected(OneChunk())
        bucket.write("k", bytes(4 * MIB))
        tracemalloc.start()
        with bucket.open("k") as stream:
            lengths = {len(stream.read(10)) for _ in range(1000)}
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()

        assert lengths == {10}
        assert peak < MIB

    def test_a_stream_can_be_copied_to_a_file(self, bucket: Bucket, tmp_path: Any) -> None:
        import shutil

        with bucket.open("k") as stream, open(tmp_path / "file", "wb") as file:
            shutil.copyfileobj(stream, file)

        assert (tmp_path / "file").read_bytes() == self.BODY

    @pytest.mark.parametrize("error", [ServiceError(Unavailable), ServiceError(Timeout), None], ids=repr)
    @pytest.mark.parametrize("place", [0, 4, 12])
    def test_a_stream_that_breaks_goes_on_where_it_stood_with_the_same_version(
        self, bucket: Bucket, driver: ScriptedBucket, place: int, error: Exception | None
    ) -> None:
        driver.chunk_errors[place] = error
        with bucket.open("k", stop=14) as stream:
            assert b"".join(stream) == self.BODY[:14]

        assert driver.calls[1:] == [("open", {"start": place, "stop": 14, "if_version": "1"})]

    def test_a_stream_goes_on_after_each_of_several_breaks(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        driver.chunk_errors = {place: ServiceError(Unavailable) for place in (0, 4, 8, 12)}

        assert bucket.read("k") == self.BODY

    def test_a_break_while_it_goes_on_is_another_attempt(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        driver.chunk_errors[4] = ServiceError(Unavailable)
        with bucket.open("k") as stream:
            next(stream)
            driver.errors = [ServiceError(Unavailable)] * (ATTEMPTS - 2)

            assert stream.read() == self.BODY[4:]

    def test_a_service_that_stays_away_is_given_up(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        driver.chunk_errors[4] = ServiceError(Unavailable)
        with bucket.open("k") as stream:
            next(stream)
            driver.errors = [ServiceError(Unavailable)] * (ATTEMPTS - 1)
            with pytest.raises(Unavailable, match="open 'k' in bucket photos"):
                next(stream)

    def test_a_version_that_is_gone_is_a_conflict_not_a_mixture(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        driver.chunk_errors[4] = ServiceError(Unavailable)
        with bucket.open("k") as stream:
            next(stream)
            bucket.write("k", b"another object..")
            with pytest.raises(Conflict):
                next(stream)

    def test_an_error_that_trying_again_does_not_mend_is_raised(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        driver.chunk_errors[4] = ServiceError(PermissionDenied)
        with pytest.raises(PermissionDenied, match="read 'k' in bucket photos: the service said no"):
            bucket.read("k")

        assert operations(driver) == ["open"]

    def test_closing_frees_the_connection(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        with bucket.open("k") as stream:
            next(stream)

        assert driver.closed_streams == 1

    def test_reading_to_the_end_frees_the_connection(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        stream = bucket.open("k")
        stream.read()
        next(stream, None)

        assert driver.closed_streams == 1

    def test_a_closed_stream_is_not_read(self, bucket: Bucket) -> None:
        stream = bucket.open("k")
        stream.read(1)
        stream.close()

        with pytest.raises(InvalidArgument, match="the stream of 'k' in bucket photos is closed"):
            stream.read(1)

    @pytest.mark.parametrize(
        "part",
        [{"start": -1}, {"start": 1.0}, {"start": None}, {"start": True}, {"start": 3, "stop": 2}, {"stop": "3"}],
        ids=repr,
    )
    def test_a_wrong_part_is_refused(self, bucket: Bucket, driver: ScriptedBucket, part: dict[str, Any]) -> None:
        with pytest.raises(InvalidArgument, match="whole number of bytes"):
            bucket.open("k", **part)

        assert driver.calls == []


class TestExisting:
    def test_a_missing_object_does_not_exist(self, bucket: Bucket) -> None:
        assert bucket.exists("k") is False

    def test_another_error_is_no_answer(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        driver.errors = [ServiceError(PermissionDenied)]
        with pytest.raises(PermissionDenied):
            bucket.exists("k")


class TestDeletingMany:
    def test_keys_go_out_in_batches_of_what_the_driver_takes(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        bucket.delete_many(str(number) for number in range(7))

        assert [arguments["keys"] for _, arguments in driver.calls] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]

    def test_keys_are_read_as_they_are_needed(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        def keys() -> Iterator[str]:
            for key in "abcdefg":
                sent.append(len(driver.calls))
                yield key

        sent: list[int] = []
        bucket.delete_many(keys())

        assert sent == [0, 0, 0, 1, 1, 1, 2]

    def test_a_key_named_twice_goes_out_once(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        bucket.delete_many(["a", "b", "a"])

        assert driver.calls == [("delete_batch", {"keys": ["a", "b"]})]

    def test_no_keys_are_no_call(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        bucket.delete_many([])

        assert driver.calls == []

    def test_one_text_is_refused(self, bucket: Bucket) -> None:
        with pytest.raises(InvalidArgument, match="put it in a list, or use delete"):
            bucket.delete_many("abc")

    def test_those_that_failed_for_now_are_tried_again_alone(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        driver.outcomes = [[None, ServiceError(Unavailable), None], [None]]
        bucket.delete_many(["a", "b", "c"])

        assert [arguments["keys"] for _, arguments in driver.calls] == [["a", "b", "c"], ["b"]]

    def test_one_that_stays_is_named_with_its_reason(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        failure = ServiceError(PermissionDenied)
        driver.outcomes = [[None, failure, ServiceError(PermissionDenied)]]
        with pytest.raises(PermissionDenied) as caught:
            bucket.delete_many(["a", "b", "c", "d"])

        assert str(caught.value) == (
            "delete_many 2 of 3 keys, the first of them 'b', in bucket photos: the service said no"
        )
        assert (caught.value.__cause__, caught.value.operation) == (failure, "delete_many")

    def test_later_batches_are_left_after_one_that_failed(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        driver.outcomes = [[ServiceError(PermissionDenied), None, None]]
        with pytest.raises(PermissionDenied):
            bucket.delete_many("abcd"[index] for index in range(4))

        assert len(driver.calls) == 1


class TestListing:
    @pytest.fixture(autouse=True)
    def keys(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        for number in range(10):
            bucket.write(f"k{number}", b"")
        driver.calls.clear()

    def test_pages_are_asked_for_as_they_are_needed(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        entries = bucket.list()
        before = len(driver.calls)
        next(entries)
        first = len(driver.calls)
        rest = [entry.key for entry in entries]

        assert (before, first, rest, len(driver.calls)) == (0, 1, [f"k{number}" for number in range(1, 10)], 3)

    def test_a_page_that_fails_in_the_middle_is_asked_for_again(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        entries = bucket.list()
        next(entries)
        driver.errors = [ServiceError(Unavailable)]

        assert len(list(entries)) == 9

    @pytest.mark.parametrize("prefix", ["/", "a//", "./", "../x", "a/./", "a\\", "a\nb", "a\ud800"], ids=ascii)
    def test_what_begins_no_key_is_asked_of_nobody(self, bucket: Bucket, driver: ScriptedBucket, prefix: str) -> None:
        assert list(bucket.list(prefix)) == []
        assert driver.calls == []

    @pytest.mark.parametrize("prefix", ["", "a", "a/", "a/.", ".", "..", "a/..", "a/b", "\u2028"], ids=ascii)
    def test_any_beginning_of_a_key_is_asked_for(self, prefix: str) -> None:
        assert not begins_no_key(prefix)

    @pytest.mark.parametrize("operation", ["list", "page"])
    def test_wrong_arguments_are_refused_at_the_call(self, bucket: Bucket, operation: str) -> None:
        with pytest.raises(InvalidArgument, match=f"{operation} on bucket photos: the delimiter ''"):
            getattr(bucket, operation)("", "")

    @pytest.mark.parametrize("delimiter", ["", 1, "a\nb", "\\", "\ud800"], ids=ascii)
    def test_what_groups_no_keys_is_refused(self, bucket: Bucket, delimiter: Any) -> None:
        with pytest.raises(InvalidArgument, match="delimiter"):
            bucket.list("", delimiter)

    @pytest.mark.parametrize("limit", [0, -1, 1.0, True, None], ids=repr)
    def test_a_limit_that_is_no_number_of_entries_is_refused(self, bucket: Bucket, limit: Any) -> None:
        with pytest.raises(InvalidArgument, match="limit is"):
            bucket.page(limit=limit)

    def test_a_larger_page_than_there_is_names_the_limit(self, bucket: Bucket) -> None:
        with pytest.raises(LimitExceeded, match="limit is 5; bucket photos on this machine allows 4"):
            bucket.page(limit=5)

    def test_a_cursor_goes_on_where_the_page_ended(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        page = bucket.page("k", limit=3)
        following = bucket.page("k", limit=2, cursor=page.cursor)

        assert [entry.key for entry in following.items] == ["k3", "k4"]
        assert driver.calls[1][1]["cursor"] == "k2"

    @pytest.mark.parametrize("other", [{"prefix": "k1"}, {"delimiter": "/"}], ids=repr)
    def test_a_cursor_of_another_listing_is_refused(self, bucket: Bucket, other: dict[str, str]) -> None:
        cursor = bucket.page(limit=3).cursor

        with pytest.raises(InvalidArgument, match="another query"):
            bucket.page(limit=3, cursor=cursor, **other)


class TestCopying:
    def test_a_copy_onto_itself_is_just_looked_at(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        written = bucket.write("k", b"")

        assert bucket.copy("k", "k") == written
        assert operations(driver) == ["write", "info"]

    def test_the_error_names_both_keys(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        driver.errors = [ServiceError(NotFound)]
        with pytest.raises(NotFound, match="copy 'a' to 'b' in bucket photos"):
            bucket.copy("a", "b")


class TestSigning:
    def test_an_address_is_for_reading_for_15_minutes(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        bucket.sign("k")

        assert driver.calls == [
            ("sign", {"method": "GET", "expires": timedelta(minutes=15), "content_type": None}),
        ]

    def test_a_put_is_bound_to_a_content_type(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        bucket.sign("k", "PUT", timedelta(hours=1), "image/png")

        assert driver.calls == [
            ("sign", {"method": "PUT", "expires": timedelta(hours=1), "content_type": "image/png"}),
        ]

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            ({"method": "DELETE"}, "use 'GET' or 'PUT'"),
            ({"method": "get"}, "use 'GET' or 'PUT'"),
            ({"method": None}, "use 'GET' or 'PUT'"),
            ({"expires": timedelta()}, "more than nothing"),
            ({"expires": timedelta(seconds=-1)}, "more than nothing"),
            ({"expires": 60}, "give a timedelta"),
            ({"content_type": "image/png"}, "content_type is for a PUT"),
            ({"method": "PUT", "content_type": "png"}, "content type 'png'"),
        ],
        ids=repr,
    )
    def test_wrong_arguments_are_refused(
        self, bucket: Bucket, driver: ScriptedBucket, arguments: dict[str, Any], why: str
    ) -> None:
        with pytest.raises(InvalidArgument, match=why):
            bucket.sign("k", **arguments)

        assert driver.calls == []

    def test_a_longer_time_than_there_is_names_the_limit(self, bucket: Bucket) -> None:
        with pytest.raises(LimitExceeded, match=r"expires is 3,601 seconds; .* allows 3,600") as caught:
            bucket.sign("k", expires=timedelta(seconds=3600, microseconds=1))

        assert caught.value.limit == "max_sign_seconds"

    def test_a_method_that_the_target_cannot_sign_is_unsupported(self, driver: ScriptedBucket) -> None:
        with pytest.raises(Unsupported, match=r"target prod \(acme\) signs no PUT"):
            connected(driver, sign=frozenset({"GET"})).sign("k", "PUT")


class TestTheHandle:
    def test_it_names_itself(self, bucket: Bucket) -> None:
        assert (repr(bucket), str(bucket), bucket.name) == ("Bucket('photos')", "bucket photos", "photos")

    def test_the_services_own_client_is_at_hand(self, bucket: Bucket) -> None:
        assert bucket.native() == "the client"

    def test_it_connects_on_first_use(self) -> None:
        connections: list[int] = []

        def connect() -> Connection:
            connections.append(1)
            return Connection(ScriptedBucket(), BlobCapabilities(), {}, Opening())

        bucket = Bucket("photos", connect)
        before = len(connections)
        bucket.exists("k")
        bucket.exists("k")

        assert (before, len(connections)) == (0, 1)

    def test_observers_hear_of_a_read_and_of_its_going_on(self, bucket: Bucket, driver: ScriptedBucket) -> None:
        bucket.write("k", b"01234567")
        driver.chunk_errors[4] = ServiceError(Unavailable)
        heard: list[Call] = []
        stop = observe(heard.append)
        try:
            bucket.read("k")
        finally:
            stop()

        assert [(call.operation, call.attempts, call.error) for call in heard] == [("read", 1, None), ("read", 2, None)]

    def test_importing_it_is_cheap(self) -> None:
        import subprocess

        program = "import sys, portable.blob; print(*sys.modules)"
        loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert {"typing", "re", "datetime", "dataclasses", "asyncio", "sqlite3"}.isdisjoint(loaded.stdout.split())
