"""The Set-Cookie header."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from portable import InvalidArgument, Response

NOON = datetime(2026, 3, 7, 12, 0, 5, tzinfo=timezone.utc)


def cookie(*args: str, **options: Any) -> str:
    response = Response()
    response.set_cookie(*args, **options)
    (line,) = response.headers.getlist("set-cookie")
    return line


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "a=1; Path=/; SameSite=Lax"),
        ({"path": None, "same_site": None}, "a=1"),
        ({"max_age": timedelta(hours=1)}, "a=1; Max-Age=3600; Path=/; SameSite=Lax"),
        ({"max_age": timedelta(0)}, "a=1; Max-Age=0; Path=/; SameSite=Lax"),
        ({"expires": NOON}, "a=1; Expires=Sat, 07 Mar 2026 12:00:05 GMT; Path=/; SameSite=Lax"),
        ({"secure": True, "http_only": True}, "a=1; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ({"domain": "example.com", "path": "/a"}, "a=1; Path=/a; Domain=example.com; SameSite=Lax"),
        ({"same_site": "None", "secure": True}, "a=1; Path=/; Secure; SameSite=None"),
        ({"same_site": "Strict"}, "a=1; Path=/; SameSite=Strict"),
    ],
)
def test_each_option_is_an_attribute(options: Any, line: str) -> None:
    assert cookie("a", "1", **options) == line


def test_an_expiry_is_written_in_utc() -> None:
    local = NOON.astimezone(timezone(timedelta(hours=9)))

    assert "Sat, 07 Mar 2026 12:00:05 GMT" in cookie("a", "1", expires=local)


def test_several_cookies_are_several_headers() -> None:
    response = Response()
    response.set_cookie("a", "1")
    response.set_cookie("a", "2")

    assert len(response.headers.getlist("set-cookie")) == 2


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "é", "a\n"])
def test_a_name_that_no_cookie_has_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="cookie name"):
        cookie(name, "1")


@pytest.mark.parametrize("value", ["a b", 'a"b', "a,b", "a;b", "a\\b", "é", "a\r\nset-cookie: b=1"])
def test_a_value_that_no_cookie_has_is_refused(value: str) -> None:
    with pytest.raises(InvalidArgument, match="the value of cookie a"):
        cookie("a", value)


@pytest.mark.parametrize("field", ["path", "domain"])
@pytest.mark.parametrize("value", ["a;b", "a\nb"])
def test_a_path_or_domain_cannot_hold_another_attribute(field: str, value: str) -> None:
    with pytest.raises(InvalidArgument, match=f"the {field} of cookie a"):
        cookie("a", "1", **{field: value})


def test_an_unknown_same_site_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="use 'Lax', 'Strict' or 'None'"):
        cookie("a", "1", same_site="lax")


def test_same_site_none_needs_secure() -> None:
    with pytest.raises(InvalidArgument, match="needs secure=True"):
        cookie("a", "1", same_site="None")


def test_an_expiry_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="use an aware datetime"):
        cookie("a", "1", expires=NOON.replace(tzinfo=None))
