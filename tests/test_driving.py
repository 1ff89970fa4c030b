"""The one place where a driver is called: retries, the deadline, translated errors, and what observers see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest

from portable import _driving
from portable._driving import ATTEMPTS, Call, Connection, Resource, call, invocation, observe
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PortableError,
    Unavailable,
    Unsupported,
)
from portable_contracts.events import Context
from portable_contracts.kv import KVCapabilities, KVDriver
from portable_contracts.limits import PROFILE
from portable_contracts.provider import Address, Driver, Opening, Page


class Clock:
    """What `_driving` uses of the module `time`; sleeping moves it."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Missing(Exception):
    """As a service says it."""


class Busy(Exception):
    """As a service says it, with the seconds it asks for."""

    def __init__(self, asked: float | None = None) -> None:
        super().__init__("slow down")
        self.asked = asked


class Throttled(Busy):
    """As a service says it that has not even begun."""


class Shelf(Driver):
    """A driver of nothing, for its errors."""

    scheme = "shelf"

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> Shelf:
        return cls()

    def classify(self, error: Exception) -> type[PortableError]:
        kinds = {Missing: NotFound, Busy: Unavailable, Throttled: Unavailable, FileExistsError: Conflict}
        return kinds.get(type(error), PortableError)

    def retry_after(self, error: Exception) -> float | None:
        return error.asked if isinstance(error, Busy) else None

    def changed_nothing(self, error: Exception) -> bool:
        return isinstance(error, Throttled)

    def native(self) -> Any:
        return self


class Books(Resource):
    kind = "bucket"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_driving, "time", clock)
    return clock


@pytest.fixture
def deadline(clock: Clock) -> Iterator[Callable[[float], None]]:
    """Return what sets how many seconds the invocation has left."""
    tokens = []
    yield lambda left: tokens.append(invocation.set(Context("id", "main", "aws", clock.now + left)))
    for token in reversed(tokens):
        invocation.reset(token)


@pytest.fixture
def calls() -> Iterator[list[Call]]:
    seen: list[Call] = []
    stop = observe(seen.append)
    yield seen
    stop()


def books(driver: Any = None, capabilities: Any = None, owner: str = "target prod (aws)") -> Books:
    capabilities = capabilities or KVCapabilities()
    owners = dict.fromkeys(capabilities._fields, owner)
    return Books("photos", lambda: Connection(driver or Shelf(), capabilities, owners, Opening()))


def failing(*errors: Exception) -> Callable[[], str]:
    """Return a function that raises *errors*, one a call, and then gives `"done"`."""
    left = list(errors)

    def function() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return function


# Calls that succeed.


def test_a_call_gives_what_the_driver_gave() -> None:
    assert call(books(), "read", "'a'", True, lambda: b"body") == b"body"


def test_arguments_reach_the_driver() -> None:
    def read(start: int, *, stop: int) -> tuple[int, int]:
        return start, stop

    assert call(books(), "read", "'a'", True, read, 1, stop=2) == (1, 2)


def test_a_call_may_give_none() -> None:
    assert call(books(), "delete", "'a'", True, lambda: None) is None


# Retries.


def test_a_retryable_error_of_an_idempotent_call_is_retried(clock: Clock) -> None:
    assert call(books(), "read", "'a'", True, failing(Busy(), Busy())) == "done"


def test_a_call_that_may_not_be_done_twice_is_not_retried(clock: Clock) -> None:
    with pytest.raises(Unavailable):
        call(books(), "increment", "'a'", False, failing(Busy()))


def test_a_call_that_may_not_be_done_twice_is_retried_where_nothing_was_done(clock: Clock) -> None:
    assert call(books(), "increment", "'a'", False, failing(Throttled(), Throttled())) == "done"


def test_a_retry_where_nothing_was_done_may_end_in_doubt(clock: Clock) -> None:
    with pytest.raises(Unavailable):
        call(books(), "increment", "'a'", False, failing(Throttled(), Busy()))


