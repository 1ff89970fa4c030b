"""Messages as SQS and SNS write them, and as a topic sends them to a queue.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html, https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
"""

from __future__ import annotations

from binascii import b2a_base64

from portable_contracts._value import maker
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import Message
from portable_contracts.provider import EMPTY
from portable_contracts.reading import decoded, mapping, sequence, text, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from portable_contracts.events import Context

ENCODING = "portable.encoding"
"""The attribute that says how a body is written that SQS and SNS cannot carry as it is: `base64`, or `empty`.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""
PACKED = "portable.attributes"
"""The attribute with those, as JSON, that SQS cannot carry as they are.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_MessageAttributeValue.html
"""
UNGROUPED = "portable.none."
"""Begins the group, of its own, of a message that was sent to a FIFO queue without one."""
FIFO = ".fifo"
"""The end of a FIFO queue's name in AWS; to an app it is part of the kind, as the scheme `sqs+fifo` says it."""
END_OF_TIME = 253_402_300_800
"""The year 10000, which no datetime reaches, in seconds since the epoch."""

_made: Callable[..., Message] = maker(Message)


def of_records(raw: Mapping[str, Any], context: Context) -> list[Message]:
    """Return the messages of an invocation by SQS. Raises InvalidArgument for a broken one, naming the field."""
    messages: list[Message] = []
    names: dict[str, tuple[str, bool]] = {}
    for record in sequence(raw, "Records"):
        try:
            # As SQS sends it; what is absent or broken is read with more care below, which costs twice as much.
            told, body, arn = record["attributes"], record["body"], record["eventSourceARN"]
            message_id, attempt = record["messageId"], told["ApproximateReceiveCount"]
            sent = float(told["SentTimestamp"]) / 1000
            if record["messageAttributes"] or '"TopicArn"' in body or type(message_id) is not str:
                raise LookupError
            if not 0 <= sent < END_OF_TIME:
                raise ValueError
            queue, is_fifo = names.get(arn) or names.setdefault(arn, _queue(record))
            message = _made(
                message_id,
                queue,
                body.encode(),
                EMPTY,
                1 if attempt == "1" else int(attempt),
                sent,
                group_of(text(told, "MessageGroupId")) if is_fifo else None,
                context,
                record,
            )
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
            message = _of_record(record, context)
        messages.append(message)
    return messages


def _of_record(record: Any, context: Context) -> Message:
    if type(record) is not dict:
        raise InvalidArgument(f"a record is of type {type(record).__name__}; expected a map")
    (queue, is_fifo), (content, attributes) = _queue(record), _content(record)
    told = mapping(record, "attributes", optional=True)
    return _made(
        text(record, "messageId"),
        queue,
        content,
        attributes,
        whole(told, "ApproximateReceiveCount", 1),
        None if told.get("SentTimestamp") is None else _seconds(whole(told, "SentTimestamp")),
        # A group of a queue that is not FIFO is there for fairness: nothing waits for anything in it.
        group_of(text(told, "MessageGroupId", "")) if is_fifo else None,
        context,
        record,
    )


def _queue(record: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the queue's name, and whether it is FIFO."""
    name = text(record, "eventSourceARN").rpartition(":")[2]
    return name.removesuffix(FIFO), name.endswith(FIFO)


def _seconds(milliseconds: int) -> float:
    if not 0 <= milliseconds < END_OF_TIME * 1000:
        raise InvalidArgument("SentTimestamp is no time in milliseconds since the epoch")
    return milliseconds / 1000


def _content(record: Mapping[str, Any]) -> tuple[bytes, Mapping[str, str]]:
    return content(text(record, "body", ""), attributes_of(mapping(record, "messageAttributes", optional=True)))


def content(body: str, attributes: dict[str, str]) -> tuple[bytes, Mapping[str, str]]:
    """Return body and attributes: of the message in it, where a topic sends to the queue without raw delivery."""
    if body.startswith("{") and '"TopicArn"' in body:
        notification = _notification(body)
        if notification is not None:
            body = text(notification, "Message")
            attributes |= attributes_of(mapping(notification, "MessageAttributes", optional=True))
    decoded_body = content_of(body, attributes)
    if PACKED in attributes:
        attributes |= _unpacked(attributes.pop(PACKED))
    return decoded_body, attributes


def _notification(body: str) -> Mapping[str, Any] | None:
    """Return the SNS notification that *body* is, where a topic sends to the queue without raw delivery; else None.

    https://docs.aws.amazon.com/sns/latest/dg/sns-sqs-as-subscriber.html
    """
    import json

    try:
        notification = json.loads(body)
    except (ValueError, RecursionError):
        return None
    known = ("Type", "TopicArn", "Message", "MessageId")
    if type(notification) is dict and all(type(notification.get(name)) is str for name in known):
        return notification if notification["Type"] == "Notification" else None
    return None


def attributes_of(attributes: Mapping[str, Any]) -> dict[str, str]:
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


def content_of(body: str, attributes: dict[str, str]) -> bytes:
    """Return the body's bytes, and take the attribute that says how it is written out of *attributes*."""
    encoding = attributes.pop(ENCODING, "")
    return b"" if encoding == "empty" else decoded({"body": body}, "body", encoding == "base64")


def written(body: bytes) -> tuple[str, str]:
    """Return the text to send for *body*, and the value of the attribute ENCODING, "" where it needs none."""
    if not body:
        return "-", "empty"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return _base64(body), "base64"
    # The same page has the characters that may be sent: those of XML.
    if text.isprintable() or not any(_is_refused(character) for character in text):
        return text, ""
    return _base64(body), "base64"


def _is_refused(character: str) -> bool:
    return (character < " " and character not in "\t\n\r") or character in "\ufffe\uffff"


def _base64(body: bytes) -> str:
    return b2a_base64(body, newline=False).decode()


def attributes_written(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes to send for *attributes*."""
    sent = {name: value for name, value in attributes.items() if _is_carried(name, value)}
    if len(sent) < len(attributes):
        import json

        sent[PACKED] = json.dumps({name: value for name, value in attributes.items() if name not in sent})
    return sent


def _is_carried(name: str, value: str) -> bool:
    return (
        bool(value)
        and (value.isprintable() or not any(_is_refused(character) for character in value))
        and name not in (ENCODING, PACKED)
        and not name.startswith(".")
        and not name.endswith(".")
        and ".." not in name
        and not name.lower().startswith(("aws.", "amazon."))
        and len(name) <= 256
    )


def _unpacked(packed: str) -> dict[str, str]:
    import json

    try:
        found = json.loads(packed)
    except (ValueError, RecursionError):
        found = None
    if type(found) is not dict or not all(type(value) is str for value in found.values()):
        raise InvalidArgument(f"the attribute {PACKED} is not what portable writes")
    return found


def no_group() -> str:
    """Return a group that no other message is in: every message of a FIFO queue is in one."""
    import os

    return UNGROUPED + os.urandom(8).hex()


def group_of(group: str) -> str | None:
    """Return the group that the sender named; None where it named none."""
    return None if not group or group.startswith(UNGROUPED) else group
