"""The Context of an invocation on Cloud Run functions, which hand over none of their own."""

from __future__ import annotations

import os
import time

from portable_contracts.events import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_SECONDS = 60.0
"""A function's timeout where nothing else was set: https://cloud.google.com/functions/docs/configuring/timeout"""


def context_of(native_context: Any, invocation_id: str) -> Context:
    """Return the context that the entry point made of the request; without one, its deadline counts from now.

    `PORTABLE_TIMEOUT` (seconds) is what a deployment sets; functions-framework reads the other one itself.
    """
    if type(native_context) is Context:
        return native_context
    told = os.environ.get("PORTABLE_TIMEOUT") or os.environ.get("CLOUD_RUN_TIMEOUT_SECONDS")
    seconds = float(told or DEFAULT_SECONDS)
    return Context(invocation_id, os.environ.get("K_SERVICE", ""), "gcp", time.time() + seconds)
