"""The KV contract: reading, writing, deleting and updating single items."""

from __future__ import annotations

from typing import Any

import pytest

from portable.kv import Table
from portable_conformance import contract
from portable_conformance._drivers import DriverPromises
from portable_contracts.errors import AlreadyExists, Conflict, NotFound, PortableError
from portable_contracts.kv import Item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable_contracts.harness import Harness
    from portable_contracts.kv import KVCapabilities, KVDriver

pytestmark = contract("table")


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
