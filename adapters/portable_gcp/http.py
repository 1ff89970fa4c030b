"""HTTP on Cloud Run functions: the Flask request that functions-framework hands over, and the answer it takes."""

from __future__ import annotations

from os import urandom

from portable_contracts.errors import InvalidArgument
from portable_contracts.http import Headers, HttpCodec, Request
from portable_gcp._context import context_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from portable_contracts.http import Response


class FlaskRequest(HttpCodec):
    """https://cloud.google.com/run/docs/write-functions#http-functions"""

    shape = "gcp.http"

    def recognises(self, raw: Any) -> bool:
        return hasattr(raw, "environ") and hasattr(raw, "query_string")

    def decode(self, raw: Any, native_context: Any) -> Request:
        headers = Headers.received(raw.headers.items())
        # Who calls a private service says so here; Authorization is the app's own.
        # https://docs.cloud.google.com/run/docs/authenticating/service-to-service
        del headers["x-serverless-authorization"]
        # Google's front appends the address that it saw to what the client claimed.
        client = headers.get("x-forwarded-for", "").rpartition(",")[2].strip() or raw.remote_addr
        # functions-framework makes one where Google's front sent none; a trace's id is that of all its requests.
        request_id = headers.get("function-execution-id") or urandom(16).hex()
        return Request(
            raw.method,
            raw.path,
            query=raw.query_string.decode("latin-1"),
            headers=headers,
            body=raw.get_data(),
            client=client or None,
            id=request_id,
            context=context_of(native_context, request_id),
            native=raw,
        )

    def encode(self, response: Response, request: Request) -> Any:
        from werkzeug.wrappers import Response as Answer  # functions-framework has loaded it.

        if response.status < 200:
            raise InvalidArgument(f"status {response.status} is not an answer's: WSGI sends one, of 200 to 599")
        # As a list: of one piece it would make a content-length of its own, and that of a HEAD's answer would be lost.
        answer = Answer([response.body], response.status, response.headers.multi_items())
        if "content-type" not in response.headers:
            del answer.headers["content-type"]  # Or a redirect and a 204 would be text/plain.
        return answer