def test_an_error_that_would_come_again_is_not_retried(clock: Clock) -> None:
    with pytest.raises(NotFound):
        call(books(), "read", "'a'", True, failing(Missing()))


def test_an_unknown_error_is_not_retried(clock: Clock) -> None:
    with pytest.raises(PortableError):
        call(books(), "read", "'a'", True, failing(ValueError()))


def test_an_error_after_a_retry_is_the_last_ones(clock: Clock) -> None:
    with pytest.raises(NotFound):
        call(books(), "read", "'a'", True, failing(Busy(), Missing()))


def test_the_last_allowed_attempt_may_succeed(clock: Clock) -> None:
    assert call(books(), "read", "'a'", True, failing(*[Busy()] * (ATTEMPTS - 1))) == "done"


def test_one_failure_more_is_raised(clock: Clock) -> None:
    with pytest.raises(Unavailable):
        call(books(), "read", "'a'", True, failing(*[Busy()] * ATTEMPTS))


def test_no_wait_follows_the_last_attempt(clock: Clock) -> None:
    with pytest.raises(Unavailable):
        call(books(), "read", "'a'", True, failing(*[Busy()] * ATTEMPTS))

    assert len(clock.slept) == ATTEMPTS - 1


def test_the_longest_possible_wait_doubles(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda least, most: most)
    call(books(), "read", "'a'", True, failing(Busy(), Busy(), Busy()))

    assert clock.slept == pytest.approx([0.1, 0.2, 0.4])


def test_waits_are_drawn_from_none_on(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda least, most: least)
    call(books(), "read", "'a'", True, failing(Busy()))

    assert clock.slept == [0]


def test_a_wait_that_the_service_asked_for_is_kept(clock: Clock) -> None:
    call(books(), "read", "'a'", True, failing(Busy(asked=7.5)))

    assert clock.slept == [7.5]


def test_a_service_that_asks_for_too_long_is_not_waited_for(clock: Clock) -> None:
    with pytest.raises(Unavailable):
        call(books(), "read", "'a'", True, failing(Busy(asked=61)))

    assert clock.slept == []


def test_a_portable_error_of_the_driver_is_retried_likewise(clock: Clock) -> None:
    assert call(books(), "read", "'a'", True, failing(Unavailable("try later"))) == "done"


# The invocation's deadline.


def test_a_wait_past_the_deadline_is_not_begun(clock: Clock, deadline: Callable[[float], None]) -> None:
    deadline(5)

    with pytest.raises(Unavailable):
        call(books(), "read", "'a'", True, failing(Busy(asked=5)))


def test_a_wait_within_the_deadline_is_kept(clock: Clock, deadline: Callable[[float], None]) -> None:
    deadline(5)

    assert call(books(), "read", "'a'", True, failing(Busy(asked=4))) == "done"


def test_the_deadline_counts_what_was_waited_before(clock: Clock, deadline: Callable[[float], None]) -> None:
    deadline(5)

    with pytest.raises(Unavailable):
        call(books(), "read", "'a'", True, failing(Busy(asked=3), Busy(asked=3)))


def test_without_an_invocation_there_is_no_deadline(clock: Clock) -> None:
    assert call(books(), "read", "'a'", True, failing(Busy(asked=60), Busy(asked=60), Busy(asked=60))) == "done"


# Errors in the words of portable.


def test_an_error_says_what_was_done_to_what_and_why() -> None:
    with pytest.raises(NotFound, match=r"^read 'a/b' in bucket photos: no such key$"):
        call(books(), "read", "'a/b'", True, failing(Missing("no such key")))


def test_an_error_of_no_single_key_names_the_resource() -> None:
    with pytest.raises(NotFound, match=r"^list in bucket photos: no such bucket$"):
        call(books(), "list", "", True, failing(Missing("no such bucket")))


def test_an_error_without_words_is_named_by_its_type() -> None:
    with pytest.raises(NotFound, match=r"^read 'a' in bucket photos: Missing$"):
        call(books(), "read", "'a'", True, failing(Missing()))


