"""Hypothesis strategies of HTTP requests and responses that every front lets through."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from portable_contracts.harness import HttpCall
from portable_contracts.http import Headers, Request, Response, unquote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]
STATUSES = [
    200,
    201,
    202,
    204,
    206,
    301,
    302,
    303,
    304,
    307,
    308,
    400,
    401,
    403,
    404,
    405,
    409,
    418,
    422,
    429,
    500,
    503,
]
WITHOUT_BODY = (204, 304)

text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
# Empty segments and dots are left out: clients and fronts remove them before a function sees the path.
segments = st.text(st.characters(codec="utf-8", exclude_characters="\x00/"), min_size=1, max_size=12).filter(
    lambda segment: segment not in (".", "..")
)
paths = st.lists(segments, max_size=4).map(lambda parts: "/" + "/".join(parts))
queries = st.lists(st.tuples(text.filter(bool), text), max_size=5)
# Visible ASCII within, for fronts trim the ends; no comma, which some fronts put between repeated fields.
values = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=',"'), min_size=1, max_size=16
)
names = st.from_regex(r"x-[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
cookie_values = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-._~!#$%&'()*+/:<=>?@[]^`{|}", max_size=12)
cookie_names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True)
bodies = st.one_of(st.just(b""), st.binary(max_size=64), text.map(str.encode))
types = st.sampled_from(
    ["text/plain", "application/json", "application/octet-stream", "image/png", "text/html; charset=utf-8"]
)


@st.composite
def calls(draw: Any, methods: st.SearchStrategy[str] = st.sampled_from(METHODS)) -> HttpCall:
    """Make requests as clients send them."""
    method = draw(methods)
    target = quote(draw(paths), safe=draw(st.sampled_from(["/", "/:@!$&'()*+,;=~"])))
    pairs = draw(queries)
    if pairs:
        target += "?" + urlencode(pairs)
    headers = [("host", "example.com")]
    for name, several in draw(st.dictionaries(names, st.lists(values, min_size=1, max_size=3), max_size=3)).items():
        # One spelling in a request: a front that tells headers as a map keeps no order between two.
        spelled = name.title() if draw(st.booleans()) else name
        headers += [(spelled, value) for value in several]
    cookies = draw(st.dictionaries(cookie_names, cookie_values, max_size=3))
    if cookies:
        headers.append(("cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
    body = draw(bodies) if method in ("POST", "PUT", "PATCH") else b""
    if body:
        headers += [("content-type", draw(types)), ("content-length", str(len(body)))]
    return HttpCall(method, target, headers, body, draw(st.sampled_from(["203.0.113.9", "2001:db8::7"])))


@st.composite
def responses(draw: Any) -> Response:
    """Make responses."""
    status = draw(st.sampled_from(STATUSES))
    body = b"" if status in WITHOUT_BODY else draw(bodies)
    headers = Headers()
    if body:
        headers["content-type"] = draw(types)
    for name, several in draw(st.dictionaries(names, st.lists(values, min_size=1, max_size=3), max_size=3)).items():
        for value in several:
            headers.add(name, value)
    response = Response(body, status, headers)
    for name, value in draw(
        st.dictionaries(cookie_names, st.from_regex(r"[a-z0-9]{0,8}", fullmatch=True), max_size=3)
    ).items():
        response.set_cookie(name, value)
    return response


def logical(call: HttpCall) -> Request:
    """Return the portable request that *call* is."""
    path, _, query = call.target.partition("?")
    return Request(
        call.method,
        unquote(path),
        query=query,
        headers=Headers.received(call.headers),
        body=call.body,
        client=call.client,
    )


def cookie(line: str) -> tuple[str, set[tuple[str, str]]]:
    """Return what a Set-Cookie line says: the order of attributes, their names' case and empty ones are of no account.

    https://www.rfc-editor.org/rfc/rfc6265#section-5.2
    """
    pair, *attributes = line.split(";")
    said = set()
    for attribute in attributes:
        name, found, value = attribute.strip().partition("=")
        if value or not found:
            said.add((name.lower(), value.lower() if name.lower() == "samesite" else value))
    return pair, said
