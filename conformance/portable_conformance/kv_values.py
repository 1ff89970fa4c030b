"""The KV contract: a value comes back equal, by type too; what no table stores, or what is too large, is refused."""

from __future__ import annotations

from typing import Any

import pytest

from portable_conformance import contract, needs
from portable_conformance._values import NO_VALUES, VALUES, exact, nested
from portable_contracts.errors import InvalidArgument, LimitExceeded
from portable_contracts.kv import Create, Put, measure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.kv import Table
    from portable_contracts.kv import KVCapabilities

pytestmark = contract("table")

every_value = pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
every_type = VALUES["a map of every type"]
TESTED_BYTES = 64 * 1024**2
"""Larger limits are taken at their word."""


def read_back(table: Table) -> Any:
    return table.get("p", "s").value


WRITERS: dict[str, Callable[[Table, Any], Any]] = {
    "put": lambda table, value: table.put("p", "s", value),
    "create": lambda table, value: table.create("p", "s", value),
    "update": lambda table, value: table.update("p", "s", lambda old: value),
}
READERS: dict[str, Callable[[Table], Any]] = {
    "get": read_back,
    "get_many": lambda table: next(iter(table.get_many([("p", "s")]))).value,  # type: ignore[union-attr]  # it is there
    "query": lambda table: next(iter(table.query("p"))).value,
    "page": lambda table: table.page("p").items[0].value,
    "scan": lambda table: next(iter(table.scan())).value,
}


class TestValues:
    @every_value
    def test_a_value_comes_back_equal_and_of_the_same_types(self, table: Table, value: Any) -> None:
        table.put("p", "s", value)

        assert exact(read_back(table)) == exact(value)

    @every_value
    def test_a_value_within_a_map_and_a_list_comes_back_likewise(self, table: Table, value: Any) -> None:
        table.put("p", "s", {"a": [value, {"b": value}]})

        assert exact(read_back(table)) == exact({"a": [value, {"b": value}]})

    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    @pytest.mark.parametrize("read", READERS.values(), ids=READERS)
    def test_every_type_survives_every_way_of_writing_and_reading(
        self, table: Table, write: Callable[[Table, Any], Any], read: Callable[[Table], Any]
    ) -> None:
        write(table, every_type)

        assert exact(read(table)) == exact(every_type)

    @needs("transactions")
    @pytest.mark.parametrize("operation", [Put, Create])
    def test_every_type_survives_a_transaction(self, table: Table, operation: type[Any]) -> None:
        table.transact("p", [operation("s", every_type)])

        assert exact(read_back(table)) == exact(every_type)

    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    def test_a_write_gives_the_value_that_it_wrote(self, table: Table, write: Callable[[Table, Any], Any]) -> None:
        assert exact(write(table, every_type).value) == exact(every_type)

    def test_a_value_that_is_changed_after_it_was_written_does_not_change_the_item(self, table: Table) -> None:
        value: dict[str, Any] = {"a": [1]}
        table.put("p", "s", value)
        value["a"].append(2)

        assert read_back(table) == {"a": [1]}

    def test_a_value_that_is_changed_after_it_was_read_does_not_change_the_item(self, table: Table) -> None:
        table.put("p", "s", {"a": [1]})
        table.get("p", "s").value["a"].append(2)

        assert read_back(table) == {"a": [1]}

    @pytest.mark.parametrize(
        ("one", "other"), [(1, 1.0), (1, True), (0, False), (0.0, -0.0), ("", b""), ([], {}), (None, False), ("1", 1)]
    )
    def test_values_that_are_nearly_equal_stay_apart(self, table: Table, one: Any, other: Any) -> None:
        table.put("p", "s", [one, other])

        assert exact(read_back(table)) == exact([one, other])

    def test_a_value_of_another_type_takes_the_place_of_the_old_one_whole(self, table: Table) -> None:
        table.put("p", "s", {"a": 1, "b": {"c": 2}})
        table.put("p", "s", {"b": {"d": 3}})

        assert read_back(table) == {"b": {"d": 3}}


