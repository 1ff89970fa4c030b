"""HTTP in front of Lambda: API Gateway's payloads 1.0 and 2.0, function URLs, and load balancers.

Which front decodes what was published from live captures (hotsock/voker, pull request 8): HTTP APIs hand over the path
decoded in both payloads; REST APIs, function URLs and load balancers as the client wrote it. A load balancer does not
decode query parameters either: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

from __future__ import annotations

from portable_aws._context import context_of
from portable_contracts.bodies import fitting
from portable_contracts.errors import InvalidArgument
from portable_contracts.http import Headers, HttpCodec, Request, unquote
from portable_contracts.reading import client_address, decoded, mapping, sequence, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from portable_contracts.http import Response

_LAMBDA = 6_291_456 - 65_536
"""Bytes of a body in Lambda's answer of 6 MB, with room for the headers:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
_BALANCER = 1_048_576 - 16_384
"""Likewise in the 1 MB that a load balancer takes."""


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
            and "elb" not in context
            and "routeArn" not in raw  # An authorizer's question.
        )

    def decode(self, raw: Any, native_context: Any) -> Request:
        front = mapping(raw, "requestContext")
        http = mapping(front, "http")
        path = text(raw, "rawPath")
        if ".lambda-url." in text(front, "domainName", ""):
            path = unquote(path)
        else:
            path = _without_stage(path, text(front, "stage", "$default"))
        headers = [(name, str(value)) for name, value in mapping(raw, "headers", optional=True).items()]
        cookies = sequence(raw, "cookies", optional=True)
        if cookies:
            headers.append(("cookie", "; ".join(map(str, cookies))))
        request_id = text(front, "requestId", "")
        return Request(
            text(http, "method"),
            path,
            query=text(raw, "rawQueryString", ""),
            headers=Headers.received(headers),
            body=_bytes(raw),
            client=text(http, "sourceIp", "") or None,
            id=request_id,
            context=context_of(native_context, request_id),
            native=raw,
        )

    def encode(self, response: Response, request: Request) -> Any:
        headers, cookies = response.headers.joined()
        answer = {"statusCode": response.status, "headers": headers, **_body(response, _LAMBDA)}
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
            and raw.get("version") != "2.0"
            and type(context := raw.get("requestContext")) is dict
            and "elb" not in context
            and "methodArn" not in raw  # An authorizer's question.
            and ("resourcePath" in context or "apiId" in context or "stage" in context or "resource" in raw)
            and "serviceId" not in context  # Tencent's gateway, which copied the rest,
            and "queryString" not in raw  # but for this.
        )

    def decode(self, raw: Any, native_context: Any) -> Request:
        front = mapping(raw, "requestContext")
        path, of_http_api = text(raw, "path"), raw.get("version") == "1.0"
        path = _without_stage(path, text(front, "stage", "$default")) if of_http_api else unquote(path)
        request_id = text(front, "requestId", "")
        return Request(
            text(raw, "httpMethod"),
            path,
            query=list(_several(raw, "multiValueQueryStringParameters", "queryStringParameters")),
            headers=Headers.received(_several(raw, "multiValueHeaders", "headers")),
            body=_bytes(raw),
            client=text(mapping(front, "identity", optional=True), "sourceIp", "") or None,
            id=request_id,
            context=context_of(native_context, request_id),
            native=raw,
        )

    def encode(self, response: Response, request: Request) -> Any:
        return {"statusCode": response.status, "multiValueHeaders": _lists(response), **_body(response, _LAMBDA)}


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
        return Request(
            text(raw, "httpMethod"),
            unquote(text(raw, "path")),
            query=[(_form(name), _form(value)) for name, value in query],
            headers=headers,
            body=_bytes(raw),
            client=client_address(headers.get("x-forwarded-for", "")),
            id=request_id,
            context=context_of(native_context, request_id),
            native=raw,
        )

    def encode(self, response: Response, request: Request) -> Any:
        answer = {"statusCode": response.status, **_body(response, _BALANCER)}
        if "multiValueHeaders" in request.native:
            return {**answer, "multiValueHeaders": _lists(response)}
        headers, cookies = response.headers.joined()
        # Header names differ in case only, so a target group without multi-value headers still sends each cookie.
        headers.update(zip(_spellings("set-cookie"), cookies))  # noqa: B905  # there are 512 spellings
        return {**answer, "headers": headers}


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


def _bytes(raw: Mapping[str, Any]) -> bytes:
    if raw.get("isBase64Encoded") is True:
        try:
            return decoded(raw, "body", True)
        except InvalidArgument:
            pass  # The samples in AWS's own documentation set the flag on plain text.
    return decoded(raw, "body", False)


def _lists(response: Response) -> dict[str, list[str]]:
    return {name: response.headers.getlist(name) for name in response.headers}


def _spellings(name: str) -> Iterator[str]:
    """Give *name* in ever new mixtures of cases."""
    letters = [index for index, char in enumerate(name) if char.isalpha()]
    for number in range(1 << len(letters)):
        upper = {letter for bit, letter in enumerate(letters) if number >> bit & 1}
        yield "".join(char.upper() if index in upper else char for index, char in enumerate(name))


def _body(response: Response, most: int) -> dict[str, Any]:
    content, is_base64 = fitting(response.body, most, "AWS")
    return {"body": content, "isBase64Encoded": is_base64}
