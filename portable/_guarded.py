"""Writing over a known version, once: where the answer is lost, a read tells whether the write was done."""

from __future__ import annotations

from portable_contracts.errors import AlreadyExists, Conflict, Timeout, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Any

    from portable.kv import Table
    from portable_contracts.kv import Item

ATTEMPTS = 3


def write(
    table: Table, partition: str, value: dict[str, Any], *, over: Item | None, expires: timedelta | None = None
) -> Item:
    """Write *value*, which nobody else writes the like of, over the item *over*, None where there is none.

    Raises Conflict or AlreadyExists where somebody else wrote meanwhile.
    """
    attempt = 1
    while True:
        try:
            if over is None:
                return table.create(partition, "", value, expires=expires)
            return table.put(partition, "", value, if_version=over.version, expires=expires)
        except (Unavailable, Timeout) as error:
            found = table.get(partition, default=None)
            if found is not None and found.value == value:
                return found
            if found is not None and (over is None or found.version != over.version):
                kind = Conflict if over is not None else AlreadyExists
                raise kind(f"{partition!r} in {table} was written by somebody else", resource=str(table)) from error
            if attempt == ATTEMPTS:
                raise
            attempt += 1
