"""What AWS's fronts make of an HTTP call, and of a function's answer: for the suite, and for `portable invoke`.

The pages are those of the codecs in http.py.
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64

from portable_contracts._percent import parse_query
from portable_contracts.http import Headers, Response, unquote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from portable_contracts.harness import HttpCall

FORMS = ("aws.http.v2", "aws.http.v2~url", "aws.http.v1", "aws.http.v1~http-api", "aws.http.alb", "aws.http.alb~single")
"""The shapes, and after a `~` the form of one that has several."""

_TEXT = ("text/", "application/json", "application/xml", "application/javascript")


def event(form: str, call: HttpCall) -> dict[str, Any]:
    """Return the event that the front makes of *call*."""
    path, _, query = call.target.partition("?")
    body: dict[str, Any] = _body(call)
    lists: dict[str, list[str]] = {}
    for name, value in call.headers:
        lists.setdefault(name, []).append(value)
    if form.startswith("aws.http.v2"):
        return _payload2(form, call, path, query, lists, body)
    pairs = parse_query(query)
    if form.startswith("aws.http.alb"):
        raw = [tuple(pair.partition("=")[::2]) for pair in query.split("&") if pair]
        return _balancer(form, call, path, raw, lists, body)
    return _payload1(form, call, path, pairs, lists, body)


def _body(call: HttpCall) -> dict[str, Any]:
    kind = next((value for name, value in call.headers if name.lower() == "content-type"), "")
    if not call.body:
        return {}
    if kind.startswith(_TEXT):
        try:
            return {"body": call.body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": b2a_base64(call.body, newline=False).decode(), "isBase64Encoded": True}


def _payload2(
    form: str, call: HttpCall, path: str, query: str, lists: dict[str, list[str]], body: dict[str, Any]
) -> dict[str, Any]:
    url = form.endswith("~url")
    domain = "abc.lambda-url.eu-west-1.on.aws" if url else "abc.execute-api.eu-west-1.amazonaws.com"
    joined: dict[str, list[str]] = {}
    for name, values in lists.items():
        joined.setdefault(name.lower(), []).extend(values)
    cookies = [cookie.strip() for line in joined.pop("cookie", []) for cookie in line.split(";")]
    seen = path if url else unquote(path)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": seen,
        "rawQueryString": query,
        "headers": {name: ",".join(values) for name, values in joined.items()},
        "requestContext": {
            "accountId": "anonymous" if url else "123456789012",
            "apiId": "abc",
            "domainName": domain,
            "http": {"method": call.method, "path": seen, "protocol": "HTTP/1.1", "sourceIp": call.client},
            "requestId": "request-1",
            "routeKey": "$default",
            "stage": "$default",
        },
        "isBase64Encoded": False,
        **body,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        grouped: dict[str, list[str]] = {}
        for name, value in parse_query(query):
            grouped.setdefault(name, []).append(value)
        event["queryStringParameters"] = {name: ",".join(values) for name, values in grouped.items()}
    return event


def _payload1(
    form: str,
    call: HttpCall,
    path: str,
    pairs: list[tuple[str, str]],
    lists: dict[str, list[str]],
    body: dict[str, Any],
) -> dict[str, Any]:
    of_http_api = form.endswith("~http-api")
    query: dict[str, list[str]] = {}
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    event: dict[str, Any] = {
        "resource": "/{proxy+}",
        "path": unquote(path) if of_http_api else path,
        "httpMethod": call.method,
        "headers": {name: values[-1] for name, values in lists.items()} or None,
        "multiValueHeaders": lists or None,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "httpMethod": call.method,
            "identity": {"sourceIp": call.client, "userAgent": None},
            "path": path if of_http_api else f"/prod{path}",
            "requestId": "request-1",
            "resourcePath": "/{proxy+}",
            "stage": "$default" if of_http_api else "prod",
        },
        "body": None,
        "isBase64Encoded": False,
        **body,
    }
    return {"version": "1.0", **event} if of_http_api else event


def _balancer(
    form: str, call: HttpCall, path: str, pairs: list[Any], lists: dict[str, list[str]], body: dict[str, Any]
) -> dict[str, Any]:
    event: dict[str, Any] = {
        "requestContext": {
            "elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/t/1"}
        },
        "httpMethod": call.method,
        "path": path,
        "body": "",
        "isBase64Encoded": False,
        **body,
    }
    seen: dict[str, list[str]] = {}
    for name, values in lists.items():
        seen.setdefault(name.lower(), []).extend(values)
    seen["x-forwarded-for"] = [*seen.get("x-forwarded-for", []), call.client]
    seen["x-amzn-trace-id"] = ["Root=1-67891233-abcdef012345678912345678"]
    query: dict[str, list[str]] = {}
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    if form.endswith("~single"):
        event["headers"] = {name: values[-1] for name, values in seen.items()}
        event["queryStringParameters"] = {name: values[-1] for name, values in query.items()}
    else:
        event |= {"multiValueHeaders": seen, "multiValueQueryStringParameters": query}
    return event


def response(form: str, answer: Any) -> Response:
    """Return what the client is sent for *answer*, which must be plain JSON."""
    told = json.loads(json.dumps(answer, allow_nan=False))
    pairs = [(name, value) for name, value in (told.get("headers") or {}).items()]
    pairs += [(name, value) for name, values in (told.get("multiValueHeaders") or {}).items() for value in values]
    pairs += [("set-cookie", cookie) for cookie in told.get("cookies", ())]
    body = told.get("body") or ""
    content = a2b_base64(body) if told.get("isBase64Encoded") else body.encode()
    return Response(content, told["statusCode"], Headers(pairs))
