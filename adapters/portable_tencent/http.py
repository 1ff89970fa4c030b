"""HTTP in front of SCF: function URLs, API Gateway and what copies its shape, load balancers (CLB).

API Gateway was closed in batches from 2026-10-30 (https://cloud.tencent.com/announce/detail/2475); its shape stays, for
the cloud-native gateway and for replays.
"""

from __future__ import annotations

from binascii import b2a_base64

from portable_contracts.errors import InvalidArgument
from portable_contracts.http import Headers, HttpCodec, Request, unquote
from portable_contracts.reading import decoded, mapping, text
from portable_tencent._context import context_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from portable_contracts.http import Response


class FunctionUrl(HttpCodec):
    """A function URL. https://cloud.tencent.com/document/product/583/96099"""

    shape = "tencent.http.url"

    def recognises(self, raw: Any) -> bool:
        return _is_gateway(raw) and not _from_gateway(raw)

    def decode(self, raw: Any, native_context: Any) -> Request:
        return _request(raw, native_context, "")

    def encode(self, response: Response, request: Request) -> Any:
        return _answer(response)


class ApiGateway(HttpCodec):
    """API Gateway. https://cloud.tencent.com/document/product/583/12513"""

    shape = "tencent.http.apigw"

    def recognises(self, raw: Any) -> bool:
        return _is_gateway(raw) and _from_gateway(raw)

    def decode(self, raw: Any, native_context: Any) -> Request:
        told = mapping(raw, "requestContext", optional=True)
        return _request(raw, native_context, text(told, "stage", ""))

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
        headers = _headers(raw)
        if "x-uri" not in headers:
            raise InvalidArgument(
                "the load balancer sent no X-Uri header: switch it on in the CLB listener's forwarding"
            )
        path, _, query = headers["x-uri"].partition("?")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        plain = kind.startswith("text/") or kind in ("", *_PLAIN)
        context = context_of(native_context)
        return Request(
            headers.get("x-method", "GET").upper(),
            unquote(path),
            query=query,
            headers=headers,
            body=decoded(raw, "payload", not plain),
            client=headers.get("x-forwarded-for", "").rpartition(",")[2].strip() or None,
            context=context,
            native=raw,
        )

    def encode(self, response: Response, request: Request) -> Any:
        return _answer(response)


_PLAIN = ("application/json", "application/javascript", "application/xml")
"""Besides text/*, the bodies that a load balancer does not send as base64."""


def _is_gateway(raw: Any) -> bool:
    return type(raw) is dict and "httpMethod" in raw and "path" in raw and _is_tencent(raw)


def _is_tencent(raw: Mapping[str, Any]) -> bool:
    """Tell Tencent's shape from AWS's payload 1.0, which it copied: it has `queryString`, and no map for each list."""
    told = raw.get("requestContext")
    if type(told) is dict and ("elb" in told or "apiId" in told or "resourcePath" in told):
        return False
    return "queryString" in raw and "multiValueHeaders" not in raw


def _from_gateway(raw: Mapping[str, Any]) -> bool:
    told = raw.get("requestContext")
    return (type(told) is dict and "serviceId" in told) or "headerParameters" in raw


def _request(raw: Mapping[str, Any], native_context: Any, stage: str) -> Request:
    headers = _headers(raw)
    told = mapping(raw, "requestContext", optional=True)
    request_id = text(told, "requestId", "")
    path = unquote(text(raw, "path"))
    if stage and (path + "/").startswith(f"/{stage}/"):
        path = path[len(stage) + 1 :] or "/"
    return Request(
        text(raw, "httpMethod"),
        path,
        query=list(_query(raw)),
        headers=headers,
        body=decoded(raw, "body", raw.get("isBase64Encoded") is True),
        client=_client(text(told, "sourceIp", "") or str(mapping(raw, "headers", optional=True).get(_REMOTE, ""))),
        id=request_id,
        context=context_of(native_context, request_id),
        native=raw,
    )


_REMOTE = "x-scf-remote-addr"


def _headers(raw: Mapping[str, Any]) -> Headers:
    """Return the client's headers. The platform's own `x-scf-*` are left out: they can hold the role's secrets."""
    pairs: list[tuple[str, str]] = []
    for name, value in mapping(raw, "headers", optional=True).items():
        if not name.lower().startswith("x-scf-"):
            pairs += [(name, str(one)) for one in (value if type(value) is list else (value,))]
    return Headers.received(pairs)


def _query(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the query's pairs: a value is text, a list of texts, or true for a name alone."""
    for name, value in mapping(raw, "queryString", optional=True).items():
        for one in value if type(value) is list else (value,):
            yield name, "" if one is True else str(one)


def _client(address: str) -> str | None:
    """Return the address without the port that some fronts add."""
    if address.count(":") == 1:
        address = address.partition(":")[0]
    elif address.startswith("["):
        address = address[1:].partition("]")[0]
    return address or None


def _answer(response: Response) -> dict[str, Any]:
    """Return the answer of an "integrated response"; a header that repeats is a list."""
    headers: dict[str, str | list[str]] = {}
    for name in response.headers:
        values = response.headers.getlist(name)
        headers[name] = values[0] if len(values) == 1 else values
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not response.body or (
        (kind.startswith("text/") or kind in _PLAIN) and "content-encoding" not in response.headers
    ):
        try:
            body = response.body.decode()
            return {"isBase64Encoded": False, "statusCode": response.status, "headers": headers, "body": body}
        except UnicodeDecodeError:
            pass
    body = b2a_base64(response.body, newline=False).decode()
    return {"isBase64Encoded": True, "statusCode": response.status, "headers": headers, "body": body}
