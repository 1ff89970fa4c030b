"""What an app declares, as data: for the entry points, for `portable check`, and for deployers."""

from __future__ import annotations

from portable_contracts._value import Value
from portable_contracts.provider import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class Place(Value):
    """Where in the app's source something was declared."""

    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class ResourceSpec(Value):
    """A bucket, table or queue that the app uses."""

    kind: str
    """`"bucket"`, `"table"` or `"queue"`."""
    name: str
    options: Mapping[str, Any] = EMPTY
    """A queue's `max_attempts` and `dead_letter` (the name of another queue)."""
    needs: frozenset[str] = frozenset()
    """Capabilities beyond the base contract that the app says it uses."""
    place: Place = Place()


class RouteSpec(Value):
    """An HTTP route."""

    method: str
    path: str
    function: str
    handler: str
    place: Place


class TriggerSpec(Value):
    """Something other than HTTP that calls a handler."""

    kind: str
    """`"message"`, `"blob"`, `"change"`, `"schedule"` or `"event"`."""
    source: str
    """The resource's name, the cron expression, or the CloudEvent type."""
    name: str
    """The handler's name; a schedule's name."""
    function: str
    options: Mapping[str, Any] = EMPTY
    place: Place = Place()


class FunctionSpec(Value):
    """One deployed function: the handlers that share it."""

    name: str
    memory: int | None = None
    """MiB."""
    timeout: int | None = None
    """Seconds."""


class AppSpec(Value):
    """The whole app."""

    name: str
    routes: Sequence[RouteSpec]
    triggers: Sequence[TriggerSpec]
    resources: Sequence[ResourceSpec]
    functions: Sequence[FunctionSpec]
