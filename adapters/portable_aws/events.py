"""What invokes Lambda beside HTTP: queues, topics, streams, bucket notifications, schedules, event buses.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html lists the pages of each shape.
"""

from __future__ import annotations

from portable_aws._attributes import plain
from portable_aws._context import context_of
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import BlobEvent, Change, CloudEvent, EventCodec, Message, Tick
from portable_contracts.http import unquote
from portable_contracts.reading import decoded, epoch, mapping, moment, records, text, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from portable_contracts.events import Context, Event


def _source(raw: Any) -> Any:
    """Return who wrote the first record of *raw*, or None where it holds no records."""
    if type(raw) is not dict or type(raw.get("Records")) is not list or not raw["Records"]:
        return None
    first = raw["Records"][0]
    return (first.get("eventSource") or first.get("EventSource")) if type(first) is dict else None


class Sqs(EventCodec):
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""

    shape = "aws.sqs"
    trigger = "message"
    partial = True

    def recognises(self, raw: Any) -> bool:
        return bool(_source(raw) == "aws:sqs")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        return [self._message(record, context) for record in records(raw, "Records")]

    def _message(self, record: Mapping[str, Any], context: Context) -> Message:
        told = mapping(record, "attributes", optional=True)
        body, attributes = text(record, "body", ""), _attributes(mapping(record, "messageAttributes", optional=True))
        notification = _notification(body)
        if notification is not None:
            body = text(notification, "Message")
            attributes |= _attributes(mapping(notification, "MessageAttributes", optional=True))
        return Message(
            text(record, "messageId"),
            text(record, "eventSourceARN").rpartition(":")[2],
            body.encode(),
            attributes,
            whole(told, "ApproximateReceiveCount", 1),
            epoch(whole(told, "SentTimestamp") / 1000, "SentTimestamp") if "SentTimestamp" in told else None,
            text(told, "MessageGroupId", "") or None,
            context,
            record,
        )

    def encode(self, events: Sequence[Event], failed: Sequence[bool]) -> Any:
        """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html"""
        failures = [event.id for event, again in zip(events, failed, strict=True) if again]
        return {"batchItemFailures": [{"itemIdentifier": failure} for failure in failures]}


def _notification(body: str) -> Mapping[str, Any] | None:
    """Return the SNS notification that *body* is, where a topic sends to the queue without raw delivery; else None."""
    if not (body.startswith("{") and '"TopicArn"' in body and '"Notification"' in body):
        return None
    import json

    try:
        notification = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if type(notification) is dict and notification.get("Type") == "Notification" and "TopicArn" in notification:
        return notification
    return None


