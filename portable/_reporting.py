"""The log line of a failure: one traceback, once, with the invocation's id, through the logger `portable`."""

from __future__ import annotations

from portable_contracts.events import BlobEvent, Change, CloudEvent, Message, Tick
from portable_contracts.http import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from logging import Logger
    from types import TracebackType
    from typing import Any


ERROR = 40
"""The level, as `logging` has it, which is imported when there is something to log."""

_logger: Logger | None = None


def failed(event: Any, error: BaseException) -> None:
    """Log *error*, which handling *event* raised and nobody else will show."""
    global _logger
    if _logger is None:
        import logging

        _logger = logging.getLogger("portable")
    if not _logger.isEnabledFor(ERROR):
        return
    invocation = getattr(event, "id", "") if type(event) is Request else event.context.invocation_id
    _logger.error("%s failed [%s]", described(event), invocation, exc_info=(type(error), error, _of_the_app(error)))


def _of_the_app(error: BaseException) -> TracebackType | None:
    """Return the traceback from where the app's own code begins: how it was called from here helps nobody."""
    traceback = error.__traceback__
    while traceback is not None and str(traceback.tb_frame.f_globals.get("__name__")).startswith("portable."):
        traceback = traceback.tb_next
    return traceback or error.__traceback__


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
