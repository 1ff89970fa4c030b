"""Whether a cron expression can be one: five fields, in the words that every provider has."""

from __future__ import annotations

from portable_contracts.errors import InvalidArgument

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: index + 1 for index, name in enumerate(_MONTHS)}),
    ("day of week", 0, 7, {name: index for index, name in enumerate(_DAYS)}),
)
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def check_cron(expression: str) -> None:
    """Raise InvalidArgument, naming the field, for what is no cron expression or never comes due."""
    fields = expression.split() if isinstance(expression, str) else []
    if len(fields) != 5:
        hint = ": write '0 * * * *' for every hour" if isinstance(expression, str) and expression[:1] == "@" else ""
        raise InvalidArgument(
            f"schedule {expression!r} does not have five fields (minute hour day month weekday){hint}"
        )
    values = [_values(expression, text, *kind) for text, kind in zip(fields, _FIELDS)]  # noqa: B905  # five each
    days, months = values[2], values[3]
    if fields[4] == "*" and min(days) > max(_LONGEST[month - 1] for month in months):
        raise InvalidArgument(f"schedule {expression!r} is never due: no such month has a day {min(days)}")


def _values(expression: str, field: str, what: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step_text = part.partition("/")
        first_text, dash, last_text = span.partition("-")
        if span == "*":
            first, last = low, high
        else:
            first = _number(first_text, names)
            last = _number(last_text, names) if dash else (high if slash else first)
        step = _number(step_text, {}) if slash else 1
        if first < low or last > high or last < first or step < 1:
            words = f" or {', '.join(names)}" if names else ""
            raise InvalidArgument(
                f"schedule {expression!r}: the {what} is {part!r}; it takes *, numbers from {low} to {high}{words}, "
                "ranges like 1-5, steps like */10, and lists of them"
            )
        found.update(range(first, last + 1, step))
    return found


def _number(text: str, names: dict[str, int]) -> int:
    if text.isascii() and text.isdecimal():
        return int(text[:6])
    return names.get(text.upper(), -1)
