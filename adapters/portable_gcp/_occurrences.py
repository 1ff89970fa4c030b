"""What Google Cloud sends a function to tell of a portable event: for the suite, and for `portable invoke`.

The pages are those of the codecs in events.py.
"""

from __future__ import annotations

from portable_contracts.events import BlobEvent, Change, CloudEvent, Message, Tick
from portable_contracts.telling import Differs, base64_of, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from portable_contracts.events import Event
    from portable_contracts.telling import Writer

    Header = tuple[str, str]

SHAPES: Mapping[str, tuple[str, ...]] = {
    "message": ("gcp.pubsub", "gcp.pubsub.push"),
    "blob": ("gcp.storage", "gcp.storage~structured"),
    "change": ("gcp.firestore",),
    "schedule": ("gcp.scheduler", "gcp.scheduler~http"),
    "event": ("gcp.cloudevent", "gcp.cloudevent~structured", "gcp.cloudevent~batch"),
}


def document(shape: str, event: Event) -> Mapping[str, Any] | None:
    """Return the invocation by *shape* that tells of *event*; None where it cannot."""
    differs = Differs()
    written = _WRITERS[shape](event, differs)
    if written is None:
        return None
    headers, body = written
    every = [("host", "event-abc-ew.a.run.app"), *headers, ("function-execution-id", "2aVgvVd0Ovu9")]
    request = {"method": "POST", "target": "/", "headers": [list(pair) for pair in every], "body": body}
    return {"raw": {**request, "peer": "169.254.169.126"}, "differs": differs}


def _binary(attributes: Mapping[str, str], content_type: str | None, body: Any) -> tuple[Sequence[Header], Any]:
    from urllib.parse import quote

    # https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md section 3.1.3.1
    pairs = [(f"ce-{name}", quote(value, safe="!#$&'()*+,-./:;<=>?@[]^_`{|}~")) for name, value in attributes.items()]
    return pairs + ([("content-type", content_type)] if content_type is not None else []), body


def _structured(attributes: Mapping[str, str], data: Any) -> tuple[Sequence[Header], Any]:
    written = {**attributes, "datacontenttype": "application/json", "data": data}
    return [("content-type", "application/cloudevents+json; charset=utf-8")], {"json": written}


def _told(event_id: str, source: str, kind: str, time: datetime, **more: str) -> dict[str, str]:
    return {"id": event_id, "source": source, "specversion": "1.0", "type": kind, "time": seconds(time), **more}


def _pubsub(message: Message, differs: Differs) -> Any:
    if message.sent is None:
        return None
    source = f"//pubsub.googleapis.com/projects/acme-1/topics/{message.queue}"
    told = _told("11405397371654321", source, "google.cloud.pubsub.topic.v1.messagePublished", message.sent)
    return _binary(told, "application/json", {"json": _pushed(message, "eventarc-ew-thumbs-sub-1")})


def _push(message: Message, differs: Differs) -> Any:
    return [("content-type", "application/json"), ("user-agent", "CloudPubSub-Google")], {
        "json": _pushed(message, message.queue)
    }


def _pushed(message: Message, subscription: str) -> dict[str, Any]:
    told: dict[str, Any] = {"data": base64_of(message.body), "messageId": message.id, "message_id": message.id}
    if message.sent is not None:
        told |= {"publishTime": seconds(message.sent), "publish_time": seconds(message.sent)}
    if message.attributes:
        told["attributes"] = dict(message.attributes)
    if message.group is not None:
        told["orderingKey"] = message.group
    pushed: dict[str, Any] = {"message": told, "subscription": f"projects/acme-1/subscriptions/{subscription}"}
    if message.attempt > 1:
        pushed["deliveryAttempt"] = message.attempt
    return pushed


def _storage(event: BlobEvent, differs: Differs) -> Any:
    return _binary(_storage_event(event, differs), "application/json", {"json": _object(event)})


def _storage_structured(event: BlobEvent, differs: Differs) -> Any:
    return _structured(_storage_event(event, differs), _object(event))


def _storage_event(event: BlobEvent, differs: Differs) -> dict[str, str]:
    if event.kind == "created":
        differs.instead("an object has a size", size=event.size or 0)
    kind = "finalized" if event.kind == "created" else "deleted"
    source = f"//storage.googleapis.com/projects/_/buckets/{event.bucket}"
    more = {"subject": f"objects/{event.key}", "bucket": event.bucket}
    return _told(event.id, source, f"google.cloud.storage.object.v1.{kind}", event.time, **more)