def _attributes(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes as text: SQS writes their values' names small, SNS has one `Value`; bytes stay base64."""
    values: dict[str, str] = {}
    for name, attribute in attributes.items():
        if type(attribute) is not dict:
            raise InvalidArgument(f"messageAttributes.{name} is of type {type(attribute).__name__}; expected a map")
        for field in ("stringValue", "Value", "binaryValue"):
            if type(attribute.get(field)) is str:
                values[name] = attribute[field]
                break
    return values


class Sns(EventCodec):
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html"""

    shape = "aws.sns"
    trigger = "message"

    def recognises(self, raw: Any) -> bool:
        return bool(_source(raw) == "aws:sns")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        messages: list[Event] = []
        for record in records(raw, "Records"):
            sns = mapping(record, "Sns")
            messages.append(
                Message(
                    text(sns, "MessageId"),
                    text(sns, "TopicArn").rpartition(":")[2],
                    text(sns, "Message").encode(),
                    _attributes(mapping(sns, "MessageAttributes", optional=True)),
                    sent=moment(sns, "Timestamp"),
                    context=context,
                    native=record,
                )
            )
        return messages


class Kinesis(EventCodec):
    """A stream's records, as messages of the queue with the stream's name, in groups by partition key.

    https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
    """

    shape = "aws.kinesis"
    trigger = "message"
    partial = True
    ordered = True

    def recognises(self, raw: Any) -> bool:
        return bool(_source(raw) == "aws:kinesis")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        messages: list[Event] = []
        for record in records(raw, "Records"):
            kinesis = mapping(record, "kinesis")
            arrival = kinesis.get("approximateArrivalTimestamp")
            messages.append(
                Message(
                    text(kinesis, "sequenceNumber"),
                    text(record, "eventSourceARN").rpartition("/")[2],
                    decoded(kinesis, "data", True),
                    sent=epoch(arrival, "approximateArrivalTimestamp") if isinstance(arrival, (int, float)) else None,
                    group=text(kinesis, "partitionKey", "") or None,
                    context=context,
                    native=record,
                )
            )
        return messages

    def encode(self, events: Sequence[Event], failed: Sequence[bool]) -> Any:
        return _checkpoint([event.id for event in events], failed)


def _checkpoint(numbers: Sequence[str], failed: Sequence[bool]) -> Any:
    """Name the first failure, which is the lowest: Lambda goes on from there.

    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
    """
    first = next((number for number, again in zip(numbers, failed, strict=True) if again), None)
    return {"batchItemFailures": [] if first is None else [{"itemIdentifier": first}]}


class DynamoDBStream(EventCodec):
    """https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html"""

    shape = "aws.dynamodb"
    trigger = "change"
    partial = True
    ordered = True

    _kinds = {"INSERT": "created", "MODIFY": "updated", "REMOVE": "deleted"}

    def recognises(self, raw: Any) -> bool:
        return bool(_source(raw) == "aws:dynamodb")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        return [self._change(record, context) for record in records(raw, "Records")]

    def _change(self, record: Mapping[str, Any], context: Context) -> Change:
        stream = mapping(record, "dynamodb")
        kind = self._kinds.get(text(record, "eventName"))
        if kind is None:
            raise InvalidArgument(f"eventName is {record['eventName'][:40]!r}; expected {', '.join(self._kinds)}")
        partition, sort = _key_names(mapping(stream, "Keys"))
        keys = {name: plain(attribute, f"Keys.{name}") for name, attribute in mapping(stream, "Keys").items()}
        when = stream.get("ApproximateCreationDateTime", 0)
        if type(when) not in (int, float):
            raise InvalidArgument("ApproximateCreationDateTime is no number")
        return Change(
            text(record, "eventID"),
            _table(text(record, "eventSourceARN")),
            str(keys[partition]),
            "" if sort is None else str(keys[sort]),
            kind,
            _image(stream, "OldImage", keys),
            _image(stream, "NewImage", keys),
            epoch(when, "ApproximateCreationDateTime"),
            context,
            record,
        )

    def encode(self, events: Sequence[Event], failed: Sequence[bool]) -> Any:
        numbers = [event.native["dynamodb"]["SequenceNumber"] for event in events]
        return _checkpoint(numbers, failed)


_SORT_NAMES = ("sort", "sk", "sort_key", "sortkey", "range", "range_key", "rangekey")


def _key_names(keys: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return which of a record's keys is the partition key and which the sort key; the record does not say."""
    names = list(keys)
    if not 1 <= len(names) <= 2:
        raise InvalidArgument(f"Keys has {len(names)} entries; expected one or two")
    if len(names) == 1:
        return names[0], None
    if names[0].lower() in _SORT_NAMES:
        names.reverse()
    return names[0], names[1]


def _image(stream: Mapping[str, Any], name: str, keys: Mapping[str, Any]) -> Any:
    """Return an item's value: the attribute `value` of an item that portable wrote, else all that are no keys."""
    image = mapping(stream, name, optional=True)
    if not image:
        return None
    if "value" in image and "version" in image:
        return plain(image["value"], f"{name}.value")
    return {field: plain(attribute, f"{name}.{field}") for field, attribute in image.items() if field not in keys}


def _table(arn: str) -> str:
    return arn.partition(":table/")[2].partition("/")[0] or arn


class S3(EventCodec):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html"""

    shape = "aws.s3"
    trigger = "blob"

    def recognises(self, raw: Any) -> bool:
        return bool(_source(raw) == "aws:s3")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        return [self._event(record, context) for record in records(raw, "Records")]

    def _event(self, record: Mapping[str, Any], context: Context) -> Event:
        name, s3 = text(record, "eventName"), mapping(record, "s3")
        bucket, entry = text(mapping(s3, "bucket"), "name"), mapping(s3, "object")
        request = text(mapping(record, "responseElements", optional=True), "x-amz-request-id", "")
        event_id = f"{request}/{text(entry, 'sequencer', '')}"
        when = moment(record, "eventTime")
        kind = _blob_kind(name)
        if kind is None:
            return CloudEvent(
                event_id, f"aws:s3:{bucket}", f"aws.s3.{name}", dict(s3), None, when, None, {}, context, record
            )
        # The key is encoded as a form is: https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html
        key = unquote(text(entry, "key").replace("+", " "))
        return _blob(event_id, bucket, key, kind, when, entry, "eTag", context, record)


class S3EventBridge(EventCodec):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""

    shape = "aws.s3.eventbridge"
    trigger = "blob"

    def recognises(self, raw: Any) -> bool:
        return _on_bus(raw) and raw["source"] == "aws.s3" and raw["detail-type"] in ("Object Created", "Object Deleted")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        detail = mapping(raw, "detail")
        entry, bucket = mapping(detail, "object"), text(mapping(detail, "bucket"), "name")
        kind = "created" if raw["detail-type"] == "Object Created" else "deleted"
        # Unlike in a notification the key is not encoded here.
        event_id, key, when = text(raw, "id"), text(entry, "key"), moment(raw, "time")
        return [_blob(event_id, bucket, key, kind, when, entry, "etag", context_of(native_context, event_id), raw)]


def _blob_kind(name: str) -> str | None:
    name = name.removeprefix("s3:")
    if name.startswith("ObjectCreated:"):
        return "created"
    return "deleted" if name.startswith(("ObjectRemoved:", "LifecycleExpiration:")) else None


def _blob(
    event_id: str,
    bucket: str,
    key: str,
    kind: str,
    when: Any,
    entry: Mapping[str, Any],
    tag: str,
    context: Any,
    raw: Any,
) -> BlobEvent:
    created = kind == "created"
    size = whole(entry, "size", 0) if created else None
    version = text(entry, tag, "").strip('"') or None if created else None
    return BlobEvent(event_id, bucket, key, kind, when, size, version, context, raw)


def _on_bus(raw: Any) -> bool:
    return (
        type(raw) is dict and "detail" in raw and type(raw.get("source")) is str and type(raw.get("detail-type")) is str
    )


class Schedule(EventCodec):
    """A rule's schedule, https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html"""

    shape = "aws.schedule"
    trigger = "schedule"

    def recognises(self, raw: Any) -> bool:
        return _on_bus(raw) and raw["source"] == "aws.events" and raw["detail-type"] == "Scheduled Event"

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        resources = raw.get("resources")
        rule = str(resources[0]).rpartition("/")[2] if type(resources) is list and resources else ""
        event_id = text(raw, "id", "")
        return [Tick(rule, moment(raw, "time"), event_id, context_of(native_context, event_id), raw)]


class Scheduler(EventCodec):
    """EventBridge Scheduler sends what one tells it to; what we tell it is this map, its own placeholders filled in.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    """

    shape = "aws.scheduler"
    trigger = "schedule"

    input = {"aws.scheduler": "<name>", "time": "<aws.scheduler.scheduled-time>", "id": "<aws.scheduler.execution-id>"}
    """The schedule's target input; `<name>` stands for the schedule's name."""

    def recognises(self, raw: Any) -> bool:
        return type(raw) is dict and "aws.scheduler" in raw

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        event_id = text(raw, "id", "")
        context = context_of(native_context, event_id)
        return [Tick(text(raw, "aws.scheduler"), moment(raw, "time"), event_id, context, raw)]


class EventBridge(EventCodec):
    """Any other event of a bus. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html"""

    shape = "aws.eventbridge"
    trigger = "event"

    def __init__(self) -> None:
        self._others = (S3EventBridge(), Schedule())

    def recognises(self, raw: Any) -> bool:
        return _on_bus(raw) and not any(other.recognises(raw) for other in self._others)

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        extensions = {name: text(raw, name, "") for name in ("account", "region") if raw.get(name)}
        event_id = text(raw, "id")
        return [
            CloudEvent(
                event_id,
                text(raw, "source"),
                text(raw, "detail-type"),
                raw["detail"],
                time=moment(raw, "time"),
                content_type="application/json",
                extensions=extensions,
                context=context_of(native_context, event_id),
                native=raw,
            )
        ]
