"""The blob contract over a wire that breaks: connections that are lost, refusals, bodies that are cut, lost answers."""

from __future__ import annotations

import hashlib
import time
from itertools import count
from typing import Any

import pytest

from portable._driving import ATTEMPTS
from portable.blob import Bucket
from portable_conformance import contract, needs, wired
from portable_conformance._bodies import MIB, pattern, patterned
from portable_conformance._buckets import alike, keys, names
from portable_conformance._threads import together
from portable_conformance.counterparts.faults import LOST, RESET, RESET_EARLY, cut, refusal, slow
from portable_contracts.blob import BlobInfo
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from portable_conformance.counterparts.faults import Fault, Proxy, Request
    from portable_contracts.harness import Harness

pytestmark = contract("bucket")

LARGE = 20 * MIB
"""A body of unknown length that no driver sends in one request."""
PASSING = [RESET, LOST, refusal(500), refusal(502), refusal(503), refusal(429), refusal(500, forward=True)]
"""What is over when it has happened once."""

each_fault = pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.name.replace(" ", "-"))
each_idempotent_operation = pytest.mark.parametrize(
    "operation",
    [
        pytest.param(lambda bucket: bucket.read("k"), id="read"),
        pytest.param(lambda bucket: bucket.info("k"), id="info"),
        pytest.param(lambda bucket: bucket.write("k", b"there"), id="write"),
        pytest.param(lambda bucket: bucket.write("k", [b"the", b"re"]), id="write-pieces"),
        pytest.param(lambda bucket: bucket.delete("other"), id="delete"),
        pytest.param(lambda bucket: bucket.delete_many(["other", "missing"]), id="delete-many"),
        pytest.param(lambda bucket: names(bucket.list()), id="list"),
        pytest.param(lambda bucket: bucket.copy("k", "other"), id="copy"),
    ],
)


@pytest.fixture
def proxy(bucket: Bucket, proxy_to: Callable[[Bucket], Proxy]) -> Proxy:
    return proxy_to(bucket)


@pytest.fixture
def distant(bucket: Bucket, proxy: Proxy, through: Callable[[Bucket, Proxy], Bucket]) -> Bucket:
    """The bucket, with an object "k" and one more, over the proxy."""
    bucket.write("k", b"there")
    bucket.write("other", b"another")
    handle = through(bucket, proxy)
    handle.read("k")  # Whatever a client asks first and once has been asked.
    proxy.clear()
    return handle


@pytest.fixture
def worded(harness: Harness, address_of: Callable[[Bucket], str], bucket: Bucket) -> Callable[[str], Fault]:
    """Makes a refusal as the service words it."""
    return lambda reason: refusal(*harness.refusal(address_of(bucket), reason))


def nth(number: int) -> Callable[[Request], bool]:
    """Hold of the request with this number, from 1."""
    numbers = count(1)
    return lambda request: next(numbers) == number


def with_a_large_body(request: Request) -> bool:
    return request.size < 0 or request.size >= MIB


def outcome_of(operation: Callable[[], Any]) -> Any:
    """Return what *operation* returns or raises."""
    try:
        return operation()
    except PortableError as error:
        return error


