"""The queue contract: what is at a limit is taken, and what is one past it is refused before it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from portable_conformance import contract, needs, without
from portable_conformance._queues import bodies, seconds, take
from portable_contracts.errors import InvalidArgument, LimitExceeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.queue import Queue
    from portable_contracts.queue import QueueCapabilities

pytestmark = contract("queue")

TESTED_BYTES = 64 * 1024**2
"""Larger limits are taken at their word."""


def noise(size: int) -> bytes:
    return bytes(range(256)) * (size // 256) + b"\x00" * (size % 256)


def most_attributes(capabilities: QueueCapabilities) -> dict[str, str]:
    count = capabilities.max_attributes
    value = "v" * (capabilities.max_attribute_bytes // count - 10)
    return {f"n{number:04}": value for number in range(count)}


class TestBodySizes:
    @pytest.mark.parametrize("make", [noise, lambda size: b"a" * size, bytes], ids=["every byte", "text", "zeros"])
    def test_a_body_of_the_largest_size_arrives(
        self, queue: Queue, capabilities: QueueCapabilities, make: Callable[[int], bytes]
    ) -> None:
        body = make(min(capabilities.max_body_bytes, TESTED_BYTES))
        queue.send(body)

        assert take(queue)[0].body == body

    def test_a_body_one_byte_larger_is_refused(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        with pytest.raises(LimitExceeded) as caught:
            queue.send(bytes(capabilities.max_body_bytes + 1))

        assert caught.value.limit == "max_body_bytes"
        assert caught.value.actual == capabilities.max_body_bytes + 1
        assert caught.value.allowed == capabilities.max_body_bytes
        assert queue.receive() == []

    def test_text_is_measured_in_bytes(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        with pytest.raises(LimitExceeded):
            queue.send("é" * (capabilities.max_body_bytes // 2 + 1))

        assert queue.receive() == []

    def test_one_that_is_too_large_among_many_is_refused_alone(
        self, queue: Queue, capabilities: QueueCapabilities
    ) -> None:
        outcomes = queue.send_many([b"1", bytes(capabilities.max_body_bytes + 1), b"2"])

        assert [type(outcome) for outcome in outcomes] == [str, LimitExceeded, str]
        assert sorted(bodies(take(queue, 2))) == [b"1", b"2"]

    @needs("attributes_apart")
    def test_the_largest_body_arrives_with_the_most_attributes(
        self, queue: Queue, capabilities: QueueCapabilities
    ) -> None:
        attributes = most_attributes(capabilities)
        body = noise(min(capabilities.max_body_bytes, TESTED_BYTES))
        queue.send(body, attributes=attributes)
        (message,) = take(queue)

        assert message.body == body
        assert message.attributes == attributes

    @without("attributes_apart")
    def test_a_body_that_leaves_no_room_for_its_attributes_is_refused(
        self, queue: Queue, capabilities: QueueCapabilities
    ) -> None:
        with pytest.raises(LimitExceeded) as caught:
            queue.send(bytes(capabilities.max_body_bytes), attributes={"a": "1"})

        assert caught.value.limit == "max_body_bytes"
        assert caught.value.actual > caught.value.allowed
        assert queue.receive() == []

    @without("attributes_apart")
    def test_a_body_that_leaves_room_for_the_most_attributes_arrives_with_them(
        self, queue: Queue, capabilities: QueueCapabilities
    ) -> None:
        attributes = most_attributes(capabilities)
        body = noise(capabilities.max_body_bytes - 2 * capabilities.max_attribute_bytes)
        queue.send(body, attributes=attributes)
        (message,) = take(queue)

        assert message.body == body
        assert message.attributes == attributes


class TestAttributeSizes:
    def test_as_many_attributes_as_allowed_arrive(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        attributes = {f"n{number}": str(number) for number in range(capabilities.max_attributes)}
        queue.send(b"", attributes=attributes)

        assert take(queue)[0].attributes == attributes

    def test_one_attribute_more_is_refused(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        with pytest.raises(LimitExceeded) as caught:
            queue.send(b"", attributes={f"n{n}": "" for n in range(capabilities.max_attributes + 1)})

        assert caught.value.limit == "max_attributes"
        assert caught.value.actual == capabilities.max_attributes + 1
        assert queue.receive() == []

    @pytest.mark.parametrize("letter", ["v", "é", "\x00"], ids=["ascii", "two bytes a character", "zeros"])
    def test_attributes_of_the_largest_size_arrive(
        self, queue: Queue, capabilities: QueueCapabilities, letter: str
    ) -> None:
        room = capabilities.max_attribute_bytes - len("name")
        width = len(letter.encode())
        attributes = {"name": letter * (room // width) + "v" * (room % width)}
        queue.send(b"body", attributes=attributes)

        assert take(queue)[0].attributes == attributes

    def test_attributes_one_byte_larger_are_refused(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        room = capabilities.max_attribute_bytes - len("name")
        with pytest.raises(LimitExceeded) as caught:
            queue.send(b"body", attributes={"name": "v" * (room + 1)})

        assert caught.value.limit == "max_attribute_bytes"
        assert caught.value.actual == capabilities.max_attribute_bytes + 1
        assert queue.receive() == []


class TestDurations:
    @needs("choose_lease")
    @pytest.mark.parametrize("which", ["min_lease_seconds", "max_lease_seconds"])
    def test_the_shortest_and_the_longest_lease_are_taken(
        self, queue: Queue, capabilities: QueueCapabilities, which: str
    ) -> None:
        queue.send(b"1")

        assert bodies(take(queue, lease=seconds(getattr(capabilities, which)))) == [b"1"]

    @needs("choose_lease")
    @pytest.mark.parametrize(
        ("limit", "past"), [("min_lease_seconds", -1), ("max_lease_seconds", 1)], ids=["shorter", "longer"]
    )
    def test_a_lease_one_second_past_them_is_refused(
        self, queue: Queue, capabilities: QueueCapabilities, limit: str, past: int
    ) -> None:
        queue.send(b"1")
        with pytest.raises(LimitExceeded) as caught:
            queue.receive(lease=seconds(getattr(capabilities, limit) + past))

        assert caught.value.limit == limit
        assert bodies(take(queue)) == [b"1"]

    def test_a_wait_one_second_past_the_longest_is_refused(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        with pytest.raises(LimitExceeded) as caught:
            queue.receive(wait=seconds(capabilities.max_wait_seconds + 1))

        assert caught.value.limit == "max_wait_seconds"

    def test_the_longest_wait_is_taken(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        queue.send(b"1")

        assert bodies(queue.receive(wait=seconds(capabilities.max_wait_seconds))) == [b"1"]

    @needs("delay")
    def test_the_longest_delay_is_taken(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        queue.send(b"1", delay=seconds(capabilities.max_delay_seconds))

        assert queue.receive() == []

    @needs("delay")
    def test_a_delay_one_second_longer_is_refused(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        with pytest.raises(LimitExceeded) as caught:
            queue.send(b"1", delay=seconds(capabilities.max_delay_seconds + 1))

        assert caught.value.limit == "max_delay_seconds"
        assert queue.receive() == []

    @needs("retry_delay")
    def test_a_retry_after_one_second_longer_is_refused(self, queue: Queue, capabilities: QueueCapabilities) -> None:
        queue.send(b"1")
        (message,) = take(queue)

        with pytest.raises(LimitExceeded):
            message.retry(seconds(capabilities.max_delay_seconds + 1))

    @needs("extend")
    @pytest.mark.parametrize(
        ("limit", "past"), [("min_lease_seconds", -1), ("max_lease_seconds", 1)], ids=["shorter", "longer"]
    )
    def test_an_extension_one_second_past_the_leases_is_refused(
        self, queue: Queue, capabilities: QueueCapabilities, limit: str, past: int
    ) -> None:
        queue.send(b"1")
        (message,) = take(queue)

        with pytest.raises(LimitExceeded):
            message.extend(seconds(getattr(capabilities, limit) + past))

    @pytest.mark.parametrize("name", ["group", "dedup"])
    @pytest.mark.parametrize("key", ["", " ", "a b", "é", "a\n", "x" * 129, 1, b"a"], ids=repr)
    def test_a_group_or_dedup_key_outside_the_grammar_is_refused(self, queue: Queue, name: str, key: Any) -> None:
        with pytest.raises(InvalidArgument):
            queue.send(b"1", **{name: key})

        assert queue.receive() == []