class TestRefusedValues:
    @pytest.mark.parametrize("value", NO_VALUES.values(), ids=NO_VALUES)
    def test_what_no_table_stores_is_refused(self, table: Table, value: Any) -> None:
        with pytest.raises(InvalidArgument):
            table.put("p", "s", value)

        assert table.get("p", "s", default=None) is None

    @pytest.mark.parametrize("value", NO_VALUES.values(), ids=NO_VALUES)
    def test_what_no_table_stores_is_refused_within_maps_and_lists(self, table: Table, value: Any) -> None:
        with pytest.raises(InvalidArgument):
            table.put("p", "s", {"a": [1, {"b": value}]})

        assert table.get("p", "s", default=None) is None

    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    def test_every_way_of_writing_refuses_it(self, table: Table, write: Callable[[Table, Any], Any]) -> None:
        with pytest.raises(InvalidArgument):
            write(table, float("nan"))

        assert table.get("p", "s", default=None) is None

    @needs("transactions")
    @pytest.mark.parametrize("operation", [Put, Create])
    def test_a_transaction_refuses_it_and_writes_nothing(self, table: Table, operation: type[Any]) -> None:
        with pytest.raises(InvalidArgument):
            table.transact("p", [Put("other", 1), operation("s", {"a": float("inf")})])

        assert list(table.query("p")) == []

    def test_the_error_names_the_place(self, table: Table) -> None:
        with pytest.raises(InvalidArgument, match=r"\['a'\]\[1\]\['b'\]"):
            table.put("p", "s", {"a": [0, {"b": float("nan")}]})

    def test_the_old_item_stays_where_a_write_is_refused(self, table: Table) -> None:
        table.put("p", "s", "old")

        with pytest.raises(InvalidArgument):
            table.put("p", "s", float("nan"))
        assert read_back(table) == "old"


def as_text(size: int) -> Any:
    return "a" * size


def as_wide_text(size: int) -> Any:
    return "😀" * (size // 4) + "a" * (size % 4)


def as_bytes(size: int) -> Any:
    return b"\xff" * size


def as_numbers(size: int) -> Any:
    numbers, rest = divmod(size - 3 - 1, 13)
    return [-1.0000000000000002] * numbers + ["a" * rest]


def as_names(size: int) -> Any:
    count, rest = divmod(size - 3 - 100, 9)
    return {f"{number:07}": None for number in range(count)} | {"r" * (rest + 98): None}


SHAPES = {
    "text": as_text,
    "text of four bytes a character": as_wide_text,
    "bytes": as_bytes,
    "numbers": as_numbers,
    "names": as_names,
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


class TestSizes:
    @every_shape
    def test_an_item_of_the_largest_size_is_stored(
        self, table: Table, capabilities: KVCapabilities, shape: Callable[[int], Any]
    ) -> None:
        value = shape(min(capabilities.max_item_bytes, TESTED_BYTES))
        assert measure(value) == min(capabilities.max_item_bytes, TESTED_BYTES)
        table.put("p", "s", value)

        assert read_back(table) == value

    @every_shape
    def test_an_item_one_byte_larger_is_refused(
        self, table: Table, capabilities: KVCapabilities, shape: Callable[[int], Any]
    ) -> None:
        table.put("p", "s", "old")
        with pytest.raises(LimitExceeded) as caught:
            table.put("p", "s", shape(capabilities.max_item_bytes + 1))

        assert caught.value.limit == "max_item_bytes"
        assert caught.value.actual == capabilities.max_item_bytes + 1
        assert caught.value.allowed == capabilities.max_item_bytes
        assert read_back(table) == "old"

    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
    def test_every_way_of_writing_refuses_an_item_that_is_too_large(
        self, table: Table, capabilities: KVCapabilities, write: Callable[[Table, Any], Any]
    ) -> None:
        with pytest.raises(LimitExceeded):
            write(table, as_text(capabilities.max_item_bytes + 1))

    @needs("transactions")
    @pytest.mark.parametrize("operation", [Put, Create])
    def test_a_transaction_refuses_an_item_that_is_too_large(
        self, table: Table, capabilities: KVCapabilities, operation: type[Any]
    ) -> None:
        with pytest.raises(LimitExceeded):
            table.transact("p", [Put("a", 1), operation("s", as_text(capabilities.max_item_bytes + 1))])

        assert list(table.query("p")) == []

    def test_keys_do_not_count_towards_the_size_of_an_item(self, table: Table, capabilities: KVCapabilities) -> None:
        partition, sort = "p" * capabilities.max_partition_bytes, "s" * capabilities.max_sort_bytes
        value = as_text(min(capabilities.max_item_bytes, TESTED_BYTES))
        table.put(partition, sort, value)

        assert table.get(partition, sort).value == value

    @pytest.mark.parametrize("kind", [list, dict])
    def test_a_value_of_the_largest_depth_is_stored(
        self, table: Table, capabilities: KVCapabilities, kind: type[Any]
    ) -> None:
        value = nested(capabilities.max_depth, kind)
        table.put("p", "s", value)

        assert exact(read_back(table)) == exact(value)

    @pytest.mark.parametrize("kind", [list, dict])
    def test_a_value_one_level_deeper_is_refused(
        self, table: Table, capabilities: KVCapabilities, kind: type[Any]
    ) -> None:
        with pytest.raises(LimitExceeded) as caught:
            table.put("p", "s", nested(capabilities.max_depth + 1, kind))

        assert caught.value.limit == "max_depth"
