"""What invokes a function on Google Cloud beside HTTP: CloudEvents from Eventarc, Pub/Sub pushes, Cloud Scheduler.

`raw` is a CloudEvent in its JSON form (the entry point makes it of what functions-framework hands over), or the JSON of
a Pub/Sub push. https://cloud.google.com/eventarc/docs/cloudevents
"""

from __future__ import annotations

from portable_contracts.cloudevents import read_json
from portable_contracts.events import BlobEvent, Change, EventCodec, Message, Tick
from portable_contracts.reading import decoded, mapping, moment, parse_moment, text, whole
from portable_gcp._context import context_of
from portable_gcp._firestore import documents
from portable_gcp._packing import restored
from portable_gcp._pubsub_messages import read as read_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from portable_contracts.events import CloudEvent, Event

_BLOB_KINDS = {
    "google.cloud.storage.object.v1.finalized": "created",
    "google.cloud.storage.object.v1.deleted": "deleted",
}
_PUBSUB = "google.cloud.pubsub.topic.v1.messagePublished"
_FIRESTORE = "google.cloud.firestore.document.v1."
_SCHEDULER = "google.cloud.scheduler.job.v1.executed"


def _type(raw: Any) -> str:
    """Return the type of the CloudEvent *raw*; nothing for what is none, or Azure's Event Grid's."""
    if type(raw) is not dict or type(raw.get("type")) is not str or "specversion" not in raw or "eventType" in raw:
        return ""
    return "" if raw["type"].startswith("Microsoft.") else raw["type"]


def _read(raw: Any, native_context: Any) -> CloudEvent:
    return read_json(raw, context_of(native_context, text(raw, "id")), raw)


def _when(event: CloudEvent) -> datetime:
    """Return the event's time; without one, now: delivery follows within seconds."""
    if event.time is not None:
        return event.time
    from datetime import datetime, timezone

    return datetime.now(timezone.utc)


class Storage(EventCodec):
    """https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/storage/v1/data.proto"""

    shape = "gcp.storage"
    trigger = "blob"

    def recognises(self, raw: Any) -> bool:
        return _type(raw) in _BLOB_KINDS

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        event = _read(raw, native_context)
        entry, kind = mapping({"data": event.data}, "data"), _BLOB_KINDS[event.type]
        created = kind == "created"
        return [
            BlobEvent(
                event.id,
                text(entry, "bucket"),
                text(entry, "name"),
                kind,
                _when(event),
                whole(entry, "size", 0) if created else None,
                str(entry.get("generation") or "") or None if created else None,
                event.context,
                raw,
            )
        ]


class PubSub(EventCodec):
    """https://github.com/googleapis/google-cloudevents/blob/main/proto/google/events/cloud/pubsub/v1/data.proto"""

    shape = "gcp.pubsub"
    trigger = "message"

    def recognises(self, raw: Any) -> bool:
        return _type(raw) == _PUBSUB

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        event = _read(raw, native_context)
        data = mapping({"data": event.data}, "data")
        return [_message(data, event.source.rpartition("/topics/")[2], event.context, raw)]


class PubSubPush(EventCodec):
    """https://cloud.google.com/pubsub/docs/push#receive_push"""

    shape = "gcp.pubsub.push"
    trigger = "message"
    words = ("subscription",)

    def recognises(self, raw: Any) -> bool:
        if type(raw) is not dict or "specversion" in raw:
            return False
        return type(raw.get("message")) is dict and type(raw.get("subscription")) is str

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        name = text(raw, "subscription").rpartition("/")[2]
        message = mapping(raw, "message")
        return [_message(raw, name, context_of(native_context, str(message.get("messageId", ""))), raw)]


def _message(data: Mapping[str, Any], queue: str, context: Any, raw: Any) -> Message:
    message = mapping(data, "message")
    # Real pushes hold each of these names in two spellings; older senders have the second alone.
    sent = "publishTime" if message.get("publishTime") is not None else "publish_time"
    return Message(
        text(message, "messageId", "") or text(message, "message_id", context.invocation_id),
        queue,
        decoded(message, "data", True),
        read_attributes({name: str(value) for name, value in mapping(message, "attributes", optional=True).items()}),
        whole(data, "deliveryAttempt", 1),
        moment(message, sent) if message.get(sent) is not None else None,
        text(message, "orderingKey", "") or None,
        context,
        raw,
    )


class Firestore(EventCodec):
    """https://cloud.google.com/firestore/native/docs/extend-with-functions-2nd-gen"""

    shape = "gcp.firestore"
    trigger = "change"

    def recognises(self, raw: Any) -> bool:
        return _type(raw).startswith(_FIRESTORE)

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        event = _read(raw, native_context)
        new, old = documents(event.data)
        collection, _, document = (event.subject or "").removeprefix("documents/").rpartition("/")
        partition, sort = _keys(new or old or {}, document)
        kind = "deleted" if new is None else "created" if old is None else "updated"
        when = _when(event)
        return [Change(event.id, collection, partition, sort, kind, _item(old), _item(new), when, event.context, raw)]


def _keys(fields: Mapping[str, Any], document: str) -> tuple[str, str]:
    """Return an item's keys: those that portable wrote into the document, else the document's own name."""
    if type(fields.get("partition")) is str and type(fields.get("sort")) is str and "value" in fields:
        return fields["partition"], fields["sort"]
    return document, ""


def _item(fields: Mapping[str, Any] | None) -> Any:
    if fields is None:
        return None
    return restored(fields["value"]) if {"partition", "sort", "value"} <= fields.keys() else dict(fields)


class Scheduler(EventCodec):
    """A job of Cloud Scheduler: as its CloudEvent, or as the HTTP call that the entry point turns into this form.

    https://cloud.google.com/scheduler/docs/reference/rpc/google.cloud.scheduler.v1 (HttpTarget names the headers)
    """

    shape = "gcp.scheduler"
    trigger = "schedule"

    def recognises(self, raw: Any) -> bool:
        return _type(raw) == _SCHEDULER or (type(raw) is dict and "x-cloudscheduler-jobname" in raw)

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        if "x-cloudscheduler-jobname" in raw:
            when = text(raw, "x-cloudscheduler-scheduletime")
            name = text(raw, "x-cloudscheduler-jobname").rpartition("/")[2]
            due = parse_moment(when, "x-cloudscheduler-scheduletime")
            event_id = f"{name}/{when}"
            return [Tick(name, due, event_id, context_of(native_context, event_id), raw)]
        event = _read(raw, native_context)
        return [Tick(event.source.rpartition("/")[2], _when(event), event.id, event.context, raw)]


class AnyCloudEvent(EventCodec):
    """Any other CloudEvent, of Google's or of anybody's, or a list of them: https://cloudevents.io"""

    shape = "gcp.cloudevent"
    trigger = "event"

    def recognises(self, raw: Any) -> bool:
        if type(raw) is list and raw:
            return all(map(self._is_other, raw))
        return self._is_other(raw)

    def _is_other(self, raw: Any) -> bool:
        kind = _type(raw)
        known = kind in _BLOB_KINDS or kind in (_PUBSUB, _SCHEDULER) or kind.startswith(_FIRESTORE)
        return kind != "" and not known and "x-cloudscheduler-jobname" not in raw

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        return [_read(event, native_context) for event in (raw if type(raw) is list else (raw,))]
