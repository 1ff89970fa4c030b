"""How the conformance suite gets resources on this machine: in a temporary folder, under a clock that it can move."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from itertools import count

from portable_contracts.harness import Harness
from portable_contracts.provider import Address, Opening
from portable_local.blob import FileBucket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

SCHEMES = {"bucket": ("file",), "table": ("sqlite",), "queue": ("sqlite",)}


class LocalHarness(Harness):
    """Resources in one temporary folder per process."""

    provider = "local"

    def __init__(self) -> None:
        self._folder: str | None = None
        self._numbers = count(1)
        self._passed = 0.0

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None

    def schemes(self, kind: str) -> Sequence[str]:
        return SCHEMES[kind]

    def evidence(self, scheme: str) -> str:
        return "in-process"

    def create(self, kind: str, scheme: str, options: Mapping[str, Any]) -> str:
        return f"{scheme}://{kind}{next(self._numbers)}"

    def destroy(self, address: str) -> None:
        """Leave it to `__exit__`: each resource has a name of its own in the folder."""

    def opening(self, options: Mapping[str, Any]) -> Opening:
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="portable-conformance-")
        return Opening(data=self._folder, clock=self._clock, options=options)

    def pass_time(self, seconds: float) -> None:
        self._passed += seconds

    def leftovers(self, address: str) -> Sequence[str]:
        """Name the files of a bucket that its index does not know."""
        folder = FileBucket.from_address(Address.parse(address), self.opening({})).native()
        if not folder.exists():
            return ()
        with closing(sqlite3.connect(folder / "index.db")) as index:
            known = {version for (version,) in index.execute("SELECT version FROM objects")}
        return [str(path) for path in (folder / "data").rglob("*") if path.is_file() and path.name not in known]

    def _clock(self) -> float:
        return time.time() + self._passed
