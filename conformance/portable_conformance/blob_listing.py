"""The blob contract: listing, by prefix and delimiter, whole and page by page, while objects come and go."""

from __future__ import annotations

import pytest

from portable_conformance import contract
from portable_conformance._buckets import keys, names, write_all
from portable_contracts.blob import BlobInfo, Prefix
from portable_contracts.errors import InvalidArgument, LimitExceeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from subprocess import Popen

    from portable.blob import Bucket
    from portable_contracts.blob import BlobCapabilities

pytestmark = contract("bucket")

PAGE_SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]

TREE = ["a", "a/1", "a/2", "a/b/3", "ab", "b/1", "b/2/c", "c", "c-d", "c-e/f", "d/e/f/g"]
"""Sorted, as every list of keys here."""

FOLDERS = ["t", "t-/a", "t-/b", "t/a", "t/b", "t0/a", "u"]
"""`-` sorts before `/`: a service that takes `t/` for a folder called `t` gives its entries out of order."""


def pages(bucket: Bucket, limit: int, prefix: str = "", delimiter: str | None = None) -> Iterator[list[str]]:
    """Yield the names of each page."""
    cursor = None
    while True:
        page = bucket.page(prefix, delimiter, limit=limit, cursor=cursor)
        yield names(page.items)
        cursor = page.cursor
        if cursor is None:
            return


def paged(bucket: Bucket, limit: int, prefix: str = "", delimiter: str | None = None) -> list[str]:
    """Return the names of all pages."""
    return [name for page in pages(bucket, limit, prefix, delimiter) for name in page]


