"""The KV contract: queries, pages and their cursors."""

from __future__ import annotations

from typing import Any

import pytest

from portable_conformance import contract
from portable_conformance._tables import TEN, fill, fill_fast, joined, pages, sorts
from portable_contracts.errors import InvalidArgument, LimitExceeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from portable.kv import Table
    from portable_contracts.kv import KVCapabilities

pytestmark = contract("table")

MANY = 2500
"""More than one page of any service."""


class TestQuerying:
    def test_a_query_gives_the_items_of_its_partition_alone(self, ten: Table) -> None:
        assert sorts(ten.query("p")) == TEN
        assert {item.partition for item in ten.query("p")} == {"p"}

    def test_a_query_gives_the_items_that_get_gives(self, ten: Table) -> None:
        assert list(ten.query("p")) == [ten.get("p", sort) for sort in TEN]

    def test_a_query_is_read_while_it_is_iterated(self, ten: Table) -> None:
        query = iter(ten.query("p"))

        assert next(query).sort == "00"
        assert next(query).sort == "01"

    def test_a_query_in_reverse_gives_the_last_first(self, ten: Table) -> None:
        assert sorts(ten.query("p", reverse=True)) == TEN[::-1]

    @pytest.mark.parametrize("limit", [1, 3, 9, 10, 11, 1000])
    @pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
    def test_a_limit_ends_a_query(self, ten: Table, limit: int, reverse: bool) -> None:
        order = TEN[::-1] if reverse else TEN

        assert sorts(ten.query("p", limit=limit, reverse=reverse)) == order[:limit]

    @pytest.mark.parametrize(
        ("start", "stop", "expected"),
        [
            ("03", None, TEN[3:]),
            (None, "03", TEN[:3]),
            ("03", "07", TEN[3:7]),
            ("03", "04", ["03"]),
            ("03", "03", []),
            ("07", "03", []),
            ("", None, TEN),
            (None, "~", TEN),
            ("~", None, []),
            (None, "", []),
            ("035", "065", TEN[4:7]),
        ],
    )
    @pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
    def test_the_start_is_included_and_the_stop_is_not(
        self, ten: Table, start: str | None, stop: str | None, expected: list[str], reverse: bool
    ) -> None:
        order = expected[::-1] if reverse else expected

        assert sorts(ten.query("p", start=start, stop=stop, reverse=reverse)) == order

    @pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
    def test_a_prefix_and_bounds_hold_together(self, table: Table, reverse: bool) -> None:
        fill(table, "p", ["a1", "a2", "a3", "b1", "b2", "b3"])
        found = sorts(table.query("p", prefix="b", start="a2", stop="b3", reverse=reverse))

        assert found == (["b2", "b1"] if reverse else ["b1", "b2"])

    def test_bounds_outside_the_prefix_leave_nothing(self, table: Table) -> None:
        fill(table, "p", ["a1", "b1"])

        assert list(table.query("p", prefix="b", stop="a2")) == []
        assert list(table.query("p", prefix="a", start="b")) == []

    def test_a_prefix_that_is_a_whole_key_includes_it(self, table: Table) -> None:
        fill(table, "p", ["", "a", "aa", "ab", "b"])

        assert sorts(table.query("p", prefix="a")) == ["a", "aa", "ab"]

    def test_the_item_without_a_sort_key_comes_first(self, table: Table) -> None:
        fill(table, "p", ["a", "", " "])

        assert sorts(table.query("p")) == ["", " ", "a"]

    @pytest.mark.parametrize("limit", [0, -1, 1.5, "10", True], ids=repr)
    def test_a_limit_that_is_no_whole_number_above_zero_is_refused(self, table: Table, limit: Any) -> None:
        with pytest.raises(InvalidArgument):
            list(table.query("p", limit=limit))

    @pytest.mark.parametrize("name", ["prefix", "start", "stop"])
    @pytest.mark.parametrize("bound", [1, b"a", "a\x00", "\ud800"], ids=repr)
    def test_a_bound_outside_the_grammar_is_refused(self, table: Table, name: str, bound: Any) -> None:
        with pytest.raises(InvalidArgument):
            list(table.query("p", **{name: bound}))

    @pytest.mark.slow
    @pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
    def test_a_query_of_2500_items_gives_each_once_in_order(self, table: Table, reverse: bool) -> None:
        expected = [f"{number:05}" for number in range(MANY)]
        fill_fast(table, "p", expected)

        assert sorts(table.query("p", reverse=reverse)) == (expected[::-1] if reverse else expected)

    @pytest.mark.slow
    def test_a_limit_past_one_page_is_kept(self, table: Table, capabilities: KVCapabilities) -> None:
        fill_fast(table, "p", [f"{number:05}" for number in range(capabilities.max_page + 10)])

        assert len(list(table.query("p", limit=capabilities.max_page + 5))) == capabilities.max_page + 5

    def test_large_items_that_no_single_answer_holds_all_come(self, table: Table, capabilities: KVCapabilities) -> None:
        size = min(capabilities.max_item_bytes, 400_000)
        for number in range(12):
            table.put("p", f"{number:02}", chr(97 + number) * size)

        assert [item.value[0] for item in table.query("p")] == [chr(97 + number) for number in range(12)]