@wired
class TestPassingFaults:
    @each_fault
    @each_idempotent_operation
    def test_an_operation_that_may_be_repeated_outlives_one(
        self, distant: Bucket, proxy: Proxy, operation: Callable[[Bucket], object], fault: Fault
    ) -> None:
        proxy.inject(fault)
        operation(distant)

        assert proxy.seen[0].fault == fault.name
        assert len(proxy.seen) > 1
        assert distant.read("k") == b"there"

    @pytest.mark.parametrize("reason", ["throttled", "failed"])
    @each_idempotent_operation
    def test_a_refusal_as_the_service_words_it_is_outlived(
        self,
        distant: Bucket,
        proxy: Proxy,
        operation: Callable[[Bucket], object],
        worded: Callable[[str], Fault],
        reason: str,
    ) -> None:
        proxy.inject(worded(reason))
        operation(distant)

        assert len(proxy.seen) > 1

    def test_what_a_repeated_write_wrote_is_there_once_and_whole(self, distant: Bucket, proxy: Proxy) -> None:
        proxy.inject(LOST)
        info = distant.write("new", b"body", content_type="text/html", metadata={"a": "ü"})

        assert alike(distant.info("new"), info)
        assert distant.read("new") == b"body"
        assert keys(distant) == ["k", "new", "other"]

    def test_a_repeated_delete_succeeds(self, distant: Bucket, proxy: Proxy) -> None:
        proxy.inject(LOST)
        distant.delete("k")

        assert keys(distant) == ["other"]

    def test_a_repeated_delete_of_many_succeeds(self, distant: Bucket, proxy: Proxy) -> None:
        proxy.inject(LOST)
        distant.delete_many(["k", "other"])

        assert keys(distant) == []

    def test_a_repeated_copy_is_whole(self, distant: Bucket, proxy: Proxy) -> None:
        proxy.inject(LOST)
        copied = distant.copy("k", "copy")

        assert distant.read("copy") == b"there"
        assert alike(distant.info("copy"), copied)

    def test_a_listing_whose_every_page_fails_once_is_whole(self, distant: Bucket, proxy: Proxy) -> None:
        numbers = count()
        proxy.inject(RESET, times=None, when=lambda request: next(numbers) % 2 == 0)
        listed, cursor = [], None
        while True:
            page = distant.page(limit=1, cursor=cursor)
            listed += names(page.items)
            cursor = page.cursor
            if cursor is None:
                break

        assert listed == ["k", "other"]

    @pytest.mark.parametrize("fault", [RESET, RESET_EARLY, LOST], ids=lambda fault: fault.name.replace(" ", "-"))
    def test_a_write_of_many_bytes_at_hand_outlives_one(self, distant: Bucket, proxy: Proxy, fault: Fault) -> None:
        proxy.inject(fault, when=with_a_large_body)
        distant.write("large", pattern(9 * MIB))

        assert fault.name in [request.fault for request in proxy.seen]
        assert distant.read("large") == pattern(9 * MIB)

    def test_threads_that_share_a_handle_outlive_theirs(self, distant: Bucket, proxy: Proxy) -> None:
        numbers = count()
        # Fewer faults than attempts: no call can meet too many of them.
        proxy.inject(RESET, times=ATTEMPTS - 1, when=lambda request: next(numbers) % 5 == 3)

        assert together(8, lambda number: [distant.read("k") for _ in range(4)]) == [[b"there"] * 4] * 8

    @pytest.mark.parametrize(
        "operation",
        [
            pytest.param(lambda bucket: bucket.read("k"), id="read"),
            pytest.param(lambda bucket: bucket.write("k", b"there"), id="write"),
            pytest.param(lambda bucket: bucket.write("k", pattern(2 * MIB)), id="large-write"),
            pytest.param(lambda bucket: list(bucket.list()), id="list"),
            pytest.param(lambda bucket: bucket.create("new", b"1"), id="create", marks=needs("create")),
        ],
    )
    def test_a_connection_that_the_service_closed_meanwhile_is_replaced(
        self, distant: Bucket, proxy: Proxy, operation: Callable[[Bucket], object]
    ) -> None:
        proxy.drop()

        operation(distant)


