"""Frozen, slotted records without the import cost of dataclasses.

`dataclasses` imports `inspect`, which costs about 10 ms of a function's cold start: more than everything else that
decoding a first request needs. A `Value` subclass is written like a frozen dataclass and type-checks as one. Its
`__init__` is compiled when the first record is made, since a cold start imports many types and makes records of few.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Self

    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: object) -> Callable[[type], type]:
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class _ValueType(type):
    """Makes `__slots__` of the annotations, and `__init__` of the slots."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        annotations: dict[str, str] = namespace.get("__annotations__", {})
        own = [field for field in annotations if not str(annotations[field]).startswith("ClassVar")]
        defaults = {field: namespace.pop(field) for field in own if field in namespace}
        namespace["__slots__"] = tuple(own)
        cls: Any = super().__new__(mcls, name, bases, namespace)
        fields = tuple(dict.fromkeys([*getattr(cls, "_fields", ()), *own]))
        cls._fields = fields
        cls._defaults = {**getattr(cls, "_defaults", {}), **defaults}
        cls.__init__ = _first_init
        return cls


def _first_init(self: Any, *args: Any, **kwargs: Any) -> None:
    cls = type(self)
    cls.__init__ = _written_init(cls)
    cls.__init__(self, *args, **kwargs)


def _written_init(cls: Any) -> Any:
    scope: dict[str, Any] = {f"set_{field}": getattr(cls, field).__set__ for field in cls._fields}
    scope.update({f"default_{field}": default for field, default in cls._defaults.items()})
    parameters = [f"{field}=default_{field}" if field in cls._defaults else field for field in cls._fields]
    assignments = [f"set_{field}(self, {field})" for field in cls._fields] or ["pass"]
    # Field names are what Python itself accepted, as in dataclasses; the class makes a TypeError name the type.
    exec(  # noqa: S102
        f"class {cls.__name__}:\n def __init__({', '.join(('self', *parameters))}): {'; '.join(assignments)}", scope
    )
    return scope[cls.__name__].__init__


class Value(metaclass=_ValueType):
    """A record whose fields are its annotations; it cannot be changed once made."""

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    _uncompared: ClassVar[frozenset[str]] = frozenset()
    _unprinted: ClassVar[frozenset[str]] = frozenset()

    def replace(self, **changes: Any) -> Self:
        """Return a copy with *changes* in place of these fields."""
        fields: dict[str, Any] = {field: getattr(self, field) for field in self._fields}
        fields.update(changes)
        return type(self)(**fields)

    def _compared(self) -> tuple[Any, ...]:
        return tuple([getattr(self, field) for field in self._fields if field not in self._uncompared])

    def __eq__(self, other: object) -> bool:
        return self._compared() == other._compared() if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._compared())

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be set: use .replace({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be deleted")

    def __repr__(self) -> str:
        shown = ", ".join(f"{field}={getattr(self, field)!r}" for field in self._fields if field not in self._unprinted)
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return type(self), tuple(getattr(self, field) for field in self._fields)


class Generic:
    """At run time, in the place of `typing.Generic`, whose import costs a cold start 7 ms."""

    __slots__ = ()

    def __class_getitem__(cls, _: object) -> type:
        return cls
