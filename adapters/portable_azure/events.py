"""What invokes an Azure function beside HTTP: queues, blobs, Event Grid, timers, Cosmos DB's change feed.

`raw` is an Invocation that the entry point made; Event Grid's JSON, in either schema, is read as it is too.
https://learn.microsoft.com/azure/azure-functions/functions-triggers-bindings
"""

from __future__ import annotations

from portable_azure._context import context_of
from portable_azure._invocation import Invocation
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import BlobEvent, Change, CloudEvent, EventCodec, Message, Tick
from portable_contracts.reading import mapping, moment, text, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from portable_contracts.events import Context, Event


def _is(raw: Any, trigger: str) -> bool:
    return isinstance(raw, Invocation) and raw.trigger == trigger


def _each(payload: Any) -> Sequence[Any]:
    return payload if isinstance(payload, (list, tuple)) else (payload,)


def _utc(when: Any) -> datetime | None:
    """Return a time of the worker's, which may have no zone and means UTC then."""
    if when is None:
        return None
    from datetime import timezone

    aware: datetime = when.replace(tzinfo=timezone.utc) if when.tzinfo is None else when.astimezone(timezone.utc)
    return aware


def _now() -> datetime:
    from datetime import datetime, timezone

    return datetime.now(timezone.utc)


class StorageQueue(EventCodec):
    """https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger"""

    shape = "azure.queue"
    trigger = "message"

    def recognises(self, raw: Any) -> bool:
        return _is(raw, "queueTrigger")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        message = raw.payload
        return [
            Message(
                str(message.id),
                raw.source,
                message.get_body(),
                attempt=message.dequeue_count or 1,
                sent=_utc(message.insertion_time),
                context=context_of(native_context, str(message.id)),
                native=message,
            )
        ]


class ServiceBus(EventCodec):
    """https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus-trigger"""

    shape = "azure.servicebus"
    trigger = "message"

    def recognises(self, raw: Any) -> bool:
        return _is(raw, "serviceBusTrigger")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        return [self._message(message, raw.source, context) for message in _each(raw.payload)]

    def _message(self, message: Any, queue: str, context: Context) -> Message:
        properties = message.application_properties or {}
        return Message(
            str(message.message_id),
            queue,
            message.get_body(),
            {str(name): str(value) for name, value in properties.items()},
            message.delivery_count or 1,
            _utc(message.enqueued_time_utc),
            message.session_id or None,
            context,
            message,
        )


class BlobTrigger(EventCodec):
    """A blob that was written; the trigger does not tell of deletions, Event Grid does.

    https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-blob-trigger
    """

    shape = "azure.blob"
    trigger = "blob"

    def recognises(self, raw: Any) -> bool:
        return _is(raw, "blobTrigger")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        blob = raw.payload
        container, _, key = (blob.name or "").partition("/")
        if not key:
            raise InvalidArgument(f"the blob's name is {blob.name!r}; expected container/path")
        told = getattr(blob, "blob_properties", None) or {}
        version = str(told.get("ETag") or "").strip('"') or None
        when = moment(told, "LastModified") if told.get("LastModified") else _now()
        context = context_of(native_context)
        event_id = f"{blob.name}/{version}" if version else context.invocation_id
        return [BlobEvent(event_id, container, key, "created", when, blob.length, version, context, blob)]


class Timer(EventCodec):
    """https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer"""

    shape = "azure.timer"
    trigger = "schedule"

    def recognises(self, raw: Any) -> bool:
        return _is(raw, "timerTrigger")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        # The host calls within seconds of the minute that was due, and names only the time before it and the next one.
        due = _now().replace(second=0, microsecond=0)
        context = context_of(native_context)
        return [Tick(raw.source, due, context.invocation_id, context, raw.payload)]


class CosmosChangeFeed(EventCodec):
    """Cosmos DB's change feed: the newest version of each item, without the older one, and without deletions.

    https://learn.microsoft.com/azure/azure-functions/functions-bindings-cosmosdb-v2-trigger
    """

    shape = "azure.cosmos"
    trigger = "change"
    ordered = True

    def recognises(self, raw: Any) -> bool:
        return _is(raw, "cosmosDBTrigger")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        from portable_contracts.reading import epoch

        context = context_of(native_context)
        changes: list[Event] = []
        for document in _each(raw.payload):
            fields = dict(document)
            when = epoch(whole(fields, "_ts"), "_ts") if "_ts" in fields else _now()
            event_id = f"{text(fields, 'id')}/{fields.get('_lsn', fields.get('_etag', ''))}"
            partition, sort, value = _item(fields)
            changes.append(
                Change(event_id, raw.source, partition, sort, "updated", None, value, when, context, document)
            )
        return changes


