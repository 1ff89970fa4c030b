"""What a table in Table Storage costs over Microsoft's client: `python benchmarks/kv_aztable.py [--json FILE]`.

Both speak to one Azurite, call by call in turn. What is compared is the time that the thread works, not how long the
server takes, and the faster half of each. The client is handed properties ready made.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AzureNamedKeyCredential
from azure.data.tables import TableClient, UpdateMode

from portable.kv import Table
from portable_azure import _entities
from portable_azure.harness import AzureHarness
from portable_contracts.provider import Address

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 300
ITEMS = 10_000
ROUNDS = 3
VALUE = {
    "id": "0123456789abcdef",
    "name": "Ada Lovelace",
    "age": 36,
    "score": 9.5,
    "active": True,
    "tags": ["x", "y", "z"],
    "address": {"street": "1 Main Street", "city": "London", "place": [51, 0]},
    "orders": [{"sku": f"s{number}", "quantity": number, "note": "n" * 20} for number in range(5)],
    "text": "x" * 700,
}
"""About 1 KiB."""
SMALL = {"name": "Ada Lovelace", "age": 36, "tags": ["x", "y"]}


def main() -> int:
    """Measure, print a table of figures, and write it as JSON where asked to; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    with AzureHarness() as harness:
        address = harness.create("table", "aztable", {})
        figures = over_the_wire(address)
        harness.destroy(address)
    for figure in figures:
        print(f"{figure['name']:24} {figure['measured']:>8.2f} {figure['unit']:24} bar {figure['bar']:>6.2f}", end="")
        print("" if figure["kept"] else "   MISSED")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(figures, file, indent=2)
    return 0 if all(figure["kept"] for figure in figures) else 1


def over_the_wire(address: str) -> list[dict[str, Any]]:
    parsed, table = Address.parse(address), Table.at(address)
    credential = AzureNamedKeyCredential(parsed.parameters["account"], os.environ["AZURE_STORAGE_KEY"])
    client = TableClient(parsed.parameters["endpoint"], parsed.name, credential=credential)
    entity = {"PartitionKey": "p", "RowKey": "s", **_entities.properties(VALUE)}
    put = over(lambda: client.upsert_entity(entity, mode=UpdateMode.REPLACE), lambda: table.put("p", "s", VALUE))
    get = over(lambda: client.get_entity("p", "s"), lambda: table.get("p", "s", default=None))

    small = _entities.properties(SMALL)
    for begin in range(0, ITEMS, 100):
        rows = [{"PartitionKey": "many", "RowKey": f"{begin + number:06}", **small} for number in range(100)]
        client.submit_transaction([("upsert", row) for row in rows])

    def raw() -> int:
        return sum(1 for found in client.query_entities("PartitionKey eq 'many'") if json.loads(found["json"]))

    def ours() -> int:
        return sum(1 for _ in table.query("many"))

    assert raw() == ours() == ITEMS
    theirs_s, ours_s = float("inf"), float("inf")
    for _ in range(ROUNDS):
        theirs_s, ours_s = min(theirs_s, worked(raw)), min(ours_s, worked(ours))
    speed = theirs_s / ours_s
    return [
        {"name": "get, 1 KiB", "measured": get, "unit": "us over the client", "bar": 40, "kept": get <= 40},
        {"name": "put, 1 KiB", "measured": put, "unit": "us over the client", "bar": 40, "kept": put <= 40},
        {"name": f"query, {ITEMS:,}", "measured": speed, "unit": "x the client's", "bar": 0.9, "kept": speed >= 0.9},
    ]


def over(theirs: Callable[[], object], ours: Callable[[], object]) -> float:
    """Return how many microseconds more of the thread's work a call of *ours* takes, in the faster half of calls."""
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(CALLS):
        for times, call in zip(spent, (theirs, ours), strict=True):
            times.append(worked(call))
    lower, upper = (sum(sorted(times)[: CALLS // 2]) / (CALLS // 2) for times in spent)
    return (upper - lower) * 1e6


def worked(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return time.thread_time() - began


if __name__ == "__main__":
    sys.exit(main())