class TestPaging:
    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 9, 10, 11])
    @pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
    def test_pages_give_every_item_once_in_order(self, ten: Table, limit: int, reverse: bool) -> None:
        assert joined(pages(ten, "p", limit=limit, reverse=reverse)) == (TEN[::-1] if reverse else TEN)

    @pytest.mark.parametrize("limit", [1, 3, 10])
    def test_no_page_holds_more_than_its_limit(self, ten: Table, limit: int) -> None:
        assert all(len(page) <= limit for page in pages(ten, "p", limit=limit))

    @pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
    def test_pages_keep_prefix_and_bounds(self, ten: Table, reverse: bool) -> None:
        found = joined(pages(ten, "p", limit=2, prefix="0", start="02", stop="08", reverse=reverse))

        assert found == (TEN[2:8][::-1] if reverse else TEN[2:8])

    def test_a_page_without_a_limit_has_one_of_the_service(self, ten: Table) -> None:
        assert joined(pages(ten, "p")) == TEN

    def test_the_last_page_has_no_cursor(self, ten: Table) -> None:
        assert ten.page("p", start="09", limit=5).cursor is None

    def test_a_cursor_is_text_that_a_url_takes_as_it_is(self, ten: Table) -> None:
        ten.put("p", "05/é?&=%#+ 😀", 1)
        cursor = ten.page("p", limit=7).cursor

        assert cursor is not None
        assert set(cursor) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~")

    def test_a_cursor_is_good_more_than_once(self, ten: Table) -> None:
        cursor = ten.page("p", limit=4).cursor

        assert sorts(ten.page("p", limit=4, cursor=cursor).items) == TEN[4:8]
        assert sorts(ten.page("p", limit=4, cursor=cursor).items) == TEN[4:8]

    def test_the_limit_may_change_from_page_to_page(self, ten: Table) -> None:
        cursor = ten.page("p", limit=2).cursor

        assert sorts(ten.page("p", limit=5, cursor=cursor).items) == TEN[2:7]

    def test_a_cursor_is_good_in_another_handle(self, ten: Table, reopen: Callable[[Table], Table]) -> None:
        cursor = ten.page("p", limit=4).cursor

        assert sorts(reopen(ten).page("p", limit=4, cursor=cursor).items) == TEN[4:8]

    def test_a_cursor_is_good_in_another_process(
        self, ten: Table, start_process: Callable[..., subprocess.Popen[str]]
    ) -> None:
        cursor = ten.page("p", limit=4).cursor
        process = start_process(
            ten, "print([item.sort for item in resource.page('p', limit=4, cursor=arguments[0]).items])", cursor
        )

        assert process.communicate()[0].strip() == repr(TEN[4:8])

    @pytest.mark.parametrize(
        "other",
        [{"prefix": "0"}, {"start": "01"}, {"stop": "08"}, {"reverse": True}],
        ids=["another prefix", "another start", "another stop", "another direction"],
    )
    def test_a_cursor_of_another_query_is_refused(self, ten: Table, other: dict[str, Any]) -> None:
        cursor = ten.page("p", limit=4).cursor

        with pytest.raises(InvalidArgument):
            ten.page("p", limit=4, cursor=cursor, **other)

    def test_a_cursor_of_another_partition_is_refused(self, ten: Table) -> None:
        cursor = ten.page("p", limit=4).cursor

        with pytest.raises(InvalidArgument):
            ten.page("q", limit=4, cursor=cursor)

    @pytest.mark.parametrize("cursor", ["", "nonsense", "AAAA", "%%%", "é", "a" * 5000, 1, b"AAAA"], ids=str)
    def test_a_cursor_that_no_page_gave_is_refused(self, ten: Table, cursor: Any) -> None:
        with pytest.raises(InvalidArgument):
            ten.page("p", cursor=cursor)

    def test_a_damaged_cursor_is_refused(self, ten: Table) -> None:
        cursor = ten.page("p", limit=4).cursor
        assert cursor is not None

        with pytest.raises(InvalidArgument):
            ten.page("p", cursor=("B" if cursor[0] == "A" else "A") + cursor[1:])

    @pytest.mark.parametrize("limit", [0, -1, 1.5, "10", True], ids=repr)
    def test_a_limit_that_is_no_whole_number_above_zero_is_refused(self, table: Table, limit: Any) -> None:
        with pytest.raises(InvalidArgument):
            table.page("p", limit=limit)

    def test_a_page_of_the_largest_size_is_given(self, ten: Table, capabilities: KVCapabilities) -> None:
        assert joined(pages(ten, "p", limit=int(capabilities.max_page))) == TEN

    def test_a_page_one_item_larger_is_refused(self, ten: Table, capabilities: KVCapabilities) -> None:
        with pytest.raises(LimitExceeded) as caught:
            ten.page("p", limit=capabilities.max_page + 1)

        assert caught.value.limit == "max_page"


