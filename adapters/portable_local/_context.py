"""The Context of an invocation on this machine."""

from __future__ import annotations

import time
from os import urandom

from portable_contracts.events import Context
from portable_contracts.reading import moment, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECONDS = 30.0
"""Until the deadline, where nobody sets one: the portable profile's."""


def context_of(native: Any = None) -> Context:
    """Return *native* where it is a Context; else a new one, which holds what *native*, a mapping or None, says."""
    if native is None:
        return Context(urandom(16).hex(), "main", "local", time.time() + SECONDS)
    if isinstance(native, Context):
        return native
    expires = moment(native, "expires").timestamp() if "expires" in native else time.time() + SECONDS
    return Context(
        text(native, "invocation_id", "") or urandom(16).hex(), text(native, "function", "main"), "local", expires
    )
