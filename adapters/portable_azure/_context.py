"""The Context of an Azure Functions invocation; the worker's own names no deadline."""

from __future__ import annotations

import os
import time

from portable_contracts.events import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_SECONDS = 230.0
"""How long the front waits for an HTTP answer, whatever the function's own timeout.

https://learn.microsoft.com/azure/azure-functions/functions-scale#timeout
"""


def context_of(native: Any, invocation_id: str = "") -> Context:
    """Return the context: the deadline counts from now, by `PORTABLE_TIMEOUT` (seconds), which a deployment sets."""
    seconds = float(os.environ.get("PORTABLE_TIMEOUT", DEFAULT_SECONDS))
    told = str(getattr(native, "invocation_id", "") or invocation_id)
    return Context(told, str(getattr(native, "function_name", "") or ""), "azure", time.time() + seconds)
