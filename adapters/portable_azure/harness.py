"""How the conformance suite hands invocations to this adapter: as the Functions worker does, in its own runtime."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from importlib import import_module
from itertools import count
from pathlib import Path
from types import SimpleNamespace

from portable_azure import _fronts, _occurrences
from portable_azure._invocation import Invocation
from portable_azure.http import FUNCTION, FunctionsRequest
from portable_contracts.bodies import text_or_base64
from portable_contracts.harness import Harness, MissingCounterpart
from portable_contracts.provider import Address, Opening, Runner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from portable_contracts.deploy import AppSpec
    from portable_contracts.events import Event
    from portable_contracts.harness import HttpCall
    from portable_contracts.http import HttpCapabilities, Response

_SOURCES = {"queueTrigger": "queueName", "serviceBusTrigger": "queueName", "cosmosDBTrigger": "containerName"}
"""Where a trigger's binding names what it listens to."""
_FRESH = {
    "bucket": {"azblob": "portable_azure._fresh_blob"},
    "table": {"aztable": "portable_azure._fresh_kv"},
    "queue": {"azqueue": "portable_azure._fresh_queue"},
}
"""By kind and scheme, the module that makes and removes resources: `create(harness)`, `destroy(address)`,
`unreachable(harness)`."""


class AzureHarness(Harness):
    """The Functions worker in this process; a storage account in Azurite, or in Azure where the environment says so."""

    provider = "azure"

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._serving: tuple[Runner, Any] | None = None
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._kinds: dict[str, str] = {}
        """Of the resources that are there, by address."""
        self._passed = 0.0

    def __exit__(self, *_: object) -> None:
        self._serving = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def schemes(self, kind: str) -> Sequence[str]:
        return tuple(_FRESH.get(kind, {}))

    def evidence(self, scheme: str) -> str:
        from portable_azure._fresh_account import is_live

        return "live" if is_live(scheme) else "emulator"

    def create(self, kind: str, scheme: str, options: Mapping[str, Any]) -> str:
        address: str = _fresh(kind, scheme).create(self)
        self._kinds[address] = kind
        if self._moves_queues():
            self._move_queues()
        return address

    def destroy(self, address: str) -> None:
        _fresh(self._kinds.pop(address), address.partition(":")[0]).destroy(address)

    def unreachable(self, kind: str, scheme: str) -> str | None:
        address: str | None = _fresh(kind, scheme).unreachable(self)
        return address

    def upstream(self, address: str) -> tuple[str, int] | None:
        from portable_azure._fresh_account import upstream

        return upstream(address)

    def through(self, address: str, host: str, port: int) -> str:
        from portable_azure._fresh_account import through

        return through(address, host, port)

    def refusal(self, address: str, reason: str) -> tuple[int, Mapping[str, str], bytes]:
        from portable_azure._fresh_account import refusal

        return refusal(address, reason)

    def opening(self, options: Mapping[str, Any]) -> Opening:
        return Opening(clock=lambda: time.time() + self._passed, options=options)

    def pass_time(self, seconds: float) -> None:
        if self.moves_time():
            self._passed += seconds  # No service knows of items that expire: they do so by the driver's clock.
            if self._moves_queues():
                self._move_queues()
        else:
            time.sleep(seconds)

    def moves_time(self) -> bool:
        return set(self._kinds.values()) == {"table"} or self._moves_queues()

    def _moves_queues(self) -> bool:
        from portable_azure._fresh_queue import has_own_clock

        return set(self._kinds.values()) == {"queue"} and has_own_clock()

    def _move_queues(self) -> None:
        from portable_azure._fresh_queue import move_clock

        for address in self._kinds:
            move_clock(address, self._passed)

    def invocation(self, shape: str, document: Mapping[str, Any]) -> tuple[Any, Any]:
        worker = _worker()
        raw, told = document["raw"], document.get("context")
        native_context = None if told is None else SimpleNamespace(**told)
        try:
            if shape == FunctionsRequest.shape:
                return worker.converted("httpTrigger", worker.data_of({"http": raw}), {}), native_context
            if not _of_host(raw):
                return raw, native_context
            data, metadata = _sent(raw)
            if raw["trigger"] == "eventGridTrigger":
                payload = json.loads(data.json)
            else:
                payload = worker.converted(raw["trigger"], data, metadata)
        except Exception as error:
            raise ValueError("the worker does not hand this over") from error
        if type(raw["source"]) is not str:
            raise TypeError("the source is the entry's own text")
        return Invocation(raw["trigger"], raw["source"], payload), native_context

    def described(self, shape: str, answer: Any) -> Any:
        if shape != FunctionsRequest.shape:
            return answer
        told = _worker().answer_of(answer)
        body, is_base64 = text_or_base64(told["body"])
        return {**told, "body": {"base64": body} if is_base64 else body}

    def runtime(self) -> str:
        from importlib.metadata import PackageNotFoundError, version

        for package in ("azure-functions-runtime", "azure-functions"):
            try:
                return f"in-process, {package} {version(package)}"
            except PackageNotFoundError:
                continue
        return super().runtime()

    def http_shapes(self) -> Sequence[str]:
        return tuple(_fronts.PREFIXES)

    def fronts(self) -> Sequence[str]:
        return ("azure.http", "azure.http~prefix")

    def rendered(self, shape: str, call: HttpCall) -> tuple[Any, Any]:
        worker = _worker()
        data = worker.data_of({"http": _fronts.request(shape, call)})
        context = SimpleNamespace(invocation_id="r-1", function_name=FUNCTION)
        return worker.converted("httpTrigger", data, {}), context

    def received(self, shape: str, answer: Any, call: HttpCall) -> Response:
        return _fronts.response(_worker().answer_of(answer), call)

    def event_shapes(self, trigger: str) -> Sequence[str]:
        return _occurrences.SHAPES.get(trigger, ())

    def told(self, shape: str, event: Event) -> Mapping[str, Any] | None:
        return _occurrences.document(shape, event)

    def send(self, runner: Runner, call: HttpCall) -> Response:
        worker = _worker()
        data = worker.data_of({"http": _fronts.request(call.front, call)})
        answer = self._functions(runner).invoke(FUNCTION, data, {}, f"r-{next(self._numbers)}")
        return _fronts.response(answer, call)

    def deliver(self, runner: Runner, shape: str, document: Mapping[str, Any]) -> Any:
        raw = document["raw"]
        if not _of_host(raw):
            return super().deliver(runner, shape, document)
        watched = _Watched(runner, raw)
        functions = self._functions(watched)
        listening = [name for name, trigger in functions.triggers.items() if _listens(name, trigger, raw)]
        if not listening:
            return super().deliver(runner, shape, document)  # The entry has no function for it, so no host would ask.
        data, metadata = _sent(raw)
        try:
            functions.invoke(listening[0], data, metadata, document["context"]["invocation_id"])
        except _worker().InvocationFailed as failed:
            raise watched.raised or failed from None
        return None

    def _functions(self, runner: Runner) -> Any:
        """Return the entry around *runner* in the runtime, or in the converters alone."""
        with self._lock:
            if self._serving is None or self._serving[0] is not runner:
                self._serving = runner, self._start(runner)
            return self._serving[1]

    def _start(self, runner: Runner) -> Any:
        worker = _worker()
        from portable_azure.entry import entry

        try:
            from portable_azure._runtime import Runtime
        except ModuleNotFoundError as error:
            if error.name != "azure_functions_runtime":
                raise
            return worker.Functions(entry(runner))
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="portable-azure-")
            Path(self._folder.name, "function_app.py").touch()
        return Runtime(self._folder.name, entry(runner))


