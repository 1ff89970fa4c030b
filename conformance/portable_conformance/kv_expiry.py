"""The KV contract: an item that expired is hidden at once and everywhere, whatever the service's own sweeper does."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest

from portable_conformance import contract, needs, without
from portable_conformance._tables import at, joined, pages
from portable_contracts.errors import Conflict, InvalidArgument, NotFound
from portable_contracts.kv import Create, Delete, Item, Put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.kv import Table

    Now = Callable[[], float]
    PassTime = Callable[[float], None]

pytestmark = contract("table")

SHORT = 3
"""Seconds that an item of these tests lives."""


@pytest.fixture
def expired(table: Table, now: Now, pass_time: PassTime) -> Item:
    """Return the item at ("p", "s"), which has expired."""
    item = table.put("p", "s", {"n": 5}, expires=at(now() + SHORT))
    pass_time(SHORT + 1)
    return item


class TestExpires:
    @pytest.mark.parametrize("write", ["put", "create"])
    def test_an_item_keeps_when_it_expires(self, table: Table, now: Now, write: str) -> None:
        moment = at(now() + 1000)
        written = getattr(table, write)("p", "s", 1, expires=moment)

        assert written.expires == moment
        assert table.get("p", "s").expires == moment
        assert [item.expires for item in table.query("p")] == [moment]
        assert [item.expires for item in table.scan()] == [moment]
        assert [item and item.expires for item in table.get_many([("p", "s")])] == [moment]

    @needs("transactions")
    @pytest.mark.parametrize("operation", [Put, Create])
    def test_an_item_of_a_transaction_keeps_when_it_expires(self, table: Table, now: Now, operation: type[Any]) -> None:
        moment = at(now() + 1000)
        table.transact("p", [operation("s", 1, expires=moment)])

        assert table.get("p", "s").expires == moment

    def test_it_is_given_in_utc(self, table: Table, now: Now) -> None:
        table.put("p", "s", 1, expires=at(now() + 1000))
        expires = table.get("p", "s").expires

        assert expires is not None
        assert expires.utcoffset() == timedelta(0)

    def test_a_moment_of_another_time_zone_is_the_same_moment(self, table: Table, now: Now) -> None:
        moment = at(now() + 1000)
        table.put("p", "s", 1, expires=moment.astimezone(timezone(timedelta(hours=9, minutes=30))))

        assert table.get("p", "s").expires == moment

    def test_a_moment_without_a_time_zone_is_refused(self, table: Table, now: Now) -> None:
        with pytest.raises(InvalidArgument):
            table.put("p", "s", 1, expires=at(now() + 1000).replace(tzinfo=None))

        assert table.get("p", "s", default=None) is None

    @pytest.mark.parametrize("write", ["put", "create"])
    def test_it_may_be_given_as_a_time_from_now(self, table: Table, now: Now, write: str) -> None:
        before = now()
        getattr(table, write)("p", "s", 1, expires=timedelta(seconds=1000))
        expires = table.get("p", "s").expires

        assert expires is not None
        assert before + 998 <= expires.timestamp() <= now() + 1001

    def test_an_item_given_a_time_from_now_is_gone_after_it(self, table: Table, pass_time: PassTime) -> None:
        table.put("p", "s", 1, expires=timedelta(seconds=SHORT))
        pass_time(SHORT + 1)

        assert table.get("p", "s", default=None) is None

    @pytest.mark.parametrize("expires", [5, "2030-01-01T00:00:00Z", 1.5], ids=repr)
    def test_what_is_no_moment_is_refused(self, table: Table, expires: Any) -> None:
        with pytest.raises(InvalidArgument):
            table.put("p", "s", 1, expires=expires)

    def test_an_item_without_one_never_expires(self, table: Table) -> None:
        table.put("p", "s", 1)

        assert table.get("p", "s").expires is None

    def test_a_put_without_one_takes_the_old_one_away(self, table: Table, now: Now, pass_time: PassTime) -> None:
        table.put("p", "s", 1, expires=at(now() + SHORT))
        table.put("p", "s", 2)
        pass_time(SHORT + 1)

        assert table.get("p", "s").value == 2
        assert table.get("p", "s").expires is None

    def test_a_put_with_a_later_one_prolongs_the_item(self, table: Table, now: Now, pass_time: PassTime) -> None:
        table.put("p", "s", 1, expires=at(now() + SHORT))
        table.put("p", "s", 2, expires=at(now() + 1000))
        pass_time(SHORT + 1)

        assert table.get("p", "s").value == 2

    def test_an_increment_leaves_it(self, table: Table, now: Now) -> None:
        moment = at(now() + 1000)
        table.put("p", "s", {"n": 1}, expires=moment)
        table.increment("p", "s", "n")

        assert table.get("p", "s").expires == moment

    def test_an_update_leaves_it(self, table: Table, now: Now) -> None:
        moment = at(now() + 1000)
        table.put("p", "s", 1, expires=moment)
        table.update("p", "s", lambda value: 2)

        assert table.get("p", "s").expires == moment

    def test_an_item_is_there_until_it_expires(self, table: Table, now: Now, pass_time: PassTime) -> None:
        table.put("p", "s", 1, expires=at(now() + 2 * SHORT + 1))
        pass_time(SHORT)

        assert table.get("p", "s").value == 1

    @needs("sweeps")
    def test_it_stays_hidden_while_the_service_sweeps(self, table: Table, expired: Item, pass_time: PassTime) -> None:
        table.put("p", "other", 1)
        pass_time(SHORT)

        assert [item.sort for item in table.scan()] == ["other"]

    @without("sweeps")
    def test_it_stays_hidden_where_nobody_sweeps(self, table: Table, expired: Item, pass_time: PassTime) -> None:
        table.put("p", "other", 1)
        pass_time(SHORT)

        assert [item.sort for item in table.scan()] == ["other"]


class TestExpiredItems:
    def test_get_is_not_found(self, table: Table, expired: Item) -> None:
        with pytest.raises(NotFound):
            table.get("p", "s")

    def test_get_with_a_default_gives_it(self, table: Table, expired: Item) -> None:
        assert table.get("p", "s", default=None) is None

    def test_get_many_gives_none(self, table: Table, expired: Item) -> None:
        table.put("p", "t", 1)

        assert [item and item.value for item in table.get_many([("p", "s"), ("p", "t")])] == [None, 1]

    @pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
    def test_a_query_leaves_it_out(self, table: Table, expired: Item, reverse: bool) -> None:
        table.put("p", "r", 1)
        table.put("p", "t", 2)

        assert sorted(item.value for item in table.query("p", reverse=reverse)) == [1, 2]

    def test_a_query_for_it_alone_is_empty(self, table: Table, expired: Item) -> None:
        assert list(table.query("p", prefix="s")) == []
        assert list(table.query("p", start="s", stop="t")) == []

    def test_a_limited_query_is_filled_with_items_that_are_there(self, table: Table, expired: Item) -> None:
        for sort in ("t", "u", "v"):
            table.put("p", sort, sort)

        assert [item.value for item in table.query("p", limit=2)] == ["t", "u"]

    def test_pages_leave_it_out_and_end(self, table: Table, expired: Item) -> None:
        table.put("p", "t", 1)

        assert joined(pages(table, "p", limit=1)) == ["t"]

    def test_a_partition_full_of_them_is_empty(self, table: Table, now: Now, pass_time: PassTime) -> None:
        for number in range(30):
            table.put("p", f"{number:02}", 1, expires=at(now() + SHORT))
        pass_time(SHORT + 1)

        assert list(table.query("p")) == []
        assert list(table.query("p", reverse=True, limit=1)) == []

    def test_a_scan_leaves_it_out(self, table: Table, expired: Item) -> None:
        table.put("q", "s", 1)

        assert [(item.partition, item.sort) for item in table.scan()] == [("q", "s")]

    def test_put_makes_it_anew(self, table: Table, expired: Item) -> None:
        table.put("p", "s", 2)

        assert table.get("p", "s").value == 2
        assert table.get("p", "s").expires is None

    def test_put_with_its_version_conflicts(self, table: Table, expired: Item) -> None:
        with pytest.raises(Conflict):
            table.put("p", "s", 2, if_version=expired.version)

        assert table.get("p", "s", default=None) is None

    def test_create_makes_it_anew(self, table: Table, expired: Item) -> None:
        assert table.create("p", "s", 2).value == 2
        assert table.get("p", "s").expires is None

    def test_an_item_made_anew_has_another_version(self, table: Table, expired: Item) -> None:
        assert table.create("p", "s", {"n": 5}).version != expired.version

    def test_delete_succeeds(self, table: Table, expired: Item) -> None:
        table.delete("p", "s")

        assert table.get("p", "s", default=None) is None

    def test_delete_with_its_version_conflicts(self, table: Table, expired: Item) -> None:
        with pytest.raises(Conflict):
            table.delete("p", "s", if_version=expired.version)

    def test_update_is_told_none(self, table: Table, expired: Item) -> None:
        table.update("p", "s", lambda value: ["made of", value])

        assert table.get("p", "s").value == ["made of", None]
        assert table.get("p", "s").expires is None

    def test_increment_starts_from_nothing(self, table: Table, expired: Item) -> None:
        assert table.increment("p", "s", "n") == 1
        assert table.get("p", "s").value == {"n": 1}

    def test_an_item_that_increment_made_anew_does_not_expire(self, table: Table, expired: Item) -> None:
        table.increment("p", "s", "n")

        assert table.get("p", "s").expires is None

    @needs("transactions")
    def test_create_in_a_transaction_makes_it_anew(self, table: Table, expired: Item) -> None:
        table.transact("p", [Create("s", 2)])

        assert table.get("p", "s").value == 2

    @needs("transactions")
    @pytest.mark.parametrize("guard", [lambda version: Put("s", 2, version), lambda version: Delete("s", version)])
    def test_a_guard_on_its_version_in_a_transaction_conflicts(
        self, table: Table, expired: Item, guard: Callable[[str], Any]
    ) -> None:
        with pytest.raises(Conflict):
            table.transact("p", [Put("t", 1), guard(expired.version)])

        assert list(table.query("p")) == []
