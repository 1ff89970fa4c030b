"""ministack behind a check that it lacks. Run by ministack's own Python: it imports nothing of this package.

A signed address without one of its six parameters is refused, as S3 does; ministack takes the bare name of a key in it
for an identity: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

from __future__ import annotations

from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

_NEEDED = {f"x-amz-{name}" for name in ("algorithm", "credential", "date", "expires", "signedheaders", "signature")}
_ALGORITHM = "AWS4-HMAC-SHA256"
_REFUSED = (
    b"<Error><Code>AuthorizationQueryParametersError</Code><Message>A parameter is wrong or missing.</Message></Error>"
)

ministack: Any = import_module("ministack.app")
behind = ministack.app


async def front(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http" and b"x-amz-" in scope["query_string"].lower():
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        found = {name.lower(): value for name, value in pairs}
        if not found.keys().isdisjoint(_NEEDED) and (
            not found.keys() >= _NEEDED or found["x-amz-algorithm"] != _ALGORITHM
        ):
            headers = [(b"content-type", b"application/xml"), (b"content-length", b"%d" % len(_REFUSED))]
            await send({"type": "http.response.start", "status": 400, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSED})
            return
    await behind(scope, receive, send)


if __name__ == "__main__":
    ministack.app = front
    ministack.main()
