"""Microsoft's runtime of the Functions worker, in this process. It needs Python 3.13; the host's own part is not here.

    python -m portable_azure._runtime FOLDER

indexes FOLDER/function_app.py as the worker does when it starts, and writes `{"functions": ...}`. Then it runs what it
reads, a line of JSON each, `{"function": ..., "data": ..., "metadata": ..., "id": ...}`, and writes `{"answer": ...}`.
What fails, the start too, is `{"failed": ...}`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from base64 import b64encode
from email.utils import formatdate
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import azure_functions_runtime as runtime  # type: ignore[import-untyped]  # it says nothing of types

from portable_azure._worker import Data, InvocationFailed, data_of, metadata_of, trigger_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import azure.functions as func


class _Message:
    """A protobuf message that the runtime makes: the fields that it gave."""

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


class _Input(_Message):
    def WhichOneof(self, _: str) -> str:  # noqa: N802  # protobuf's name
        return "data"


class _Status(_Message):
    Success, Failure = "success", "failure"


class _Binding(_Message):
    undefined, out, inout = 0, 1, 2


class _Cookie(_Message):
    SameSite = SimpleNamespace(**{"None": "", "Lax": "Lax", "Strict": "Strict", "ExplicitNone": "None"})


_MESSAGES = (
    "WorkerInitResponse WorkerMetadata RpcException FunctionMetadataResponse RpcFunctionMetadata RpcRetryOptions "
    "InvocationResponse RpcHttp NullableString NullableBool NullableDouble NullableTimestamp Timestamp"
)
_PROTOS = SimpleNamespace(
    **dict.fromkeys(_MESSAGES.split(), _Message),
    TypedData=Data,
    ParameterBinding=_Input,
    StatusResult=_Status,
    BindingInfo=_Binding,
    RpcHttpCookie=_Cookie,
)


class Runtime:
    """The runtime around one function app. It keeps functions in a module: the app that was indexed last is the one."""

    _lock = threading.Lock()
    _indexed: Runtime | None = None

    def __init__(self, folder: str, application: func.FunctionApp | None = None) -> None:
        """Index the function_app.py in *folder*; with *application*, which is what that file would make.

        Raises InvocationFailed with what the worker would tell the host.
        """
        self._folder = folder
        self._application = application
        if runtime.get_threadpool_executor() is None:
            runtime.start_threadpool_executor()
        with self._lock:
            self._index()

    def _index(self) -> None:
        asked = SimpleNamespace(capabilities={}, function_app_directory=self._folder)
        if self._application is not None:
            module: Any = ModuleType("function_app")
            module.app = self._application
            sys.modules["function_app"] = module
        try:
            _ask(runtime.worker_init_request, worker_init_request=asked)
        finally:
            sys.modules.pop("function_app", None)
        found = _ask(runtime.functions_metadata_request).function_metadata_results
        self._ids = {function.name: function.function_id for function in found}
        self.triggers = {function.name: trigger_of(function.raw_bindings) for function in found}
        """Each function's trigger, as the host reads it."""
        Runtime._indexed = self

    def invoke(self, name: str, data: Data, metadata: Mapping[str, Data], invocation_id: str) -> Any:
        """Run a function; return its RpcHttp, or None. Raises InvocationFailed."""
        with self._lock:
            if Runtime._indexed is not self:
                self._index()
        asked = SimpleNamespace(
            invocation_id=invocation_id,
            function_id=self._ids[name],
            input_data=[_Input(name=self.triggers[name]["name"], data=data)],
            trigger_metadata=metadata,
            trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
            retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
        )
        answer = _ask(runtime.invocation_request, invocation_request=asked).return_value
        return None if answer is None else _http(answer.http)


def _ask(function: Any, **request: Any) -> Any:
    properties = {"host": "127.0.0.1", "protos": _PROTOS}
    response = asyncio.run(function(SimpleNamespace(request=SimpleNamespace(**request), properties=properties)))
    if response.result.status != _Status.Success:
        raise InvocationFailed(response.result.exception.message)
    return response


def _http(answer: Any) -> dict[str, Any]:
    """Return an RpcHttp in the form of `portable_azure._worker.answer_of`."""
    cookies = []
    for cookie in answer.cookies or ():
        told = {
            "expires": cookie.expires and formatdate(cookie.expires.value.seconds, usegmt=True),
            "path": cookie.path and cookie.path.value,
            "domain": cookie.domain and cookie.domain.value,
            "max-age": cookie.max_age and f"{cookie.max_age.value:.0f}",
            "secure": cookie.secure and cookie.secure.value,
            "httponly": cookie.http_only and cookie.http_only.value,
            "samesite": cookie.same_site,
        }
        given = {attribute: value for attribute, value in told.items() if value}
        cookies.append({"name": cookie.name, "value": cookie.value, **given})
    return {
        "status_code": answer.status_code,
        "headers": answer.headers,
        "cookies": cookies,
        "body": answer.body.bytes,
    }


def main(folder: str) -> None:
    """Serve the invocations on standard input."""
    out = sys.stdout
    sys.stdout = sys.stderr  # What handlers print is no answer.
    sys.path.insert(0, folder)
    try:
        worker = Runtime(folder)
    except InvocationFailed as error:
        print(json.dumps({"failed": str(error)}), file=out, flush=True)
        return
    print(json.dumps({"functions": worker.triggers}), file=out, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            data, metadata = data_of(asked["data"]), metadata_of(asked.get("metadata", {}))
            answer = {"answer": worker.invoke(asked["function"], data, metadata, asked["id"])}
        except InvocationFailed as error:
            answer = {"failed": str(error)}
        print(json.dumps(answer, default=lambda body: {"base64": b64encode(body).decode()}), file=out, flush=True)
    runtime.stop_threadpool_executor()


if __name__ == "__main__":
    main(sys.argv[1])
