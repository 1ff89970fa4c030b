"""Cloud Run's front and the server in the container: between an HTTP call and functions-framework.

    {"method": "POST", "target": "/", "headers": [["host", "example.com"]], "body": "text", "peer": "169.254.169.126"}

is the request that arrives in the container, as golden files hold it: everything comes as one here, events too. A body
is text, {"base64": ...} or {"json": ...}.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from io import BytesIO
from urllib.parse import unquote_to_bytes

from portable_contracts.http import Headers, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from portable_contracts.harness import HttpCall

FRONT = "169.254.169.126"
"""Whom the container sees as its peer."""


def arriving(call: HttpCall) -> dict[str, Any]:
    """Return the request that the front makes of *call*: https://docs.cloud.google.com/run/docs/reference/request-headers"""
    claimed = [value for name, value in call.headers if name.lower() == "x-forwarded-for"]
    headers = [[name, value] for name, value in call.headers if name.lower() != "x-forwarded-for"]
    return {
        "method": call.method,
        "target": call.target,
        "headers": [
            *headers,
            ["x-cloud-trace-context", "105445aa7843bc8bf206b12000100000/1;o=1"],
            ["x-forwarded-for", ",".join([*claimed, call.client])],
            ["x-forwarded-proto", "https"],
        ],
        "body": {"base64": b64encode(call.body).decode()},
        "peer": FRONT,
    }


def environ_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the WSGI environment that gunicorn, which functions-framework runs in, makes of *request*.

    Raises TypeError, ValueError or LookupError for what is no HTTP request.
    """
    path, _, query = _text(request["target"]).partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": _text(request["method"]),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "RAW_URI": request["target"],
        "SERVER_NAME": "0.0.0.0",  # noqa: S104  # what the container's server calls itself; nothing listens here
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": _text(request["peer"]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body_of(request)),
        "wsgi.input_terminated": True,
        "wsgi.errors": None,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request["headers"]:
        key = _text(name).upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{_text(value)}" if key in environ else _text(value)
    return environ


def body_of(request: Mapping[str, Any]) -> bytes:
    """Return the body that *request* holds."""
    body = request.get("body", "")
    if isinstance(body, str):
        return body.encode()
    return json.dumps(body["json"]).encode() if "json" in body else b64decode(body["base64"])


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("a request line and header fields are text")
    value.encode("latin-1")
    return value


def flask_request(request: Mapping[str, Any]) -> Any:
    """Return the Flask request that functions-framework hands to an HTTP function."""
    from flask import Request

    return Request(environ_of(request))


def response(application: Any, environ: dict[str, Any]) -> Response:
    """Return what the client is sent by a WSGI application, which a werkzeug Response is too."""
    from werkzeug.test import run_wsgi_app

    chunks, status, headers = run_wsgi_app(application, environ, buffered=True)
    return Response(b"".join(chunks), int(status.partition(" ")[0]), Headers.received(headers.to_wsgi_list()))


def described(answer: Any) -> dict[str, Any]:
    """Return a werkzeug Response as golden files hold it."""
    body = answer.get_data()
    try:
        text: Any = body.decode()
    except UnicodeDecodeError:
        text = {"base64": b64encode(body).decode()}
    return {"status": answer.status_code, "headers": [list(pair) for pair in answer.headers], "body": text}
