"""The KV contract: the changes of a table, as a poller reads them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from portable import registry
from portable_conformance import contract, needs, without
from portable_conformance._values import VALUES, exact
from portable_contracts.errors import AlreadyExists, Conflict
from portable_contracts.kv import Create, Delete, Put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.kv import Table
    from portable_contracts.events import Change, Feed
    from portable_contracts.kv import KVDriver
    from portable_contracts.provider import Provider

    DriverOf = Callable[[Table], KVDriver]

pytestmark = contract("table")


@pytest.fixture
def feed(table: Table, driver_of: DriverOf) -> Feed[Change]:
    return driver_of(table).feed("consumer")


def told(feed: Feed[Change]) -> list[tuple[str, str, str, Any, Any]]:
    """Return what waits, and move past it."""
    events = feed.read(1000)
    feed.commit(events[-1][0])
    return [(change.kind, change.partition, change.sort, change.old, change.new) for _, change in events]


class TestChanges:
    @needs("feed")
    def test_a_new_item_is_told_as_created(self, table: Table, feed: Feed[Change]) -> None:
        table.put("p", "s", 1)
        table.create("p", "t", 2)

        assert told(feed) == [("created", "p", "s", None, 1), ("created", "p", "t", None, 2)]

    @needs("feed")
    def test_an_item_that_is_written_over_is_told_as_updated_with_both_values(
        self, table: Table, feed: Feed[Change]
    ) -> None:
        table.put("p", "s", 1)
        table.put("p", "s", 2)

        assert told(feed)[1:] == [("updated", "p", "s", 1, 2)]

    @needs("feed")
    def test_an_item_that_is_deleted_is_told_as_deleted_with_its_value(self, table: Table, feed: Feed[Change]) -> None:
        table.put("p", "s", {"a": 1})
        table.delete("p", "s")

        assert told(feed)[1:] == [("deleted", "p", "s", {"a": 1}, None)]

    @needs("feed")
    def test_updates_and_increments_are_told(self, table: Table, feed: Feed[Change]) -> None:
        table.update("p", "s", lambda value: {"n": 1})
        table.increment("p", "s", "n")

        assert told(feed) == [("created", "p", "s", None, {"n": 1}), ("updated", "p", "s", {"n": 1}, {"n": 2})]

    @needs("feed", "transactions")
    def test_a_transaction_s_writes_are_told(self, table: Table, feed: Feed[Change]) -> None:
        table.put("p", "b", 0)
        table.transact("p", [Create("a", 1), Delete("b")])

        assert sorted(told(feed)[1:]) == [("created", "p", "a", None, 1), ("deleted", "p", "b", 0, None)]

    @needs("feed")
    def test_a_write_that_was_refused_is_not_told(self, table: Table, feed: Feed[Change]) -> None:
        old = table.put("p", "s", 1)
        table.put("p", "s", 2)
        for refused, error in (
            (lambda: table.create("p", "s", 3), AlreadyExists),
            (lambda: table.put("p", "s", 3, if_version=old.version), Conflict),
            (lambda: table.delete("p", "s", if_version=old.version), Conflict),
        ):
            with pytest.raises(error):
                refused()

        assert len(told(feed)) == 2

    @needs("feed", "transactions")
    def test_a_transaction_that_was_refused_is_not_told(self, table: Table, feed: Feed[Change]) -> None:
        table.put("p", "s", 1)
        with pytest.raises(Conflict):
            table.transact("p", [Put("t", 1), Create("s", 2)])

        assert len(told(feed)) == 1

    @needs("feed")
    def test_deleting_a_missing_item_is_not_told(self, table: Table, feed: Feed[Change]) -> None:
        table.delete("p", "s")

        assert list(feed.read(10)) == []

    @needs("feed")
    def test_changes_come_in_the_order_in_which_they_were_made(self, table: Table, feed: Feed[Change]) -> None:
        for number in range(50):
            table.put("p", "s", number)

        assert [new for *_, new in told(feed)] == list(range(50))

    @needs("feed")
    def test_values_are_told_exactly(self, table: Table, feed: Feed[Change]) -> None:
        table.put("p", "s", VALUES["a map of every type"])

        assert exact(told(feed)[0][-1]) == exact(VALUES["a map of every type"])

    @needs("feed")
    def test_a_change_has_an_id_of_its_own_and_says_when_it_was(
        self, table: Table, feed: Feed[Change], now: Callable[[], float]
    ) -> None:
        table.put("p", "s", 1)
        table.put("p", "s", 2)
        changes = [change for _, change in feed.read(10)]

        assert len({change.id for change in changes}) == 2
        assert all(change.time.utcoffset() == timedelta(0) for change in changes)
        assert all(
            abs(change.time - datetime.fromtimestamp(now(), timezone.utc)) < timedelta(minutes=1) for change in changes
        )

    @needs("feed")
    def test_another_table_s_changes_are_not_told(
        self, table: Table, feed: Feed[Change], make_table: Callable[[], Table]
    ) -> None:
        make_table().put("p", "s", 1)

        assert list(feed.read(10)) == []


class TestConsumers:
    @needs("feed")
    def test_a_consumer_that_was_never_seen_starts_where_it_first_asks(self, table: Table, driver_of: DriverOf) -> None:
        table.put("p", "s", 1)
        feed = driver_of(table).feed("consumer")
        table.put("p", "s", 2)

        assert told(feed) == [("updated", "p", "s", 1, 2)]

    @needs("feed")
    def test_the_place_stays_until_it_is_moved(self, table: Table, feed: Feed[Change]) -> None:
        table.put("p", "s", 1)

        assert feed.read(10) == feed.read(10)
        assert len(feed.read(10)) == 1

    @needs("feed")
    def test_the_place_is_moved_past_one_change(self, table: Table, feed: Feed[Change]) -> None:
        for number in range(3):
            table.put("p", "s", number)
        feed.commit(feed.read(10)[0][0])

        assert [change.new for _, change in feed.read(10)] == [1, 2]

    @needs("feed")
    def test_the_place_is_never_moved_back(self, table: Table, feed: Feed[Change]) -> None:
        for number in range(3):
            table.put("p", "s", number)
        tokens = [token for token, _ in feed.read(10)]
        feed.commit(tokens[1])
        feed.commit(tokens[0])
        feed.commit(tokens[1])

        assert [change.new for _, change in feed.read(10)] == [2]

    @needs("feed")
    def test_no_more_is_read_than_asked_for(self, table: Table, feed: Feed[Change]) -> None:
        for number in range(3):
            table.put("p", "s", number)

        assert [change.new for _, change in feed.read(2)] == [0, 1]

    @needs("feed")
    def test_the_place_is_kept_where_the_changes_are(
        self, table: Table, feed: Feed[Change], reopen: Callable[[Table], Table], driver_of: DriverOf
    ) -> None:
        table.put("p", "s", 1)
        told(feed)
        table.put("p", "s", 2)

        assert [change.new for _, change in driver_of(reopen(table)).feed("consumer").read(10)] == [2]

    @needs("feed")
    def test_every_consumer_has_a_place_of_its_own(self, table: Table, feed: Feed[Change], driver_of: DriverOf) -> None:
        other = driver_of(table).feed("other")
        table.put("p", "s", 1)
        told(feed)

        assert [change.new for _, change in other.read(10)] == [1]

    @needs("feed")
    def test_a_write_through_another_handle_is_told(
        self, table: Table, feed: Feed[Change], reopen: Callable[[Table], Table]
    ) -> None:
        reopen(table).put("p", "s", 1)

        assert told(feed) == [("created", "p", "s", None, 1)]

    @without("feed")
    def test_there_is_no_feed_where_none_is_declared(self, table: Table, driver_of: DriverOf) -> None:
        with pytest.raises(NotImplementedError):
            driver_of(table).feed("consumer")

    @needs("changes")
    def test_changes_that_reach_a_handler_have_a_codec(self, provider: Provider) -> None:
        assert "change" in {registry.load(codec).trigger for codec in provider.event_codecs}

    @without("changes")
    def test_where_no_changes_reach_a_handler_there_is_no_feed(self, table: Table, driver_of: DriverOf) -> None:
        with pytest.raises(NotImplementedError):
            driver_of(table).feed("consumer")
