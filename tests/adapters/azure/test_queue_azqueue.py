"""Queues in Azure Queue Storage: what the conformance suite cannot say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseTimeoutError

from portable.queue import Queue
from portable_azure._envelope import pack, unpack
from portable_azure.harness import AzureHarness
from portable_azure.queue import AzureQueue
from portable_conformance.counterparts.faults import LOST, Proxy
from portable_contracts.errors import (
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
)
from portable_contracts.harness import MissingCounterpart
from portable_contracts.provider import Address, Opening

driver = AzureQueue.from_address(Address.parse("azqueue://thumbs?account=acme"), Opening())


def answered(status: int, code: str = "") -> HttpResponseError:
    error = HttpResponseError("It failed.")
    error.status_code = status
    error.error_code = code  # type: ignore[attr-defined]  # as the SDK sets it
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (answered(404, "QueueNotFound"), NotFound),
        (answered(404, "MessageNotFound"), NotFound),
        (answered(400, "PopReceiptMismatch"), NotFound),
        (answered(409, "QueueBeingDeleted"), Unavailable),
        (answered(403, "QueueDisabled"), PermissionDenied),
        (answered(403, "AuthenticationFailed"), PermissionDenied),
        (answered(413, "RequestBodyTooLarge"), InvalidArgument),
        (answered(503, "ServerBusy"), Unavailable),
        (answered(200), Unavailable),
        (answered(418), PortableError),
        (ServiceRequestError("refused"), Unavailable),
        (ServiceResponseTimeoutError("late"), Timeout),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_error_is_one_of_ours(error: Exception, kind: type[PortableError]) -> None:
    assert driver.classify(error) is kind


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"max_attempts": 5}, "go together"),
        ({"dead_letter": "azqueue://dead"}, "go together"),
        ({"max_attempts": 0, "dead_letter": "azqueue://dead"}, "1 or more"),
        ({"max_attempts": 5, "dead_letter": "azqueue://thumbs?account=acme"}, "name another"),
        ({"max_attempts": 5, "dead_letter": "sqs://dead"}, "name another"),
        ({"max_attempt": 5}, "unknown option 'max_attempt'"),
    ],
    ids=str,
)
def test_wrong_options_say_what_is_wrong(options: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        AzureQueue.from_address(Address.parse("azqueue://thumbs?account=acme"), Opening(options=options))


@pytest.mark.parametrize(
    "attributes", [{"a": ""}, {"a": '"\\\\"', "b": "\x00\n\x1f\x7f"}, {"a": "é😀\u2028"}, {"x.y-Z_0": "1"}], ids=ascii
)
def test_attributes_come_back_from_in_front_of_the_body(attributes: dict[str, str]) -> None:
    assert unpack(pack(b"\x00body", attributes)) == (b"\x00body", attributes)


@pytest.fixture
def address() -> Iterator[str]:
    with AzureHarness() as harness:
        try:
            made = harness.create("queue", "azqueue", {})
        except MissingCounterpart as missing:
            pytest.skip(str(missing))
        yield made
        harness.destroy(made)


@pytest.fixture
def queue(address: str) -> Queue:
    return Queue.at(address)


@pytest.fixture
def proxy(address: str) -> Iterator[Proxy]:
    upstream = AzureHarness().upstream(address)
    assert upstream is not None
    with Proxy(*upstream) as made:
        yield made


@pytest.fixture
def far(address: str, proxy: Proxy) -> Queue:
    return Queue.at(AzureHarness().through(address, proxy.host, proxy.port))


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("hello", b"hello"),
        ('{"key": "a b"}', b'{"key": "a b"}'),
        ("aGVsbG8=", b"hello"),
        ("aGVsbG8", b"aGVsbG8"),
        ("é <&>", "é <&>".encode()),
    ],
)
def test_messages_of_other_programs_are_read(queue: Queue, text: str, body: bytes) -> None:
    queue.native().send_message(text)
    (message,) = queue.receive(1)

    assert (message.body, message.attributes) == (body, {})


def test_a_message_without_attributes_is_what_others_send(queue: Queue) -> None:
    queue.send(b"hello")

    assert queue.native().receive_message().content == "aGVsbG8="


def test_messages_live_until_they_are_acknowledged(queue: Queue) -> None:
    queue.send(b"hello")

    assert queue.native().receive_message().expires_on.year == 9999


def test_what_attributes_leave_no_room_for_is_refused_before_it_is_sent(far: Queue, proxy: Proxy) -> None:
    with pytest.raises(LimitExceeded, match="body and attributes are 49,"):
        far.send(bytes(49_152 - 10), attributes={"a": "1"})

    assert proxy.seen == []


@pytest.mark.parametrize(
    ("operation", "methods"),
    [
        (lambda queue: queue.send(b"1"), ["POST"]),
        (lambda queue: queue.receive(10), ["GET"]),
        (lambda queue: queue.receive(1)[0].ack(), ["GET", "DELETE"]),
        (lambda queue: queue.receive(1)[0].retry(), ["GET", "PUT"]),
        (lambda queue: queue.receive(1)[0].extend(timedelta(minutes=1)), ["GET", "PUT"]),
    ],
    ids=["send", "receive", "ack", "retry", "extend"],
)
def test_each_operation_makes_one_request(
    far: Queue, proxy: Proxy, operation: Callable[[Queue], Any], methods: list[str]
) -> None:
    far.send(b"0")
    proxy.clear()
    operation(far)

    assert [request.method for request in proxy.seen] == methods


def test_an_extension_whose_answer_was_lost_lasts_though_nobody_can_settle_the_message(
    far: Queue, queue: Queue, proxy: Proxy
) -> None:
    far.send(b"1")
    (message,) = far.receive(1, lease=timedelta(seconds=10))
    proxy.inject(LOST, when=lambda request: request.method == "PUT")
    message.extend(timedelta(minutes=5))
    message.ack()

    assert queue.receive(1) == []
    assert queue.native().get_queue_properties().approximate_message_count == 1
