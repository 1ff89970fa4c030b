"""Queues in SQLite among threads and processes: who waits, who is woken, and what a kill leaves."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count

import pytest

from portable.queue import Queue, Send

SECOND = timedelta(seconds=1)
START = 1_700_000_000.123456
Open = Callable[..., Queue]
Start = Callable[..., subprocess.Popen[str]]


def bodies(queue: Queue, limit: int = 10) -> list[str]:
    return [message.text for message in queue.receive(limit)]


def send_group(queue: Queue, group: str, *texts: str) -> None:
    queue.send_many([Send(text, group=group) for text in texts])


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def kill(process: subprocess.Popen[str]) -> list[str]:
    """Kill the process as the kernel does, and return what else it had printed, whole lines only."""
    process.kill()
    assert process.stdout is not None
    return process.stdout.read().split("\n")[:-1]


def test_a_wait_ends_with_nothing_though_the_clock_stands_still(queue: Queue) -> None:
    assert queue.receive(wait=0.05 * SECOND) == []


def test_a_wait_ends_when_the_clock_says_so(open_queue: Open) -> None:
    seconds = count(START, 5)
    began = time.monotonic()

    assert open_queue(clock=lambda: next(seconds)).receive(wait=60 * SECOND) == []
    assert time.monotonic() - began < 30


def test_the_end_of_a_delay_ends_a_wait(open_queue: Open) -> None:
    seconds = count(START, 5)
    queue = open_queue(clock=lambda: next(seconds))
    queue.send("a", delay=40 * SECOND)

    assert [message.text for message in queue.receive(wait=60 * SECOND)] == ["a"]


def test_a_send_in_this_process_wakes_a_receiver(open_queue: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portable_local.queue.POLL_SECONDS", 60)
    read = threading.Semaphore(0)

    def clock() -> float:
        read.release()
        return START

    receiver = open_queue(clock=clock)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(receiver.receive, wait=60 * SECOND)
        assert all(read.acquire(timeout=10) for _ in ("to look", "to wait", "to look again"))
        open_queue().send("a")

        assert [message.text for message in waiting.result()] == ["a"]
    assert time.monotonic() - began < 30


def test_a_send_in_another_process_wakes_a_receiver(queue: Queue, start_beside: Start, open_queue: Open) -> None:
    receiver = open_queue(clock=time.time)
    began = time.monotonic()
    sender = start_beside("queue.send('a')")

    assert [message.text for message in receiver.receive(wait=60 * SECOND)] == ["a"]
    assert time.monotonic() - began < 30
    assert sender.wait(30) == 0


def test_a_waiting_receiver_does_next_to_nothing(open_queue: Open) -> None:
    queue = open_queue(clock=time.time)
    queue.receive()
    began = time.process_time()
    queue.receive(wait=0.5 * SECOND)

    assert time.process_time() - began < 0.1


def test_of_many_waiting_receivers_one_gets_the_message(open_queue: Open) -> None:
    queue = open_queue(clock=time.time)
    with ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(queue.receive, wait=0.5 * SECOND) for _ in range(4)]
        queue.send("a")

        assert sum(len(each.result()) for each in waiting) == 1


def test_threads_send_and_receive_side_by_side(queue: Queue) -> None:
    with ThreadPoolExecutor(8) as threads:
        sent = list(threads.map(queue.send, [str(number) for number in range(400)]))
        taken = list(threads.map(queue.receive, [10] * 60))

    assert sorted(message.id for batch in taken for message in batch) == sorted(sent)


def test_no_message_goes_to_two_threads_at_once(queue: Queue) -> None:
    queue.send_many([str(number) for number in range(200)])
    start_together = threading.Barrier(8)

    def take(_: int) -> list[str]:
        start_together.wait(10)
        return [message.id for _ in range(30) for message in queue.receive(1)]

    with ThreadPoolExecutor(8) as threads:
        taken = [id for ids in threads.map(take, range(8)) for id in ids]

    assert len(taken) == len(set(taken)) == 200


def test_a_group_is_in_one_threads_hands_at_a_time(queue: Queue) -> None:
    send_group(queue, "g", *[str(number) for number in range(60)])
    order: list[str] = []

    def work(_: int) -> None:
        while len(order) < 60:
            for message in queue.receive(3):
                order.append(message.text)
                message.ack()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))

    assert order == [str(number) for number in range(60)]


def test_a_child_may_go_on_where_its_parent_forked(start_beside: Start) -> None:
    program = """
