"""The loop of a custom runtime, for Pythons that SCF does not have. A bundle's `bootstrap` says

    exec ./python/bin/python3 -m portable_tencent.custom_runtime main:handler

where `main.handler` is `portable.entrypoint(app, "tencent")`, or any function of an event and a context. The platform's
side is HTTP, one invocation after the other, without a request id in the path:
https://cloud.tencent.com/document/product/583/47274
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from http.client import HTTPConnection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Handler: TypeAlias = Callable[[Any, Any], Any]


def main(argv: list[str]) -> None:
    """Load the handler that *argv* names, or `_HANDLER`, and serve it. What goes wrong before ends the process."""
    name = argv[1] if len(argv) > 1 else os.environ.get("_HANDLER", "")
    handler = load(name)
    serve(handler, os.environ["SCF_RUNTIME_API"], int(os.environ["SCF_RUNTIME_API_PORT"]))


def load(name: str) -> Handler:
    """Import the handler that `main:handler` or `main.handler` names, from the current folder or what is installed."""
    from importlib import import_module

    module, _, attribute = name.replace(":", ".").rpartition(".")
    if not module or not attribute:
        raise SystemExit(f"{name!r} names no handler: say it like main:handler, as argument or in _HANDLER")
    handler: Handler = getattr(import_module(module), attribute)
    return handler


def serve(handler: Handler, host: str, port: int) -> None:
    """Tell the platform that all is ready, and hand each invocation to *handler*.

    Raises OSError, HTTPException or RuntimeError when the platform has gone: that is how a runtime ends.
    """
    # Without a timeout: the next invocation may be hours away.
    with closing(HTTPConnection(host, port)) as connection:
        api = _Api(connection)
        api.post("init/ready", b" ")
        while True:
            event, context = api.next()
            try:
                answer = json.dumps(handler(event, context), ensure_ascii=False, allow_nan=False).encode()
            except Exception as error:
                api.post("invocation/error", _described(error))
            else:
                api.post("invocation/response", answer)


class _Api:
    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    def next(self) -> tuple[Any, dict[str, Any]]:
        """Wait for the next invocation; return its event, and its context as event functions get it."""
        status, content, headers = self._call("GET", "invocation/next")
        if status != 200:
            raise RuntimeError(f"the platform has no next invocation: {status} {content[:500]!r}")
        context: dict[str, Any] = {
            "request_id": headers.get("request_id", ""),
            "function_name": os.environ.get("SCF_FUNCTIONNAME", ""),
            "function_version": os.environ.get("SCF_FUNCTIONVERSION", ""),
            "namespace": os.environ.get("SCF_NAMESPACE", ""),
        }
        for name in ("memory_limit_in_mb", "time_limit_in_ms"):
            if headers.get(name, "").isdecimal():
                context[name] = int(headers[name])
        try:
            return json.loads(content), context
        except ValueError:
            return content.decode(errors="replace"), context  # Whoever calls Invoke may send any text.

    def post(self, path: str, body: bytes) -> None:
        """Tell the platform what became of it. One that refuses an answer, as too large, has failed the invocation."""
        status, content, _ = self._call("POST", path, body)
        if status >= 400:
            sys.stderr.write(f"{path} was refused: {status} {content[:500].decode(errors='replace')}\n")

    def _call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes, dict[str, str]]:
        headers = {} if body is None else {"Content-Type": "application/json"}
        self._connection.request(method, f"/runtime/{path}", body, headers)
        response = self._connection.getresponse()
        return response.status, response.read(), {name.lower(): value for name, value in response.getheaders()}


def _described(error: Exception) -> bytes:
    """Return what the platform's log and the caller of Invoke see: no traceback, which portable logs itself."""
    return json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)}).encode()


if __name__ == "__main__":
    main(sys.argv)
