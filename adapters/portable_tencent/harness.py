"""How the conformance suite runs HTTP and events on Tencent Cloud: behind its fronts, in a custom runtime.

Tencent publishes no runtime, so what stands for SCF is a server of ours: all of this is evidence by a wire fake.
"""

from __future__ import annotations

from binascii import a2b_base64

from portable_contracts.bodies import text_or_base64
from portable_contracts.harness import Harness
from portable_contracts.provider import Address, Opening
from portable_tencent import _fresh_queues, _fronts, _occurrences
from portable_tencent._fresh_account import FreshAccount
from portable_tencent._fresh_buckets import FreshBuckets
from portable_tencent._fresh_queues import FreshQueues
from portable_tencent.custom_runtime import serve
from portable_tencent.entry import entry
from portable_tencent.web import application

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from portable_contracts.events import Event
    from portable_contracts.harness import HttpCall
    from portable_contracts.http import Response
    from portable_contracts.provider import Runner


class FunctionFailed(Exception):
    """What the platform was told of a function that failed, where the function itself raised nothing."""


class TencentHarness(Harness):
    """Drives the entry point through the custom runtime's loop, which starts with the first invocation."""

    provider = "tencent"

    def __init__(self) -> None:
        self._started: dict[str, Any] = {}
        self._account = FreshAccount(self.counterpart)
        self._buckets = FreshBuckets(self._account)
        self._queues = FreshQueues(self._account)

    def __exit__(self, *_: object) -> None:
        while self._started:
            self._started.popitem()[1].stop()

    def schemes(self, kind: str) -> Sequence[str]:
        return {"bucket": ("cos",), "queue": ("cmq",)}.get(kind, ())

    def evidence(self, scheme: str) -> str:
        return "live" if scheme == "cos" and self._buckets.live else "wire fake"

    def create(self, kind: str, scheme: str, options: Mapping[str, Any]) -> str:
        return self._queues.create(options) if scheme == "cmq" else self._buckets.create(options)

    def destroy(self, address: str) -> None:
        parsed = Address.parse(address)
        (self._queues if parsed.scheme == "cmq" else self._buckets).destroy(parsed)

    def opening(self, options: Mapping[str, Any]) -> Opening:
        return Opening(clock=self._account.clock, options=options)

    def pass_time(self, seconds: float) -> None:
        if self.moves_time():
            self._account.set_clock(self._account.ahead + seconds)
        else:
            super().pass_time(seconds)

    def moves_time(self) -> bool:
        return not self._buckets.live

    def unreachable(self, kind: str, scheme: str) -> str | None:
        return self._queues.unreachable() if scheme == "cmq" else self._buckets.unreachable()

    def leftovers(self, address: str) -> Sequence[str]:
        return self._buckets.leftovers(Address.parse(address))

    def upstream(self, address: str) -> tuple[str, int] | None:
        return _fresh_queues.upstream(Address.parse(address))

    def through(self, address: str, host: str, port: int) -> str:
        return _fresh_queues.through(Address.parse(address), host, port)

    def refusal(self, address: str, reason: str) -> tuple[int, Mapping[str, str], bytes]:
        if Address.parse(address).scheme == "cmq":
            return _fresh_queues.refusal(reason)
        return self._buckets.refusal(reason)

    def invocation(self, shape: str, document: Mapping[str, Any]) -> tuple[Any, Any]:
        raw = document["raw"]
        if shape == _fronts.WEB:
            if type(raw["method"]) is not str:
                raise TypeError("the method is str: a server read it from the request line")
            return _fronts.web_request(raw["method"], raw["target"], raw["headers"], _bytes(raw["body"])), None
        return raw, _fronts.context(**document.get("context", {}))

    def described(self, shape: str, answer: Any) -> Any:
        if shape != _fronts.WEB:
            return answer
        response = _fronts.web_response(answer)
        headers = [list(pair) for pair in response.headers.multi_items()]
        return {"status": response.status, "headers": headers, "body": _text(response.body)}

    def runtime(self) -> str:
        return "wire fake"

    def http_shapes(self) -> Sequence[str]:
        return self.fronts()

    def fronts(self) -> Sequence[str]:
        # Not the load balancer, which loses bytes that are no text where the content type says that they are.
        return (_fronts.URL, _fronts.GATEWAY, _fronts.WEB)

    def rendered(self, shape: str, call: HttpCall) -> tuple[Any, Any]:
        if shape == _fronts.WEB:
            headers = [*call.headers, *_fronts.web_headers(call.client)]
            return _fronts.web_request(call.method, call.target, headers, call.body), None
        return _fronts.event(shape, call), _fronts.context()

    def received(self, shape: str, answer: Any, call: HttpCall) -> Response:
        return _fronts.web_response(answer, call.method) if shape == _fronts.WEB else _fronts.response(answer)

    def event_shapes(self, trigger: str) -> Sequence[str]:
        return _occurrences.SHAPES.get(trigger, ())

    def told(self, shape: str, event: Event) -> Mapping[str, Any] | None:
        return _occurrences.document(shape, event)

    def send(self, runner: Runner, call: HttpCall) -> Response:
        front = call.front or _fronts.URL
        if front == _fronts.WEB:
            sent: Response = self._web_server().send(
                application(entry(runner)), call.replace(headers=[*call.headers, *_fronts.web_headers(call.client)])
            )
            return sent
        invoked = self._runtime().invoke(entry(runner), _fronts.event(front, call))
        return _fronts.failure(front, invoked.code) if invoked.failed else _fronts.response(invoked.payload)

    def deliver(self, runner: Runner, shape: str, document: Mapping[str, Any]) -> Any:
        raw, context = self.invocation(shape, document)
        invoked = self._runtime().invoke(entry(runner), raw, request_id=context["request_id"])
        if invoked.failed:
            raise invoked.raised or FunctionFailed(invoked.payload)
        return invoked.payload

    def _runtime(self) -> Any:
        if "runtime" not in self._started:
            self._started["runtime"] = self.counterpart("scf_runtime").Embedded(serve)
        return self._started["runtime"]

    def _web_server(self) -> Any:
        if "web" not in self._started:
            self._started["web"] = self.counterpart("scf_web").Embedded()
        return self._started["web"]


def _bytes(written: Any) -> bytes:
    return a2b_base64(written["base64"]) if isinstance(written, dict) else written.encode()


def _text(body: bytes) -> Any:
    text, is_base64 = text_or_base64(body)
    return {"base64": text} if is_base64 else text
