"""`portable new`: a small app whose test passes, and nothing written over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from portable.cli.commands import commands


def new(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["new", *arguments])


def test_the_files_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = new("shortener")

    assert result.exit_code == 0
    assert sorted(os.listdir("shortener")) == [".gitignore", "README.md", "main.py", "portable.toml", "test_main.py"]


def test_the_app_has_the_folders_name(tmp_path: Path) -> None:
    new(str(tmp_path / "deep" / "my-links"))

    assert 'App("my-links")' in (tmp_path / "deep" / "my-links" / "main.py").read_text()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()

    assert new(str(tmp_path / "links")).exit_code == 0


def test_a_folder_with_anything_in_it_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "notes").write_text("mine")

    result = new(str(folder))

    assert (result.exit_code, "is not empty" in result.output, os.listdir(folder)) == (1, True, ["notes"])


def test_a_file_of_that_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "links").write_text("mine")

    result = new(str(tmp_path / "links"))

    assert (result.exit_code, "is a file" in result.output) == (1, True)


@pytest.mark.parametrize("name", ["Links", "my links", "9lives", "-", "a" * 41, "läuft"])
def test_a_name_that_no_app_may_have_is_a_wrong_call(tmp_path: Path, name: str) -> None:
    result = CliRunner().invoke(commands, ["new", "--", str(tmp_path / name)])

    assert (result.exit_code, os.listdir(tmp_path)) == (2, [])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "shortener"
    new(str(folder))
    return folder


@pytest.mark.slow
def test_its_own_test_passes(project: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
    ended = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 passed" in ended.stdout


@pytest.mark.slow
def test_it_runs_on_every_target(project: Path) -> None:
    project.joinpath("portable.toml").write_text(
        'app = "main:app"\n' + "".join(f'[targets.{name}]\nprovider = "{name}"\n' for name in ("aws", "gcp", "azure"))
    )
    command = [sys.executable, "-m", "portable", "check"]
    ended = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60)

    assert ended.returncode == 0, ended.stdout + ended.stderr
