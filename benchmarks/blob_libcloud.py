"""What a bucket over Libcloud costs beside Libcloud alone: `python benchmarks/blob_libcloud.py [--json FILE]`.

Both talk to the same emulator of S3, in the same run and in turns; the best round of each counts. Libcloud is used as
its documentation does: `get_object`, `download_object_as_stream`, `upload_object_via_stream`.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from libcloud.storage.base import Container

from portable import registry
from portable.blob import Bucket

BODY = os.urandom(1024)
ROUNDS, CALLS = 40, 5
LISTED = 3000


def main() -> None:
    """Measure, print the figures, and write them as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    harness = registry.load(registry.provider("libcloud").harness)()
    address = harness.create("bucket", "libcloud+s3", {})
    try:
        figures = compared(Bucket.at(address))
    finally:
        harness.destroy(address)
    for name, (alone, ours) in figures.items():
        print(f"{name:>8}: Libcloud {alone * 1e3:8.2f} ms, through Bucket {ours * 1e3:8.2f} ms, {ours / alone:.2f} x")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2))


def compared(bucket: Bucket) -> dict[str, tuple[float, float]]:
    """Return the best seconds of one call of each operation, of Libcloud's and of ours."""
    driver = bucket.native()
    container = Container(bucket.name, {}, driver)
    bucket.write("k", BODY)
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "info": (lambda: driver.get_object(bucket.name, "k"), lambda: bucket.info("k")),
        "read": (
            lambda: b"".join(driver.download_object_as_stream(driver.get_object(bucket.name, "k"))),
            lambda: bucket.read("k"),
        ),
        "write": (
            lambda: driver.upload_object_via_stream(io.BytesIO(BODY), container, "k"),
            lambda: bucket.write("k", BODY),
        ),
    }
    figures = {name: in_turns(alone, ours, ROUNDS, CALLS) for name, (alone, ours) in pairs.items()}
    for number in range(LISTED):
        bucket.write(f"listed/{number}", b"")
    figures["listing"] = in_turns(
        lambda: list(driver.iterate_container_objects(container, "listed/")), lambda: list(bucket.list("listed/")), 5, 1
    )
    return figures


def in_turns(alone: Callable[[], object], ours: Callable[[], object], rounds: int, calls: int) -> tuple[float, float]:
    """Return the seconds that a call of each takes in its best round."""
    best = [float("inf")] * 2
    for _ in range(rounds):
        for index, call in enumerate((alone, ours)):
            began = time.perf_counter()
            for _ in range(calls):
                call()
            best[index] = min(best[index], (time.perf_counter() - began) / calls)
    return best[0], best[1]


if __name__ == "__main__":
    main()
