"""What a table in DynamoDB costs over boto3's client: `python benchmarks/kv_dynamodb.py [--json FILE]`.

The client has boto3's own settings and is handed typed attributes ready made; both speak to one DynamoDB Local, call by
call in turn. What is compared is the time that the thread works, not how long the server takes, and the faster half of
each. A query of 10,000 items stands beside boto3's paginator with its TypeDeserializer, a value alone beside its
serializers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from portable.kv import Table
from portable_aws._attributes import attribute, portable
from portable_aws.harness import AwsHarness
from portable_contracts.provider import Address

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 300
ITEMS = 10_000
ROUNDS = 5
VALUE = {
    "id": "0123456789abcdef",
    "name": "Ada Lovelace",
    "age": 36,
    "active": True,
    "tags": ["x", "y", "z"],
    "address": {"street": "1 Main Street", "city": "London", "place": [51, 0]},
    "orders": [{"sku": f"s{number}", "quantity": number, "note": "n" * 20} for number in range(5)],
    "text": "x" * 700,
}
"""About 1 KiB, without a float: boto3's serializer takes none."""
SMALL = {"name": "Ada Lovelace", "age": 36, "tags": ["x", "y"]}


def main() -> int:
    """Measure, print a table of figures, and write it as JSON where asked to; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    figures = [alone()]
    with AwsHarness() as harness:
        address = harness.create("table", "dynamodb", {})
        figures += over_the_wire(address)
        harness.destroy(address)
    for figure in figures:
        print(f"{figure['name']:24} {figure['measured']:>8.2f} {figure['unit']:24} bar {figure['bar']:>6.2f}", end="")
        print("" if figure["kept"] else "   MISSED")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(figures, file, indent=2)
    return 0 if all(figure["kept"] for figure in figures) else 1


def alone() -> dict[str, Any]:
    serializer, deserializer = TypeSerializer(), TypeDeserializer()
    native = attribute(VALUE)
    ours = best(lambda: portable(attribute(VALUE)))
    theirs = best(lambda: deserializer.deserialize(serializer.serialize(VALUE)))
    assert portable(native) == VALUE
    return at_most("encode + decode, 1 KiB", ours / theirs, "x boto3's serializers", 1.3)


def over_the_wire(address: str) -> list[dict[str, Any]]:
    parsed = Address.parse(address)
    client = boto3.client("dynamodb", endpoint_url=parsed.parameters["endpoint"])
    name, table = parsed.name, Table.at(address)
    item = {"partition": {"S": "p"}, "sort": {"S": "s"}, "value": attribute(VALUE), "version": {"S": "0" * 16}}
    key = {"partition": {"S": "p"}, "sort": {"S": "s"}}
    get = over(
        lambda: client.get_item(TableName=name, Key=key, ConsistentRead=True), lambda: table.get("p", "s", default=None)
    )
    put = over(lambda: client.put_item(TableName=name, Item=item), lambda: table.put("p", "s", VALUE))

    numbers = count()
    for _ in range(ITEMS // 25):
        requests: Any = [
            {
                "PutRequest": {
                    "Item": {
                        "partition": {"S": "many"},
                        "sort": {"S": f"{next(numbers):06}"},
                        "value": attribute(SMALL),
                        "version": {"S": "0" * 16},
                    }
                }
            }
            for _ in range(25)
        ]
        client.batch_write_item(RequestItems={name: requests})
    deserializer = TypeDeserializer()

    def raw() -> int:
        pages = client.get_paginator("query").paginate(
            TableName=name,
            KeyConditionExpression="#p = :p",
            ExpressionAttributeNames={"#p": "partition"},
            ExpressionAttributeValues={":p": {"S": "many"}},
            ConsistentRead=True,
        )
        found = [
            {field: deserializer.deserialize(value) for field, value in each.items()}
            for page in pages
            for each in page["Items"]
        ]
        return len(found)

    def ours() -> int:
        return len(list(table.query("many")))

    assert raw() == ours() == ITEMS
    times = [(timed(raw), timed(ours)) for _ in range(ROUNDS)]
    ratio = min(each for each, _ in times) / min(each for _, each in times)
    return [
        at_most("get, 1 KiB", get, "us over the client", 40.0),
        at_most("put, 1 KiB", put, "us over the client", 40.0),
        at_least(f"query of {ITEMS:,} items", ratio, "x the paginator's speed", 0.9),
    ]


def over(theirs: Callable[[], object], ours: Callable[[], object]) -> float:
    """Return the microseconds of work that *ours* takes more than *theirs*."""
    theirs()
    ours()
    times = [(worked(theirs), worked(ours)) for _ in range(CALLS)]
    by_hand, through = (sorted(each)[: CALLS // 2] for each in zip(*times, strict=True))
    difference: float = (sum(through) - sum(by_hand)) / len(through) * 1e6
    return difference


def best(function: Callable[[], object], calls: int = 500) -> float:
    def many() -> None:
        for _ in range(calls):
            function()

    return min(timed(many) for _ in range(ROUNDS))


def worked(function: Callable[[], object]) -> float:
    began = time.thread_time()
    function()
    return time.thread_time() - began


def timed(function: Callable[[], object]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def at_most(name: str, measured: float, unit: str, bar: float) -> dict[str, Any]:
    return {"name": name, "measured": round(measured, 2), "unit": unit, "bar": bar, "kept": measured <= bar}


def at_least(name: str, measured: float, unit: str, bar: float) -> dict[str, Any]:
    return {"name": name, "measured": round(measured, 2), "unit": unit, "bar": bar, "kept": measured >= bar}


if __name__ == "__main__":
    sys.exit(main())
