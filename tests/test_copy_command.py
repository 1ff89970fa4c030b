"""`portable copy` as a process: what it prints, how it ends, that it goes on after `kill -9`, and how much it holds."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from portable import Bucket, Table
from portable.cli.commands import commands
from portable_contracts.blob import WriteOptions
from portable_contracts.provider import Opening


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def bucket(folder: Path) -> Callable[[str], Bucket]:
    return lambda name: Bucket.at(f"file://{name}", opening=Opening(data=str(folder / ".portable")))


@pytest.fixture
def table(folder: Path) -> Callable[[str], Table]:
    return lambda name: Table.at(f"sqlite://{name}", opening=Opening(data=str(folder / ".portable")))


def copy(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["copy", *arguments])


def started(*arguments: str, **options: Any) -> Any:
    command = [sys.executable, "-m", "portable", "copy", *arguments]
    # Tests that a shell runs in the background have SIGINT ignored, and hand that on.
    return subprocess.Popen(command, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options)


def until(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.005)


def objects(bucket: Bucket) -> dict[str, tuple[bytes, str, object]]:
    return {
        info.key: (bucket.read(info.key), info.content_type, dict(info.metadata))
        for info in map(bucket.info, (entry.key for entry in bucket.list()))
    }


def test_it_says_what_it_did(bucket: Callable[[str], Bucket]) -> None:
    bucket("a").write("k", b"12345")
    result = copy("file://a", "file://b")

    assert (result.exit_code, result.stdout) == (
        0,
        "copied 1 object (5 bytes), 0 were there already; read back and compared\n",
    )


def test_it_says_that_there_was_nothing(bucket: Callable[[str], Bucket]) -> None:
    bucket("a").write("k", b"1")
    result = copy("file://a/typo", "file://b")

    assert (result.exit_code, result.stdout) == (0, "there is nothing at file://a/typo\n")


def test_it_tells_the_checksums_of_tables(table: Callable[[str], Table]) -> None:
    table("t").put("p", "s", 1)
    sums = re.findall("checksum of the .* ([0-9a-f]{64})", copy("sqlite://t", "sqlite://u").stdout)

    assert len(sums) == 2
    assert sums[0] == sums[1]


def test_json_is_one_object(bucket: Callable[[str], Bucket]) -> None:
    bucket("a").write("k", b"12345")
    said = json.loads(copy("file://a", "file://b", "--json").stdout)

    assert said == {
        "ok": True,
        "kind": "bucket",
        "source": "file://a",
        "target": "file://b",
        "dry_run": False,
        "verify": True,
        "found": 1,
        "copied": 1,
        "unchanged": 0,
        "failed": 0,
        "lost": 0,
        "bytes": 5,
        "failures": [],
        "losses": [],
    }


def test_a_key_that_fails_is_named_with_the_reason_and_ends_it_with_1(bucket: Callable[[str], Bucket]) -> None:
    bucket("a").write("good", b"1")
    bucket("a")._connection.driver.write("not//good", b"1", WriteOptions("text/plain"))
    result = copy("file://a", "file://b")

    assert result.exit_code == 1
    assert result.stderr.startswith("not copied: not//good: ")
    assert "copied 1 object (1 bytes), 0 were there already, 1 failed" in result.stdout


def test_a_part_that_is_not_carried_is_named_and_ends_it_with_1(bucket: Callable[[str], Bucket]) -> None:
    bucket("a")._connection.driver.write("k", b"1", WriteOptions("text/plain", {"My-Name": "x"}))
    result = copy("file://a", "file://b", "--json")
    said = json.loads(result.stdout)

    assert (result.exit_code, said["copied"], said["lost"], said["losses"][0]["key"]) == (1, 1, 1, "k")


def test_failures_are_counted_in_json(bucket: Callable[[str], Bucket]) -> None:
    bucket("a")._connection.driver.write("not//good", b"1", WriteOptions("text/plain"))
    said = json.loads(copy("file://a", "file://b", "--json").stdout)

    assert (said["ok"], said["failed"], said["failures"][0]["key"]) == (False, 1, "not//good")


def test_a_dry_run_says_so(bucket: Callable[[str], Bucket]) -> None:
    bucket("a").write("k", b"12345")
    result = copy("file://a", "file://b", "--dry-run")

    assert (result.stdout, list(bucket("b").list())) == ("would copy 1 object (5 bytes), 0 were there already\n", [])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["file://a"],
        ["file://a", "sqlite://t"],
        ["file://a", "file://a"],
        ["a", "b"],
        ["file://a", "nonsense://b"],
        ["file://a", "file://b", "--parallel", "0"],
        ["file://a", "file://b", "--parallel", "x"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_ends_with_2(arguments: list[str]) -> None:
    result = copy(*arguments)

    assert (result.exit_code, result.stderr.splitlines()[-1][:6]) == (2, "Error:")


def test_a_source_that_cannot_be_read_at_all_ends_with_1(folder: Path) -> None:
    (folder / "a").write_text("a file in place of a folder")
    result = copy(f"file://{folder}/a", "file://b")

    assert (result.exit_code, "must be a folder" in result.stderr) == (1, True)


# Processes


@pytest.mark.slow
def test_objects_are_copied_whole_though_the_copy_was_killed_several_times(
    bucket: Callable[[str], Bucket], folder: Path
) -> None:
    source, target = bucket("a"), bucket("b")
    for number in range(1200):
        source.write(f"{number:04}", b"%d" % number * 500, metadata={"n": f"{number}"})
    source.write("large", os.urandom(40 << 20))
    for share in (50, 300, 700):
        process = started("file://a", "file://b", "--json", stdout=subprocess.DEVNULL)
        until(lambda share=share: sum(1 for _ in target.list()) >= share)  # type: ignore[misc]  # bound at once
        process.send_signal(signal.SIGKILL)
        process.wait()
    there = sum(1 for _ in target.list())
    said = json.loads(copy("file://a", "file://b", "--json").stdout)

    assert (said["found"], said["failed"], there >= 700) == (1201, 0, True)
    assert said["copied"] == 1201 - there
    assert objects(target) == objects(source)


@pytest.mark.slow
def test_items_are_copied_though_the_copy_was_killed(table: Callable[[str], Table]) -> None:
    source, target = table("t"), table("u")
    for number in range(3000):
        source.put(f"p{number % 5}", f"{number}", {"n": number, "f": float(number)})
    process = started("sqlite://t", "sqlite://u", stdout=subprocess.DEVNULL)
    until(lambda: sum(1 for _ in target.scan()) >= 200)
    process.send_signal(signal.SIGKILL)
    process.wait()
    there = sum(1 for _ in target.scan())
    said = json.loads(copy("sqlite://t", "sqlite://u", "--json").stdout)

    assert (said["found"], said["unchanged"], said["failed"]) == (3000, there, 0)
    assert said["checksums"]["source"] == said["checksums"]["target"]
    assert {(item.sort, repr(item.value)) for item in target.scan()} == {
        (item.sort, repr(item.value)) for item in source.scan()
    }


@pytest.mark.slow
def test_an_interrupted_copy_ends_soon_and_goes_on_later(bucket: Callable[[str], Bucket]) -> None:
    source, target = bucket("a"), bucket("b")
    for number in range(300):  # Large ones, one at a time, so that it cannot be over before it is interrupted.
        source.write(f"{number:04}", bytes(1 << 20))
    process = started("file://a", "file://b", "--parallel", "1", stderr=subprocess.PIPE)
    until(lambda: any(target.list()))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)

    assert (process.returncode, said) == (1, b"\nAborted!\n")
    assert copy("file://a", "file://b").exit_code == 0


@pytest.mark.slow
def test_a_large_object_and_many_small_ones_take_little_memory(bucket: Callable[[str], Bucket], folder: Path) -> None:
    source = bucket("a")
    source.write("large", (bytes(1 << 20) for _ in range(400)))
    program = (
        "import resource, sys; from portable.copying import Copy; from portable_contracts.provider import Opening\n"
        "def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10\n"
        "copy = Copy('file://a', 'file://b', opening=Opening(data='.portable')); before = most()\n"
        "assert copy.run().ok; print(most() - before)"
    )
    grown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert int(grown) < 60


@pytest.mark.slow
def test_a_terminal_is_shown_how_far_it_is(bucket: Callable[[str], Bucket]) -> None:
    for number in range(1000):
        bucket("a").write(f"{number:04}", b"1")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = started("file://a", "file://b", stderr=theirs, stdout=subprocess.PIPE, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # How a pseudo-terminal ends.
        pass
    os.close(ours)
    said, _ = process.communicate()

    assert (b"of 1,000" in shown, said.startswith(b"copied 1,000 objects")) == (True, True)
