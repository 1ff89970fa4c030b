"""CloudEvents 1.0 over HTTP, in all three content modes.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md (modes, percent-decoding)
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md (structured and batched JSON)
"""

from __future__ import annotations

from portable_contracts._percent import unquote_exact
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import NO_CONTEXT, CloudEvent
from portable_contracts.reading import decoded, parse_moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from portable_contracts.events import Context
    from portable_contracts.http import Headers, Request

_KNOWN = frozenset(("id", "source", "type", "specversion", "subject", "time", "datacontenttype", "data", "data_base64"))


def is_cloudevent(headers: Headers) -> bool:
    """Say whether an HTTP message with *headers* is one or more CloudEvents, in whatever mode."""
    return "ce-specversion" in headers or _media_type(headers).startswith("application/cloudevents")


def read_http(request: Request) -> Sequence[CloudEvent]:
    """Return the CloudEvents that *request* carries. Raises InvalidArgument for broken ones, naming the attribute."""
    kind = _media_type(request.headers)
    if kind.startswith("application/cloudevents-batch"):
        batch = request.json()
        if type(batch) is not list:
            raise InvalidArgument("a batch of CloudEvents is a JSON list")
        return [read_json(event, request.context, request.native) for event in batch]
    if kind.startswith("application/cloudevents"):
        return [read_json(request.json(), request.context, request.native)]
    return [_binary(request)]


def read_json(event: Any, context: Context = NO_CONTEXT, native: Any = None) -> CloudEvent:
    """Return the CloudEvent in the JSON format. Raises InvalidArgument for a broken one, naming the attribute."""
    if type(event) is not dict:
        raise InvalidArgument(f"a CloudEvent is a JSON object, not of type {type(event).__name__}")
    content_type = event.get("datacontenttype")
    data = event.get("data")
    if event.get("data_base64") is not None:
        if data is not None:
            raise InvalidArgument("a CloudEvent has data or data_base64, not both")
        data = decoded(event, "data_base64", True)
    return _event(event, data, content_type, context, event if native is None else native)


def _binary(request: Request) -> CloudEvent:
    attributes = {
        name[3:]: _header_value(name, value) for name, value in request.headers.items() if name.startswith("ce-")
    }
    content_type = request.headers.get("content-type")
    data: Any = request.body
    if not request.body:
        data = None
    elif content_type is not None and _is_json(content_type):
        data = request.json()
    elif content_type is not None and content_type.lower().startswith("text/"):
        data = _text(request)
    return _event(attributes, data, content_type, request.context, request.native)


def _event(attributes: Mapping[str, Any], data: Any, content_type: Any, context: Context, native: Any) -> CloudEvent:
    for name in ("id", "source", "type", "specversion"):
        if type(attributes.get(name)) is not str or not attributes[name]:
            raise InvalidArgument(f"the CloudEvent's attribute {name} is missing or no text")
    if attributes["specversion"] != "1.0":
        raise InvalidArgument(f"the CloudEvent's specversion is {attributes['specversion'][:20]!r}; only 1.0 is known")
    for name in ("subject", "time"):
        if attributes.get(name) is not None and type(attributes[name]) is not str:
            raise InvalidArgument(f"the CloudEvent's attribute {name} is no text")
    if content_type is not None and type(content_type) is not str:
        raise InvalidArgument("the CloudEvent's attribute datacontenttype is no text")
    extensions: dict[str, str] = {}
    for name, value in attributes.items():
        if name in _KNOWN or value is None:
            continue
        # The types of the specification have one text form each (section "Type System").
        extensions[name] = value if type(value) is str else str(value).lower() if type(value) is bool else str(value)
    time = attributes.get("time")
    return CloudEvent(
        attributes["id"],
        attributes["source"],
        attributes["type"],
        data,
        attributes.get("subject"),
        None if time is None else parse_moment(time, "time"),
        content_type,
        extensions,
        context,
        native,
    )


def _text(request: Request) -> str | bytes:
    """Return the body as text, as the same event has it in JSON; as bytes where it is not what its charset says."""
    try:
        return request.text
    except InvalidArgument:
        return request.body


def _header_value(name: str, value: str) -> str:
    """Decode a header's value: quotes off, then percent-decoding once (section 3.1.3.2)."""
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    try:
        return unquote_exact(value)
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"header {name} is not percent-encoded UTF-8: {error.reason}") from error


def _media_type(headers: Headers) -> str:
    content_type: str = headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower()


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.endswith(("/json", "+json"))


def to_json(event: CloudEvent) -> dict[str, Any]:
    """Return *event* in the JSON format, but bytes as bytes: what `read_json` reads back."""
    document: dict[str, Any] = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    if event.subject is not None:
        document["subject"] = event.subject
    if event.time is not None:
        document["time"] = event.time.isoformat()
    if event.content_type is not None:
        document["datacontenttype"] = event.content_type
    return {**document, **event.extensions, "data": event.data}
