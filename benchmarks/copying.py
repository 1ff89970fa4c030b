"""How fast `portable copy` is beside the same work by hand: `python benchmarks/copying.py [--json FILE]`.

By hand is one thread that reads each object, writes it, reads it back and compares the SHA-256 of both: what a careful
script does. Both work on this machine's own buckets and tables, in the same run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from portable import Bucket, Table
from portable.copying import Copy
from portable_contracts.provider import Opening

SMALL, LARGE_MIB, ITEMS = 2000, 512, 5000


def main() -> None:
    """Measure, print the figures, and write them as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = compared(Opening(data=folder))
    for name, (by_hand, copied) in figures.items():
        print(f"{name:>22}: by hand {by_hand:7.2f} s, portable copy {copied:7.2f} s, {copied / by_hand:.2f} x")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2))


def compared(opening: Opening) -> dict[str, tuple[float, float]]:
    """Return the seconds by hand and by us, for each sort of work."""
    small, large = (Bucket.at(f"file://{name}", opening=opening) for name in ("small", "large"))
    table = Table.at("sqlite://items", opening=opening)
    for number in range(SMALL):
        small.write(f"{number}", os.urandom(2000), metadata={"n": f"{number}"})
    large.write("large", (os.urandom(1 << 20) for _ in range(LARGE_MIB)))
    for number in range(ITEMS):
        table.put(f"p{number % 10}", f"{number}", {"n": number, "text": "x" * 200})

    def run(source: str, target: str) -> Callable[[], object]:
        return lambda: Copy(source, target, opening=opening).run()

    return {
        "2,000 small objects": (seconds(lambda: by_hand(small, opening)), seconds(run("file://small", "file://a"))),
        "the same again": (seconds(lambda: by_hand(small, opening)), seconds(run("file://small", "file://a"))),
        "one of 512 MiB": (seconds(lambda: by_hand(large, opening)), seconds(run("file://large", "file://b"))),
        "5,000 items": (seconds(lambda: items_by_hand(table, opening)), seconds(run("sqlite://items", "sqlite://c"))),
    }


def by_hand(source: Bucket, opening: Opening) -> None:
    target = Bucket.at("file://by-hand", opening=opening)
    for entry in source.list():
        info = source.info(entry.key)
        sent, found = hashlib.sha256(), hashlib.sha256()
        with source.open(entry.key) as stream:
            target.write(entry.key, (sent.update(chunk) or chunk for chunk in stream), metadata=info.metadata)
        with target.open(entry.key) as back:
            for chunk in back:
                found.update(chunk)
        assert sent.digest() == found.digest()


def items_by_hand(source: Table, opening: Opening) -> None:
    target = Table.at("sqlite://by-hand", opening=opening)
    for item in source.scan():
        target.put(item.partition, item.sort, item.value, expires=item.expires)
        assert target.get(item.partition, item.sort).value == item.value


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