class TestPagingWhileWriting:
    """An item that is there throughout comes exactly once; one that comes or goes meanwhile, at most once."""

    @pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
    def test_the_item_where_a_page_ended_may_be_deleted(self, ten: Table, reverse: bool) -> None:
        order = TEN[::-1] if reverse else TEN
        page = ten.page("p", limit=4, reverse=reverse)
        ten.delete("p", order[3])

        assert sorts(ten.page("p", limit=10, reverse=reverse, cursor=page.cursor).items) == order[4:]

    @pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
    def test_the_item_where_the_next_page_begins_may_be_deleted(self, ten: Table, reverse: bool) -> None:
        order = TEN[::-1] if reverse else TEN
        page = ten.page("p", limit=4, reverse=reverse)
        ten.delete("p", order[4])

        assert sorts(ten.page("p", limit=10, reverse=reverse, cursor=page.cursor).items) == order[5:]

    def test_items_put_into_pages_that_were_read_move_nothing(self, ten: Table) -> None:
        page = ten.page("p", limit=4)
        fill(ten, "p", ["000", "001", "0"])

        assert sorts(ten.page("p", limit=10, cursor=page.cursor).items) == TEN[4:]

    def test_items_deleted_from_pages_that_were_read_move_nothing(self, ten: Table) -> None:
        page = ten.page("p", limit=4)
        for sort in TEN[:3]:
            ten.delete("p", sort)

        assert sorts(ten.page("p", limit=10, cursor=page.cursor).items) == TEN[4:]

    def test_items_put_into_pages_to_come_are_there(self, ten: Table) -> None:
        page = ten.page("p", limit=4)
        ten.put("p", "055", 1)

        assert sorts(ten.page("p", limit=10, cursor=page.cursor).items) == [*TEN[4:6], "055", *TEN[6:]]

    def test_all_that_is_left_may_be_deleted(self, ten: Table) -> None:
        page = ten.page("p", limit=4)
        for sort in TEN:
            ten.delete("p", sort)
        page = ten.page("p", limit=4, cursor=page.cursor)

        assert (list(page.items), page.cursor) == ([], None)

    def test_items_written_over_between_pages_come_once_with_their_new_value(self, ten: Table) -> None:
        page = ten.page("p", limit=4)
        for sort in TEN:
            ten.put("p", sort, "new")
        rest = ten.page("p", limit=10, cursor=page.cursor).items

        assert [(item.sort, item.value) for item in rest] == [(sort, "new") for sort in TEN[4:]]

    def test_what_stays_comes_once_while_its_neighbours_come_and_go(self, ten: Table) -> None:
        found: list[str] = []
        options: dict[str, Any] = {}
        for step in range(len(TEN) * 3):
            page = ten.page("p", limit=1, **options)
            found += sorts(page.items)
            if page.cursor is None:
                break
            options = {"cursor": page.cursor}
            ten.put("p", f"{found[-1]}-{step}", "inserted behind")
            ten.delete("p", f"{found[-1]}-{step}")
            ten.put("p", f"0{step % 10}a", "comes")
            ten.delete("p", f"0{(step + 5) % 10}a")

        assert [sort for sort in found if sort in TEN] == TEN
        assert len(found) == len(set(found))

    def test_a_query_may_delete_what_it_gives(self, ten: Table) -> None:
        found = []
        for item in ten.query("p"):
            ten.delete(item.partition, item.sort)
            found.append(item.sort)

        assert found == TEN
        assert list(ten.query("p")) == []

    def test_a_query_may_write_over_what_it_gives(self, ten: Table) -> None:
        found = []
        for item in ten.query("p"):
            ten.put(item.partition, item.sort, "new")
            found.append(item.sort)

        assert found == TEN
