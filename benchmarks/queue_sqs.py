"""What a queue in SQS costs over boto3's client: `python benchmarks/queue_sqs.py [--json FILE]`.

The client has boto3's own settings; both speak to one ministack, call by call in turn. What is compared is the time
that the thread works, not how long the server takes, and the faster half of each. Many messages at once stand beside
boto3's batches of ten.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import boto3

from portable.queue import Queue
from portable_aws.harness import AwsHarness
from portable_contracts.provider import Address

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 300
MESSAGES = 1000
ROUNDS = 5
BODY = '{"key": "in/cat.jpg", "size": 123456, "note": "' + "x" * 400 + '"}'
ALLOWED_US = 40.0


def main() -> int:
    """Measure, print a table of figures, and write it as JSON where asked to; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    with AwsHarness() as harness:
        figures = measured(harness.create("queue", "sqs", {}), harness.create("queue", "sqs", {}))
    for figure in figures:
        print(f"{figure['name']:24} {figure['measured']:>8.2f} {figure['unit']:24} bar {figure['bar']:>6.2f}", end="")
        print("" if figure["kept"] else "   MISSED")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(figures, file, indent=2)
    return 0 if all(figure["kept"] for figure in figures) else 1


def measured(their_address: str, our_address: str) -> list[dict[str, Any]]:
    parsed = Address.parse(their_address)
    client = boto3.client("sqs", endpoint_url=parsed.parameters["endpoint"])
    url = client.get_queue_url(QueueName=parsed.name)["QueueUrl"]
    queue = Queue.at(our_address)
    held: dict[str, list[Any]] = {"theirs": [], "ours": []}

    def raw_receive() -> None:
        answer = client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=30, MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )  # fmt: skip
        held["theirs"] += [message["ReceiptHandle"] for message in answer["Messages"]]

    def raw_ack() -> None:
        client.delete_message(QueueUrl=url, ReceiptHandle=held["theirs"].pop())

    figures = [
        over("send", lambda: client.send_message(QueueUrl=url, MessageBody=BODY), lambda: queue.send(BODY)),
        over("receive", raw_receive, lambda: held["ours"].extend(queue.receive(1))),
        over("ack", raw_ack, lambda: held["ours"].pop().ack()),
    ]
    bodies = [BODY] * MESSAGES

    def raw_many() -> None:
        for begin in range(0, MESSAGES, 10):
            entries: Any = [
                {"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies[begin : begin + 10])
            ]
            assert not client.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")

    times = [(timed(raw_many), timed(lambda: queue.send_many(bodies))) for _ in range(ROUNDS)]
    ratio = min(theirs for theirs, _ in times) / min(ours for _, ours in times)
    many = {"name": f"send_many of {MESSAGES:,}", "measured": round(ratio, 2), "unit": "x the batches' speed"}
    return [*figures, {**many, "bar": 0.9, "kept": ratio >= 0.9}]


def over(name: str, theirs: Callable[[], object], ours: Callable[[], object]) -> dict[str, Any]:
    """Return the microseconds of work that *ours* takes more than *theirs*."""
    times = [(worked(theirs), worked(ours)) for _ in range(CALLS)]
    by_hand, through = (sorted(each)[: CALLS // 2] for each in zip(*times, strict=True))
    more = (sum(through) - sum(by_hand)) / len(through) * 1e6
    kept = more <= ALLOWED_US
    return {"name": name, "measured": round(more, 2), "unit": "us over the client", "bar": ALLOWED_US, "kept": kept}


def worked(function: Callable[[], object]) -> float:
    began = time.thread_time()
    function()
    return time.thread_time() - began


def timed(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
