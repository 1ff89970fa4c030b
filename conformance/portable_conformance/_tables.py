"""What the suites of the KV contract share: filling a table, reading it page by page, moments."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from portable_contracts.kv import Put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from portable.kv import Table
    from portable_contracts.kv import Item

TEN = [f"{number:02}" for number in range(10)]
"""The sort keys of the fixture `ten`, in the partition "p"."""
MOST_PAGES = 200


def fill(table: Table, partition: str, sorts: Iterable[str]) -> None:
    """Put an item at each of *sorts*, its sort key as its value."""
    for sort in sorts:
        table.put(partition, sort, sort)


def fill_fast(table: Table, partition: str, sorts: Sequence[str]) -> None:
    """Likewise, of many sort keys, by transactions where the service has them: each request takes its time."""
    capabilities = table._connection.capabilities
    if not capabilities.transactions:
        fill(table, partition, sorts)
        return
    size = int(capabilities.max_transaction)
    for begin in range(0, len(sorts), size):
        table.transact(partition, [Put(sort, sort) for sort in sorts[begin : begin + size]])


def sorts(items: Iterable[Item]) -> list[str]:
    """Return the sort keys of *items*, in their order."""
    return [item.sort for item in items]


def pages(table: Table, partition: str, **options: Any) -> list[list[str]]:
    """Return the sort keys of each page of the partition, from the first to the last."""
    page = table.page(partition, **options)
    found = [sorts(page.items)]
    while page.cursor is not None:
        assert len(found) < MOST_PAGES, "the pages do not end"
        page = table.page(partition, cursor=page.cursor, **options)
        found.append(sorts(page.items))
    return found


def joined(found: Iterable[list[str]]) -> list[str]:
    """Return what is on all pages, in order."""
    return [sort for page in found for sort in page]


def at(seconds: float) -> datetime:
    """Return the moment, in whole seconds: what every service keeps exactly."""
    return datetime.fromtimestamp(int(seconds), timezone.utc)
