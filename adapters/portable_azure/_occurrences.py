"""What the Functions host hands a worker to tell of a portable event: for the suite, and for `portable invoke`.

The pages are those of the codecs in events.py.
"""

from __future__ import annotations

from portable_azure._envelope import pack
from portable_contracts.events import BlobEvent, Change, CloudEvent, Message, Tick
from portable_contracts.telling import Differs, base64_of, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from portable_contracts.events import Event
    from portable_contracts.telling import Writer

SHAPES: Mapping[str, tuple[str, ...]] = {
    "message": ("azure.queue", "azure.servicebus"),
    "blob": ("azure.blob", "azure.eventgrid.blob", "azure.eventgrid.blob~cloudevent"),
    "change": ("azure.cosmos",),
    "schedule": ("azure.timer",),
    "event": ("azure.eventgrid", "azure.eventgrid~cloudevent"),
}


def document(shape: str, event: Event) -> Mapping[str, Any] | None:
    """Return the invocation by *shape* that tells of *event*; None where it cannot."""
    differs = Differs()
    raw = _WRITERS[shape](event, differs)
    if raw is None:
        return None
    context = {"invocation_id": event.id if isinstance(event, Tick) else "r-1", "function_name": "event"}
    return {"raw": raw, "context": context, "differs": differs}


def _bytes(content: bytes) -> dict[str, Any]:
    return {"bytes": {"base64": base64_of(content)}}


def _queue(message: Message, differs: Differs) -> Any:
    differs.instead("a Storage queue has no groups", group=None)
    metadata: dict[str, Any] = {"Id": message.id, "DequeueCount": message.attempt, "PopReceipt": "AgAAAAMAAAAAAAAA"}
    if message.sent is not None:
        metadata["InsertionTime"] = _zoned(message.sent)
    data = _bytes(pack(message.body, message.attributes))
    return {"trigger": "queueTrigger", "source": message.queue, "data": data, "metadata": metadata}


def _servicebus(message: Message, differs: Differs) -> Any:
    metadata: dict[str, Any] = {
        "MessageId": message.id,
        "SequenceNumber": 1,
        "DeliveryCount": message.attempt,
        "ApplicationProperties": dict(message.attributes),
        "UserProperties": dict(message.attributes),
    }
    if message.sent is not None:
        metadata["EnqueuedTimeUtc"] = _zoned(message.sent)
    if message.group is not None:
        metadata |= {"SessionId": message.group, "PartitionKey": message.group}
    data = _bytes(message.body)
    return {"trigger": "serviceBusTrigger", "source": message.queue, "data": data, "metadata": metadata}


def _blob(event: BlobEvent, differs: Differs) -> Any:
    if event.kind != "created" or event.version is None:
        return None  # The trigger tells of no deletions, and every blob has an ETag.
    name = f"{event.bucket}/{event.key}"
    differs.instead("the trigger has no id of its own", id=f"{name}/{event.version}")
    differs.instead("a blob has a size", size=event.size or 0)
    properties = {
        "ETag": f'"{event.version}"',
        "LastModified": _zoned(event.time),
        "ContentLength": event.size or 0,
        "BlobType": 0,
    }
    metadata = {"BlobTrigger": name, "Uri": "https://guestbook.blob.core.windows.net/", "Properties": properties}
    return {"trigger": "blobTrigger", "source": event.bucket, "data": _bytes(b""), "metadata": metadata}


def _grid_blob(event: BlobEvent, differs: Differs) -> Any:
    kind, subject, data = _grid_blob_parts(event, differs)
    return _grid(_in_grids_schema(event.id, _TOPIC, kind, subject, seconds(event.time), data))


def _grid_blob_cloudevent(event: BlobEvent, differs: Differs) -> Any:
    kind, subject, data = _grid_blob_parts(event, differs)
    told = {"specversion": "1.0", "id": event.id, "source": _TOPIC, "type": kind, "subject": subject}
    return _grid({**told, "time": seconds(event.time), "data": data})


