"""The KV contract: reading, writing, deleting and updating single items."""

from __future__ import annotations

from typing import Any

import pytest

from portable.kv import Table
from portable_conformance import contract
from portable_conformance._drivers import DriverPromises
from portable_contracts.errors import AlreadyExists, Conflict, InvalidArgument, NotFound, PortableError
from portable_contracts.kv import Item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable_contracts.harness import Harness
    from portable_contracts.kv import KVCapabilities, KVDriver

pytestmark = contract("table")


def a_version_of(table: Table) -> str:
    """Return a version as this service makes them, of an item that is gone."""
    item = table.put("gone", "", 1)
    table.delete("gone")
    return item.version


class TestReading:
    def test_an_item_has_its_keys_its_value_and_a_version(self, table: Table) -> None:
        table.put("p", "s", {"a": 1})
        item = table.get("p", "s")

        assert (item.partition, item.sort, item.value, item.expires) == ("p", "s", {"a": 1}, None)
        assert isinstance(item, Item)
        assert isinstance(item.version, str)
        assert item.version

    def test_a_missing_item_is_not_found(self, table: Table) -> None:
        with pytest.raises(NotFound):
            table.get("p", "s")

    def test_the_error_for_a_missing_item_names_it_and_the_table(self, table: Table) -> None:
        with pytest.raises(NotFound, match="some-partition") as caught:
            table.get("some-partition", "some-sort")

        assert "some-sort" in str(caught.value)
        assert str(table) in str(caught.value)
        assert caught.value.resource == str(table)
        assert caught.value.operation == "get"

    @pytest.mark.parametrize("default", [None, 0, "default", {}])
    def test_a_missing_item_gives_the_default_where_there_is_one(self, table: Table, default: Any) -> None:
        assert table.get("p", "s", default=default) is default

    def test_an_item_that_is_there_is_given_in_place_of_the_default(self, table: Table) -> None:
        table.put("p", "s", 1)

        assert table.get("p", "s", default=None) == table.get("p", "s")

    @pytest.mark.parametrize(("partition", "sort"), [("p", "other"), ("other", "s"), ("s", "p"), ("p", ""), ("P", "s")])
    def test_an_item_under_other_keys_is_missing(self, table: Table, partition: str, sort: str) -> None:
        table.put("p", "s", 1)

        assert table.get(partition, sort, default=None) is None

    def test_reading_changes_nothing(self, table: Table) -> None:
        table.put("p", "s", 1)

        assert table.get("p", "s") == table.get("p", "s")

    def test_a_read_sees_the_write_before_it_through_another_handle(
        self, table: Table, reopen: Callable[[Table], Table]
    ) -> None:
        other = reopen(table)
        seen = []
        for number in range(20):
            table.put("p", "s", number)
            seen.append(other.get("p", "s").value)

        assert seen == list(range(20))

    def test_every_way_of_reading_sees_the_write_before_it_through_another_handle(
        self, table: Table, reopen: Callable[[Table], Table]
    ) -> None:
        other = reopen(table)
        seen = []
        for number in range(10):
            table.put("p", "s", number)
            found = [*other.get_many([("p", "s")]), *other.query("p"), *other.page("p").items, *other.scan()]
            seen.append([item and item.value for item in found])

        assert seen == [[number] * 4 for number in range(10)]

    def test_two_tables_do_not_share_items(self, make_table: Callable[[], Table]) -> None:
        one, other = make_table(), make_table()
        one.put("p", "s", 1)

        assert other.get("p", "s", default=None) is None
        assert list(other.scan()) == []


class TestReadingMany:
    def test_items_come_in_the_order_of_the_keys(self, table: Table) -> None:
        for number in range(5):
            table.put("p", str(number), number)
        found = table.get_many([("p", str(number)) for number in (3, 0, 4, 1)])

        assert [item and item.value for item in found] == [3, 0, 4, 1]

    def test_a_missing_item_is_none_in_its_place(self, table: Table) -> None:
        table.put("p", "b", 1)
        found = table.get_many([("p", "a"), ("p", "b"), ("p", "c")])

        assert [item and item.value for item in found] == [None, 1, None]

    def test_items_of_several_partitions_come_together(self, table: Table) -> None:
        table.put("p", "s", 1)
        table.put("q", "s", 2)
        table.put("r", "", 3)
        found = table.get_many([("r", ""), ("p", "s"), ("q", "s")])

        assert [item and item.value for item in found] == [3, 1, 2]

    def test_a_key_given_twice_gives_its_item_twice(self, table: Table) -> None:
        table.put("p", "s", 1)
        found = table.get_many([("p", "s"), ("p", "t"), ("p", "s")])

        assert [item and item.value for item in found] == [1, None, 1]

    def test_no_keys_give_no_items(self, table: Table) -> None:
        assert list(table.get_many([])) == []

    def test_the_items_are_those_that_get_gives(self, table: Table) -> None:
        table.put("p", "s", {"a": b"1"})

        assert list(table.get_many([("p", "s")])) == [table.get("p", "s")]

    @pytest.mark.parametrize("past", [0, 1], ids=["as many as one call takes", "one more"])
    def test_more_keys_than_one_call_takes_are_split(
        self, table: Table, capabilities: KVCapabilities, past: int
    ) -> None:
        count = capabilities.max_get_batch + past
        for number in range(0, count, 2):
            table.put("p", str(number), number)
        found = list(table.get_many([("p", str(number)) for number in range(count)]))

        assert [item and item.value for item in found] == [None if number % 2 else number for number in range(count)]


