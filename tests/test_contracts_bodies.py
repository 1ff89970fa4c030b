"""Bodies as JSON carries them."""

from __future__ import annotations

import os
import tracemalloc
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portable_contracts.bodies import CHUNK, base64_text, fitting, text_or_base64
from portable_contracts.errors import LimitExceeded


@given(text=st.text())
def test_text_stays_as_it_is(text: str) -> None:
    assert text_or_base64(text.encode()) == (text, False)


@pytest.mark.parametrize("body", [b"\xff", b"a\x80", "ü".encode()[:1], "𐐷".encode()[:3], b"\xed\xa0\x80"])
def test_other_bytes_are_base64(body: bytes) -> None:
    assert text_or_base64(body) == (b64encode(body).decode(), True)


@pytest.mark.parametrize("before", [0, 1, CHUNK - 3, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 2])
@pytest.mark.parametrize("after", [0, 1, CHUNK])
def test_a_character_across_the_pieces_of_a_large_body_is_text(before: int, after: int) -> None:
    text = "a" * before + "𐐷" + "b" * after

    assert text_or_base64(text.encode()) == (text, False)


@pytest.mark.parametrize("before", [CHUNK - 2, CHUNK, 2 * CHUNK + 1])
def test_a_character_that_is_cut_off_at_the_end_of_a_large_body_is_base64(before: int) -> None:
    body = b"a" * before + "𐐷".encode()[:-1]

    assert text_or_base64(body) == (b64encode(body).decode(), True)


@pytest.mark.parametrize("size", [0, 1, 2, 3, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 2])
def test_base64_is_the_same_whatever_the_size(size: int) -> None:
    body = os.urandom(size)

    assert base64_text(body) == b64encode(body).decode()


def test_a_large_body_is_there_once_in_base64_and_no_more() -> None:
    body = b"\xff" * 3_000_000
    tracemalloc.start()
    try:
        text, _ = text_or_base64(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < len(text) * 1.2


class TestFitting:
    @pytest.mark.parametrize(
        ("body", "fits"),
        [
            (b"a" * 60, ("a" * 60, False)),
            (b"a" * 598, ("a" * 598, False)),
            ("é".encode() * 99, ("é" * 99, False)),
            ("é".encode() * 101, (b64encode("é".encode() * 101).decode(), True)),
            (b"\xff" * 450, (b64encode(b"\xff" * 450).decode(), True)),
        ],
        ids=["short", "as long as may be", "text that JSON makes six times as long", "and too long", "bytes"],
    )
    def test_it_is_text_unless_json_makes_that_too_large(self, body: bytes, fits: tuple[str, bool]) -> None:
        assert fitting(body, 600, "acme") == fits

    @pytest.mark.parametrize("body", [b"\xff" * 451, b"\x00" * 451, b"a" * 601], ids=["bytes", "text", "plain text"])
    def test_what_fits_in_no_form_is_an_error_that_says_whose_limit_it_is(self, body: bytes) -> None:
        with pytest.raises(LimitExceeded, match="acme carries 600 here"):
            fitting(body, 600, "acme")
