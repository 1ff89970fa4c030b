"""What invokes an Azure function beside HTTP: queues, blobs, Event Grid, timers, Cosmos DB's change feed.

`raw` is an Invocation that the entry point made. The JSON of those triggers that have one is read as it is too.
https://learn.microsoft.com/azure/azure-functions/functions-triggers-bindings
"""

from __future__ import annotations

import json

from portable_azure._context import context_of
from portable_azure._envelope import unpack
from portable_azure._invocation import Invocation
from portable_contracts.cloudevents import read_json
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import BlobEvent, Change, CloudEvent, EventCodec, Message, Tick
from portable_contracts.reading import epoch, mapping, moment, text, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from portable_contracts.events import Context, Event


def _is(raw: Any, trigger: str) -> bool:
    return isinstance(raw, Invocation) and raw.trigger == trigger


def _each(payload: Any) -> Sequence[Any]:
    return payload if type(payload) in (list, tuple) else (payload,)


def _utc(when: Any) -> datetime | None:
    """Return a time of the worker's, which may have no zone and means UTC then."""
    if when is None:
        return None
    from datetime import timezone

    aware: datetime = when.replace(tzinfo=timezone.utc) if when.tzinfo is None else when.astimezone(timezone.utc)
    return aware


class StorageQueue(EventCodec):
    """https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger"""

    shape = "azure.queue"
    trigger = "message"

    def recognises(self, raw: Any) -> bool:
        return _is(raw, "queueTrigger")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        message, context = raw.payload, context_of(native_context)
        body, attributes = unpack(message.get_body())
        return [
            Message(
                message.id or context.invocation_id,
                raw.source,
                body,
                attributes,
                message.dequeue_count or 1,
                _utc(message.insertion_time),
                context=context,
                native=message,
            )
        ]


class ServiceBus(EventCodec):
    """One message, or several where the function's cardinality is many.

    https://learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus-trigger
    """

    shape = "azure.servicebus"
    trigger = "message"

    def recognises(self, raw: Any) -> bool:
        return _is(raw, "serviceBusTrigger")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        return [_bus_message(message, raw.source, context) for message in _each(raw.payload)]


