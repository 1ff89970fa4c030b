"""What invokes SCF beside HTTP: bucket notifications, timers, CKafka, CMQ topics.

https://cloud.tencent.com/document/product/583/9705 lists the triggers and the pages of their shapes.
"""

from __future__ import annotations

from portable_contracts.errors import InvalidArgument
from portable_contracts.events import BlobEvent, EventCodec, Message, Tick
from portable_contracts.http import unquote
from portable_contracts.reading import epoch, mapping, moment, records, text, whole
from portable_tencent._context import context_of

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
        bucket, entry, name = (
            mapping(cos, "cosBucket"),
            mapping(cos, "cosObject"),
            text(event, "eventName").replace(" ", ""),
        )
        # The names are not uniform: cos:ObjectCreated:Put, cos:ObjectCreated:*, cos:ObjectRemove:Delete.
        created = name.startswith("cos:ObjectCreated")
        if not created and not name.startswith("cos:ObjectRemove"):
            raise InvalidArgument(f"eventName is {name[:60]!r}; expected cos:ObjectCreated:... or cos:ObjectRemove:...")
        appid = str(bucket.get("appid", ""))
        when = epoch(whole(event, "eventTime"), "eventTime")
        return BlobEvent(
            str(event.get("reqid") or context.invocation_id),
            f"{text(bucket, 'name')}-{appid}",
            _key(entry, f"/{appid}/{text(bucket, 'name')}/"),
            "created" if created else "deleted",
            when,
            whole(entry, "size", 0) if created else None,
            text(entry, "vid", "") or None if created else None,
            context,
            record,
        )


def _key(entry: Mapping[str, Any], prefix: str) -> str:
    """Return the object's key: the platform writes `/appid/bucket/key`, older samples `/key`, or only the address."""
    key = text(entry, "key", "")
    if not key:
        key = text(entry, "url").partition("://")[2].partition("/")[2]
    return unquote(key.removeprefix(prefix).removeprefix("/"))


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
                    text(entry, "msgBody", "").encode(),
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
            tags = entry.get("msgTag") or []
            joined = tags if type(tags) is str else ", ".join(str(tag) for tag in tags)
            messages.append(
                Message(
                    text(entry, "msgId"),
                    text(entry, "topicName"),
                    text(entry, "msgBody", "").encode(),
                    {"tags": joined} if joined else {},
                    sent=moment(entry, "publishTime") if entry.get("publishTime") else None,
                    context=context,
                    native=record,
                )
            )
        return messages