class TestListing:
    def test_an_empty_bucket_lists_nothing(self, bucket: Bucket) -> None:
        assert list(bucket.list()) == []

    def test_one_object_is_listed(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")

        assert keys(bucket) == ["k"]

    def test_objects_are_listed_in_order_though_written_out_of_it(self, bucket: Bucket) -> None:
        write_all(bucket, reversed(TREE))

        assert keys(bucket) == TREE

    def test_an_object_written_twice_is_listed_once(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        bucket.write("k", b"2")

        assert keys(bucket) == ["k"]

    def test_a_listing_tells_what_info_tells_of_key_size_version_and_time(self, bucket: Bucket) -> None:
        bucket.write("k", b"12345")
        (listed,) = bucket.list()
        info = bucket.info("k")

        assert isinstance(listed, BlobInfo)
        assert (listed.key, listed.size, listed.version) == (info.key, info.size, info.version)
        assert listed.modified.replace(microsecond=0) == info.modified.replace(microsecond=0)

    def test_a_listing_sees_every_write_and_delete_before_it(self, bucket: Bucket) -> None:
        seen = []
        for number in range(5):
            bucket.write(f"k{number}", b"1")
            seen.append(len(keys(bucket)))
        bucket.delete("k0")

        assert (seen, len(keys(bucket))) == ([1, 2, 3, 4, 5], 4)

    def test_another_handle_lists_the_same(self, bucket: Bucket, reopen: Callable[[Bucket], Bucket]) -> None:
        write_all(bucket, TREE)

        assert keys(reopen(bucket)) == TREE

    def test_two_buckets_do_not_see_each_other(self, make_bucket: Callable[..., Bucket]) -> None:
        one, other = make_bucket(), make_bucket()
        one.write("k", b"1")

        assert list(other.list()) == []

    def test_two_listings_run_side_by_side(self, bucket: Bucket) -> None:
        write_all(bucket, TREE)

        assert list(zip(bucket.list(), bucket.list(), strict=True)) == [(entry, entry) for entry in bucket.list()]

    def test_objects_are_listed_in_the_byte_order_of_utf_8(self, bucket: Bucket) -> None:
        unordered = [
            "é",
            "z",
            "A",
            "a",
            "𐐷",
            "\uffee",
            "aa",
            "a!",
            "a b",
            "a-b",
            "a.b",
            "a/b",
            "a0",
            "B",
            "日",
            "~",
            "\ue000",
        ]
        write_all(bucket, unordered)

        assert keys(bucket) == sorted(unordered, key=str.encode)

    def test_astral_characters_come_after_all_others(self, bucket: Bucket) -> None:
        write_all(bucket, ["\U00010437", "\uffee", "\U0001f600", "\ud7ff"])

        assert keys(bucket) == ["\ud7ff", "\uffee", "\U00010437", "\U0001f600"]

    @pytest.mark.parametrize("limit", PAGE_SIZES[:4])
    def test_pages_keep_the_byte_order_of_utf_8(self, bucket: Bucket, limit: int) -> None:
        names_in_order = ["A", "a", "é", "日", "\ue000", "\uffee", "\U00010437", "\U0001f600"]
        write_all(bucket, names_in_order)

        assert paged(bucket, limit) == names_in_order


class TestPrefixes:
    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("", TREE),
            ("a", ["a", "a/1", "a/2", "a/b/3", "ab"]),
            ("a/", ["a/1", "a/2", "a/b/3"]),
            ("a/b", ["a/b/3"]),
            ("a/b/", ["a/b/3"]),
            ("a/b/3", ["a/b/3"]),
            ("a/b/3/", []),
            ("c", ["c", "c-d", "c-e/f"]),
            ("c-", ["c-d", "c-e/f"]),
            ("c-e", ["c-e/f"]),
            ("d/e/f/g", ["d/e/f/g"]),
            ("A", []),
            ("z", []),
            ("a/1x", []),
            ("/", []),
            ("a//", []),
            ("..", []),
        ],
    )
    def test_the_keys_that_start_with_a_text_are_listed(self, bucket: Bucket, prefix: str, expected: list[str]) -> None:
        write_all(bucket, TREE)

        assert names(bucket.list(prefix)) == expected

    @pytest.mark.parametrize("prefix", ["%", "a%", "a_", "*", "a?", "[ab]", "é", "日", "𐐷", " ", "'", "a\\"], ids=ascii)
    def test_no_character_of_a_prefix_is_a_pattern(self, bucket: Bucket, prefix: str) -> None:
        write_all(bucket, ["ab", "a/b", "b", "axb", "éx"[1:], "日x"[1:]])

        assert names(bucket.list(prefix)) == []

    @pytest.mark.parametrize("prefix", ["100%", "a_b", "*", "a?", "[ab]", "é", "日", "𐐷", " ", "'"], ids=ascii)
    def test_a_prefix_of_special_characters_finds_its_keys(self, bucket: Bucket, prefix: str) -> None:
        write_all(bucket, [prefix, prefix + "/more", prefix + "z", "unlike"])

        assert names(bucket.list(prefix)) == [prefix, prefix + "/more", prefix + "z"]

    def test_a_prefix_ends_within_a_folder(self, bucket: Bucket) -> None:
        write_all(bucket, ["folder/one", "folder/only", "folder/two"])

        assert names(bucket.list("folder/on")) == ["folder/one", "folder/only"]

    @pytest.mark.parametrize("last", ["\uffff", "\U0010ffff", "\ud7ff", "\x7e"], ids=ascii)
    def test_a_prefix_that_ends_in_the_last_character_of_its_kind_finds_its_keys(
        self, bucket: Bucket, last: str
    ) -> None:
        write_all(bucket, ["a", "a" + last, "a" + last + "b", "b"])

        assert names(bucket.list("a" + last)) == ["a" + last, "a" + last + "b"]

    @pytest.mark.parametrize("prefix", [None, 1, b"a"], ids=repr)
    def test_a_prefix_that_is_no_text_is_refused(self, bucket: Bucket, prefix: object) -> None:
        with pytest.raises(InvalidArgument):
            list(bucket.list(prefix))  # type: ignore[call-overload]  # wrong on purpose


