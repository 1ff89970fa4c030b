"""What a table in Redis costs over redis-py by hand: `python benchmarks/kv_redis.py [--json FILE]`.

By hand means SET and GET of text, without a version, an order or JSON, through a client of its own on the same server.
Both take turns, and the best round of each is compared. The bar is absolute, as the work between is: 40 microseconds.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING

import redis

from portable.kv import Table
from portable_conformance.counterparts import redis_server
from portable_redis.harness import RedisHarness

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 80
"""Short and many: on a busy machine some of them are left in peace."""
CALLS = 100
ITEMS = 50
ALLOWED_US = 40.0
VALUE = {"id": 0, "name": "Ada Lovelace", "tags": ["a", "b"], "score": 0.5, "text": "x" * 940}
"""1 KiB of JSON."""


def main() -> None:
    """Measure, print a table of differences, and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    by_hand = redis.Redis(port=redis_server.start().port)
    with RedisHarness() as harness:
        table = Table.at(harness.create("table", "redis", {}))
        texts = [json.dumps({**VALUE, "id": number}) for number in range(CALLS)]
        values = [{**VALUE, "id": number} for number in range(CALLS)]
        sorts = [f"{number % ITEMS:06}" for number in range(CALLS)]

        def hand_put() -> None:
            for sort, text in zip(sorts, texts, strict=True):
                by_hand.set(sort, text)

        def api_put() -> None:
            for sort, value in zip(sorts, values, strict=True):
                table.put("p", sort, value)

        def hand_get() -> None:
            for sort in sorts:
                by_hand.get(sort)

        def api_get() -> None:
            for sort in sorts:
                table.get("p", sort)

        figures = [compare("put", hand_put, api_put), compare("get", hand_get, api_get)]
    print(f"{'1 KiB items':12} {'by hand':>12} {'API':>10} {'over':>10} {'allowed':>10}")
    for figure in figures:
        print(
            f"{figure['name']:12} {figure['hand_us']:9.1f} us {figure['api_us']:7.1f} us "
            f"{figure['over_us']:7.1f} us {ALLOWED_US:7.1f} us"
        )
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"tables in Redis": figures}, file, indent=2)


def compare(name: str, hand: Callable[[], None], api: Callable[[], None]) -> dict[str, object]:
    """Time both, in turns; return the best of each in microseconds for each call."""
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for index, function in enumerate((hand, api)):
            began = time.perf_counter()
            function()
            best[index] = min(best[index], (time.perf_counter() - began) / CALLS * 1e6)
    return {"name": name, "hand_us": best[0], "api_us": best[1], "over_us": best[1] - best[0], "allowed": ALLOWED_US}


if __name__ == "__main__":
    main()
