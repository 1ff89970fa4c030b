"""What the portable queue does before and after it calls a driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from portable._driving import Connection
from portable.queue import Queue, Send, backoff
from portable_contracts.errors import (
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PortableError,
    Unavailable,
    Unsupported,
)
from portable_contracts.events import Message
from portable_contracts.provider import Address, Opening
from portable_contracts.queue import Outgoing, QueueCapabilities, QueueDriver, Received
from portable_local.queue import SqliteQueue

SECOND = timedelta(seconds=1)
EVERYTHING = QueueCapabilities(delay=True, retry_delay=True, extend=True, groups=True, dedup=True)


class Throttled(Exception):
    """The service's own error, for which trying again helps."""


class Denied(Exception):
    """The service's own error, for which trying again does not help."""


class Service(QueueDriver):
    """A queue in SQLite behind a line that fails as it is told to, and tells what went over it."""

    scheme = "sqlite"
    capabilities = EVERYTHING

    def __init__(self, queue: SqliteQueue) -> None:
        self.queue = queue
        self.calls: list[tuple[str, Any]] = []
        self.failures: list[Exception | None] = []
        """What the next calls raise; None lets one pass."""
        self.outcomes: list[dict[int, Exception]] = []
        """What becomes of messages of the next calls, by index, instead of being sent."""

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> Service:
        return cls(SqliteQueue.from_address(address, opening))

    def classify(self, error: Exception) -> type[PortableError]:
        return {Throttled: Unavailable, Denied: PermissionDenied}.get(type(error)) or self.queue.classify(error)

    def retry_after(self, error: Exception) -> float | None:
        return 0.0

    def native(self) -> Any:
        return self.queue.native()

    def send_batch(self, messages: Sequence[Outgoing]) -> Sequence[str | Exception]:
        self._line("send", messages)
        lost = self.outcomes.pop(0) if self.outcomes else {}
        return [
            lost[index] if index in lost else self.queue.send_batch([message])[0]
            for index, message in enumerate(messages)
        ]

    def receive_batch(self, *, limit: int, wait: float, lease: float) -> Sequence[Received]:
        self._line("receive", (limit, wait, lease))
        return self.queue.receive_batch(limit=limit, wait=0, lease=lease)

    def ack_batch(self, receipts: Sequence[Any]) -> Sequence[Exception | None]:
        self._line("ack", receipts)
        lost = self.outcomes.pop(0) if self.outcomes else {}
        kept = [receipt for index, receipt in enumerate(receipts) if index not in lost]
        self.queue.ack_batch(kept)
        return [lost.get(index) for index in range(len(receipts))]

    def retry(self, receipt: Any, *, delay: float) -> None:
        self._line("retry", delay)
        self.queue.retry(receipt, delay=delay)

    def extend(self, receipt: Any, *, lease: float) -> None:
        self._line("extend", lease)
        self.queue.extend(receipt, lease=lease)

    def _line(self, call: str, told: Any) -> None:
        self.calls.append((call, told))
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service.from_address(Address("sqlite", "thumbs"), Opening(data=str(tmp_path)))


@pytest.fixture
def connected(service: Service) -> Callable[..., Queue]:
    """Return a function that connects a queue `thumbs` to the service, with these capabilities in place of all."""

    def connect(**capabilities: Any) -> Queue:
        promised, owners = EVERYTHING.replace(**capabilities).narrowed((), "target prod (acme)")
        return Queue("thumbs", lambda: Connection(service, promised, owners, Opening()))

    return connect


@pytest.fixture
def queue(connected: Callable[..., Queue]) -> Queue:
    return connected()


def received(queue: Queue) -> Message:
    (message,) = queue.receive()
    return message


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (b"", b""),
        ("", b""),
        ("Zoë", b"Zo\xc3\xab"),
        ({"name": "Zoë", "n": [1, 2.5, None, True]}, '{"name":"Zoë","n":[1,2.5,null,true]}'.encode()),
        ([], b"[]"),
        (7, b"7"),
        (None, b"null"),
    ],
)
def test_a_body_goes_out_as_bytes_text_or_json(queue: Queue, body: Any, expected: bytes) -> None:
    queue.send(body)

    assert received(queue).body == expected


