"""The Context of an Azure Functions invocation; the worker's own names no deadline."""

from __future__ import annotations

import os
import time

from portable_contracts.errors import InvalidArgument
from portable_contracts.events import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FRONT_SECONDS = 230.0
"""How long the load balancer waits for an HTTP answer, whatever the function's own timeout.

https://learn.microsoft.com/azure/azure-functions/functions-scale#timeout
"""
DEFAULT_SECONDS = 300.0
"""A function's timeout where nothing was set, on the plan that gives the least (the same page)."""


def context_of(native: Any, invocation_id: str = "", most: float = float("inf")) -> Context:
    """Return the context: the deadline counts from now, by `PORTABLE_TIMEOUT` (seconds), which a deployment sets.

    *invocation_id* serves where *native*, the worker's own context, is None.
    """
    told = os.environ.get("PORTABLE_TIMEOUT")
    try:
        seconds = float(told) if told else DEFAULT_SECONDS
    except ValueError:
        raise InvalidArgument(f"PORTABLE_TIMEOUT is {told!r}: set it to the function's timeout in seconds") from None
    return Context(
        str(getattr(native, "invocation_id", "") or invocation_id),
        str(getattr(native, "function_name", "") or ""),
        "azure",
        time.time() + min(seconds, most),
    )
