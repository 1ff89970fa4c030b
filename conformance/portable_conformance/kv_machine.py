"""The KV contract against a plain dict: Hypothesis makes the calls, both must agree after each one."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from portable_conformance import contract
from portable_conformance._machines import SETTINGS, World
from portable_conformance._tables import at, joined, pages
from portable_conformance._values import exact
from portable_contracts.errors import AlreadyExists, Conflict, InvalidArgument, NotFound
from portable_contracts.kv import Create, Delete, Item, Put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import ClassVar

    from portable.kv import Table
    from portable_contracts.harness import Harness
    from portable_contracts.kv import KVCapabilities

pytestmark = contract("table")

# Few keys, so that the rules meet each other; each the neighbour of another in byte order or by prefix.
SORTS = ["", "a", "a/", "a/b", "a0", "aa", "b", "é", "\uffee", "😀"]
partitions = st.sampled_from(["p", "p/", "q"])
sort_keys = st.sampled_from(SORTS)
bounds = st.one_of(st.none(), sort_keys)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.binary(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
counters = st.fixed_dictionaries({"n": st.integers(-5, 5)})
limits = st.integers(1, 12)
DAY = 24 * 3600


class TableMachine(RuleBasedStateMachine):
    """A table and its model. Every example works in partitions of its own."""

    table: ClassVar[Table]
    world: ClassVar[World]
    runs: ClassVar[Iterator[int]]

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[tuple[str, str], Item] = {}
        self.old_versions: dict[tuple[str, str], str] = {}

    @initialize()
    def begin(self) -> None:
        self.run = next(self.runs)

    def partition(self, name: str) -> str:
        return f"{self.run} {name}"

    def items(self, partition: str, prefix: str, start: str | None, stop: str | None, reverse: bool) -> list[Item]:
        """Return what a query must give."""
        found = [
            item
            for (at_partition, sort), item in self.model.items()
            if at_partition == partition
            and sort.startswith(prefix)
            and (start is None or sort.encode() >= start.encode())
            and (stop is None or sort.encode() < stop.encode())
        ]
        return sorted(found, key=lambda item: item.sort.encode(), reverse=reverse)

    def wrote(self, item: Item) -> None:
        key = (item.partition, item.sort)
        self.forget(key)
        self.model[key] = item

    def forget(self, key: tuple[str, str]) -> None:
        before = self.model.pop(key, None)
        if before is not None:
            self.old_versions[key] = before.version

    @rule(name=partitions, sort=sort_keys, value=values, expires=st.booleans())
    def put(self, name: str, sort: str, value: Any, expires: bool) -> None:
        moment = at(self.world.now() + DAY) if expires else None
        item = self.table.put(self.partition(name), sort, value, expires=moment)
        assert (exact(item.value), item.expires) == (exact(value), moment)
        self.wrote(item)

    @rule(name=partitions, sort=sort_keys, value=values)
    def put_over_its_version(self, name: str, sort: str, value: Any) -> None:
        key = (self.partition(name), sort)
        if key in self.model:
            self.wrote(self.table.put(*key, value, if_version=self.model[key].version))

    @rule(name=partitions, sort=sort_keys)
    def guard_by_an_old_version(self, name: str, sort: str) -> None:
        key = (self.partition(name), sort)
        if key in self.old_versions:
            with pytest.raises(Conflict):
                self.table.put(*key, "never", if_version=self.old_versions[key])
            with pytest.raises(Conflict):
                self.table.delete(*key, if_version=self.old_versions[key])

    @rule(name=partitions, sort=sort_keys, value=values)
    def create(self, name: str, sort: str, value: Any) -> None:
        key = (self.partition(name), sort)
        if key in self.model:
            with pytest.raises(AlreadyExists):
                self.table.create(*key, value)
        else:
            self.wrote(self.table.create(*key, value))

    @rule(name=partitions, sort=sort_keys, guarded=st.booleans())
    def delete(self, name: str, sort: str, guarded: bool) -> None:
        key = (self.partition(name), sort)
        version = self.model[key].version if guarded and key in self.model else None
        self.table.delete(*key, if_version=version)
        self.forget(key)

    @rule(name=partitions, sort=sort_keys, value=counters)
    def put_a_counter(self, name: str, sort: str, value: Any) -> None:
        self.wrote(self.table.put(self.partition(name), sort, value))

    @rule(name=partitions, sort=sort_keys, by=st.integers(-3, 3))
    def increment(self, name: str, sort: str, by: int) -> None:
        key = (self.partition(name), sort)
        before = self.model.get(key)
        value = before.value if before else {}
        if (
            type(value) is not dict
            or type(value.get("n", 0)) is not int
            or not -(2**63) <= value.get("n", 0) + by < 2**63
        ):
            with pytest.raises(InvalidArgument):
                self.table.increment(*key, "n", by)
            return
        total = value.get("n", 0) + by
        assert self.table.increment(*key, "n", by) == total
        after = self.table.get(*key)
        assert exact(after.value) == exact({**value, "n": total})
        assert after.expires == (before.expires if before else None)
        self.wrote(after)

    @rule(name=partitions, sort=sort_keys, value=values)
    def update(self, name: str, sort: str, value: Any) -> None:
        key = (self.partition(name), sort)
        told: list[Any] = []

        def replace(old: Any) -> Any:
            told.append(old)
            return value

        item = self.table.update(*key, replace)
        before = self.model.get(key)
        assert exact(told) == exact([before.value if before else None])
        assert item.expires == (before.expires if before else None)
        self.wrote(item)

    @precondition(lambda self: self.world.capabilities.transactions)
    @rule(name=partitions, steps=st.lists(st.tuples(sort_keys, st.integers(0, 5), values), max_size=5))
    def transact(self, name: str, steps: list[tuple[str, int, Any]]) -> None:
        partition = self.partition(name)
        operations: list[Any] = []
        reasons: list[type[Any]] = []
        for sort, kind, value in {sort: (sort, kind, value) for sort, kind, value in steps}.values():
            there = self.model.get((partition, sort))
            old = self.old_versions.get((partition, sort))
            if kind == 0:
                operation: Any = Create(sort, value)
                reason: type[Any] = AlreadyExists if there else type(None)
            elif kind == 1 and there:
                operation, reason = Put(sort, value, if_version=there.version), type(None)
            elif kind == 2 and old:
                operation, reason = Put(sort, value, if_version=old), Conflict
            elif kind == 3:
                operation, reason = Delete(sort), type(None)
            elif kind == 4 and old:
                operation, reason = Delete(sort, if_version=old), Conflict
            else:
                operation, reason = Put(sort, value, expires=at(self.world.now() + DAY)), type(None)
            operations.append(operation)
            reasons.append(reason)
        if any(reason is not type(None) for reason in reasons):
            with pytest.raises(Conflict) as caught:
                self.table.transact(partition, operations)
            assert [type(reason) for reason in caught.value.reasons] == reasons
            return
        for operation, item in zip(operations, self.table.transact(partition, operations), strict=True):
            if isinstance(operation, Delete):
                assert item is None
                self.forget((partition, operation.sort))
            else:
                assert item is not None
                self.wrote(item)

    @rule(name=partitions, sort=sort_keys)
    def get(self, name: str, sort: str) -> None:
        key = (self.partition(name), sort)
        if key in self.model:
            assert_same([self.table.get(*key)], [self.model[key]])
        else:
            with pytest.raises(NotFound):
                self.table.get(*key)

    @rule(keys=st.lists(st.tuples(partitions, sort_keys), max_size=6))
    def get_many(self, keys: list[tuple[str, str]]) -> None:
        asked = [(self.partition(name), sort) for name, sort in keys]
        found = self.table.get_many(asked)
        assert [item is None for item in found] == [key not in self.model for key in asked]
        assert_same([item for item in found if item], [self.model[key] for key in asked if key in self.model])

    @rule(name=partitions, prefix=sort_keys, start=bounds, stop=bounds, reverse=st.booleans(), limit=limits)
    def query(self, name: str, prefix: str, start: str | None, stop: str | None, reverse: bool, limit: int) -> None:
        partition = self.partition(name)
        found = list(self.table.query(partition, prefix=prefix, start=start, stop=stop, reverse=reverse, limit=limit))
        assert_same(found, self.items(partition, prefix, start, stop, reverse)[:limit])

    @rule(name=partitions, start=bounds, stop=bounds, reverse=st.booleans(), limit=limits)
    def read_pages(self, name: str, start: str | None, stop: str | None, reverse: bool, limit: int) -> None:
        partition = self.partition(name)
        found = pages(self.table, partition, start=start, stop=stop, reverse=reverse, limit=limit)
        assert joined(found) == [item.sort for item in self.items(partition, "", start, stop, reverse)]

    @precondition(lambda self: self.world.time_moves)
    @rule()
    def let_items_expire(self) -> None:
        self.world.pass_time(DAY + 60)
        for key in [key for key, item in self.model.items() if item.expires is not None]:
            self.forget(key)

    @rule()
    def go_on_through_another_handle(self) -> None:
        type(self).table = self.world.reopen(self.table)

    @invariant()
    def every_partition_holds_what_the_model_holds(self) -> None:
        if hasattr(self, "run"):
            partition = self.partition("p")
            assert_same(list(self.table.query(partition)), self.items(partition, "", None, None, False))

    def teardown(self) -> None:
        if hasattr(self, "run"):
            mine = [item for item in self.table.scan() if item.partition.startswith(f"{self.run} ")]
            order = sorted(mine, key=lambda item: (item.partition, item.sort))
            assert_same(order, [self.model[key] for key in sorted(self.model)])


def assert_same(found: list[Item], expected: list[Item]) -> None:
    assert [describe(item) for item in found] == [describe(item) for item in expected]


def describe(item: Item) -> tuple[Any, ...]:
    return item.partition, item.sort, exact(item.value), item.version, item.expires


class TestModel:
    @pytest.mark.slow
    def test_any_sequence_of_calls_does_what_a_dictionary_would(
        self,
        make_table: Callable[[], Table],
        reopen: Callable[[Table], Table],
        harness: Harness,
        capabilities: KVCapabilities,
    ) -> None:
        world = World(harness, capabilities, make_table, reopen)
        machine = type("Machine", (TableMachine,), {"world": world, "table": world.make(), "runs": count()})

        run_state_machine_as_test(machine, settings=SETTINGS)