class _Watched(Runner):
    """A runner on a target where the invocation can come from.

    It keeps the error that was raised: the host is told its text alone.
    """

    def __init__(self, runner: Runner, raw: Mapping[str, Any]) -> None:
        self.raised: Exception | None = None
        self._runner = runner
        self._queues = "servicebus" if raw["trigger"] == "serviceBusTrigger" else "azqueue"
        self._batch = "collection_bytes" in raw["data"]

    @property
    def spec(self) -> AppSpec:
        spec = self._runner.spec
        if not self._batch:
            return spec
        # The entry chooses a function that takes several messages where the handler does.
        triggers = [trigger.replace(options={**trigger.options, "batch": True}) for trigger in spec.triggers]
        return spec.replace(triggers=triggers)

    @property
    def limits(self) -> HttpCapabilities:
        return self._runner.limits

    def address(self, kind: str, name: str) -> Address:
        if kind == "table":
            return Address("cosmos", "guestbook", f"/{name}")
        return Address("azblob" if kind == "bucket" else self._queues, name)

    def __call__(self, raw: Any, native_context: Any) -> Any:
        try:
            return self._runner(raw, native_context)
        except Exception as error:
            self.raised = error
            raise

    async def run_async(self, raw: Any, native_context: Any) -> Any:
        return await self._runner.run_async(raw, native_context)

    def handle(self, event: Event) -> Any:
        return self._runner.handle(event)


def _fresh(kind: str, scheme: str) -> Any:
    try:
        return import_module(_FRESH[kind][scheme])
    except ModuleNotFoundError as error:
        raise MissingCounterpart(f"{error.name} is missing: install portable-serverless[azure]") from error


def _worker() -> Any:
    try:
        from portable_azure import _worker
    except ModuleNotFoundError as error:
        raise MissingCounterpart(f"{error.name} is missing: install portable-serverless[azure]") from error
    return _worker


def _of_host(raw: Any) -> bool:
    """Say whether it is what the host sends the worker, not JSON alone, as `portable decode` is given."""
    return type(raw) is dict and "trigger" in raw


def _sent(raw: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    worker = _worker()
    return worker.data_of(raw["data"]), worker.metadata_of(raw.get("metadata", {}))


def _listens(name: str, trigger: Mapping[str, Any], raw: Mapping[str, Any]) -> bool:
    """Say whether the host would call this function for the invocation that *raw* describes."""
    if trigger["type"] != raw["trigger"] or trigger["type"] == "eventGridTrigger":
        return bool(trigger["type"] == raw["trigger"])
    source = trigger.get(_SOURCES.get(trigger["type"], ""), name.partition("_")[2])
    return bool(source == raw["source"])