@pytest.mark.parametrize("body", [object(), {1, 2}, float("nan"), float("inf"), "\ud800", {"a": "\ud800"}, {(1, 2): 3}])
def test_a_body_that_nothing_can_write_is_refused(queue: Queue, service: Service, body: Any) -> None:
    with pytest.raises(InvalidArgument, match="send on queue thumbs: body is neither bytes nor text nor a JSON value"):
        queue.send(body)

    assert service.calls == []


def test_a_body_that_holds_itself_is_refused(queue: Queue) -> None:
    body: list[Any] = []
    body.append(body)

    with pytest.raises(InvalidArgument, match="body is neither"):
        queue.send(body)


def test_a_body_at_the_limit_is_sent(connected: Callable[..., Queue]) -> None:
    assert connected(max_body_bytes=49_152).send(b"x" * 49_152)


def test_a_body_past_the_limit_says_how_large_it_may_be_and_where(
    connected: Callable[..., Queue], service: Service
) -> None:
    with pytest.raises(LimitExceeded) as caught:
        connected(max_body_bytes=49_152).send(b"x" * 52_000)

    assert str(caught.value) == "body is 52,000 bytes; queue thumbs on target prod (acme) allows 49,152"
    assert (caught.value.limit, caught.value.actual, caught.value.allowed) == ("max_body_bytes", 52_000, 49_152)
    assert service.calls == []


def test_a_text_is_measured_in_bytes(connected: Callable[..., Queue]) -> None:
    with pytest.raises(LimitExceeded, match="body is 4 bytes"):
        connected(max_body_bytes=3).send("ëë")


def test_attributes_come_back(queue: Queue) -> None:
    queue.send(b"", attributes={"A-z_0.9": "Zoë\n", "empty": ""})

    assert received(queue).attributes == {"A-z_0.9": "Zoë\n", "empty": ""}


def test_attributes_changed_after_sending_were_sent_as_they_were(queue: Queue) -> None:
    attributes = {"a": "1"}
    queue.send(b"", attributes=attributes)
    attributes["a"] = "2"

    assert received(queue).attributes == {"a": "1"}


@pytest.mark.parametrize("name", ["", "a b", "é", "a/b", "a\n", 1, None])
def test_an_attribute_name_outside_the_grammar_is_refused(queue: Queue, name: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"attribute name .* is not made of"):
        queue.send(b"", attributes={name: "x"})


@pytest.mark.parametrize("value", [1, None, b"x", ["x"]])
def test_an_attribute_that_is_no_text_is_refused(queue: Queue, value: Any) -> None:
    with pytest.raises(InvalidArgument, match="attribute 'a' is of type"):
        queue.send(b"", attributes={"a": value})


def test_an_attribute_with_a_lone_surrogate_is_refused(queue: Queue) -> None:
    with pytest.raises(InvalidArgument, match="lone surrogate"):
        queue.send(b"", attributes={"a": "\ud800"})


def test_attributes_that_are_no_mapping_are_refused(queue: Queue) -> None:
    with pytest.raises(InvalidArgument, match="attributes is not a mapping"):
        queue.send(b"", attributes=["a", "b"])  # type: ignore[arg-type]  # what this test is about


def test_nine_attributes_are_sent(queue: Queue) -> None:
    queue.send(b"", attributes={f"a{number}": "" for number in range(9)})

    assert len(received(queue).attributes) == 9


def test_a_tenth_attribute_is_refused(queue: Queue) -> None:
    with pytest.raises(LimitExceeded) as caught:
        queue.send(b"", attributes={f"a{number}": "" for number in range(10)})

    assert str(caught.value) == "the number of attributes is 10; queue thumbs on target prod (acme) allows 9"


def test_attributes_are_measured_together_in_bytes(connected: Callable[..., Queue]) -> None:
    with pytest.raises(LimitExceeded, match=r"the size of the attributes is 8 bytes; .* allows 7"):
        connected(max_attribute_bytes=7).send(b"", attributes={"abc": "ë", "d": "ë"})


@pytest.mark.parametrize("delay", [5, "5", 0.5])
def test_a_delay_is_a_timedelta(queue: Queue, delay: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"write it as timedelta\(seconds=...\)"):
        queue.send(b"", delay=delay)