def _object(event: BlobEvent) -> dict[str, Any]:
    return {
        "kind": "storage#object",
        "name": event.key,
        "bucket": event.bucket,
        "generation": event.version or "",
        "size": str(event.size or 0),
    }


def _firestore(change: Change, differs: Differs) -> Any:
    told = _told(
        change.id,
        "//firestore.googleapis.com/projects/acme-1/databases/(default)",
        "google.cloud.firestore.document.v1.written",
        change.time,
        subject=f"documents/{change.table}/c0ffee",
        database="(default)",
        document=f"{change.table}/c0ffee",
    )
    # The fields of DocumentEventData: 1 is the document after the change, 2 the one before.
    body = b""
    if change.kind != "deleted":
        body += _part(1, _document(change, change.new))
    if change.kind != "created":
        body += _part(2, _document(change, change.old))
    return _binary(told, "application/protobuf", {"base64": base64_of(body)})


def _document(change: Change, value: Any) -> bytes:
    """Return the document as the driver writes it; the events' message has its fields under the same numbers."""
    from google.cloud.firestore_v1.types import Document

    from portable_gcp._documents import fill

    document = Document.pb()()
    fill(document, change.partition, change.sort, value, None)
    return bytes(document.SerializeToString())


def _part(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _scheduler(tick: Tick, differs: Differs) -> Any:
    source = f"//cloudscheduler.googleapis.com/projects/acme-1/locations/europe-west1/jobs/{tick.schedule}"
    told = _told(tick.id, source, "google.cloud.scheduler.job.v1.executed", tick.time)
    return _binary(told, "application/json", {"json": {"customData": ""}})


def _scheduler_http(tick: Tick, differs: Differs) -> Any:
    when = seconds(tick.time)
    differs.instead("the call has no id; a repeated one has the same time", id=f"{tick.schedule}/{when}")
    return [
        ("user-agent", "Google-Cloud-Scheduler"),
        ("x-cloudscheduler", "true"),
        ("x-cloudscheduler-jobname", tick.schedule),
        ("x-cloudscheduler-scheduletime", when),
        ("content-type", "application/octet-stream"),
        ("content-length", "0"),
    ], ""


def _attributes(event: CloudEvent) -> dict[str, str]:
    told = {"id": event.id, "source": event.source, "specversion": "1.0", "type": event.type, **event.extensions}
    if event.subject is not None:
        told["subject"] = event.subject
    if event.time is not None:
        told["time"] = seconds(event.time)
    return told


def _cloudevent(event: CloudEvent, differs: Differs) -> Any:
    if event.data is None:
        return _binary(_attributes(event), event.content_type, "")
    if type(event.data) is bytes:
        return _binary(_attributes(event), event.content_type, {"base64": base64_of(event.data)})
    if event.content_type == "application/json":
        return _binary(_attributes(event), event.content_type, {"json": event.data})
    return _binary(_attributes(event), event.content_type, event.data)


def _cloudevent_structured(event: CloudEvent, differs: Differs) -> Any:
    return [("content-type", "application/cloudevents+json")], {"json": _in_json(event)}


def _cloudevent_batch(event: CloudEvent, differs: Differs) -> Any:
    return [("content-type", "application/cloudevents-batch+json")], {"json": [_in_json(event)]}


def _in_json(event: CloudEvent) -> dict[str, Any]:
    told: dict[str, Any] = _attributes(event)
    if event.content_type is not None:
        told["datacontenttype"] = event.content_type
    if type(event.data) is bytes:
        told["data_base64"] = base64_of(event.data)
    elif event.data is not None:
        told["data"] = event.data
    return told


_WRITERS: Mapping[str, Writer] = {
    "gcp.pubsub": _pubsub,
    "gcp.pubsub.push": _push,
    "gcp.storage": _storage,
    "gcp.storage~structured": _storage_structured,
    "gcp.firestore": _firestore,
    "gcp.scheduler": _scheduler,
    "gcp.scheduler~http": _scheduler_http,
    "gcp.cloudevent": _cloudevent,
    "gcp.cloudevent~structured": _cloudevent_structured,
    "gcp.cloudevent~batch": _cloudevent_batch,
}
