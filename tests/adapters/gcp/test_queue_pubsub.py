"""Queues in Pub/Sub: what the conformance suite cannot say of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from google.api_core import exceptions as google_errors

from portable.queue import Queue
from portable_conformance.counterparts.faults import Proxy
from portable_contracts.errors import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
)
from portable_contracts.harness import MissingCounterpart
from portable_contracts.provider import Address, Opening
from portable_gcp._pubsub_messages import read, written
from portable_gcp.events import PubSubPush
from portable_gcp.harness import GcpHarness
from portable_gcp.queue import PubSubQueue

driver = PubSubQueue.from_address(Address.parse("pubsub://thumbs?project=acme"), Opening())


@pytest.fixture(scope="module")
def harness() -> Iterator[GcpHarness]:
    with GcpHarness() as harness:
        yield harness


@pytest.fixture
def address(harness: GcpHarness) -> Iterator[str]:
    try:
        made = harness.create("queue", "pubsub", {})
    except MissingCounterpart as missing:
        pytest.skip(str(missing))
    yield made
    harness.destroy(made)


@pytest.fixture
def queue(harness: GcpHarness, address: str) -> Queue:
    return Queue.at(address, opening=harness.opening({}))


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (google_errors.NotFound("Resource not found (resource=thumbs)."), NotFound),
            (google_errors.PermissionDenied("User not authorized."), PermissionDenied),
            (google_errors.Unauthenticated("x"), PermissionDenied),
            (google_errors.ResourceExhausted("Quota exceeded."), Unavailable),
            (google_errors.ServiceUnavailable("x"), Unavailable),
            (google_errors.InternalServerError("x"), Unavailable),
            (google_errors.DeadlineExceeded("x"), Timeout),
            (google_errors.InvalidArgument("x"), InvalidArgument),
            (google_errors.FailedPrecondition("x"), PortableError),
        ],
        ids=repr,
    )
    def test_errors_of_the_sdk_are_classified(self, error: Exception, kind: type[PortableError]) -> None:
        assert driver.classify(error) is kind

    def test_a_server_that_is_not_there_is_unavailable(self) -> None:
        with pytest.raises(Unavailable):
            Queue.at("pubsub://thumbs?project=acme&endpoint=http://127.0.0.1:1").send(b"1")


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "pubsub://",
            "pubsub://ab",
            "pubsub://1st-queue",
            "pubsub://google-queue",
            "pubsub://thumbs/worker",
            "pubsub://thumbs?subscription=a b c",
            "pubsub://thumbs?endpoint=127.0.0.1:8085",
        ],
    )
    def test_a_wrong_address_is_refused(self, address: str) -> None:
        with pytest.raises(InvalidArgument):
            PubSubQueue.from_address(Address.parse(address), Opening())

    def test_an_unknown_parameter_is_refused_with_the_nearest_one(self) -> None:
        with pytest.raises(InvalidArgument, match="'subscription'"):
            PubSubQueue.from_address(Address.parse("pubsub://thumbs?subscripton=worker"), Opening())

    def test_a_subscription_may_have_another_name(self, queue: Queue, address: str) -> None:
        name = Address.parse(address).name
        topic, other = (f"projects/portable-conformance/{kind}" for kind in (f"topics/{name}", "subscriptions/other"))
        queue.native().subscriber.create_subscription(name=other, topic=topic)
        try:
            queue.send(b"1")
            (message,) = Queue.at(f"{address}&subscription=other").receive(wait=timedelta(seconds=2))
        finally:
            queue.native().subscriber.delete_subscription(subscription=other)

        assert message.body == b"1"


class TestAttributes:
    @pytest.mark.parametrize(
        ("attributes", "count"),
        [
            ({"a": "1", "b": ""}, 2),
            ({"a": "x" * 1024}, 1),
            ({"a": "x" * 1025}, 2),
            ({"a": "é" * 2000, "b": "😀" * 500}, 6),
            ({"a": "x" * 1023 + "é"}, 2),
        ],
        ids=lambda value: str(value)[:20],
    )
    def test_long_values_go_on_in_another_attribute(self, attributes: dict[str, str], count: int) -> None:
        sent = written(attributes, b"body")

        assert len(sent) == count
        assert max(len(value.encode()) for value in sent.values()) <= 1024
        assert read(sent) == attributes

    def test_a_message_of_nothing_has_an_attribute_that_nobody_sees(self) -> None:
        assert len(written({}, b"")) == 1
        assert read(written({}, b"")) == {}

    def test_attributes_of_other_senders_stay_as_they_are(self) -> None:
        assert read({"a~1": "x", "~b": "y", "c~": "z"}) == {"a~1": "x", "~b": "y", "c~": "z"}

    def test_a_pushed_message_is_read_likewise(self) -> None:
        message = {"data": "", "messageId": "1", "attributes": written({"a": "x" * 3000}, b"")}
        document = {"message": message, "subscription": "projects/acme/subscriptions/thumbs"}
        (event,) = PubSubPush().decode(document, None)

        assert event.attributes == {"a": "x" * 3000}

    @pytest.mark.parametrize("name", ["x" * 251, "googclient"], ids=["long", "google's own"])
    def test_a_name_that_the_service_refuses_stops_no_other_message(self, queue: Queue, name: str) -> None:
        from portable import Send

        outcomes = queue.send_many([b"1", Send(b"2", attributes={name: "x"}), b"3"])

        assert [type(outcome) for outcome in outcomes] == [str, InvalidArgument, str]


CALLS: dict[str, tuple[Callable[[Queue], Any], list[str]]] = {
    "send": (lambda queue: queue.send(b"2"), ["Publish"]),
    "send_many": (lambda queue: queue.send_many([b"x"] * 1000), ["Publish"]),
    "receive for the subscription's lease": (
        lambda queue: queue.receive(lease=timedelta(seconds=10)),
        ["Pull"],
    ),
    "receive": (lambda queue: queue.receive(), ["Pull", "ModifyAckDeadline"]),
    "ack": (
        lambda queue: queue.receive(lease=timedelta(seconds=10))[0].ack(),
        ["Pull", "Acknowledge"],
    ),
    "ack_many": (
        lambda queue: queue.ack_many(queue.receive(10, lease=timedelta(seconds=10))),
        ["Pull", "Acknowledge"],
    ),
    "extend": (
        lambda queue: queue.receive(lease=timedelta(seconds=10))[0].extend(timedelta(seconds=60)),
        ["Pull", "ModifyAckDeadline"],
    ),
}


class TestRequests:
    @pytest.mark.parametrize(("call", "methods"), CALLS.values(), ids=CALLS)
    def test_a_call_makes_as_few_requests_as_there_can_be(
        self, harness: GcpHarness, address: str, call: Callable[[Queue], Any], methods: list[str]
    ) -> None:
        upstream = harness.upstream(address)
        assert upstream is not None
        with Proxy(*upstream) as proxy:
            queue = Queue.at(harness.through(address, proxy.host, proxy.port), opening=harness.opening({}))
            queue.receive()  # What the subscription's lease is, is asked for once.
            queue.send(b"1")
            proxy.clear()
            call(queue)

            assert [request.target.rpartition("/")[2] for request in proxy.seen] == methods

    def test_a_late_acknowledgement_asks_for_nothing(self, harness: GcpHarness, address: str) -> None:
        upstream = harness.upstream(address)
        assert upstream is not None
        with Proxy(*upstream) as proxy:
            queue = Queue.at(harness.through(address, proxy.host, proxy.port), opening=harness.opening({}))
            queue.send(b"1")
            (message,) = queue.receive(lease=timedelta(seconds=10))
            harness.pass_time(11)
            proxy.clear()
            message.ack()

            assert proxy.seen == []


FORKING = """
import os, sys
from portable.queue import Queue
queue = Queue.at(sys.argv[1])
queue.send(b"parent")
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        queue.send(f"child {number}")
        os._exit(0)
    children.append(child)
print([os.waitpid(child, 0)[1] for child in children])
"""


class TestProcesses:
    @pytest.mark.slow
    def test_children_of_a_process_that_used_a_queue_use_it_too(self, queue: Queue, address: str) -> None:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FORKING, address],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )

        assert done.stdout == "[0, 0, 0, 0]\n"
        assert sorted(message.text for message in queue.receive(10, wait=timedelta(seconds=2))) == [
            *(f"child {number}" for number in range(4)),
            "parent",
        ]

    @pytest.mark.slow
    def test_an_emulator_that_the_environment_names_is_used(self, address: str) -> None:
        parsed = Address.parse(address)
        program = f"from portable.queue import Queue; Queue.at('pubsub://{parsed.name}').send(b'1')"
        environment = {
            **os.environ,
            "PUBSUB_EMULATOR_HOST": parsed.parameters["endpoint"].removeprefix("http://"),
            "GOOGLE_CLOUD_PROJECT": parsed.parameters["project"],
        }
        subprocess.run([sys.executable, "-c", program], env=environment, check=True)
        (message,) = Queue.at(address).receive(wait=timedelta(seconds=2))

        assert message.body == b"1"
