"""Servers that the tests start: one of each per test run, shared by its processes, on free ports of 127.0.0.1.

A run has a folder, named by the environment, so that all its processes find what one of them started. Whoever began the
run stops the servers, by their process ids.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path

from portable_contracts._value import Value
from portable_contracts.harness import MissingCounterpart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

RUN = "PORTABLE_CONFORMANCE_RUN"
"""The variable that names the run's folder."""
START_SECONDS = 60.0
"""How long a server may take until it listens."""


class Server(Value):
    """A server that listens on *ports* of 127.0.0.1; *folder* is its own, for its data and its `log`."""

    name: str
    ports: Sequence[int]
    pid: int
    folder: str

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def begin() -> bool:
    """Begin a run unless one is under way; say whether this call did: then `end` is due."""
    if os.environ.get(RUN):
        return False
    os.environ[RUN] = tempfile.mkdtemp(prefix="portable-run-")
    return True


def end() -> None:
    """Stop the servers of this run and remove its folder."""
    folder = Path(os.environ.pop(RUN))
    for file in folder.glob("*.json"):
        with _locked(folder / file.stem):
            _stop(json.loads(file.read_text())["pid"])
    shutil.rmtree(folder, ignore_errors=True)


def serve(
    name: str,
    command: Callable[[Sequence[int], Path], Sequence[str]],
    *,
    ports: int = 1,
    environment: Mapping[str, str] | None = None,
    ready: Callable[[Server], bool] | None = None,
) -> Server:
    """Return the run's server called *name*, started if it is not there yet.

    *command* makes its command line of the ports to listen on and a folder of its own. It counts as started when all
    of its ports accept connections and *ready* says so. Raises MissingCounterpart where it does not start, with what it
    printed.
    """
    if begin():
        atexit.register(_end_own, os.getpid())
    folder = Path(os.environ[RUN])
    with _locked(folder / name):
        file = folder / f"{name}.json"
        if file.exists():
            return Server(**json.loads(file.read_text()))
        server = _start(name, folder / name, command, ports, environment, ready)
        file.write_text(json.dumps({field: getattr(server, field) for field in ("name", "ports", "pid", "folder")}))
        return server


def free_ports(count: int) -> Sequence[int]:
    """Return ports of 127.0.0.1 that nobody listens on just now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _start(
    name: str,
    folder: Path,
    command: Callable[[Sequence[int], Path], Sequence[str]],
    ports: int,
    environment: Mapping[str, str] | None,
    ready: Callable[[Server], bool] | None,
) -> Server:
    for _ in range(3):  # Another program may take a port between our looking and the server's listening.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        chosen = free_ports(ports)
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                command(chosen, folder),
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # What it starts is stopped with it, and Ctrl-C reaches the tests alone.
            )
        server = Server(name, chosen, process.pid, str(folder))
        limit = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < limit:
            if all(_listens(port) for port in chosen) and (ready is None or ready(server)):
                _children.append(process)
                return server
            time.sleep(0.02)
        _stop(process.pid)
        process.wait()
    said = (folder / "log").read_text(errors="replace").strip()
    raise MissingCounterpart(f"{name} does not start: {said[-2000:] or 'it printed nothing'}")


_children: list[subprocess.Popen[bytes]] = []


@atexit.register
def _leave_running() -> None:
    """Keep Python from warning of servers that outlive this process: whoever began the run stops them."""
    for process in _children:
        process.returncode = process.returncode or 0


def _listens(port: int) -> bool:
    with closing(socket.socket()) as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def _stop(pid: int) -> None:
    """Stop the server and what it started; a server that does not end by itself within 5 s is killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            return
        limit = time.monotonic() + 5
        while _runs(pid) and time.monotonic() < limit:
            time.sleep(0.02)


def _runs(pid: int) -> bool:
    for process in _children:
        if process.pid == pid:
            return process.poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _end_own(owner: int) -> None:
    if os.getpid() == owner and os.environ.get(RUN):
        end()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of the server at *path* among all processes of the run."""
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