def _item(fields: Mapping[str, Any]) -> tuple[str, str, Any]:
    """Return the keys and the value: those that portable wrote, else the document's id and its own fields."""
    if type(fields.get("partition")) is str and type(fields.get("sort")) is str and "value" in fields:
        return fields["partition"], fields["sort"], fields["value"]
    own = {name: value for name, value in fields.items() if not name.startswith("_") and name != "id"}
    return str(fields["id"]), "", own


class EventGrid(EventCodec):
    """Event Grid's events in both schemas; those of blobs have the codec below.

    https://learn.microsoft.com/azure/event-grid/event-schema and https://learn.microsoft.com/azure/event-grid/cloud-event-schema
    """

    shape = "azure.eventgrid"
    trigger = "event"

    def recognises(self, raw: Any) -> bool:
        return (_is(raw, "eventGridTrigger") or _is_grid(raw)) and not _is_blob(raw)

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        events: list[Event] = []
        for fields in map(_fields, _payloads(raw)):
            context = context_of(native_context, text(fields, "id"))
            events.append(
                CloudEvent(
                    text(fields, "id"),
                    text(fields, "source", "") or text(fields, "topic", ""),
                    _kind(fields),
                    fields.get("data"),
                    text(fields, "subject", "") or None,
                    moment(fields, "time" if "time" in fields else "eventTime"),
                    "application/json",
                    context=context,
                    native=raw,
                )
            )
        return events


class EventGridBlob(EventCodec):
    """https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage"""

    shape = "azure.eventgrid.blob"
    trigger = "blob"

    def recognises(self, raw: Any) -> bool:
        return (_is(raw, "eventGridTrigger") or _is_grid(raw)) and _is_blob(raw)

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        return [self._event(_fields(payload), raw, native_context) for payload in _payloads(raw)]

    def _event(self, fields: Mapping[str, Any], raw: Any, native_context: Any) -> BlobEvent:
        # Some samples of the subject have no slash in front.
        subject = "/" + text(fields, "subject").lstrip("/")
        container, found, key = subject.partition("/containers/")[2].partition("/blobs/")
        if not found or not key:
            raise InvalidArgument(
                f"subject is {subject[:80]!r}; expected /blobServices/default/containers/C/blobs/PATH"
            )
        data, kind = mapping(fields, "data"), _BLOB_KINDS[_kind(fields)]
        created = kind == "created"
        return BlobEvent(
            text(fields, "id"),
            container,
            key,
            kind,
            moment(fields, "time" if "time" in fields else "eventTime"),
            whole(data, "contentLength", 0) if created else None,
            text(data, "eTag", "").strip('"') or None if created else None,
            context_of(native_context, text(fields, "id")),
            raw,
        )


_BLOB_KINDS = {"Microsoft.Storage.BlobCreated": "created", "Microsoft.Storage.BlobDeleted": "deleted"}


def _payloads(raw: Any) -> Sequence[Any]:
    return _each(raw.payload if isinstance(raw, Invocation) else raw)


def _is_grid(raw: Any) -> bool:
    """Recognise the JSON of one event or a list of them: in Event Grid's schema, or Microsoft's as CloudEvents."""
    events = _each(raw)
    return bool(events) and all(
        type(event) is dict
        and (
            ("eventType" in event and "eventTime" in event and "subject" in event)
            or (str(event.get("type", "")).startswith("Microsoft.") and "source" in event)
        )
        for event in events
    )


def _is_blob(raw: Any) -> bool:
    return all(_kind(_fields(payload)) in _BLOB_KINDS for payload in _payloads(raw))


def _kind(fields: Mapping[str, Any]) -> str:
    return str(fields.get("type") or fields.get("eventType") or "")


def _fields(event: Any) -> Mapping[str, Any]:
    """Return an event as its JSON: what the worker hands over is an object, EventGridEvent or CloudEvent."""
    if isinstance(event, dict):
        return event
    fields: dict[str, Any] = {"id": event.id, "subject": event.subject, "data": event.get_json()}
    if hasattr(event, "event_type"):
        fields |= {"topic": event.topic, "eventType": event.event_type, "eventTime": _text(event.event_time)}
    else:
        fields |= {"source": event.source, "type": event.type, "time": _text(event.time)}
    return fields


def _text(when: Any) -> str:
    utc = _utc(when)
    return "" if utc is None else utc.isoformat()
