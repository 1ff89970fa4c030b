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
from portable_local._calls import from_json, response_of, scope_of, send, to_json
from portable_local.blob import FileBucket
from portable_local.events import written
from portable_local.http import Asgi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from portable_contracts.events import Event
    from portable_contracts.harness import HttpCall
    from portable_contracts.http import Response
    from portable_contracts.provider import Runner

SCHEMES = {"bucket": ("file",), "table": ("sqlite",), "queue": ("sqlite",)}


class LocalHarness(Harness):
    """Resources in one temporary folder, which goes when the last of them is destroyed."""

    provider = "local"

    def __init__(self) -> None:
        self._folder: str | None = None
        self._addresses: set[str] = set()
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
        address = f"{scheme}://{kind}{next(self._numbers)}"
        self._addresses.add(address)
        return address

    def destroy(self, address: str) -> None:
        self._addresses.remove(address)
        if not self._addresses:
            self.__exit__()

    def opening(self, options: Mapping[str, Any]) -> Opening:
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="portable-conformance-")
        return Opening(data=self._folder, clock=self._clock, options=options)

    def pass_time(self, seconds: float) -> None:
        self._passed += seconds

    def leftovers(self, address: str) -> Sequence[str]:
        """Name the files of a bucket that its index does not know."""
        folder = FileBucket.from_address(Address.parse(address), Opening(data=self._folder or "")).native()
        if not folder.exists():
            return ()
        with closing(sqlite3.connect(folder / "index.db")) as index:
            known = {version for (version,) in index.execute("SELECT version FROM objects")}
        return [str(path) for path in (folder / "data").rglob("*") if path.is_file() and path.name not in known]

    def invocation(self, shape: str, document: Mapping[str, Any]) -> tuple[Any, Any]:
        raw, native_context = super().invocation(shape, document)
        return from_json(raw) if shape == Asgi.shape else raw, native_context

    def described(self, shape: str, answer: Any) -> Any:
        return to_json(answer) if shape == Asgi.shape else answer

    def http_shapes(self) -> Sequence[str]:
        return (Asgi.shape,)

    def rendered(self, shape: str, call: HttpCall) -> tuple[Any, Any]:
        return {"scope": scope_of(call), "body": call.body}, None

    def received(self, shape: str, answer: Any, call: HttpCall) -> Response:
        return response_of(answer, call.method)

    def event_shapes(self, trigger: str) -> Sequence[str]:
        return (f"local.{trigger}",)

    def told(self, shape: str, event: Event) -> Mapping[str, Any] | None:
        return {"raw": written([event]), "context": None}

    def send(self, runner: Runner, call: HttpCall) -> Response:
        return send(runner, call)

    def _clock(self) -> float:
        return time.time() + self._passed
