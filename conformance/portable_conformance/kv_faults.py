"""The KV contract over a wire that breaks: connections that are lost, refusals, throttles, lost answers."""

from __future__ import annotations

import time
from itertools import count
from typing import Any

import pytest

from portable._driving import ATTEMPTS
from portable.kv import Table
from portable_conformance import contract, needs, wired
from portable_conformance._tables import TEN, fill, pages, sorts
from portable_conformance._threads import together
from portable_conformance.counterparts.faults import LOST, RESET, cut, refusal
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
)
from portable_contracts.kv import Create, Delete, Item, Put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable_conformance.counterparts.faults import Fault, Proxy
    from portable_contracts.harness import Harness

pytestmark = contract("table")

PASSING = [RESET, LOST, refusal(500), refusal(503), refusal(429), refusal(500, forward=True)]
"""What is over when it has happened once."""
NEVER_CAME = [RESET, refusal(503), refusal(429)]
CAME = [LOST, refusal(500, forward=True)]
"""The service did what it was asked, and nobody was told."""
DOUBTFUL = (Unavailable, Timeout)


def each(faults: list[Fault]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", faults, ids=lambda fault: fault.name.replace(" ", "-").replace(",", ""))


READS: dict[str, Callable[[Table], Any]] = {
    "get": lambda table: table.get("p", "05").value,
    "get_many": lambda table: [item and item.value for item in table.get_many([("p", "05"), ("p", "none")])],
    "query": lambda table: sorts(table.query("p")),
    "reverse-query": lambda table: sorts(table.query("p", reverse=True, limit=3)),
    "page": lambda table: sorts(table.page("p", limit=3).items),
    "scan": lambda table: sorted(sorts(table.scan())),
}
WRITES: dict[str, Callable[[Table], Any]] = {
    "put": lambda table: table.put("p", "05", "new").value,
    "delete": lambda table: table.delete("p", "05"),
}
each_read = pytest.mark.parametrize("operation", READS.values(), ids=READS)
each_idempotent_operation = pytest.mark.parametrize(
    "operation", [*READS.values(), *WRITES.values()], ids=[*READS, *WRITES]
)

ONCE: dict[str, Callable[[Table, str], Any]] = {
    "create": lambda table, version: table.create("p", "new", "mine"),
    "guarded-put": lambda table, version: table.put("p", "05", "mine", if_version=version),
    "guarded-delete": lambda table, version: table.delete("p", "05", if_version=version),
    "increment": lambda table, version: table.increment("p", "counter", "n"),
    "update": lambda table, version: table.update("p", "05", lambda value: [value]),
}
"""What cannot be done twice without a difference; it is told the version of the item at ("p", "05")."""
each_operation_of_one_time = pytest.mark.parametrize("operation", ONCE.values(), ids=ONCE)


@pytest.fixture
def proxy(table: Table, proxy_to: Callable[[Table], Proxy]) -> Proxy:
    return proxy_to(table)


@pytest.fixture
def far(table: Table, proxy: Proxy, through: Callable[[Table, Proxy], Table]) -> Table:
    """The table, with ten items in the partition "p", over the proxy."""
    fill(table, "p", TEN)
    handle = through(table, proxy)
    # Whatever a client asks first and once has been asked.
    handle.increment("p", "counter", "n")
    handle.delete("p", "counter")
    proxy.clear()
    return handle


@pytest.fixture
def version(table: Table, far: Table) -> str:
    """Return the version of the item at ("p", "05")."""
    return table.get("p", "05").version


@pytest.fixture
def worded(harness: Harness, address_of: Callable[[Table], str], table: Table) -> Callable[[str], Fault]:
    """Makes a refusal as the service words it."""
    return lambda reason: refusal(*harness.refusal(address_of(table), reason))


def outcome_of(operation: Callable[[], Any]) -> Any:
    """Return what *operation* returns or raises."""
    try:
        return operation()
    except PortableError as error:
        return error


@wired
class TestPassingFaults:
    @each(PASSING)
    @each_idempotent_operation
    def test_an_operation_that_may_be_repeated_outlives_one(
        self, table: Table, far: Table, proxy: Proxy, operation: Callable[[Table], Any], fault: Fault
    ) -> None:
        expected = operation(table)
        proxy.inject(fault)

        assert operation(far) == expected
        assert proxy.seen[0].fault == fault.name
        assert len(proxy.seen) > 1

    @pytest.mark.parametrize("reason", ["throttled", "failed"])
    @each_idempotent_operation
    def test_a_refusal_as_the_service_words_it_is_outlived(
        self,
        table: Table,
        far: Table,
        proxy: Proxy,
        operation: Callable[[Table], Any],
        worded: Callable[[str], Fault],
        reason: str,
    ) -> None:
        expected = operation(table)
        proxy.inject(worded(reason))

        assert operation(far) == expected
        assert len(proxy.seen) > 1

    @each_operation_of_one_time
    def test_a_throttle_as_the_service_words_it_is_outlived_by_what_is_done_once(
        self,
        far: Table,
        version: str,
        proxy: Proxy,
        operation: Callable[[Table, str], Any],
        worded: Callable[[str], Fault],
    ) -> None:
        proxy.inject(worded("throttled"), times=ATTEMPTS - 1)
        operation(far, version)

        assert len(proxy.seen) >= ATTEMPTS

    @needs("transactions")
    def test_a_throttled_transaction_is_outlived(
        self, table: Table, far: Table, proxy: Proxy, worded: Callable[[str], Fault]
    ) -> None:
        proxy.inject(worded("throttled"))
        far.transact("p", [Create("new", 1), Delete("05")])

        assert sorts(table.query("p")) == sorted({*TEN, "new"} - {"05"})

    def test_what_a_repeated_put_wrote_is_there_whole(self, table: Table, far: Table, proxy: Proxy) -> None:
        proxy.inject(LOST)

        assert far.put("p", "new", {"a": [1.0, b"1"]}) == table.get("p", "new")

    def test_a_query_whose_every_page_fails_once_is_whole(self, far: Table, proxy: Proxy) -> None:
        numbers = count()
        proxy.inject(RESET, times=None, when=lambda request: next(numbers) % 2 == 0)

        assert [sort for page in pages(far, "p", limit=3) for sort in page] == TEN

    def test_many_items_come_though_every_batch_fails_once(self, table: Table, far: Table, proxy: Proxy) -> None:
        numbers = count()
        proxy.inject(RESET, times=None, when=lambda request: next(numbers) % 2 == 0)
        found = far.get_many([("p", f"{number:02}") for number in range(250)])

        assert [item.sort for item in found if item is not None] == TEN

    @pytest.mark.parametrize("after", [0, 10])
    @each_read
    def test_an_answer_that_is_cut_is_asked_for_again(
        self, table: Table, far: Table, proxy: Proxy, operation: Callable[[Table], Any], after: int
    ) -> None:
        proxy.inject(cut(after))

        assert operation(far) == operation(table)

    def test_threads_that_share_a_handle_outlive_theirs(self, far: Table, proxy: Proxy) -> None:
        numbers = count()
        # Fewer faults than attempts: no call can meet too many of them.
        proxy.inject(RESET, times=ATTEMPTS - 1, when=lambda request: next(numbers) % 5 == 3)

        assert together(8, lambda number: [far.get("p", "05").value for _ in range(4)]) == [["05"] * 4] * 8

    @each_idempotent_operation
    def test_a_connection_that_the_service_closed_meanwhile_is_replaced(
        self, far: Table, proxy: Proxy, operation: Callable[[Table], Any]
    ) -> None:
        proxy.drop()

        operation(far)

    @each_operation_of_one_time
    def test_a_connection_that_was_closed_meanwhile_is_replaced_for_what_is_done_once(
        self, far: Table, version: str, proxy: Proxy, operation: Callable[[Table, str], Any]
    ) -> None:
        proxy.drop()

        operation(far, version)


@wired
class TestLastingFaults:
    @each_idempotent_operation
    def test_a_service_that_stays_away_is_unavailable(
        self, far: Table, proxy: Proxy, operation: Callable[[Table], Any]
    ) -> None:
        proxy.inject(RESET, times=None)
        with pytest.raises(DOUBTFUL):
            operation(far)

        # Once per attempt of ours: the service's own client adds none.
        assert len(proxy.seen) == ATTEMPTS

    @pytest.mark.parametrize("reason", ["throttled", "failed"])
    def test_a_service_that_goes_on_refusing_is_unavailable(
        self, far: Table, proxy: Proxy, worded: Callable[[str], Fault], reason: str
    ) -> None:
        proxy.inject(worded(reason), times=None)
        with pytest.raises(Unavailable):
            far.get("p", "05")

        assert len(proxy.seen) == ATTEMPTS

    @each_operation_of_one_time
    def test_what_is_done_once_is_unavailable_while_the_service_stays_away(
        self, table: Table, far: Table, version: str, proxy: Proxy, operation: Callable[[Table, str], Any]
    ) -> None:
        before = [(item.sort, item.value) for item in table.query("p")]
        proxy.inject(RESET, times=None)
        with pytest.raises(DOUBTFUL):
            operation(far, version)

        assert [(item.sort, item.value) for item in table.query("p")] == before

    def test_what_cannot_be_reached_is_unavailable(self, far: Table, proxy: Proxy) -> None:
        proxy.close()

        with pytest.raises(DOUBTFUL):
            far.get("p", "05")

    @each_idempotent_operation
    def test_a_refusal_that_is_final_is_not_asked_for_again(
        self, far: Table, proxy: Proxy, operation: Callable[[Table], Any], worded: Callable[[str], Fault]
    ) -> None:
        proxy.inject(worded("denied"), times=None)
        with pytest.raises(PermissionDenied):
            operation(far)

        assert len(proxy.seen) == 1

    def test_an_error_names_the_operation_and_the_item(self, far: Table, proxy: Proxy) -> None:
        proxy.inject(RESET, times=None)

        with pytest.raises(DOUBTFUL, match="get 'p', '05' in table"):
            far.get("p", "05")


@wired
class TestWaiting:
    def test_nobody_waits_an_hour_because_the_service_asks(self, far: Table, proxy: Proxy) -> None:
        proxy.inject(refusal(503, {"Retry-After": "3600"}), times=None)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            far.get("p", "05")

        assert time.monotonic() - began < 30

    def test_throttled_threads_all_come_through(
        self, table: Table, far: Table, proxy: Proxy, worded: Callable[[str], Fault]
    ) -> None:
        proxy.inject(worded("throttled"), times=ATTEMPTS - 1)
        together(4, lambda number: [far.increment("p", "counter", "n") for _ in range(3)])

        assert table.get("p", "counter").value == {"n": 12}


@wired
class TestLostAnswers:
    """What was done once may not be repeated: the caller learns that nobody knows, never something that is not so."""

    @each(CAME)
    def test_a_create_does_not_find_its_own_item(self, table: Table, far: Table, proxy: Proxy, fault: Fault) -> None:
        proxy.inject(fault)
        outcome = outcome_of(lambda: far.create("p", "new", "mine"))

        assert isinstance(outcome, (Item, *DOUBTFUL))
        assert proxy.seen[0].fault == fault.name
        assert table.get("p", "new").value == "mine"
        assert outcome == table.get("p", "new") or not isinstance(outcome, Item)

    @each(CAME)
    def test_a_guarded_put_does_not_conflict_with_itself(
        self, table: Table, far: Table, version: str, proxy: Proxy, fault: Fault
    ) -> None:
        proxy.inject(fault)
        outcome = outcome_of(lambda: far.put("p", "05", "mine", if_version=version))

        assert isinstance(outcome, (Item, *DOUBTFUL))
        assert table.get("p", "05").value == "mine"
        assert outcome == table.get("p", "05") or not isinstance(outcome, Item)

    @each(CAME)
    def test_a_guarded_delete_does_not_conflict_with_itself(
        self, table: Table, far: Table, version: str, proxy: Proxy, fault: Fault
    ) -> None:
        proxy.inject(fault)
        outcome = outcome_of(lambda: far.delete("p", "05", if_version=version))

        assert outcome is None or isinstance(outcome, DOUBTFUL)
        assert table.get("p", "05", default=None) is None

    @each(CAME)
    def test_an_increment_is_not_added_twice(self, table: Table, far: Table, proxy: Proxy, fault: Fault) -> None:
        table.put("p", "counter", {"n": 1})
        proxy.inject(fault)
        outcome = outcome_of(lambda: far.increment("p", "counter", "n"))

        assert outcome == 2 or isinstance(outcome, DOUBTFUL)
        assert table.get("p", "counter").value == {"n": 2}

    @each(CAME)
    def test_an_update_is_not_applied_twice(self, table: Table, far: Table, proxy: Proxy, fault: Fault) -> None:
        table.put("p", "list", [])
        numbers = count()
        proxy.inject(fault, when=lambda request: next(numbers) == 1)  # The write, after the read.
        outcome = outcome_of(lambda: far.update("p", "list", lambda value: [*value, "mine"]))

        assert isinstance(outcome, (Item, *DOUBTFUL))
        assert table.get("p", "list").value == ["mine"]

    @needs("transactions")
    @each(CAME)
    def test_a_transaction_does_not_meet_itself(
        self, table: Table, far: Table, version: str, proxy: Proxy, fault: Fault
    ) -> None:
        operations: list[Create | Put | Delete] = [
            Create("new", "mine"),
            Put("05", "mine", if_version=version),
            Delete("06"),
        ]
        proxy.inject(fault)
        outcome = outcome_of(lambda: far.transact("p", operations))

        assert isinstance(outcome, (list, *DOUBTFUL))
        assert [table.get("p", sort, default=None) is not None for sort in ("new", "05", "06")] == [True, True, False]
        assert table.get("p", "new").value == table.get("p", "05").value == "mine"

    @each(NEVER_CAME)
    def test_a_create_that_never_came_does_not_say_that_there_is_one(
        self, table: Table, far: Table, proxy: Proxy, fault: Fault
    ) -> None:
        proxy.inject(fault)
        outcome = outcome_of(lambda: far.create("p", "new", "mine"))

        assert isinstance(outcome, (Item, *DOUBTFUL))
        assert table.get("p", "new", default=None) == (outcome if isinstance(outcome, Item) else None)

    @each(NEVER_CAME)
    def test_a_guarded_put_that_never_came_is_done_or_is_not(
        self, table: Table, far: Table, version: str, proxy: Proxy, fault: Fault
    ) -> None:
        proxy.inject(fault)
        outcome = outcome_of(lambda: far.put("p", "05", "mine", if_version=version))

        assert isinstance(outcome, (Item, *DOUBTFUL))
        assert table.get("p", "05").value == ("mine" if isinstance(outcome, Item) else "05")

    @each([RESET, *CAME])
    def test_a_create_over_another_item_says_so_once_it_is_asked(
        self, table: Table, far: Table, proxy: Proxy, fault: Fault
    ) -> None:
        proxy.inject(fault)
        outcome = outcome_of(lambda: far.create("p", "05", "mine"))

        assert isinstance(outcome, (AlreadyExists, *DOUBTFUL))
        with pytest.raises(AlreadyExists):
            far.create("p", "05", "mine")
        assert table.get("p", "05").value == "05"

    @each([RESET, *CAME])
    def test_a_put_over_another_version_is_never_done(
        self, table: Table, far: Table, version: str, proxy: Proxy, fault: Fault
    ) -> None:
        table.put("p", "05", "theirs")
        proxy.inject(fault)
        outcome = outcome_of(lambda: far.put("p", "05", "mine", if_version=version))

        assert isinstance(outcome, (Conflict, *DOUBTFUL))
        assert table.get("p", "05").value == "theirs"

    @each([RESET, *CAME])
    def test_an_increment_of_what_is_no_map_changes_nothing(
        self, table: Table, far: Table, proxy: Proxy, fault: Fault
    ) -> None:
        proxy.inject(fault)
        outcome = outcome_of(lambda: far.increment("p", "05", "n"))

        assert isinstance(outcome, (InvalidArgument, *DOUBTFUL))
        assert table.get("p", "05").value == "05"