@wired
class TestLastingFaults:
    @each_idempotent_operation
    def test_a_service_that_stays_away_is_unavailable(
        self, distant: Bucket, proxy: Proxy, operation: Callable[[Bucket], object]
    ) -> None:
        proxy.inject(RESET, times=None)
        with pytest.raises((Unavailable, Timeout)):
            operation(distant)

        # Once per attempt of ours: the service's own client adds none.
        assert len(proxy.seen) == ATTEMPTS

    @pytest.mark.parametrize("status", [500, 503, 429])
    def test_a_service_that_goes_on_refusing_is_unavailable(self, distant: Bucket, proxy: Proxy, status: int) -> None:
        proxy.inject(refusal(status), times=None)
        with pytest.raises(Unavailable):
            distant.info("k")

        assert len(proxy.seen) == ATTEMPTS

    def test_what_cannot_be_reached_is_unavailable(self, distant: Bucket, proxy: Proxy) -> None:
        proxy.close()

        with pytest.raises((Unavailable, Timeout)):
            distant.read("k")

    @each_idempotent_operation
    def test_a_refusal_that_is_final_is_not_asked_for_again(
        self,
        distant: Bucket,
        proxy: Proxy,
        operation: Callable[[Bucket], object],
        worded: Callable[[str], Fault],
    ) -> None:
        proxy.inject(worded("denied"), times=None)
        with pytest.raises(PermissionDenied):
            operation(distant)

        assert len(proxy.seen) == 1

    def test_an_error_names_the_operation_and_the_key(self, distant: Bucket, proxy: Proxy) -> None:
        proxy.inject(RESET, times=None)

        with pytest.raises((Unavailable, Timeout), match="read 'k' in bucket"):
            distant.read("k")


@wired
class TestWaiting:
    @pytest.mark.slow
    @pytest.mark.parametrize("status", [503, 429])
    def test_the_service_is_left_alone_as_long_as_it_asks(self, distant: Bucket, proxy: Proxy, status: int) -> None:
        proxy.inject(refusal(status, {"Retry-After": "1"}))
        distant.read("k")
        refused, asked_again = proxy.seen[:2]

        assert asked_again.at - refused.at >= 0.99

    def test_nobody_waits_an_hour_because_the_service_asks(self, distant: Bucket, proxy: Proxy) -> None:
        proxy.inject(refusal(503, {"Retry-After": "3600"}), times=None)
        began = time.monotonic()
        with pytest.raises(Unavailable):
            distant.read("k")

        assert time.monotonic() - began < 30
        assert len(proxy.seen) == 1


@wired
class TestLostAnswers:
    """What was done once may not be repeated: the caller learns that nobody knows, never something that is not so."""

    @needs("create")
    @pytest.mark.parametrize("fault", [LOST, refusal(500, forward=True)], ids=["reset", "500"])
    @pytest.mark.parametrize("size", [4, LARGE])
    def test_a_create_does_not_find_its_own_object(
        self, distant: Bucket, proxy: Proxy, fault: Fault, size: int
    ) -> None:
        proxy.inject(fault, when=_last_of_a_write(size))
        outcome = outcome_of(lambda: distant.create("new", pattern(size) if size < MIB else patterned(size)))

        assert isinstance(outcome, (BlobInfo, Unavailable, Timeout))
        assert fault.name in [request.fault for request in proxy.seen]
        assert distant.read("new") == pattern(size)

    @needs("create")
    @pytest.mark.parametrize("fault", [RESET, refusal(503)], ids=["reset", "503"])
    def test_a_create_that_never_came_does_not_say_that_there_is_one(
        self, distant: Bucket, proxy: Proxy, fault: Fault
    ) -> None:
        proxy.inject(fault)
        outcome = outcome_of(lambda: distant.create("new", b"mine"))

        assert isinstance(outcome, (BlobInfo, Unavailable, Timeout))
        assert distant.exists("new") == isinstance(outcome, BlobInfo)

    @needs("create")
    def test_a_create_over_another_object_says_so_once_it_is_asked(self, distant: Bucket, proxy: Proxy) -> None:
        proxy.inject(RESET)
        outcome_of(lambda: distant.create("k", b"mine"))

        with pytest.raises(AlreadyExists):
            distant.create("k", b"mine")
        assert distant.read("k") == b"there"

    @needs("if_version")
    @pytest.mark.parametrize("fault", [LOST, refusal(500, forward=True)], ids=["reset", "500"])
    def test_a_guarded_write_does_not_conflict_with_itself(self, distant: Bucket, proxy: Proxy, fault: Fault) -> None:
        version = distant.info("k").version
        proxy.clear()
        proxy.inject(fault)
        outcome = outcome_of(lambda: distant.write("k", b"mine", if_version=version))

        assert isinstance(outcome, (BlobInfo, Unavailable, Timeout))
        assert distant.read("k") == b"mine"

    @needs("delete_if_version")
    def test_a_guarded_delete_does_not_conflict_with_itself(self, distant: Bucket, proxy: Proxy) -> None:
        version = distant.info("k").version
        proxy.clear()
        proxy.inject(LOST)
        outcome = outcome_of(lambda: distant.delete("k", if_version=version))

        assert outcome is None or isinstance(outcome, (Unavailable, Timeout))
        assert not distant.exists("k")


