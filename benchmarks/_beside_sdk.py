"""How a bucket's driver is measured beside its SDK alone: in one run and in turns; the best round of each counts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from portable.blob import Bucket

MIB = 1 << 20
BODY = os.urandom(1024)
ROUNDS, CALLS = 150, 5
OVERHEAD_ALLOWED = 30
"""Microseconds over the SDK's call."""

Run = Callable[[], object]


def small(bucket: Bucket, by_sdk: Mapping[str, Run]) -> dict[str, dict[str, float]]:
    """Calls of 1 KiB: "read", "write" and "info" of the key "k"."""
    bucket.write("k", BODY)
    by_us: dict[str, Run] = {
        "read": lambda: bucket.read("k"),
        "write": lambda: bucket.write("k", BODY),
        "info": lambda: bucket.info("k"),
    }
    figures = {}
    for operation, theirs in by_sdk.items():
        theirs_us, ours_us = best(theirs, by_us[operation])
        figures[operation] = {"sdk_us": theirs_us, "us": ours_us, "over_us": ours_us - theirs_us}
        print(
            f"{operation:6} 1 KiB: SDK {theirs_us:7.1f} us, Bucket {ours_us:7.1f} us, "
            f"{ours_us - theirs_us:+6.1f} us; allowed +{OVERHEAD_ALLOWED}",
            flush=True,
        )
    return figures


def best(one: Run, other: Run) -> tuple[float, float]:
    """Return the microseconds of a call of each, in the best of their rounds."""
    found = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        for place, call in enumerate((one, other)):
            began = time.perf_counter()
            for _ in range(CALLS):
                call()
            found[place] = min(found[place], (time.perf_counter() - began) / CALLS * 1e6)
    return found[0], found[1]


def listing(bucket: Bucket, by_sdk: Run, count: int) -> dict[str, float]:
    """Every key of a large bucket, and the memory that it takes."""
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda number: bucket.write(f"listed/{number:06}", b""), range(count)):
            pass

    def by_us() -> object:
        return sum(1 for _ in bucket.list())

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


def large(
    bucket: Bucket, upload: Callable[[str], object], download: Callable[[str], object], size: int
) -> dict[str, float]:
    """A file of *size* MiB up and down again; *upload* and *download* are the SDK's, for a file's name."""
    figures = {}
    with TemporaryDirectory() as folder:
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

        runs: dict[str, tuple[Run, Run]] = {
            "write": (lambda: upload(str(file)), up),
            "read": (lambda: download(str(copy)), down),
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
    bucket.delete("large")
    return figures


def first_use(theirs: str, ours: str) -> dict[str, float]:
    """The first call of a process, imports and all, by two programs."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found = {"sdk_ms": float("inf"), "ms": float("inf")}
    for _ in range(11):
        for place, program in (("sdk_ms", theirs), ("ms", ours)):
            timing = f"import time; began = time.perf_counter()\n{program}\nprint((time.perf_counter() - began) * 1e3)"
            done = subprocess.run(
                [sys.executable, "-c", timing], env=environment, capture_output=True, text=True, check=True
            )
            found[place] = min(found[place], float(done.stdout))
    print(f"first use: SDK {found['sdk_ms']:.0f} ms, Bucket {found['ms']:.0f} ms; allowed 5 ms more", flush=True)
    return found


def timed(run: Run) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
