"""The Set-Cookie header of RFC 6265, section 4.1."""

from __future__ import annotations

from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime, timedelta

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_VALUE = frozenset(chr(code) for code in range(0x21, 0x7F)) - frozenset('",;\\')
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def set_cookie(
    name: str,
    value: str,
    max_age: timedelta | None,
    expires: datetime | None,
    path: str | None,
    domain: str | None,
    secure: bool,
    http_only: bool,
    same_site: str | None,
) -> str:
    """Return the header's value. Raises InvalidArgument for what a cookie cannot carry."""
    if not name or not _TOKEN.issuperset(name):
        raise InvalidArgument(f"cookie name {name!r} is not allowed: use letters, digits, - and _")
    if not _VALUE.issuperset(value):
        raise InvalidArgument(
            f"the value of cookie {name} holds a space, quote, comma, semicolon or more: encode it first"
        )
    if same_site not in (None, "Lax", "Strict", "None"):
        raise InvalidArgument(f"same_site={same_site!r} of cookie {name}: use 'Lax', 'Strict' or 'None'")
    if same_site == "None" and not secure:
        raise InvalidArgument(f"cookie {name} with same_site='None' needs secure=True: browsers drop it otherwise")
    parts = [f"{name}={value}"]
    if max_age is not None:
        parts.append(f"Max-Age={int(max_age.total_seconds())}")
    if expires is not None:
        parts.append(f"Expires={_http_date(name, expires)}")
    for label, text in (("Path", path), ("Domain", domain)):
        if text is not None:
            if ";" in text or not text.isprintable():
                raise InvalidArgument(f"the {label.lower()} of cookie {name} holds a semicolon or a control character")
            parts.append(f"{label}={text}")
    if secure:
        parts.append("Secure")
    if http_only:
        parts.append("HttpOnly")
    if same_site is not None:
        parts.append(f"SameSite={same_site}")
    return "; ".join(parts)


def _http_date(name: str, moment: datetime) -> str:
    # Not strftime: its day and month names follow the machine's locale.
    if moment.tzinfo is None:
        raise InvalidArgument(f"expires of cookie {name} has no time zone: use an aware datetime")
    utc = moment.utctimetuple()
    day, month = _DAYS[utc.tm_wday], _MONTHS[utc.tm_mon - 1]
    return f"{day}, {utc.tm_mday:02} {month} {utc.tm_year:04} {utc.tm_hour:02}:{utc.tm_min:02}:{utc.tm_sec:02} GMT"
