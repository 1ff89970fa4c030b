"""How the conformance suite runs HTTP and events on Tencent Cloud: behind its fronts, in a custom runtime.

Tencent publishes no runtime, so what stands for SCF is a server of ours: all of this is evidence by a wire fake.
"""

from __future__ import annotations

from portable_contracts.harness import Harness
from portable_contracts.provider import Opening
from portable_tencent import _fronts
from portable_tencent.custom_runtime import serve
from portable_tencent.entry import entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from portable_contracts.harness import HttpCall
    from portable_contracts.http import Response
    from portable_contracts.provider import Runner


class FunctionFailed(Exception):
    """What the platform was told of a function that failed, where the function itself raised nothing."""


class TencentHarness(Harness):
    """Drives the entry point through the custom runtime's loop, which starts with the first invocation."""

    provider = "tencent"

    def __init__(self) -> None:
        self._started: Any = None

    def __exit__(self, *_: object) -> None:
        if self._started is not None:
            self._started.stop()
            self._started = None

    def schemes(self, kind: str) -> Sequence[str]:
        return ()

    def evidence(self, scheme: str) -> str:
        return "wire fake"

    def create(self, kind: str, scheme: str, options: Mapping[str, Any]) -> str:
        raise NotImplementedError

    def destroy(self, address: str) -> None:
        raise NotImplementedError

    def opening(self, options: Mapping[str, Any]) -> Opening:
        return Opening(options=options)

    def invocation(self, shape: str, document: Mapping[str, Any]) -> tuple[Any, Any]:
        return document["raw"], _fronts.context(**document.get("context", {}))

    def runtime(self) -> str:
        return "wire fake"

    def http_shapes(self) -> Sequence[str]:
        return self.fronts()

    def fronts(self) -> Sequence[str]:
        # Not the load balancer, which loses bytes that are no text where the content type says that they are.
        return [form for form in _fronts.FORMS if form != _fronts.BALANCER]

    def rendered(self, shape: str, call: HttpCall) -> tuple[Any, Any]:
        return _fronts.event(shape, call), _fronts.context()

    def received(self, shape: str, answer: Any, call: HttpCall) -> Response:
        return _fronts.response(answer)

    def send(self, runner: Runner, call: HttpCall) -> Response:
        front = call.front or _fronts.URL
        invoked = self._runtime().invoke(entry(runner), _fronts.event(front, call))
        return _fronts.failure(front, invoked.code) if invoked.failed else _fronts.response(invoked.payload)

    def deliver(self, runner: Runner, shape: str, document: Mapping[str, Any]) -> Any:
        raw, context = self.invocation(shape, document)
        invoked = self._runtime().invoke(entry(runner), raw, request_id=context["request_id"])
        if invoked.failed:
            raise invoked.raised or FunctionFailed(invoked.payload)
        return invoked.payload

    def _runtime(self) -> Any:
        if self._started is None:
            self._started = self.counterpart("scf_runtime").Embedded(serve)
        return self._started