def test_a_negative_delay_is_refused(queue: Queue) -> None:
    with pytest.raises(InvalidArgument, match="delay is -1 seconds: a duration is not negative"):
        queue.send(b"", delay=-SECOND)


def test_the_longest_delay_is_sent(queue: Queue, service: Service) -> None:
    queue.send(b"", delay=900 * SECOND)

    assert service.calls == [("send", (Outgoing(b"", delay=900.0),))]


def test_a_delay_past_the_limit_is_refused(queue: Queue) -> None:
    with pytest.raises(LimitExceeded) as caught:
        queue.send(b"", delay=timedelta(seconds=900, microseconds=1))

    assert str(caught.value) == "delay is 901 seconds; queue thumbs on target prod (acme) allows 900"


@pytest.mark.parametrize(
    ("capability", "argument"), [("delay", {"delay": SECOND}), ("groups", {"group": "a"}), ("dedup", {"dedup": "a"})]
)
def test_what_is_not_promised_is_refused_before_anything_is_sent(
    connected: Callable[..., Queue], service: Service, capability: str, argument: dict[str, Any]
) -> None:
    with pytest.raises(Unsupported, match=rf"queue thumbs: target prod \(acme\) does not have '{capability}'"):
        connected(**{capability: False}).send(b"", **argument)

    assert service.calls == []


def test_no_delay_needs_no_capability(connected: Callable[..., Queue]) -> None:
    assert connected(delay=False).send(b"", delay=timedelta())


@pytest.mark.parametrize("argument", ["group", "dedup"])
@pytest.mark.parametrize("key", ["", "a b", "é", "a\n", "a" * 129, 1])
def test_a_key_outside_the_grammar_is_refused(queue: Queue, argument: str, key: Any) -> None:
    with pytest.raises(InvalidArgument, match=f"{argument} is .*: use 1 to 128"):
        queue.send(b"", **{argument: key})


def test_a_group_of_the_longest_name_comes_back(queue: Queue) -> None:
    queue.send(b"", group="~" * 128)

    assert received(queue).group == "~" * 128


def test_a_send_is_tried_again_when_that_may_help(queue: Queue, service: Service) -> None:
    service.failures = [Throttled(), Throttled()]

    sent = queue.send(b"x")

    assert received(queue).id == sent


def test_a_send_is_tried_again_when_the_service_lost_the_message(queue: Queue, service: Service) -> None:
    service.outcomes = [{0: Throttled()}]

    sent = queue.send(b"x")

    assert received(queue).id == sent


def test_a_send_that_is_denied_is_not_tried_again(queue: Queue, service: Service) -> None:
    service.failures = [Denied("no such right")]

    with pytest.raises(PermissionDenied) as caught:
        queue.send(b"x")

    assert str(caught.value) == "send in queue thumbs: no such right"
    assert isinstance(caught.value.__cause__, Denied)
    assert len(service.calls) == 1


def test_send_many_returns_an_id_for_each_in_order(queue: Queue) -> None:
    ids = queue.send_many([b"a", "b", {"c": 1}])

    assert [(message.id, message.body) for message in queue.receive()] == list(
        zip(ids, [b"a", b"b", b'{"c":1}'], strict=True)
    )


def test_send_many_takes_what_send_takes_beside_the_body(queue: Queue, service: Service) -> None:
    queue.send_many([Send("x", attributes={"a": "1"}, delay=SECOND, group="g", dedup="d")])

    assert service.calls == [("send", [Outgoing(b"x", {"a": "1"}, 1.0, "g", "d")])]


def test_send_many_of_nothing_calls_nobody(queue: Queue, service: Service) -> None:
    assert queue.send_many([]) == []
    assert service.calls == []


def test_send_many_sends_while_it_reads(queue: Queue, service: Service) -> None:
    calls = []
    queue.send_many(calls.append(len(service.calls)) for _ in range(12))

    assert calls == [0] * 11 + [1]


@pytest.mark.parametrize("messages", ["abc", b"abc", {"a": 1}, Send("a"), bytearray(b"a")])
def test_send_many_of_a_single_body_is_refused(queue: Queue, messages: Any) -> None:
    with pytest.raises(InvalidArgument, match="put it in a list, or use send"):
        queue.send_many(messages)


