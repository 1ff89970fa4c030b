"""Percent-decoding of paths and queries."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode
from urllib.parse import unquote as standard

import pytest
from hypothesis import given
from hypothesis import strategies as some

from portable_contracts._percent import parse_query, unquote, unquote_exact


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("", ""),
        ("a/b", "a/b"),
        ("%41", "A"),
        ("%2f%2F", "//"),
        ("%C3%A9", "é"),
        ("é%C3%A9", "éé"),
        ("%2541", "%41"),
        ("a+b", "a+b"),
        ("%", "%"),
        ("%4", "%4"),
        ("%zz", "%zz"),
        ("%%41", "%A"),
        ("%ff", "\ufffd"),
    ],
)
def test_escapes_are_decoded_once(text: str, decoded: str) -> None:
    assert unquote(text) == decoded


@given(some.text())
def test_what_is_quoted_is_decoded_back(text: str) -> None:
    assert unquote(quote(text, errors="replace")) == text.encode(errors="replace").decode()


@given(some.text(alphabet="%0123456789abcdefABCDEFgé/+ "))
def test_it_decodes_as_the_standard_library_does(text: str) -> None:
    assert unquote(text) == standard(text)


def test_a_lone_surrogate_does_no_harm() -> None:
    assert unquote("\ud800%41") == "?A"


def test_the_exact_form_refuses_what_is_not_utf_8() -> None:
    assert unquote_exact("%C3%A9") == "é"
    with pytest.raises(UnicodeDecodeError):
        unquote_exact("%ff")


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        ("a", [("a", "")]),
        ("a=", [("a", "")]),
        ("=1", [("", "1")]),
        ("&&a=1&", [("a", "1")]),
        ("a=b=c", [("a", "b=c")]),
        ("a+b=c+d%2B", [("a b", "c d+")]),
        ("a%26b=c%3Dd", [("a&b", "c=d")]),
        ("a;b=1", [("a;b", "1")]),
    ],
)
def test_a_query_is_its_pairs(text: str, pairs: list[tuple[str, str]]) -> None:
    assert parse_query(text) == pairs


@given(some.lists(some.tuples(some.text(), some.text())))
def test_what_is_encoded_as_a_query_is_read_back(pairs: list[tuple[str, str]]) -> None:
    encoded = urlencode(pairs, errors="replace")

    assert parse_query(encoded) == parse_qsl(encoded, keep_blank_values=True)
