"""What buckets cost on this machine: `python benchmarks/blobs.py [--json FILE]`.

By hand means: write a file, rename it over the old one, put a row into an index in SQLite. A round by hand and a round
through the API take turns, and the best of each is compared, so that a busy machine disturbs both alike. Memory is the
peak of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from portable.blob import Bucket
from portable_contracts.provider import Opening

MIB = 1 << 20
STREAMED = 1024
"""MiB."""
LISTED = (50_000, 100_000, 200_000)
ROUNDS = 7
WRITES = 500
KEYS = 100
BODY = os.urandom(1024)
PEAK_ALLOWED = 100
"""MiB."""


def main() -> None:
    """Measure, print the figures beside what is allowed, and write them as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    parser.add_argument("--alone", nargs="+", metavar="PART", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        name, folder, *rest = arguments.alone
        print(json.dumps(PARTS[name](bucket_in(folder), *map(int, rest))))
        return
    with tempfile.TemporaryDirectory() as folder:
        figures = {
            "stream": streaming(folder),
            "listing": listing(folder),
            "small": small_writes(folder),
            "copy": copying(folder),
        }
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(figures, file, indent=2)


def bucket_in(folder: str) -> Bucket:
    return Bucket.at("file://bench", opening=Opening(data=folder))


def streaming(folder: str) -> dict[str, float]:
    """A large object from an iterator, and back as a stream."""
    figure = alone("stream", folder)
    print(
        f"{STREAMED:,} MiB from an iterator {STREAMED / figure['write_s']:6,.0f} MiB/s, back as a stream "
        f"{STREAMED / figure['read_s']:6,.0f} MiB/s; peak memory {figure['peak_mib']:.0f} MiB, "
        f"{figure['own_mib']:.1f} of them above the start; allowed {PEAK_ALLOWED}"
    )
    return figure


def stream_alone(bucket: Bucket) -> dict[str, float]:
    bucket.write("warm", b"")
    start = peak_mib()
    wrote = timed(lambda: bucket.write("large", pieces()))
    read = timed(lambda: read_back(bucket))
    return {"write_s": wrote, "read_s": read, "peak_mib": peak_mib(), "own_mib": peak_mib() - start}


def pieces() -> Iterator[bytes]:
    for number in range(STREAMED * 4):
        yield number.to_bytes(8, "big") * (MIB // 4 // 8)


def read_back(bucket: Bucket) -> None:
    size = 0
    with bucket.open("large") as stream:
        for chunk in stream:
            size += len(chunk)
    assert size == STREAMED * MIB


def listing(folder: str) -> list[dict[str, float]]:
    """A whole listing, and one by folders, of buckets of several sizes."""
    figures = []
    for count in LISTED:
        figure = alone("list", os.path.join(folder, str(count)), count)
        figures.append(figure)
        print(
            f"{count:7,} keys listed in {figure['list_s']:5.2f} s ({figure['list_s'] / count * 1e6:4.1f} us each), "
            f"by folders in {figure['folders_s'] * 1e3:5.1f} ms; {figure['own_mib']:4.1f} MiB above the start"
        )
    each = [figure["list_s"] / figure["count"] for figure in figures]
    print(f"{'':8}time per key, most keys against fewest: {each[-1] / each[0]:.2f}; linear is 1")
    return figures


def list_alone(bucket: Bucket, count: int) -> dict[str, float]:
    bucket.write("warm", b"")
    # Straight into the index: no listing looks at the files, and making 200,000 of them would take minutes.
    with bucket._connection.driver._database.write() as connection:
        connection.executemany(
            "INSERT INTO objects (key, version, size, content_type, metadata, modified) "
            "VALUES (?, lower(hex(randomblob(12))), 1024, 'image/jpeg', '{\"by\": \"ada\"}', 1.7e9)",
            ((f"{number % 100:02}/photo-{number:08}.jpg",) for number in range(count - 1)),
        )
    next(bucket.list())
    start = peak_mib()
    whole = timed(lambda: count_of(bucket.list(), count))
    folders = timed(lambda: count_of(bucket.list(delimiter="/"), 101))
    return {"count": count, "list_s": whole, "folders_s": folders, "own_mib": peak_mib() - start}


def count_of(entries: Iterator[object], expected: int) -> None:
    assert sum(1 for _ in entries) == expected


def small_writes(folder: str) -> dict[str, float]:
    """Objects of 1 KiB, written over again and again."""
    bucket = bucket_in(os.path.join(folder, "small"))
    by_hand = ByHand(os.path.join(folder, "by_hand"))

    def through_api() -> None:
        for number in range(WRITES):
            bucket.write(f"key-{number % KEYS}", BODY)

    hand, api = best(by_hand.run, through_api)
    figure = {"by_hand_us": hand / WRITES * 1e6, "api_us": api / WRITES * 1e6, "ratio": api / hand}
    read = min(timed(lambda: [bucket.read(f"key-{number % KEYS}") for number in range(WRITES)]) for _ in range(ROUNDS))
    figure["read_us"] = read / WRITES * 1e6
    print(
        f"1 KiB write: by hand {figure['by_hand_us']:.0f} us, API {figure['api_us']:.0f} us, ratio "
        f"{figure['ratio']:.2f}; allowed 1.50 (read {figure['read_us']:.0f} us)"
    )
    return figure


class ByHand:
    """What somebody would write who needs just this."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder)
        self.folder = folder
        self.index = sqlite3.connect(os.path.join(folder, "index.db"), isolation_level=None)
        self.index.execute("PRAGMA journal_mode=WAL")
        self.index.execute("PRAGMA synchronous=NORMAL")
        self.index.execute("CREATE TABLE objects (key TEXT PRIMARY KEY, size INTEGER, type TEXT, modified REAL)")

    def run(self) -> None:
        for number in range(WRITES):
            key = f"key-{number % KEYS}"
            path = os.path.join(self.folder, key)
            with open(path + ".new", "wb") as file:
                file.write(BODY)
            os.replace(path + ".new", path)
            self.index.execute(
                "INSERT INTO objects VALUES (?, ?, ?, ?) ON CONFLICT (key) "
                "DO UPDATE SET size = excluded.size, type = excluded.type, modified = excluded.modified",
                (key, len(BODY), "application/octet-stream", time.time()),
            )


def copying(folder: str) -> dict[str, float]:
    """A large object, against `cp` of a file of its size."""
    bucket = bucket_in(folder)
    if not bucket.exists("large"):
        bucket.write("large", pieces())
    source, target = os.path.join(folder, "file"), os.path.join(folder, "copy")
    with bucket.open("large") as stream, open(source, "wb") as file:
        file.writelines(stream)
    linked = os.link

    def without_links(*_: object) -> None:
        raise PermissionError

    def copy_bytes() -> None:
        os.link = without_links  # type: ignore[assignment]  # as on a file system that has none
        try:
            bucket.copy("large", "copy of bytes")
        finally:
            os.link = linked

    by_cp, by_api, by_bytes = [], [], []
    for _ in range(ROUNDS):
        Path(target).unlink(missing_ok=True)
        bucket.delete_many(["copy", "copy of bytes"])
        by_cp.append(timed(lambda: subprocess.run(["cp", source, target], check=True)))
        by_api.append(timed(lambda: bucket.copy("large", "copy")))
        by_bytes.append(timed(copy_bytes))
    figure = {"cp_s": min(by_cp), "api_s": min(by_api), "without_links_s": min(by_bytes)}
    figure["speed"] = figure["cp_s"] / figure["api_s"]
    figure["speed_without_links"] = figure["cp_s"] / figure["without_links_s"]
    print(
        f"{STREAMED:,} MiB copy: cp {figure['cp_s'] * 1e3:.0f} ms, API {figure['api_s'] * 1e3:.1f} ms (a second name "
        f"of the file), {figure['without_links_s'] * 1e3:.0f} ms where the file system has no links; speed "
        f"{figure['speed']:,.1f} and {figure['speed_without_links']:.2f} x cp; at least 0.80 is asked for"
    )
    return figure


def alone(part: str, folder: str, *arguments: int) -> dict[str, float]:
    """Run one of PARTS in a process of its own."""
    command = [sys.executable, __file__, "--alone", part, folder, *map(str, arguments)]
    figure: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return figure


def best(*turns: Callable[[], object]) -> list[float]:
    """Return the shortest time of each, of several rounds in which they take turns."""
    rounds = [[timed(turn) for turn in turns] for _ in range(ROUNDS)]
    return [min(times) for times in zip(*rounds, strict=True)]


def timed(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def peak_mib() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB


PARTS: dict[str, Callable[..., dict[str, float]]] = {"stream": stream_alone, "list": list_alone}


if __name__ == "__main__":
    main()
