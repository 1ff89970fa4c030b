"""The log line of a failure: one traceback, once, with the invocation's id, through the logger `portable`."""

from __future__ import annotations

from portable_contracts.events import BlobEvent, Change, CloudEvent, Message, Tick
from portable_contracts.http import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def failed(event: Any, error: BaseException) -> None:
    """Log *error*, which handling *event* raised and nobody else will show."""
    import logging

    invocation = getattr(event, "id", "") if type(event) is Request else event.context.invocation_id
    logging.getLogger("portable").error("%s failed [%s]", described(event), invocation, exc_info=error)


def described(event: Any) -> str:
    """Return the event in a few words, without what may be secret: bodies, queries, values."""
    if isinstance(event, Request):
        return f"{event.method} {event.path}"
    if isinstance(event, Message):
        return f"message {event.id} of queue {event.queue}, attempt {event.attempt}"
    if isinstance(event, BlobEvent):
        return f"{event.kind} {event.key!r} in bucket {event.bucket}"
    if isinstance(event, Change):
        return f"{event.kind} {event.partition!r}, {event.sort!r} in table {event.table}"
    if isinstance(event, Tick):
        return f"schedule {event.schedule}"
    if isinstance(event, CloudEvent):
        return f"event {event.type} {event.id}"
    return f"{len(event)} messages of queue {event.queue}"
