"""The queue contract against a plain dict: Hypothesis makes the calls, both must agree after each one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from portable_conformance import contract
from portable_conformance._machines import SETTINGS, World
from portable_conformance._queues import OWN_LEASE, seconds
from portable_contracts.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

    from portable.queue import Queue
    from portable_contracts.events import Message
    from portable_contracts.harness import Harness
    from portable_contracts.queue import QueueCapabilities

pytestmark = contract("queue")

LEASE = 60
SLACK = 5
"""Seconds by which the model's clock may be off: nothing is asked of what becomes due within them."""
AT_ONCE = 0.0
sends = st.tuples(st.binary(max_size=6), st.dictionaries(st.sampled_from("ab"), st.text(max_size=4), max_size=2))


class Sent:
    """One message of the model."""

    def __init__(self, body: bytes, attributes: dict[str, str], due: float, group: str | None) -> None:
        self.body = body
        self.attributes = attributes
        self.group = group
        self.due = due
        """When it may be received: after its delay, its lease, or the time it was given back for."""
        self.attempts = 0
        self.leased = False

    def surely_due(self, moment: float) -> bool:
        return self.due == AT_ONCE or moment - self.due > SLACK

    def surely_not_due(self, moment: float) -> bool:
        return self.due - moment > SLACK


class QueueMachine(RuleBasedStateMachine):
    """A queue and its model; the messages in it in the order in which they were sent."""

    world: ClassVar[World]
    lease: ClassVar[int]
    options: ClassVar[dict[str, Any]]
    """What asks for that lease, where it can be chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, Sent] = {}
        self.fresh: dict[str, Message] = {}
        """The latest delivery of each message."""
        self.stale: list[Message] = []
        self.keys: dict[str, float] = {}

    @initialize()
    def begin(self) -> None:
        self.queue = self.world.make()

    def send_one(self, body: bytes, attributes: dict[str, str], **options: Any) -> None:
        due = self.world.now() + options["delay"].total_seconds() if "delay" in options else AT_ONCE
        id = self.queue.send(body, attributes=attributes, **options)
        assert id not in self.model
        self.model[id] = Sent(body, attributes, due, options.get("group"))

    @rule(message=sends)
    def send(self, message: tuple[bytes, dict[str, str]]) -> None:
        self.send_one(*message)

    @rule(messages=st.lists(st.binary(max_size=6), max_size=4))
    def send_many(self, messages: list[bytes]) -> None:
        for id, body in zip(self.queue.send_many(messages), messages, strict=True):
            assert isinstance(id, str)
            self.model[id] = Sent(body, {}, AT_ONCE, None)

    @precondition(lambda self: self.world.capabilities.delay)
    @rule(message=sends, delay=st.sampled_from([30, 90]))
    def send_later(self, message: tuple[bytes, dict[str, str]], delay: int) -> None:
        self.send_one(*message, delay=seconds(delay))

    @precondition(lambda self: self.world.capabilities.groups)
    @rule(message=sends, group=st.sampled_from("gh"))
    def send_in_a_group(self, message: tuple[bytes, dict[str, str]], group: str) -> None:
        self.send_one(*message, group=group)

    @precondition(lambda self: self.world.capabilities.dedup)
    @rule(message=sends, key=st.sampled_from("kl"))
    def send_with_a_key(self, message: tuple[bytes, dict[str, str]], key: str) -> None:
        window = self.world.capabilities.dedup_seconds
        age = self.world.now() - self.keys.get(key, 0.0)
        if abs(age - window) < SLACK:
            return
        if age < window:
            self.queue.send(message[0], dedup=key)
        else:
            self.keys[key] = self.world.now()
            self.send_one(*message, dedup=key)

    @rule(limit=st.integers(1, 5))
    def receive(self, limit: int) -> None:
        before = self.world.now()
        wait = seconds(0 if self.world.time_moves else 1)
        messages = self.queue.receive(limit, wait=wait, **self.options)
        must, may = self.receivable(before)
        assert min(limit, len(must)) <= len(messages) <= limit
        assert len({message.id for message in messages}) == len(messages)
        for message in messages:
            sent = self.model[message.id]
            assert message.id in may
            assert (message.body, message.attributes, message.group) == (sent.body, sent.attributes, sent.group)
            sent.attempts += 1
            assert message.attempt == sent.attempts
            sent.due = self.world.now() + self.lease
            sent.leased = True
            if message.id in self.fresh:
                self.stale.append(self.fresh[message.id])
            self.fresh[message.id] = message
        for group in "gh":
            mine = [message.id for message in messages if message.group == group]
            waiting = [id for id, sent in self.model.items() if sent.group == group]
            assert mine == waiting[: len(mine)]

    def receivable(self, moment: float) -> tuple[set[str], set[str]]:
        """Return the messages of which one must come, if asked, and those that may."""
        must: set[str] = set()
        may: set[str] = set()
        for id, sent in self.model.items():
            queued = [other for other in self.model.values() if other.group == sent.group] if sent.group else [sent]
            ahead = queued[: queued.index(sent)]
            if not any(other.surely_not_due(moment) for other in (*ahead, sent)):
                may.add(id)
            if sent.surely_due(moment) and not ahead and not any(other.leased for other in queued[1:]):
                must.add(id)
        return must, may

    def held(self, place: int) -> Message | None:
        """Return one of the deliveries whose lease surely lasts."""
        live = [id for id in self.fresh if self.model[id].surely_not_due(self.world.now())]
        return self.fresh[live[place % len(live)]] if live else None

    @rule(place=st.integers(0, 9))
    def ack(self, place: int) -> None:
        message = self.held(place)
        if message is not None:
            message.ack()
            del self.model[message.id]
            self.stale.append(self.fresh.pop(message.id))

    @precondition(lambda self: self.world.capabilities.retry_delay)
    @rule(place=st.integers(0, 9), delay=st.sampled_from([0, 30]))
    def give_back(self, place: int, delay: int) -> None:
        message = self.held(place)
        if message is not None:
            message.retry(seconds(delay))
            self.model[message.id].due = self.world.now() + delay if delay else AT_ONCE
            self.model[message.id].leased = False
            self.stale.append(self.fresh.pop(message.id))

    @precondition(lambda self: self.world.capabilities.extend)
    @rule(place=st.integers(0, 9), by=st.sampled_from([30, 120]))
    def extend(self, place: int, by: int) -> None:
        message = self.held(place)
        if message is not None:
            message.extend(seconds(by))
            self.model[message.id].due = self.world.now() + by

    @precondition(lambda self: self.stale)
    @rule(place=st.integers(0, 9), call=st.sampled_from(["ack", "retry", "extend"]))
    def settle_too_late(self, place: int, call: str) -> None:
        message = self.stale[place % len(self.stale)]
        if call != "extend":
            getattr(message, call)()
        elif self.world.capabilities.extend:
            with pytest.raises(NotFound):
                message.extend(seconds(LEASE))

    @precondition(lambda self: self.world.time_moves)
    @rule(length=st.sampled_from([20, 45, 100, 400]))
    def let_time_pass(self, length: int) -> None:
        self.world.pass_time(length)

    @rule()
    def go_on_through_another_handle(self) -> None:
        self.queue = self.world.reopen(self.queue)

    def teardown(self) -> None:
        """Everything that was not acknowledged comes, whatever was done to it."""
        if not hasattr(self, "queue") or not self.world.time_moves:
            return
        self.world.pass_time(500)
        found = []
        while messages := self.queue.receive(10, **self.options):
            found += [message.id for message in messages]
            assert self.queue.ack_many(messages) == [None] * len(messages)
        assert sorted(found) == sorted(self.model)


class TestModel:
    @pytest.mark.slow
    def test_any_sequence_of_calls_does_what_a_dictionary_would(
        self,
        make_queue: Callable[[], Queue],
        reopen: Callable[[Queue], Queue],
        harness: Harness,
        capabilities: QueueCapabilities,
    ) -> None:
        world = World(harness, capabilities, make_queue, reopen)

        chosen = (LEASE, {"lease": seconds(LEASE)}) if capabilities.choose_lease else (OWN_LEASE, {})
        members = {"world": world, "lease": chosen[0], "options": chosen[1]}

        run_state_machine_as_test(type("Machine", (QueueMachine,), members), settings=SETTINGS)
