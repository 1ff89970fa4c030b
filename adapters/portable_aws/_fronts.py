"""What AWS's fronts make of an HTTP call, and of a function's answer: for the suite, and for `portable invoke`.

The pages are those of the codecs in http.py.
"""

from __future__ import annotations

import json
import time
from binascii import a2b_base64, b2a_base64

from portable_contracts._percent import parse_query
from portable_contracts.http import Headers, Response, unquote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from portable_contracts.harness import HttpCall

FORMS = ("aws.http.v2", "aws.http.v2~url", "aws.http.v1", "aws.http.v1~http-api", "aws.http.alb", "aws.http.alb~single")
"""The shapes, and after a `~` the form of one that has several."""

_TEXT = ("text/", "application/json", "application/xml", "application/javascript")


class LambdaContext:
    """What codecs read of the context object, with the names that the runtime gives them."""

    def __init__(self, aws_request_id: str = "request-1", function_name: str = "main", seconds: float = 30) -> None:
        self.aws_request_id = aws_request_id
        self.function_name = function_name
        self._deadline = time.time() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))


def event(form: str, call: HttpCall) -> dict[str, Any]:
    """Return the event that the front makes of *call*."""
    path, _, query = call.target.partition("?")
    if form.startswith("aws.http.v2"):
        return _payload2(call, path, query, of_url=form.endswith("~url"))
    if form.startswith("aws.http.v1"):
        return _payload1(call, path, query, of_http_api=form.endswith("~http-api"))
    return _balancer(call, path, query, single=form.endswith("~single"))


def _payload2(call: HttpCall, path: str, query: str, of_url: bool) -> dict[str, Any]:
    headers = _lists((name.lower(), value) for name, value in call.headers)
    cookies = [cookie.strip() for line in headers.pop("cookie", []) for cookie in line.split(";")]
    seen = path if of_url else unquote(path)
    host = "lambda-url.eu-west-1.on.aws" if of_url else "execute-api.eu-west-1.amazonaws.com"
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": seen,
        "rawQueryString": query,
        "headers": {name: ",".join(values) for name, values in headers.items()},
        "requestContext": {
            "accountId": "anonymous" if of_url else "123456789012",
            "apiId": "abc123",
            "domainName": f"abc123.{host}",
            "domainPrefix": "abc123",
            "http": {
                "method": call.method,
                "path": seen,
                "protocol": "HTTP/1.1",
                "sourceIp": call.client,
                "userAgent": headers.get("user-agent", [""])[-1],
            },
            "requestId": _request_id(),
            "routeKey": "$default",
            "stage": "$default",
            "time": "02/Jan/2026:03:04:05 +0000",
            "timeEpoch": 1767323045000,
        },
        "isBase64Encoded": False,
        **_body(call),
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        pairs = _lists(parse_query(query))
        event["queryStringParameters"] = {name: ",".join(values) for name, values in pairs.items()}
    return event


def _payload1(call: HttpCall, path: str, query: str, of_http_api: bool) -> dict[str, Any]:
    headers, pairs = _lists(call.headers), _lists(parse_query(query))
    stage = "$default" if of_http_api else "prod"
    event: dict[str, Any] = {
        "resource": "$default" if of_http_api else "/{proxy+}",
        "path": unquote(path) if of_http_api else path,
        "httpMethod": call.method,
        "headers": _last(headers) or None,
        "multiValueHeaders": headers or None,
        "queryStringParameters": _last(pairs) or None,
        "multiValueQueryStringParameters": pairs or None,
        "pathParameters": None if of_http_api else {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "domainName": "abc123.execute-api.eu-west-1.amazonaws.com",
            "httpMethod": call.method,
            "identity": {"sourceIp": call.client, "userAgent": None},
            "path": path if of_http_api else f"/prod{path}",
            "protocol": "HTTP/1.1",
            "requestId": _request_id(),
            "requestTime": "02/Jan/2026:03:04:05 +0000",
            "requestTimeEpoch": 1767323045000,
            "resourceId": "$default" if of_http_api else "xyz789",
            "resourcePath": "$default" if of_http_api else "/{proxy+}",
            "stage": stage,
        },
        "body": None,
        "isBase64Encoded": False,
        **_body(call),
    }
    return {"version": "1.0", **event} if of_http_api else event


def _balancer(call: HttpCall, path: str, query: str, single: bool) -> dict[str, Any]:
    headers = _lists((name.lower(), value) for name, value in call.headers)
    headers["x-forwarded-for"] = [", ".join([*headers.get("x-forwarded-for", []), call.client])]
    headers["x-amzn-trace-id"] = [f"Root={_request_id()}"]
    # As they were written: a balancer decodes neither names nor values.
    pairs = _lists((name, value) for name, _, value in (pair.partition("=") for pair in query.split("&") if pair))
    event: dict[str, Any] = {
        "requestContext": {
            "elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/main/abc123"}
        },
        "httpMethod": call.method,
        "path": path,
        "body": "",
        "isBase64Encoded": False,
        **_body(call),
    }
    if single:
        return {**event, "headers": _last(headers), "queryStringParameters": _last(pairs)}
    return {**event, "multiValueHeaders": headers, "multiValueQueryStringParameters": pairs}


def _lists(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    lists: dict[str, list[str]] = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


def _last(lists: dict[str, list[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in lists.items()}


def _request_id() -> str:
    from uuid import uuid4

    return str(uuid4())


def _body(call: HttpCall) -> dict[str, Any]:
    """Return the body's fields: what is text by its content type as text, anything else in base64."""
    if not call.body:
        return {}
    kind = next((value for name, value in call.headers if name.lower() == "content-type"), "")
    if kind.startswith(_TEXT):
        try:
            return {"body": call.body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": b2a_base64(call.body, newline=False).decode(), "isBase64Encoded": True}


def response(form: str, answer: Any) -> Response:
    """Return what the client is sent for *answer*, which must be plain JSON."""
    told = json.loads(json.dumps(answer, allow_nan=False))
    pairs = [(name, value) for name, value in (told.get("headers") or {}).items()]
    pairs += [(name, value) for name, values in (told.get("multiValueHeaders") or {}).items() for value in values]
    pairs += [("set-cookie", cookie) for cookie in told.get("cookies") or ()]
    body = told.get("body") or ""
    content = a2b_base64(body) if told.get("isBase64Encoded") else body.encode()
    return Response(content, told["statusCode"], Headers(pairs))


def failure(form: str, too_large: bool) -> Response:
    """Return what the client is sent where Lambda did not take the event, or the function failed.

    HTTP APIs say 500 then, the other fronts 502.
    """
    if too_large:
        return Response.json({"message": "Request Too Long"}, 413)
    status = 500 if form in ("aws.http.v2", "aws.http.v1~http-api") else 502
    return Response.json({"message": "Internal Server Error"}, status)
