"""HTTP in the portable form: multi-values, Request, Response, and the codecs between them and a platform's shapes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from portable_contracts._json import read_json
from portable_contracts._percent import parse_query, unquote
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import NO_CONTEXT
from portable_contracts.limits import Capabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime, timedelta
    from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, overload

    from portable_contracts.events import Context
    from portable_contracts.forms import Upload

    V = TypeVar("V")
    D = TypeVar("D")
    Json: TypeAlias = Any
    HeadersInit: TypeAlias = "Mapping[str, str] | Iterable[tuple[str, str]] | Headers | None"
else:
    from portable_contracts._value import Generic

    V = None


class MultiMap(Generic[V]):
    """Names with one or more values each, in order: a query, a form, headers.

    `m[name]` and `m.get(name)` give the first value, `m.getlist(name)` all, `m.multi_items()` every pair.
    Two are equal when each name has the same values in the same order.
    """

    __slots__ = ("_lists",)

    def __init__(self, pairs: Iterable[tuple[str, V]] = ()) -> None:
        lists: dict[str, list[V]] = {}
        for name, value in pairs:
            if name in lists:
                lists[name].append(value)
            else:
                lists[name] = [value]
        self._lists = lists

    def __getitem__(self, name: str) -> V:
        return self._lists[name][0]

    if TYPE_CHECKING:

        @overload
        def get(self, name: str) -> V | None: ...
        @overload
        def get(self, name: str, default: D) -> V | D: ...

    def get(self, name: str, default: Any = None) -> Any:
        """Return the first value of *name*, or *default*."""
        values = self._lists.get(name)
        return values[0] if values else default

    def getlist(self, name: str) -> list[V]:
        """Return all values of *name*, in order; empty when there is none."""
        return list(self._lists.get(name, ()))

    def multi_items(self) -> list[tuple[str, V]]:
        """Return every pair; the values of one name stand together, in order."""
        return [(name, value) for name, values in self._lists.items() for value in values]

    def items(self) -> list[tuple[str, V]]:
        """Return each name with its first value."""
        return [(name, values[0]) for name, values in self._lists.items()]

    def keys(self) -> Iterator[str]:
        return iter(self._lists)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def __contains__(self, name: object) -> bool:
        return name in self._lists

    def __eq__(self, other: object) -> bool:
        if type(other) is type(self):
            return bool(self._lists == other._lists)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # equal by content, and headers can change

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.multi_items()!r})"


class Headers(MultiMap[str]):
    """Header fields: names compare without case, repeats are kept. Names are held in lower case."""

    __slots__ = ()

    def __init__(self, fields: HeadersInit = None) -> None:
        self._lists: dict[str, list[str]] = {}
        if fields is not None:
            pairs = fields.multi_items() if isinstance(fields, Headers) else _pairs(fields)
            for name, value in pairs:
                self.add(name, value)

    @staticmethod
    def received(pairs: Iterable[tuple[str, str]]) -> ReceivedHeaders:
        """Make headers of what a platform delivered; only names are touched (for codecs: the checks of `add` cost)."""
        headers = ReceivedHeaders.__new__(ReceivedHeaders)
        lists: dict[str, list[str]] = {}
        for name, value in pairs:
            name = name.lower()
            if name in lists:
                lists[name].append(value)
            else:
                lists[name] = [value]
        headers._lists = lists
        return headers

    def add(self, name: str, value: str) -> None:
        """Add a field, beside those of the same name. Raises InvalidArgument for a name or value HTTP cannot carry."""
        lowered = _checked_name(name)
        self._lists.setdefault(lowered, []).append(_checked_value(name, value))

    def joined(self) -> tuple[dict[str, str], list[str]]:
        """Return each field with its values joined by commas, and the Set-Cookie lines apart, for platforms that take
        one value of a name. Raises InvalidArgument for a field that is no list and stands there twice.
        """
        fields: dict[str, str] = {}
        cookies: list[str] = []
        for name, values in self._lists.items():
            if len(values) == 1 and name != "set-cookie":
                fields[name] = values[0]
            elif name == "set-cookie":
                cookies = list(values)
            elif name in _SINGLE:
                raise InvalidArgument(f"header {name} stands there {len(values)} times, and it is no list")
            elif values:
                fields[name] = ", ".join(values)
        return fields, cookies

    def __setitem__(self, name: str, value: str) -> None:
        self._lists[_checked_name(name)] = [_checked_value(name, value)]

    def __delitem__(self, name: str) -> None:
        self._lists.pop(name.lower(), None)

    def __getitem__(self, name: str) -> str:
        return self._lists[name.lower()][0]

    def get(self, name: str, default: Any = None) -> Any:
        values = self._lists.get(name.lower())
        return values[0] if values else default

    def getlist(self, name: str) -> list[str]:
        return list(self._lists.get(name.lower(), ()))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._lists


_SINGLE = frozenset((
    "authorization", "cookie", "date", "expires", "from", "host", "if-modified-since", "if-range",
    "if-unmodified-since", "last-modified", "location", "proxy-authorization", "referer", "retry-after",
    "set-cookie", "user-agent",
))  # fmt: skip
"""Fields that are no lists, though a comma may be in them: dates, above all (RFC 9110, 5.6.7)."""


class ReceivedHeaders(Headers):
    """A request's header fields.

    A client may send a list as one field or as several, and some platforms join several by commas. `getlist` gives the
    elements either way, so it is the same on every provider, and equality goes by it. `get` gives the first field.
    """

    __slots__ = ()

    def getlist(self, name: str) -> list[str]:
        """Return the elements of the list field *name*, in order; a field that is no list, such as a date, whole."""
        name = name.lower()
        values = self._lists.get(name, [])
        if name in _SINGLE:
            return list(values)
        return [element for value in values for element in (_elements(value) if "," in value else (value,))]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        if self._lists.keys() != other._lists.keys():
            return False
        return all(self.getlist(name) == ReceivedHeaders.getlist(other, name) for name in self._lists)  # type: ignore[arg-type]  # reads the lists alone

    __hash__ = None  # type: ignore[assignment]  # equal by content, and headers can change


def _elements(value: str) -> list[str]:
    """Split a list field at its commas, but not at those in quoted strings (RFC 9110, 5.6.1)."""
    if '"' not in value:
        parts = value.split(",")
    else:
        parts, start, quoted = [], 0, False
        for index, char in enumerate(value):
            if char == '"' and (index == 0 or value[index - 1] != "\\"):
                quoted = not quoted
            elif char == "," and not quoted:
                parts.append(value[start:index])
                start = index + 1
        parts.append(value[start:])
    return [part.strip() for part in parts]


def _pairs(fields: Any) -> Iterable[tuple[str, str]]:
    return fields.items() if hasattr(fields, "items") else fields  # type: ignore[no-any-return]  # either form of it


_NAME = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


def _checked_name(name: str) -> str:
    lowered = name.lower()
    if not lowered or not _NAME.issuperset(lowered):
        raise InvalidArgument(f"header name {name!r} is not allowed: use letters, digits and - only")
    return lowered


def _checked_value(name: str, value: str) -> str:
    if type(value) is not str:
        raise InvalidArgument(f"the value of header {name} is of type {type(value).__name__}: it must be str")
    if not value.isascii() or not value.isprintable():
        # A line break would end the header and begin another one: response splitting.
        if any((char < " " and char != "\t") or char == "\x7f" for char in value):
            raise InvalidArgument(f"the value of header {name} holds a line break or another control character")
        if any(char > "\xff" for char in value):
            raise InvalidArgument(f"the value of header {name} holds {value!r}: percent-encode what is not Latin-1")
    return value


class BadRequest(InvalidArgument):
    """The request is not what the handler asked it for: where the handler lets this pass, the client gets a 400."""


class Request:
    """An HTTP request, the same on every provider. Equal to another with the same content, whoever delivered it."""

    __slots__ = (
        "_cookies",
        "_form",
        "_query",
        "body",
        "client",
        "context",
        "headers",
        "id",
        "method",
        "native",
        "path",
    )

    def __init__(
        self,
        method: str,
        path: str,
        *,
        query: str | Iterable[tuple[str, str]] = "",
        headers: Headers | None = None,
        body: bytes = b"",
        client: str | None = None,
        id: str = "",
        context: Context = NO_CONTEXT,
        native: Any = None,
    ) -> None:
        """Make a request; *query* is the raw text after the `?`, or decoded pairs. *path* is decoded already."""
        self.method = method
        self.path = path
        """Percent-decoded once; without a stage, `/api` or a mount's prefix."""
        self.headers = Headers.received(()) if headers is None else headers
        self.body = body
        self.client = client
        """The client's address as the platform's front saw it, or None."""
        self.id = id or context.invocation_id
        self.context = context
        self.native = native
        """The platform's own event or request object."""
        self._query: Any = query
        self._cookies: dict[str, str] | None = None
        self._form: MultiMap[str | Upload] | None = None

    @property
    def query(self) -> MultiMap[str]:
        """The query's parameters, decoded; a name without a value has "" as its value."""
        query = self._query
        if type(query) is not MultiMap:
            query = self._query = MultiMap(parse_query(query) if type(query) is str else query)
        return query

    @property
    def query_string(self) -> str:
        """The query as it came, without the `?`; encoded anew where the platform handed it over decoded."""
        if type(self._query) is str:
            return self._query
        from urllib.parse import urlencode

        return urlencode(self.query.multi_items())

    @property
    def cookies(self) -> Mapping[str, str]:
        """The cookies by name; of two with one name the first, which is the more specific path's (RFC 6265, 5.4)."""
        if self._cookies is None:
            self._cookies = {}
            for line in self.headers.getlist("cookie"):
                for pair in line.split(";"):
                    name, found, value = pair.partition("=")
                    if found:
                        self._cookies.setdefault(name.strip(), value.strip().strip('"'))
        return self._cookies

    @property
    def text(self) -> str:
        """The body as text in the content type's charset, else UTF-8. Raises BadRequest when it is not."""
        from portable_contracts.forms import header_parameters

        charset = header_parameters(self.headers.get("content-type", ""))[1].get("charset", "utf-8")
        try:
            return self.body.decode(charset)
        except (UnicodeDecodeError, LookupError) as error:
            raise BadRequest(f"the body is not {charset} text: {error}") from error

    def json(self) -> Json:
        """Return the body as JSON. Raises BadRequest (400 when a handler lets it pass) when it is not."""
        try:
            return read_json(self.body)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the body is not JSON: {error}") from error

    def form(self) -> MultiMap[str | Upload]:
        """Return an HTML form's fields: str, or Upload for a file (`multipart/form-data`).

        Raises BadRequest for a body of another content type, or a broken one.
        """
        if self._form is None:
            from portable_contracts.forms import parse_form

            try:
                self._form = MultiMap(parse_form(self.headers.get("content-type", ""), self.body))
            except InvalidArgument as error:
                raise BadRequest(str(error)) from error
        return self._form

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Request):
            return NotImplemented
        return (
            self.method == other.method
            and self.path == other.path
            and self.query == other.query
            and self.headers == other.headers
            and self.body == other.body
            and self.client == other.client
        )

    __hash__ = None  # type: ignore[assignment]  # equal by content, and headers can change

    def __repr__(self) -> str:
        # Headers and query may hold credentials: they are never part of a repr that lands in a log.
        return f"Request({self.method} {self.path}, {len(self.body)} bytes, id={self.id!r})"


