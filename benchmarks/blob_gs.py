"""What a bucket in Cloud Storage costs beside Google's SDK alone: `python benchmarks/blob_gs.py [--json FILE]`.

Both talk to the server of ours that stands for Cloud Storage, in the same run and in turns; the best round of each
counts. The SDK is used as its own documentation does: `storage.Client()`, a blob's methods, its managed transfers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from google.cloud import storage

from portable import registry
from portable.blob import Bucket
from portable_contracts.provider import Address

MIB = 1 << 20
BODY = os.urandom(1024)
ROUNDS, CALLS = 150, 5
LISTED = 100_000
OVERHEAD_ALLOWED = 30
"""Microseconds over the SDK's call."""


def main() -> None:
    """Measure, print the figures beside what is allowed, and write them as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    parser.add_argument("--large", type=int, default=1024, metavar="MIB", help="the size of the large object")
    parser.add_argument("--listed", type=int, default=LISTED, metavar="KEYS", help="how many keys are listed")
    arguments = parser.parse_args()
    harness = registry.load(registry.provider("gcp").harness)()
    address = harness.create("bucket", "gs", {})
    parsed = Address.parse(address)
    bucket = Bucket.at(address)
    client = storage.Client(client_options={"api_endpoint": parsed.parameters["endpoint"]})
    sdk = client.bucket(parsed.name)
    try:
        figures = {
            "small": small(bucket, sdk),
            "large": large(bucket, sdk, arguments.large),
            "listing": listing(bucket, sdk, arguments.listed),
            "first_use": first_use(address),
        }
    finally:
        harness.destroy(address)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2))


def small(bucket: Bucket, sdk: Any) -> dict[str, dict[str, float]]:
    """Calls of 1 KiB."""
    bucket.write("k", BODY)
    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "read": (lambda: sdk.blob("k").download_as_bytes(), lambda: bucket.read("k")),
        "write": (lambda: sdk.blob("k").upload_from_string(BODY), lambda: bucket.write("k", BODY)),
        "info": (lambda: sdk.blob("k").reload(), lambda: bucket.info("k")),
    }
    figures = {}
    for operation, (by_sdk, ours) in pairs.items():
        theirs_us, ours_us = best(by_sdk, ours)
        figures[operation] = {"sdk_us": theirs_us, "us": ours_us, "over_us": ours_us - theirs_us}
        print(
            f"{operation:6} 1 KiB: SDK {theirs_us:7.1f} us, Bucket {ours_us:7.1f} us, "
            f"{ours_us - theirs_us:+6.1f} us; allowed +{OVERHEAD_ALLOWED}",
            flush=True,
        )
    return figures


def best(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Return the microseconds of a call of each, in the best of their rounds."""
    found = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for place, call in enumerate((one, other)):
            began = time.perf_counter()
            for _ in range(CALLS):
                call()
            found[place] = min(found[place], (time.perf_counter() - began) / CALLS * 1e6)
    return found[0], found[1]


def listing(bucket: Bucket, sdk: Any, count: int) -> dict[str, float]:
    """Every key of a large bucket, and the memory that it takes."""
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda number: bucket.write(f"listed/{number:06}", b""), range(count)):
            pass
    by_sdk, by_us = (lambda: sum(1 for _ in sdk.list_blobs())), (lambda: sum(1 for _ in bucket.list()))
    theirs, ours = (min(timed(run) for _ in range(3)) for run in (by_sdk, by_us))
    tracemalloc.start()
    by_us()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(
        f"{count:,} keys listed: SDK {theirs:.2f} s, Bucket {ours:.2f} s: {theirs / ours:.2f} times; allowed 0.9; "
        f"at most {peak / MIB:.1f} MiB",
        flush=True,
    )
    return {"sdk_s": theirs, "s": ours, "times": theirs / ours, "peak_mib": peak / MIB}


def large(bucket: Bucket, sdk: Any, size: int) -> dict[str, float]:
    """A large file up and down again."""
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        file, copy = Path(folder, "large"), Path(folder, "copy")
        with file.open("wb") as made:
            for _ in range(size):
                made.write(os.urandom(MIB))

        def up() -> None:
            with file.open("rb") as body:
                bucket.write("large", body)

        def down() -> None:
            with bucket.open("large") as stream, copy.open("wb") as target:
                for chunk in stream:
                    target.write(chunk)

        runs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            "write": (lambda: sdk.blob("large").upload_from_filename(str(file)), up),
            "read": (lambda: sdk.blob("large").download_to_filename(str(copy)), down),
        }
        for way, (by_sdk, ours) in runs.items():
            theirs_s = ours_s = float("inf")
            for _ in range(3):
                theirs_s, ours_s = min(theirs_s, timed(by_sdk)), min(ours_s, timed(ours))
            assert way == "write" or copy.stat().st_size == size * MIB
            figures[f"{way}_sdk_s"], figures[f"{way}_s"] = theirs_s, ours_s
            print(
                f"{way:6} {size:,} MiB: SDK's managed transfer {size / theirs_s:5.0f} MiB/s, Bucket "
                f"{size / ours_s:5.0f} MiB/s: {theirs_s / ours_s:.2f} times; allowed 0.95",
                flush=True,
            )
    return figures


def first_use(address: str) -> dict[str, float]:
    """The first call of a process, imports and all, with the provider registered as a bundle does it."""
    parsed = Address.parse(address)
    endpoint = parsed.parameters["endpoint"]
    theirs = (
        f"from google.cloud import storage\nclient = storage.Client(client_options={{'api_endpoint': '{endpoint}'}})\n"
        f"client.bucket('{parsed.name}').blob('k').reload()"
    )
    ours = (
        "from portable import Bucket, registry\nfrom portable_gcp import provider\nregistry.register(provider)\n"
        f"Bucket.at('{address}').info('k')"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found = {"sdk_ms": float("inf"), "ms": float("inf")}
    for _ in range(11):
        for place, program in (("sdk_ms", theirs), ("ms", ours)):
            timing = f"import time; began = time.perf_counter()\n{program}\nprint((time.perf_counter() - began) * 1e3)"
            done = subprocess.run(
                [sys.executable, "-c", timing], env=environment, capture_output=True, text=True, check=True
            )
            found[place] = min(found[place], float(done.stdout))
    print(f"first use: SDK {found['sdk_ms']:.0f} ms, Bucket {found['ms']:.0f} ms; allowed 5 ms more")
    return found


def timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
