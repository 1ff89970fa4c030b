"""When a five-field cron expression is due, in UTC; the arithmetic is the library cronsim's."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from portable._cron import check_cron
from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cronsim import CronSim


def check(expression: str) -> None:
    """Raise InvalidArgument for what is no cron expression of five fields, or never comes due."""
    check_cron(expression)
    due_after(expression, 0.0)


def due_after(expression: str, moment: float) -> float:
    """Return the first time after *moment* at which *expression* is due; both in seconds since the epoch."""
    return _first(_simulate(expression, moment, reverse=False), expression)


def due_until(expression: str, moment: float) -> float:
    """Return the last time at or before *moment* at which *expression* was due."""
    # The library looks for times before the one it is given, which counts whole seconds.
    return _first(_simulate(expression, moment + 1, reverse=True), expression)


def _simulate(expression: str, moment: float, *, reverse: bool) -> CronSim:
    try:
        from cronsim import CronSim, CronSimError
    except ModuleNotFoundError:
        raise InvalidArgument("schedules need cronsim: install portable-serverless[cli]") from None
    try:
        return CronSim(expression, datetime.fromtimestamp(int(moment), timezone.utc), reverse=reverse)
    except CronSimError as error:
        raise InvalidArgument(f"schedule {expression!r} is no cron expression: {error}") from error


def _first(times: CronSim, expression: str) -> float:
    try:
        return next(times).timestamp()
    except StopIteration:
        raise InvalidArgument(f"schedule {expression!r} is never due") from None


def as_time(moment: float) -> datetime:
    """Return *moment*, in seconds since the epoch, as an aware time in UTC."""
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=moment)
