"""Lambda around a function: the Runtime API that the vendor's runtime client polls, and the Invoke API in front of it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html

The two APIs are a process of their own, for the runtime client keeps the interpreter's lock while it posts an answer:
a server in the same process could never take it. The function is a process, `Function`, or a thread here, `Embedded`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from portable_contracts._value import Value
from portable_contracts.harness import MissingCounterpart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

RUNTIME = "/2018-06-01/runtime"
MAX_REQUEST = 6_291_456
"""6 MB, as https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html has it."""
MAX_RESPONSE = 6_291_556
"""The number in the error that Lambda gives: 100 bytes more."""
ENDING = ("Function.ResponseSizeTooLarge", "Sandbox.Timedout")
"""The errors after which the runtime is not asked again: its client gives up, or Lambda kills it."""
INIT_SECONDS = 10.0
"""https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""


class Invoked(Value):
    """What came of an invocation."""

    status: int
    """Of the Invoke API: 200 also for a function that failed."""
    payload: Any
    """The function's answer, or what went wrong: a map with errorType and errorMessage."""
    failed: bool
    raised: Exception | None = None
    """What the function raised, where it ran in this process."""

    @property
    def ended(self) -> bool:
        """Say whether the execution environment ended with it, so that Lambda starts another one."""
        return self.failed and isinstance(self.payload, dict) and self.payload.get("errorType") in ENDING


class _Invocation:
    def __init__(self, request_id: str, event: bytes, seconds: float) -> None:
        self.id = request_id
        self.event = event
        self.seconds = seconds
        self.deadline: float | None = None
        self.answer: tuple[bytes, bool] | None = None
        """The payload, and whether the function failed."""

    def error(self, kind: str, message: str) -> None:
        self.answer = json.dumps({"errorType": kind, "errorMessage": message}).encode(), True


