"""How the suite runs an app on functions-framework, in this process, over WSGI; and where its resources come from.

Who makes those, by kind and scheme, is a module: `create(harness, options)`, `destroy(address)`,
`unreachable(harness)`, `leftovers(address)`, `upstream(address)`, `through(address, host, port)`, `refusal(reason)` and
`EVIDENCE`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from portable_contracts.harness import Harness, MissingCounterpart
from portable_contracts.provider import Opening
from portable_gcp import _occurrences
from portable_gcp._fronts import arriving, described, environ_of, flask_request, response
from portable_gcp.entry import entry, raw_events
from portable_gcp.http import FlaskRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from portable_contracts.events import Event
    from portable_contracts.harness import HttpCall
    from portable_contracts.http import Response
    from portable_contracts.provider import Runner

_FRESH = {
    "bucket": {"gs": "portable_gcp._fresh_blob"},
    "table": {"firestore": "portable_gcp._fresh_kv"},
    "queue": {"pubsub": "portable_gcp._fresh_queue"},
}
_MODULES = {scheme: module for schemes in _FRESH.values() for scheme, module in schemes.items()}

SOURCE = '''\
"""What functions-framework loads: the entry of the runner that comes with the request."""

from flask import request


def http(incoming):
    return request.environ["portable.entry"](incoming)


def event(incoming):
    return request.environ["portable.entry"].event(incoming)
'''


class InvocationFailed(Exception):
    """The function answered with a status that makes Eventarc, Pub/Sub and Cloud Scheduler deliver again."""


class GcpHarness(Harness):
    """Runs apps on the functions-framework that is installed."""

    provider = "gcp"

    def __init__(self) -> None:
        self._functions: dict[str, Any] = {}
        self._kind = ""
        """Of the resource that was made last."""
        self._passed = {"table": 0.0, "queue": 0.0}
        """By which clocks are ahead: for tables that with which drivers are opened, for queues the fake's too."""

    def schemes(self, kind: str) -> Sequence[str]:
        return tuple(_FRESH.get(kind, {}))

    def evidence(self, scheme: str) -> str:
        evidence: str = _fresh(scheme).EVIDENCE
        return evidence

    def create(self, kind: str, scheme: str, options: Mapping[str, Any]) -> str:
        self._kind = kind
        address: str = _fresh(scheme).create(self, options)
        return address

    def destroy(self, address: str) -> None:
        _fresh(address).destroy(address)

    def unreachable(self, kind: str, scheme: str) -> str | None:
        address: str | None = _fresh(scheme).unreachable(self)
        return address

    def leftovers(self, address: str) -> Sequence[str]:
        keys: Sequence[str] = _fresh(address).leftovers(address)
        return keys

    def upstream(self, address: str) -> tuple[str, int] | None:
        place: tuple[str, int] | None = _fresh(address).upstream(address)
        return place

    def through(self, address: str, host: str, port: int) -> str:
        moved: str = _fresh(address).through(address, host, port)
        return moved

    def refusal(self, address: str, reason: str) -> tuple[int, Mapping[str, str], bytes]:
        answer: tuple[int, Mapping[str, str], bytes] = _fresh(address).refusal(reason)
        return answer

    def opening(self, options: Mapping[str, Any]) -> Opening:
        return Opening(clock=lambda: time.time() + self._passed.get(self._kind, 0.0), options=options)

    def pass_time(self, seconds: float) -> None:
        if not self.moves_time():
            super().pass_time(seconds)
            return
        if self._kind == "queue":
            _fresh("pubsub").pass_time(self, seconds)
        self._passed[self._kind] += seconds

    def moves_time(self) -> bool:
        return self._kind == "table" or (self._kind == "queue" and _fresh("pubsub").OWN_CLOCK)

    def invocation(self, shape: str, document: Mapping[str, Any]) -> tuple[Any, Any]:
        request = flask_request(document["raw"])
        if shape == FlaskRequest.shape:
            return request, None
        received = FlaskRequest().decode(request, None)
        (raw,) = raw_events(received)
        return raw, received.context

    def described(self, shape: str, answer: Any) -> Any:
        return described(answer) if shape == FlaskRequest.shape else answer

    def runtime(self) -> str:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return f"in-process, functions-framework {version('functions-framework')}"
        except PackageNotFoundError:
            return super().runtime()

    def http_shapes(self) -> Sequence[str]:
        return (FlaskRequest.shape,)

    def rendered(self, shape: str, call: HttpCall) -> tuple[Any, Any]:
        return flask_request(arriving(call)), None

    def received(self, shape: str, answer: Any, call: HttpCall) -> Response:
        return response(answer, environ_of(arriving(call)))

    def event_shapes(self, trigger: str) -> Sequence[str]:
        return _occurrences.SHAPES.get(trigger, ())

    def told(self, shape: str, event: Event) -> Mapping[str, Any] | None:
        return _occurrences.document(shape, event)

    def send(self, runner: Runner, call: HttpCall) -> Response:
        return self._call("http", runner, arriving(call))

    def deliver(self, runner: Runner, shape: str, document: Mapping[str, Any]) -> Any:
        target = "http" if shape == FlaskRequest.shape else "event"
        answer = self._call(target, runner, document["raw"])
        if answer.status >= 300:
            raise InvocationFailed(f"the function answered {answer.status}")
        return None

    def _call(self, target: str, runner: Runner, request: Mapping[str, Any]) -> Response:
        if target not in self._functions:
            self._functions[target] = _function(target)
        environ = environ_of(request)
        environ["portable.entry"] = entry(runner)
        return response(self._functions[target], environ)


def _fresh(address: str) -> Any:
    """Return the module for the scheme of *address*, or for the scheme alone."""
    return import_module(_MODULES[address.partition(":")[0]])


def _function(target: str) -> Any:
    """Return the WSGI application that functions-framework makes for *target* of the file above."""
    try:
        from functions_framework import create_app
    except ImportError as error:
        raise MissingCounterpart(f"pip install functions-framework: {error}") from error
    # It writes to these, for the one function that its process is for.
    environment, path, modules = dict(os.environ), list(sys.path), set(sys.modules)
    try:
        with tempfile.TemporaryDirectory(prefix="portable-conformance-") as folder:
            source = Path(folder, "function.py")
            source.write_text(SOURCE)
            application: Any = create_app(target, str(source), "http")  # type: ignore[no-untyped-call]  # the vendor's
    finally:
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = path
        if "function" not in modules:
            sys.modules.pop("function", None)
    # An error reaches the test as it is; without this Flask logs it, and the answer says 500 and no more.
    application.config["PROPAGATE_EXCEPTIONS"] = target == "event"
    return application
