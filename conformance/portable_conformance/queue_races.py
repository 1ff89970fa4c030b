"""The queue contract: threads and processes that use one queue at once, and a process that is killed."""

from __future__ import annotations

import threading

import pytest

from portable_conformance import contract, needs
from portable_conformance._queues import Leases, bodies, drain, seconds
from portable_conformance._threads import race, together

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from portable.queue import Queue

    StartProcess = Callable[..., subprocess.Popen[str]]

pytestmark = contract("queue")

THREADS = 8
ROUNDS = 10


def names(count: int) -> list[bytes]:
    return [f"{number:04}".encode() for number in range(count)]


class TestThreads:
    """One handle is safe from several threads."""

    def test_threads_that_send_through_one_handle_lose_nothing(self, queue: Queue) -> None:
        together(THREADS, lambda number: [queue.send(f"{number * 10 + step:04}") for step in range(10)])

        assert sorted(drain(queue)) == names(THREADS * 10)

    def test_threads_that_receive_share_the_messages_and_get_none_twice(self, queue: Queue) -> None:
        queue.send_many(names(80))
        found = together(THREADS, lambda _: drain(queue))

        assert sorted(body for each in found for body in each) == names(80)

    def test_handles_that_receive_at_once_share_the_messages_and_get_none_twice(
        self, queue: Queue, reopen: Callable[[Queue], Queue]
    ) -> None:
        queue.send_many(names(80))
        handles = [reopen(queue) for _ in range(4)]
        found = together(4, lambda number: drain(handles[number]))

        assert sorted(body for each in found for body in each) == names(80)

    def test_one_message_goes_to_one_of_32_receivers(self, queue: Queue) -> None:
        queue.send_many(names(ROUNDS))
        found = race(32, ROUNDS, lambda: None, lambda *_: [message.body for message in queue.receive(1)])

        assert sorted(body for turn in found for each in turn for body in each) == names(ROUNDS)

    def test_a_message_may_be_acknowledged_by_another_thread(self, queue: Queue, leases: Leases) -> None:
        queue.send_many(names(THREADS))
        messages = leases.take(queue, THREADS)
        together(THREADS, lambda number: messages[number].ack())
        leases.end()

        assert queue.receive() == []

    def test_a_message_acknowledged_by_all_threads_at_once_is_acknowledged(self, queue: Queue, leases: Leases) -> None:
        queue.send(b"1")
        message = leases.one(queue)
        assert together(THREADS, lambda _: message.ack()) == [None] * THREADS
        leases.end()

        assert queue.receive() == []

    @needs("groups")
    def test_threads_that_receive_groups_keep_the_order_of_each(self, queue: Queue) -> None:
        for number in range(10):
            for group in "abc":
                queue.send(f"{group}{number}", group=group)
        found: list[str] = []
        lock = threading.Lock()

        def work(_: int) -> None:
            misses = 0
            while misses < 4:
                messages = queue.receive(1, wait=seconds(0.1))
                misses = 0 if messages else misses + 1
                for message in messages:
                    with lock:
                        found.append(message.text)
                    message.ack()

        together(4, work)

        assert [[body for body in found if body[0] == group] for group in "abc"] == [
            [f"{group}{number}" for number in range(10)] for group in "abc"
        ]

    @needs("dedup")
    def test_of_racing_sends_with_one_key_one_is_delivered(self, queue: Queue) -> None:
        race(THREADS, ROUNDS, queue.receive, lambda _, turn: queue.send(names(ROUNDS)[turn], dedup=f"k{turn}"))

        assert sorted(drain(queue)) == names(ROUNDS)


DRAINING = """
from datetime import timedelta
while messages := resource.receive(5, wait=timedelta(seconds=0.5)):
    for message in messages:
        print(message.text, flush=True)
        message.ack()
"""

SENDING = """
print("ready", flush=True)
number = 0
while True:
    resource.send(f"{number:06}" * 100)
    print(number, flush=True)
    number += 1
"""

HOLDING = """
from datetime import timedelta
lease = timedelta(seconds=int(arguments[0])) if arguments else None
messages = resource.receive(10, wait=timedelta(seconds=5), lease=lease)
print(len(messages), flush=True)
sys.stdin.readline()
"""


class TestProcesses:
    def test_processes_that_receive_share_the_messages_and_get_none_twice(
        self, queue: Queue, start_process: StartProcess
    ) -> None:
        queue.send_many(names(60))
        processes = [start_process(queue, DRAINING) for _ in range(2)]
        found = [process.communicate()[0].split() for process in processes]

        assert sorted(body.encode() for each in found for body in each) == names(60)

    def test_what_a_process_that_is_killed_held_comes_back(
        self, queue: Queue, leases: Leases, start_process: StartProcess
    ) -> None:
        queue.send_many(names(3))
        process = start_process(queue, HOLDING, *([str(leases.length)] if leases.options else []))
        assert process.stdout is not None
        held = int(process.stdout.readline())
        process.kill()
        process.wait()
        leases.end()

        assert held == 3
        assert sorted(bodies(leases.take(queue, 3))) == names(3)

    @pytest.mark.parametrize("after", [1, 5, 20])
    def test_a_sender_that_is_killed_leaves_whole_messages_and_what_it_was_told_is_sent(
        self, queue: Queue, start_process: StartProcess, after: int
    ) -> None:
        process = start_process(queue, SENDING)
        assert process.stdout is not None
        for _ in range(after + 1):
            process.stdout.readline()
        process.kill()
        told = [int(line) for line in process.communicate()[0].split()]
        found = sorted(drain(queue))

        assert found == [f"{number:06}".encode() * 100 for number in range(len(found))]
        assert len(found) >= max([after, *(number + 1 for number in told)])

    def test_a_queue_whose_sender_was_killed_can_be_used_at_once(
        self, queue: Queue, start_process: StartProcess
    ) -> None:
        process = start_process(queue, SENDING)
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.wait()
        queue.send(b"mine")

        assert b"mine" in drain(queue)
