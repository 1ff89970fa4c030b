"""How handlers and middlewares are called: plain and async ones in any order, from a thread and from an event loop.

Every step of a chain can be taken in two ways. `plain` blocks this thread; `on_loop` is awaited. A plain function that
is reached on a loop runs in a thread; an async one that is reached from a thread runs on the loop that the invocation
came from, else on one that this process keeps. What needs asyncio is in `_looping`, which is imported when it is used.
"""

from __future__ import annotations

from types import CoroutineType

from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Any, Protocol

    from portable_contracts.deploy import Place

    class Step(Protocol):
        """A part of a chain: takes an event, gives what the steps behind it gave."""

        def plain(self, event: Any) -> Any: ...
        def on_loop(self, event: Any) -> Awaitable[Any]: ...


_VARARGS, _VARKEYWORDS, _GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x04, 0x08, 0x20, 0x80, 0x200
_NOTHING: dict[str, str] = {}


class Handler:
    """A function of the app, and how it wants to be called."""

    __slots__ = ("function", "is_async", "name", "place", "takes_event")

    def __init__(self, function: Callable[..., Any], place: Place, names: Sequence[str] = ()) -> None:
        """Look at the function's parameters: the event first, then one for each of *names*; or none at all.

        Raises InvalidArgument, with the place in the source, for a function that cannot be called so.
        """
        self.function = function
        self.place = place
        self.name = name_of(function)
        if not callable(function):
            raise InvalidArgument(f"{place}: a handler is a function, not {function!r}")
        code, bound = _code(function)
        flags = code.co_flags if code is not None else 0
        if flags & (_GENERATOR | _ASYNC_GENERATOR):
            raise InvalidArgument(f"{place}: handler {self.name} is a generator: return the whole answer")
        self.is_async = is_async(function)
        self.takes_event = code is None or self._takes_event(code, bound, names)

    def _takes_event(self, code: Any, bound: int, names: Sequence[str]) -> bool:
        function: Any = self.function
        if code.co_flags & _VARARGS and code.co_flags & _VARKEYWORDS and hasattr(function, "__wrapped__"):
            # A decorator's wrapper hands on what it gets: what the function inside wants is what counts.
            return Handler(function.__wrapped__, self.place, names).takes_event
        positional = code.co_varnames[bound : code.co_argcount]
        by_name = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        takes_rest = bool(code.co_flags & _VARKEYWORDS)
        if not positional and not by_name and not code.co_flags & (_VARARGS | _VARKEYWORDS) and not names:
            return False
        what = "request" if names else "event"
        if not positional and not code.co_flags & _VARARGS:
            raise InvalidArgument(
                f"{self.place}: handler {self.name} takes no {what}: its first parameter receives it, "
                f"as in def {self.name}({', '.join((what, *names))})"
            )
        if positional and positional[0] in names:
            raise InvalidArgument(
                f"{self.place}: the first parameter of handler {self.name} receives the request, "
                f"but it is called {positional[0]}: write def {self.name}({', '.join(('request', *names))})"
            )
        named = (*positional[1:], *by_name)
        missing = [name for name in names if name not in named and not takes_rest]
        if missing:
            raise InvalidArgument(
                f"{self.place}: handler {self.name} has no parameter for {', '.join(missing)}, which is in the path: "
                f"write def {self.name}({', '.join(('request', *names))})"
            )
        defaults = getattr(getattr(function, "__func__", function), "__defaults__", None) or ()
        keyword_defaults = getattr(function, "__kwdefaults__", None) or {}
        required = (
            *positional[1 : len(positional) - len(defaults)],
            *(n for n in by_name if n not in keyword_defaults),
        )
        spare = [name for name in required if name not in names]
        if spare:
            raise InvalidArgument(
                f"{self.place}: handler {self.name} asks for {', '.join(spare)}, which nothing fills: "
                + (f"the path has {', '.join(names)}" if names else f"it gets the {what} alone")
            )
        return True

    def plain(self, event: Any, values: Mapping[str, str] = _NOTHING) -> Any:
        """Call it from a thread that may block."""
        if values:
            result = self.function(event, **values)
        else:
            result = self.function(event) if self.takes_event else self.function()
        if type(result) is CoroutineType:
            from portable._looping import wait_for

            return wait_for(result)
        return result

    def on_loop(self, event: Any, values: Mapping[str, str] = _NOTHING) -> Awaitable[Any]:
        """Call it from a running event loop."""
        if self.is_async:
            awaitable: Awaitable[Any] = self.function(event, **values) if self.takes_event else self.function()
            return awaitable
        from portable._looping import in_thread

        return in_thread(self.plain, event, values)


class Middleware:
    """A function around the steps behind it."""

    __slots__ = ("_await_next", "_call_next", "_checked", "function", "is_async", "name", "place")

    def __init__(
        self, function: Callable[..., Any], place: Place, behind: Step, checked: Callable[[Middleware, Any, Any], Any]
    ) -> None:
        self.function = function
        self.place = place
        self.name = name_of(function)
        self.is_async = is_async(function)
        self._call_next = behind.plain
        self._await_next = behind.on_loop
        self._checked = checked

    def plain(self, event: Any) -> Any:
        if self.is_async:
            from portable._looping import wait_for

            return wait_for(self.on_loop(event))
        return self._checked(self, event, self.function(event, self._call_next))

    async def on_loop(self, event: Any) -> Any:
        if self.is_async:
            return self._checked(self, event, await self.function(event, self._await_next))
        from portable._looping import in_thread

        return await in_thread(self.plain, event)


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether calling *function* gives a coroutine."""
    inner: Any = function
    while hasattr(inner, "func") and hasattr(inner, "keywords"):  # a functools.partial
        inner = inner.func
    code, _ = _code(inner)
    return code is not None and bool(code.co_flags & _COROUTINE)


def name_of(function: Any) -> str:
    """Return what the source calls *function*."""
    inner = getattr(function, "func", function)  # a functools.partial's
    return str(getattr(inner, "__name__", None) or type(function).__name__)


def _code(function: Any) -> tuple[Any, int]:
    """Return the code that a call runs, None where it is not Python's, and how many arguments are bound to it."""
    code = getattr(function, "__code__", None)
    if code is not None:
        return code, 1 if getattr(function, "__self__", None) is not None else 0
    call = getattr(type(function), "__call__", None)  # noqa: B004  # the function itself is wanted
    return getattr(call, "__code__", None), 1
