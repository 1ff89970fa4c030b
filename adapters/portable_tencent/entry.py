"""What an SCF function's handler setting names."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from portable_contracts.provider import Runner


def entry(runner: Runner) -> Callable[[Any, Any], Any]:
    """Return the function `main_handler(event, context)` of an event function."""

    def main_handler(event: Any, context: Any) -> Any:
        return runner(event, context)

    return main_handler
