"""What a queue costs over the SQLite statements it is made of: `python benchmarks/queues.py [--json FILE]`.

By hand means: the driver's own statements, prepared, on a bare connection to the same file. A round of one and a round
of the other take turns, and the best of each counts, so that a busy machine slows both alike.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from portable.queue import Queue, Send
from portable_contracts.provider import Opening
from portable_local import _queue_sql as sql

ROUNDS = 300
MESSAGES = 50
BATCH = 10
LEASE = timedelta(seconds=30)
BODY = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the figures and ratios there, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        alone, batches, empty = (Queue.at(f"sqlite://{name}", opening=opening(folder, name)) for name in "abc")
        crowded = crowd(Queue.at("sqlite://crowded", opening=opening(folder, "c")))
        results = [
            compare("one message / by hand", 1.5, one_by_one, alone, by_hand, alone),
            compare(f"{BATCH}, acked together / by hand", 5.0, together, batches, by_hand_together, batches),
            compare(f"{BATCH}, acked singly / by hand", 5.0, acked_singly, batches, by_hand_together, batches),
            compare("beside 200 groups / alone", 1.15, one_by_one, crowded, one_by_one, empty),
        ]
    print(f"send, receive and ack of {BODY} bytes, microseconds for each message")
    for result in results:
        print(
            f"{result['name']:<32} {result['ours']:>7.1f} / {result['theirs']:.1f} = {result['ratio']:.2f} "
            f"(bar: at most {result['bar']}) {'met' if result['met'] else 'MISSED'}"
        )
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=2))
    sys.exit(0 if all(result["met"] for result in results) else 1)


def opening(folder: str, name: str) -> Opening:
    return Opening(data=os.path.join(folder, name))


def crowd(queue: Queue) -> Queue:
    """Put 10,000 messages of 200 groups into *queue*, and lease what can be."""
    for number in range(200):
        queue.send_many([Send(b"x", group=f"group-{number}") for _ in range(50)])
    while queue.receive(100, lease=timedelta(hours=12)):
        pass
    return queue


def compare(
    name: str, bar: float, ours: Callable[[Queue], None], mine: Queue, theirs: Callable[[Queue], None], other: Queue
) -> dict[str, Any]:
    """Time both in turns, and return the best of each in microseconds for each message."""
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for index, (function, queue) in enumerate(((ours, mine), (theirs, other))):
            began = time.perf_counter()
            function(queue)
            best[index] = min(best[index], (time.perf_counter() - began) / MESSAGES * 1e6)
    ratio = best[0] / best[1]
    return {"name": name, "ours": best[0], "theirs": best[1], "ratio": ratio, "bar": bar, "met": ratio <= bar}


def one_by_one(queue: Queue) -> None:
    """Send, receive and acknowledge one message at a time."""
    for number in range(MESSAGES):
        queue.send(body(number))
        (message,) = queue.receive(1, lease=LEASE)
        message.ack()


def together(queue: Queue) -> None:
    """Likewise ten at a time, acknowledged together."""
    for start in range(0, MESSAGES, BATCH):
        queue.send_many([body(start + number) for number in range(BATCH)])
        messages = queue.receive(BATCH, lease=LEASE)
        assert queue.ack_many(messages) == [None] * BATCH


def acked_singly(queue: Queue) -> None:
    """Likewise, but acknowledge each message alone, as a handler does."""
    for start in range(0, MESSAGES, BATCH):
        queue.send_many([body(start + number) for number in range(BATCH)])
        for message in queue.receive(BATCH, lease=LEASE):
            message.ack()


def by_hand(queue: Queue) -> None:
    """Run the statements for one message at a time."""
    connection = queue.native()
    for number in range(MESSAGES):
        connection.execute(sql.SEND, row(number))
        connection.execute("BEGIN IMMEDIATE")
        moment = round(time.time() * 1000)
        ((seq, id, attempt, *_),) = connection.execute(sql.DUE, ("hand", moment, 1)).fetchall()
        connection.execute(sql.LEASE, (moment + 30_000, moment + 30_000, seq))
        connection.execute("COMMIT")
        connection.execute(sql.ACK, (seq, id, attempt + 1))


def by_hand_together(queue: Queue) -> None:
    """Run the statements for ten messages at a time, each for all ten in one transaction."""
    connection = queue.native()
    for start in range(0, MESSAGES, BATCH):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(sql.SEND, [row(start + number) for number in range(BATCH)])
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        moment = round(time.time() * 1000)
        rows = connection.execute(sql.DUE, ("hand", moment, BATCH)).fetchall()
        connection.executemany(sql.LEASE, [(moment + 30_000, moment + 30_000, seq) for seq, *_ in rows])
        connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(sql.ACK, [(seq, id, attempt + 1) for seq, id, attempt, *_ in rows])
        connection.execute("COMMIT")


def row(number: int) -> tuple[object, ...]:
    """Return what `sql.SEND` takes."""
    now = time.time()
    return "hand", os.urandom(16).hex(), round(now * 1000), round(now * 1000), now, None, body(number)


def body(number: int) -> bytes:
    """Return a body unlike the others: SQLite does not write what is there already."""
    return number.to_bytes(8, "big") * (BODY // 8)


if __name__ == "__main__":
    main()
