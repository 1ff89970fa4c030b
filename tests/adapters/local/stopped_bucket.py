"""Stop an operation on a bucket at each of its steps, and print as JSON what is there each time.

    python stopped_bucket.py ADDRESS OPERATION kill|interrupt

A step is a call into C from the driver: of os, of fcntl, of sqlite3. What is there after a kill is looked at by the
next process that writes to the bucket; after a KeyboardInterrupt by one that only reads.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from itertools import count
from types import FrameType

from portable.blob import Bucket
from portable_contracts.errors import NotFound
from portable_local.harness import LocalHarness

NEW = {"body": "new"}
OPERATIONS = {
    "write over": lambda bucket: bucket.write("k", b"new" * 1000, metadata=NEW),
    "write over with a stream": lambda bucket: bucket.write("k", iter([b"new"] * 1000), metadata=NEW),
    "write": lambda bucket: bucket.write("absent", b"new" * 1000, metadata=NEW),
    "create": lambda bucket: bucket.create("absent", b"new" * 1000, metadata=NEW),
    "copy over": lambda bucket: bucket.copy("source", "k"),
    "delete": lambda bucket: bucket.delete("k"),
    "delete many": lambda bucket: bucket.delete_many(["k", "kept", "missing"]),
}


def main() -> None:
    address, operation, how = sys.argv[1:]
    outcomes = []
    for step in count(1):
        prepare(address)
        child = os.fork()
        if not child:
            run(address, operation, how, step)
        done = os.waitpid(child, 0)[1] == 0
        outcomes.append(look(address, how))
        if done:
            break
    print(json.dumps(outcomes))


def prepare(address: str) -> None:
    bucket = Bucket.at(address)
    bucket.write("k", b"old" * 1000, metadata={"body": "old"})
    bucket.write("kept", b"old" * 1000, metadata={"body": "old"})
    bucket.write("source", b"new" * 1000, metadata=NEW)
    bucket.delete("absent")
    bucket._connection.driver.close()


def run(address: str, operation: str, how: str, last: int) -> None:
    steps = 0

    def at_each_call(frame: FrameType, event: str, function: object) -> None:
        nonlocal steps
        if event == "c_call" and "portable_local" in frame.f_code.co_filename:
            steps += 1
            if steps == last:
                if how == "interrupt":
                    raise KeyboardInterrupt
                os.kill(os.getpid(), signal.SIGKILL)

    bucket = Bucket.at(address)
    sys.setprofile(at_each_call)
    try:
        OPERATIONS[operation](bucket)
    except KeyboardInterrupt:
        os._exit(1)
    sys.setprofile(None)
    os._exit(0)


def look(address: str, how: str) -> dict[str, object]:
    bucket = Bucket.at(address)
    if how == "kill":
        bucket.write("next", b"")
    found = {
        "leftovers": len(LocalHarness().leftovers(address)),
        "listed": [entry.key for entry in bucket.list() if entry.key not in ("next", "source")],
        **{key: content(bucket, key) for key in ("k", "kept", "absent")},
    }
    bucket._connection.driver.close()
    return found


def content(bucket: Bucket, key: str) -> str:
    """Return `"old"` or `"new"` for an object whose bytes and metadata are all of one, and `"none"` for none."""
    try:
        with bucket.open(key) as stream:
            word = stream.info.metadata["body"]
            return word if stream.read() == word.encode() * 1000 else "a mixture"
    except NotFound:
        return "none"


if __name__ == "__main__":
    main()