def test_a_driver_may_explain_an_error() -> None:
    class Helpful(Shelf):
        def explain(self, error: Exception) -> str:
            return "the disk is full: free some space"

    with pytest.raises(PortableError, match=r"in bucket photos: the disk is full: free some space$"):
        call(books(Helpful()), "write", "'a'", True, failing(OSError()))


def test_the_services_own_error_is_the_cause() -> None:
    own = Missing()
    with pytest.raises(NotFound) as caught:
        call(books(), "read", "'a'", True, failing(own))

    assert caught.value.__cause__ is own


def test_an_error_has_its_operation_and_resource() -> None:
    with pytest.raises(NotFound) as caught:
        call(books(), "read", "'a'", True, failing(Missing()))

    assert (caught.value.operation, caught.value.resource) == ("read", "bucket photos")


def test_a_portable_error_of_the_driver_is_raised_itself() -> None:
    own = InvalidArgument("the address names no account")
    with pytest.raises(InvalidArgument) as caught:
        call(books(), "read", "'a'", True, failing(own))

    assert caught.value is own


def test_a_portable_error_of_the_driver_keeps_its_cause() -> None:
    def read() -> None:
        raise InvalidArgument("not ours") from Missing()

    with pytest.raises(InvalidArgument) as caught:
        call(books(), "read", "'a'", True, read)

    assert isinstance(caught.value.__cause__, Missing)


def test_a_portable_error_of_the_driver_is_told_where_it_happened() -> None:
    with pytest.raises(InvalidArgument) as caught:
        call(books(), "read", "'a'", True, failing(InvalidArgument("not ours")))

    assert (caught.value.operation, caught.value.resource) == ("read", "bucket photos")


def test_a_portable_error_that_knows_where_it_happened_is_left_alone() -> None:
    own = InvalidArgument("not ours", operation="open", resource="bucket other")
    with pytest.raises(InvalidArgument) as caught:
        call(books(), "read", "'a'", True, failing(own))

    assert (caught.value.operation, caught.value.resource) == ("open", "bucket other")


def test_what_stops_the_process_is_not_translated() -> None:
    def read() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(books(), "read", "'a'", True, read)


# Why a transaction was refused.


class Ledger(KVDriver):
    """A table driver of nothing, for its reasons."""

    scheme = "ledger"
    capabilities: ClassVar[KVCapabilities] = KVCapabilities()

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> Ledger:
        return cls()

    def classify(self, error: Exception) -> type[PortableError]:
        return Conflict

    def reasons(self, error: Exception) -> list[type[PortableError] | None]:
        return list(error.args[0])

    def native(self) -> Any:
        return self

    def get(self, *args: Any, **kwargs: Any) -> Any: ...
    def get_batch(self, *args: Any, **kwargs: Any) -> Any: ...
    def put(self, *args: Any, **kwargs: Any) -> Any: ...
    def delete(self, *args: Any, **kwargs: Any) -> Any: ...
    def increment(self, *args: Any, **kwargs: Any) -> Any: ...
    def query_page(self, *args: Any, **kwargs: Any) -> Page[Any]: ...  # type: ignore[empty-body]  # never called
    def scan_page(self, *args: Any, **kwargs: Any) -> Page[Any]: ...  # type: ignore[empty-body]  # never called


class Accounts(Resource):
    kind = "table"


def refused(*reasons: type[PortableError] | None) -> Conflict:
    accounts = Accounts("accounts", lambda: Connection(Ledger(), Ledger.capabilities, {}, Opening()))
    with pytest.raises(Conflict) as caught:
        call(accounts, "transact", "'p'", True, failing(ValueError(reasons)))
    return caught.value


def test_a_conflict_tells_of_each_operation_why_it_was_refused() -> None:
    assert [type(reason) for reason in refused(None, AlreadyExists, Conflict).reasons] == [
        type(None), AlreadyExists, Conflict,
    ]  # fmt: skip


def test_a_reason_says_which_operation_it_is_of() -> None:
    assert str(refused(None, AlreadyExists).reasons[1]) == "operation 1 of transact 'p' in table accounts"


