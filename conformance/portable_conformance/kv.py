"""The KV contract: reading, writing and deleting single items."""

from __future__ import annotations

from portable_conformance import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable.kv import Table

pytestmark = contract("table")


class TestDeleting:
    def test_deleting_a_missing_item_succeeds(self, table: Table) -> None:
        table.delete("p", "s")