class Response:
    """An HTTP answer."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body: bytes | str | None = b"", status: int = 200, headers: HeadersInit = None) -> None:
        """Make an answer of bytes, or of text, which is sent as UTF-8 and as `text/plain` unless *headers* say else.

        Raises InvalidArgument for another type of body, a status outside 100..599, or a header HTTP cannot carry.
        """
        if type(status) is not int or not 100 <= status <= 599:
            raise InvalidArgument(f"status {status!r} is not an HTTP status: use an int from 100 to 599")
        self.status = status
        self.headers = Headers(headers)
        if body is None:
            self.body = b""
        elif isinstance(body, str):
            self.body = body.encode()
            if "content-type" not in self.headers:
                self.headers._lists["content-type"] = ["text/plain; charset=utf-8"]
        elif isinstance(body, (bytes, bytearray, memoryview)):
            self.body = bytes(body)
        else:
            raise InvalidArgument(
                f"a response body is bytes or str, not {type(body).__name__}: for JSON use Response.json(value)"
            )

    @classmethod
    def _of(cls, body: bytes, content_type: str, status: int, headers: HeadersInit) -> Response:
        if headers is None and status == 200:  # Nothing to check: half the cost of what nearly all handlers return.
            response = cls.__new__(cls)
            response.status, response.body, response.headers = 200, body, Headers()
        else:
            response = cls(body, status, headers)
        response.headers._lists.setdefault("content-type", [content_type])
        return response

    @classmethod
    def json(cls, value: Json, status: int = 200, headers: HeadersInit = None) -> Response:
        """Answer with *value* as JSON. Raises InvalidArgument for what JSON cannot say: NaN, bytes, other objects."""
        return cls._of(encode_json(value), "application/json", status, headers)

    @classmethod
    def text(cls, text: str, status: int = 200, headers: HeadersInit = None) -> Response:
        """Answer with plain text, as UTF-8."""
        return cls._of(text.encode(), "text/plain; charset=utf-8", status, headers)

    @classmethod
    def html(cls, html: str, status: int = 200, headers: HeadersInit = None) -> Response:
        """Answer with HTML, as UTF-8."""
        return cls._of(html.encode(), "text/html; charset=utf-8", status, headers)

    @classmethod
    def redirect(cls, location: str, status: int = 302, headers: HeadersInit = None) -> Response:
        """Send the client to *location*: 302, or 301, 303, 307, 308."""
        if status not in (301, 302, 303, 307, 308):
            raise InvalidArgument(f"status {status} does not redirect: use 301, 302, 303, 307 or 308")
        response = cls(b"", status, headers)
        response.headers["location"] = location
        return response

    def set_cookie(
        self,
        name: str,
        value: str,
        *,
        max_age: timedelta | None = None,
        expires: datetime | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        http_only: bool = False,
        same_site: str | None = "Lax",
    ) -> None:
        """Add a Set-Cookie header. Raises InvalidArgument for what a cookie cannot carry (RFC 6265, 4.1.1)."""
        from portable_contracts.cookies import set_cookie

        line = set_cookie(name, value, max_age, expires, path, domain, secure, http_only, same_site)
        self.headers.add("set-cookie", line)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Response):
            return NotImplemented
        return self.status == other.status and self.headers == other.headers and self.body == other.body

    __hash__ = None  # type: ignore[assignment]  # equal by content, and headers can change

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes)"


_encode: Callable[[Json], str] | None = None


def encode_json(value: Json) -> bytes:
    """Return *value* as compact UTF-8 JSON. Raises InvalidArgument, naming the type, for what JSON cannot say."""
    global _encode
    if _encode is None:
        from json import JSONEncoder

        # Kept: `json.dumps` with options makes a new encoder each time, which costs as much as what it does.
        _encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
    try:
        return _encode(value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"the value cannot be sent as JSON: {error}") from error


class HttpCapabilities(Capabilities):
    """What a provider's HTTP front carries. The defaults are the portable profile."""

    max_request_bytes: int = 6_000_000
    max_response_bytes: int = 6_000_000
    max_seconds: int = 30


class HttpCodec(ABC):
    """Translates one native HTTP invocation, both ways. Pure: no I/O; the only clock is the context's."""

    shape: ClassVar[str]
    """The platform's name of the shape, as `portable decode` prints it: `"aws.http.v2"`."""
    trigger: ClassVar[str] = "http"
    """What tells it from the codecs of events."""

    @abstractmethod
    def recognises(self, raw: Any) -> bool:
        """Say whether *raw* has this shape; no other codec may say so too. Never raises."""

    @abstractmethod
    def decode(self, raw: Any, native_context: Any) -> Request:
        """Return the request, its context included. Raises InvalidArgument for a broken one, naming the field."""

    @abstractmethod
    def encode(self, response: Response, request: Request) -> Any:
        """Return the platform's answer. Raises InvalidArgument for what the platform cannot carry."""


__all__ = [
    "BadRequest",
    "Headers",
    "HttpCapabilities",
    "HttpCodec",
    "MultiMap",
    "Request",
    "Response",
    "encode_json",
    "unquote",
]
