"""The blob contract: every key of the portable grammar works everywhere, any other is refused; metadata likewise."""

from __future__ import annotations

import pytest

from portable_conformance import contract, needs
from portable_conformance._buckets import keys
from portable_conformance._keys import ALIKE, REFUSED_KEYS, WEIRD_KEYS
from portable_contracts.errors import InvalidArgument, LimitExceeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.blob import Bucket
    from portable_contracts.blob import BlobCapabilities

pytestmark = contract("bucket")

weird = pytest.mark.parametrize("key", WEIRD_KEYS, ids=ascii)
refused = pytest.mark.parametrize("key", REFUSED_KEYS, ids=ascii)


class TestWeirdKeys:
    @weird
    def test_an_object_is_read_under_a_weird_key(self, bucket: Bucket, key: str) -> None:
        bucket.write(key, key.encode())

        assert bucket.read(key) == key.encode()

    @weird
    def test_a_weird_key_is_listed_as_it_was_written(self, bucket: Bucket, key: str) -> None:
        bucket.write(key, b"1")

        assert keys(bucket) == [key]

    @weird
    def test_a_weird_key_is_told_by_info(self, bucket: Bucket, key: str) -> None:
        bucket.write(key, b"1")

        assert bucket.info(key).key == key

    @weird
    def test_an_object_is_copied_from_a_weird_key_to_another(self, bucket: Bucket, key: str) -> None:
        bucket.write(key, b"1")
        bucket.copy(key, "copies/" + key)

        assert bucket.read("copies/" + key) == b"1"

    @weird
    def test_an_object_is_deleted_under_a_weird_key(self, bucket: Bucket, key: str) -> None:
        bucket.write(key, b"1")
        bucket.delete(key)

        assert not bucket.exists(key)

    @weird
    def test_a_weird_key_is_a_prefix(self, bucket: Bucket, key: str) -> None:
        bucket.write(key + "/below", b"1")
        bucket.write("zzz", b"1")

        assert [entry.key for entry in bucket.list(key)] == [key + "/below"]

    def test_all_weird_keys_live_side_by_side_in_byte_order(self, bucket: Bucket) -> None:
        for key in WEIRD_KEYS:
            bucket.write(key, key.encode())

        assert keys(bucket) == sorted(WEIRD_KEYS, key=str.encode)

    @pytest.mark.parametrize(("one", "other"), ALIKE, ids=ascii)
    def test_keys_that_look_alike_are_two_objects(self, bucket: Bucket, one: str, other: str) -> None:
        bucket.write(one, b"one")
        bucket.write(other, b"other")

        assert (bucket.read(one), bucket.read(other)) == (b"one", b"other")

    @pytest.mark.parametrize(("one", "other"), ALIKE, ids=ascii)
    def test_a_key_that_looks_like_another_does_not_exist(self, bucket: Bucket, one: str, other: str) -> None:
        bucket.write(one, b"one")

        assert not bucket.exists(other)

    @pytest.mark.parametrize("character", [chr(code) for code in range(0x20, 0x7F) if chr(code) not in "/\\"])
    def test_every_printable_ascii_character_is_kept_in_a_key(self, bucket: Bucket, character: str) -> None:
        key = f"a{character}b/{character}{character}{character}/{character}z"
        bucket.write(key, b"1")

        assert keys(bucket) == [key]


