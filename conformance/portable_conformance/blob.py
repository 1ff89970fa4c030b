"""The blob contract: deleting and copying objects, a bucket that is not there, the driver. The rest is in `blob_*`."""

from __future__ import annotations

import hashlib

import pytest

from portable.blob import Bucket
from portable_conformance import contract
from portable_conformance._bodies import MIB, pattern, patterned
from portable_conformance._buckets import alike, digest, keys, write_all
from portable_conformance._drivers import DriverPromises
from portable_conformance._keys import WEIRD_KEYS
from portable_contracts.errors import InvalidArgument, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable_contracts.harness import Harness
    from portable_contracts.provider import Driver

pytestmark = contract("bucket")

DIGITS = b"0123456789"


@pytest.fixture
def unreachable(harness: Harness, scheme: str) -> Bucket:
    """A bucket that does not exist."""
    address = harness.unreachable("bucket", scheme)
    if address is None:
        pytest.skip("the service makes a bucket on first use")
    return Bucket.at(address, opening=harness.opening({}))


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
        write_all(bucket, [*names[::100], "kept"])
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

        assert bucket.read("source") == DIGITS
        assert alike(bucket.info("source"), before)

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

        assert alike(copied, bucket.info("target"))

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


class TestDriver(DriverPromises):
    def test_a_driver_that_was_closed_opens_again(self, bucket: Bucket, driver_of: Callable[[Bucket], Driver]) -> None:
        bucket.write("k", b"1")
        driver_of(bucket).close()

        assert bucket.read("k") == b"1"
