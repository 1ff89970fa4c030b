"""How the suite's servers are started, shared and stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from portable_conformance.counterparts import __main__ as command
from portable_conformance.counterparts import _programs, _servers, dynamodb_local
from portable_contracts.harness import MissingCounterpart

ONE = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a run of its own."""
    monkeypatch.delenv(_servers.RUN, raising=False)
    assert _servers.begin()
    return Path(os.environ[_servers.RUN])


def alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().split()[2] != "Z"


class TestServers:
    def test_a_server_answers_until_the_run_ends(self, run: Path) -> None:
        server = _servers.serve("files", lambda ports, folder: [*ONE, str(ports[0])])
        with urllib.request.urlopen(server.url) as answer:
            assert b"log" in answer.read()

        _servers.end()

        assert not alive(server.pid)
        assert not run.exists()

    def test_processes_of_a_run_share_one_server(self, run: Path) -> None:
        program = (
            "import sys; from portable_conformance.counterparts import _servers;"
            f"print(_servers.serve('files', lambda ports, folder: {ONE!r} + [str(ports[0])]).pid)"
        )
        started = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in "123"]
        pids = {process.communicate()[0] for process in started}
        _servers.end()

        assert len(pids) == 1
        assert not alive(int(pids.pop()))

    def test_a_server_that_does_not_start_is_missing_and_says_what_it_printed(self, run: Path) -> None:
        with pytest.raises(MissingCounterpart, match="broken does not start: no such luck"):
            _servers.serve("broken", lambda ports, folder: [sys.executable, "-c", "raise SystemExit('no such luck')"])
        _servers.end()


class TestPrograms:
    def test_one_that_is_not_installed_is_missing_and_says_how_to_get_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PORTABLE_COUNTERPARTS", str(tmp_path))

        with pytest.raises(MissingCounterpart, match="counterparts install azurite"):
            command.programs()["azurite"].require()  # type: ignore[attr-defined]

    def test_one_that_fails_to_install_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        class Broken(_programs.Program):
            def fill(self) -> None:
                (self.folder / "half").touch()
                _programs.run(["false"], self.folder)

        monkeypatch.setenv("PORTABLE_COUNTERPARTS", str(tmp_path))
        broken = Broken("broken", "1")

        with pytest.raises(MissingCounterpart, match="false failed"):
            broken.install()
        assert not broken.installed()

    @pytest.mark.parametrize("arguments", [[], ["remove"], ["install", "nothing"]])
    def test_a_wrong_call_says_what_to_say(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert command.main(arguments) == 2
        assert "install [azurite" in capsys.readouterr().err


def test_a_program_in_java_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_COUNTERPARTS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MissingCounterpart, match="needs mvn, which is not on this machine"):
        dynamodb_local.PROGRAM.install()