@wired
class TestBrokenStreams:
    @pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
    @pytest.mark.parametrize("after", [0, 1, 4])
    def test_a_small_object_that_is_cut_is_read_whole(
        self, distant: Bucket, proxy: Proxy, after: int, reset: bool
    ) -> None:
        proxy.inject(cut(after, reset=reset))

        assert distant.read("k") == b"there"

    @pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
    def test_a_large_object_that_is_cut_is_read_on_from_there(
        self, bucket: Bucket, distant: Bucket, proxy: Proxy, reset: bool
    ) -> None:
        bucket.write("large", pattern(12 * MIB))
        proxy.inject(cut(3 * MIB + 17, reset=reset))
        with distant.open("large") as stream:
            found = hashlib.sha256(b"".join(stream)).digest()

        assert found == hashlib.sha256(pattern(12 * MIB)).digest()
        assert _begins_later(proxy.seen[-1])

    def test_an_object_that_is_cut_again_and_again_is_read_whole(
        self, bucket: Bucket, distant: Bucket, proxy: Proxy
    ) -> None:
        bucket.write("large", pattern(6 * MIB))
        proxy.inject(cut(MIB + 1), times=5)

        assert distant.read("large") == pattern(6 * MIB)

    @pytest.mark.parametrize(("start", "stop"), [(1, None), (100_000, 2_500_001), (0, 2 * MIB)])
    def test_a_part_that_is_cut_is_read_whole(
        self, bucket: Bucket, distant: Bucket, proxy: Proxy, start: int, stop: int | None
    ) -> None:
        bucket.write("large", pattern(3 * MIB))
        proxy.inject(cut(MIB // 2))
        with distant.open("large", start=start, stop=stop) as stream:
            assert stream.read() == pattern(3 * MIB)[start:stop]

    @pytest.mark.parametrize("fault", [RESET, refusal(503)], ids=["reset", "503"])
    def test_a_stream_outlives_a_fault_when_it_goes_on(
        self, bucket: Bucket, distant: Bucket, proxy: Proxy, fault: Fault
    ) -> None:
        bucket.write("large", pattern(3 * MIB))
        proxy.inject(cut(MIB))
        proxy.inject(fault)

        assert distant.read("large") == pattern(3 * MIB)

    def test_a_body_that_comes_slowly_comes_whole(self, bucket: Bucket, distant: Bucket, proxy: Proxy) -> None:
        bucket.write("large", pattern(MIB))
        proxy.inject(slow(0.1))

        assert distant.read("large") == pattern(MIB)

    @pytest.mark.parametrize("change", ["written", "deleted"])
    def test_a_stream_never_goes_on_in_another_version(
        self, bucket: Bucket, distant: Bucket, proxy: Proxy, change: str
    ) -> None:
        bucket.write("large", pattern(12 * MIB))
        proxy.inject(cut(5 * MIB))
        got = bytearray()
        with distant.open("large") as stream:
            got += stream.read(1)
            if change == "written":
                bucket.write("large", b"x" * (12 * MIB))
            else:
                bucket.delete("large")
            with pytest.raises((Conflict, NotFound)):
                _read_into(got, stream)

        assert pattern(12 * MIB).startswith(got)

    def test_a_stream_whose_service_stays_away_is_unavailable(
        self, bucket: Bucket, distant: Bucket, proxy: Proxy
    ) -> None:
        bucket.write("large", pattern(12 * MIB))
        proxy.inject(cut(MIB))
        proxy.inject(RESET, times=None)

        # A client that takes the first piece while it opens the object meets it there.
        with pytest.raises((Unavailable, Timeout)), distant.open("large") as stream:
            b"".join(stream)


@wired
class TestBrokenUploads:
    @pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
    @pytest.mark.parametrize("fault", [RESET, LOST, refusal(503)], ids=lambda fault: fault.name)
    def test_a_body_that_can_start_again_is_written_whole_whichever_request_fails(
        self,
        distant: Bucket,
        proxy: Proxy,
        harness: Harness,
        address_of: Callable[[Bucket], str],
        fault: Fault,
        number: int,
    ) -> None:
        proxy.inject(fault, when=nth(number))
        info = distant.write("large", list(patterned(LARGE)))

        assert (info.size, distant.read("large")) == (LARGE, pattern(LARGE))
        assert list(harness.leftovers(address_of(distant))) == []

    @pytest.mark.parametrize("number", [2, 4])
    def test_a_body_that_cannot_start_again_is_written_whole_or_not_at_all(
        self, distant: Bucket, proxy: Proxy, harness: Harness, address_of: Callable[[Bucket], str], number: int
    ) -> None:
        proxy.inject(RESET, when=nth(number))
        outcome = outcome_of(lambda: distant.write("k", patterned(LARGE)))

        assert isinstance(outcome, (BlobInfo, Unavailable, Timeout))
        assert distant.read("k") == (pattern(LARGE) if isinstance(outcome, BlobInfo) else b"there")
        assert list(harness.leftovers(address_of(distant))) == []

    @pytest.mark.parametrize("passing", [0, 1])
    @pytest.mark.parametrize("fault", [RESET, RESET_EARLY, refusal(503)], ids=lambda fault: fault.name)
    def test_an_upload_that_fails_leaves_what_was_there_and_no_parts(
        self,
        distant: Bucket,
        proxy: Proxy,
        harness: Harness,
        address_of: Callable[[Bucket], str],
        fault: Fault,
        passing: int,
    ) -> None:
        large = count()
        proxy.inject(fault, times=None, when=lambda request: with_a_large_body(request) and next(large) >= passing)
        with pytest.raises((Unavailable, Timeout)):
            distant.write("k", patterned(LARGE))

        assert distant.read("k") == b"there"
        assert list(harness.leftovers(address_of(distant))) == []

    @pytest.mark.slow
    def test_uploads_side_by_side_each_fail_or_succeed_on_their_own(
        self, distant: Bucket, proxy: Proxy, harness: Harness, address_of: Callable[[Bucket], str]
    ) -> None:
        numbers = count(1)
        proxy.inject(RESET, times=3, when=lambda request: with_a_large_body(request) and next(numbers) % 3 == 0)
        outcomes = together(4, lambda number: outcome_of(lambda: distant.write(f"u{number}", patterned(LARGE))))

        assert {type(outcome) for outcome in outcomes} <= {BlobInfo, Unavailable, Timeout}
        written = [f"u{number}" for number, outcome in enumerate(outcomes) if isinstance(outcome, BlobInfo)]
        assert keys(distant) == ["k", "other", *written]
        assert list(harness.leftovers(address_of(distant))) == []


def _last_of_a_write(size: int) -> Callable[[Request], bool]:
    """Hold of the request by which a new object of this size comes to be: the one that ends an upload in parts."""
    if size < MIB:
        return lambda request: True
    parts = False

    def last(request: Request) -> bool:
        nonlocal parts
        large = with_a_large_body(request)
        parts = parts or large
        total = request.headers.get("content-range", "").rpartition("/")[2]
        return total.isdigit() if large else parts

    return last


def _read_into(got: bytearray, stream: Iterable[bytes]) -> None:
    for chunk in stream:
        got += chunk


def _begins_later(request: Request) -> bool:
    asked = request.headers.get("range") or request.headers.get("x-ms-range") or ""
    return asked.startswith("bytes=") and not asked.startswith("bytes=0-")
