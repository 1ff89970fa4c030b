"""The KV contract: transactions do all of their operations or none."""

from __future__ import annotations

from typing import Any

import pytest

from portable_conformance import contract, needs, without
from portable_conformance._tables import sorts
from portable_contracts.errors import AlreadyExists, Conflict, InvalidArgument, LimitExceeded, Unsupported
from portable_contracts.kv import Create, Delete, Put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.kv import Table
    from portable_contracts.kv import KVCapabilities

pytestmark = contract("table")


@pytest.fixture
def stale(table: Table) -> str:
    """Return a version of the item at ("p", "old"), which was written again since."""
    version = table.put("p", "old", 1).version
    table.put("p", "old", 2)
    return version


class TestTransactions:
    @needs("transactions")
    def test_a_transaction_does_all_of_its_operations(self, table: Table) -> None:
        table.put("p", "c", 0)
        table.put("p", "d", 0)
        table.transact("p", [Create("a", 1), Put("b", 2), Put("c", 3), Delete("d")])

        assert {item.sort: item.value for item in table.query("p")} == {"a": 1, "b": 2, "c": 3}

    @needs("transactions")
    def test_a_transaction_of_one_operation_does_it(self, table: Table) -> None:
        table.transact("p", [Put("a", 1)])

        assert table.get("p", "a").value == 1

    @needs("transactions")
    def test_a_transaction_may_write_the_item_without_a_sort_key(self, table: Table) -> None:
        table.transact("p", [Put("", 1), Put("a", 2)])

        assert sorts(table.query("p")) == ["", "a"]

    @needs("transactions")
    def test_a_transaction_leaves_other_partitions_alone(self, table: Table) -> None:
        other = table.put("q", "a", 1)
        table.transact("p", [Put("a", 2), Delete("b")])

        assert table.get("q", "a") == other

    @needs("transactions")
    def test_a_delete_of_a_missing_item_succeeds(self, table: Table) -> None:
        table.transact("p", [Delete("a"), Put("b", 1)])

        assert sorts(table.query("p")) == ["b"]

    @needs("transactions")
    def test_a_transaction_gives_the_items_as_they_are_read(self, table: Table) -> None:
        table.put("p", "c", 0)
        written = table.transact("p", [Create("a", {"x": 1.0}), Put("b", [b"2"]), Delete("c")])

        assert list(written) == [table.get("p", "a"), table.get("p", "b"), None]

    @needs("transactions")
    def test_every_write_of_a_transaction_changes_its_item_s_version(self, table: Table) -> None:
        before = table.put("p", "a", 1).version
        table.transact("p", [Put("a", 1), Create("b", 1)])

        assert table.get("p", "a").version != before

    @needs("transactions")
    def test_guards_that_hold_let_it_through(self, table: Table) -> None:
        one, other = table.put("p", "a", 1), table.put("p", "b", 1)
        table.transact("p", [Put("a", 2, if_version=one.version), Delete("b", if_version=other.version)])

        assert {item.sort: item.value for item in table.query("p")} == {"a": 2}


REFUSED: dict[str, tuple[Callable[[str], Any], type[Exception]]] = {
    "a create of an item that is there": (lambda stale: Create("old", 3), AlreadyExists),
    "a put over another version": (lambda stale: Put("old", 3, if_version=stale), Conflict),
    "a put over a version of nothing": (lambda stale: Put("none", 3, if_version=stale), Conflict),
    "a delete of another version": (lambda stale: Delete("old", if_version=stale), Conflict),
    "a delete of a version of nothing": (lambda stale: Delete("none", if_version=stale), Conflict),
}
every_refusal = pytest.mark.parametrize(("refused", "reason"), REFUSED.values(), ids=REFUSED)


