"""The queue contract: what is sent is received as it was sent, until it is acknowledged."""

from __future__ import annotations

import random
from typing import Any

import pytest

from portable import Send, registry
from portable.queue import Queue
from portable_conformance import contract, needs, without
from portable_conformance._drivers import DriverPromises
from portable_conformance._queues import bodies, drain, sent_and_received, take
from portable_contracts.errors import InvalidArgument, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable_contracts.harness import Harness
    from portable_contracts.provider import Provider
    from portable_contracts.queue import QueueCapabilities, QueueDriver

pytestmark = contract("queue")

BODIES = {
    "no bytes": b"",
    "one byte": b"a",
    "a zero byte": b"\x00",
    "every byte": bytes(range(256)),
    "bytes that are not UTF-8": b"\xff\xfe\x80\xc3(",
    "control characters that XML does not have": bytes(range(9)) + b"\x0b\x0c\x0e\x1b",
    "line ends": b"a\r\nb\rc\nd\n",
    "spaces around": b"  a  ",
    "text of every plane": "é \ue000 \uffff 😀".encode(),
    "a byte order mark": b"\xef\xbb\xbfa",
    "xml": b"<?xml version='1.0'?><a>&amp;]]></a>",
    "json": b'{"a": [1, 2.0, null]}',
    "text like base64": b"aGVsbG8=",
    "text like base64 of base64": b"YUdWc2JHOD0=",
    "a number": b"1",
    "a quote": b"'\"\\",
    "a percent escape": b"%41%00+",
    "noise": random.Random(1).randbytes(20_000),
}
TEXTS = ["", "a", "héllo", "日本語 😀", "line\nend\x00"]
JSONS = [None, True, 0, 1.5, "text", [], {}, {"key": "in/cat.jpg", "sizes": [1, 2]}, ["é", "😀", None]]
VALUES = {
    "empty": "",
    "a space": " ",
    "spaces around": " a ",
    "a zero character": "\x00",
    "control characters": "\x01\x1f\x7f",
    "line ends": "a\r\nb",
    "quotes": "'\"\\`",
    "xml": "<a>&amp;</a>",
    "accents": "é e\u0301",
    "every plane": "\ue000\uffff😀",
    "a number": "1.0",
    "base64": "aGVsbG8=",
    "a percent escape": "%41+",
}


class TestSending:
    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    def test_a_body_of_bytes_arrives_as_it_was_sent(self, queue: Queue, body: bytes) -> None:
        assert sent_and_received(queue, body).body == body

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    def test_a_body_sent_among_others_arrives_as_it_was_sent(self, queue: Queue, body: bytes) -> None:
        queue.send_many([b"before", body, b"after"])

        assert sorted(bodies(take(queue, 3))) == sorted([b"before", body, b"after"])

    @pytest.mark.parametrize("body", TEXTS)
    def test_a_body_of_text_arrives_as_utf_8(self, queue: Queue, body: str) -> None:
        message = sent_and_received(queue, body)

        assert message.body == body.encode()
        assert message.text == body

    @pytest.mark.parametrize("body", [each for each in JSONS if not isinstance(each, str)], ids=repr)
    def test_any_other_body_arrives_as_json(self, queue: Queue, body: Any) -> None:
        assert sent_and_received(queue, body).json() == body

    @pytest.mark.parametrize("kind", [bytearray, memoryview])
    def test_other_kinds_of_bytes_arrive_as_bytes(self, queue: Queue, kind: type[Any]) -> None:
        assert sent_and_received(queue, kind(b"abc")).body == b"abc"

    @pytest.mark.parametrize("body", [object(), {1, 2}, float("nan"), {"a": float("inf")}, "\ud800", {"a": b"1"}])
    def test_what_is_neither_bytes_nor_text_nor_json_is_refused(self, queue: Queue, body: Any) -> None:
        with pytest.raises(InvalidArgument):
            queue.send(body)

        assert queue.receive() == []

    def test_a_send_gives_the_id_that_the_message_arrives_with(self, queue: Queue) -> None:
        id = queue.send(b"1")

        assert isinstance(id, str)
        assert id
        assert take(queue)[0].id == id

    def test_every_message_has_an_id_of_its_own(self, queue: Queue) -> None:
        assert len({queue.send(b"same") for _ in range(10)}) == 10

    def test_messages_with_equal_bodies_all_arrive(self, queue: Queue) -> None:
        for _ in range(5):
            queue.send(b"same")

        assert bodies(take(queue, 5)) == [b"same"] * 5

    def test_two_queues_do_not_share_messages(self, make_queue: Callable[[], Queue]) -> None:
        one, other = make_queue(), make_queue()
        one.send(b"1")

        assert other.receive() == []
        assert bodies(take(one)) == [b"1"]


