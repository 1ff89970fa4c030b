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
        lazy: dict[str, Any] = namespace.get("_lazy", {})
        namespace["__slots__"] = tuple(f"_{field}" if field in lazy else field for field in own)
        cls: Any = super().__new__(mcls, name, bases, namespace)
        for field, make in lazy.items():
            setattr(cls, field, _reading(f"_{field}", make))
        fields = tuple(dict.fromkeys([*getattr(cls, "_fields", ()), *own]))
        cls._fields = fields
        cls._defaults = {**getattr(cls, "_defaults", {}), **defaults}
        cls.__init__ = _first_init
        return cls


def _reading(slot: str, make: Callable[[Any], Any]) -> property:
    return property(lambda self: make(getattr(self, slot)))


def _first_init(self: Any, *args: Any, **kwargs: Any) -> None:
    cls = type(self)
    cls.__init__ = _compiled(cls, "__init__", ["self"], "_open(self, _draft)", "")
    cls.__init__(self, *args, **kwargs)


def _compiled(cls: Any, name: str, first: list[str], before: str, after: str) -> Any:
    """Return a function of the fields that fills in a record, at half the cost of setting each past `__setattr__`.

    Meanwhile the record is of a class that does not refuse it, with the same slots.
    """
    if "_draft" not in cls.__dict__:
        opened = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
        cls._draft = type.__new__(_ValueType, cls.__name__, (cls,), opened)
    scope: dict[str, Any] = {f"default_{field}": default for field, default in cls._defaults.items()}
    scope |= {"_draft": cls._draft, "_sealed": cls, "_new": object.__new__, "_open": _open}
    parameters = [f"{field}=default_{field}" if field in cls._defaults else field for field in cls._fields]
    assignments = [f"self.{'_' if field in cls._lazy else ''}{field} = {field}" for field in cls._fields]
    lines = "\n  ".join([before, *assignments, "self.__class__ = _sealed", after])
    # Field names are what Python itself accepted, as in dataclasses; the class makes a TypeError name the type.
    exec(f"class {cls.__name__}:\n def {name}({', '.join([*first, *parameters])}):\n  {lines}", scope)  # noqa: S102
    return getattr(scope[cls.__name__], name)


_open: Any = object.__dict__["__class__"].__set__


class Value(metaclass=_ValueType):
    """A record whose fields are its annotations; it cannot be changed once made."""

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    _uncompared: ClassVar[frozenset[str]] = frozenset()
    _unprinted: ClassVar[frozenset[str]] = frozenset()
    _lazy: ClassVar[dict[str, Callable[[Any], Any]]] = {}
    """For fields that few read and that are dear to make: what makes one, when it is read, of what it was set to."""

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


def setter(kind: type[Value], field: str) -> Callable[[Any, Any], None]:
    """Return what sets *field* of a record that nobody else has seen yet: cheaper than a changed copy."""
    return getattr(kind, field).__set__  # type: ignore[no-any-return]  # a slot's


def maker(kind: type[Value]) -> Callable[..., Any]:
    """Return a function that makes records as calling *kind* does, for who makes many: it costs a third less."""
    return _compiled(kind, "make", [], "self = _new(_draft)", "return self")  # type: ignore[no-any-return]  # compiled


class Generic:
    """At run time, in the place of `typing.Generic`, whose import costs a cold start 7 ms."""

    __slots__ = ()

    def __class_getitem__(cls, _: object) -> type:
        return cls