class TestRefusedKeys:
    @refused
    def test_a_write_to_a_refused_key_is_refused_and_nothing_is_stored(self, bucket: Bucket, key: str) -> None:
        with pytest.raises(InvalidArgument):
            bucket.write(key, b"1")

        assert keys(bucket) == []

    @refused
    def test_a_refused_key_is_not_read(self, bucket: Bucket, key: str) -> None:
        with pytest.raises(InvalidArgument):
            bucket.read(key)

    @refused
    def test_a_copy_to_a_refused_key_is_refused_and_nothing_is_stored(self, bucket: Bucket, key: str) -> None:
        bucket.write("source", b"1")
        with pytest.raises(InvalidArgument):
            bucket.copy("source", key)

        assert keys(bucket) == ["source"]

    @refused
    def test_a_delete_of_a_refused_key_is_refused(self, bucket: Bucket, key: str) -> None:
        with pytest.raises(InvalidArgument):
            bucket.delete(key)

    @pytest.mark.parametrize("key", ["/leading", "a//b", "a/../b", "nul\x00"], ids=ascii)
    @pytest.mark.parametrize(
        "operation",
        [
            lambda bucket, key: bucket.open(key),
            lambda bucket, key: bucket.info(key),
            lambda bucket, key: bucket.exists(key),
            lambda bucket, key: bucket.delete_many([key]),
            lambda bucket, key: bucket.copy(key, "target"),
        ],
        ids=["open", "info", "exists", "delete_many", "copy-from"],
    )
    def test_every_other_operation_refuses_it_too(
        self, bucket: Bucket, operation: Callable[[Bucket, str], object], key: str
    ) -> None:
        with pytest.raises(InvalidArgument):
            operation(bucket, key)

    @needs("create")
    @pytest.mark.parametrize("key", ["/leading", "a//b", "a/../b", "nul\x00"], ids=ascii)
    def test_a_create_refuses_it_too(self, bucket: Bucket, key: str) -> None:
        with pytest.raises(InvalidArgument):
            bucket.create(key, b"1")

    @pytest.mark.parametrize("key", [None, 1, b"bytes", ["list"], True], ids=repr)
    def test_a_key_that_is_no_text_is_refused(self, bucket: Bucket, key: object) -> None:
        with pytest.raises(InvalidArgument):
            bucket.write(key, b"1")  # type: ignore[arg-type]  # wrong on purpose

    def test_a_body_is_not_read_when_its_key_is_refused(self, bucket: Bucket) -> None:
        body = iter([b"first"])
        with pytest.raises(InvalidArgument):
            bucket.write("/refused", body)

        assert next(body) == b"first"

    def test_the_error_names_the_key_and_the_bucket(self, bucket: Bucket) -> None:
        with pytest.raises(InvalidArgument, match="two//slashes") as caught:
            bucket.write("two//slashes", b"1")

        assert str(bucket) in str(caught.value)


