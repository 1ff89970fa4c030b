"""A mounted WSGI application (PEP 3333): a handler that hands it the request and takes down its answer."""

from __future__ import annotations

import sys
from io import BytesIO

from portable._mounting import application_name, scheme_of, server_of
from portable_contracts.http import Headers, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from portable_contracts.http import Request


class WsgiMount:
    """Answers everything under *path* with *application*."""

    def __init__(self, application: Any, path: str) -> None:
        self._application = application
        self._prefix = path.rstrip("/")
        self.__name__ = application_name(application)

    def __call__(self, request: Request) -> Response:
        answer = _Answer()
        chunks = self._application(self._environ(request), answer.start)
        try:
            body = b"".join(chunks)  # A lazy application calls start_response only now.
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        return answer.response(body, self.__name__)

    def _environ(self, request: Request) -> dict[str, Any]:
        scheme = scheme_of(request)
        name, port = server_of(request, scheme)
        headers = request.headers
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": _native(self._prefix),
            "PATH_INFO": _native(request.path[len(self._prefix) :]),
            "QUERY_STRING": request.query_string,
            "SERVER_NAME": name,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "REMOTE_ADDR": request.client or "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": scheme,
            "wsgi.input": BytesIO(request.body),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "portable.request": request,
        }
        for field in headers:
            if field not in ("content-type", "content-length"):
                joint = "; " if field == "cookie" else ","
                environ["HTTP_" + field.upper().replace("-", "_")] = joint.join(headers.getlist(field))
        return environ


class _Answer:
    """What the application says by `start_response`."""

    def __init__(self) -> None:
        self._status: int | None = None
        self._headers: list[tuple[str, str]] = []
        self._written: list[bytes] = []

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        if exc_info is not None and self._written:
            raise exc_info[1].with_traceback(exc_info[2])
        self._status = int(status[:3])
        self._headers = headers
        return self._written.append

    def response(self, body: bytes, name: str) -> Response:
        if self._status is None:
            raise RuntimeError(f"the WSGI application {name} returned without calling start_response")
        response = Response(b"".join(self._written) + body, self._status)
        response.headers = Headers(self._headers)
        return response


def _native(text: str) -> str:
    """Return *text* as WSGI carries it: the bytes of its UTF-8, each as a character."""
    return text.encode().decode("latin-1")
