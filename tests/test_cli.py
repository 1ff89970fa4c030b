"""The command line: help, versions, exit codes, what an event is, and the suite."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import portable
from portable import registry
from portable.cli.commands import commands
from portable.dev.loading import load_app
from portable_contracts.provider import Provider


def portable_command(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(commands, list(arguments), input=input)


def python(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, **options)


# The whole


@pytest.mark.parametrize("command", ["new", "run", "check", "decode", "copy", "conformance"])
def test_every_command_has_help(command: str) -> None:
    result = portable_command(command, "--help")

    assert (result.exit_code, result.output.startswith("Usage: ")) == (0, True)


def test_the_module_is_the_command_line() -> None:
    ended = python("-m", "portable", "--version")

    assert (ended.returncode, ended.stdout.startswith("portable ")) == (0, True)


@pytest.mark.parametrize("arguments", [["nothing"], ["run", "--port", "x"], ["new"]])
def test_a_wrong_call_ends_with_2(arguments: list[str]) -> None:
    assert portable_command(*arguments).exit_code == 2


def test_an_error_of_ours_has_no_traceback() -> None:
    ended = python("-m", "portable", "decode", "--provider", "acme", "-", input="{}")

    assert ended.returncode == 2
    assert ended.stderr.startswith("Error: no installed adapter offers the provider 'acme'")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['portable', '--help']\nfrom portable.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(sorted(set(sys.modules) & {'uvicorn', 'asyncio', 'sqlite3', 'importlib.metadata', 'portable.app'}))"
    )

    assert python("-c", code).stdout.splitlines()[-1] == "[]"


def test_without_click_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['click'] = None\nfrom portable.cli import main; main()"
    ended = python("-c", code)

    assert (ended.returncode, "portable-serverless[cli]" in ended.stderr) == (2, True)


# decode

MESSAGE = {
    "portable": "message",
    "events": [{"id": "m-1", "queue": "thumbs", "body": "hi", "attempt": 2, "attributes": {"a": "b"}}],
}


def test_an_event_is_printed_as_a_handler_receives_it(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(MESSAGE))
    result = portable_command("decode", str(file))

    assert (result.exit_code, result.stderr) == (0, "local: local.message (message)\n")
    assert json.loads(result.stdout) == {
        "event": "Message",
        "id": "m-1",
        "queue": "thumbs",
        "body": "hi",
        "attributes": {"a": "b"},
        "attempt": 2,
        "sent": None,
        "group": None,
    }


def test_an_event_can_come_from_standard_input() -> None:
    tick = {"portable": "schedule", "events": [{"schedule": "nightly", "time": "2026-03-04T03:00:00Z"}]}
    said = json.loads(portable_command("decode", "-", "--json", input=json.dumps(tick)).stdout)

    assert said == {
        "provider": "local",
        "shape": "local.schedule",
        "trigger": "schedule",
        "events": [{"event": "Tick", "schedule": "nightly", "time": "2026-03-04T03:00:00+00:00", "id": ""}],
    }


def test_bytes_that_are_no_text_are_printed_in_base64() -> None:
    event = {**MESSAGE, "events": [{"id": "m-1", "queue": "q", "body": {"$bytes": "/w=="}}]}
    said = json.loads(portable_command("decode", "-", input=json.dumps(event)).stdout)

    assert said["body"] == {"base64": "/w=="}


def test_an_event_of_no_known_shape_names_its_keys_and_the_nearest() -> None:
    result = portable_command("decode", "-", "--provider", "local", input='{"message": 1, "other": 2}')

    assert result.exit_code == 1
    assert "an event with the keys message, other; the nearest is local.message" in result.stderr


def test_a_broken_event_names_the_field() -> None:
    event = {"portable": "message", "events": [{"queue": "q", "body": "x"}]}
    result = portable_command("decode", "-", input=json.dumps(event))

    assert (result.exit_code, "local.message (message), but broken: " in result.stderr) == (1, True)


def test_what_is_not_json_is_a_wrong_call() -> None:
    assert portable_command("decode", "-", input="{").exit_code == 2


def test_a_missing_file_is_a_wrong_call() -> None:
    assert portable_command("decode", "nowhere.json").exit_code == 2


# conformance


def test_a_provider_without_a_harness_cannot_be_tested() -> None:
    registry.register(Provider(name="bare"))
    try:
        result = portable_command("conformance", "bare")
    finally:
        registry._providers.pop("bare")

    assert (result.exit_code, "has no harness" in result.output) == (2, True)


def test_the_suite_without_pytest_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = portable_command("conformance", "local")

    assert (result.exit_code, "portable-serverless[conformance]" in result.output) == (2, True)


@pytest.mark.slow
def test_the_suite_runs_with_what_pytest_is_told(tmp_path: Path) -> None:
    ended = python("-m", "portable", "conformance", "local", "-k", "deleting_a_missing", cwd=tmp_path)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout


@pytest.mark.slow
def test_a_suite_that_finds_nothing_to_test_fails(tmp_path: Path) -> None:
    ended = python("-m", "portable", "conformance", "local", "-k", "no_such_test", cwd=tmp_path)

    assert ended.returncode == 1


# Which app

APP = 'from portable import App\napp = App("one")\nnumber = 1\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "shop_one.py").write_text(APP)
    (tmp_path / "shop_two.py").write_text(APP + 'other = App("two")\n')
    (tmp_path / "shop_none.py").write_text("number = 1\n")
    (tmp_path / "shop_named.py").write_text('from portable import App\none = App("a")\nother = App("b")\n')
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "shop_below.py").write_text(APP)
    for name in ("shop_one", "shop_two", "shop_none", "shop_named", "shop_below", "shop_broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def loaded(named: str | None, folder: Path, app: str | None = None) -> portable.App:
    from portable.config import Configuration, Target

    return load_app(named, Configuration(str(folder), None, app, {"local": Target("local", "local")}))


@pytest.mark.parametrize(
    "named", ["shop_one:app", "shop_one", "shop_one.py", "shop_one.py:app", "below/shop_below.py", "shop_two"]
)
def test_an_app_is_found_by_module_or_file(folder: Path, named: str) -> None:
    assert loaded(named, folder).name == "one"


def test_the_app_of_the_file_is_found_beside_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "below")

    assert loaded(None, folder, "shop_one:app").name == "one"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("shop_on:app", "no module 'shop_on' in .* \\(did you mean 'shop_one'\\?\\): its modules are shop_named"),
        ("shop_one:ap", "shop_one.py has no 'ap' \\(did you mean 'app'\\?\\): its apps are app"),
        ("shop_one:number", "shop_one:number is of type int, not an App"),
        ("shop_none", "shop_none.py: it has no app: add app = App"),
        ("shop_named", "its apps are one, other: say which, like shop_named:one"),
        ("nowhere.py", "there is no file .*nowhere.py"),
        (None, "no app is named, and .* has no main.py"),
    ],
)
def test_an_app_that_is_not_there_is_refused_with_what_is(folder: Path, named: str | None, said: str) -> None:
    with pytest.raises(portable.InvalidArgument, match=said):
        loaded(named, folder)


def test_what_is_missing_inside_the_app_is_its_own_error(folder: Path) -> None:
    (folder / "shop_broken.py").write_text("import a_package_that_is_not_there\n")

    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        loaded("shop_broken", folder)
