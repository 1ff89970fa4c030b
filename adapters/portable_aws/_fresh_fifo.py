"""Fresh FIFO queues for the conformance suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portable_aws import _fresh_queue
from portable_aws._fresh_queue import destroy, move_clock, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portable_contracts.harness import Harness

__all__ = ["create", "destroy", "move_clock", "refusal", "unreachable"]


def create(harness: Harness, options: Mapping[str, Any]) -> str:
    """Make a queue and return its address. Raises MissingCounterpart."""
    return _fresh_queue.made(harness, "sqs+fifo", options)


def unreachable(harness: Harness) -> str:
    """Return the address of a queue that does not exist."""
    return _fresh_queue.unreachable(harness).replace("sqs:", "sqs+fifo:", 1)
