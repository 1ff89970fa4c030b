"""What went wrong, said the same way on every provider.

    PortableError                      unclassified: not retried
      InvalidArgument(ValueError)      refused before anything is sent
        LimitExceeded                  names the limit, the actual value, the allowed one, and whose limit it is
      NotFound(LookupError)            the item, object, queue or table is not there
      AlreadyExists                    `create` met one that is there
      Conflict                         a version did not match, or a transaction's condition did not hold
      PermissionDenied                 not allowed, or not signed in
      Unsupported(NotImplementedError) the driver does not declare the capability
      Unavailable        [retryable]   throttled, 5xx, network
      Timeout(TimeoutError) [retryable]

The service's own error, where there is one, is `__cause__`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, ClassVar


class PortableError(Exception):
    """Something failed and no more is known; it is not retried."""

    retryable: ClassVar[bool] = False
    reported: ClassVar[bool] = False
    """Its tracebacks are in the log already: an entry point that can fail an invocation without one does."""

    def __init__(self, message: str = "", *, operation: str = "", resource: str = "") -> None:
        super().__init__(message)
        self.operation = operation
        """What was being done: `"write"`, `"receive"`; empty when no driver was called."""
        self.resource = resource
        """To what: `"bucket photos"`; empty when no resource was involved."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(kind: type[PortableError], args: tuple[Any, ...], state: dict[str, Any]) -> PortableError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidArgument(PortableError, ValueError):
    """An argument is wrong; nothing was sent."""


class LimitExceeded(InvalidArgument):
    """A value is larger than a service takes; nothing was sent."""

    def __init__(
        self,
        message: str = "",
        *,
        limit: str = "",
        actual: int = 0,
        allowed: int = 0,
        owner: str = "",
        operation: str = "",
        resource: str = "",
    ) -> None:
        super().__init__(message, operation=operation, resource=resource)
        self.limit = limit
        """The limit's name in the capabilities: `"max_body_bytes"`."""
        self.actual = actual
        self.allowed = allowed
        self.owner = owner
        """Whose limit it is: `"target prod (azure)"`, `"the portable profile"`."""


class NotFound(PortableError, LookupError):
    """What was named is not there."""


class AlreadyExists(PortableError):
    """`create` met an item or object that is there."""


class Conflict(PortableError):
    """A version did not match, or a condition of a transaction did not hold."""

    def __init__(
        self,
        message: str = "",
        *,
        reasons: Sequence[PortableError | None] = (),
        operation: str = "",
        resource: str = "",
    ) -> None:
        super().__init__(message, operation=operation, resource=resource)
        self.reasons = tuple(reasons)
        """For a transaction: per operation, in order, why it was refused, or None; empty for anything else."""


class PermissionDenied(PortableError):
    """The caller may not do this, or is not signed in."""


class Unsupported(PortableError, NotImplementedError):
    """The driver does not declare the capability that the call needs."""


class Unavailable(PortableError):
    """Throttled, overloaded or unreachable; trying again may help."""

    retryable = True


class Timeout(PortableError, TimeoutError):
    """No answer in time; trying again may help, and the first attempt may have had its effect."""

    retryable = True
