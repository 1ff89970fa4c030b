"""JSON is read as `json.loads` reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portable_contracts._json import read_json

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


@given(value=values, space=st.sampled_from(["", " ", "\n\t"]), as_bytes=st.booleans())
def test_it_reads_what_was_written(value: Any, space: str, as_bytes: bool) -> None:
    document = space + json.dumps(value) + space

    assert read_json(document.encode() if as_bytes else document) == value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_bytes_may_be_in_any_of_jsons_encodings(encoding: str) -> None:
    assert read_json('{"ü": "𐐷"}'.encode(encoding)) == {"ü": "𐐷"}


@pytest.mark.parametrize("document", ["", " ", "{", "[1,]", "{}{}", "1 2", "nul", b"\xff", b"\xff\xfe", "\ufeff1"])
def test_what_is_no_json_is_a_value_error(document: str | bytes) -> None:
    with pytest.raises(ValueError):
        read_json(document)


def test_what_is_too_deep_is_a_recursion_error() -> None:
    with pytest.raises(RecursionError):
        read_json("[" * 100_000)


@given(document=st.one_of(st.text(), st.binary()))
def test_it_differs_in_nothing_from_the_standard_library(document: str | bytes) -> None:
    try:
        expected = json.loads(document)
    except ValueError:
        with pytest.raises(ValueError):
            read_json(document)
    else:
        assert repr(read_json(document)) == repr(expected)