def test_a_bad_message_stops_no_other(queue: Queue) -> None:
    first, second, third = queue.send_many(["a", object(), "c"])

    assert isinstance(second, InvalidArgument)
    assert [message.id for message in queue.receive()] == [first, third]


def test_a_large_message_stops_no_other(connected: Callable[..., Queue]) -> None:
    outcomes = connected(max_body_bytes=2).send_many(["aa", "bbb", "cc"])

    assert [type(outcome) for outcome in outcomes] == [str, LimitExceeded, str]


def test_send_many_parts_batches_by_count(queue: Queue, service: Service) -> None:
    queue.send_many([str(number) for number in range(21)])

    assert [len(batch) for _, batch in service.calls] == [10, 10, 1]


def test_send_many_parts_batches_by_bytes(connected: Callable[..., Queue], service: Service) -> None:
    connected(max_send_batch_bytes=10).send_many(["aaaaa", "bbbbb", Send("cccc", attributes={"n": "v"}), "ddddd"])

    assert [[message.body for message in batch] for _, batch in service.calls] == [
        [b"aaaaa", b"bbbbb"],
        [b"cccc"],
        [b"ddddd"],
    ]


def test_send_many_sends_again_only_what_was_not_accepted(queue: Queue, service: Service) -> None:
    service.outcomes = [{1: Throttled()}]

    ids = queue.send_many(["a", "b", "c"])

    assert [[message.body for message in batch] for _, batch in service.calls] == [[b"a", b"b", b"c"], [b"b"]]
    assert {message.id for message in queue.receive()} == set(ids)


def test_send_many_says_what_went_wrong_with_which(queue: Queue, service: Service) -> None:
    service.outcomes = [{1: Denied("no such right")}]

    _, denied, _ = queue.send_many(["a", "b", "c"])

    assert isinstance(denied, PermissionDenied)
    assert isinstance(denied.__cause__, Denied)
    assert len(service.calls) == 1


def test_send_many_gives_up_on_a_message_that_is_never_accepted(queue: Queue, service: Service) -> None:
    service.outcomes = [{1: Throttled()}, {0: Throttled()}, {0: Throttled()}, {0: Throttled()}]

    outcomes = queue.send_many(["a", "b"])

    assert [type(outcome) for outcome in outcomes] == [str, Unavailable]
    assert len(service.calls) == 4


def test_send_many_goes_on_after_a_call_that_failed(queue: Queue, service: Service) -> None:
    service.failures = [Denied()]

    outcomes = queue.send_many([str(number) for number in range(11)])

    assert [type(outcome) for outcome in outcomes] == [PermissionDenied] * 10 + [str]


def test_send_many_on_a_queue_that_cannot_be_opened_raises(tmp_path: Path) -> None:
    def connect() -> Connection:
        raise InvalidArgument("no such target")

    with pytest.raises(InvalidArgument, match="no such target"):
        Queue("thumbs", connect).send_many(["a"])


def test_a_message_knows_its_queue(queue: Queue) -> None:
    queue.send(b"x")

    assert received(queue).queue == "thumbs"


def test_receive_takes_ten_for_thirty_seconds_without_waiting(queue: Queue, service: Service) -> None:
    queue.receive()

    assert service.calls == [("receive", (10, 0.0, 30.0))]


def test_receive_keeps_within_the_lease_that_the_service_offers(
    connected: Callable[..., Queue], service: Service
) -> None:
    connected(max_lease_seconds=20).receive()

    assert service.calls == [("receive", (10, 0.0, 20.0))]


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "1", None])
def test_a_limit_that_is_no_positive_number_is_refused(queue: Queue, limit: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"limit is .*: it is a whole number, 1 or more"):
        queue.receive(limit)


def test_receive_asks_again_past_what_one_call_gives(queue: Queue, service: Service) -> None:
    queue.send_many([str(number) for number in range(25)])
    service.calls.clear()

    messages = queue.receive(23, wait=SECOND)

    assert len({message.id for message in messages}) == 23
    assert service.calls == [("receive", (10, 1.0, 30.0)), ("receive", (10, 0.0, 30.0)), ("receive", (3, 0.0, 30.0))]


def test_receive_stops_at_a_call_that_gives_less(queue: Queue, service: Service) -> None:
    queue.send_many([str(number) for number in range(12)])
    service.calls.clear()

    assert len(queue.receive(30)) == 12
    assert len(service.calls) == 2


