"""Table: what it checks before a driver is called, what it tries again, and what it makes of pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from portable._driving import ATTEMPTS, Call, Connection, invocation, observe
from portable.kv import FETCHED_AT_ONCE, Table
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
    Unsupported,
)
from portable_contracts.events import Context
from portable_contracts.kv import Create, Delete, Item, KVCapabilities, KVDriver, Put
from portable_contracts.provider import Address, Opening, Page

NOW = 1_800_000_000.0
PLUS_2 = timezone(timedelta(hours=2))


class ServiceError(Exception):
    """What the service of these tests raises; it asks to be tried again at once."""

    def __init__(self, kind: type[PortableError], reasons: Sequence[type[PortableError] | None] = ()) -> None:
        super().__init__("the service said no")
        self.kind = kind
        self.reasons = reasons


class ScriptedTable(KVDriver):
    """A table in memory that notes its calls, and raises what it is told to, one error for each call."""

    scheme = "scripted"
    capabilities = KVCapabilities(max_get_batch=3, max_page=5)

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.errors: list[PortableError | ServiceError] = []
        self.before_put: Callable[[], object] = lambda: None
        self.version = 0

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> ScriptedTable:
        return cls()

    def classify(self, error: Exception) -> type[PortableError]:
        return error.kind if isinstance(error, ServiceError) else PortableError

    def reasons(self, error: Exception) -> Sequence[type[PortableError] | None]:
        return error.reasons if isinstance(error, ServiceError) else ()

    def retry_after(self, error: Exception) -> float | None:
        return 0.0

    def native(self) -> str:
        return "the client"

    def note(self, operation: str, **arguments: Any) -> None:
        self.calls.append((operation, arguments))
        if self.errors:
            raise self.errors.pop(0)

    def get(self, partition: str, sort: str, *, now: float) -> Item | None:
        self.note("get", partition=partition, sort=sort, now=now)
        return self.items.get((partition, sort))

    def get_batch(self, keys: Sequence[tuple[str, str]], *, now: float) -> Sequence[Item | None]:
        self.note("get_batch", keys=list(keys))
        return [self.items.get(key) for key in keys]

    def put(
        self,
        partition: str,
        sort: str,
        value: Any,
        *,
        expires: float | None,
        if_version: str | None,
        if_absent: bool,
        now: float,
    ) -> str:
        self.before_put()
        self.note("put", expires=expires, if_version=if_version, if_absent=if_absent)
        there = self.items.get((partition, sort))
        if if_absent and there is not None:
            raise ServiceError(AlreadyExists)
        if if_version is not None and (there is None or there.version != if_version):
            raise ServiceError(Conflict)
        self.version += 1
        moment = None if expires is None else datetime.fromtimestamp(expires, timezone.utc)
        self.items[partition, sort] = Item(partition, sort, value, str(self.version), moment)
        return str(self.version)

    def delete(self, partition: str, sort: str, *, if_version: str | None, now: float) -> None:
        self.note("delete", if_version=if_version)
        self.items.pop((partition, sort), None)

    def increment(self, partition: str, sort: str, field: str, by: int, *, now: float) -> int:
        self.note("increment", field=field, by=by)
        return by

    def query_page(
        self,
        partition: str,
        *,
        start: str | None,
        stop: str | None,
        after: str | None,
        reverse: bool,
        limit: int,
        now: float,
    ) -> Page[Item]:
        """Give two items of three, as a service does that counts what it looked at."""
        self.note("query_page", start=start, stop=stop, after=after, reverse=reverse, limit=limit)
        sorts = sorted((sort for found, sort in self.items if found == partition), reverse=reverse)
        left = [sort for sort in sorts if after is None or (sort < after if reverse else sort > after)]
        looked_at = left[:limit]
        kept = [self.items[partition, sort] for sort in looked_at if not sort.endswith("gone")]
        return Page(kept, looked_at[-1] if left[limit:] else None)

    def transact(
        self, partition: str, operations: Sequence[Put | Create | Delete], *, now: float
    ) -> Sequence[str | None]:
        self.note("transact", operations=list(operations))
        return [None if isinstance(operation, Delete) else "1" for operation in operations]

    def scan_page(self, *, segment: int, segments: int, cursor: str | None, limit: int, now: float) -> Page[Item]:
        self.note("scan_page", segment=segment, segments=segments, cursor=cursor, limit=limit)
        items = list(self.items.values())
        begin = int(cursor or 0)
        return Page(items[begin : begin + limit], str(begin + limit) if items[begin + limit :] else None)


@pytest.fixture
def driver() -> ScriptedTable:
    return ScriptedTable()


@pytest.fixture
def table(driver: ScriptedTable) -> Table:
    return connected(driver)


def connected(driver: ScriptedTable, **limits: Any) -> Table:
    """Return a table on *driver*; *limits* are those of another target of the app."""
    capabilities = driver.capabilities.replace(**limits)
    owners = {field: "target prod (acme)" if field in limits else "this machine" for field in capabilities._fields}
    opening = Opening(clock=lambda: NOW)
    return Table("entries", lambda: Connection(driver, capabilities, owners, opening))


class TestReading:
    def test_a_missing_item_is_not_found(self, table: Table) -> None:
        with pytest.raises(NotFound, match="get 'p', 's' in table entries: there is no such item") as caught:
            table.get("p", "s")

        assert (caught.value.operation, caught.value.resource) == ("get", "table entries")

    @pytest.mark.parametrize("default", [None, 0, "", "nothing"])
    def test_a_default_stands_for_a_missing_item(self, table: Table, default: Any) -> None:
        assert table.get("p", "s", default) is default

    def test_the_driver_is_told_the_time_of_the_connection(self, table: Table, driver: ScriptedTable) -> None:
        table.get("p", default=None)

        assert driver.calls == [("get", {"partition": "p", "sort": "", "now": NOW})]

    def test_many_are_read_in_batches_of_what_the_driver_takes(self, table: Table, driver: ScriptedTable) -> None:
        keys = [("p", str(number)) for number in range(7)]
        table.get_many(keys)

        assert [arguments["keys"] for _, arguments in driver.calls] == [keys[:3], keys[3:6], keys[6:]]

    def test_many_come_in_the_order_of_their_keys_with_none_for_a_missing_one(self, table: Table) -> None:
        table.put("p", "a", 1)
        table.put("p", "b", 2)
        found = table.get_many(iter([("p", "b"), ("p", "x"), ("p", "a"), ("p", "b")]))

        assert [item and item.value for item in found] == [2, None, 1, 2]

    def test_a_key_that_is_asked_for_twice_is_read_once(self, table: Table, driver: ScriptedTable) -> None:
        table.get_many([("p", "a")] * 10)

        assert [arguments["keys"] for _, arguments in driver.calls] == [[("p", "a")]]

    def test_no_keys_are_no_call(self, table: Table, driver: ScriptedTable) -> None:
        assert table.get_many([]) == []
        assert driver.calls == []

    @pytest.mark.parametrize("key", ["ab", ("a",), ("a", "b", "c"), None, 1, {"a": 1, "b": 2}])
    def test_what_is_no_pair_of_keys_is_refused(self, table: Table, key: Any) -> None:
        with pytest.raises(InvalidArgument, match="is not a pair of partition and sort key"):
            table.get_many([key])

    def test_the_client_of_the_service_is_given_out(self, table: Table) -> None:
        assert table.native() == "the client"


class TestRefusing:
    """Each before the driver is called, with an error that says what to pass."""

    CASES: dict[str, tuple[Callable[[Table], Any], str]] = {
        "a key that is bytes": (lambda t: t.get(b"p"), "the partition key is b'p', of type bytes: keys are str"),
        "no sort key": (lambda t: t.get("p", None), "the sort key is None"),
        "an empty partition key": (lambda t: t.get(""), "the partition key is empty"),
        "a control character": (lambda t: t.get("a\tb"), r"key 'a\\tb' holds the control character '\\t'"),
        "a C1 control character": (lambda t: t.get("a\x85b"), r"holds the control character '\\x85'"),
        "a surrogate": (lambda t: t.get("p", "\ud800"), "the sort key .* holds a lone surrogate"),
        "an empty version": (lambda t: t.put("p", "s", 1, if_version=""), "if_version='': pass the version of an item"),
        "a version that is a number": (lambda t: t.put("p", "s", 1, if_version=1), "if_version=1"),
        "an empty version to delete": (lambda t: t.delete("p", "s", if_version=""), "if_version=''"),
        "a naive moment": (
            lambda t: t.put("p", "s", 1, expires=datetime(2031, 1, 1)),  # noqa: DTZ001  # what is refused
            "expires has no time zone: pass an aware datetime, or a timedelta",
        ),
        "a moment in seconds": (lambda t: t.create("p", "s", 1, expires=60), "expires=60: pass an aware datetime"),
        "a moment after all time": (lambda t: t.put("p", "s", 1, expires=timedelta.max), "is outside the years"),
        "a moment before all time": (lambda t: t.put("p", "s", 1, expires=timedelta.min), "is outside the years"),
        "a value of another type": (lambda t: t.put("p", "s", {"a": {1}}), r"put on table entries: value\['a'\] is of"),
        "an update to another type": (lambda t: t.update("p", "s", lambda _: (1,)), "update on table entries: value"),
        "a field that is no text": (lambda t: t.increment("p", "s", 1), "the field is 1: fields are str"),
        "a step that is no int": (lambda t: t.increment("p", "s", "n", 1.5), "by=1.5: pass an int"),
        "a step that is a boolean": (lambda t: t.increment("p", "s", "n", True), "by=True: pass an int"),
        "a step beyond 64 bits": (lambda t: t.increment("p", "s", "n", 2**63), "by=9223372036854775808: pass an int"),
        "a query of no partition": (lambda t: t.query(""), "the partition key is empty"),
        "a prefix that is no text": (lambda t: t.query("p", prefix=1), "prefix is 1"),
        "a start that is no text": (lambda t: t.query("p", start=b"a"), "start is b'a'"),
        "a stop with a line end": (lambda t: t.page("p", stop="a\n"), "stop .* holds the control character"),
        "a limit of nothing": (lambda t: t.query("p", limit=0), "limit=0: pass an int from 1"),
        "a limit that is a text": (lambda t: t.page("p", limit="5"), "limit='5': pass an int from 1"),
        "a limit that is a boolean": (lambda t: t.page("p", limit=True), "limit=True: pass an int from 1"),
        "a broken cursor": (lambda t: t.page("p", limit=5, cursor="2"), "cursor '2' is not one that a page gave"),
        "a cursor over an empty range": (lambda t: t.page("p", stop="", limit=5, cursor="2"), "is not one"),
        "no segments": (lambda t: t.scan(segments=0), "segments=0: pass an int from 1"),
        "a segment past the last": (lambda t: t.scan(segment=2, segments=2), "segment=2: pass an int from 0 to 1"),
        "a negative segment": (lambda t: t.scan(segment=-1), "segment=-1: pass an int from 0 to 0"),
        "an operation that is none": (lambda t: t.transact("p", [("put", "s")]), "is not a Put, Create or Delete"),
        "two operations on one key": (
            lambda t: t.transact("p", [Put("a", 1), Put("b", 1), Delete("a")]),
            "there are two operations on 'p', 'a'",
        ),
        "an empty version in a transaction": (lambda t: t.transact("p", [Delete("a", if_version="")]), "if_version=''"),
        "a naive moment in a transaction": (
            lambda t: t.transact("p", [Create("a", 1, expires=datetime(2031, 1, 1))]),  # noqa: DTZ001  # likewise
            "expires has no time zone",
        ),
        "a wrong value in a transaction": (lambda t: t.transact("p", [Put("a", float("nan"))]), "value is nan"),
    }  # fmt: skip

    @pytest.mark.parametrize(("act", "said"), CASES.values(), ids=CASES)
    def test_it_says_why(self, table: Table, driver: ScriptedTable, act: Callable[[Table], Any], said: str) -> None:
        with pytest.raises(InvalidArgument, match=said):
            act(table)

        assert "put" not in [operation for operation, _ in driver.calls]

    @pytest.mark.parametrize(
        "key", ["a b", "é", "日本", "a\u00a0b", "a\u2028b", "\ufeff", "\ue000", "😀", "\U0010ffff"]
    )
    def test_other_text_is_a_key(self, table: Table, key: str) -> None:
        table.put(key, key, 1)

        assert table.get(key, key).sort == key

    @pytest.mark.parametrize(
        ("moment", "seconds"),
        [
            (datetime(2031, 1, 1, tzinfo=timezone.utc), datetime(2031, 1, 1, tzinfo=timezone.utc).timestamp()),
            (datetime(2031, 1, 1, 2, tzinfo=PLUS_2), datetime(2031, 1, 1, tzinfo=timezone.utc).timestamp()),
            (timedelta(minutes=1), NOW + 60),
            (timedelta(microseconds=1500), NOW + 0.0015),
            (timedelta(minutes=-1), NOW - 60),
            (None, None),
        ],
        ids=str,
    )
    def test_a_moment_may_be_aware_or_a_time_from_now(
        self, table: Table, driver: ScriptedTable, moment: Any, seconds: float | None
    ) -> None:
        item = table.put("p", "s", 1, expires=moment)

        assert driver.calls[-1][1]["expires"] == (None if seconds is None else pytest.approx(seconds, abs=1e-6))
        assert item == table.get("p", "s")

    def test_a_moment_is_returned_in_utc(self, table: Table) -> None:
        item = table.put("p", "s", 1, expires=datetime(2031, 1, 1, tzinfo=PLUS_2))

        assert item.expires is not None
        assert item.expires.tzinfo is timezone.utc


class TestLimits:
    CASES: dict[str, tuple[str, int, Callable[[Table], Any], int]] = {
        "a partition key": ("max_partition_bytes", 4, lambda t: t.get("ééx"), 5),
        "a sort key": ("max_sort_bytes", 4, lambda t: t.get("p", "xxxxx"), 5),
        "a prefix": ("max_sort_bytes", 4, lambda t: t.query("p", prefix="xxxxx"), 5),
        "a start": ("max_sort_bytes", 4, lambda t: t.page("p", start="xxxxx"), 5),
        "a value": ("max_item_bytes", 10, lambda t: t.put("p", "s", "x" * 11), 11),
        "a value in a transaction": ("max_item_bytes", 10, lambda t: t.transact("p", [Create("s", "x" * 11)]), 11),
        "the value of an update": ("max_item_bytes", 10, lambda t: t.update("p", "s", lambda _: "x" * 11), 11),
        "a depth": ("max_depth", 2, lambda t: t.create("p", "s", [[[1]]]), 3),
        "a page": ("max_page", 5, lambda t: t.page("p", limit=6), 6),
        "a transaction": ("max_transaction", 2, lambda t: t.transact("p", [Delete("a"), Delete("b"), Delete("c")]), 3),
    }

    @pytest.mark.parametrize(("limit", "allowed", "act", "actual"), CASES.values(), ids=CASES)
    def test_the_error_names_the_target_whose_limit_it_is(
        self, driver: ScriptedTable, limit: str, allowed: int, act: Callable[[Table], Any], actual: int
    ) -> None:
        with pytest.raises(LimitExceeded, match=r"table entries on target prod \(acme\) allows") as caught:
            act(connected(driver, **{limit: allowed}))

        assert (caught.value.limit, caught.value.actual, caught.value.allowed) == (limit, actual, allowed)
        assert (caught.value.owner, caught.value.resource) == ("target prod (acme)", "table entries")

    def test_what_is_at_the_limit_is_sent(self, driver: ScriptedTable) -> None:
        table = connected(driver, max_partition_bytes=4, max_sort_bytes=5, max_item_bytes=10, max_depth=2)
        table.put("éé", "xxxxx", "x" * 10)
        table.put("xxxx", "éxxx", [[""]])

        assert len(driver.items) == 2

    def test_the_depth_that_is_too_much_is_told_with_its_place(self, driver: ScriptedTable) -> None:
        with pytest.raises(LimitExceeded, match="the depth of the value is 3") as caught:
            connected(driver, max_depth=2).put("p", "s", {"a": [{"b": 1}]})

        assert "value['a'][0]" in str(caught.value.__cause__)

    @pytest.mark.parametrize(
        ("capability", "act"),
        [
            ("transactions", lambda t: t.transact("p", [Put("a", 1)])),
            ("scan_segments", lambda t: t.scan(segments=2)),
        ],
    )
    def test_what_a_target_does_not_have_is_unsupported(
        self, driver: ScriptedTable, capability: str, act: Callable[[Table], Any]
    ) -> None:
        with pytest.raises(Unsupported, match=rf"target prod \(acme\) does not have '{capability}'"):
            act(connected(driver, **{capability: False}))

        assert driver.calls == []

    def test_a_scan_in_one_segment_needs_no_capability(self, driver: ScriptedTable) -> None:
        table = connected(driver, scan_segments=False)
        table.put("p", "s", 1)

        assert [item.value for item in table.scan()] == [1]


class TestRetrying:
    SAFE: dict[str, Callable[[Table], Any]] = {
        "get": lambda t: t.get("p", "s", None),
        "get_many": lambda t: t.get_many([("p", "s")]),
        "put": lambda t: t.put("p", "s", 1),
        "delete": lambda t: t.delete("p", "s"),
        "query": lambda t: list(t.query("p")),
        "page": lambda t: t.page("p", limit=1),
        "scan": lambda t: list(t.scan()),
    }
    UNSAFE: dict[str, Callable[[Table], Any]] = {
        "create": lambda t: t.create("p", "s", 1),
        "put at a version": lambda t: t.put("p", "s", 1, if_version="1"),
        "delete at a version": lambda t: t.delete("p", "s", if_version="1"),
        "increment": lambda t: t.increment("p", "s", "n"),
        "transact": lambda t: t.transact("p", [Put("s", 1)]),
    }

    @pytest.mark.parametrize("kind", [Unavailable, Timeout])
    @pytest.mark.parametrize("act", SAFE.values(), ids=SAFE)
    def test_what_may_be_done_twice_is_tried_again(
        self, table: Table, driver: ScriptedTable, act: Callable[[Table], Any], kind: type[PortableError]
    ) -> None:
        driver.errors = [ServiceError(kind)] * (ATTEMPTS - 1)
        act(table)

        assert len(driver.calls) == ATTEMPTS

    @pytest.mark.parametrize("act", SAFE.values(), ids=SAFE)
    def test_it_is_given_up_in_the_end(self, table: Table, driver: ScriptedTable, act: Callable[[Table], Any]) -> None:
        driver.errors = [ServiceError(Unavailable)] * 100
        with pytest.raises(Unavailable, match="in table entries: the service said no") as caught:
            act(table)

        assert len(driver.calls) == ATTEMPTS
        assert isinstance(caught.value.__cause__, ServiceError)

    @pytest.mark.parametrize("kind", [Unavailable, Timeout])
    @pytest.mark.parametrize("act", UNSAFE.values(), ids=UNSAFE)
    def test_what_may_not_be_done_twice_is_tried_once(
        self, table: Table, driver: ScriptedTable, act: Callable[[Table], Any], kind: type[PortableError]
    ) -> None:
        driver.errors = [ServiceError(kind)]
        with pytest.raises(kind):
            act(table)

        assert len(driver.calls) == 1

    @pytest.mark.parametrize("kind", [PortableError, PermissionDenied, NotFound])
    @pytest.mark.parametrize("act", SAFE.values(), ids=SAFE)
    def test_what_will_fail_again_is_tried_once(
        self, table: Table, driver: ScriptedTable, act: Callable[[Table], Any], kind: type[PortableError]
    ) -> None:
        driver.errors = [ServiceError(kind)]
        with pytest.raises(kind):
            act(table)

        assert len(driver.calls) == 1

    def test_an_observer_sees_each_operation_with_its_attempts(self, table: Table, driver: ScriptedTable) -> None:
        seen: list[Call] = []
        stop = observe(seen.append)
        driver.errors = [ServiceError(Unavailable)]
        table.put("p", "s", 1)
        table.update("p", "s", lambda value: value + 1)
        stop()

        assert [(call.operation, call.resource, call.attempts) for call in seen] == [
            ("put", "table entries", 2),
            ("update", "table entries", 1),
            ("update", "table entries", 1),
        ]


@pytest.fixture
def at_its_deadline() -> Iterator[None]:
    token = invocation.set(Context("1", "main", "test", 0.0))
    yield
    invocation.reset(token)


class TestUpdating:
    def test_the_function_gets_none_for_a_missing_item(self, table: Table) -> None:
        got: list[Any] = []
        table.update("p", "s", lambda value: got.append(value) or 1)

        assert got == [None]

    def test_what_the_function_returns_is_the_new_value(self, table: Table) -> None:
        table.put("p", "s", {"n": 1})
        item = table.update("p", "s", lambda value: {**value, "n": value["n"] + 1})

        assert item == table.get("p", "s")
        assert item.value == {"n": 2}

    def test_none_is_a_value_like_any_other(self, table: Table) -> None:
        table.put("p", "s", 1)
        table.update("p", "s", lambda _: None)

        assert table.get("p", "s").value is None

    def test_the_write_is_guarded_by_what_was_read(self, table: Table, driver: ScriptedTable) -> None:
        table.update("p", "s", lambda _: 1)
        table.update("p", "s", lambda _: 2)
        guards = [(call["if_version"], call["if_absent"]) for operation, call in driver.calls if operation == "put"]

        assert guards == [(None, True), ("1", False)]

    def test_the_expiry_stays(self, table: Table) -> None:
        moment = datetime(2031, 1, 1, microsecond=1, tzinfo=timezone.utc)
        table.put("p", "s", 1, expires=moment)

        assert table.update("p", "s", lambda _: 2).expires == moment
        assert table.get("p", "s").expires == moment

    def test_a_write_of_somebody_else_calls_the_function_again(self, table: Table, driver: ScriptedTable) -> None:
        table.put("p", "s", 1)
        others = [10, 20, 30]

        def interfere() -> None:
            if others:
                driver.items["p", "s"] = Item("p", "s", others.pop(0), f"other {len(others)}")

        driver.before_put = interfere

        assert table.update("p", "s", lambda value: value + 1).value == 31

    def test_a_creation_by_somebody_else_calls_the_function_again(self, table: Table, driver: ScriptedTable) -> None:
        driver.before_put = lambda: driver.items.setdefault(("p", "s"), Item("p", "s", 10, "other"))

        assert table.update("p", "s", lambda value: (value or 0) + 1).value == 11

    def test_a_deletion_by_somebody_else_calls_the_function_with_none(
        self, table: Table, driver: ScriptedTable
    ) -> None:
        table.put("p", "s", 1)
        driver.before_put = driver.items.clear

        assert table.update("p", "s", lambda value: -1 if value is None else value + 1).value == -1

    @pytest.mark.usefixtures("at_its_deadline")
    def test_it_gives_up_at_the_deadline_of_the_invocation(self, table: Table, driver: ScriptedTable) -> None:
        table.put("p", "s", 1)
        driver.before_put = lambda: driver.items.update({("p", "s"): Item("p", "s", 1, "other")})

        with pytest.raises(Conflict, match="update 'p', 's' in table entries"):
            table.update("p", "s", lambda value: value + 1)

    def test_an_error_of_the_function_goes_through_and_writes_nothing(self, table: Table) -> None:
        table.put("p", "s", {"n": 1})
        with pytest.raises(KeyError):
            table.update("p", "s", lambda value: value["missing"])

        assert table.get("p", "s").value == {"n": 1}

    def test_the_read_is_tried_again_and_the_write_is_not(self, table: Table, driver: ScriptedTable) -> None:
        driver.errors = [ServiceError(Unavailable)]
        table.update("p", "s", lambda _: 1)
        driver.before_put = lambda: driver.errors.append(ServiceError(Timeout))

        with pytest.raises(Timeout):
            table.update("p", "s", lambda _: 2)
        assert [operation for operation, _ in driver.calls] == ["get", "get", "put", "get", "put"]


class TestListing:
    @pytest.fixture
    def items(self, driver: ScriptedTable) -> None:
        for number in range(12):
            sort = f"{number:02}" if number % 3 else f"{number:02} gone"
            driver.items["p", sort] = Item("p", sort, number, "1")

    @pytest.mark.usefixtures("items")
    def test_a_query_reads_page_after_page(self, table: Table, driver: ScriptedTable) -> None:
        assert [item.value for item in table.query("p")] == [1, 2, 4, 5, 7, 8, 10, 11]
        assert [call["after"] for _, call in driver.calls] == [None, "04", "09 gone"]
        assert {call["limit"] for _, call in driver.calls} == {5}

    @pytest.mark.usefixtures("items")
    def test_a_query_reads_no_page_before_it_is_needed(self, table: Table, driver: ScriptedTable) -> None:
        items = table.query("p")
        before = len(driver.calls)
        next(items)

        assert (before, len(driver.calls)) == (0, 1)

    @pytest.mark.usefixtures("items")
    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 100])
    def test_a_query_ends_at_its_limit(self, table: Table, limit: int) -> None:
        assert [item.value for item in table.query("p", limit=limit)] == [1, 2, 4, 5, 7, 8, 10, 11][:limit]

    @pytest.mark.usefixtures("items")
    def test_a_query_asks_for_no_more_than_its_limit(self, table: Table, driver: ScriptedTable) -> None:
        list(table.query("p", limit=3))

        assert [call["limit"] for _, call in driver.calls] == [3, 1, 1]

    def test_a_query_never_asks_for_much_at_once(self, driver: ScriptedTable) -> None:
        list(connected(driver, max_page=10_000).query("p", limit=9_999))

        assert [call["limit"] for _, call in driver.calls] == [FETCHED_AT_ONCE]

    @pytest.mark.parametrize(
        ("options", "start", "stop"),
        [
            ({}, None, None),
            ({"prefix": "a"}, "a", "b"),
            ({"prefix": "a~"}, "a~", "a\u00a0"),
            ({"prefix": "\ud7ff"}, "\ud7ff", "\ue000"),
            ({"prefix": "\uffff"}, "\uffff", "\U00010000"),
            ({"prefix": "a\U0010ffff"}, "a\U0010ffff", "b"),
            ({"prefix": "\U0010ffff"}, "\U0010ffff", None),
            ({"start": "b"}, "b", None),
            ({"stop": "b"}, None, "b"),
            ({"prefix": "b", "start": "a", "stop": "z"}, "b", "c"),
            ({"prefix": "b", "start": "bb", "stop": "bc"}, "bb", "bc"),
            ({"start": ""}, "", None),
        ],
    )
    def test_a_prefix_becomes_bounds(
        self, table: Table, driver: ScriptedTable, options: Any, start: str | None, stop: str | None
    ) -> None:
        list(table.query("p", **options))

        assert [(call["start"], call["stop"]) for _, call in driver.calls] == [(start, stop)]

    @pytest.mark.parametrize(
        "options",
        [
            {"stop": ""},
            {"start": "b", "stop": "b"},
            {"start": "c", "stop": "b"},
            {"prefix": "a", "start": "b"},
            {"prefix": "b", "stop": "b"},
            {"prefix": "b", "stop": "a"},
        ],
    )
    def test_an_empty_range_is_no_call(self, table: Table, driver: ScriptedTable, options: Any) -> None:
        assert list(table.query("p", **options)) == []
        assert table.page("p", **options, limit=5) == Page([])
        assert driver.calls == []

    @pytest.mark.usefixtures("items")
    @pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
    @pytest.mark.parametrize("limit", [1, 2, 3, 5])
    def test_pages_are_full_and_together_are_the_query(self, table: Table, limit: int, reverse: bool) -> None:
        pages = [table.page("p", limit=limit, reverse=reverse)]
        while pages[-1].cursor is not None:
            pages.append(table.page("p", limit=limit, reverse=reverse, cursor=pages[-1].cursor))

        assert [len(page.items) for page in pages[:-1]] == [limit] * (len(pages) - 1)
        assert [item for page in pages for item in page.items] == list(table.query("p", reverse=reverse))

    @pytest.mark.usefixtures("items")
    @pytest.mark.parametrize(
        "other",
        [{"partition": "q"}, {"prefix": "0"}, {"start": "0"}, {"stop": "9"}, {"reverse": True}],
        ids=lambda other: next(iter(other)),
    )
    def test_a_cursor_belongs_to_its_query(self, table: Table, other: dict[str, Any]) -> None:
        cursor = table.page("p", limit=2).cursor

        with pytest.raises(InvalidArgument, match="belongs to another query"):
            table.page(**{"partition": "p", "limit": 2, "cursor": cursor, **other})

    @pytest.mark.usefixtures("items")
    def test_a_cursor_takes_another_limit(self, table: Table) -> None:
        cursor = table.page("p", limit=2).cursor

        assert [item.value for item in table.page("p", limit=5, cursor=cursor).items] == [4, 5, 7, 8, 10]

    @pytest.mark.usefixtures("items")
    def test_a_cursor_of_another_table_is_refused(self, table: Table, driver: ScriptedTable) -> None:
        cursor = table.page("p", limit=2).cursor
        connection = table._connection

        with pytest.raises(InvalidArgument, match="belongs to another query"):
            Table("others", lambda: connection).page("p", limit=2, cursor=cursor)

    @pytest.mark.usefixtures("items")
    def test_a_scan_reads_page_after_page(self, table: Table, driver: ScriptedTable) -> None:
        assert len(list(table.scan(segment=1, segments=3))) == 12
        assert [call["cursor"] for _, call in driver.calls] == [None, "5", "10"]
        assert {(call["segment"], call["segments"]) for _, call in driver.calls} == {(1, 3)}


class TestTransactions:
    def test_it_returns_the_items_and_none_for_a_deletion(self, table: Table) -> None:
        moment = datetime(2031, 1, 1, tzinfo=timezone.utc)
        done = table.transact("p", iter([Put("a", 1), Delete("b"), Create("c", 3, expires=moment)]))

        assert done == [Item("p", "a", 1, "1"), None, Item("p", "c", 3, "1", moment)]

    def test_no_operations_are_no_call(self, table: Table, driver: ScriptedTable) -> None:
        assert table.transact("p", []) == []
        assert driver.calls == []

    def test_moments_reach_the_driver_in_utc(self, table: Table, driver: ScriptedTable) -> None:
        table.transact("p", [Put("a", 1, expires=datetime(2031, 1, 1, 2, tzinfo=PLUS_2))])
        operation = driver.calls[0][1]["operations"][0]

        assert operation.expires == datetime(2031, 1, 1, tzinfo=timezone.utc)
        assert operation.expires.tzinfo is timezone.utc

    def test_a_time_from_now_is_a_moment_too(self, table: Table, driver: ScriptedTable) -> None:
        table.transact("p", [Create("a", 1, expires=timedelta(minutes=1))])
        operation = driver.calls[0][1]["operations"][0]

        assert operation.expires.timestamp() == NOW + 60

    def test_a_refusal_says_which_operation_and_why(self, table: Table, driver: ScriptedTable) -> None:
        driver.errors = [ServiceError(Conflict, [None, AlreadyExists, Conflict])]
        with pytest.raises(Conflict, match="transact 'p' in table entries: the service said no") as caught:
            table.transact("p", [Put("a", 1), Create("b", 2), Delete("c", if_version="1")])

        assert [type(reason) for reason in caught.value.reasons] == [type(None), AlreadyExists, Conflict]


class TestOpening:
    def test_a_table_is_opened_by_its_address(self, tmp_path: Any) -> None:
        table = Table.at("sqlite://entries", opening=Opening(data=str(tmp_path)))
        table.put("p", "s", 1)

        assert repr(table) == "Table('entries')"
        assert table.get("p", "s").value == 1

    def test_an_explicit_file_gives_the_name_too(self, tmp_path: Any) -> None:
        assert Table.at(f"sqlite://{tmp_path}/a.db?name=entries").name == "entries"

    @pytest.mark.parametrize(
        "address", ["entries", "nosuch://entries", "sqlite://user:password@entries", "s3://entries"]
    )
    def test_a_wrong_address_is_refused_at_once(self, address: str) -> None:
        with pytest.raises(InvalidArgument):
            Table.at(address)

    def test_the_driver_is_connected_on_first_use(self) -> None:
        table = Table("entries", lambda: pytest.fail("connected"))

        assert str(table) == "table entries"
