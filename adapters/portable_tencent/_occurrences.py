"""What SCF hands a function to tell of a portable event: for the suite, and for `portable invoke`.

The pages are those of the codecs in events.py.
"""

from __future__ import annotations

from portable_contracts.events import BlobEvent, Message, Tick
from portable_contracts.telling import Differs, seconds, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from portable_contracts.events import Event
    from portable_contracts.telling import Writer

SHAPES: Mapping[str, tuple[str, ...]] = {
    "message": ("tencent.cmq", "tencent.ckafka"),
    "blob": ("tencent.cos", "tencent.cos~address"),
    "schedule": ("tencent.timer",),
}
_APPID = "1250000000"


def document(shape: str, event: Event) -> Mapping[str, Any] | None:
    """Return the invocation by *shape* that tells of *event*; None where it cannot."""
    differs = Differs()
    raw = _WRITERS[shape](event, differs)
    if raw is None:
        return None
    return {"raw": raw, "context": {"request_id": event.id if isinstance(event, Tick) else "i-1"}, "differs": differs}


def _cmq(message: Message, differs: Differs) -> Any:
    body = text_of(message.body)
    if body is None:
        return None
    differs.instead("a topic's messages have tags and no attributes", attributes={}, attempt=1, group=None)
    record = {
        "type": "topic",
        "topicOwner": int(_APPID),
        "topicName": message.queue,
        "subscriptionName": "main",
        "publishTime": "" if message.sent is None else seconds(message.sent),
        "msgId": message.id,
        "requestId": "r-1",
        "msgBody": body,
        "msgTag": [],
    }
    return {"Records": [{"CMQ": record}]}


def _ckafka(message: Message, differs: Differs) -> Any:
    body = text_of(message.body)
    if body is None or message.group == "None":
        return None
    differs.instead("a record is known by topic, partition and offset", id=f"{message.queue}/0/7")
    differs.instead("SCF hands over a record's key and body alone", attributes={}, attempt=1, sent=None)
    record = {"topic": message.queue, "partition": 0, "offset": 7, "msgKey": message.group or "None", "msgBody": body}
    return {"Records": [{"Ckafka": record}]}


def _cos(event: BlobEvent, differs: Differs) -> Any:
    return _cos_record(event, differs, f"/{_APPID}/{event.bucket}/{event.key}")


def _cos_by_address(event: BlobEvent, differs: Differs) -> Any:
    return _cos_record(event, differs, "")


def _cos_record(event: BlobEvent, differs: Differs, key: str) -> Any:
    from urllib.parse import quote

    created = event.kind == "created"
    differs.instead("a bucket's whole name ends in the account's number", bucket=f"{event.bucket}-{_APPID}")
    if created:
        differs.instead("an object has a size", size=event.size or 0)
    entry = {
        "url": f"http://{event.bucket}-{_APPID}.cos.ap-guangzhou.myqcloud.com/{quote(event.key)}",
        "meta": {"x-cos-request-id": event.id},
        "vid": event.version or "",
        "key": key,
        "size": event.size or 0,
    }
    bucket = {"region": "gz", "cosRegion": "ap-guangzhou", "name": event.bucket, "appid": _APPID}
    told = {
        "eventName": "cos:ObjectCreated:Put" if created else "cos:ObjectRemove:Delete",
        "eventVersion": "1.0",
        "eventTime": int(event.time.timestamp()),
        "eventSource": "qcs::cos",
        "reqid": 0,
    }
    cos = {"cosSchemaVersion": "1.0", "cosObject": entry, "cosBucket": bucket, "cosNotificationId": "unkown"}
    return {"Records": [{"cos": cos, "event": told}]}


def _timer(tick: Tick, differs: Differs) -> Any:
    return {"Type": "Timer", "TriggerName": tick.schedule, "Time": seconds(tick.time), "Message": ""}


_WRITERS: Mapping[str, Writer] = {
    "tencent.cmq": _cmq,
    "tencent.ckafka": _ckafka,
    "tencent.cos": _cos,
    "tencent.cos~address": _cos_by_address,
    "tencent.timer": _timer,
}
