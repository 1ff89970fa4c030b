"""What AWS hands a function to tell of a portable event: for the suite, and for `portable invoke`.

The pages are those of the codecs in events.py.
"""

from __future__ import annotations

import json

from portable_aws._attributes import NO_SORT, attribute
from portable_aws._messages import ENCODING, FIFO, written
from portable_contracts.events import BlobEvent, Change, CloudEvent, Message, Tick
from portable_contracts.telling import Differs, base64_of, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from portable_contracts.events import Event
    from portable_contracts.telling import Writer

SHAPES: Mapping[str, tuple[str, ...]] = {
    "message": ("aws.sqs", "aws.sqs~sns", "aws.sns", "aws.kinesis"),
    "blob": ("aws.s3", "aws.s3.eventbridge"),
    "change": ("aws.dynamodb",),
    "schedule": ("aws.schedule", "aws.scheduler"),
    "event": ("aws.eventbridge",),
}
_REGION, _ACCOUNT = "eu-west-1", "123456789012"
_CONTEXT = {"aws_request_id": "r-1", "function_name": "main", "seconds": 30}


def document(shape: str, event: Event) -> Mapping[str, Any] | None:
    """Return the invocation by *shape* that tells of *event*; None where it cannot."""
    differs = Differs()
    raw = _WRITERS[shape](event, differs)
    return None if raw is None else {"raw": raw, "context": _CONTEXT, "differs": differs}


def _sqs(message: Message, differs: Differs) -> Any:
    body, attributes = _content(message)
    values = {name: {"stringValue": value, "dataType": "String"} for name, value in attributes.items()}
    return _sqs_record(message, body, values, message.group)


def _sns_in_sqs(message: Message, differs: Differs) -> Any:
    if message.group is not None:
        differs.instead("the queue behind the topic is not FIFO", group=None)
    notification = {key: value for key, value in _notification(message).items() if value is not None}
    return _sqs_record(message, json.dumps(notification, ensure_ascii=False), {}, None)


def _sqs_record(message: Message, body: str, attributes: Mapping[str, Any], group: str | None) -> Any:
    told = {"ApproximateReceiveCount": str(message.attempt), "SenderId": "AIDAIENQZJOLO23YVJ4VO"}
    if message.sent is not None:
        told["SentTimestamp"] = str(round(message.sent.timestamp() * 1000))
    if group is not None:
        told["MessageGroupId"] = group
    record = {
        "messageId": message.id,
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body,
        "attributes": told,
        "messageAttributes": attributes,
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:{message.queue}{FIFO if group is not None else ''}",
        "awsRegion": _REGION,
    }
    return {"Records": [record]}


def _notification(message: Message) -> dict[str, Any]:
    body, attributes = _content(message)
    return {
        "Type": "Notification",
        "MessageId": message.id,
        "TopicArn": f"arn:aws:sns:{_REGION}:{_ACCOUNT}:{message.queue}",
        "Subject": None,
        "Message": body,
        "Timestamp": _milliseconds(message.sent),
        "MessageAttributes": {name: {"Type": "String", "Value": value} for name, value in attributes.items()},
    }


def _sns(message: Message, differs: Differs) -> Any:
    if message.sent is None:
        return None
    differs.instead("SNS does not tell of attempts or groups", attempt=1, group=None)
    return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": _notification(message)}]}


def _kinesis(message: Message, differs: Differs) -> Any:
    key = message.group or message.id
    differs.instead("a record of a stream is its data, and has a partition key", attributes={}, attempt=1, group=key)
    kinesis: dict[str, Any] = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": key,
        "sequenceNumber": message.id,
        "data": base64_of(message.body),
    }
    if message.sent is not None:
        kinesis["approximateArrivalTimestamp"] = message.sent.timestamp()
    record = {
        "kinesis": kinesis,
        "eventSource": "aws:kinesis",
        "eventName": "aws:kinesis:record",
        "eventSourceARN": f"arn:aws:kinesis:{_REGION}:{_ACCOUNT}:stream/{message.queue}",
        "awsRegion": _REGION,
    }
    return {"Records": [record]}


def _content(message: Message) -> tuple[str, Mapping[str, str]]:
    body, encoding = written(message.body)
    return body, {**message.attributes, ENCODING: encoding} if encoding else message.attributes