def _bus_message(message: Any, queue: str, context: Context) -> Message:
    # The second is what the extension called them before its version 5.
    properties = message.application_properties or message.user_properties or {}
    attempt = message.delivery_count or 1
    if type(message.message_id) is not str or type(attempt) is not int or type(properties) is not dict:
        raise InvalidArgument("the message's MessageId, DeliveryCount or ApplicationProperties has another type")
    return Message(
        message.message_id,
        queue,
        message.get_body(),
        {name: value if type(value) is str else json.dumps(value) for name, value in properties.items()},
        attempt,
        _utc(message.enqueued_time_utc),
        str(message.session_id) if message.session_id else None,
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
        told, context = blob.blob_properties or {}, context_of(native_context)
        version = text(told, "ETag", "").strip('"') or None
        when = moment(told, "LastModified") if "LastModified" in told else epoch(context.clock(), "the clock's time")
        # Not blob.length, which is None for an empty one.
        size = next((whole(told, name) for name in ("ContentLength", "Length") if name in told), None)
        event_id = f"{blob.name}/{version or context.invocation_id}"
        return [BlobEvent(event_id, container, key, "created", when, size, version, context, blob)]


class Timer(EventCodec):
    """https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer"""

    shape = "azure.timer"
    trigger = "schedule"

    def recognises(self, raw: Any) -> bool:
        return _is(raw, "timerTrigger") or (type(raw) is dict and "IsPastDue" in raw and "ScheduleStatus" in raw)

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        if isinstance(raw, Invocation):
            name, native, status = raw.source, raw.payload, {"ScheduleStatus": raw.payload.schedule_status}
        else:
            name, native, status = context.function, raw, raw
        due = _due(mapping(status, "ScheduleStatus", optional=True), context)
        return [Tick(name, due, context.invocation_id, context, native)]


def _due(status: Mapping[str, Any], context: Context) -> datetime:
    """Return when the schedule was due.

    While the function runs `Next` is still that time; without it, and in a run by hand, this minute is.
    https://github.com/Azure/azure-webjobs-sdk-extensions/blob/dev/src/WebJobs.Extensions/Extensions/Timers/Listener/TimerListener.cs
    """
    now = epoch(context.clock(), "the clock's time")
    following = moment(status, "Next") if status.get("Next") else None
    if following is not None and (following - now).total_seconds() < 60:
        return following
    return now.replace(second=0, microsecond=0)


class CosmosChangeFeed(EventCodec):
    """Cosmos DB's change feed, in either of its modes.

    "All versions and deletes", which the entry point asks for, tells what was done; of the value before only where the
    account keeps it. "Latest version" gives items as they are now, and no deletions.
    https://learn.microsoft.com/azure/cosmos-db/change-feed-modes
    """

    shape = "azure.cosmos"
    trigger = "change"
    ordered = True

    def recognises(self, raw: Any) -> bool:
        return _is(raw, "cosmosDBTrigger") or (
            type(raw) is list
            and bool(raw)
            and all(type(item) is dict and ("_lsn" in item or _is_full(item)) for item in raw)
        )

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        table, items = (raw.source, raw.payload) if isinstance(raw, Invocation) else ("", raw)
        return [_change(item, table, context) for item in items]


def _is_full(item: Mapping[str, Any]) -> bool:
    metadata = item.get("metadata")
    return type(metadata) is dict and "operationType" in metadata and "lsn" in metadata


def _change(document: Any, table: str, context: Context) -> Change:
    if document is None:
        raise InvalidArgument("an item of the change feed is null; expected a map")
    item = dict(document)
    if not _is_full(item):
        partition, sort, new = _item(item)
        kind, old, when = "updated", None, whole(item, "_ts")
        version = text(item, "_etag")
    else:
        metadata = mapping(item, "metadata")
        kind = _OPERATIONS.get(text(metadata, "operationType"), "")
        if not kind:
            raise InvalidArgument(
                f"operationType is {metadata['operationType'][:40]!r}, which is none of the change feed"
            )
        before, after = mapping(item, "previous", optional=True), mapping(item, "current", optional=True)
        old = _item(before)[2] if before and kind != "created" else None
        new = _item(after)[2] if kind != "deleted" else None
        partition, sort = _item(before or after)[:2] if before or after else _deleted_keys(metadata)
        when = whole(metadata, "crts")
        version = text(after, "_etag", "") or str(whole(metadata, "lsn"))  # Several changes may share the second.
    event_id = "/".join((partition, sort, version.strip('"')))
    return Change(event_id, table, partition, sort, kind, old, new, epoch(when, "the change's time"), context, document)


_OPERATIONS = {"create": "created", "replace": "updated", "delete": "deleted"}


def _item(fields: Mapping[str, Any]) -> tuple[str, str, Any]:
    """Return the keys and the value: the fields of these names, else the document's id and its own fields."""
    if type(fields.get("partition")) is str and type(fields.get("sort")) is str and "value" in fields:
        return fields["partition"], fields["sort"], fields["value"]
    own = {name: value for name, value in fields.items() if not name.startswith("_") and name != "id"}
    return text(fields, "id"), "", own


def _deleted_keys(metadata: Mapping[str, Any]) -> tuple[str, str]:
    keys = mapping(metadata, "partitionKey", optional=True)
    if type(keys.get("partition")) is str:
        return keys["partition"], text(metadata, "id")
    return text(metadata, "id"), ""


class EventGrid(EventCodec):
    """Event Grid's events in both schemas; those of blobs have the codec below.

    https://learn.microsoft.com/azure/event-grid/event-schema and https://learn.microsoft.com/azure/event-grid/cloud-event-schema
    """

    shape = "azure.eventgrid"
    trigger = "event"

    def recognises(self, raw: Any) -> bool:
        return _is_grid(raw) and not _is_blob(raw)

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        return [self._event(fields, context_of(native_context, text(fields, "id"))) for fields in _grid_events(raw)]

    def _event(self, fields: Mapping[str, Any], context: Context) -> CloudEvent:
        if "specversion" in fields:
            return read_json(fields, context)
        return CloudEvent(
            text(fields, "id"),
            text(fields, "topic", ""),
            text(fields, "eventType"),
            fields.get("data"),
            text(fields, "subject"),
            moment(fields, "eventTime"),
            "application/json",
            context=context,
            native=fields,
        )


class EventGridBlob(EventCodec):
    """https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage"""

    shape = "azure.eventgrid.blob"
    trigger = "blob"

    def recognises(self, raw: Any) -> bool:
        return _is_grid(raw) and _is_blob(raw)

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        return [self._event(fields, context_of(native_context, text(fields, "id"))) for fields in _grid_events(raw)]

    def _event(self, fields: Mapping[str, Any], context: Context) -> BlobEvent:
        # Some samples of the subject have no slash in front.
        subject = "/" + text(fields, "subject").lstrip("/")
        container, found, key = subject.partition("/containers/")[2].partition("/blobs/")
        if not found or not key:
            raise InvalidArgument(
                f"subject is {subject[:80]!r}; expected /blobServices/default/containers/C/blobs/PATH"
            )
        data, created = mapping(fields, "data"), _kind(fields) == _CREATED
        return BlobEvent(
            text(fields, "id"),
            container,
            key,
            "created" if created else "deleted",
            moment(fields, "time" if "time" in fields else "eventTime"),
            whole(data, "contentLength") if created and "contentLength" in data else None,
            text(data, "eTag", "").strip('"') or None if created else None,
            context,
            fields,
        )


_CREATED, _DELETED = "Microsoft.Storage.BlobCreated", "Microsoft.Storage.BlobDeleted"


def _grid_events(raw: Any) -> Sequence[Mapping[str, Any]]:
    events = _each(raw.payload if isinstance(raw, Invocation) else raw)
    for event in events:
        if type(event) is not dict:
            raise InvalidArgument(f"an event of Event Grid is a map, not of type {type(event).__name__}")
    return events


def _is_grid(raw: Any) -> bool:
    """Recognise an invocation, or the JSON of events: in Event Grid's schema, or Microsoft's as CloudEvents."""
    if isinstance(raw, Invocation):
        return raw.trigger == "eventGridTrigger"
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
    events = _each(raw.payload if isinstance(raw, Invocation) else raw)
    return bool(events) and all(type(event) is dict and _kind(event) in (_CREATED, _DELETED) for event in events)


def _kind(fields: Mapping[str, Any]) -> Any:
    return fields.get("type") or fields.get("eventType")
