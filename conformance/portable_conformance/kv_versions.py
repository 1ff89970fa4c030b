"""The KV contract: versions, what they guard, and one truth table for items that are not there."""

from __future__ import annotations

from typing import Any

import pytest

from portable_conformance import contract
from portable_contracts.errors import Conflict, InvalidArgument, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.kv import Table

pytestmark = contract("table")


def a_version_of(table: Table) -> str:
    """Return a version as this service makes them, of an item that is gone."""
    item = table.put("gone", "", 1)
    table.delete("gone")
    return item.version


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
