"""How the conformance suite runs HTTP and events on AWS: behind its fronts, in Lambda's own runtime client."""

from __future__ import annotations

from portable_aws import _fronts, _occurrences
from portable_aws.entry import entry
from portable_contracts.harness import Harness
from portable_contracts.provider import Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from portable_contracts.events import Event
    from portable_contracts.harness import HttpCall
    from portable_contracts.http import Response
    from portable_contracts.provider import Runner

SINGLE = "aws.http.alb~single"
"""The form that keeps the last of several values alone, so that what arrives is not what the client sent."""


class FunctionFailed(Exception):
    """What the runtime reported of a function that failed, where the function itself raised nothing."""


class AwsHarness(Harness):
    """Drives the entry point through the Runtime API; the runtime starts with the first invocation."""

    provider = "aws"

    def __init__(self) -> None:
        self._started: Any = None
        """The suite's `lambda_runtime.Embedded`."""

    def __exit__(self, *_: object) -> None:
        if self._started is not None:
            self._started.stop()
            self._started = None

    def schemes(self, kind: str) -> Sequence[str]:
        return ()

    def evidence(self, scheme: str) -> str:
        raise NotImplementedError

    def create(self, kind: str, scheme: str, options: Mapping[str, Any]) -> str:
        raise NotImplementedError

    def destroy(self, address: str) -> None:
        raise NotImplementedError

    def opening(self, options: Mapping[str, Any]) -> Opening:
        return Opening(options=options)

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