class TestKeyLength:
    @pytest.mark.parametrize("character", ["k", "é", "日", "𐐷"])
    def test_a_key_of_850_bytes_is_allowed(self, bucket: Bucket, character: str) -> None:
        size = len(character.encode())
        key = character * (850 // size) + "k" * (850 % size)
        bucket.write(key, b"1")

        assert keys(bucket) == [key]

    def test_a_key_of_850_bytes_in_many_segments_is_allowed(self, bucket: Bucket) -> None:
        key = "s/" * 424 + "ss"
        bucket.write(key, b"1")

        assert (keys(bucket), bucket.read(key)) == ([key], b"1")

    def test_a_key_as_long_as_declared_is_allowed(self, bucket: Bucket, capabilities: BlobCapabilities) -> None:
        key = "k" * capabilities.max_key_bytes
        bucket.write(key, b"1")

        assert bucket.read(key) == b"1"

    @pytest.mark.parametrize("character", ["k", "é", "日", "𐐷"])
    def test_a_key_of_one_byte_more_is_refused(
        self, bucket: Bucket, capabilities: BlobCapabilities, character: str
    ) -> None:
        one_more = capabilities.max_key_bytes + 1
        size = len(character.encode())
        with pytest.raises(LimitExceeded) as caught:
            bucket.write(character * (one_more // size) + "k" * (one_more % size), b"1")

        error = caught.value
        assert (error.limit, error.actual, error.allowed) == ("max_key_bytes", one_more, one_more - 1)

    def test_the_longest_keys_that_differ_in_their_last_byte_are_two_objects(
        self, bucket: Bucket, capabilities: BlobCapabilities
    ) -> None:
        stem = "k" * (capabilities.max_key_bytes - 1)
        bucket.write(stem + "a", b"a")
        bucket.write(stem + "b", b"b")

        assert (bucket.read(stem + "a"), bucket.read(stem + "b")) == (b"a", b"b")

    def test_the_profile_is_kept(self, capabilities: BlobCapabilities) -> None:
        assert capabilities.max_key_bytes >= 850
        assert capabilities.max_metadata_bytes >= 2048


class TestMetadata:
    @pytest.mark.parametrize(
        "value",
        [
            "plain",
            "",
            " leading",
            "trailing ",
            "in  side",
            "a=b; c, d",
            '"quoted"',
            "100% %41 %zz",
            "+plus+",
            "ünïcödé",
            "e\u0301",
            "日本語",
            "𐐷👩‍👩‍👧",
            "line\nbreak\r\n",
            "tab\there",
            "\x00\x01\x7f",
            "=?utf-8?b?eA==?=",
            "utf-8''x",
            "back\\slash",
            "x" * 1000,
        ],
        ids=lambda value: ascii(value[:20]),
    )
    def test_a_metadata_value_comes_back_as_it_was_written(self, bucket: Bucket, value: str) -> None:
        bucket.write("k", b"1", metadata={"a": value})

        assert bucket.info("k").metadata == {"a": value}

    @pytest.mark.parametrize(
        "name", ["a", "a1", "abc123def", "abcdefghijklmnopqrstuvwxyz0123456789", "x" * 100, "class"]
    )
    def test_a_metadata_name_comes_back_as_it_was_written(self, bucket: Bucket, name: str) -> None:
        bucket.write("k", b"1", metadata={name: "v"})

        assert bucket.info("k").metadata == {name: "v"}

    def test_an_object_has_no_metadata_by_default(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")

        assert bucket.info("k").metadata == {}

    def test_empty_metadata_is_none(self, bucket: Bucket) -> None:
        bucket.write("k", b"1", metadata={})

        assert bucket.info("k").metadata == {}

    def test_fifty_names_come_back(self, bucket: Bucket) -> None:
        metadata = {f"n{number}": str(number) for number in range(50)}
        bucket.write("k", b"1", metadata=metadata)

        assert bucket.info("k").metadata == metadata

    def test_an_empty_object_has_metadata(self, bucket: Bucket) -> None:
        bucket.write("k", b"", metadata={"a": "1"})

        assert bucket.info("k").metadata == {"a": "1"}

    def test_a_write_forgets_the_old_metadata(self, bucket: Bucket) -> None:
        bucket.write("k", b"1", metadata={"a": "1", "b": "2"})
        bucket.write("k", b"2", metadata={"b": "3"})

        assert bucket.info("k").metadata == {"b": "3"}

    def test_metadata_is_there_while_the_object_is_read(self, bucket: Bucket) -> None:
        bucket.write("k", b"1", metadata={"a": "ü"})

        with bucket.open("k") as stream:
            assert stream.info.metadata == {"a": "ü"}

    def test_a_mapping_changed_after_the_write_changes_nothing(self, bucket: Bucket) -> None:
        metadata = {"a": "1"}
        written = bucket.write("k", b"1", metadata=metadata)
        metadata["a"] = "2"

        assert (written.metadata, bucket.info("k").metadata) == ({"a": "1"}, {"a": "1"})

    @pytest.mark.parametrize(
        "name",
        ["", "A", "aB", "a-b", "a_b", "1a", "a b", "é", "a.b", "a\n", "$a", "x-a", "日", "a\x00", 1, None, b"a"],
        ids=ascii,
    )
    def test_a_wrong_metadata_name_is_refused_and_nothing_is_stored(self, bucket: Bucket, name: object) -> None:
        with pytest.raises(InvalidArgument):
            bucket.write("k", b"1", metadata={name: "v"})  # type: ignore[dict-item]  # wrong on purpose

        assert not bucket.exists("k")

    @pytest.mark.parametrize("value", [1, None, b"bytes", True, ["list"], "lone\ud800surrogate"], ids=ascii)
    def test_a_wrong_metadata_value_is_refused_and_nothing_is_stored(self, bucket: Bucket, value: object) -> None:
        with pytest.raises(InvalidArgument):
            bucket.write("k", b"1", metadata={"a": value})  # type: ignore[dict-item]  # wrong on purpose

        assert not bucket.exists("k")

    @pytest.mark.parametrize("metadata", [None, "a=1", [("a", "1")], 1], ids=repr)
    def test_metadata_that_is_no_mapping_is_refused(self, bucket: Bucket, metadata: object) -> None:
        with pytest.raises(InvalidArgument):
            bucket.write("k", b"1", metadata=metadata)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(
    "fill",
    [
        lambda size: {"a": "v" * (size - 1)},
        lambda size: {"n" * 20: "v" * (size - 20)},
        lambda size: {"a": "v" * 99, "b": "v" * (size - 101)},
        lambda size: {"a": "é" * ((size - 1) // 2) + "v" * ((size - 1) % 2)},
    ],
    ids=["one-value", "a-longer-name", "two-values", "two-byte-characters"],
)
class TestMetadataSize:
    def test_metadata_as_large_as_declared_comes_back(
        self, bucket: Bucket, capabilities: BlobCapabilities, fill: Callable[[int], dict[str, str]]
    ) -> None:
        metadata = fill(capabilities.max_metadata_bytes)
        bucket.write("k", b"1", metadata=metadata)

        assert bucket.info("k").metadata == metadata

    def test_metadata_of_one_byte_more_is_refused(
        self, bucket: Bucket, capabilities: BlobCapabilities, fill: Callable[[int], dict[str, str]]
    ) -> None:
        one_more = capabilities.max_metadata_bytes + 1
        with pytest.raises(LimitExceeded) as caught:
            bucket.write("k", b"1", metadata=fill(one_more))

        error = caught.value
        assert (error.limit, error.actual, error.allowed) == ("max_metadata_bytes", one_more, one_more - 1)

    def test_nothing_is_stored_with_metadata_of_one_byte_more(
        self, bucket: Bucket, capabilities: BlobCapabilities, fill: Callable[[int], dict[str, str]]
    ) -> None:
        with pytest.raises(LimitExceeded):
            bucket.write("k", b"1", metadata=fill(capabilities.max_metadata_bytes + 1))

        assert not bucket.exists("k")
