"""The KV contract: scans, and the segments that they can be split into."""

from __future__ import annotations

from typing import Any

import pytest

from portable_conformance import contract, needs, without
from portable_conformance._tables import fill_fast
from portable_contracts.errors import InvalidArgument, Unsupported
from portable_contracts.kv import Item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from portable.kv import Table

pytestmark = contract("table")

MANY = 2500
"""More than one page of any service."""


class TestScanning:
    def test_a_scan_gives_every_item_of_every_partition_once(self, table: Table) -> None:
        written = {(f"p{number % 7}", str(number)): number for number in range(100)}
        for (partition, sort), value in written.items():
            table.put(partition, sort, value)
        found = list(table.scan())

        assert {(item.partition, item.sort): item.value for item in found} == written
        assert len(found) == len(written)

    def test_a_scan_gives_the_items_that_get_gives(self, table: Table) -> None:
        item = table.put("p", "s", {"a": [1.0, b"2"]})

        assert list(table.scan()) == [item]

    def test_a_scan_is_read_while_it_is_iterated(self, ten: Table) -> None:
        assert isinstance(next(iter(ten.scan())), Item)

    @pytest.mark.slow
    def test_a_scan_of_2500_items_gives_each_once(self, table: Table) -> None:
        expected = {(f"p{number % 50}", f"{number:05}") for number in range(MANY)}
        fill_partitions(table, expected)
        found = [(item.partition, item.sort) for item in table.scan()]

        assert set(found) == expected
        assert len(found) == len(expected)

    def test_items_that_stay_come_once_while_others_come_and_go(self, ten: Table) -> None:
        found = []
        for number, item in enumerate(ten.scan()):
            found.append((item.partition, item.sort))
            if item.partition == "p":
                ten.put("new", str(number), 1)
                ten.delete("new", str(number - 1))
        stayed = [key for key in found if key[0] != "new"]

        assert len(found) == len(set(found))
        assert len(stayed) == 15

    def test_a_scan_may_delete_what_it_gives(self, ten: Table) -> None:
        for item in ten.scan():
            ten.delete(item.partition, item.sort)

        assert list(ten.scan()) == []


class TestSegments:
    @needs("scan_segments")
    @pytest.mark.parametrize("segments", [1, 2, 3, 4, 16])
    def test_segments_are_disjoint_and_together_the_whole_table(self, table: Table, segments: int) -> None:
        written = sorted((f"p{number % 9}", f"{number:03}") for number in range(120))
        for partition, sort in written:
            table.put(partition, sort, 1)
        found = [keys(table.scan(segment=segment, segments=segments)) for segment in range(segments)]

        assert sorted(key for each in found for key in each) == written

    @needs("scan_segments")
    @pytest.mark.slow
    def test_segments_of_more_than_a_page_each_are_whole(self, table: Table) -> None:
        written = sorted((f"p{number % 50}", f"{number:05}") for number in range(MANY))
        fill_partitions(table, written)

        assert sorted(key for segment in (0, 1) for key in keys(table.scan(segment=segment, segments=2))) == written

    @needs("scan_segments")
    def test_an_item_stays_in_its_segment(self, table: Table) -> None:
        for number in range(40):
            table.put(f"p{number}", "s", 1)
        before = [keys(table.scan(segment=segment, segments=4)) for segment in range(4)]
        for number in range(40):
            table.put(f"p{number}", "s", 2)

        assert [keys(table.scan(segment=segment, segments=4)) for segment in range(4)] == before

    @pytest.mark.parametrize(
        ("segment", "segments"), [(1, 1), (-1, 1), (4, 4), (0, 0), (0, -1), (0.0, 1), (0, "1"), (None, 1)]
    )
    def test_a_segment_that_is_none_of_them_is_refused(self, table: Table, segment: Any, segments: Any) -> None:
        with pytest.raises(InvalidArgument):
            list(table.scan(segment=segment, segments=segments))

    @without("scan_segments")
    def test_several_segments_are_refused_where_a_scan_cannot_be_split(self, ten: Table) -> None:
        with pytest.raises(Unsupported):
            list(ten.scan(segment=0, segments=2))

        assert len(list(ten.scan(segment=0, segments=1))) == 15


def keys(items: Iterable[Item]) -> list[tuple[str, str]]:
    return sorted((item.partition, item.sort) for item in items)


def fill_partitions(table: Table, keys: Iterable[tuple[str, str]]) -> None:
    by_partition: dict[str, list[str]] = {}
    for partition, sort in keys:
        by_partition.setdefault(partition, []).append(sort)
    for partition, sorts in by_partition.items():
        fill_fast(table, partition, sorts)