class TestRefusedTransactions:
    @needs("transactions")
    @every_refusal
    @pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "in the middle", "last"])
    def test_one_refused_operation_refuses_all(
        self, table: Table, stale: str, refused: Callable[[str], Any], reason: type[Exception], place: int
    ) -> None:
        table.put("p", "kept", 1)
        before = list(table.query("p"))
        operations: list[Any] = [Put("new", 1), Delete("kept")]
        operations.insert(place, refused(stale))
        with pytest.raises(Conflict):
            table.transact("p", operations)

        assert list(table.query("p")) == before

    @needs("transactions")
    @every_refusal
    @pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "in the middle", "last"])
    def test_the_error_says_which_operation_was_refused_and_why(
        self, table: Table, stale: str, refused: Callable[[str], Any], reason: type[Exception], place: int
    ) -> None:
        operations: list[Any] = [Put("new", 1), Delete("kept")]
        operations.insert(place, refused(stale))
        with pytest.raises(Conflict) as caught:
            table.transact("p", operations)

        assert [type(each) for each in caught.value.reasons] == [
            reason if index == place else type(None) for index in range(3)
        ]

    @needs("transactions")
    def test_the_error_names_the_call_and_the_table(self, table: Table, stale: str) -> None:
        with pytest.raises(Conflict) as caught:
            table.transact("p", [Put("old", 3, if_version=stale)])

        assert caught.value.operation == "transact"
        assert caught.value.resource == str(table)
        assert not caught.value.retryable

    @needs("transactions")
    def test_a_version_from_before_a_transaction_conflicts_after_it(self, table: Table) -> None:
        before = table.put("p", "a", 1)
        table.transact("p", [Put("a", 1)])

        with pytest.raises(Conflict):
            table.put("p", "a", 2, if_version=before.version)

    @needs("transactions")
    @pytest.mark.parametrize(
        "operations",
        [
            [Put("a", 1), Put("a", 2)],
            [Put("a", 1), Delete("a")],
            [Delete("a"), Create("a", 1)],
            [Put("b", 0), Create("a", 1), Create("a", 1)],
        ],
        ids=["put and put", "put and delete", "delete and create", "create and create"],
    )
    def test_two_operations_on_one_item_are_refused(self, table: Table, operations: list[Any]) -> None:
        with pytest.raises(InvalidArgument):
            table.transact("p", operations)

        assert list(table.query("p")) == []

    @needs("transactions")
    @pytest.mark.parametrize("operation", ["a", None, ("a", 1), {"sort": "a"}], ids=repr)
    def test_what_is_no_operation_is_refused(self, table: Table, operation: Any) -> None:
        with pytest.raises(InvalidArgument):
            table.transact("p", [Put("b", 1), operation])

        assert list(table.query("p")) == []

    @needs("transactions")
    def test_as_many_operations_as_the_service_takes_are_done(self, table: Table, capabilities: KVCapabilities) -> None:
        count = min(capabilities.max_transaction, 1000)
        table.transact("p", [Create(f"{number:04}", number) for number in range(count)])

        assert [item.value for item in table.query("p")] == list(range(count))

    @needs("transactions")
    def test_one_operation_more_is_refused(self, table: Table, capabilities: KVCapabilities) -> None:
        with pytest.raises(LimitExceeded) as caught:
            table.transact("p", [Put(str(number), 1) for number in range(capabilities.max_transaction + 1)])

        assert caught.value.limit == "max_transaction"
        assert caught.value.actual == capabilities.max_transaction + 1
        assert list(table.query("p")) == []

    @needs("transactions")
    def test_a_transaction_of_nothing_does_nothing(self, table: Table) -> None:
        assert list(table.transact("p", [])) == []

    @without("transactions")
    @pytest.mark.parametrize("operation", [Put("a", 1), Create("a", 1), Delete("a")], ids=repr)
    def test_a_transaction_is_refused_where_there_are_none(self, table: Table, operation: Any) -> None:
        table.put("p", "a", 0)
        with pytest.raises(Unsupported):
            table.transact("p", [operation])

        assert table.get("p", "a").value == 0
