"""How the conformance suite runs on AWS: drivers on emulators, HTTP and events in Lambda's own runtime client."""

from __future__ import annotations

import time

from portable_aws import _fronts, _occurrences
from portable_aws.entry import entry
from portable_contracts.harness import Harness, MissingCounterpart
from portable_contracts.provider import Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from portable_contracts.events import Event
    from portable_contracts.harness import HttpCall
    from portable_contracts.http import Response
    from portable_contracts.provider import Runner

SINGLE = "aws.http.alb~single"
"""The form that keeps the last of several values alone, so that what arrives is not what the client sent."""
_FRESH = {
    "bucket": {"s3": "portable_aws._fresh_blob"},
    "table": {"dynamodb": "portable_aws._fresh_kv"},
    "queue": {"sqs": "portable_aws._fresh_queue", "sqs+fifo": "portable_aws._fresh_fifo"},
}
"""By kind and scheme, the module that makes and removes resources: `create(harness, options)`, `destroy(address)`,
`unreachable(harness)`, `refusal(reason)`; `leftovers(address)` of buckets; where the service's clock can be moved,
`move_clock(harness, ahead)`, which says whether it was."""


class FunctionFailed(Exception):
    """What the runtime reported of a function that failed, where the function itself raised nothing."""


class AwsHarness(Harness):
    """Drives the entry point through the Runtime API; the runtime starts with the first invocation."""

    provider = "aws"

    def __init__(self) -> None:
        self._started: Any = None
        """The suite's `lambda_runtime.Embedded`."""
        self._move_clock: Callable[[Harness, float], bool] | None = None
        """Of the resource that was made last, if its clock can be moved."""
        self._passed = 0.0

    def __exit__(self, *_: object) -> None:
        if self._started is not None:
            self._started.stop()
            self._started = None

    def schemes(self, kind: str) -> Sequence[str]:
        return tuple(_FRESH.get(kind, {}))

    def evidence(self, scheme: str) -> str:
        from portable_aws._fresh_endpoint import is_live

        return "live" if is_live(scheme.partition("+")[0]) else "emulator"

    def create(self, kind: str, scheme: str, options: Mapping[str, Any]) -> str:
        fresh = _fresh(scheme)
        address: str = fresh.create(self, options)
        self._move_clock = getattr(fresh, "move_clock", None)
        if not self.moves_time():
            self._move_clock, self._passed = None, 0.0
        return address

    def destroy(self, address: str) -> None:
        _fresh(_scheme(address)).destroy(address)

    def unreachable(self, kind: str, scheme: str) -> str | None:
        address: str | None = _fresh(scheme).unreachable(self)
        return address

    def leftovers(self, address: str) -> Sequence[str]:
        found: Sequence[str] = _fresh(_scheme(address)).leftovers(address)
        return found

    def upstream(self, address: str) -> tuple[str, int] | None:
        from portable_aws._fresh_endpoint import upstream

        return upstream(address)

    def through(self, address: str, host: str, port: int) -> str:
        from portable_aws._fresh_endpoint import through

        return through(address, host, port)

    def refusal(self, address: str, reason: str) -> tuple[int, Mapping[str, str], bytes]:
        answer: tuple[int, Mapping[str, str], bytes] = _fresh(_scheme(address)).refusal(reason)
        return answer

    def opening(self, options: Mapping[str, Any]) -> Opening:
        return Opening(clock=lambda: time.time() + self._passed, options=options)

    def pass_time(self, seconds: float) -> None:
        if self._move_clock is None:
            super().pass_time(seconds)
        else:
            self._passed += seconds
            self._move_clock(self, self._passed)

    def moves_time(self) -> bool:
        return self._move_clock is not None and self._move_clock(self, self._passed)

    def invocation(self, shape: str, document: Mapping[str, Any]) -> tuple[Any, Any]:
        return document["raw"], _fronts.LambdaContext(**document.get("context", {}))

    def runtime(self) -> str:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return f"in-process, awslambdaric {version('awslambdaric')}"
        except PackageNotFoundError:
            return super().runtime()

    def http_shapes(self) -> Sequence[str]:
        return self.fronts()

    def fronts(self) -> Sequence[str]:
        return [form for form in _fronts.FORMS if form != SINGLE]

    def rendered(self, shape: str, call: HttpCall) -> tuple[Any, Any]:
        return _fronts.event(shape, call), _fronts.LambdaContext()

    def received(self, shape: str, answer: Any, call: HttpCall) -> Response:
        return _fronts.response(shape, answer)

    def event_shapes(self, trigger: str) -> Sequence[str]:
        return _occurrences.SHAPES.get(trigger, ())

    def told(self, shape: str, event: Event) -> Mapping[str, Any] | None:
        return _occurrences.document(shape, event)

    def send(self, runner: Runner, call: HttpCall) -> Response:
        front = call.front or _fronts.FORMS[0]
        invoked = self._runtime().invoke(entry(runner), _fronts.event(front, call))
        if invoked.failed:
            return _fronts.failure(front, invoked.status == 413)
        return self.received(front, invoked.payload, call)

    def deliver(self, runner: Runner, shape: str, document: Mapping[str, Any]) -> Any:
        raw, context = self.invocation(shape, document)
        invoked = self._runtime().invoke(entry(runner), raw, request_id=context.aws_request_id)
        if invoked.failed:
            raise invoked.raised or FunctionFailed(invoked.payload)
        return invoked.payload

    def _runtime(self) -> Any:
        if self._started is None:
            self._started = self.counterpart("lambda_runtime").Embedded()
        return self._started


def _scheme(address: str) -> str:
    return address.partition(":")[0]


def _fresh(scheme: str) -> Any:
    from importlib import import_module

    module = next(modules[scheme] for modules in _FRESH.values() if scheme in modules)
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingCounterpart(f"{error.name} is missing: install portable-serverless[aws]") from error