class TestPutting:
    def test_a_put_makes_an_item(self, table: Table) -> None:
        table.put("p", "s", 1)

        assert table.get("p", "s").value == 1

    def test_a_put_replaces_an_item(self, table: Table) -> None:
        table.put("p", "s", 1)
        table.put("p", "s", 2)

        assert table.get("p", "s").value == 2
        assert len(list(table.scan())) == 1

    def test_a_put_gives_the_item_as_it_is_read(self, table: Table) -> None:
        assert table.put("p", "s", {"a": [1.0]}) == table.get("p", "s")

    def test_a_put_over_an_item_gives_the_new_one(self, table: Table) -> None:
        table.put("p", "s", 1)

        assert table.put("p", "s", 2) == table.get("p", "s")

    def test_a_put_leaves_other_items_alone(self, table: Table) -> None:
        other = table.put("p", "t", 1)
        table.put("p", "s", 2)
        table.put("q", "t", 3)

        assert table.get("p", "t") == other

    def test_the_same_put_twice_is_no_error(self, table: Table) -> None:
        table.put("p", "s", 1)
        table.put("p", "s", 1)

        assert table.get("p", "s").value == 1

    def test_a_version_and_an_expiry_are_given_by_name(self, table: Table) -> None:
        with pytest.raises(TypeError):
            table.put("p", "s", 1, "version")  # type: ignore[call-arg]  # this is the error


class TestCreating:
    def test_a_create_makes_an_item_and_gives_it(self, table: Table) -> None:
        assert table.create("p", "s", {"a": 1}) == table.get("p", "s")

    def test_a_create_over_an_item_is_refused_and_changes_nothing(self, table: Table) -> None:
        item = table.put("p", "s", 1)
        with pytest.raises(AlreadyExists) as caught:
            table.create("p", "s", 2)

        assert table.get("p", "s") == item
        assert caught.value.operation == "create"
        assert caught.value.resource == str(table)

    def test_a_create_of_an_equal_value_is_refused_too(self, table: Table) -> None:
        table.create("p", "s", 1)

        with pytest.raises(AlreadyExists):
            table.create("p", "s", 1)

    def test_a_refusal_is_no_conflict(self, table: Table) -> None:
        table.create("p", "s", 1)
        with pytest.raises(PortableError) as caught:
            table.create("p", "s", 2)

        assert not isinstance(caught.value, Conflict)
        assert not caught.value.retryable

    def test_a_create_after_a_delete_succeeds(self, table: Table) -> None:
        table.create("p", "s", 1)
        table.delete("p", "s")

        assert table.create("p", "s", 2).value == 2

    def test_a_create_beside_an_item_of_the_same_partition_succeeds(self, table: Table) -> None:
        table.create("p", "s", 1)

        assert table.create("p", "t", 2).value == 2

    def test_a_create_with_the_same_sort_key_in_another_partition_succeeds(self, table: Table) -> None:
        table.create("p", "s", 1)

        assert table.create("q", "s", 2).value == 2


class TestDeleting:
    def test_a_deleted_item_is_gone_everywhere(self, table: Table) -> None:
        table.put("p", "s", 1)
        table.delete("p", "s")

        assert table.get("p", "s", default=None) is None
        assert list(table.get_many([("p", "s")])) == [None]
        assert list(table.query("p")) == []
        assert list(table.scan()) == []

    def test_deleting_a_missing_item_succeeds(self, table: Table) -> None:
        table.delete("p", "s")

        assert table.get("p", "s", default=None) is None

    def test_deleting_twice_succeeds(self, table: Table) -> None:
        table.put("p", "s", 1)
        table.delete("p", "s")
        table.delete("p", "s")

        assert table.get("p", "s", default=None) is None

    def test_a_delete_gives_nothing(self, table: Table) -> None:
        table.put("p", "s", 1)

        assert table.delete("p", "s") is None  # type: ignore[func-returns-value]  # this is the fact

    def test_a_delete_leaves_other_items_alone(self, table: Table) -> None:
        kept = [table.put("p", "t", 1), table.put("q", "s", 2), table.put("p", "", 3)]
        table.put("p", "s", 4)
        table.delete("p", "s")

        assert sorted(table.scan(), key=lambda item: item.value) == kept

    def test_the_item_with_an_empty_sort_key_is_deleted_alone(self, table: Table) -> None:
        table.put("p", "", 1)
        table.put("p", "s", 2)
        table.delete("p")

        assert [item.sort for item in table.query("p")] == ["s"]


