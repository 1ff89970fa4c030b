"""What dispatching one HTTP request costs over doing all by hand: `python benchmarks/dispatch.py [--json FILE]`.

By hand means: a list of compiled patterns, tried one after the other, then json in and out. Both are given the request
as a platform hands it over, decoded from its JSON. Rounds of all take turns, and the best of each counts, so that a
busy machine slows them alike.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portable import App, Headers, Request

ROUNDS = 50
CALLS = 1000
ROUTES, MANY = 30, 1000
HEADERS = {
    "host": "shop.example",
    "user-agent": "benchmark/1.0",
    "accept": "*/*",
    "content-type": "application/json",
    "content-length": "31",
    "x-forwarded-for": "203.0.113.9",
    "x-forwarded-proto": "https",
}
BODY = '{"name": "Ada", "text": "Hello"}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the figures and ratios there, too")
    arguments = parser.parse_args()
    few, many, hand = timed((portable, ROUTES), (portable, MANY), (by_hand, ROUTES))
    results = [
        ratio(f"{ROUTES} routes / by hand", few, hand, 2.6),
        ratio(f"{MANY:,} routes / {ROUTES} routes", many, few, 1.5),
    ]
    print("one POST with JSON in and out, microseconds")
    for result in results:
        print(
            f"{result['name']:<32} {result['ours']:>7.1f} / {result['theirs']:.1f} = {result['ratio']:.2f} "
            f"(bar: at most {result['bar']}) {'met' if result['met'] else 'MISSED'}"
        )
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=2))
    sys.exit(0 if all(result["met"] for result in results) else 1)


def portable(routes: int) -> Callable[[dict[str, Any]], Any]:
    app = App("benchmark")

    def entry(request: Request, item: str) -> dict[str, Any]:
        return {"id": item, "name": request.json()["name"]}

    for number in range(routes):
        app.post(f"/group{number}/{{item}}/entries")(entry)

    def handle(event: dict[str, Any]) -> Any:
        request = Request(
            event["method"],
            event["path"],
            query=event["query"],
            headers=Headers.received(event["headers"].items()),
            body=event["body"].encode(),
            id="request",
        )
        response = app.handle(request)
        return {
            "statusCode": response.status,
            "headers": dict(response.headers.items()),
            "body": response.body.decode(),
        }

    return handle


def by_hand(routes: int) -> Callable[[dict[str, Any]], Any]:
    def entry(event: dict[str, Any], item: str) -> dict[str, Any]:
        return {"id": item, "name": json.loads(event["body"])["name"]}

    table = [(re.compile(rf"^/group{number}/(?P<item>[^/]+)/entries$"), "POST", entry) for number in range(routes)]

    def handle(event: dict[str, Any]) -> Any:
        for pattern, method, handler in table:
            if method == event["method"]:
                match = pattern.match(event["path"])
                if match:
                    body = json.dumps(handler(event, **match.groupdict()))
                    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": body}
        return {"statusCode": 404, "headers": {}, "body": ""}

    return handle


def timed(*contestants: tuple[Callable[[int], Callable[[dict[str, Any]], Any]], int]) -> list[float]:
    """Return the best time of each for one request, in microseconds, over requests to all its routes."""
    handles = [make(routes) for make, routes in contestants]
    requests = [[event(call % routes) for call in range(CALLS)] for _, routes in contestants]
    best = [float("inf")] * len(contestants)
    for handle, events in zip(handles, requests, strict=True):
        assert json.loads(handle(events[7])["body"]) == {"id": "42", "name": "Ada"}
    for _ in range(ROUNDS):
        for index, (handle, events) in enumerate(zip(handles, requests, strict=True)):
            began = time.perf_counter()
            for each in events:
                handle(each)
            best[index] = min(best[index], (time.perf_counter() - began) / CALLS * 1e6)
    return best


def event(group: int) -> dict[str, Any]:
    return {"method": "POST", "path": f"/group{group}/42/entries", "query": "page=2", "headers": HEADERS, "body": BODY}


def ratio(name: str, ours: float, theirs: float, bar: float) -> dict[str, Any]:
    value = ours / theirs
    return {"name": name, "ours": ours, "theirs": theirs, "ratio": value, "bar": bar, "met": value <= bar}


if __name__ == "__main__":
    main()
