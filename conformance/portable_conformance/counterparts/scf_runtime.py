"""SCF around a function: the HTTP API that a custom runtime polls, and the Invoke API in front of it. A wire fake.

Tencent publishes no runtime; this is written from https://cloud.tencent.com/document/product/583/47274 and from what
public custom runtimes read of it. The function is a process, `Function`, or a thread here, `Embedded`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from portable_contracts._value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import TypeAlias

    Handler: TypeAlias = "Callable[[Any, Any], Any]"
    Serve: TypeAlias = "Callable[[Handler, str, int], None]"

MOST = 6_291_456
"""6 MB each way: https://cloud.tencent.com/document/product/583/11637"""
RAN, EXITED, REQUEST_TOO_LARGE, RESPONSE_TOO_LARGE, CODE_FAILED, TIMED_OUT = 200, 405, 406, 407, 430, 433
"""https://cloud.tencent.com/document/product/583/42611"""


class Invoked(Value):
    """What came of an invocation."""

    code: int
    """SCF's status: one of the numbers above."""
    payload: Any = None
    """The function's answer, or what it reported of its failure."""
    raised: Exception | None = None
    """What an `Embedded` function raised."""

    @property
    def failed(self) -> bool:
        return self.code != RAN


class _Invocation:
    def __init__(self, event: bytes, request_id: str, seconds: float) -> None:
        self.event = event
        self.request_id = request_id
        self.seconds = seconds
        self.taken = False
        self.result: Invoked | None = None


class Api:
    """The platform's side, for one function instance: one invocation after the other."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[_Invocation] = deque()
        self._running: _Invocation | None = None
        self._stopped = False
        self.ready = 0
        """How often a runtime has said that it is ready."""
        handler = type("Requests", (_Requests,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """What SCF sets beside the function's own variables; the keys of the function's role are among it."""
        return {
            "SCF_RUNTIME_API": "127.0.0.1",
            "SCF_RUNTIME_API_PORT": str(self.port),
            "SCF_FUNCTIONNAME": "main",
            "SCF_FUNCTIONVERSION": "$LATEST",
            "SCF_NAMESPACE": "default",
            "TENCENTCLOUD_REGION": "ap-guangzhou",
            "TENCENTCLOUD_SECRETID": "AKIDexample",
            "TENCENTCLOUD_SECRETKEY": "a secret of the role",
            "TENCENTCLOUD_SESSIONTOKEN": "a token of the role",
        }

    def invoke(
        self, event: Any, *, request_id: str = "", seconds: float = 30.0, alive: Callable[[], bool] = lambda: True
    ) -> Invoked:
        """Invoke the function and wait for what comes of it. The runtime is *alive* as long as that says so."""
        body = json.dumps(event, ensure_ascii=False, allow_nan=False).encode()
        if len(body) > MOST:
            return Invoked(REQUEST_TOO_LARGE)
        invocation = _Invocation(body, request_id or str(uuid4()), seconds)
        with self._changed:
            self._waiting.append(invocation)
            self._changed.notify_all()
            while not invocation.taken and alive():
                self._changed.wait(0.05)
            if not invocation.taken:
                self._waiting.remove(invocation)
                return Invoked(EXITED)
            if not self._changed.wait_for(lambda: invocation.result is not None, seconds):
                self._running = None
                return Invoked(TIMED_OUT)
            assert invocation.result is not None
            return invocation.result

    def next(self) -> _Invocation | None:
        """Wait for the next invocation, None at the end; one that runs is handed over again until it is answered."""
        with self._changed:
            self._changed.wait_for(lambda: self._running is not None or self._waiting or self._stopped)
            if self._stopped:
                return None
            if self._running is None:
                self._running = self._waiting.popleft()
            self._running.taken = True
            self._changed.notify_all()
            return self._running

    def finish(self, payload: bytes, failed: bool) -> int:
        """Take the runtime's answer; return the status for it."""
        with self._changed:
            invocation, self._running = self._running, None
            if invocation is None:
                return 400
            if len(payload) > MOST:
                invocation.result = Invoked(RESPONSE_TOO_LARGE)
            else:
                invocation.result = Invoked(CODE_FAILED if failed else RAN, json.loads(payload))
            self._changed.notify_all()
            return 413 if len(payload) > MOST else 200

    def started(self) -> None:
        """Take down that a runtime is ready: what ran in the one before it is over."""
        with self._changed:
            self.ready += 1
            self._running = None

    def stop(self) -> None:
        """Tell the runtime that there is no next invocation, and close."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()


class _Requests(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # Head and body in one segment: two cost 40 ms, of a delayed acknowledgement.
    disable_nagle_algorithm = True
    api: Api

    def handle(self) -> None:
        with suppress(ConnectionError):  # A function that took too long was killed.
            super().handle()

    def do_GET(self) -> None:
        if self.path != "/runtime/invocation/next":
            self._answer(404)
            return
        invocation = self.api.next()
        if invocation is None:
            self._answer(410)
            return
        headers = {
            "Request_Id": invocation.request_id,
            "Memory_Limit_In_Mb": "128",
            "Time_Limit_In_Ms": str(round(invocation.seconds * 1000)),
        }
        self._answer(200, invocation.event, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == "/runtime/init/ready":
            self.api.started()
            self._answer(200)
        elif self.path in ("/runtime/invocation/response", "/runtime/invocation/error"):
            self._answer(self.api.finish(body, failed=self.path.endswith("error")))
        else:
            self._answer(404)

    def _answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


class Function:
    """A function in a process of its own, started as its `bootstrap` would start it."""

    def __init__(self, folder: Path, command: list[str], environment: Mapping[str, str]) -> None:
        """Start *command* in *folder*, where the file `log` takes what it prints."""
        self._folder = folder
        self._command = [sys.executable, *command]
        self._api = Api()
        self._environment = {**os.environ, **self._api.environment, **environment}
        self._process = self._started()

    def invoke(self, event: Any, **options: Any) -> Invoked:
        """Invoke it, as `Api.invoke` does; start it anew first where its process has ended."""
        if self._process.poll() is not None:
            self._process = self._started()
        invoked = self._api.invoke(event, alive=lambda: self._process.poll() is None, **options)
        if invoked.code == TIMED_OUT:
            self._end()
        return invoked

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text("utf-8")

    def stop(self) -> None:
        self._end()
        self._api.stop()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                self._command, cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )


class Embedded:
    """The runtime loop on a thread of this process, so that a test sees what the function does."""

    def __init__(self, serve: Serve) -> None:
        """Start *serve*, the loop under test, which gets a handler, and the host and port of the API."""
        self._api = Api()
        self._one_at_a_time = threading.Lock()
        self._entry: Handler | None = None
        self._raised: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(serve,), daemon=True)
        self._thread.start()

    def invoke(self, entry: Handler, event: Any, **options: Any) -> Invoked:
        """Let the runtime hand *event* to *entry*."""
        with self._one_at_a_time:
            self._entry, self._raised = entry, None
            return self._api.invoke(event, **options).replace(raised=self._raised)

    def stop(self) -> None:
        self._api.stop()
        self._thread.join()

    def _run(self, serve: Serve) -> None:
        with suppress(RuntimeError):  # What it ends with when there is no next invocation.
            serve(self._handle, "127.0.0.1", self._api.port)

    def _handle(self, event: Any, context: Any) -> Any:
        try:
            assert self._entry is not None
            return self._entry(event, context)
        except Exception as error:
            self._raised = error
            raise
