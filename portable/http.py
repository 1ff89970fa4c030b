"""From what a handler returns, or raises, to the Response that the client gets.

Every answer that is made here for an error is JSON: `{"error": what is wrong, "id": the request's id}`.
"""

from __future__ import annotations

from portable import _reporting
from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument, LimitExceeded
from portable_contracts.http import BadRequest, Headers, HttpCapabilities, Request, Response, encode_json
from portable_contracts.limits import PROFILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from portable._calling import Handler, Middleware
    from portable._routing import Router
    from portable.config import Configuration

_JSON, _TEXT, _BYTES = "application/json", "text/plain; charset=utf-8", "application/octet-stream"


class HttpLimits(Value):
    """How much this machine carries: as much as all of the app's targets do."""

    capabilities: HttpCapabilities
    owners: Mapping[str, str]

    @classmethod
    def of(cls, configuration: Configuration) -> HttpLimits:
        """Return the limits of the targets in *configuration*; without any, those of the portable profile."""
        from portable import registry
        from portable.connecting import _narrow

        found = []
        for target in configuration.targets.values():
            if target.provider != "local":
                declared = registry.capabilities(registry.provider(target.provider), "http")
                if declared is not None:
                    found.append((f"target {target.name} ({target.provider})", declared))
        own = registry.capabilities(registry.provider("local"), "http")
        return cls(*_narrow(own, found))

    def where(self, limit: str) -> str:
        """Say whose limit it is."""
        owner = self.owners[limit]
        return f"{owner} for HTTP" if owner == PROFILE else f"HTTP on {owner}"

    def too_long(self, response: Response) -> LimitExceeded:
        """Return the error for a *response* that one of the targets would not carry."""
        limit = "max_response_bytes"
        actual, allowed = len(response.body), int(self.capabilities.max_response_bytes)
        return LimitExceeded(
            f"the response is {actual:,} bytes; {self.where(limit)} allows {allowed:,}",
            limit=limit,
            actual=actual,
            allowed=allowed,
            owner=self.owners[limit],
        )


class Answering:
    """The innermost step for requests: find the route, call its handler, make a Response of what it gives."""

    __slots__ = ("_router",)

    def __init__(self, router: Router) -> None:
        self._router = router

    def plain(self, request: Request) -> Response:
        route, values = self._router.find(request.method, request.path)
        if route is None:
            return _unrouted(self._router, request)
        try:
            result = route.handler.plain(request, values)
        except BadRequest as error:
            return problem(request, 400, str(error))
        return result if type(result) is Response else _response(result, route.handler)

    async def on_loop(self, request: Request) -> Response:
        route, values = self._router.find(request.method, request.path)
        if route is None:
            return _unrouted(self._router, request)
        try:
            result = await route.handler.on_loop(request, values)
        except BadRequest as error:
            return problem(request, 400, str(error))
        return result if type(result) is Response else _response(result, route.handler)


def _unrouted(router: Router, request: Request) -> Response:
    methods = router.methods(request.path)
    if not methods:
        return problem(request, 404, "not found")
    return problem(request, 405, "method not allowed", {"allow": ", ".join(methods)})


def _response(result: Any, source: Handler | Middleware) -> Response:
    """Return what *source* gave as a Response. Raises InvalidArgument, naming it, for what cannot be one."""
    if isinstance(result, (dict, list)):
        try:
            return Response._of(encode_json(result), _JSON, 200, None)
        except InvalidArgument as error:
            raise InvalidArgument(f"handler {source.name} ({source.place}): {error}") from error
    if isinstance(result, str):
        return Response._of(result.encode(), _TEXT, 200, None)
    if isinstance(result, bytes):
        return Response._of(result, _BYTES, 200, None)
    if result is None:
        return Response(b"", 204)
    if isinstance(result, Response):
        return result
    raise InvalidArgument(
        f"handler {source.name} ({source.place}) returned {type(result).__name__}: "
        "return a dict, list, str, bytes, None or Response"
    )


def checked(middleware: Middleware, event: Any, result: Any) -> Any:
    """Return what *middleware* gave; for a request, as a Response. Raises InvalidArgument where it gave nothing."""
    if type(result) is Response or not isinstance(event, Request):
        return result
    if result is None:
        raise InvalidArgument(
            f"middleware {middleware.name} ({middleware.place}) returned None for a request: return call_next(event)"
        )
    return _response(result, middleware)


def problem(request: Request, status: int, error: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer for an error of which the client may know."""
    return Response.json({"error": error, "id": request.id}, status, headers)


def too_large(request: Request, limits: HttpLimits) -> Response | None:
    """Return the answer for a request that is too large for one of the targets, else None."""
    allowed = limits.capabilities.max_request_bytes
    if len(request.body) <= allowed:
        return None
    # The size is left out: a server may have stopped reading.
    where = limits.where("max_request_bytes")
    return problem(request, 413, f"the request is too large: {where} allows {allowed:,} bytes")


def unhandled(request: Request, error: Exception) -> Response:
    """Log *error* once; return an answer that tells nothing of it but the id under which it was logged."""
    if isinstance(error, BadRequest):  # A middleware's: a handler's was answered inside.
        return problem(request, 400, str(error))
    _reporting.failed(request, error)
    return problem(request, 500, "internal error")


def finished(request: Request, response: Response, limits: HttpLimits | None) -> Response:
    """Return *response* as it may be sent: within the limits, and without a body where HTTP has none."""
    if limits is not None and len(response.body) > limits.capabilities.max_response_bytes:
        response = unhandled(request, limits.too_long(response))
    status = response.status
    if request.method == "HEAD":
        headers = Headers(response.headers)
        if status not in (204, 304) and "content-length" not in headers:
            headers["content-length"] = str(len(response.body))
        return Response(b"", status, headers)
    if response.body and (status < 200 or status == 204 or status == 304):
        return Response(b"", status, response.headers)
    return response
