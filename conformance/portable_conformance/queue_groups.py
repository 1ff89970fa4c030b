"""The queue contract: groups that keep their order, and keys that hold back repeats."""

from __future__ import annotations

import pytest

from portable import Send
from portable_conformance import contract, needs, without
from portable_conformance._queues import Leases, bodies, drain, needs_a_clock_of_ours, seconds, take
from portable_contracts.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable.queue import Queue
    from portable_contracts.harness import Harness
    from portable_contracts.queue import QueueCapabilities

    PassTime = Callable[[float], None]

pytestmark = contract("queue")


def numbers(count: int) -> list[bytes]:
    return [f"{number:02}".encode() for number in range(count)]


class TestGroups:
    @needs("groups")
    def test_messages_of_a_group_come_in_the_order_in_which_they_were_sent(self, queue: Queue) -> None:
        for body in numbers(20):
            queue.send(body, group="g")

        assert drain(queue) == numbers(20)

    @needs("groups")
    def test_messages_sent_together_keep_their_order_in_a_group(self, queue: Queue) -> None:
        queue.send_many([Send(body, group="g") for body in numbers(25)])

        assert drain(queue) == numbers(25)

    @needs("groups")
    def test_a_message_says_which_group_it_is_of(self, queue: Queue) -> None:
        queue.send(b"1", group="g-1.x")

        assert take(queue)[0].group == "g-1.x"

    @needs("groups")
    def test_while_one_of_a_group_is_leased_nobody_gets_the_next(
        self, queue: Queue, leases: Leases, reopen: Callable[[Queue], Queue]
    ) -> None:
        queue.send(b"1", group="g")
        queue.send(b"2", group="g")
        assert bodies(leases.take(queue)) == [b"1"]

        assert queue.receive() == []
        assert reopen(queue).receive() == []

    @needs("groups")
    def test_once_it_is_acknowledged_the_next_comes(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1", group="g")
        queue.send(b"2", group="g")
        leases.one(queue).ack()

        assert leases.one(queue).body == b"2"

    @needs("groups")
    def test_when_its_lease_ends_it_comes_again_before_the_next(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1", group="g")
        queue.send(b"2", group="g")
        leases.one(queue)
        leases.end()
        again = leases.one(queue)

        assert (again.body, again.attempt) == (b"1", 2)

    @needs("groups", "retry_delay")
    def test_when_it_is_given_back_it_comes_again_before_the_next(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1", group="g")
        queue.send(b"2", group="g")
        leases.one(queue).retry(seconds(0))

        assert leases.one(queue).body == b"1"

    @needs("groups", "retry_delay")
    def test_one_that_is_given_back_for_later_holds_up_its_group(
        self, queue: Queue, leases: Leases, pass_time: PassTime
    ) -> None:
        queue.send(b"1", group="g")
        queue.send(b"2", group="g")
        leases.one(queue).retry(seconds(20))
        assert queue.receive() == []
        pass_time(21)

        assert leases.one(queue).body == b"1"

    @needs("groups")
    def test_a_message_whose_lease_ends_while_later_ones_of_its_group_are_sent_still_comes_first(
        self, queue: Queue, leases: Leases
    ) -> None:
        queue.send(b"1", group="g")
        leases.one(queue)
        queue.send(b"2", group="g")
        leases.end()

        assert drain(queue) == [b"1", b"2"]

    @needs("groups")
    def test_other_groups_go_on_meanwhile(self, queue: Queue, leases: Leases) -> None:
        for group in ("g", "h"):
            for body in (b"1", b"2"):
                queue.send(body + group.encode(), group=group)
        held = leases.one(queue)
        other = leases.one(queue)

        assert {held.group, other.group} == {"g", "h"}
        assert queue.receive() == []

    @needs("groups")
    def test_groups_keep_their_order_each(self, queue: Queue) -> None:
        for number in range(5):
            for group in ("a", "b", "c"):
                queue.send(f"{group}{number}", group=group)
        found = drain(queue)

        assert {group: [body for body in found if body.startswith(group)] for group in (b"a", b"b", b"c")} == {
            group: [group + str(number).encode() for number in range(5)] for group in (b"a", b"b", b"c")
        }

    @needs("groups")
    def test_one_call_gives_messages_of_one_group_in_order(self, queue: Queue) -> None:
        for body in numbers(5):
            queue.send(body, group="g")
        found = bodies(queue.receive(5, wait=seconds(1)))

        assert found == numbers(len(found))
        assert found

    @needs("groups")
    def test_messages_without_a_group_go_on_meanwhile(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1", group="g")
        queue.send(b"2", group="g")
        leases.one(queue)
        queue.send(b"free")

        assert bodies(leases.take(queue)) == [b"free"]

    @needs("groups")
    @pytest.mark.parametrize("group", ["a", "A-b_c.d", "!#$%&'()*+,-./:;<=>?@[]^_`{|}~", "x" * 128])
    def test_a_group_may_have_any_name_of_the_grammar(self, queue: Queue, group: str) -> None:
        queue.send(b"1", group=group)

        assert take(queue)[0].group == group

    @without("groups")
    def test_a_group_is_refused_where_there_are_none(self, queue: Queue) -> None:
        with pytest.raises(Unsupported):
            queue.send(b"1", group="g")

        assert queue.receive() == []


class TestDedup:
    @needs("dedup")
    def test_a_message_with_a_key_that_was_sent_is_taken_and_not_delivered_again(self, queue: Queue) -> None:
        ids = [queue.send(b"1", dedup="k"), queue.send(b"1", dedup="k")]

        assert all(ids)
        assert drain(queue) == [b"1"]

    @needs("dedup")
    def test_the_first_body_is_the_one_that_is_delivered(self, queue: Queue) -> None:
        queue.send(b"first", dedup="k")
        queue.send(b"second", dedup="k")

        assert drain(queue) == [b"first"]

    @needs("dedup")
    def test_a_repeat_is_held_back_also_when_the_first_was_acknowledged(self, queue: Queue) -> None:
        queue.send(b"1", dedup="k")
        take(queue)[0].ack()
        queue.send(b"1", dedup="k")

        assert queue.receive() == []

    @needs("dedup")
    def test_a_repeat_among_many_is_held_back(self, queue: Queue) -> None:
        outcomes = queue.send_many([Send(b"1", dedup="k"), Send(b"2", dedup="l"), Send(b"1", dedup="k")])

        assert all(isinstance(outcome, str) for outcome in outcomes)
        assert sorted(drain(queue)) == [b"1", b"2"]

    @needs("dedup")
    def test_a_repeat_through_another_handle_is_held_back(self, queue: Queue, reopen: Callable[[Queue], Queue]) -> None:
        queue.send(b"1", dedup="k")
        reopen(queue).send(b"1", dedup="k")

        assert drain(queue) == [b"1"]

    @needs("dedup")
    def test_other_keys_and_none_hold_nothing_back(self, queue: Queue) -> None:
        for dedup in ("k", "K", "k2", None, None):
            queue.send(b"1", dedup=dedup)

        assert bodies(take(queue, 5)) == [b"1"] * 5

    @needs("dedup")
    def test_a_key_in_another_queue_holds_nothing_back(self, make_queue: Callable[[], Queue]) -> None:
        one, other = make_queue(), make_queue()
        one.send(b"1", dedup="k")
        other.send(b"1", dedup="k")

        assert bodies(take(other)) == [b"1"]

    @needs("dedup")
    def test_a_key_is_forgotten_after_the_window(
        self, queue: Queue, capabilities: QueueCapabilities, harness: Harness, pass_time: PassTime
    ) -> None:
        needs_a_clock_of_ours(harness, capabilities.dedup_seconds)
        queue.send(b"1", dedup="k")
        take(queue)[0].ack()
        pass_time(capabilities.dedup_seconds + 1)
        queue.send(b"2", dedup="k")

        assert bodies(take(queue)) == [b"2"]

    @needs("dedup")
    def test_a_key_is_remembered_within_the_window(
        self, queue: Queue, capabilities: QueueCapabilities, harness: Harness, pass_time: PassTime
    ) -> None:
        needs_a_clock_of_ours(harness, capabilities.dedup_seconds)
        queue.send(b"1", dedup="k")
        take(queue)[0].ack()
        pass_time(capabilities.dedup_seconds - 10)
        queue.send(b"1", dedup="k")

        assert queue.receive() == []

    @without("dedup")
    def test_a_key_is_refused_where_there_are_none(self, queue: Queue) -> None:
        with pytest.raises(Unsupported):
            queue.send(b"1", dedup="k")

        assert queue.receive() == []