class TestSendingMany:
    @pytest.mark.parametrize("count", [0, 1, 2, 9, 10, 11, 25])
    def test_every_message_arrives_whatever_one_call_takes(self, queue: Queue, count: int) -> None:
        sent = [f"{number:03}".encode() for number in range(count)]
        outcomes = queue.send_many(sent)

        assert all(isinstance(outcome, str) for outcome in outcomes)
        assert len(set(outcomes)) == count
        assert sorted(drain(queue)) == sent

    @pytest.mark.parametrize("past", [-1, 0, 1], ids=["one fewer", "as many", "one more"])
    def test_as_many_messages_as_one_call_takes_arrive(
        self, queue: Queue, capabilities: QueueCapabilities, past: int
    ) -> None:
        sent = [f"{number:04}".encode() for number in range(min(capabilities.max_send_batch, 1000) + past)]
        outcomes = queue.send_many(sent)

        assert len(outcomes) == len(sent)
        assert sorted(drain(queue)) == sent

    def test_the_outcomes_are_in_the_order_of_the_messages(self, queue: Queue) -> None:
        outcomes = queue.send_many([str(number) for number in range(15)])
        received = {message.id: message.text for message in take(queue, 15)}

        assert [received[str(outcome)] for outcome in outcomes] == [str(number) for number in range(15)]

    def test_messages_whose_bodies_together_are_too_large_for_one_call_all_arrive(
        self, queue: Queue, capabilities: QueueCapabilities
    ) -> None:
        size = min(capabilities.max_body_bytes, capabilities.max_send_batch_bytes)
        count = min(capabilities.max_send_batch_bytes // size + 2, 40)
        outcomes = queue.send_many([bytes([number]) * size for number in range(count)])

        assert all(isinstance(outcome, str) for outcome in outcomes)
        assert sorted(body[0] for body in drain(queue)) == list(range(count))

    @pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "in the middle", "last"])
    def test_one_bad_message_stops_no_other(self, queue: Queue, place: int) -> None:
        messages: list[Any] = [b"1", b"2"]
        messages.insert(place, object())
        outcomes = queue.send_many(messages)

        assert [isinstance(outcome, InvalidArgument) for outcome in outcomes] == [
            number == place for number in range(3)
        ]
        assert sorted(drain(queue)) == [b"1", b"2"]

    def test_messages_may_be_read_from_an_iterator(self, queue: Queue) -> None:
        queue.send_many(str(number) for number in range(3))

        assert sorted(drain(queue)) == [b"0", b"1", b"2"]

    @pytest.mark.parametrize("single", [b"one", "one", {"a": 1}], ids=repr)
    def test_a_single_body_in_place_of_many_is_refused(self, queue: Queue, single: Any) -> None:
        with pytest.raises(InvalidArgument):
            queue.send_many(single)

        assert queue.receive() == []


class TestAttributes:
    @pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
    def test_a_value_arrives_as_it_was_sent(self, queue: Queue, value: str) -> None:
        assert sent_and_received(queue, b"body", attributes={"name": value}).attributes == {"name": value}

    @pytest.mark.parametrize("name", ["a", "A", "0", "a-b", "a_b", "a.b", "_a", "content-type", "aws.x", "x" * 64])
    def test_a_name_arrives_as_it_was_sent(self, queue: Queue, name: str) -> None:
        assert sent_and_received(queue, b"body", attributes={name: "value"}).attributes == {name: "value"}

    def test_names_that_differ_in_case_stay_apart(self, queue: Queue) -> None:
        attributes = {"name": "1", "Name": "2", "NAME": "3"}

        assert sent_and_received(queue, b"", attributes=attributes).attributes == attributes

    def test_a_message_sent_without_any_has_none(self, queue: Queue) -> None:
        assert sent_and_received(queue, b"1").attributes == {}

    def test_attributes_do_not_change_the_body(self, queue: Queue) -> None:
        message = sent_and_received(queue, bytes(range(256)), attributes={"a": "1"})

        assert message.body == bytes(range(256))

    def test_messages_sent_together_keep_their_own(self, queue: Queue) -> None:
        queue.send_many([Send(str(number), attributes={"number": str(number)}) for number in range(5)])

        assert [message.attributes for message in sorted(take(queue, 5), key=lambda each: each.body)] == [
            {"number": str(number)} for number in range(5)
        ]

    @pytest.mark.parametrize("name", ["", "a b", "a:b", "a/b", "é", "a\n", "a$"], ids=repr)
    def test_a_name_outside_the_grammar_is_refused(self, queue: Queue, name: str) -> None:
        with pytest.raises(InvalidArgument):
            queue.send(b"body", attributes={name: "value"})

        assert queue.receive() == []

    @pytest.mark.parametrize("value", [1, None, b"1", ["1"], "\ud800"], ids=repr)
    def test_a_value_that_is_no_text_is_refused(self, queue: Queue, value: Any) -> None:
        with pytest.raises(InvalidArgument):
            queue.send(b"body", attributes={"name": value})

        assert queue.receive() == []


class TestDriver(DriverPromises):
    def test_a_driver_that_was_closed_opens_again(
        self, queue: Queue, driver_of: Callable[[Queue], QueueDriver]
    ) -> None:
        queue.send(b"1")
        driver_of(queue).close()

        assert bodies(take(queue)) == [b"1"]

    @needs("push")
    def test_messages_that_the_platform_pushes_have_a_codec(self, provider: Provider) -> None:
        assert "message" in {registry.load(codec).trigger for codec in provider.event_codecs}

    @without("push")
    def test_where_the_platform_does_not_push_a_poller_can_receive(self, queue: Queue) -> None:
        assert sent_and_received(queue, b"1").body == b"1"


MISSING_QUEUE: dict[str, Callable[[Queue], Any]] = {
    "send": lambda queue: queue.send(b"1"),
    "receive": lambda queue: queue.receive(),
}


class TestMissingQueues:
    @pytest.mark.parametrize("call", MISSING_QUEUE.values(), ids=MISSING_QUEUE)
    def test_a_call_on_a_queue_that_does_not_exist_is_not_found(
        self, harness: Harness, scheme: str, call: Callable[[Queue], Any]
    ) -> None:
        address = harness.unreachable("queue", scheme)
        if address is None:
            pytest.skip("the service makes a queue on first use")

        with pytest.raises(NotFound):
            call(Queue.at(address, opening=harness.opening({})))
