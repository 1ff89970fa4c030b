"""What a queue in Pub/Sub costs over Google's client: `python benchmarks/queue_pubsub.py [--json FILE]`.

Both talk to Google's own fake, over one connection each, and take turns; the best round of each counts. Google's client
means `google.pubsub_v1`: `publish`, `pull` and `acknowledge` with messages of its own.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from portable.queue import Queue
from portable_gcp.harness import GcpHarness

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 7
CALLS = 100
MANY = 1000
LEASE = timedelta(seconds=10)


def main() -> None:
    """Measure, print a table, and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    with GcpHarness() as harness:
        address = harness.create("queue", "pubsub", {})
        other = harness.create("queue", "pubsub", {})
        queue = Queue.at(address, opening=harness.opening({}))
        host, port = harness.upstream(address) or ("", 0)
        channel = grpc.insecure_channel(f"{host}:{port}")
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        name = other.partition("://")[2].partition("?")[0]
        topic, subscription = (f"projects/portable-conformance/{kind}/{name}" for kind in ("topics", "subscriptions"))
        body, attributes = b"x" * 1024, {"a": "1"}

        def ours() -> None:
            for _ in range(CALLS):
                queue.send(body, attributes=attributes)
            for _ in range(CALLS):
                queue.receive(1, lease=LEASE)[0].ack()

        def theirs() -> None:
            for _ in range(CALLS):
                publisher.publish(topic=topic, messages=[{"data": body, "attributes": attributes}], retry=None)
            for _ in range(CALLS):
                pulled = subscriber.pull(subscription=subscription, max_messages=1, return_immediately=True, retry=None)
                ids = [each.ack_id for each in pulled.received_messages]
                subscriber.acknowledge(subscription=subscription, ack_ids=ids, retry=None)

        def our_thousand() -> None:
            queue.send_many([body] * MANY)

        def their_thousand() -> None:
            publisher.publish(topic=topic, messages=[{"data": body}] * MANY, retry=None)

        queue.receive(1)
        single = compare(ours, theirs)
        thousand = compare(our_thousand, their_thousand)
        harness.destroy(address)
        harness.destroy(other)
    over = (single[0] - single[1]) / CALLS * 1e6
    print(f"send, receive and ack: {single[0] / CALLS * 1e6:.0f} µs, Google's client {single[1] / CALLS * 1e6:.0f} µs")
    print(f"send_many of {MANY:,}: {thousand[1] / thousand[0]:.2f} times the speed of Google's client")
    if arguments.json:
        with open(arguments.json, "w") as file:
            figures = {"over_google_microseconds": over, "send_many_speed_of_google": thousand[1] / thousand[0]}
            json.dump(figures, file)


def compare(*calls: Callable[[], Any]) -> list[float]:
    """Return the seconds of each call, the best of the rounds, in which they take turns."""
    best = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for place, call in enumerate(calls):
            began = time.perf_counter()
            call()
            best[place] = min(best[place], time.perf_counter() - began)
    return best


if __name__ == "__main__":
    main()
