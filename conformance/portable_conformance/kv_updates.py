"""The KV contract: updates that start again, and increments."""

from __future__ import annotations

from typing import Any

import pytest

from portable_conformance import contract
from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.kv import Table

pytestmark = contract("table")


class TestUpdating:
    def test_an_update_is_told_the_value_and_writes_what_it_gives(self, table: Table) -> None:
        table.put("p", "s", {"a": 1})
        item = table.update("p", "s", lambda value: {**value, "b": 2})

        assert item.value == {"a": 1, "b": 2}
        assert table.get("p", "s") == item

    def test_an_update_may_change_the_value_that_it_is_told(self, table: Table) -> None:
        table.put("p", "s", [1])
        table.update("p", "s", lambda value: value.append(2) or value)

        assert table.get("p", "s").value == [1, 2]

    def test_an_update_that_raises_writes_nothing(self, table: Table) -> None:
        item = table.put("p", "s", 1)
        with pytest.raises(ZeroDivisionError):
            table.update("p", "s", lambda value: value / 0)

        assert table.get("p", "s") == item

    def test_an_update_that_meets_another_write_starts_again_from_what_that_wrote(
        self, table: Table, reopen: Callable[[Table], Table]
    ) -> None:
        table.put("p", "s", [])
        other = reopen(table)
        told: list[Any] = []

        def append(value: Any) -> Any:
            told.append(value)
            if len(told) == 1:
                other.put("p", "s", ["theirs"])
            return [*value, "mine"]

        table.update("p", "s", append)

        assert told == [[], ["theirs"]]
        assert table.get("p", "s").value == ["theirs", "mine"]

    def test_an_update_that_meets_a_create_starts_again(self, table: Table, reopen: Callable[[Table], Table]) -> None:
        other = reopen(table)
        told: list[Any] = []

        def count(value: Any) -> Any:
            told.append(value)
            if value is None:
                other.create("p", "s", 10)
            return (value or 0) + 1

        table.update("p", "s", count)

        assert told == [None, 10]
        assert table.get("p", "s").value == 11

    def test_an_update_that_meets_a_delete_starts_again(self, table: Table, reopen: Callable[[Table], Table]) -> None:
        table.put("p", "s", 10)
        other = reopen(table)
        told: list[Any] = []

        def count(value: Any) -> Any:
            told.append(value)
            if value is not None:
                other.delete("p", "s")
            return (value or 0) + 1

        table.update("p", "s", count)

        assert told == [10, None]
        assert table.get("p", "s").value == 1

    def test_an_update_of_an_item_whose_value_is_none_keeps_it_apart_from_a_missing_one(self, table: Table) -> None:
        table.put("p", "s", None)
        table.update("p", "s", lambda value: [value])

        assert table.get("p", "s").value == [None]


class TestIncrementing:
    @pytest.mark.parametrize(("by", "total"), [(1, 6), (0, 5), (-7, -2), (2**40, 2**40 + 5)])
    def test_an_increment_adds_and_gives_the_sum(self, table: Table, by: int, total: int) -> None:
        table.put("p", "s", {"n": 5})

        assert table.increment("p", "s", "n", by) == total
        assert table.get("p", "s").value == {"n": total}

    def test_an_increment_is_by_one_where_nothing_else_is_said(self, table: Table) -> None:
        assert [table.increment("p", "s", "n") for _ in range(3)] == [1, 2, 3]

    def test_a_missing_field_counts_as_zero(self, table: Table) -> None:
        table.put("p", "s", {"a": "b"})

        assert table.increment("p", "s", "n", 3) == 3
        assert table.get("p", "s").value == {"a": "b", "n": 3}

    def test_other_fields_stay_as_they_are(self, table: Table) -> None:
        value = {"n": 1, "f": 1.0, "b": b"1", "l": [1, {"n": 5}], "s": "", "none": None, "t": True}
        table.put("p", "s", value)
        table.increment("p", "s", "n")

        assert repr(sorted(table.get("p", "s").value.items())) == repr(sorted({**value, "n": 2}.items()))

    @pytest.mark.parametrize(
        "field", ["", "a.b", "a b", "#n", ":n", "$n", "n[0]", "é", "😀", "size", "`", '"', "'", "\\"]
    )
    def test_a_field_may_have_any_name(self, table: Table, field: str) -> None:
        table.put("p", "s", {field: 1, "n": 1})

        assert table.increment("p", "s", field) == 2
        assert table.get("p", "s").value == {field: 2, "n": 1}

    @pytest.mark.parametrize(
        ("start", "by", "total"),
        [(2**63 - 2, 1, 2**63 - 1), (-(2**63) + 1, -1, -(2**63)), (2**53, 1, 2**53 + 1), (0, 2**63 - 1, 2**63 - 1)],
    )
    def test_an_increment_is_exact_to_64_bits(self, table: Table, start: int, by: int, total: int) -> None:
        table.put("p", "s", {"n": start})

        assert table.increment("p", "s", "n", by) == total
        assert table.get("p", "s").value == {"n": total}

    @pytest.mark.parametrize(("start", "by"), [(2**63 - 1, 1), (-(2**63), -1), (1, 2**63 - 1)])
    def test_a_sum_beyond_64_bits_is_refused_and_changes_nothing(self, table: Table, start: int, by: int) -> None:
        item = table.put("p", "s", {"n": start})

        with pytest.raises(InvalidArgument):
            table.increment("p", "s", "n", by)
        assert table.get("p", "s") == item

    @pytest.mark.parametrize("value", [None, 1, "text", [1], b"1", True], ids=repr)
    def test_an_increment_of_what_is_no_map_is_refused_and_changes_nothing(self, table: Table, value: Any) -> None:
        item = table.put("p", "s", value)

        with pytest.raises(InvalidArgument):
            table.increment("p", "s", "n")
        assert table.get("p", "s") == item

    @pytest.mark.parametrize("value", [None, 1.0, "1", [1], b"1", True, {}], ids=repr)
    def test_an_increment_of_a_field_that_is_no_int_is_refused_and_changes_nothing(
        self, table: Table, value: Any
    ) -> None:
        item = table.put("p", "s", {"n": value})

        with pytest.raises(InvalidArgument):
            table.increment("p", "s", "n")
        assert table.get("p", "s") == item

    @pytest.mark.parametrize("by", [1.0, "1", None, True, 2**63], ids=repr)
    def test_an_increment_by_what_is_no_int_of_64_bits_is_refused(self, table: Table, by: Any) -> None:
        with pytest.raises(InvalidArgument):
            table.increment("p", "s", "n", by)

        assert table.get("p", "s", default=None) is None