class _Environment:
    """One execution environment: a runtime that takes one invocation after the other."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[_Invocation] = deque()
        self._running: _Invocation | None = None
        self._init_error: bytes | None = None

    def submit(self, invocation: _Invocation) -> None:
        with self._changed:
            self._waiting.append(invocation)
            self._changed.notify_all()

    def result(self, invocation: _Invocation) -> tuple[bytes, bool]:
        """Wait for what comes of *invocation*: its answer, the error of the init phase, or a timeout."""
        with self._changed:
            self._changed.wait_for(lambda: invocation.deadline or self._init_error, INIT_SECONDS)
            if invocation.deadline is None and self._init_error is not None:
                self._waiting.remove(invocation)
                return self._init_error, True
            rest = (invocation.deadline or 0) - time.time()
            self._changed.wait_for(lambda: invocation.answer is not None, max(0, rest))
            if invocation.answer is None:
                invocation.error(
                    "Sandbox.Timedout",
                    f"RequestId: {invocation.id} Error: Task timed out after {invocation.seconds:.2f} seconds",
                )
            assert invocation.answer is not None
            return invocation.answer

    def next(self) -> _Invocation:
        """Wait for the next invocation, and start its time."""
        with self._changed:
            self._init_error = None
            self._changed.wait_for(lambda: self._waiting)
            invocation = self._running = self._waiting.popleft()
            invocation.deadline = time.time() + invocation.seconds
            self._changed.notify_all()
            return invocation

    def finish(self, request_id: str, payload: bytes, failed: bool) -> int:
        """Take the runtime's answer; return the status for it."""
        with self._changed:
            invocation = self._running
            if invocation is None or invocation.id != request_id or invocation.answer is not None:
                return 400
            too_large = not failed and len(payload) > MAX_RESPONSE
            if too_large:
                invocation.error(
                    "Function.ResponseSizeTooLarge",
                    f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes).",
                )
            else:
                invocation.answer = payload, failed
            self._changed.notify_all()
            return 413 if too_large else 202

    def failed_to_start(self, payload: bytes) -> None:
        with self._changed:
            self._init_error = payload
            self._changed.notify_all()


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # Head and body in one segment: two cost 40 ms, of a delayed acknowledgement.
    disable_nagle_algorithm = True
    environment: _Environment

    def do_GET(self) -> None:
        if self.path != f"{RUNTIME}/invocation/next":
            self._answer(404)
            return
        invocation = self.environment.next()
        assert invocation.deadline is not None
        self._answer(
            200,
            invocation.event,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.id,
                "Lambda-Runtime-Deadline-Ms": str(round(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:123456789012:function:main",
                "Lambda-Runtime-Trace-Id": "Root=1-67891233-abcdef012345678912345678;Sampled=0",
            },
        )

    def do_POST(self) -> None:
        body = self._body()
        words = self.path.split("/")
        if self.path.endswith("/invocations"):
            self._invoke(body)
        elif self.path == f"{RUNTIME}/init/error":
            self.environment.failed_to_start(body)
            self._answer(202)
        elif len(words) == 6 and words[5] in ("response", "error"):
            self._answer(self.environment.finish(words[4], body, words[5] == "error"))
        else:
            self._answer(404)

    def _invoke(self, event: bytes) -> None:
        if len(event) > MAX_REQUEST:
            message = f"Request must be smaller than {MAX_REQUEST} bytes for the InvokeFunction operation"
            self._answer(413, json.dumps({"message": message}).encode())
            return
        request_id = self.headers.get("x-amzn-requestid") or str(uuid4())
        invocation = _Invocation(request_id, event, float(self.headers.get("x-timeout") or 30))
        self.environment.submit(invocation)
        if self.headers.get("x-amz-invocation-type") == "Event":
            self._answer(202)
            return
        payload, failed = self.environment.result(invocation)
        self._answer(200, payload, {"X-Amz-Function-Error": "Unhandled"} if failed else {})

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


def serve(port: int) -> None:
    """Answer on 127.0.0.1 until the standard input ends; print the port."""
    handler = type("Requests", (_Requests,), {"environment": _Environment()})
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        sys.stdin.read()
        os._exit(0)  # Threads that wait for an invocation would hold it up.


class Api:
    """The two APIs, in a process that ends with this one."""

    def __init__(self, port: int = 0) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        told = self._process.stdout.readline()
        if not told:
            self.stop()
            raise RuntimeError(f"the Runtime API did not start at port {port} of 127.0.0.1")
        self.port = int(told)
        self.address = f"127.0.0.1:{self.port}"

    def invoke(
        self, event: object, *, request_id: str = "", seconds: float = 30, kind: str = "RequestResponse"
    ) -> Invoked:
        """Invoke the function, as https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html has it."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=seconds + INIT_SECONDS + 10)
        try:
            headers = {"x-amzn-requestid": request_id, "x-timeout": str(seconds), "x-amz-invocation-type": kind}
            body = json.dumps(event).encode()
            connection.request("POST", "/2015-03-31/functions/main/invocations", body, headers)
            response = connection.getresponse()
            content = response.read()
            failed = response.status >= 400 or response.headers.get("x-amz-function-error") is not None
            return Invoked(response.status, json.loads(content) if content else None, failed)
        finally:
            connection.close()

    def stop(self) -> None:
        self._process.communicate()


def _check_installed() -> None:
    """Raise MissingCounterpart where the vendor's runtime client is not installed."""
    if find_spec("awslambdaric") is None:
        raise MissingCounterpart("the package awslambdaric is not installed: pip install awslambdaric (for Linux)")


class Function:
    """A function in a process of its own, as Lambda starts it: `python -m awslambdaric main.handler`."""

    def __init__(self, folder: Path, handler: str, environment: Mapping[str, str]) -> None:
        """Start the *handler* that is in *folder*, where `log` takes what it prints. Raises MissingCounterpart."""
        _check_installed()
        self._folder = folder
        self._handler = handler
        self._api = Api()
        self._environment = {
            **os.environ, **_variables(self._api.address), "PYTHONPATH": str(folder), **environment
        }  # fmt: skip
        self._process = self._started()

    def invoke(self, event: object, **options: Any) -> Invoked:
        """Invoke it, as `Api.invoke` does; start it anew first where its process has ended."""
        if self._process.poll() is not None:
            self._process = self._started()
        invoked = self._api.invoke(event, **options)
        if invoked.ended:
            self._process.kill()
            self._process.wait()
        return invoked

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text("utf-8")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._api.stop()

    def _started(self) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "awslambdaric", self._handler],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def _variables(address: str) -> dict[str, str]:
    """Return what Lambda sets: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
    return {
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_FUNCTION_NAME": "main",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/main",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/02/[$LATEST]0",
        "AWS_REGION": "eu-west-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
    }


_port = 0
"""Where the runtime client looks for its API: it reads the variable once, when it is imported."""


class Embedded:
    """The vendor's runtime loop on a thread of this process, so that a test sees what the function does."""

    module = "portable_lambda_function"

    def __init__(self) -> None:
        """Start it. Raises MissingCounterpart."""
        global _port
        _check_installed()
        self._api = Api(_port)
        _port = self._api.port
        self._before = {name: os.environ.get(name) for name in _variables("")} | {"_X_AMZN_TRACE_ID": None}
        os.environ.update(_variables(self._api.address))
        self._bootstrap: Any = import_module("awslambdaric.bootstrap")
        self._client: Any = import_module("awslambdaric.lambda_runtime_client")
        self._one_at_a_time = threading.Lock()
        self._entry: Callable[[Any, Any], Any] = _stop
        self._raised: Exception | None = None
        function = ModuleType(self.module)
        function.handler = self._handle  # type: ignore[attr-defined]  # what its handler setting names
        sys.modules[self.module] = function
        self._thread = self._started()

    def invoke(self, entry: Callable[[Any, Any], Any], event: object, **options: Any) -> Invoked:
        """Let the runtime hand *event* to *entry*, as `Api.invoke` does to a function."""
        with self._one_at_a_time:
            self._entry, self._raised = entry, None
            invoked = self._api.invoke(event, **options)
            if invoked.ended:
                self._thread.join()
                self._thread = self._started()
            return invoked.replace(raised=self._raised)

    def stop(self) -> None:
        self._entry = _stop
        self._api.invoke(None, kind="Event")
        self._thread.join()
        self._api.stop()
        del sys.modules[self.module]
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def _handle(self, event: Any, context: Any) -> Any:
        try:
            return self._entry(event, context)
        except Exception as error:
            self._raised = error
            raise

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        import logging

        root, converter = logging.getLogger(), logging.Formatter.converter
        client = self._client.LambdaRuntimeClient(self._api.address)
        with suppress(RuntimeError, SystemExit):  # What it ends with: an answer that Lambda refused, or `stop`.
            self._bootstrap.run(f"{self.module}.handler", client)
        # It sets up logging and output as if the process were its own.
        logging.Formatter.converter = converter
        for handler in [each for each in root.handlers if isinstance(each, self._bootstrap.LambdaLoggerHandler)]:
            root.removeHandler(handler)
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if isinstance(stream, self._bootstrap.Unbuffered):
                setattr(sys, name, stream.stream)


def _stop(event: object, context: object) -> None:
    raise SystemExit


if __name__ == "__main__":
    serve(int(sys.argv[1]))