def test_a_conflict_whose_reasons_are_unknown_has_none() -> None:
    assert refused().reasons == ()


def test_a_conflict_of_another_contract_has_no_reasons() -> None:
    with pytest.raises(Conflict) as caught:
        call(books(), "write", "'a'", True, failing(FileExistsError()))

    assert caught.value.reasons == ()


# Observers.


def test_an_observer_sees_a_call_that_succeeded(clock: Clock, calls: list[Call]) -> None:
    call(books(), "read", "'a'", True, lambda: clock.sleep(2))

    assert calls == [Call("read", "bucket photos", 2.0, 1, None)]


def test_an_observer_sees_one_call_however_often_it_was_tried(clock: Clock, calls: list[Call]) -> None:
    call(books(), "read", "'a'", True, failing(Busy(asked=1), Busy(asked=2)))

    assert calls == [Call("read", "bucket photos", 3.0, 3, None)]


def test_an_observer_sees_a_call_that_failed(clock: Clock, calls: list[Call]) -> None:
    with pytest.raises(NotFound) as caught:
        call(books(), "read", "'a'", True, failing(Busy(asked=1), Missing()))

    assert calls == [Call("read", "bucket photos", 1.0, 2, caught.value)]


def test_an_observer_that_was_taken_off_sees_nothing_more() -> None:
    seen: list[Call] = []
    observe(seen.append)()
    call(books(), "read", "'a'", True, lambda: None)

    assert seen == []


def test_taking_an_observer_off_twice_is_no_error() -> None:
    stop = observe(lambda _: None)
    stop()

    stop()


def test_an_observer_may_take_itself_off_while_it_is_told(calls: list[Call]) -> None:
    stop = observe(lambda _: stop())
    call(books(), "read", "'a'", True, lambda: None)
    call(books(), "read", "'a'", True, lambda: None)

    assert len(calls) == 2


# What a resource says of itself.


def test_a_resource_connects_on_first_use_and_once() -> None:
    connected: list[Connection] = []

    def connect() -> Connection:
        connected.append(Connection(Shelf(), KVCapabilities(), {}, Opening()))
        return connected[-1]

    resource = Books("photos", connect)
    assert connected == []
    assert resource.native() is resource.native()
    assert len(connected) == 1


def test_a_capability_that_is_not_promised_is_unsupported_in_its_owners_name() -> None:
    with pytest.raises(Unsupported) as caught:
        books(capabilities=KVCapabilities(changes=False))._require("changes", "on_change")

    assert str(caught.value) == "on_change on bucket photos: target prod (aws) does not have 'changes'"


def test_a_promised_capability_may_be_used() -> None:
    books()._require("changes", "on_change")


@pytest.mark.parametrize(
    ("limit", "what", "said"),
    [
        ("max_item_bytes", "item", "item is 1,400,000 bytes; bucket photos on target prod (aws) allows 400,000"),
        ("max_depth", "depth", "depth is 1,400,000; bucket photos on target prod (aws) allows 20"),
    ],
)
def test_a_limit_is_told_with_its_unit_where_it_has_one(limit: str, what: str, said: str) -> None:
    assert str(books()._limit(limit, 1_400_000, what, "put")) == said


def test_a_limit_of_the_profile_is_told_as_that() -> None:
    error = books(owner=PROFILE)._limit("max_depth", 21, "depth", "put")

    assert str(error) == "depth is 21; the portable profile for bucket photos allows 20"


def test_a_limit_is_a_number_to_programs_too() -> None:
    error = books()._limit("max_depth", 21, "depth", "put")

    assert (error.limit, error.actual, error.allowed, error.owner, error.operation, error.resource) == (
        "max_depth", 21, 20, "target prod (aws)", "put", "bucket photos",
    )  # fmt: skip


def test_a_limit_past_is_an_argument_that_is_wrong() -> None:
    assert issubclass(LimitExceeded, (InvalidArgument, ValueError))
