"""The blob contract: versions, and what is written, created or deleted on a condition."""

from __future__ import annotations

import hashlib

import pytest

from portable_conformance import contract, needs, without
from portable_conformance._bodies import MIB, pattern, patterned
from portable_conformance._buckets import alike, digest
from portable_contracts.errors import AlreadyExists, Conflict, InvalidArgument, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.blob import Bucket
    from portable_contracts.harness import Harness

pytestmark = contract("bucket")


class TestVersions:
    def test_another_body_has_another_version(self, bucket: Bucket) -> None:
        assert bucket.write("k", b"1").version != bucket.write("k", b"2").version

    @needs("distinct_versions")
    def test_equal_bytes_written_again_have_another_version(self, bucket: Bucket) -> None:
        assert bucket.write("k", b"1").version != bucket.write("k", b"1").version

    @needs("distinct_versions")
    def test_equal_bytes_written_again_with_other_metadata_have_another_version(self, bucket: Bucket) -> None:
        first = bucket.write("k", b"1", metadata={"a": "1"})
        second = bucket.write("k", b"1", metadata={"a": "2"})

        assert first.version != second.version

    @needs("distinct_versions")
    def test_equal_bytes_written_after_a_delete_have_another_version(self, bucket: Bucket) -> None:
        first = bucket.write("k", b"1").version
        bucket.delete("k")

        assert bucket.write("k", b"1").version != first

    @needs("distinct_versions")
    def test_fifty_writes_of_equal_bytes_have_fifty_versions(self, bucket: Bucket) -> None:
        assert len({bucket.write("k", b"1").version for _ in range(50)}) == 50

    @without("distinct_versions")
    def test_other_bytes_have_another_version_where_equal_ones_may_not(self, bucket: Bucket) -> None:
        assert len({bucket.write("k", b"%d" % number).version for number in range(50)}) == 50

    @needs("distinct_versions")
    def test_a_copy_onto_an_object_gives_it_another_version(self, bucket: Bucket) -> None:
        bucket.write("source", b"1")
        first = bucket.write("target", b"1").version

        assert bucket.copy("source", "target").version != first

    def test_reading_leaves_the_version(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version
        bucket.read("k")

        assert bucket.info("k").version == version

    def test_a_listing_tells_the_version(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version

        assert [entry.version for entry in bucket.list()] == [version]

    def test_another_handle_sees_the_same_version(self, bucket: Bucket, reopen: Callable[[Bucket], Bucket]) -> None:
        version = bucket.write("k", b"1").version

        assert reopen(bucket).info("k").version == version


@needs("if_version")
class TestGuardedWrites:
    def test_a_write_over_the_version_that_is_there_succeeds(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version
        bucket.write("k", b"2", if_version=version)

        assert bucket.read("k") == b"2"

    def test_a_guarded_write_returns_the_new_version(self, bucket: Bucket) -> None:
        first = bucket.write("k", b"1").version
        second = bucket.write("k", b"2", if_version=first).version

        assert second == bucket.info("k").version != first

    def test_guarded_writes_follow_one_another(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"0").version
        for number in range(1, 6):
            version = bucket.write("k", b"%d" % number, if_version=version).version

        assert bucket.read("k") == b"5"

    def test_a_write_over_a_version_that_is_past_conflicts(self, bucket: Bucket) -> None:
        past = bucket.write("k", b"1").version
        bucket.write("k", b"2")

        with pytest.raises(Conflict):
            bucket.write("k", b"3", if_version=past)

    def test_a_write_that_conflicts_changes_nothing(self, bucket: Bucket) -> None:
        past = bucket.write("k", b"1").version
        before = bucket.write("k", b"2", content_type="text/plain", metadata={"a": "1"})
        with pytest.raises(Conflict):
            bucket.write("k", b"3", content_type="text/html", metadata={"a": "2"}, if_version=past)

        assert bucket.read("k") == b"2"
        assert alike(bucket.info("k"), before)

    def test_a_large_write_that_conflicts_changes_nothing(self, bucket: Bucket) -> None:
        past = bucket.write("k", b"1").version
        bucket.write("k", b"2")
        with pytest.raises(Conflict):
            bucket.write("k", patterned(9 * MIB), if_version=past)

        assert bucket.read("k") == b"2"

    def test_a_large_write_that_conflicts_leaves_no_parts(
        self, bucket: Bucket, harness: Harness, address_of: Callable[[Bucket], str]
    ) -> None:
        past = bucket.write("k", b"1").version
        bucket.write("k", b"2")
        with pytest.raises(Conflict):
            bucket.write("k", patterned(9 * MIB), if_version=past)

        assert list(harness.leftovers(address_of(bucket))) == []

    def test_a_guarded_write_of_a_missing_object_conflicts(self, bucket: Bucket) -> None:
        elsewhere = bucket.write("elsewhere", b"1").version

        with pytest.raises(Conflict):
            bucket.write("missing", b"1", if_version=elsewhere)

    def test_a_guarded_write_of_a_missing_object_makes_none(self, bucket: Bucket) -> None:
        elsewhere = bucket.write("elsewhere", b"1").version
        with pytest.raises(Conflict):
            bucket.write("missing", b"1", if_version=elsewhere)

        assert not bucket.exists("missing")

    def test_a_guarded_write_of_a_deleted_object_conflicts(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version
        bucket.delete("k")

        with pytest.raises(Conflict):
            bucket.write("k", b"2", if_version=version)

    @needs("distinct_versions")
    def test_a_version_from_before_a_delete_conflicts_with_the_object_made_anew(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version
        bucket.delete("k")
        bucket.write("k", b"1")

        with pytest.raises(Conflict):
            bucket.write("k", b"2", if_version=version)

    @needs("distinct_versions")
    def test_a_version_from_before_an_equal_write_conflicts(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version
        bucket.write("k", b"1")

        with pytest.raises(Conflict):
            bucket.write("k", b"2", if_version=version)

    def test_a_version_that_never_was_conflicts(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")

        with pytest.raises((Conflict, InvalidArgument)):
            bucket.write("k", b"2", if_version="never-was")

    @pytest.mark.parametrize("version", [1, b"v", True, ""], ids=repr)
    def test_a_version_of_another_type_is_refused(self, bucket: Bucket, version: object) -> None:
        bucket.write("k", b"1")

        with pytest.raises(InvalidArgument):
            bucket.write("k", b"2", if_version=version)  # type: ignore[arg-type]  # wrong on purpose

    def test_the_error_of_a_conflict_names_key_and_bucket(self, bucket: Bucket) -> None:
        past = bucket.write("some/key", b"1").version
        bucket.write("some/key", b"2")

        with pytest.raises(Conflict, match="some/key") as caught:
            bucket.write("some/key", b"3", if_version=past)

        assert (caught.value.operation, caught.value.resource) == ("write", str(bucket))

    def test_a_version_read_through_another_handle_guards_a_write(
        self, bucket: Bucket, reopen: Callable[[Bucket], Bucket]
    ) -> None:
        bucket.write("k", b"1")
        bucket.write("k", b"2", if_version=reopen(bucket).info("k").version)

        assert bucket.read("k") == b"2"

    def test_the_version_of_a_listing_guards_a_write(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        (entry,) = bucket.list()
        bucket.write("k", b"2", if_version=entry.version)

        assert bucket.read("k") == b"2"

    def test_the_version_of_a_copy_guards_a_write(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        version = bucket.copy("k", "copy").version
        bucket.write("copy", b"2", if_version=version)

        assert bucket.read("copy") == b"2"


@without("if_version")
class TestWithoutGuardedWrites:
    def test_a_guarded_write_is_unsupported(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version

        with pytest.raises(Unsupported):
            bucket.write("k", b"2", if_version=version)

    def test_an_unsupported_guarded_write_changes_nothing(self, bucket: Bucket) -> None:
        version = bucket.write("k", b"1").version
        with pytest.raises(Unsupported):
            bucket.write("k", b"2", if_version=version)

        assert bucket.read("k") == b"1"


@needs("create")
class TestCreating:
    @pytest.mark.parametrize("body", [b"", b"1", "text", [b"a", b"b"]], ids=repr)
    def test_an_object_is_created(self, bucket: Bucket, body: object) -> None:
        bucket.create("k", body)  # type: ignore[arg-type]  # each is one of the types that are allowed

        assert bucket.exists("k")

    def test_a_created_object_is_read(self, bucket: Bucket) -> None:
        bucket.create("k", b"1")

        assert bucket.read("k") == b"1"

    def test_a_created_object_keeps_content_type_and_metadata(self, bucket: Bucket) -> None:
        bucket.create("k", b"1", content_type="image/png", metadata={"a": "1"})
        info = bucket.info("k")

        assert (info.content_type, info.metadata) == ("image/png", {"a": "1"})

    @pytest.mark.parametrize("body", [b"other", b"old", b""], ids=["other-bytes", "equal-bytes", "no-bytes"])
    def test_creating_an_object_that_is_there_fails(self, bucket: Bucket, body: bytes) -> None:
        bucket.write("k", b"old")

        with pytest.raises(AlreadyExists):
            bucket.create("k", body)

    def test_creating_over_an_empty_object_fails(self, bucket: Bucket) -> None:
        bucket.write("k", b"")

        with pytest.raises(AlreadyExists):
            bucket.create("k", b"1")

    @pytest.mark.parametrize("size", [10, 9 * MIB])
    def test_a_create_that_fails_changes_nothing(self, bucket: Bucket, size: int) -> None:
        before = bucket.write("k", b"old", content_type="text/plain", metadata={"a": "1"})
        with pytest.raises(AlreadyExists):
            bucket.create("k", patterned(size), content_type="text/html", metadata={"a": "2"})

        assert bucket.read("k") == b"old"
        assert alike(bucket.info("k"), before)

    def test_a_large_create_that_fails_leaves_no_parts(
        self, bucket: Bucket, harness: Harness, address_of: Callable[[Bucket], str]
    ) -> None:
        bucket.write("k", b"old")
        with pytest.raises(AlreadyExists):
            bucket.create("k", patterned(9 * MIB))

        assert list(harness.leftovers(address_of(bucket))) == []

    def test_the_error_of_a_create_names_key_and_bucket(self, bucket: Bucket) -> None:
        bucket.write("some/key", b"1")

        with pytest.raises(AlreadyExists, match="some/key") as caught:
            bucket.create("some/key", b"2")

        assert (caught.value.operation, caught.value.resource) == ("create", str(bucket))

    def test_a_deleted_object_is_created_anew(self, bucket: Bucket) -> None:
        bucket.create("k", b"1")
        bucket.delete("k")
        bucket.create("k", b"2")

        assert bucket.read("k") == b"2"

    def test_a_large_object_is_created(self, bucket: Bucket) -> None:
        bucket.create("k", patterned(12 * MIB))

        assert digest(bucket, "k") == hashlib.sha256(pattern(12 * MIB)).digest()

    def test_a_created_object_is_written_over(self, bucket: Bucket) -> None:
        bucket.create("k", b"1")
        bucket.write("k", b"2")

        assert bucket.read("k") == b"2"


@without("create")
class TestWithoutCreating:
    def test_a_create_is_unsupported(self, bucket: Bucket) -> None:
        with pytest.raises(Unsupported):
            bucket.create("k", b"1")

    def test_an_unsupported_create_makes_no_object(self, bucket: Bucket) -> None:
        with pytest.raises(Unsupported):
            bucket.create("k", b"1")

        assert not bucket.exists("k")


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

        assert alike(bucket.info("k"), before)

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