def _s3(event: BlobEvent, differs: Differs) -> Any:
    from urllib.parse import quote

    request, _, sequencer = event.id.rpartition("-")
    differs.instead("an event is known by its request and a number", id=f"{request}-{sequencer}")
    # As a form has it: https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html
    entry: dict[str, Any] = {"key": quote(event.key, safe="/").replace("%20", "+"), "sequencer": sequencer}
    if event.kind == "created":
        entry |= {"size": event.size or 0, "eTag": event.version or ""}
        differs.instead("an object has a size", size=event.size or 0)
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": _REGION,
        "eventTime": _milliseconds(event.time),
        "eventName": "ObjectCreated:Put" if event.kind == "created" else "ObjectRemoved:Delete",
        "responseElements": {"x-amz-request-id": request},
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": event.bucket}, "object": entry},
    }
    return {"Records": [record]}


def _s3_on_bus(event: BlobEvent, differs: Differs) -> Any:
    entry: dict[str, Any] = {"key": event.key, "sequencer": "1"}
    if event.kind == "created":
        entry |= {"size": event.size or 0, "etag": event.version or ""}
        differs.instead("an object has a size", size=event.size or 0)
    kind = "Object Created" if event.kind == "created" else "Object Deleted"
    return _on_bus(event.id, "aws.s3", kind, event.time, {"bucket": {"name": event.bucket}, "object": entry})


def _on_bus(event_id: str, source: str, kind: str, time: datetime, detail: Any, *resources: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": event_id,
        "detail-type": kind,
        "source": source,
        "account": _ACCOUNT,
        "time": seconds(time),
        "region": _REGION,
        "resources": list(resources),
        "detail": detail,
    }


def _dynamodb(change: Change, differs: Differs) -> Any:
    keys = {"partition": {"S": change.partition}, "sort": {"S": change.sort or NO_SORT}}
    stream: dict[str, Any] = {
        "Keys": keys,
        "ApproximateCreationDateTime": change.time.timestamp(),
        "SequenceNumber": "111",
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    for image, there, value in (
        ("OldImage", change.kind != "created", change.old),
        ("NewImage", change.kind != "deleted", change.new),
    ):
        if there:
            stream[image] = {**keys, "value": _in_json(attribute(value)), "version": {"S": "v"}}
    names = {"created": "INSERT", "updated": "MODIFY", "deleted": "REMOVE"}
    record = {
        "eventID": change.id,
        "eventName": names[change.kind],
        "eventSource": "aws:dynamodb",
        "awsRegion": _REGION,
        "eventSourceARN": f"arn:aws:dynamodb:{_REGION}:{_ACCOUNT}:table/{change.table}/stream/2026-01-01T00:00:00.000",
        "dynamodb": stream,
    }
    return {"Records": [record]}


def _in_json(value: Any) -> Any:
    """Return an attribute value as a stream's event has it: bytes are base64 there."""
    ((kind, content),) = value.items()
    if kind == "B":
        return {"B": base64_of(content)}
    if kind == "L":
        return {"L": [_in_json(entry) for entry in content]}
    if kind == "M":
        return {"M": {name: _in_json(entry) for name, entry in content.items()}}
    return value


def _schedule(tick: Tick, differs: Differs) -> Any:
    rule = f"arn:aws:events:{_REGION}:{_ACCOUNT}:rule/{tick.schedule}"
    return _on_bus(tick.id, "aws.events", "Scheduled Event", tick.time, {}, rule)


def _scheduler(tick: Tick, differs: Differs) -> Any:
    return {"aws.scheduler": tick.schedule, "time": seconds(tick.time), "id": tick.id}


def _eventbridge(event: CloudEvent, differs: Differs) -> Any:
    if type(event.data) is not dict or event.time is None:
        return None  # The detail is a JSON object, and every event has a time.
    differs.instead("an event of a bus is JSON", content_type="application/json")
    differs.instead("an event of a bus has none", subject=None, extensions={})
    return _on_bus(event.id, event.source, event.type, event.time, event.data)


_WRITERS: Mapping[str, Writer] = {
    "aws.sqs": _sqs,
    "aws.sqs~sns": _sns_in_sqs,
    "aws.sns": _sns,
    "aws.kinesis": _kinesis,
    "aws.s3": _s3,
    "aws.s3.eventbridge": _s3_on_bus,
    "aws.dynamodb": _dynamodb,
    "aws.schedule": _schedule,
    "aws.scheduler": _scheduler,
    "aws.eventbridge": _eventbridge,
}


def _milliseconds(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