class TestDelimiters:
    @pytest.mark.parametrize(
        ("prefix", "delimiter", "expected"),
        [
            ("", "/", ["a", "a/", "ab", "b/", "c", "c-d", "c-e/", "d/"]),
            ("a", "/", ["a", "a/", "ab"]),
            ("a/", "/", ["a/1", "a/2", "a/b/"]),
            ("a/b", "/", ["a/b/"]),
            ("a/b/", "/", ["a/b/3"]),
            ("b/", "/", ["b/1", "b/2/"]),
            ("c", "/", ["c", "c-d", "c-e/"]),
            ("d", "/", ["d/"]),
            ("d/", "/", ["d/e/"]),
            ("d/e/f/", "/", ["d/e/f/g"]),
            ("z", "/", []),
            ("", "-", ["a", "a/1", "a/2", "a/b/3", "ab", "b/1", "b/2/c", "c", "c-", "d/e/f/g"]),
            ("c-", "-", ["c-d", "c-e/f"]),
            ("", "a", ["a", "b/1", "b/2/c", "c", "c-d", "c-e/f", "d/e/f/g"]),
            ("", "/b", ["a", "a/1", "a/2", "a/b", "ab", "b/1", "b/2/c", "c", "c-d", "c-e/f", "d/e/f/g"]),
            ("a", "b", ["a", "a/1", "a/2", "a/b", "ab"]),
            ("", "no such", TREE),
        ],
    )
    def test_a_delimiter_groups_what_comes_before_it(
        self, bucket: Bucket, prefix: str, delimiter: str, expected: list[str]
    ) -> None:
        write_all(bucket, TREE)

        assert names(bucket.list(prefix, delimiter)) == expected

    @pytest.mark.parametrize("delimiter", ["abc", "--", "/-/", "日本", "𐐷", " ", "%2F", ".", "é"], ids=ascii)
    def test_any_text_is_a_delimiter(self, bucket: Bucket, delimiter: str) -> None:
        write_all(bucket, [f"1{delimiter}x", f"1{delimiter}y", f"2{delimiter}z", "3"])

        assert names(bucket.list(delimiter=delimiter)) == [f"1{delimiter}", f"2{delimiter}", "3"]

    @pytest.mark.parametrize("delimiter", ["abc", "--", "日本"], ids=ascii)
    def test_a_delimiter_groups_below_a_prefix(self, bucket: Bucket, delimiter: str) -> None:
        write_all(bucket, [f"1{delimiter}x", f"1{delimiter}y{delimiter}z", f"2{delimiter}z"])

        assert names(bucket.list(f"1{delimiter}", delimiter)) == [f"1{delimiter}x", f"1{delimiter}y{delimiter}"]

    def test_a_part_of_a_delimiter_groups_nothing(self, bucket: Bucket) -> None:
        write_all(bucket, ["1abx", "1aby", "1abcz"])

        assert names(bucket.list(delimiter="abc")) == ["1abc", "1abx", "1aby"]

    def test_groups_are_of_the_type_prefix(self, bucket: Bucket) -> None:
        write_all(bucket, ["a", "b/c", "b/d"])

        assert [type(entry) for entry in bucket.list(delimiter="/")] == [BlobInfo, Prefix]

    def test_a_group_of_a_thousand_is_one_entry(self, bucket: Bucket) -> None:
        write_all(bucket, [*(f"many/{number}" for number in range(1001)), "a", "z"])

        assert names(bucket.list(delimiter="/")) == ["a", "many/", "z"]

    def test_a_group_vanishes_with_its_last_object(self, bucket: Bucket) -> None:
        write_all(bucket, ["a/1", "a/2", "b"])
        bucket.delete("a/1")
        seen = names(bucket.list(delimiter="/"))
        bucket.delete("a/2")

        assert (seen, names(bucket.list(delimiter="/"))) == (["a/", "b"], ["b"])

    def test_groups_come_in_the_byte_order_of_utf_8(self, bucket: Bucket) -> None:
        unordered = ["é/1", "z/1", "A/1", "𐐷/1", "\uffee/1", "a-/1", "a/1", "a0/1", "日/1"]
        write_all(bucket, unordered)

        assert names(bucket.list(delimiter="/")) == sorted((key[:-1] for key in unordered), key=str.encode)

    @pytest.mark.parametrize("limit", PAGE_SIZES)
    def test_folders_come_in_byte_order_across_pages_of_any_size(self, bucket: Bucket, limit: int) -> None:
        write_all(bucket, FOLDERS)

        assert paged(bucket, limit, delimiter="/") == ["t", "t-/", "t/", "t0/", "u"]

    @pytest.mark.parametrize("limit", PAGE_SIZES)
    def test_keys_come_in_byte_order_across_pages_of_any_size(self, bucket: Bucket, limit: int) -> None:
        write_all(bucket, FOLDERS)

        assert paged(bucket, limit) == FOLDERS

    @pytest.mark.parametrize("limit", PAGE_SIZES[:5])
    def test_a_group_is_given_once_though_pages_end_within_it(self, bucket: Bucket, limit: int) -> None:
        write_all(bucket, [f"{folder}/{number}" for folder in "abc" for number in range(4)])

        assert paged(bucket, limit, delimiter="/") == ["a/", "b/", "c/"]

    @pytest.mark.parametrize("delimiter", ["", 1, b"/", "\n", "\\"], ids=repr)
    def test_a_delimiter_that_no_key_can_hold_is_refused(self, bucket: Bucket, delimiter: object) -> None:
        with pytest.raises(InvalidArgument):
            list(bucket.list(delimiter=delimiter))  # type: ignore[call-overload]  # wrong on purpose


