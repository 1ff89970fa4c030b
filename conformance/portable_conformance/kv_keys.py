"""The KV contract: which keys there are, that they stay apart, and in which order they stand."""

from __future__ import annotations

import random
from typing import Any

import pytest

from portable_conformance import contract, needs
from portable_conformance._table_keys import ALIKE, KEYS, NO_KEYS, ORDERED, UNALIKE_PAIRS
from portable_conformance._tables import fill, joined, pages, sorts
from portable_contracts.errors import InvalidArgument, LimitExceeded
from portable_contracts.kv import Create, Delete, Put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.kv import Table
    from portable_contracts.kv import KVCapabilities

pytestmark = contract("table")

every_key = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
every_refused_key = pytest.mark.parametrize("key", NO_KEYS.values(), ids=NO_KEYS)

CALLS: dict[str, Callable[[Table, Any, Any], Any]] = {
    "get": lambda table, partition, sort: table.get(partition, sort, default=None),
    "get_many": lambda table, partition, sort: list(table.get_many([("p", "s"), (partition, sort)])),
    "put": lambda table, partition, sort: table.put(partition, sort, 1),
    "create": lambda table, partition, sort: table.create(partition, sort, 1),
    "delete": lambda table, partition, sort: table.delete(partition, sort),
    "update": lambda table, partition, sort: table.update(partition, sort, lambda old: 1),
    "increment": lambda table, partition, sort: table.increment(partition, sort, "n"),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


class TestKeys:
    @every_key
    def test_a_partition_key_of_the_grammar_is_kept(self, table: Table, key: str) -> None:
        table.put(key, "s", 1)

        assert table.get(key, "s").partition == key
        assert [(item.partition, item.sort) for item in table.query(key)] == [(key, "s")]
        assert [(item.partition, item.sort) for item in table.scan()] == [(key, "s")]

    @every_key
    def test_a_sort_key_of_the_grammar_is_kept(self, table: Table, key: str) -> None:
        table.put("p", key, 1)

        assert table.get("p", key).sort == key
        assert sorts(table.query("p")) == [key]
        assert [(item.partition, item.sort) for item in table.scan()] == [("p", key)]

    @every_key
    def test_an_item_under_any_key_can_be_deleted(self, table: Table, key: str) -> None:
        table.put(key, key, 1)
        table.delete(key, key)

        assert table.get(key, key, default=None) is None
        assert list(table.scan()) == []

    @every_key
    def test_a_prefix_may_be_any_key(self, table: Table, key: str) -> None:
        table.put("p", key, 1)
        table.put("p", key + "x", 2)
        table.put("p", "x" + key, 3)

        assert sorts(table.query("p", prefix=key)) == sorted([key, key + "x"])

    def test_the_sort_key_may_be_left_out(self, table: Table) -> None:
        table.put("p", "", 1)

        assert table.get("p").value == 1
        assert table.get("p").sort == ""

    def test_the_partition_key_may_not_be_empty(self, table: Table) -> None:
        with pytest.raises(InvalidArgument):
            table.put("", "s", 1)

    @pytest.mark.parametrize(("one", "other"), ALIKE.values(), ids=ALIKE)
    def test_partition_keys_that_look_alike_stay_apart(self, table: Table, one: str, other: str) -> None:
        table.create(one, "s", 1)
        table.create(other, "s", 2)

        assert [table.get(one, "s").value, table.get(other, "s").value] == [1, 2]
        assert [item.value for item in table.query(one)] == [1]

    @pytest.mark.parametrize(("one", "other"), ALIKE.values(), ids=ALIKE)
    def test_sort_keys_that_look_alike_stay_apart(self, table: Table, one: str, other: str) -> None:
        table.create("p", one, 1)
        table.create("p", other, 2)

        assert [table.get("p", one).value, table.get("p", other).value] == [1, 2]

    @pytest.mark.parametrize(("one", "other"), UNALIKE_PAIRS.values(), ids=UNALIKE_PAIRS)
    def test_pairs_of_keys_that_join_to_the_same_text_stay_apart(
        self, table: Table, one: tuple[str, str], other: tuple[str, str]
    ) -> None:
        table.create(*one, 1)
        table.create(*other, 2)

        assert [table.get(*one).value, table.get(*other).value] == [1, 2]


class TestRefusedKeys:
    @every_refused_key
    def test_a_partition_key_outside_the_grammar_is_refused(self, table: Table, key: str) -> None:
        with pytest.raises(InvalidArgument):
            table.put(key, "s", 1)

    @every_refused_key
    def test_a_sort_key_outside_the_grammar_is_refused(self, table: Table, key: str) -> None:
        with pytest.raises(InvalidArgument):
            table.put("p", key, 1)

    @every_call
    @pytest.mark.parametrize(("partition", "sort"), [("", "s"), ("a\x00", "s"), ("p", "\n")])
    def test_every_call_refuses_keys_outside_the_grammar(
        self, table: Table, call: Callable[[Table, Any, Any], Any], partition: str, sort: str
    ) -> None:
        with pytest.raises(InvalidArgument):
            call(table, partition, sort)

    @every_call
    @pytest.mark.parametrize(("partition", "sort"), [(1, "s"), (None, "s"), (b"p", "s"), ("p", 1), ("p", b"s")])
    def test_every_call_refuses_keys_that_are_not_text(
        self, table: Table, call: Callable[[Table, Any, Any], Any], partition: Any, sort: Any
    ) -> None:
        with pytest.raises(InvalidArgument):
            call(table, partition, sort)

    @pytest.mark.parametrize("partition", ["", "a\x00", 1])
    def test_a_query_refuses_a_partition_key_outside_the_grammar(self, table: Table, partition: Any) -> None:
        with pytest.raises(InvalidArgument):
            list(table.query(partition))

    @needs("transactions")
    @pytest.mark.parametrize(
        "operation", [Put("\x00", 1), Create("\n", 1), Delete("\x7f"), Put("\ud800", 1)], ids=lambda each: repr(each)
    )
    def test_a_transaction_refuses_keys_outside_the_grammar(self, table: Table, operation: Any) -> None:
        with pytest.raises(InvalidArgument):
            table.transact("p", [Put("a", 1), operation])

        assert list(table.query("p")) == []


def wide(size: int) -> str:
    return "😀" * (size // 4) + "x" * (size % 4)


class TestKeySizes:
    @pytest.mark.parametrize("make", [lambda size: "x" * size, wide], ids=["ascii", "four bytes a character"])
    def test_a_partition_key_of_the_largest_size_is_kept(
        self, table: Table, capabilities: KVCapabilities, make: Callable[[int], str]
    ) -> None:
        key = make(capabilities.max_partition_bytes)
        table.put(key, "s", 1)

        assert [item.partition for item in table.query(key)] == [key]

    @pytest.mark.parametrize("make", [lambda size: "x" * size, wide], ids=["ascii", "four bytes a character"])
    def test_a_sort_key_of_the_largest_size_is_kept(
        self, table: Table, capabilities: KVCapabilities, make: Callable[[int], str]
    ) -> None:
        key = make(capabilities.max_sort_bytes)
        table.put("p", key, 1)

        assert sorts(table.query("p")) == [key]

    @pytest.mark.parametrize("sign", ["/", "%", "#", "_", "'"])
    def test_keys_of_the_largest_size_that_a_service_would_escape_are_kept(
        self, table: Table, capabilities: KVCapabilities, sign: str
    ) -> None:
        partition, sort = sign * capabilities.max_partition_bytes, sign * capabilities.max_sort_bytes
        table.put(partition, sort, 1)

        assert [(item.partition, item.sort) for item in table.query(partition)] == [(partition, sort)]

    @every_call
    def test_every_call_refuses_a_partition_key_one_byte_larger(
        self, table: Table, capabilities: KVCapabilities, call: Callable[[Table, Any, Any], Any]
    ) -> None:
        with pytest.raises(LimitExceeded) as caught:
            call(table, "é" + "x" * (capabilities.max_partition_bytes - 1), "s")

        assert caught.value.limit == "max_partition_bytes"
        assert caught.value.actual == capabilities.max_partition_bytes + 1

    @every_call
    def test_every_call_refuses_a_sort_key_one_byte_larger(
        self, table: Table, capabilities: KVCapabilities, call: Callable[[Table, Any, Any], Any]
    ) -> None:
        with pytest.raises(LimitExceeded) as caught:
            call(table, "p", "é" + "x" * (capabilities.max_sort_bytes - 1))

        assert caught.value.limit == "max_sort_bytes"
        assert caught.value.actual == capabilities.max_sort_bytes + 1


class TestOrder:
    def test_a_query_gives_items_in_the_byte_order_of_utf_8(self, table: Table) -> None:
        shuffled = random.Random(1).sample(ORDERED, len(ORDERED))
        fill(table, "p", shuffled)

        assert sorts(table.query("p")) == sorted(ORDERED, key=str.encode)

    def test_a_reverse_query_gives_them_in_the_opposite_order(self, table: Table) -> None:
        fill(table, "p", ORDERED)

        assert sorts(table.query("p", reverse=True)) == sorted(ORDERED, key=str.encode, reverse=True)

    @pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
    @pytest.mark.parametrize("size", [1, 2, 7])
    def test_pages_keep_the_order(self, table: Table, size: int, reverse: bool) -> None:
        fill(table, "p", ORDERED)
        found = pages(table, "p", limit=size, reverse=reverse)

        assert joined(found) == sorted(ORDERED, key=str.encode, reverse=reverse)

    @pytest.mark.parametrize("bound", ["", "%", "/", "a", "é", "\ud7ff", "\ue000", "\uffee", "😀", "\U0010ffff"])
    def test_bounds_compare_in_the_same_order(self, table: Table, bound: str) -> None:
        fill(table, "p", ORDERED)
        order = sorted(ORDERED, key=str.encode)

        assert sorts(table.query("p", start=bound)) == [sort for sort in order if sort.encode() >= bound.encode()]
        assert sorts(table.query("p", stop=bound)) == [sort for sort in order if sort.encode() < bound.encode()]

    @pytest.mark.parametrize(
        "prefix", ["", "a", "a/", "/", "%", "_", "'", "\ud7ff", "\ue000", "\uffee", "😀", "\U0010fffd", "\U0010ffff"]
    )
    def test_a_prefix_takes_what_starts_with_it_and_nothing_else(self, table: Table, prefix: str) -> None:
        written = [*ORDERED, *(prefix + end for end in ("!", "~", "\ud7ff", "\uffff", "\U0010ffff"))]
        fill(table, "p", written)

        expected = sorted({sort for sort in written if sort.startswith(prefix)}, key=str.encode)
        assert sorts(table.query("p", prefix=prefix)) == expected
