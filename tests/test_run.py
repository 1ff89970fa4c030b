"""`portable run`: the app in a process of its own, as a developer starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from portable.dev.server import is_loopback

APP = """
import time
from portable import App

app = App("sample")
jobs = app.queue("jobs", max_attempts=2, dead_letter="dead")
app.queue("dead")
done = app.table("done")

@app.get("/")
def hello(request):
    return {"hello": "world"}

@app.get("/slow")
def slow(request):
    print("begun")
    time.sleep(1)
    return "at last"

@app.get("/broken")
async def broken(request):
    raise ZeroDivisionError("mine")

@app.post("/jobs")
def add(request):
    jobs.send(request.body)

@app.on_message(jobs)
def work(message):
    done.put(message.text, "", message.attempt)

@app.get("/done/{name}")
def look(request, name):
    item = done.get(name, default=None)
    return {"done": item is not None}
"""

pytestmark = pytest.mark.slow


class Running:
    """A started `portable run`, and what it says."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "portable", "run", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._said = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._said:
                self.lines.append(line.rstrip("\n"))
                self._said.notify_all()

    def wait_for(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until *times* lines match; return the last match."""
        with self._said:

            def found() -> list[re.Match[str]]:
                return [match for line in self.lines if (match := re.search(pattern, line))]

            assert self._said.wait_for(lambda: len(found()) >= times, timeout=60), "\n".join(self.lines)
            return found()[times - 1]

    @property
    def url(self) -> str:
        return self.wait_for(r" on (http://\S+)  \(")[1]

    def get(self, path: str, body: bytes | None = None) -> str:
        with urlopen(self.url + path, data=body, timeout=60) as answer:
            return str(answer.read().decode())

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal, and return the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(60)
        self._reader.join(60)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(APP)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def run(*arguments: str, **environment: str) -> Running:
        started.append(Running(folder, *arguments, **environment))
        return started[-1]

    yield run
    for each in started:
        each.close()


def test_it_serves_the_app_and_prints_a_line_for_each_request(run: Callable[..., Running]) -> None:
    server = run("main:app", "--port", "0")

    assert json.loads(server.get("/")) == {"hello": "world"}
    server.wait_for(r"^\d\d:\d\d:\d\d  GET      / +200 +\d+ ms  [0-9a-f]{8}$")


def test_it_listens_on_this_machine_alone(run: Callable[..., Running]) -> None:
    server = run("--port", "0")

    assert server.url.startswith("http://127.0.0.1:")
    assert not any("warning" in line for line in server.lines)


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("0.0.0.0", False), ("::", False), ("192.0.2.1", False)],
)
def test_it_warns_of_addresses_that_others_reach(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


def test_messages_are_handled_and_have_their_line(run: Callable[..., Running]) -> None:
    server = run("--port", "0")
    server.get("/jobs", b"one")
    server.wait_for(r"  message  jobs +ok +\d+ ms  [0-9a-f]{8}$")

    assert json.loads(server.get("/done/one")) == {"done": True}


def test_a_failure_is_logged_once_under_the_id_of_its_answer(run: Callable[..., Running]) -> None:
    server = run("--port", "0")
    with pytest.raises(HTTPError) as caught:
        server.get("/broken")
    id = json.loads(caught.value.read())["id"]
    caught.value.close()
    server.wait_for(rf"GET      /broken +500 +\d+ ms  {id[:8]}")
    server.wait_for(rf"ERROR portable: GET /broken failed \[{id}\]")
    server.end()

    assert [line for line in server.lines if line.startswith("Traceback")] == ["Traceback (most recent call last):"]
    assert server.lines.count("ZeroDivisionError: mine") == 1


def test_a_traceback_begins_in_the_app(run: Callable[..., Running], folder: Path) -> None:
    server = run("--port", "0")
    with pytest.raises(HTTPError) as caught:
        server.get("/broken")
    caught.value.close()
    server.wait_for("^ZeroDivisionError")

    files = [line for line in server.lines if line.startswith("  File ")]
    assert [str(folder / "main.py") in file for file in files] == [True]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_well(run: Callable[..., Running], number: int) -> None:
    server = run("--port", "0")
    server.get("/")

    assert (server.end(number), [line for line in server.lines if "Traceback" in line]) == (0, [])


def test_what_is_in_flight_is_finished(run: Callable[..., Running]) -> None:
    server = run("--port", "0")
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(server.get("/slow")))
    asking.start()
    server.wait_for("^begun$")
    code = server.end()
    asking.join(60)

    assert (code, answers) == (0, ["at last"])


def test_a_message_waits_for_its_handler_over_a_kill(run: Callable[..., Running], folder: Path) -> None:
    (folder / "main.py").write_text(APP.replace("@app.on_message(jobs)\n", ""))
    first = run("--port", "0")
    first.get("/jobs", b"one")
    first.end(signal.SIGKILL)
    (folder / "main.py").write_text(APP)
    second = run("--port", "0")
    second.wait_for("message  jobs +ok")

    assert json.loads(second.get("/done/one")) == {"done": True}


def test_the_app_may_be_in_portable_toml(run: Callable[..., Running], folder: Path) -> None:
    (folder / "main.py").rename(folder / "service.py")
    (folder / "portable.toml").write_text('app = "service:app"\n')

    assert json.loads(run("--port", "0").get("/")) == {"hello": "world"}


def test_without_lines_it_is_silent(run: Callable[..., Running]) -> None:
    server = run("--port", "0", "--no-access-log")
    server.get("/")
    server.end()

    assert not any(" GET " in line for line in server.lines)


def test_a_pipe_gets_no_colours(run: Callable[..., Running]) -> None:
    server = run("--port", "0")
    server.get("/")
    server.end()

    assert not any("\x1b" in line for line in server.lines)


def test_a_port_that_is_taken_is_an_error(run: Callable[..., Running]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = run("--port", str(taken.getsockname()[1]))

        assert server.wait() == 1
    assert "Address already in use: choose another --port" in server.lines[-1]


def test_without_a_port_a_free_one_is_taken(run: Callable[..., Running]) -> None:
    # Whoever has port 8000 at the moment: of two servers one at most gets it.
    urls = {run().url, run().url}

    assert len(urls) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["main:ap"], "has no 'ap' (did you mean 'app'?)"),
        (["man:app"], "no module 'man' in"),
        (["nowhere.py"], "there is no file"),
    ],
)
def test_an_app_that_is_not_there_is_a_wrong_call(run: Callable[..., Running], arguments: list[str], said: str) -> None:
    server = run(*arguments, "--port", "0")

    assert server.wait() == 2
    assert said in server.lines[-1]


def test_a_target_elsewhere_is_refused(run: Callable[..., Running], folder: Path) -> None:
    (folder / "portable.toml").write_text('[targets.prod]\nprovider = "aws"\n')
    server = run("--port", "0", PORTABLE_TARGET="prod")

    assert server.wait() == 2
    assert "target prod is on aws, and `portable run` runs apps with data of this machine" in server.lines[-1]


def test_a_change_of_the_source_reloads_the_app(run: Callable[..., Running], folder: Path) -> None:
    server = run("--reload", "--port", "0")
    before = server.get("/")
    (folder / "main.py").write_text(APP.replace("world", "again"))
    server.wait_for("  [(]Ctrl-C stops it[)]", times=2)
    after = server.get("/")

    assert (json.loads(before), json.loads(after)) == ({"hello": "world"}, {"hello": "again"})
    assert server.end() == 0


def test_a_broken_source_is_waited_for(run: Callable[..., Running], folder: Path) -> None:
    server = run("--reload", "--port", "0")
    server.get("/")
    (folder / "main.py").write_text("def broken(:\n")
    server.wait_for("^SyntaxError")
    (folder / "main.py").write_text(APP.replace("world", "mended"))
    server.wait_for("  [(]Ctrl-C stops it[)]", times=2)

    assert json.loads(server.get("/")) == {"hello": "mended"}


def test_a_target_that_is_named_is_served_and_its_queues_are_consumed(
    run: Callable[..., Running], folder: Path
) -> None:
    here = f"sqlite://{folder}/elsewhere.db"
    (folder / "portable.toml").write_text(
        f"""
        app = "main:app"
        [targets.prod]
        provider = "aws"
        [targets.prod.resources]
        jobs = "{here}?name=jobs"
        dead = "{here}?name=dead"
        done = "{here}?name=done"
        """
    )
    server = run("prod", "--port", "0", "--concurrency", "2")
    server.get("/jobs", b"one")
    server.wait_for(r"message  jobs +ok")

    assert json.loads(server.get("/done/one")) == {"done": True}
    assert "  resources of target prod" in server.lines
    assert (folder / "elsewhere.db").exists()
    assert server.end() == 0