def _grid_blob_parts(event: BlobEvent, differs: Differs) -> tuple[str, str, Mapping[str, Any]]:
    created = event.kind == "created"
    data: dict[str, Any] = {"api": "PutBlob" if created else "DeleteBlob", "blobType": "BlockBlob"}
    if event.size is not None:
        data["contentLength"] = event.size
    if event.version is not None:
        data["eTag"] = event.version
    kind = "Microsoft.Storage.BlobCreated" if created else "Microsoft.Storage.BlobDeleted"
    return kind, f"/blobServices/default/containers/{event.bucket}/blobs/{event.key}", data


_TOPIC = "/subscriptions/s-1/resourceGroups/guestbook/providers/Microsoft.Storage/storageAccounts/guestbook"


def _grid(fields: Mapping[str, Any]) -> Any:
    return {"trigger": "eventGridTrigger", "source": "", "data": {"json": fields}}


def _in_grids_schema(event_id: str, topic: str, kind: str, subject: str, time: str, data: Any) -> dict[str, Any]:
    return {
        "topic": topic,
        "subject": subject,
        "eventType": kind,
        "id": event_id,
        "data": data,
        "dataVersion": "1",
        "metadataVersion": "1",
        "eventTime": time,
    }


def _cosmos(change: Change, differs: Differs) -> Any:
    at = int(change.time.timestamp())
    number = '"0000-0700"' if change.kind != "deleted" else "42"
    event_id = "/".join((change.partition, change.sort, number.strip('"')))
    differs.instead("the feed numbers transactions, not changes", id=event_id)
    words = {"created": "create", "updated": "replace", "deleted": "delete"}
    item = {"id": "1", "partition": change.partition, "sort": change.sort, "_etag": '"0000-0700"', "_ts": at}
    document: dict[str, Any] = {"metadata": {"operationType": words[change.kind], "lsn": 42, "crts": at}}
    if _holds_bytes(change.old) or _holds_bytes(change.new):
        return None  # JSON has none; no driver of ours writes items there.
    if change.kind != "deleted":
        document["current"] = {**item, "value": change.new}
    if change.kind != "created":
        document["previous"] = {**item, "value": change.old}
    return {"trigger": "cosmosDBTrigger", "source": change.table, "data": {"json": [document]}}


def _holds_bytes(value: Any) -> bool:
    if type(value) is dict:
        return any(map(_holds_bytes, value.values()))
    return any(map(_holds_bytes, value)) if type(value) is list else type(value) is bytes


def _timer(tick: Tick, differs: Differs) -> Any:
    status = {"Last": _zoned(tick.time), "Next": _zoned(tick.time), "LastUpdated": _zoned(tick.time)}
    fields = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
    return {"trigger": "timerTrigger", "source": tick.schedule, "data": {"json": fields}}


def _grid_event(event: CloudEvent, differs: Differs) -> Any:
    if event.time is None or type(event.data) is bytes or event.subject is None:
        return None
    differs.instead("an event in Event Grid's own schema is JSON", content_type="application/json", extensions={})
    return _grid(_in_grids_schema(event.id, event.source, event.type, event.subject, seconds(event.time), event.data))


def _grid_cloudevent(event: CloudEvent, differs: Differs) -> Any:
    told: dict[str, Any] = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    told |= event.extensions
    if event.subject is not None:
        told["subject"] = event.subject
    if event.time is not None:
        told["time"] = seconds(event.time)
    if event.content_type is not None:
        told["datacontenttype"] = event.content_type
    if type(event.data) is bytes:
        told["data_base64"] = base64_of(event.data)
    elif event.data is not None:
        told["data"] = event.data
    return _grid(told)


_WRITERS: Mapping[str, Writer] = {
    "azure.queue": _queue,
    "azure.servicebus": _servicebus,
    "azure.blob": _blob,
    "azure.eventgrid.blob": _grid_blob,
    "azure.eventgrid.blob~cloudevent": _grid_blob_cloudevent,
    "azure.cosmos": _cosmos,
    "azure.timer": _timer,
    "azure.eventgrid": _grid_event,
    "azure.eventgrid~cloudevent": _grid_cloudevent,
}


def _zoned(time: Any) -> str:
    return str(time.isoformat())