queue.send("before")
child = os.fork()
queue.send("child" if child == 0 else "parent")
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
print(*sorted(message.text for message in queue.receive()))
"""

    assert lines(start_beside(program), 1) == ["before child parent"]


@pytest.mark.slow
def test_four_consumer_processes_lose_nothing(open_queue: Open, start_beside: Start) -> None:
    consume = """
while messages := queue.receive(10, lease=timedelta(minutes=10), wait=timedelta(seconds=1)):
    for message in messages:
        print(message.id)
        message.ack()
"""
    queue = open_queue(clock=time.time)
    sent = queue.send_many([str(number) for number in range(4 * 2000)])
    consumers = [start_beside(consume) for _ in range(4)]
    consumed = [id for consumer in consumers for id in consumer.communicate(timeout=120)[0].split()]

    assert sorted(consumed) == sorted(map(str, sent))
    assert queue.native().execute("SELECT count(*) FROM message").fetchone() == (0,)


def test_what_a_killed_consumer_held_comes_again(open_queue: Open, start_beside: Start) -> None:
    queue = open_queue(clock=time.time)
    queue.send_many(["a", "b"])
    consumer = start_beside("[first, second] = queue.receive(); first.ack(); print(second.text, flush=True); input()")
    assert lines(consumer, 1) == ["b"]
    kill(consumer)

    assert queue.receive() == []
    later = open_queue(clock=lambda: time.time() + 30)
    assert [(message.text, message.attempt) for message in later.receive()] == [("b", 2)]


@pytest.mark.slow
@pytest.mark.parametrize("sent", [1, 50, 300])
def test_every_send_that_returned_before_a_kill_is_there(open_queue: Open, start_beside: Start, sent: int) -> None:
    sender = start_beside("""
for number in range(100_000):
    queue.send(str(number) * 100)
    print(number, flush=True)
""")
    printed = lines(sender, sent) + kill(sender)
    queue = open_queue(clock=lambda: time.time() + 1)
    found = bodies(queue, 200_000)

    assert found == [str(number) * 100 for number in range(len(found))]
    assert len(found) in (len(printed), len(printed) + 1)


@pytest.mark.slow
@pytest.mark.parametrize("settled", [1, 50, 300])
def test_every_ack_that_returned_before_a_kill_counts(open_queue: Open, start_beside: Start, settled: int) -> None:
    queue = open_queue(clock=time.time)
    queue.send_many([str(number) for number in range(3000)])
    consumer = start_beside("""
while True:
    for message in queue.receive(3):
        message.ack()
        print(message.text, flush=True)
""")
    printed = lines(consumer, settled) + kill(consumer)
    left = bodies(open_queue(clock=lambda: time.time() + 30), 3000)

    assert len(left) + len(printed) in (3000, 2999)
    assert set(left).isdisjoint(printed)


@pytest.mark.slow
def test_a_kill_in_the_middle_of_dead_letters_neither_loses_nor_doubles_one(
    open_queue: Open, start_beside: Start
) -> None:
    queue = open_queue(clock=time.time)
    sent = queue.send_many([Send(str(number), group=str(number % 7)) for number in range(1500)])
    consumer = start_beside("""
queue = Queue.at("sqlite://thumbs", opening=Opening(
    data=sys.argv[1], options={"max_attempts": 1, "dead_letter": "sqlite://thumbs-dead"}))
while True:
    for message in queue.receive(2):
        message.retry()
        print(message.id, flush=True)
""")
    printed = lines(consumer, 200) + kill(consumer)
    rows = queue.native().execute("SELECT id, queue FROM message").fetchall()

    assert sorted(id for id, _ in rows) == sorted(map(str, sent))
    assert {id for id, name in rows if name == "thumbs-dead"} >= set(printed)
