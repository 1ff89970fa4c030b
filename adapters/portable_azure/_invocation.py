"""What the entry point hands to the codecs: a trigger's payload with what the payload does not say itself."""

from __future__ import annotations

from portable_contracts._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Invocation(Value):
    """One invocation of a function that is not HTTP."""

    trigger: str
    """The binding's type: `"queueTrigger"`, `"timerTrigger"` and so on."""
    source: str
    """The name of the queue, container, table or schedule: as the binding has it."""
    payload: Any
    """The object that the Functions worker made of it, or a list of them; of Event Grid's event its JSON."""
