"""What a Lambda function's handler setting names."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from portable_contracts.provider import Runner


def entry(runner: Runner) -> Callable[[Any, Any], Any]:
    """Return what is called as `handler(event, context)`."""
    return runner.__call__
