"""Cursors: URL-safe, bound to their query, refused when they are broken."""

from __future__ import annotations

import string
import subprocess
import sys

import pytest

from portable._cursor import seal, unseal
from portable_contracts.errors import InvalidArgument

QUERY = ("table", "entries", "welcome", "", None, None, False)
POSITIONS = ["", "a", "2026-11-20T10:00", "a/b?c=d&e#f", "ünïcödé", "日本語", "\U0010ffff", "x" * 1000]
NOT_TEXT = "AAAAAP8AAAD_"  # a sum that is right, of a byte that is no UTF-8
URL_SAFE = frozenset(string.ascii_letters + string.digits + "-_")


@pytest.mark.parametrize("position", POSITIONS)
def test_a_cursor_gives_back_its_position(position: str) -> None:
    assert unseal(seal(position, QUERY), QUERY) == position


@pytest.mark.parametrize("position", [*POSITIONS, *map(chr, range(0x20, 0x17F))])
def test_a_cursor_needs_no_escaping_in_an_address(position: str) -> None:
    assert URL_SAFE.issuperset(seal(position, QUERY))


@pytest.mark.parametrize(
    "other",
    [
        ("table", "others", "welcome", "", None, None, False),
        ("table", "entries", "goodbye", "", None, None, False),
        ("table", "entries", "welcome", "a", None, None, False),
        ("table", "entries", "welcome", "", "a", None, False),
        ("table", "entries", "welcome", "", None, "a", False),
        ("table", "entries", "welcome", "", None, None, True),
        ("table", "entries", "welcome", "", "None", None, False),
        ("bucket", "entries", "welcome", "", None, None, False),
        (),
    ],
)
def test_a_cursor_of_another_query_is_refused(other: tuple[object, ...]) -> None:
    with pytest.raises(InvalidArgument, match="another query"):
        unseal(seal("a", QUERY), other)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "a",
        "!!!!",
        NOT_TEXT,
        "a b",
        "ünïcödé",
        "====",
        "AAAAAAAAAAAA",
        "\x00",
        "x" * 10_000,
        None,
        1,
        b"AAAA",
        ["a"],
    ],
)
def test_what_no_page_gave_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidArgument, match="unchanged"):
        unseal(cursor, QUERY)


@pytest.mark.parametrize("position", POSITIONS)
def test_a_cursor_that_was_cut_is_refused(position: str) -> None:
    with pytest.raises(InvalidArgument, match="unchanged"):
        unseal(seal(position, QUERY)[:-4], QUERY)


@pytest.mark.parametrize("place", range(len(seal("a/b", QUERY))))
def test_a_cursor_with_another_letter_in_one_place_is_refused(place: int) -> None:
    cursor = seal("a/b", QUERY)
    other = "A" if cursor[place] != "A" else "B"

    with pytest.raises(InvalidArgument):
        unseal(cursor[:place] + other + cursor[place + 1 :], QUERY)


def test_a_cursor_is_good_in_another_process() -> None:
    program = f"from portable._cursor import unseal; print(unseal({seal('a/é', QUERY)!r}, {QUERY!r}))"
    answer = subprocess.run([sys.executable, "-X", "utf8", "-c", program], capture_output=True, check=True)

    assert answer.stdout.decode().strip() == "a/é"
