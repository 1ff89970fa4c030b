"""The functions that the app's handlers are deployed in, and how large they are to be."""

from __future__ import annotations

from portable._resources import check_name
from portable_contracts.deploy import FunctionSpec
from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypedDict

    from portable_contracts.deploy import Place

    class Size(TypedDict, total=False):
        """How a handler is deployed: with those of the same `function`; `memory` in MiB, `timeout` in seconds."""

        function: str
        memory: int | None
        timeout: int | None


MAIN = "main"
"""The function of all handlers that name no other."""
_UNITS = {"memory": "MiB", "timeout": "seconds"}


class Functions:
    """An app's functions, by name."""

    def __init__(self) -> None:
        self.specs: dict[str, FunctionSpec] = {}
        self._places: dict[tuple[str, str], Place] = {}

    def add(self, size: Size, place: Place) -> str:
        """Return the name of the function that a handler is deployed in, and note what size it is to have.

        Raises InvalidArgument for an unknown option, and for a second size of one function, with both places.
        """
        wanted: dict[str, Any] = dict(size)
        name: str = wanted.pop("function", MAIN)
        check_name("function", name, place)
        spec = self.specs.setdefault(name, FunctionSpec(name))
        for what, value in wanted.items():
            if what not in _UNITS:
                from portable._nearest import nearest

                near = nearest(what, ("function", *_UNITS))
                raise InvalidArgument(f"{place}: unknown option {what!r}{near}: there are function, memory, timeout")
            if value is None:
                continue
            if type(value) is not int or value < 1:
                unit = _UNITS[what]
                raise InvalidArgument(f"{place}: {what}={value!r} of function {name}: use a whole number of {unit}")
            present = getattr(spec, what)
            if present is not None and present != value:
                other = self._places[name, what]
                raise InvalidArgument(f"{place}: function {name} has {what}={value} here and {present} at {other}")
            self._places.setdefault((name, what), place)
            spec = self.specs[name] = spec.replace(**{what: value})
        return name
