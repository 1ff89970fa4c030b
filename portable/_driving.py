"""The one place where a driver is called: it retries, translates errors, and tells observers.

call the driver            on success: done
classify what it raised    NotFound, Conflict, ... or retryable
retryable and idempotent   again after a jittered wait, inside the invocation's deadline;
                           likewise where the service is sure to have done nothing
else                       raise the portable error, the service's own as its cause
"""

from __future__ import annotations

import time
from contextvars import ContextVar

from portable_contracts._value import Value
from portable_contracts.errors import Conflict, InvalidArgument, LimitExceeded, PortableError, Unsupported
from portable_contracts.events import NO_CONTEXT
from portable_contracts.limits import PROFILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, ClassVar, ParamSpec, TypeVar

    from portable_contracts.events import Context
    from portable_contracts.provider import Driver, Opening

    P = ParamSpec("P")
    R = TypeVar("R")

ATTEMPTS = 4
"""How often an idempotent call is tried in all."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds; the wait doubles from the first to the longest, and the real one is drawn between none and it."""

LONGEST_ASKED = 60.0
"""Seconds that a service may ask to wait; an error that asks for more is raised at once."""

invocation: ContextVar[Context] = ContextVar("portable_invocation", default=NO_CONTEXT)
"""The invocation that this thread or task is handling."""


class Call(Value):
    """One finished call of a driver, as observers see it."""

    operation: str
    resource: str
    seconds: float
    attempts: int
    error: PortableError | None


_observers: list[Callable[[Call], None]] = []


def observe(observer: Callable[[Call], None]) -> Callable[[], None]:
    """Tell *observer* of every call of a driver from now on, for spans and counters; return what takes it off again."""
    _observers.append(observer)
    return lambda: _observers.remove(observer) if observer in _observers else None


class Connection:
    """An open driver, and what the app may ask of it."""

    def __init__(
        self, driver: Any, capabilities: Any, owners: Mapping[str, str], opening: Opening, target: str = ""
    ) -> None:
        self.driver = driver
        self.capabilities = capabilities
        """What the driver and every target of the app promise together."""
        self.owners = owners
        """Per field of the capabilities, whose promise is the strictest: `"target prod (azure)"`."""
        self.clock = opening.clock
        self.target = target


class Resource:
    """The base of Bucket, Table and Queue: a name, and a connection made on first use."""

    kind: ClassVar[str]

    def __init__(self, name: str, connect: Callable[[], Connection]) -> None:
        self.name = name
        self._connect = connect
        self._connected: Connection | None = None

    @property
    def _connection(self) -> Connection:
        connected = self._connected
        if connected is None:
            connected = self._connected = self._connect()
        return connected

    def native(self) -> Any:
        """Return the SDK's own client: what you do with it is not portable."""
        return self._connection.driver.native()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

    def _require(self, capability: str, operation: str) -> None:
        """Raise Unsupported where *capability* is not promised."""
        connection = self._connection
        if not getattr(connection.capabilities, capability):
            raise self._unsupported(operation, f"{connection.owners[capability]} does not have {capability!r}")

    def _unsupported(self, operation: str, why: str) -> Unsupported:
        return Unsupported(f"{operation} on {self}: {why}", operation=operation, resource=str(self))

    def _limit(self, limit: str, actual: int, what: str, operation: str) -> LimitExceeded:
        """Make the error for *actual* of *what* past the capability named *limit*."""
        connection = self._connection
        allowed, owner = int(getattr(connection.capabilities, limit)), connection.owners[limit]
        unit = next((word for word in ("bytes", "seconds") if word in limit), "")
        where = f"{self} on {owner}" if owner != PROFILE else f"{PROFILE} for {self}"
        return LimitExceeded(
            f"{what} is {actual:,} {unit}".rstrip() + f"; {where} allows {allowed:,}",
            limit=limit,
            actual=actual,
            allowed=allowed,
            owner=owner,
            operation=operation,
            resource=str(self),
        )

    def _invalid(self, operation: str, why: str) -> InvalidArgument:
        return InvalidArgument(f"{operation} on {self}: {why}", operation=operation, resource=str(self))


def call(
    resource: Resource,
    operation: str,
    what: str,
    retry: bool | None,
    function: Callable[P, R],
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """Call *function*, a driver's; *what* names the key in errors, *retry* says that doing it twice is harmless.

    With None as *retry* it cannot be called twice at all, whatever came of the first time.
    """
    if not _observers:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            first = error
        return _again(resource, operation, what, retry, first, lambda: function(*args, **kwargs))[0]
    began = time.perf_counter()
    attempts, failure = 1, None
    try:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            first = error
        result, attempts = _again(resource, operation, what, retry, first, lambda: function(*args, **kwargs))
        return result
    except PortableError as error:
        failure, attempts = error, getattr(error, "attempts", 1)
        raise
    finally:
        done = Call(operation, str(resource), time.perf_counter() - began, attempts, failure)
        for observer in tuple(_observers):
            observer(done)


def _again(
    resource: Resource, operation: str, what: str, retry: bool | None, error: Exception, function: Callable[[], R]
) -> tuple[R, int]:
    """Go on after *error*, the first attempt's: return what a later attempt gave and how many there were."""
    attempt = 1
    while True:
        translated = translate(resource, operation, what, error)
        harmless = retry or (retry is not None and _changed_nothing(resource, error))
        again = attempt < ATTEMPTS and translated.retryable and harmless
        wait = _wait(attempt, resource, error) if again else None
        if wait is None or time.time() + wait >= invocation.get().expires:
            translated.attempts = attempt  # type: ignore[attr-defined]  # for the observer of this very call
            if translated is error:
                raise error
            raise translated from error
        time.sleep(wait)
        attempt += 1
        try:
            return function(), attempt
        except Exception as next_error:
            error = next_error


def _changed_nothing(resource: Resource, error: Exception) -> bool:
    driver: Driver = resource._connection.driver
    return driver.changed_nothing(error)


def _wait(attempt: int, resource: Resource, error: Exception) -> float | None:
    """Return the seconds to wait before the next attempt; None when the service asked for too many of them."""
    asked = resource._connection.driver.retry_after(error)
    if asked is not None:
        return asked if asked <= LONGEST_ASKED else None
    from random import uniform  # 3 ms, for a path that is rarely taken

    return uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)))  # noqa: S311  # jitter, not a secret


def translate(resource: Resource, operation: str, what: str, error: Exception) -> PortableError:
    """Return the portable error that *error*, a driver's, is; say what was being done to what."""
    if isinstance(error, PortableError):
        error.operation = error.operation or operation
        error.resource = error.resource or str(resource)
        return error
    from portable_contracts.kv import KVDriver

    driver: Driver = resource._connection.driver
    kind = driver.classify(error)
    subject = f"{operation} {what} in {resource}" if what else f"{operation} in {resource}"
    message = f"{subject}: {driver.explain(error)}"
    if kind is Conflict and isinstance(driver, KVDriver):
        reasons = [
            None if reason is None else reason(f"operation {index} of {subject}", operation=operation)
            for index, reason in enumerate(driver.reasons(error))
        ]
        return Conflict(message, reasons=reasons, operation=operation, resource=str(resource))
    return kind(message, operation=operation, resource=str(resource))