class TestPages:
    @pytest.mark.parametrize("limit", [*PAGE_SIZES, 11, 12, 1000])
    @pytest.mark.parametrize("prefix", ["", "a", "c-"])
    def test_pages_of_any_size_make_the_whole_listing(self, bucket: Bucket, prefix: str, limit: int) -> None:
        write_all(bucket, TREE)

        assert paged(bucket, limit, prefix) == [key for key in TREE if key.startswith(prefix)]

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_no_page_is_larger_than_asked(self, bucket: Bucket, limit: int) -> None:
        write_all(bucket, TREE)

        assert all(len(page) <= limit for page in pages(bucket, limit))

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_no_page_is_larger_than_asked_with_a_delimiter(self, bucket: Bucket, limit: int) -> None:
        write_all(bucket, TREE)

        assert all(len(page) <= limit for page in pages(bucket, limit, delimiter="/"))

    @pytest.mark.parametrize("prefix", ["", "missing"])
    def test_a_page_of_nothing_is_the_last(self, bucket: Bucket, prefix: str) -> None:
        page = bucket.page(prefix, limit=5)

        assert (list(page.items), page.cursor) == ([], None)

    def test_the_first_page_has_a_cursor_when_there_is_more(self, bucket: Bucket) -> None:
        write_all(bucket, TREE)

        assert isinstance(bucket.page(limit=2).cursor, str)

    def test_a_cursor_is_safe_in_a_url(self, bucket: Bucket) -> None:
        write_all(bucket, ["ü/日 本?&=%", "ü/日 本?&=%/2", "z"])
        cursor = bucket.page(limit=1).cursor

        assert cursor
        assert all(character.isascii() and (character.isalnum() or character in "-_.~") for character in cursor)

    def test_a_cursor_gives_its_page_again(self, bucket: Bucket) -> None:
        write_all(bucket, TREE)
        cursor = bucket.page(limit=3).cursor

        assert names(bucket.page(limit=3, cursor=cursor).items) == names(bucket.page(limit=3, cursor=cursor).items)

    def test_a_cursor_works_in_another_handle(self, bucket: Bucket, reopen: Callable[[Bucket], Bucket]) -> None:
        write_all(bucket, TREE)
        cursor = bucket.page(limit=3).cursor

        assert names(reopen(bucket).page(limit=3, cursor=cursor).items) == TREE[3:6]

    def test_a_cursor_works_in_another_process(self, bucket: Bucket, start_process: Callable[..., Popen[str]]) -> None:
        write_all(bucket, TREE)
        cursor = bucket.page(limit=3).cursor
        process = start_process(
            bucket, "print(*[info.key for info in resource.page(limit=3, cursor=arguments[0]).items])", cursor
        )

        assert process.communicate(timeout=60)[0].split() == TREE[3:6]

    def test_a_cursor_goes_on_with_another_limit(self, bucket: Bucket) -> None:
        write_all(bucket, TREE)
        cursor = bucket.page(limit=3).cursor

        assert names(bucket.page(limit=2, cursor=cursor).items) == TREE[3:5]

    @pytest.mark.parametrize(
        "other", [{"prefix": "a"}, {"delimiter": "/"}, {"prefix": "a", "delimiter": "/"}], ids=repr
    )
    def test_a_cursor_of_another_query_is_refused(self, bucket: Bucket, other: dict[str, str]) -> None:
        write_all(bucket, TREE)
        cursor = bucket.page(limit=3).cursor

        with pytest.raises(InvalidArgument, match="another query"):
            bucket.page(limit=3, cursor=cursor, **other)

    @pytest.mark.parametrize("cursor", ["", "x", "not a cursor", "AAAA", "é", 1, b"AAAA"], ids=ascii)
    def test_a_cursor_that_no_page_gave_is_refused(self, bucket: Bucket, cursor: object) -> None:
        with pytest.raises(InvalidArgument):
            bucket.page(cursor=cursor)  # type: ignore[call-overload]  # wrong on purpose

    @pytest.mark.parametrize("limit", [0, -1, 1.5, "3", True], ids=repr)
    def test_a_limit_that_is_no_number_of_entries_is_refused(self, bucket: Bucket, limit: object) -> None:
        with pytest.raises(InvalidArgument):
            bucket.page(limit=limit)  # type: ignore[call-overload]  # wrong on purpose

    def test_a_page_as_large_as_declared_is_given(self, bucket: Bucket, capabilities: BlobCapabilities) -> None:
        write_all(bucket, TREE)

        assert names(bucket.page(limit=capabilities.max_list_page).items) == TREE

    def test_a_page_of_one_entry_more_is_refused(self, bucket: Bucket, capabilities: BlobCapabilities) -> None:
        one_more = capabilities.max_list_page + 1
        with pytest.raises(LimitExceeded) as caught:
            bucket.page(limit=one_more)

        error = caught.value
        assert (error.limit, error.actual, error.allowed) == ("max_list_page", one_more, one_more - 1)

    @pytest.mark.parametrize("delimiter", [None, "/"])
    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_an_object_inserted_into_a_page_that_was_given_changes_nothing_after_it(
        self, bucket: Bucket, limit: int, delimiter: str | None
    ) -> None:
        write_all(bucket, ["b", "d", "f", "h"])
        first = bucket.page(limit=limit, delimiter=delimiter)
        bucket.write("a", b"1")
        second = bucket.page(limit=limit, delimiter=delimiter, cursor=first.cursor)

        assert names(second.items) == ["b", "d", "f", "h"][limit : 2 * limit]

    @pytest.mark.parametrize("delimiter", [None, "/"])
    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_an_object_deleted_from_a_page_that_was_given_changes_nothing_after_it(
        self, bucket: Bucket, limit: int, delimiter: str | None
    ) -> None:
        write_all(bucket, ["b", "d", "f", "h"])
        first = bucket.page(limit=limit, delimiter=delimiter)
        bucket.delete("b")
        second = bucket.page(limit=limit, delimiter=delimiter, cursor=first.cursor)

        assert names(second.items) == ["b", "d", "f", "h"][limit : 2 * limit]

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_the_last_object_of_a_page_deleted_changes_nothing_after_it(self, bucket: Bucket, limit: int) -> None:
        write_all(bucket, ["b", "d", "f", "h"])
        first = bucket.page(limit=limit)
        bucket.delete(names(first.items)[-1])
        second = bucket.page(limit=limit, cursor=first.cursor)

        assert names(second.items) == ["b", "d", "f", "h"][limit : 2 * limit]

    def test_the_group_at_the_end_of_a_page_stays_given_when_objects_join_it(self, bucket: Bucket) -> None:
        write_all(bucket, ["a", "b/1", "c"])
        first = bucket.page(limit=2, delimiter="/")
        write_all(bucket, ["b/0", "b/2"])

        assert names(bucket.page(limit=2, delimiter="/", cursor=first.cursor).items) == ["c"]

    def test_objects_deleted_ahead_are_not_listed(self, bucket: Bucket) -> None:
        write_all(bucket, ["a", "b", "c", "d"])
        first = bucket.page(limit=2)
        bucket.delete("c")

        assert names(bucket.page(limit=2, cursor=first.cursor).items) == ["d"]

    def test_everything_deleted_ahead_ends_the_listing(self, bucket: Bucket) -> None:
        write_all(bucket, ["a", "b", "c", "d"])
        first = bucket.page(limit=2)
        bucket.delete_many(["c", "d"])

        assert names(bucket.page(limit=2, cursor=first.cursor).items) == []

    def test_a_listing_goes_on_while_every_object_it_gave_is_deleted(self, bucket: Bucket) -> None:
        write_all(bucket, TREE)
        seen = []
        for page in pages(bucket, 2):
            seen.extend(page)
            bucket.delete_many(page)

        assert (seen, keys(bucket)) == (TREE, [])

    def test_a_listing_goes_on_while_objects_are_written_behind_it(self, bucket: Bucket) -> None:
        write_all(bucket, TREE)
        seen = []
        for entry in bucket.list():
            seen.append(entry.key)
            bucket.write("0" + entry.key, b"1")

        assert seen == TREE

    @pytest.mark.slow
    @pytest.mark.parametrize("limit", [1, 3])
    def test_what_stays_is_listed_once_whatever_comes_and_goes(self, bucket: Bucket, limit: int) -> None:
        stays = [f"{number:03}-stays" for number in range(0, 60, 2)]
        write_all(bucket, [*stays, *(f"{number:03}-goes" for number in range(1, 60, 6))])
        seen: list[str] = []
        for number, page in enumerate(pages(bucket, limit)):
            seen.extend(page)
            bucket.delete(f"{number % 60:03}-goes")
            bucket.write(f"{number * 7 % 60:03}-comes", b"1")

        assert [key for key in seen if key.endswith("stays")] == stays
        assert len(seen) == len(set(seen))


@pytest.mark.slow
class TestManyObjects:
    def test_2500_objects_in_groups_of_their_own_are_listed_in_order(
        self, bucket: Bucket, capabilities: BlobCapabilities
    ) -> None:
        many = [f"k{number:04}/object" for number in range(2500)]
        write_all(bucket, many)

        assert keys(bucket) == many
        assert names(bucket.list("k12")) == many[1200:1300]
        assert names(bucket.page(limit=capabilities.max_list_page).items) == many[: capabilities.max_list_page]
        assert [len(page) for page in pages(bucket, 999)] == [999, 999, 502]
        assert names(bucket.list(delimiter="/")) == [f"k{number:04}/" for number in range(2500)]
