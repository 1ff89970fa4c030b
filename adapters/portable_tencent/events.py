"""What invokes SCF beside HTTP: bucket notifications, timers, CKafka, CMQ topics.

https://cloud.tencent.com/document/product/583/9705 lists the triggers and the pages of their shapes.
"""

from __future__ import annotations

from portable_contracts.errors import InvalidArgument
from portable_contracts.events import BlobEvent, EventCodec, Message, Tick
from portable_contracts.http import unquote
from portable_contracts.reading import decoded, epoch, mapping, moment, records, sequence, text, whole
from portable_tencent._context import context_of
from portable_tencent._credentials import unsigned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from portable_contracts.events import Context, Event


def _first(raw: Any) -> Any:
    """Return the first record of *raw*, or an empty map where it holds none."""
    if type(raw) is not dict or type(raw.get("Records")) is not list or not raw["Records"]:
        return {}
    return raw["Records"][0] if type(raw["Records"][0]) is dict else {}


class Cos(EventCodec):
    """https://cloud.tencent.com/document/product/583/9707"""

    shape = "tencent.cos"
    trigger = "blob"

    def recognises(self, raw: Any) -> bool:
        return "cos" in _first(raw)

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        return [self._event(record, context) for record in records(raw, "Records")]

    def _event(self, record: Mapping[str, Any], context: Context) -> BlobEvent:
        cos, event = mapping(record, "cos"), mapping(record, "event")
        bucket, entry = mapping(cos, "cosBucket"), mapping(cos, "cosObject")
        name = text(event, "eventName").replace(" ", "")
        # The names are not uniform: cos:ObjectCreated:Put, cos:ObjectCreated:*, cos:ObjectRemove:Delete.
        created = name.startswith("cos:ObjectCreated")
        if not created and not name.startswith("cos:ObjectRemove"):
            raise InvalidArgument(f"eventName is {name[:60]!r}; expected cos:ObjectCreated:... or cos:ObjectRemove:...")
        bucket_name, appid = text(bucket, "name"), whole(bucket, "appid")
        return BlobEvent(
            # What is called reqid is often 0.
            text(mapping(entry, "meta", optional=True), "x-cos-request-id", "") or context.invocation_id,
            f"{bucket_name}-{appid}",
            _key(entry, f"/{appid}/{bucket_name}/"),
            "created" if created else "deleted",
            epoch(whole(event, "eventTime"), "eventTime"),
            whole(entry, "size", 0) if created else None,
            text(entry, "vid", "") or None if created else None,
            context,
            unsigned(record),
        )


def _key(entry: Mapping[str, Any], prefix: str) -> str:
    """Return the object's key: it is written plain, as `/appid/bucket/key` or `/key`; only the address is encoded."""
    key = text(entry, "key", "")
    if not key:
        return unquote(text(entry, "url").partition("://")[2].partition("/")[2])
    return key[len(prefix) :] if key.startswith(prefix) else key.removeprefix("/")


class Timer(EventCodec):
    """https://cloud.tencent.com/document/product/583/9708"""

    shape = "tencent.timer"
    trigger = "schedule"

    def recognises(self, raw: Any) -> bool:
        return type(raw) is dict and raw.get("Type") == "Timer"

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        name, when = text(raw, "TriggerName"), moment(raw, "Time")
        return [Tick(name, when, context.invocation_id or f"{name}/{raw['Time']}", context, raw)]


class CKafka(EventCodec):
    """A topic's records, as messages of the queue with the topic's name. SCF reads no report of which ones failed.

    https://cloud.tencent.com/document/product/583/17530
    """

    shape = "tencent.ckafka"
    trigger = "message"
    ordered = True

    def recognises(self, raw: Any) -> bool:
        return "Ckafka" in _first(raw)

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        messages: list[Event] = []
        for record in records(raw, "Records"):
            entry = mapping(record, "Ckafka")
            topic, partition = text(entry, "topic"), entry.get("partition", "")
            key = text(entry, "msgKey", "None")
            messages.append(
                Message(
                    f"{topic}/{partition}/{entry.get('offset', '')}",
                    topic,
                    decoded(entry, "msgBody", False),
                    group=None if key == "None" else key,  # The platform writes an absent key so.
                    context=context,
                    native=record,
                )
            )
        return messages


class CmqTopic(EventCodec):
    """https://cloud.tencent.com/document/product/583/11517"""

    shape = "tencent.cmq"
    trigger = "message"

    def recognises(self, raw: Any) -> bool:
        return "CMQ" in _first(raw)

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        messages: list[Event] = []
        for record in records(raw, "Records"):
            entry = mapping(record, "CMQ")
            tags = _tags(entry)
            messages.append(
                Message(
                    text(entry, "msgId"),
                    text(entry, "topicName"),
                    decoded(entry, "msgBody", False),
                    {"tags": tags} if tags else {},
                    sent=moment(entry, "publishTime") if entry.get("publishTime") else None,
                    context=context,
                    native=record,
                )
            )
        return messages


def _tags(entry: Mapping[str, Any]) -> str:
    """Return the tags in one text: the platform sends a list, and has sent texts joined with and without a space."""
    told = entry.get("msgTag")
    tags = told.split(",") if type(told) is str else sequence(entry, "msgTag", optional=True)
    return ", ".join(str(tag).strip() for tag in tags)