def test_receive_gives_what_it_took_when_a_later_call_fails(queue: Queue, service: Service) -> None:
    queue.send_many([str(number) for number in range(12)])
    service.failures = [None, Denied()]

    assert len(queue.receive(12)) == 10


def test_a_receive_that_takes_nothing_raises(queue: Queue, service: Service) -> None:
    service.failures = [Denied()]

    with pytest.raises(PermissionDenied):
        queue.receive()


def test_a_wait_past_the_limit_is_refused(queue: Queue) -> None:
    with pytest.raises(LimitExceeded) as caught:
        queue.receive(wait=21 * SECOND)

    assert str(caught.value) == "wait is 21 seconds; queue thumbs on target prod (acme) allows 20"


@pytest.mark.parametrize("seconds", [10, 300])
def test_a_lease_at_the_limit_is_given(queue: Queue, service: Service, seconds: int) -> None:
    queue.receive(lease=seconds * SECOND)

    assert service.calls == [("receive", (10, 0.0, float(seconds)))]


def test_a_lease_past_the_limit_is_refused(queue: Queue) -> None:
    with pytest.raises(LimitExceeded) as caught:
        queue.receive(lease=301 * SECOND)

    assert str(caught.value) == "lease is 301 seconds; queue thumbs on target prod (acme) allows 300"


def test_a_lease_below_the_limit_is_refused(queue: Queue) -> None:
    with pytest.raises(LimitExceeded) as caught:
        queue.receive(lease=9.5 * SECOND)

    assert str(caught.value) == "lease is 9.5 seconds; queue thumbs on target prod (acme) allows no less than 10"
    assert (caught.value.limit, caught.value.allowed) == ("min_lease_seconds", 10)


def test_an_acknowledged_message_is_gone(queue: Queue, service: Service) -> None:
    queue.send(b"x")
    received(queue).ack()

    assert service.queue.native().execute("SELECT count(*) FROM message").fetchone() == (0,)


def test_an_ack_is_tried_again(queue: Queue, service: Service) -> None:
    queue.send(b"x")
    message = received(queue)
    service.failures, service.outcomes = [Throttled()], [{0: Throttled()}]

    message.ack()

    assert [call for call, _ in service.calls[2:]] == ["ack"] * 3


def test_an_ack_that_fails_names_the_message(queue: Queue, service: Service) -> None:
    queue.send(b"x")
    message = received(queue)
    service.outcomes = [{0: Denied("no such right")}]

    with pytest.raises(PermissionDenied, match=f"ack message {message.id} in queue thumbs: no such right"):
        message.ack()


def test_ack_many_acknowledges_in_few_calls(queue: Queue, service: Service) -> None:
    queue.send_many([str(number) for number in range(12)])
    messages = queue.receive(12)
    service.calls.clear()

    assert queue.ack_many(messages) == [None] * 12
    assert [len(receipts) for _, receipts in service.calls] == [10, 2]


def test_ack_many_says_what_went_wrong_with_which(queue: Queue, service: Service) -> None:
    queue.send_many(["a", "b"])
    messages = queue.receive()
    service.outcomes = [{0: Denied()}]

    first, second = queue.ack_many(messages)

    assert isinstance(first, PermissionDenied)
    assert second is None


def test_ack_many_refuses_a_message_of_another_queue(queue: Queue, connected: Callable[..., Queue]) -> None:
    queue.send(b"x")

    with pytest.raises(InvalidArgument, match="was not received from this queue"):
        connected().ack_many(queue.receive())


def test_ack_many_refuses_a_message_that_nobody_received(queue: Queue) -> None:
    with pytest.raises(InvalidArgument, match="message made was not received from this queue"):
        queue.ack_many([Message("made", "thumbs", b"")])


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 512), (11, 900), (12, 900), (10_000, 900)]
)
def test_the_wait_before_a_retry_doubles(attempt: int, seconds: float) -> None:
    assert backoff(attempt) == seconds


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1.0), (2, 2.0), (5, 16.0)])
def test_a_retry_without_a_delay_waits_longer_with_each_attempt(
    queue: Queue, service: Service, attempt: int, seconds: float
) -> None:
    queue.send(b"x")
    received(queue).replace(attempt=attempt).retry()

    assert service.calls[-1] == ("retry", seconds)


