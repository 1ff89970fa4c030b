"""Which cron expressions an app may declare."""

from __future__ import annotations

from typing import Any

import pytest

from portable._cron import check_cron
from portable_contracts.errors import InvalidArgument


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "*/5 * * * *",
        "0 0 1 1 *",
        "59 23 31 12 7",
        "0,30 9-17 * * mon-fri",
        "5/15 * * jan,JUN SUN",
        "0 0 29 2 *",
        "0 0 31 2 1",
        "  0  0 * * *  ",
        "0-59/7 0-23/2 1-31/3 1-12/4 0-7/2",
    ],
)
def test_what_five_fields_can_say_is_taken(expression: str) -> None:
    check_cron(expression)


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day of month"),
        ("* * 32 * *", "day of month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day of week"),
        ("* * * FOO *", "month"),
        ("* * * MON *", "month"),
        ("* * * * JAN", "day of week"),
        ("JAN * * * *", "minute"),
        ("5-1 * * * *", "minute"),
        ("*/0 * * * *", "minute"),
        ("*/ * * * *", "minute"),
        ("1- * * * *", "minute"),
        ("1,,2 * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("1.5 * * * *", "minute"),
        ("\u0661 * * * *", "minute"),
        ("* * L * *", "day of month"),
        ("* * 15W * *", "day of month"),
        ("* * * * 5#3", "day of week"),
        ("? * * * *", "minute"),
    ],
)
def test_a_wrong_field_is_named(expression: str, named: str) -> None:
    with pytest.raises(InvalidArgument, match=f"the {named} is"):
        check_cron(expression)


@pytest.mark.parametrize("expression", ["", "* * * *", "0 * * * * *", None, 5])
def test_another_number_of_fields_is_refused(expression: Any) -> None:
    with pytest.raises(InvalidArgument, match="five fields"):
        check_cron(expression)


def test_a_nickname_is_answered_with_what_to_write() -> None:
    with pytest.raises(InvalidArgument, match=r"write '0 \* \* \* \*' for every hour"):
        check_cron("@hourly")


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "0 0 31 4,6 *"])
def test_what_is_never_due_is_refused(expression: str) -> None:
    with pytest.raises(InvalidArgument, match="never due"):
        check_cron(expression)
