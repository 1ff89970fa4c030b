"""Requests a second of hello JSON: `portable run` against uvicorn + starlette, and functions-framework on gunicorn.

    python benchmarks/server.py [--rounds 5] [--seconds 5] [--json FILE]

Each server is one process without an access log. The load comes from `wrk` with 16 connections; the rounds of the
servers take turns, and the median of each counts, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.request import urlopen

PORTABLE = """
from portable import App
app = App("hello")
@app.get("/")
{define} hello(request):
    return {{"hello": "world"}}
"""
STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
{define} hello(request):
    return JSONResponse({{"hello": "world"}})
app = Starlette(routes=[Route("/", hello)])
"""
FUNCTIONS_FRAMEWORK = """
import functions_framework
@functions_framework.http
def hello(request):
    return {"hello": "world"}
"""
BIN = Path(sys.executable).parent
COMMANDS = {
    "portable": [sys.executable, "-m", "portable", "run", "main:app", "--no-access-log", "--port"],
    "starlette": [sys.executable, "-m", "uvicorn", "main:app", "--no-access-log", "--log-level", "warning", "--port"],
    "functions-framework": [str(BIN / "functions-framework"), "--target", "hello", "--host", "127.0.0.1", "--port"],
}
SOURCES = {
    "portable async": PORTABLE.format(define="async def"),
    "starlette async": STARLETTE.format(define="async def"),
    "portable sync": PORTABLE.format(define="def"),
    "starlette sync": STARLETTE.format(define="def"),
    "functions-framework": FUNCTIONS_FRAMEWORK,
}
# Ours, theirs, and how many times as fast ours has to be; functions-framework has no async handlers.
BARS = (
    ("portable async", "starlette async", 0.9),
    ("portable sync", "starlette sync", 0.9),
    ("portable async", "functions-framework", 5.0),
    ("portable sync", "functions-framework", 5.0),
)


class Server:
    """One server process with a hello app of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        folder.mkdir()
        (folder / "main.py").write_text(SOURCES[name])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/"
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*COMMANDS[name.split(maxsplit=1)[0]], str(port)],
                cwd=folder, stdout=log, stderr=log, env={**os.environ, "WEB_CONCURRENCY": "1"},
            )  # fmt: skip

    def wait(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                with urlopen(self.url) as answer:
                    assert json.load(answer) == {"hello": "world"}
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit(f"{self.name} does not start:\n{self.log.read_text()}") from None
                time.sleep(0.05)

    def load(self, seconds: float) -> float:
        command = ["wrk", "-t2", "-c16", f"-d{seconds:g}s", self.url]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found = re.search(r"Requests/sec:\s*([\d.]+)", said)
        if found is None or "Non-2xx" in said:
            raise SystemExit(f"{self.name}: {said}")
        return float(found[1])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def measure(rounds: int, seconds: float) -> dict[str, float]:
    """Return the median of requests a second by server."""
    servers: list[Server] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name in SOURCES:
                servers.append(Server(name, Path(folder, name.replace(" ", "-"))))
            for server in servers:
                server.wait()
                server.load(1)
            figures: dict[str, list[float]] = {name: [] for name in SOURCES}
            for _ in range(rounds):
                for server in servers:
                    figures[server.name].append(server.load(seconds))
        finally:
            for server in servers:
                server.stop()
    return {name: median(values) for name, values in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--json", metavar="FILE", help="write the figures and ratios there, too")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("this benchmark needs the program wrk: apt-get install wrk")
    if not (BIN / "functions-framework").exists():
        raise SystemExit("this benchmark compares with functions-framework: pip install -e '.[benchmarks]'")
    figures = measure(arguments.rounds, arguments.seconds)
    for name, figure in figures.items():
        print(f"{name:<22} {figure:>10,.0f} requests/s")
    results = []
    for ours, theirs, bar in BARS:
        ratio = figures[ours] / figures[theirs]
        met = ratio >= bar
        results.append({"ours": ours, "theirs": theirs, "ratio": ratio, "bar": bar, "met": met})
        print(f"{ours} / {theirs}: {ratio:.2f} (bar: at least {bar}) {'met' if met else 'MISSED'}")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps({"requests_per_second": figures, "ratios": results}, indent=2))
    sys.exit(0 if all(result["met"] for result in results) else 1)


if __name__ == "__main__":
    main()
