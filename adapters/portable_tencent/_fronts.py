"""What SCF's fronts make of an HTTP call, and of a function's answer: for the suite, and for `portable invoke`.

The pages are those of the codecs in http.py. Where they are silent this is what API Gateway does, whose protocol they
say they share: repeated query parameters are lists, repeated headers are joined, bodies that are no text are base64.
"""

from __future__ import annotations

import json
import time
from binascii import a2b_base64
from uuid import uuid4

from portable_contracts._percent import parse_query
from portable_contracts.bodies import base64_text, text_or_base64
from portable_contracts.http import Headers, Response, unquote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from portable_contracts.harness import HttpCall

URL, GATEWAY, BALANCER, WEB = "tencent.http.url", "tencent.http.apigw", "tencent.http.clb", "tencent.http.web"
FORMS = (URL, GATEWAY, BALANCER)
"""Those that make events."""

_PLAIN = ("text/", "application/json", "application/javascript", "application/xml")


def context(request_id: str = "", seconds: float = 30) -> dict[str, Any]:
    """Return the context of an event function, as the runtime makes it: the role's keys are in its `environ`."""
    keys = {"TENCENTCLOUD_SECRETID": "AKIDexample", "TENCENTCLOUD_SECRETKEY": "a secret of the role"}
    return {
        "request_id": request_id or str(uuid4()),
        "function_name": "main",
        "function_version": "$LATEST",
        "namespace": "default",
        "memory_limit_in_mb": 128,
        "time_limit_in_ms": round(seconds * 1000),
        "environ": ";".join(f"{name}={value}" for name, value in keys.items()),
        "environment": json.dumps(keys),
        "tencentcloud_region": "ap-guangzhou",
        "tencentcloud_appid": "1250000000",
        "tencentcloud_uin": "100000000001",
    }


def event(form: str, call: HttpCall) -> dict[str, Any]:
    """Return the event that the front makes of *call*."""
    if form == BALANCER:
        return _of_balancer(call)
    path, _, query = call.target.partition("?")
    event: dict[str, Any] = {"httpMethod": call.method, "path": path, "queryString": _query(query)}
    if call.body:
        body, is_base64 = text_or_base64(call.body) if _is_text(call) else (base64_text(call.body), True)
        event |= {"body": body, **({"isBase64Encoded": True} if is_base64 else {})}
    if form == URL:
        return {**event, "headers": {**_joined(call.headers), "x-scf-remote-addr": call.client}}
    return {
        **event,
        "headers": _joined(call.headers),
        "pathParameters": {},
        "queryStringParameters": {},
        "headerParameters": {},
        "stageVariables": {"stage": "release"},
        "requestContext": {
            "serviceId": "service-abc12345",
            "path": "/",
            "httpMethod": "ANY",
            "requestId": str(uuid4()),
            "identity": {},
            "sourceIp": call.client,
            "stage": "release",
        },
    }


def _query(query: str) -> dict[str, Any]:
    pairs: dict[str, list[str | bool]] = {}
    for part in query.split("&"):
        for name, value in parse_query(part):
            pairs.setdefault(name, []).append(value if "=" in part else True)
    return {name: values[0] if len(values) == 1 else values for name, values in pairs.items()}


def _of_balancer(call: HttpCall) -> dict[str, Any]:
    headers = _joined(call.headers)
    before = [value for name, value in headers.items() if name.lower() == "x-forwarded-for"]
    return {
        "headers": {
            **headers,
            "X-Forwarded-For": ", ".join([*before, call.client]),
            "X-Stgw-Time": f"{time.time():.3f}",
            "X-Uri": call.target,
            "X-Method": call.method,
        },
        "payload": call.body.decode() if _is_text(call) else base64_text(call.body),
    }


def _is_text(call: HttpCall) -> bool:
    return any(name.lower() == "content-type" and value.startswith(_PLAIN) for name, value in call.headers)


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return each header with its values joined, whatever the case of its name: as the client first wrote it."""
    names: dict[str, str] = {}
    joined: dict[str, str] = {}
    for name, value in headers:
        first = names.setdefault(name.lower(), name)
        joined[first] = f"{joined[first]},{value}" if first in joined else value
    return joined


def web_headers(client: str) -> list[tuple[str, str]]:
    """Return what the platform adds to a request for a web function: https://cloud.tencent.com/document/product/583/56124"""
    return [
        ("X-Scf-Request-Id", str(uuid4())),
        ("X-Scf-Memory", "128"),
        ("X-Scf-Timeout", "30"),
        ("X-Scf-Version", "$LATEST"),
        ("X-Scf-Name", "main"),
        ("X-Scf-Namespace", "default"),
        ("X-Scf-Region", "ap-guangzhou"),
        ("X-Scf-Secret-Id", "AKIDexample"),
        ("X-Scf-Secret-Key", "a secret of the role"),
        ("X-Scf-Session-Token", "a token of the role"),
        ("X-Scf-Remote-Addr", client),
    ]


def web_request(method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> dict[str, Any]:
    """Return what a server of ASGI makes of a request that the platform's proxy has sent on."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "root_path": "",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("169.254.0.1", 54321),
        "server": ("169.254.0.2", 9000),
    }
    return {"web": scope, "body": body}


def web_response(messages: Iterable[Any], method: str = "GET") -> Response:
    """Return what a server sends the client for an application's *messages*."""
    start, end = messages
    headers = Headers.received((name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"])
    return Response(b"" if method == "HEAD" else end["body"], start["status"], headers)


def response(answer: Any) -> Response:
    """Return what the client is sent for *answer*, which must be plain JSON."""
    told = json.loads(json.dumps(answer, allow_nan=False))
    headers = Headers()
    for name, value in told["headers"].items():
        for one in value if isinstance(value, list) else [value]:
            headers.add(name, one)
    content = a2b_base64(told["body"]) if told["isBase64Encoded"] is True else told["body"].encode()
    return Response(content, told["statusCode"], headers)


def failure(form: str, code: int) -> Response:
    """Return what the client is sent where the function failed: *code* is SCF's.

    https://cloud.tencent.com/document/product/583/42611
    """
    if code == 406:
        return Response.json({"errorCode": code, "errorMessage": "RequestTooLarge"}, 413)
    if form == BALANCER:
        return Response.json({"errno": 403, "error": "Analyse scf response failed."}, 502)
    return Response.json({"errorCode": code, "errorMessage": "User code exception caught"}, 500)