def test_a_retry_without_a_delay_keeps_within_the_longest(connected: Callable[..., Queue], service: Service) -> None:
    queue = connected(max_delay_seconds=3)
    queue.send(b"x")
    received(queue).replace(attempt=5).retry()

    assert service.calls[-1] == ("retry", 3.0)


def test_a_retry_without_a_delay_is_no_hot_loop_where_nothing_can_be_sent_with_one(
    connected: Callable[..., Queue], service: Service
) -> None:
    queue = connected(delay=False, max_delay_seconds=0)
    queue.send(b"x")
    received(queue).retry()

    assert service.calls[-1] == ("retry", 1.0)


def test_a_retry_waits_for_the_delay_it_is_given(queue: Queue, service: Service) -> None:
    queue.send(b"x")
    received(queue).retry(7 * SECOND)

    assert service.calls[-1] == ("retry", 7.0)


def test_a_retry_with_too_long_a_delay_is_refused(queue: Queue) -> None:
    queue.send(b"x")

    with pytest.raises(LimitExceeded, match="delay is 901 seconds"):
        received(queue).retry(901 * SECOND)


def test_a_retry_where_no_delay_can_be_chosen_is_left_to_the_lease(
    connected: Callable[..., Queue], service: Service
) -> None:
    queue = connected(retry_delay=False)
    queue.send(b"x")
    message = received(queue)
    service.calls.clear()

    message.retry()
    message.ack()

    assert service.calls == []


def test_a_retry_with_a_delay_where_none_can_be_chosen_is_unsupported(connected: Callable[..., Queue]) -> None:
    queue = connected(retry_delay=False)
    queue.send(b"x")

    with pytest.raises(Unsupported, match="does not have 'retry_delay'"):
        received(queue).retry(SECOND)


def test_what_was_left_to_its_lease_cannot_be_extended(connected: Callable[..., Queue]) -> None:
    queue = connected(retry_delay=False)
    queue.send(b"x")
    message = received(queue)
    message.retry()

    with pytest.raises(NotFound, match="it was given back"):
        message.extend(20 * SECOND)


def test_an_extension_is_a_lease(queue: Queue, service: Service) -> None:
    queue.send(b"x")
    received(queue).extend(60 * SECOND)

    assert service.calls[-1] == ("extend", 60.0)


@pytest.mark.parametrize("seconds", [9, 301])
def test_an_extension_keeps_the_limits_of_a_lease(queue: Queue, seconds: int) -> None:
    queue.send(b"x")

    with pytest.raises(LimitExceeded, match=f"by is {seconds} seconds"):
        received(queue).extend(seconds * SECOND)


def test_an_extension_where_there_is_none_is_unsupported(connected: Callable[..., Queue]) -> None:
    queue = connected(extend=False)
    queue.send(b"x")

    with pytest.raises(Unsupported, match="does not have 'extend'"):
        received(queue).extend(20 * SECOND)


def test_an_extension_after_the_ack_is_not_found(queue: Queue) -> None:
    queue.send(b"x")
    message = received(queue)
    message.ack()

    with pytest.raises(NotFound, match=f"extend message {message.id} in queue thumbs: its lease is over"):
        message.extend(20 * SECOND)


def test_a_queue_at_an_address_is_named_after_it(tmp_path: Path) -> None:
    assert str(Queue.at("sqlite://thumbs", opening=Opening(data=str(tmp_path)))) == "queue thumbs"


def test_a_queue_in_a_file_is_named_after_its_parameter(tmp_path: Path) -> None:
    assert str(Queue.at(f"sqlite://{tmp_path}/app.db?name=thumbs")) == "queue thumbs"


def test_a_queue_at_an_address_has_the_limits_of_its_driver(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded, match=r"queue thumbs on sqlite://thumbs allows 1,048,576"):
        Queue.at("sqlite://thumbs", opening=Opening(data=str(tmp_path))).send(b"x" * (1024**2 + 1))


def test_a_queue_at_a_scheme_that_nobody_serves_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="no installed adapter serves a queue at nothing://"):
        Queue.at("nothing://thumbs")
