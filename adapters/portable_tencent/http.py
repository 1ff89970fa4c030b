"""HTTP in front of SCF: function URLs, API Gateway and what copies its shape, load balancers (CLB).

API Gateway was closed in batches from 2026-10-30 (https://cloud.tencent.com/announce/detail/2475); its shape stays, for
the cloud-native gateway and for replays. Web functions are in web.py.
"""

from __future__ import annotations

from portable_contracts.bodies import fitting
from portable_contracts.errors import InvalidArgument
from portable_contracts.http import Headers, HttpCodec, Request, encode_json, unquote
from portable_contracts.reading import client_address, decoded, mapping, text
from portable_tencent import _credentials
from portable_tencent._context import context_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from portable_contracts.http import Response

MOST = 6_291_456 - 65_536
"""Bytes of a body in SCF's answer of 6 MB, with room for the headers:
https://cloud.tencent.com/document/product/583/11637"""
_PLAIN = ("application/json", "application/javascript", "application/xml")
"""Besides text/*, the bodies that a load balancer does not hand over as base64."""
_OF_BALANCER = ("x-method", "x-uri", "x-vip", "x-vport", "x-real-port")
"""Headers that say what the request line and the connection said, and were no headers of the client's."""


class FunctionUrl(HttpCodec):
    """A function URL. https://cloud.tencent.com/document/product/583/96099"""

    shape = "tencent.http.url"

    def recognises(self, raw: Any) -> bool:
        return _is_request(raw) and not _of_gateway(raw)

    def decode(self, raw: Any, native_context: Any) -> Request:
        return _request(raw, native_context)

    def encode(self, response: Response, request: Request) -> Any:
        return _answer(response)


class ApiGateway(HttpCodec):
    """API Gateway. https://cloud.tencent.com/document/product/583/12513"""

    shape = "tencent.http.apigw"

    def recognises(self, raw: Any) -> bool:
        return _is_request(raw) and _of_gateway(raw)

    def decode(self, raw: Any, native_context: Any) -> Request:
        return _request(raw, native_context)

    def encode(self, response: Response, request: Request) -> Any:
        return _answer(response)


class LoadBalancer(HttpCodec):
    """A load balancer (CLB). https://cloud.tencent.com/document/product/583/52635

    It names method and path only in headers, `X-Method` and `X-Uri`, and only where its listener is told to send them.
    """

    shape = "tencent.http.clb"

    def recognises(self, raw: Any) -> bool:
        return type(raw) is dict and "payload" in raw and type(raw.get("headers")) is dict and "httpMethod" not in raw

    def decode(self, raw: Any, native_context: Any) -> Request:
        theirs, _ = _credentials.split(mapping(raw, "headers"))
        headers = _headers(theirs)
        if "x-uri" not in headers or "x-method" not in headers:
            raise InvalidArgument(
                "the load balancer sent no X-Uri or no X-Method: let its listener's custom configuration add both"
            )
        path, _, query = headers["x-uri"].partition("?")
        return Request(
            headers["x-method"].upper(),
            unquote(path),
            query=query,
            headers=_headers({name: value for name, value in theirs.items() if name.lower() not in _OF_BALANCER}),
            body=_payload(raw, headers.get("content-type", "")),
            client=client_address(headers.get("x-forwarded-for", "")),
            context=context_of(native_context),
            native={**raw, "headers": theirs},
        )

    def encode(self, response: Response, request: Request) -> Any:
        return _answer(response)


def _payload(raw: Mapping[str, Any], content_type: str) -> bytes:
    payload = raw["payload"]
    if type(payload) is dict or type(payload) is list:
        return encode_json(payload)  # The documentation's sample holds a JSON body so: parsed.
    kind = content_type.partition(";")[0].strip().lower()
    return decoded(raw, "payload", not (kind.startswith("text/") or kind in _PLAIN))


def _is_request(raw: Any) -> bool:
    """Tell Tencent's shape from AWS's payload 1.0, which it resembles: that one has other ids, and no `queryString`."""
    if type(raw) is not dict or "httpMethod" not in raw or "path" not in raw:
        return False
    told, headers = raw.get("requestContext"), raw.get("headers")
    front = told if type(told) is dict else {}
    if "serviceId" in front:
        return True
    if "elb" in front or "apiId" in front or "resourcePath" in front or "resource" in raw:
        return False
    return "queryString" in raw or (type(headers) is dict and _REMOTE in headers and "stage" not in front)


def _of_gateway(raw: Mapping[str, Any]) -> bool:
    front = raw.get("requestContext")
    return type(front) is dict and "serviceId" in front


_REMOTE = "x-scf-remote-addr"


def _request(raw: Mapping[str, Any], native_context: Any) -> Request:
    theirs, own = _credentials.split(mapping(raw, "headers", optional=True))
    told = mapping(raw, "requestContext", optional=True)
    request_id = text(told, "requestId", "")
    return Request(
        text(raw, "httpMethod"),
        unquote(text(raw, "path")),  # Without the stage: neither front puts it there.
        query=list(_query(raw)),
        headers=_headers(theirs),
        body=decoded(raw, "body", raw.get("isBase64Encoded") is True),
        client=client_address(text(told, "sourceIp", "") or own.get(_REMOTE, "")),
        id=request_id,
        context=context_of(native_context, request_id),
        native={**raw, "headers": theirs},
    )


def _headers(headers: Mapping[str, Any]) -> Headers:
    return Headers.received(
        [
            (name, str(one))
            for name, value in headers.items()
            for one in (value if type(value) is list else (value,))
        ]
    )  # fmt: skip


def _query(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the query's pairs, which are decoded: a value is text, a list of texts, or true for a name alone."""
    for name, value in mapping(raw, "queryString", optional=True).items():
        for one in value if type(value) is list else (value,):
            yield name, "" if one is True else str(one)


def _answer(response: Response) -> dict[str, Any]:
    """Return the answer of an "integrated response"; a header that repeats is a list."""
    headers: dict[str, str | list[str]] = {}
    for name in response.headers:
        values = response.headers.getlist(name)
        headers[name] = values[0] if len(values) == 1 else values
    body, is_base64 = fitting(response.body, MOST, "Tencent Cloud")
    return {"isBase64Encoded": is_base64, "statusCode": response.status, "headers": headers, "body": body}
