"""The Context of an SCF invocation: the event function's context dict, or the web function's headers.

The context dict's `environ` holds the role's secrets, so it is never kept, printed or handed on.
"""

from __future__ import annotations

import time

from portable_contracts.events import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST_SECONDS = 900.0
"""SCF's longest timeout, where the platform did not say: https://cloud.tencent.com/document/product/583/11637"""


def context_of(native: Any, request_id: str = "") -> Context:
    """Return the portable context; the platform names only its limit, so the deadline counts from now."""
    told = native if type(native) is dict else {}
    limit = told.get("time_limit_in_ms")
    seconds = limit / 1000 if isinstance(limit, (int, float)) and limit > 0 else LONGEST_SECONDS
    return Context(
        str(told.get("request_id") or request_id),
        str(told.get("function_name") or ""),
        "tencent",
        time.time() + seconds,
    )
