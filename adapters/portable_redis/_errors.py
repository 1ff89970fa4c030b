"""What Redis's errors are in portable terms: https://redis.io/docs/latest/develop/reference/protocol-spec"""

from __future__ import annotations

import redis.exceptions as errors

from portable_contracts.errors import PermissionDenied, PortableError, Timeout, Unavailable

_DENIED = (
    errors.AuthenticationError,
    errors.AuthenticationWrongNumberOfArgsError,
    errors.AuthorizationError,
    errors.NoPermissionError,
)
_REFUSED = (
    errors.BusyLoadingError,
    errors.ReadOnlyError,
    errors.OutOfMemoryError,
    errors.ClusterDownError,
    errors.MasterDownError,
    errors.TryAgainError,
)
"""The server answered, and did nothing."""

# The first words of answers that redis-py has no class for. Inside scripts older servers put words of their own before.
_DENIED_WORDS = frozenset({"NOAUTH", "WRONGPASS", "NOPERM", "DENIED"})
_REFUSED_WORDS = frozenset(
    {"LOADING", "BUSY", "OOM", "READONLY", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN"}
)
_DENIED_IN_SCRIPT = "The user executing the script can't run this command"
_FULL = "max number of clients reached"


def classify(error: Exception) -> type[PortableError]:
    """Say which portable error *error* is."""
    if isinstance(error, _DENIED):
        return PermissionDenied
    if isinstance(error, errors.TimeoutError):
        return Timeout
    if isinstance(error, (*_REFUSED, errors.ConnectionError)):
        return Unavailable
    if isinstance(error, errors.ResponseError):
        words = _words(error)
        if words & _DENIED_WORDS or _DENIED_IN_SCRIPT in str(error):
            return PermissionDenied
        if words & _REFUSED_WORDS or _FULL in str(error):
            return Unavailable
    if isinstance(error, OSError):
        return Timeout if isinstance(error, TimeoutError) else Unavailable
    return PortableError


def changed_nothing(error: Exception) -> bool:
    """Say whether the server was not reached, or answered that it did nothing."""
    if isinstance(error, _REFUSED):
        return True
    if isinstance(error, errors.ResponseError):
        return bool(_words(error) & _REFUSED_WORDS) or _FULL in str(error)
    return isinstance(error, (errors.ConnectionError, errors.TimeoutError)) and " connecting to " in str(error)


def explain(error: Exception) -> str:
    """Say what *error* says, and what to do about it where that is known."""
    text = str(error) or type(error).__name__
    if isinstance(error, errors.MovedError) or text.startswith(("MOVED ", "ASK ", "CROSSSLOT")):
        return f"{text}: the server is one of a Redis Cluster: add cluster=yes to the address"
    if isinstance(error, (errors.AuthenticationError, errors.AuthorizationError)) or "NOAUTH" in text:
        return f"{text}: set REDIS_PASSWORD, and REDIS_USERNAME where the server has users"
    if isinstance(error, errors.OutOfMemoryError) or "OOM" in text:
        return f"{text}: raise the server's maxmemory"
    return text


def _words(error: Exception) -> frozenset[str]:
    return frozenset(str(error).replace(":", " ").split())
