"""What a table costs over bare SQLite: `python benchmarks/kv.py [--json FILE]`.

Bare means: one prepared statement on a connection that stays open, on a plain table of keys and text in the same file,
without encoding or decoding JSON. A bare round and a round through the API take turns, and the best of each is
compared, so that a busy machine disturbs both alike. Every write is of another value: SQLite does not write what is
there already.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from typing import TYPE_CHECKING, Any

from portable.kv import Table
from portable_contracts.provider import Opening

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 9
CALLS = 2000
ITEMS = 500
VALUE = {"id": 0, "name": "Ada Lovelace", "tags": ["a", "b"], "score": 0.5, "text": "x" * 940}
"""1 KiB of JSON."""


def main() -> None:
    """Measure, print a table of ratios, and write it as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = Table.at("sqlite://bench", opening=Opening(data=folder))
        connection = table.native()
        connection.execute("CREATE TABLE bare (partition TEXT, sort TEXT, value TEXT, PRIMARY KEY (partition, sort))")
        put = "INSERT INTO bare VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
        get = "SELECT value FROM bare WHERE partition = ? AND sort = ?"
        query = "SELECT sort, value FROM bare WHERE partition = ? ORDER BY sort"
        texts = [json.dumps({**VALUE, "id": number}) for number in range(CALLS)]
        values = [{**VALUE, "id": number} for number in range(CALLS)]
        sorts = [f"{number % ITEMS:06}" for number in range(CALLS)]

        def bare_put() -> None:
            for sort, text in zip(sorts, texts, strict=True):
                connection.execute(put, ("p", sort, text))

        def api_put() -> None:
            for sort, value in zip(sorts, values, strict=True):
                table.put("p", sort, value)

        def bare_get() -> None:
            for sort in sorts:
                connection.execute(get, ("p", sort)).fetchone()

        def api_get() -> None:
            for sort in sorts:
                table.get("p", sort)

        def bare_query() -> None:
            for _ in range(CALLS // ITEMS):
                connection.execute(query, ("p",)).fetchall()

        def api_query() -> None:
            for _ in range(CALLS // ITEMS):
                list(table.query("p"))

        figures = [
            compare("put", bare_put, api_put, 2.5),
            compare("get", bare_get, api_get, 3.0),
            compare("query, per item", bare_query, api_query, None),
        ]
    print(f"{'1 KiB items':20} {'bare':>10} {'API':>10} {'ratio':>7} {'allowed':>8}")
    for figure in figures:
        allowed = "" if figure["allowed"] is None else f"{figure['allowed']:.2f}"
        print(
            f"{figure['name']:20} {figure['bare_us']:7.1f} us {figure['api_us']:7.1f} us "
            f"{figure['ratio']:7.2f} {allowed:>8}"
        )
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"tables": figures}, file, indent=2)


def compare(name: str, bare: Callable[[], None], api: Callable[[], None], allowed: float | None) -> dict[str, Any]:
    """Time both, in turns; return the best of each in microseconds for each call."""
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for index, function in enumerate((bare, api)):
            began = time.perf_counter()
            function()
            best[index] = min(best[index], (time.perf_counter() - began) / CALLS * 1e6)
    return {"name": name, "bare_us": best[0], "api_us": best[1], "ratio": best[1] / best[0], "allowed": allowed}


if __name__ == "__main__":
    main()
