"""What invokes Lambda beside HTTP: queues, topics, streams, bucket notifications, schedules, event buses.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html lists the pages of each shape.
"""

from __future__ import annotations

from itertools import compress

from portable_aws._attributes import item, keys
from portable_aws._context import context_of
from portable_aws._messages import attributes_of, content_of, of_records
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
    if type(raw) is not dict or type(listed := raw.get("Records")) is not list or not listed:
        return None
    first = listed[0]
    return (first.get("eventSource") or first.get("EventSource")) if type(first) is dict else None


class Sqs(EventCodec):
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""

    shape = "aws.sqs"
    trigger = "message"
    partial = True

    def recognises(self, raw: Any) -> bool:
        return bool(_source(raw) == "aws:sqs")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        return of_records(raw, context_of(native_context))

    def encode(self, events: Sequence[Event], failed: Sequence[bool]) -> Any:
        """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html"""
        return {"batchItemFailures": [{"itemIdentifier": event.id} for event in compress(events, failed)]}


class Sns(EventCodec):
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html"""

    shape = "aws.sns"
    trigger = "message"

    def recognises(self, raw: Any) -> bool:
        return bool(_source(raw) == "aws:sns")

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        return [self._message(record, context) for record in records(raw, "Records")]

    def _message(self, record: Mapping[str, Any], context: Context) -> Message:
        sns = mapping(record, "Sns")
        attributes = attributes_of(mapping(sns, "MessageAttributes", optional=True))
        return Message(
            text(sns, "MessageId"),
            text(sns, "TopicArn").rpartition(":")[2],
            content_of(text(sns, "Message"), attributes),
            attributes,
            sent=moment(sns, "Timestamp"),
            context=context,
            native=record,
        )


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
        return [self._message(record, context) for record in records(raw, "Records")]

    def _message(self, record: Mapping[str, Any], context: Context) -> Message:
        kinesis = mapping(record, "kinesis")
        arrival = kinesis.get("approximateArrivalTimestamp")
        # With enhanced fan-out the ARN goes on with the consumer's name.
        stream = text(record, "eventSourceARN").partition(":stream/")[2].partition("/")[0]
        return Message(
            text(kinesis, "sequenceNumber"),
            stream,
            decoded(kinesis, "data", True),
            sent=epoch(arrival, "approximateArrivalTimestamp") if isinstance(arrival, (int, float)) else None,
            group=text(kinesis, "partitionKey", "") or None,
            context=context,
            native=record,
        )

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
        stream, name = mapping(record, "dynamodb"), text(record, "eventName")
        kind = self._kinds.get(name)
        if kind is None:
            raise InvalidArgument(f"eventName is {name[:40]!r}; expected {', '.join(self._kinds)}")
        when = stream.get("ApproximateCreationDateTime", 0)
        if type(when) not in (int, float):
            raise InvalidArgument("ApproximateCreationDateTime is no number")
        text(stream, "SequenceNumber")  # What `encode` names.
        key_names = mapping(stream, "Keys")
        old, new = (mapping(stream, image, optional=True) for image in ("OldImage", "NewImage"))
        return Change(
            text(record, "eventID"),
            text(record, "eventSourceARN").partition(":table/")[2].partition("/")[0],
            *keys(key_names),
            kind,
            item(old, "OldImage", key_names) if old else None,
            item(new, "NewImage", key_names) if new else None,
            epoch(when, "ApproximateCreationDateTime"),
            context,
            record,
        )

    def encode(self, events: Sequence[Event], failed: Sequence[bool]) -> Any:
        return _checkpoint([event.native["dynamodb"]["SequenceNumber"] for event in events], failed)


class S3(EventCodec):
    """What was created or deleted; other notifications, such as of an object back from Glacier, are no blob events.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """

    shape = "aws.s3"
    trigger = "blob"

    def recognises(self, raw: Any) -> bool:
        return bool(_source(raw) == "aws:s3") and _blob_kind(raw["Records"][0].get("eventName")) is not None

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        context = context_of(native_context)
        return [self._event(record, context) for record in records(raw, "Records")]

    def _event(self, record: Mapping[str, Any], context: Context) -> BlobEvent:
        name, s3 = text(record, "eventName"), mapping(record, "s3")
        kind, entry = _blob_kind(name), mapping(s3, "object")
        if kind is None:
            raise InvalidArgument(f"eventName is {name[:60]!r}; expected one that creates or deletes")
        request = text(mapping(record, "responseElements", optional=True), "x-amz-request-id", "")
        return BlobEvent(
            f"{request}-{text(entry, 'sequencer', '')}",
            text(mapping(s3, "bucket"), "name"),
            # Encoded as a form is: https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html
            unquote(text(entry, "key").replace("+", " ")),
            kind,
            moment(record, "eventTime"),
            *_size_and_version(kind, entry, "eTag"),
            context,
            record,
        )


class S3EventBridge(EventCodec):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""

    shape = "aws.s3.eventbridge"
    trigger = "blob"

    _kinds = {"Object Created": "created", "Object Deleted": "deleted"}

    def recognises(self, raw: Any) -> bool:
        return _on_bus(raw) and raw["source"] == "aws.s3" and raw["detail-type"] in self._kinds

    def decode(self, raw: Any, native_context: Any) -> Sequence[Event]:
        detail, kind, event_id = mapping(raw, "detail"), self._kinds[raw["detail-type"]], text(raw, "id")
        entry = mapping(detail, "object")
        return [
            BlobEvent(
                event_id,
                text(mapping(detail, "bucket"), "name"),
                text(entry, "key"),  # Unlike in a notification it is not encoded.
                kind,
                moment(raw, "time"),
                *_size_and_version(kind, entry, "etag"),
                context_of(native_context, event_id),
                raw,
            )
        ]


def _blob_kind(name: Any) -> str | None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html"""
    if type(name) is not str:
        return None
    name = name.removeprefix("s3:")
    if name.startswith("ObjectCreated:"):
        return "created"
    return "deleted" if name.startswith(("ObjectRemoved:", "LifecycleExpiration:")) else None


def _size_and_version(kind: str, entry: Mapping[str, Any], tag: str) -> tuple[int | None, str | None]:
    return (whole(entry, "size", 0), text(entry, tag, "").strip('"') or None) if kind == "created" else (None, None)


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
        return type(raw) is dict and "aws.scheduler" in raw and not _on_bus(raw)

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
        event_id = text(raw, "id")
        return [
            CloudEvent(
                event_id,
                text(raw, "source"),
                text(raw, "detail-type"),
                raw["detail"],
                time=moment(raw, "time"),
                content_type="application/json",
                context=context_of(native_context, event_id),
                native=raw,
            )
        ]