class TestVersions:
    def test_every_write_changes_the_version(self, table: Table) -> None:
        versions = [table.put("p", "s", number).version for number in range(10)]

        assert len(set(versions)) == 10

    def test_a_write_of_an_equal_value_changes_the_version(self, table: Table) -> None:
        versions = [table.put("p", "s", "same").version for _ in range(10)]

        assert len(set(versions)) == 10

    def test_an_item_made_again_does_not_have_a_version_that_it_had(self, table: Table) -> None:
        versions = []
        for _ in range(5):
            versions.append(table.create("p", "s", "same").version)
            table.delete("p", "s")

        assert len(set(versions)) == 5

    def test_an_increment_changes_the_version(self, table: Table) -> None:
        before = table.put("p", "s", {"n": 1}).version
        table.increment("p", "s", "n")

        assert table.get("p", "s").version != before

    def test_an_update_changes_the_version(self, table: Table) -> None:
        before = table.put("p", "s", 1).version
        item = table.update("p", "s", lambda value: value)

        assert item.version != before
        assert item == table.get("p", "s")

    def test_a_write_of_one_item_leaves_the_versions_of_others(self, table: Table) -> None:
        before = table.put("p", "s", 1)
        table.put("p", "t", 1)
        table.delete("p", "t")

        assert table.get("p", "s").version == before.version

    def test_every_read_gives_the_same_version(self, table: Table) -> None:
        version = table.put("p", "s", 1).version

        assert table.get("p", "s").version == version
        assert [item.version for item in table.query("p")] == [version]
        assert [item.version for item in table.scan()] == [version]
        assert [item and item.version for item in table.get_many([("p", "s")])] == [version]

    def test_a_guarded_put_over_its_version_succeeds(self, table: Table) -> None:
        before = table.put("p", "s", 1)
        after = table.put("p", "s", 2, if_version=before.version)

        assert table.get("p", "s") == after
        assert after.version != before.version

    def test_a_guarded_put_over_another_version_conflicts_and_changes_nothing(self, table: Table) -> None:
        old = table.put("p", "s", 1)
        new = table.put("p", "s", 2)
        with pytest.raises(Conflict) as caught:
            table.put("p", "s", 3, if_version=old.version)

        assert table.get("p", "s") == new
        assert caught.value.operation == "put"
        assert caught.value.resource == str(table)
        assert not caught.value.retryable

    def test_a_version_is_good_for_one_guarded_put(self, table: Table) -> None:
        item = table.put("p", "s", 1)
        table.put("p", "s", 2, if_version=item.version)

        with pytest.raises(Conflict):
            table.put("p", "s", 3, if_version=item.version)

    def test_a_guarded_put_of_an_equal_value_still_conflicts(self, table: Table) -> None:
        old = table.put("p", "s", "same")
        table.put("p", "s", "same")

        with pytest.raises(Conflict):
            table.put("p", "s", "same", if_version=old.version)

    def test_a_guarded_delete_of_its_version_succeeds(self, table: Table) -> None:
        item = table.put("p", "s", 1)
        table.delete("p", "s", if_version=item.version)

        assert table.get("p", "s", default=None) is None

    def test_a_guarded_delete_of_another_version_conflicts_and_deletes_nothing(self, table: Table) -> None:
        old = table.put("p", "s", 1)
        new = table.put("p", "s", 2)
        with pytest.raises(Conflict) as caught:
            table.delete("p", "s", if_version=old.version)

        assert table.get("p", "s") == new
        assert caught.value.operation == "delete"

    def test_the_version_of_another_item_conflicts(self, table: Table) -> None:
        table.put("p", "s", 1)
        other = table.put("p", "t", 1)

        with pytest.raises(Conflict):
            table.put("p", "s", 2, if_version=other.version)

    def test_a_version_from_before_a_delete_conflicts_with_the_item_made_since(self, table: Table) -> None:
        old = table.put("p", "s", "same")
        table.delete("p", "s")
        table.put("p", "s", "same")

        with pytest.raises(Conflict):
            table.put("p", "s", 2, if_version=old.version)

    @pytest.mark.parametrize("version", ["0", "1", "nonsense", "W/\"datetime'x'\"", "2024-01-01T00:00:00Z", "é"])
    def test_a_version_that_no_service_made_conflicts(self, table: Table, version: str) -> None:
        item = table.put("p", "s", 1)

        with pytest.raises((Conflict, InvalidArgument)):
            table.put("p", "s", 2, if_version=version)
        assert table.get("p", "s") == item

    @pytest.mark.parametrize("version", ["", 1, b"1"])
    def test_a_version_that_is_no_text_is_refused(self, table: Table, version: Any) -> None:
        table.put("p", "s", 1)

        with pytest.raises(InvalidArgument):
            table.put("p", "s", 2, if_version=version)

    def test_a_version_read_through_one_handle_guards_a_write_through_another(
        self, table: Table, reopen: Callable[[Table], Table]
    ) -> None:
        table.put("p", "s", 1)
        version = reopen(table).get("p", "s").version

        assert table.put("p", "s", 2, if_version=version).value == 2


