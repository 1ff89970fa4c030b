"""The Context of a Lambda invocation, from the runtime's own context object.

https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
"""

from __future__ import annotations

from time import time

from portable_contracts.events import Context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UNKNOWN_SECONDS = 900.0
"""Lambda's longest timeout, for an invocation without a context object: a test's, or a script's."""


def context_of(native: Any, request_id: str = "") -> Context:
    """Return the portable context; *request_id* serves where *native* is None."""
    if native is None:
        return Context(request_id, "", "aws", time() + UNKNOWN_SECONDS)
    expires = time() + native.get_remaining_time_in_millis() / 1000
    return Context(native.aws_request_id, native.function_name or "", "aws", expires)
