"""What a user asks a queue to send, checked against what the queue's service takes."""

from __future__ import annotations

from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument, LimitExceeded, Unsupported
from portable_contracts.provider import EMPTY
from portable_contracts.queue import Outgoing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import timedelta
    from typing import Any

    from portable._driving import Resource
    from portable_contracts.errors import PortableError

LONGEST_KEY = 128
"""Characters of a group or a dedup key: what every service that has them takes."""

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_KEY = frozenset(map(chr, range(0x21, 0x7F)))


class Send(Value):
    """A message for `send_many`, with what `send` takes beside the body."""

    body: Any
    attributes: Mapping[str, str] = EMPTY
    delay: timedelta | None = None
    group: str | None = None
    dedup: str | None = None


class Batch:
    """Messages for one call of a driver, and which of those given were refused."""

    def __init__(self) -> None:
        self.accepted: list[Outgoing] = []
        self.refusals: list[PortableError | None] = []
        """For each message given, in order, why it was refused, or None."""


def batches(queue: Resource, messages: Iterable[Any]) -> Iterator[Batch]:
    """Check *messages*, bodies or `Send` values, as they come, and part them into what one call of the driver takes."""
    capabilities = queue._connection.capabilities
    batch, size = Batch(), 0
    for message in messages:
        sent = message if isinstance(message, Send) else Send(message)
        try:
            outgoing = checked(queue, sent.body, sent.attributes, sent.delay, sent.group, sent.dedup)
        except (InvalidArgument, Unsupported) as error:
            batch.refusals.append(error)
            continue
        weight = len(outgoing.body) + _attribute_bytes(outgoing.attributes)
        full = len(batch.accepted) == capabilities.max_send_batch
        if batch.accepted and (full or size + weight > capabilities.max_send_batch_bytes):
            yield batch
            batch, size = Batch(), 0
        batch.refusals.append(None)
        batch.accepted.append(outgoing)
        size += weight
    yield batch


def checked(
    queue: Resource,
    body: Any,
    attributes: Mapping[str, str],
    delay: timedelta | None,
    group: str | None,
    dedup: str | None,
) -> Outgoing:
    """Return the message as drivers take it. Raises InvalidArgument, LimitExceeded and Unsupported as `send` says."""
    content = body if type(body) is bytes else _encoded(queue, body)
    if len(content) > queue._connection.capabilities.max_body_bytes:
        raise queue._limit("max_body_bytes", len(content), "body", "send")
    wait = 0.0
    if delay:
        queue._require("delay", "send(delay=...)")
        wait = seconds(queue, "delay", delay, "send", "max_delay_seconds")
    if group is not None:
        _check_key(queue, "group", group)
        queue._require("groups", "send(group=...)")
    if dedup is not None:
        _check_key(queue, "dedup", dedup)
        queue._require("dedup", "send(dedup=...)")
    texts = _checked_attributes(queue, attributes) if attributes else EMPTY
    if texts and not queue._connection.capabilities.attributes_apart:
        together = len(content) + _attribute_bytes(texts)
        if together > queue._connection.capabilities.max_body_bytes:
            raise queue._limit("max_body_bytes", together, "body with its attributes", "send")
    return Outgoing(content, texts, wait, group, dedup)


def seconds(queue: Resource, what: str, duration: timedelta, operation: str, longest: str) -> float:
    """Return *duration* in seconds. Raises InvalidArgument, or LimitExceeded past the capability named *longest*."""
    try:
        found = duration.total_seconds()
    except AttributeError as error:
        raise queue._invalid(operation, f"{what} is {duration!r}: write it as timedelta(seconds=...)") from error
    if found < 0:
        raise queue._invalid(operation, f"{what} is {found:g} seconds: a duration is not negative")
    if found > getattr(queue._connection.capabilities, longest):
        raise queue._limit(longest, -int(-found // 1), what, operation)
    return found


def lease_seconds(queue: Resource, what: str, duration: timedelta, operation: str) -> float:
    """Return *duration* in seconds, checked as a lease."""
    found = seconds(queue, what, duration, operation, "max_lease_seconds")
    allowed = int(queue._connection.capabilities.min_lease_seconds)
    if found < allowed:
        owner = queue._connection.owners["min_lease_seconds"]
        raise LimitExceeded(
            f"{what} is {found:g} seconds; {queue} on {owner} allows no less than {allowed}",
            limit="min_lease_seconds",
            actual=int(found),
            allowed=allowed,
            owner=owner,
            operation=operation,
            resource=str(queue),
        )
    return found


def _encoded(queue: Resource, body: Any) -> bytes:
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    try:
        if isinstance(body, str):
            return body.encode()
        import json

        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise queue._invalid("send", f"body is neither bytes nor text nor a JSON value: {error}") from error


def _checked_attributes(queue: Resource, attributes: Mapping[str, str]) -> dict[str, str]:
    try:
        copy = dict(attributes)
    except (TypeError, ValueError) as error:
        raise queue._invalid("send", f"attributes is not a mapping of names to texts: {error}") from error
    for name, value in copy.items():
        if not isinstance(name, str) or not name or not _NAME.issuperset(name):
            raise queue._invalid("send", f"attribute name {name!r} is not made of a-z A-Z 0-9 _ . -")
        if not isinstance(value, str):
            raise queue._invalid("send", f"attribute {name!r} is of type {type(value).__name__}: make it text")
    if len(copy) > queue._connection.capabilities.max_attributes:
        raise queue._limit("max_attributes", len(copy), "the number of attributes", "send")
    try:
        size = _attribute_bytes(copy)
    except UnicodeEncodeError as error:
        raise queue._invalid("send", "an attribute holds a lone surrogate, which no UTF-8 text can carry") from error
    if size > queue._connection.capabilities.max_attribute_bytes:
        raise queue._limit("max_attribute_bytes", size, "the size of the attributes", "send")
    return copy


def _check_key(queue: Resource, what: str, key: str) -> None:
    if not isinstance(key, str) or not 1 <= len(key) <= LONGEST_KEY or not _KEY.issuperset(key):
        raise queue._invalid("send", f"{what} is {key!r}: use 1 to {LONGEST_KEY} ASCII letters, digits or marks")


def _attribute_bytes(attributes: Mapping[str, str]) -> int:
    return sum(len(name) + len(value.encode()) for name, value in attributes.items())