class TestMissingItems:
    """One truth table for calls on what is not there."""

    def test_get_is_not_found(self, table: Table) -> None:
        with pytest.raises(NotFound):
            table.get("p", "s")

    def test_get_with_a_default_gives_it(self, table: Table) -> None:
        assert table.get("p", "s", default=1) == 1

    def test_get_many_gives_none(self, table: Table) -> None:
        assert list(table.get_many([("p", "s")])) == [None]

    def test_put_makes_it(self, table: Table) -> None:
        assert table.put("p", "s", 1) == table.get("p", "s")

    def test_put_with_a_version_conflicts_and_makes_nothing(self, table: Table) -> None:
        with pytest.raises(Conflict):
            table.put("p", "s", 1, if_version=a_version_of(table))

        assert table.get("p", "s", default=None) is None

    def test_create_makes_it(self, table: Table) -> None:
        assert table.create("p", "s", 1) == table.get("p", "s")

    def test_delete_succeeds(self, table: Table) -> None:
        table.delete("p", "s")

        assert list(table.scan()) == []

    def test_delete_with_a_version_conflicts(self, table: Table) -> None:
        with pytest.raises(Conflict):
            table.delete("p", "s", if_version=a_version_of(table))

    def test_update_is_told_none_and_makes_it(self, table: Table) -> None:
        table.update("p", "s", lambda value: ["made of", value])

        assert table.get("p", "s").value == ["made of", None]

    def test_increment_makes_it(self, table: Table) -> None:
        assert table.increment("p", "s", "n") == 1
        assert table.get("p", "s").value == {"n": 1}

    def test_a_query_of_a_missing_partition_is_empty(self, table: Table) -> None:
        assert list(table.query("p")) == []

    def test_a_page_of_a_missing_partition_is_empty_and_the_last(self, table: Table) -> None:
        page = table.page("p")

        assert (list(page.items), page.cursor) == ([], None)

    def test_a_scan_of_an_empty_table_is_empty(self, table: Table) -> None:
        assert list(table.scan()) == []


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


class TestDriver(DriverPromises):
    def test_a_driver_that_was_closed_opens_again(self, table: Table, driver_of: Callable[[Table], KVDriver]) -> None:
        table.put("p", "s", 1)
        driver_of(table).close()

        assert table.get("p", "s").value == 1

    def test_items_stay_when_the_last_handle_is_closed(
        self, table: Table, driver_of: Callable[[Table], KVDriver], reopen: Callable[[Table], Table]
    ) -> None:
        item = table.put("p", "s", {"a": b"1"})
        driver_of(table).close()

        assert reopen(table).get("p", "s") == item


MISSING_TABLE: dict[str, Callable[[Table], Any]] = {
    "get": lambda table: table.get("p", "s", default=None),
    "get_many": lambda table: table.get_many([("p", "s")]),
    "put": lambda table: table.put("p", "s", 1),
    "create": lambda table: table.create("p", "s", 1),
    "delete": lambda table: table.delete("p", "s"),
    "query": lambda table: list(table.query("p")),
    "scan": lambda table: list(table.scan()),
}


class TestMissingTables:
    @pytest.mark.parametrize("call", MISSING_TABLE.values(), ids=MISSING_TABLE)
    def test_a_call_on_a_table_that_does_not_exist_is_not_found(
        self, harness: Harness, scheme: str, call: Callable[[Table], Any]
    ) -> None:
        address = harness.unreachable("table", scheme)
        if address is None:
            pytest.skip("the service makes a table on first use")

        with pytest.raises(NotFound):
            call(Table.at(address, opening=harness.opening({})))
