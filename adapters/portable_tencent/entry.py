"""What an SCF function's handler setting names."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from portable_contracts.provider import Runner


def entry(runner: Runner) -> EventFunction:
    """Return the function `main_handler(event, context)` of an event function."""
    return EventFunction(runner)


class EventFunction:
    """A function that knows its runner, from which the web function makes its application."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    def __call__(self, event: Any, context: Any) -> Any:
        return self.runner(event, context)
