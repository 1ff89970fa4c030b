"""HTTP in front of Lambda: API Gateway's payloads 1.0 and 2.0, function URLs, and load balancers.

Which front decodes what was published from live captures (hotsock/voker, pull request 8): HTTP APIs hand over the path
decoded in both payloads; REST APIs, function URLs and load balancers as the client wrote it. A load balancer does not
decode query parameters either: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

from binascii import b2a_base64

from portable_aws._context import context_of
from portable_contracts.errors import InvalidArgument
from portable_contracts.http import Headers, HttpCodec, Request, unquote
from portable_contracts.reading import decoded, mapping, sequence, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from portable_contracts.http import Response


class Payload2(HttpCodec):
    """HTTP API, payload 2.0, and function URLs.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """

    shape = "aws.http.v2"

    def recognises(self, raw: Any) -> bool:
        return (
            type(raw) is dict
            and raw.get("version") == "2.0"
            and type(context := raw.get("requestContext")) is dict
            and "http" in context
            and "routeArn" not in raw  # An authorizer's question.
        )

    def decode(self, raw: Any, native_context: Any) -> Request:
        request_context = mapping(raw, "requestContext")
        http = mapping(request_context, "http")
        path = text(raw, "rawPath")
        if ".lambda-url." in text(request_context, "domainName", ""):
            path = unquote(path)
        else:
            path = _without_stage(path, text(request_context, "stage", "$default"))
        headers = [(name, str(value)) for name, value in mapping(raw, "headers", optional=True).items()]
        cookies = sequence(raw, "cookies", optional=True)
        if cookies:
            headers.append(("cookie", "; ".join(map(str, cookies))))
        return Request(
            text(http, "method"),
            path,
            query=text(raw, "rawQueryString", ""),
            headers=Headers.received(headers),
            body=_bytes(raw),
            client=text(http, "sourceIp", "") or None,
            id=text(request_context, "requestId", ""),
            context=context_of(native_context, text(request_context, "requestId", "")),
            native=raw,
        )

    def encode(self, response: Response, request: Request) -> Any:
        headers: dict[str, str] = {}
        cookies: list[str] = []
        for name in response.headers:
            values = response.headers.getlist(name)
            if name == "set-cookie":
                cookies = values
            else:
                headers[name] = ", ".join(values)
        answer = {"statusCode": response.status, "headers": headers, **_body(response)}
        if cookies:
            answer["cookies"] = cookies
        return answer


class Payload1(HttpCodec):
    """REST API, and HTTP API with payload 1.0.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """

    shape = "aws.http.v1"

    def recognises(self, raw: Any) -> bool:
        return (
            type(raw) is dict
            and "httpMethod" in raw
            and "path" in raw
            and type(context := raw.get("requestContext")) is dict
            and "elb" not in context
            and "methodArn" not in raw  # An authorizer's question.
            and ("resourcePath" in context or "apiId" in context or "stage" in context or "resource" in raw)
            and "serviceId" not in context  # Tencent's gateway, which copied the rest.
        )

    def decode(self, raw: Any, native_context: Any) -> Request:
        request_context = mapping(raw, "requestContext")
        path = text(raw, "path")
        if raw.get("version") == "1.0":
            path = _without_stage(path, text(request_context, "stage", "$default"))
        else:
            path = unquote(path)
        identity = mapping(request_context, "identity", optional=True)
        request_id = text(request_context, "requestId", "")
        return Request(
            text(raw, "httpMethod"),
            path,
            query=list(_several(raw, "multiValueQueryStringParameters", "queryStringParameters")),
            headers=Headers.received(_several(raw, "multiValueHeaders", "headers")),
            body=_bytes(raw),
            client=text(identity, "sourceIp", "") or None,
            id=request_id,
            context=context_of(native_context, request_id),
            native=raw,
        )

    def encode(self, response: Response, request: Request) -> Any:
        headers = {name: response.headers.getlist(name) for name in response.headers}
        return {"statusCode": response.status, "multiValueHeaders": headers, **_body(response)}


class LoadBalancer(HttpCodec):
    """An application load balancer, with multi-value headers on or off.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
    """

    shape = "aws.http.alb"

    def recognises(self, raw: Any) -> bool:
        return type(raw) is dict and type(context := raw.get("requestContext")) is dict and "elb" in context

    def decode(self, raw: Any, native_context: Any) -> Request:
        headers = Headers.received(_several(raw, "multiValueHeaders", "headers"))
        query = _several(raw, "multiValueQueryStringParameters", "queryStringParameters")
        request_id = headers.get("x-amzn-trace-id", "")
        # The balancer appends the address that it saw to what the client claimed.
        client = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return Request(
            text(raw, "httpMethod"),
            unquote(text(raw, "path")),
            query=[(_form(name), _form(value)) for name, value in query],
            headers=headers,
            body=_bytes(raw),
            client=client or None,
            id=request_id,
            context=context_of(native_context, request_id),
            native=raw,
        )

    def encode(self, response: Response, request: Request) -> Any:
        answer = {"statusCode": response.status, **_body(response)}
        headers = {name: response.headers.getlist(name) for name in response.headers}
        if "multiValueHeaders" in request.native:
            return {**answer, "multiValueHeaders": headers}
        cookies = headers.pop("set-cookie", [])
        single = {name: ", ".join(values) for name, values in headers.items()}
        # Header names differ in case only, so a target group without multi-value headers still sends each cookie.
        single.update(zip(_spellings("set-cookie"), cookies, strict=False))
        return {**answer, "headers": single}


def _without_stage(path: str, stage: str) -> str:
    """Take the stage off; API Gateway puts it in front unless it is `$default`."""
    if stage == "$default" or not (path + "/").startswith(f"/{stage}/"):
        return path
    return path[len(stage) + 1 :] or "/"


def _several(raw: Mapping[str, Any], lists: str, singles: str) -> Iterator[tuple[str, str]]:
    """Give the pairs of a map of lists, or, where a front sends no such map, of the map of single values."""
    for name, values in mapping(raw, lists, optional=True).items():
        for value in values if type(values) is list else (values,):
            yield name, str(value)
    if raw.get(lists) is None:
        for name, value in mapping(raw, singles, optional=True).items():
            yield name, str(value)


def _form(text: str) -> str:
    return unquote(text.replace("+", " "))


def _spellings(name: str) -> Iterator[str]:
    """Give *name* in ever new mixtures of cases."""
    letters = [index for index, char in enumerate(name) if char.isalpha()]
    for number in range(1 << len(letters)):
        upper = {letter for bit, letter in enumerate(letters) if number >> bit & 1}
        yield "".join(char.upper() if index in upper else char for index, char in enumerate(name))


def _bytes(raw: Mapping[str, Any]) -> bytes:
    if raw.get("isBase64Encoded") is True:
        try:
            return decoded(raw, "body", True)
        except InvalidArgument:
            pass  # The samples in AWS's own documentation set the flag on plain text.
    return decoded(raw, "body", False)


_TEXT = ("text/", "application/json", "application/xml", "application/javascript", "application/x-www-form-urlencoded")


def _body(response: Response) -> dict[str, Any]:
    """Return the body's fields: text as it is where its content type says text and it is UTF-8, else base64."""
    if response.headers.get("content-type", "").startswith(_TEXT) and "content-encoding" not in response.headers:
        try:
            return {"body": response.body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    if not response.body:
        return {"body": "", "isBase64Encoded": False}
    return {"body": b2a_base64(response.body, newline=False).decode(), "isBase64Encoded": True}
