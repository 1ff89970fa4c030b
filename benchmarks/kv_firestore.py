"""What a table in Firestore costs over Google's client: `python benchmarks/kv_firestore.py [--json FILE]`.

Both talk to the suite's server, over one connection each, and take turns; the best round of each counts. Google's
client means `google.cloud.firestore.Client`: `document.set(...)`, `document.get().to_dict()` and the documents of one
stream, each to its dict. Bare means gRPC with messages that were made before: what a call cannot go below.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from portable.kv import Table
from portable_conformance.counterparts import firestore as counterpart
from portable_gcp import _documents
from portable_gcp._firestore_service import CommitRequest, Database

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 7
CALLS = 300
ITEMS = 10_000
VALUE = {"id": 0, "name": "Ada Lovelace", "tags": ["a", "b"], "score": 0.5, "text": "x" * 940}
"""1 KiB of JSON."""


def main() -> None:
    """Measure, print a table, and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    server = counterpart.start()
    table = Table.at(f"firestore://bench?project=bench&endpoint={server.url}")
    client = firestore.Client("bench", AnonymousCredentials())
    client._emulator_host = f"127.0.0.1:{server.port}"
    collection = client.collection("bench-client")
    service = Database("bench", "(default)", server.url).service()
    name = f"{service.root}/documents/bench/{_documents.document_id('p', '1')}"
    sorts = [f"{number % 100:06}" for number in range(CALLS)]
    values = [{**VALUE, "id": number} for number in range(CALLS)]
    requests = []
    for sort, value in zip(sorts, values, strict=True):
        request = CommitRequest(database=service.root)
        write = request.writes.add()
        write.update.name = f"{service.root}/documents/bench/{_documents.document_id('p', sort)}"
        _documents.fill(write.update, "p", sort, value, None)
        requests.append(request)

    rows = {
        "put": compare(
            lambda: [table.put("p", sort, value) for sort, value in zip(sorts, values, strict=True)],
            lambda: [collection.document(sort).set(value) for sort, value in zip(sorts, values, strict=True)],
            lambda: [service.commit(request) for request in requests],
        ),
        "get": compare(
            lambda: [table.get("p", sort) for sort in sorts],
            lambda: [collection.document(sort).get().to_dict() for sort in sorts],
            lambda: [service.documents([name]) for _ in sorts],
        ),
    }
    print(f"{'':6} {'portable':>12} {'Google':>12} {'bare':>12} {'over Google':>14} {'over bare':>12}  µs a call")
    figures: dict[str, float] = {}
    for word, (ours, theirs, bare) in rows.items():
        print(f"{word:6} {ours:12.0f} {theirs:12.0f} {bare:12.0f} {ours - theirs:14.0f} {ours - bare:12.0f}")
        figures |= {f"{word}_over_google_microseconds": ours - theirs, f"{word}_over_bare_microseconds": ours - bare}

    fill(service)
    stream = client.collection("bench-query").order_by("key")
    many = Table.at(f"firestore://bench-query?project=bench&endpoint={server.url}")
    ours, theirs = (
        min(timed(call) for _ in range(3))
        for call in (lambda: list(many.query("q")), lambda: [document.to_dict() for document in stream.stream()])
    )
    figures["query_speed_of_google"] = theirs / ours
    print(f"query of {ITEMS:,}: {ours:.2f} s, Google's client {theirs:.2f} s: {theirs / ours:.2f} times its speed")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(figures, file)


def fill(service: Any) -> None:
    for begin in range(0, ITEMS, 500):
        request = CommitRequest(database=service.root)
        for number in range(begin, begin + 500):
            write = request.writes.add()
            sort = f"{number:06}"
            write.update.name = f"{service.root}/documents/bench-query/{_documents.document_id('q', sort)}"
            _documents.fill(write.update, "q", sort, {**VALUE, "id": number}, None)
        service.commit(request)


def compare(*calls: Callable[[], Any]) -> list[float]:
    """Return the microseconds of one call of each, the best of the rounds, in which they take turns."""
    best = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        best = [min(least, timed(call)) for least, call in zip(best, calls, strict=True)]
    return [seconds / CALLS * 1e6 for seconds in best]


def timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
