"""What calls handlers on this machine beside HTTP, as JSON: for `portable invoke`, `portable decode`, and tests.

    {"portable": "message", "events": [{"id": "m-1", "queue": "thumbs", "body": "hi", "attempt": 1}]}

The first word is the trigger; the events have the fields of the contracts' types, times as in RFC 3339. Bytes are
`{"$bytes": "<base64>"}`, as in the database; text stands for its UTF-8. CloudEvents are in their own JSON format.
"""

from __future__ import annotations

from portable_contracts.cloudevents import read_json
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import BlobEvent, Change, EventCodec, Message, Tick
from portable_contracts.reading import mapping, moment, records, text, whole
from portable_local._context import context_of
from portable_local._json import dump, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from portable_contracts.events import CloudEvent, Context, Event


def written(events: Sequence[Event]) -> dict[str, Any]:
    """Return the JSON of *events*, which are all of one type: what the codecs here decode to equal ones."""
    first = events[0]
    if isinstance(first, Message):
        return {"portable": "message", "events": [_fields(event, sent=_time, body=_body) for event in events]}
    if isinstance(first, BlobEvent):
        return {"portable": "blob", "events": [_fields(event, time=_time) for event in events]}
    if isinstance(first, Change):
        return {
            "portable": "change",
            "events": [_fields(event, time=_time, old=_value, new=_value) for event in events],
        }
    if isinstance(first, Tick):
        return {"portable": "schedule", "events": [_fields(event, time=_time) for event in events]}
    return {"portable": "event", "events": [_cloudevent(event) for event in events]}  # type: ignore[arg-type]  # the last type


def _fields(event: Any, **translated: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name in event._fields:
        value = getattr(event, name)
        if name not in event._uncompared and value is not None:
            fields[name] = (
                translated[name](value) if name in translated else dict(value) if name == "attributes" else value
            )
    return fields


def _time(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def _body(body: bytes) -> Any:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return _value(body)


def _value(value: Any) -> Any:
    """Return *value* with its bytes as JSON can say them."""
    import json

    return json.loads(dump(value))


def _read(record: Mapping[str, Any], name: str) -> Any:
    """Return the value at *name*, as `_value` was given it."""
    import json

    try:
        return load(json.dumps(record.get(name)))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"{name} cannot be read: {error}") from error


def _cloudevent(event: CloudEvent) -> dict[str, Any]:
    fields: dict[str, Any] = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    if event.subject is not None:
        fields["subject"] = event.subject
    if event.time is not None:
        fields["time"] = _time(event.time)
    if event.content_type is not None:
        fields["datacontenttype"] = event.content_type
    if isinstance(event.data, bytes):
        fields["data_base64"] = _value(event.data)["$bytes"]
    elif event.data is not None:
        fields["data"] = event.data
    return {**fields, **event.extensions}


class _LocalCodec(EventCodec):
    """One trigger's events, in the JSON above."""

    def recognises(self, raw: Any) -> bool:
        return type(raw) is dict and raw.get("portable") == self.trigger and type(raw.get("events")) is list

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        return [self._event(record, context) for record in records(raw, "events")]

    def _event(self, record: Mapping[str, Any], context: Context) -> Event:
        raise NotImplementedError


class MessageCodec(_LocalCodec):
    """Messages, whose failures are answered one by one: `{"failed": ["m-1"]}`."""

    shape = "local.message"
    trigger = "message"
    partial = True

    def _event(self, record: Mapping[str, Any], context: Context) -> Message:
        body = _read(record, "body")
        if not isinstance(body, (str, bytes)):
            raise InvalidArgument('body is neither text nor {"$bytes": ...}')
        try:
            encoded = body.encode() if isinstance(body, str) else body
        except UnicodeEncodeError as error:
            raise InvalidArgument(f"body holds a lone surrogate, which no UTF-8 text can carry: {error}") from error
        attributes = mapping(record, "attributes", optional=True)
        return Message(
            text(record, "id"),
            text(record, "queue"),
            encoded,
            {name: text(attributes, name) for name in attributes},
            whole(record, "attempt", 1),
            moment(record, "sent") if record.get("sent") is not None else None,
            text(record, "group", "") or None,
            context,
            record,
        )

    def encode(self, events: Sequence[Event], failed: Sequence[bool]) -> Any:
        return {"failed": [event.id for event, again in zip(events, failed) if again]}  # noqa: B905  # as many


class BlobCodec(_LocalCodec):
    shape = "local.blob"
    trigger = "blob"

    def _event(self, record: Mapping[str, Any], context: Context) -> BlobEvent:
        return BlobEvent(
            text(record, "id"),
            text(record, "bucket"),
            text(record, "key"),
            _kind(record, ("created", "deleted")),
            moment(record, "time"),
            whole(record, "size") if record.get("size") is not None else None,
            text(record, "version", "") or None,
            context,
            record,
        )


class ChangeCodec(_LocalCodec):
    shape = "local.change"
    trigger = "change"
    ordered = True

    def _event(self, record: Mapping[str, Any], context: Context) -> Change:
        return Change(
            text(record, "id"),
            text(record, "table"),
            text(record, "partition"),
            text(record, "sort", ""),
            _kind(record, ("created", "updated", "deleted")),
            _read(record, "old"),
            _read(record, "new"),
            moment(record, "time"),
            context,
            record,
        )


class ScheduleCodec(_LocalCodec):
    shape = "local.schedule"
    trigger = "schedule"

    def _event(self, record: Mapping[str, Any], context: Context) -> Tick:
        return Tick(text(record, "schedule"), moment(record, "time"), text(record, "id", ""), context, record)


class CloudEventCodec(_LocalCodec):
    shape = "local.event"
    trigger = "event"

    def _event(self, record: Mapping[str, Any], context: Context) -> CloudEvent:
        return read_json(record, context)


def _kind(record: Mapping[str, Any], kinds: Sequence[str]) -> str:
    kind = text(record, "kind")
    if kind not in kinds:
        raise InvalidArgument(f"kind is {kind[:20]!r}; expected {' or '.join(kinds)}")
    return kind
