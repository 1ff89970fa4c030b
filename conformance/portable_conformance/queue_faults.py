"""The queue contract over a wire that breaks: connections that are lost, refusals, throttles, lost answers."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from portable._driving import ATTEMPTS
from portable.queue import Queue
from portable_conformance import contract, needs, wired
from portable_conformance._queues import Leases, bodies, drain, seconds, take
from portable_conformance.counterparts.faults import LOST, RESET, cut, refusal
from portable_contracts.errors import PermissionDenied, PortableError, Timeout, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable_conformance.counterparts.faults import Fault, Proxy
    from portable_contracts.events import Message
    from portable_contracts.harness import Harness

pytestmark = contract("queue")

NEVER_CAME = [RESET, refusal(500), refusal(503), refusal(429)]
CAME = [LOST, refusal(500, forward=True)]
"""The service did what it was asked, and nobody was told."""
DOUBTFUL = (Unavailable, Timeout)


def each(faults: list[Fault]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("fault", faults, ids=lambda fault: fault.name.replace(" ", "-").replace(",", ""))


SETTLING: dict[str, Callable[[Message], None]] = {
    "ack": lambda message: message.ack(),
    "retry": lambda message: message.retry(seconds(0)),
    "extend": lambda message: message.extend(seconds(60)),
}
each_settling = pytest.mark.parametrize(
    "settle",
    [
        pytest.param(SETTLING["ack"], id="ack"),
        pytest.param(SETTLING["retry"], id="retry", marks=needs("retry_delay")),
        pytest.param(SETTLING["extend"], id="extend", marks=needs("extend")),
    ],
)


@pytest.fixture
def proxy(queue: Queue, proxy_to: Callable[[Queue], Proxy]) -> Proxy:
    return proxy_to(queue)


@pytest.fixture
def far(queue: Queue, proxy: Proxy, through: Callable[[Queue, Proxy], Queue]) -> Queue:
    """The queue over the proxy."""
    handle = through(queue, proxy)
    # Whatever a client asks first and once has been asked.
    handle.send(b"first")
    for message in take(handle):
        message.ack()
    proxy.clear()
    return handle


@pytest.fixture
def worded(harness: Harness, address_of: Callable[[Queue], str], queue: Queue) -> Callable[[str], Fault]:
    """Makes a refusal as the service words it."""
    return lambda reason: refusal(*harness.refusal(address_of(queue), reason))


@wired
class TestPassingFaults:
    @each(NEVER_CAME)
    def test_a_message_whose_sending_failed_once_comes_once(
        self, queue: Queue, far: Queue, proxy: Proxy, fault: Fault
    ) -> None:
        proxy.inject(fault)
        far.send(b"1")

        assert len(proxy.seen) > 1
        assert bodies(take(queue)) == [b"1"]

    @each(CAME)
    def test_a_message_whose_sending_was_not_confirmed_is_not_lost(
        self, queue: Queue, far: Queue, proxy: Proxy, fault: Fault
    ) -> None:
        proxy.inject(fault)
        far.send(b"1")

        assert set(drain(queue)) == {b"1"}

    @needs("dedup")
    @each(CAME)
    def test_with_a_dedup_key_it_comes_once(self, queue: Queue, far: Queue, proxy: Proxy, fault: Fault) -> None:
        proxy.inject(fault)
        far.send(b"1", dedup="key")

        assert drain(queue) == [b"1"]

    @each([*NEVER_CAME, *CAME])
    def test_of_many_messages_none_is_lost(self, queue: Queue, far: Queue, proxy: Proxy, fault: Fault) -> None:
        numbers = count()
        proxy.inject(fault, times=None, when=lambda request: next(numbers) % 2 == 0)
        outcomes = far.send_many([str(number).encode() for number in range(25)])
        proxy.clear()

        assert [outcome for outcome in outcomes if isinstance(outcome, PortableError)] == []
        found: list[bytes] = []
        for _ in range(4):
            found += drain(queue)
        assert set(found) == {str(number).encode() for number in range(25)}

    @each(NEVER_CAME)
    def test_a_receive_that_never_came_is_asked_again(
        self, queue: Queue, far: Queue, proxy: Proxy, fault: Fault
    ) -> None:
        queue.send(b"1")
        proxy.inject(fault)

        assert bodies(take(far)) == [b"1"]

    @pytest.mark.parametrize("fault", [LOST, cut(0), cut(20)], ids=["lost", "cut-0", "cut-20"])
    def test_a_message_whose_delivery_was_lost_comes_again_when_its_lease_ends(
        self, queue: Queue, far: Queue, proxy: Proxy, leases: Leases, fault: Fault
    ) -> None:
        queue.send(b"1")
        proxy.inject(fault)
        early = far.receive(1, **leases.options)
        if not early:
            leases.end()
            early = leases.take(far)

        assert bodies(early) == [b"1"]

    @each([*NEVER_CAME, *CAME])
    @each_settling
    def test_a_delivery_is_settled_though_it_failed_once(
        self, far: Queue, proxy: Proxy, fault: Fault, settle: Callable[[Message], None]
    ) -> None:
        far.send(b"1")
        (message,) = take(far)
        proxy.clear()
        proxy.inject(fault)
        settle(message)

        assert len(proxy.seen) > 1

    @each([*NEVER_CAME, *CAME])
    def test_many_are_acknowledged_though_it_failed_once(
        self, queue: Queue, far: Queue, proxy: Proxy, leases: Leases, fault: Fault
    ) -> None:
        far.send_many([b"1", b"2", b"3"])
        messages = take(far, 3)
        proxy.inject(fault)

        assert far.ack_many(messages) == [None] * len(messages)

    @pytest.mark.parametrize("reason", ["throttled", "failed"])
    def test_a_refusal_as_the_service_words_it_is_outlived(
        self, queue: Queue, far: Queue, proxy: Proxy, worded: Callable[[str], Fault], reason: str
    ) -> None:
        proxy.inject(worded(reason), times=ATTEMPTS - 1)
        far.send(b"1")
        proxy.inject(worded(reason))

        assert bodies(take(far)) == [b"1"]

    @pytest.mark.parametrize(
        "operation",
        [
            pytest.param(lambda queue: queue.send(b"1"), id="send"),
            pytest.param(lambda queue: queue.send_many([b"1", b"2"]), id="send-many"),
            pytest.param(lambda queue: queue.receive(), id="receive"),
        ],
    )
    def test_a_connection_that_the_service_closed_meanwhile_is_replaced(
        self, far: Queue, proxy: Proxy, operation: Callable[[Queue], Any]
    ) -> None:
        proxy.drop()

        operation(far)


@wired
class TestLastingFaults:
    def test_a_service_that_stays_away_is_unavailable(self, far: Queue, proxy: Proxy) -> None:
        proxy.inject(RESET, times=None)
        with pytest.raises(DOUBTFUL):
            far.send(b"1")

        # Once per attempt of ours: the service's own client adds none.
        assert len(proxy.seen) == ATTEMPTS

    def test_each_of_many_messages_is_told_that_the_service_stays_away(self, far: Queue, proxy: Proxy) -> None:
        proxy.inject(RESET, times=None)
        outcomes = far.send_many([b"1", b"2", b"3"])

        assert all(isinstance(outcome, DOUBTFUL) for outcome in outcomes)
        assert len(outcomes) == 3

    def test_what_cannot_be_reached_is_unavailable(self, far: Queue, proxy: Proxy) -> None:
        proxy.close()

        with pytest.raises(DOUBTFUL):
            far.receive()

    @pytest.mark.parametrize(
        "operation",
        [
            pytest.param(lambda queue: queue.send(b"1"), id="send"),
            pytest.param(lambda queue: queue.receive(), id="receive"),
        ],
    )
    def test_a_refusal_that_is_final_is_not_asked_for_again(
        self, far: Queue, proxy: Proxy, operation: Callable[[Queue], Any], worded: Callable[[str], Fault]
    ) -> None:
        proxy.inject(worded("denied"), times=None)
        with pytest.raises(PermissionDenied):
            operation(far)

        assert len(proxy.seen) == 1
