"""The Context of an invocation on Cloud Run functions, which hand over none of their own."""

from __future__ import annotations

import os
import time

from portable_contracts.events import Context

DEFAULT_SECONDS = 60.0
"""A function's timeout where nothing else was set: https://cloud.google.com/functions/docs/configuring/timeout"""


def context_of(invocation_id: str) -> Context:
    """Return the context: the deadline counts from now, by `PORTABLE_TIMEOUT` (seconds), which a deployment sets."""
    seconds = float(os.environ.get("PORTABLE_TIMEOUT", DEFAULT_SECONDS))
    return Context(invocation_id, os.environ.get("K_SERVICE", ""), "gcp", time.time() + seconds)
