"""HTML forms."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from portable import InvalidArgument, Upload
from portable_contracts.forms import header_parameters, parse_form

BOUNDARY = "----x"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def part(content: bytes, disposition: str, *headers: str) -> bytes:
    lines = [f"Content-Disposition: form-data; {disposition}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def multipart(*parts: bytes) -> bytes:
    return b"".join(b"--" + BOUNDARY.encode() + b"\r\n" + each + b"\r\n" for each in parts) + b"------x--\r\n"


@pytest.mark.parametrize(
    ("value", "word", "parameters"),
    [
        ("", "", {}),
        ("Text/HTML", "text/html", {}),
        ("text/html; charset=utf-8", "text/html", {"charset": "utf-8"}),
        ('text/html;Charset="a;b" ; x = y', "text/html", {"charset": "a;b", "x": "y"}),
        (r'form-data; name="a\"b;c"', "form-data", {"name": 'a"b;c'}),
        ("a; b; =c; d=", "a", {"": "c", "d": ""}),
        ("a; b=1; b=2", "a", {"b": "1"}),
    ],
)
def test_a_header_is_a_word_and_its_parameters(value: str, word: str, parameters: dict[str, str]) -> None:
    assert header_parameters(value) == (word, parameters)


def test_an_urlencoded_form_is_its_pairs() -> None:
    body = b"a=1&b=%C3%A9+x&a=2&c="

    assert parse_form("application/x-www-form-urlencoded; charset=utf-8", body) == [
        ("a", "1"),
        ("b", "é x"),
        ("a", "2"),
        ("c", ""),
    ]


def test_a_multipart_form_has_text_and_files() -> None:
    body = multipart(
        part("é".encode(), 'name="text"'),
        part(b"\xff\r\n--\x00", 'name="photo"; filename="a b.jpg"', "content-type: image/jpeg"),
        part(b"", 'name="photo"; filename=""'),
    )

    assert parse_form(MULTIPART, body) == [
        ("text", "é"),
        ("photo", Upload("a b.jpg", "image/jpeg", b"\xff\r\n--\x00")),
        ("photo", Upload("", "application/octet-stream", b"")),
    ]


def test_a_quoted_boundary_is_the_same() -> None:
    assert parse_form(f'multipart/form-data; boundary="{BOUNDARY}"', multipart(part(b"1", 'name="a"'))) == [("a", "1")]


def test_what_is_before_the_first_and_after_the_last_boundary_is_left_out() -> None:
    body = b"preamble\r\n" + multipart(part(b"1", 'name="a"')) + b"epilogue"

    assert parse_form(MULTIPART, body) == [("a", "1")]


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (r'name="f"; filename="a\"b"', 'a"b'),
        ('name="f"; filename="a%22b"', 'a"b'),
        ('name="f"; filename="é"', "é"),
        ("name=f; filename*=UTF-8''%C3%A9%20x", "é x"),
        ("name=f; filename=plain; filename*=UTF-8''%C3%A9", "é"),
    ],
)
def test_a_file_s_name_is_decoded(disposition: str, name: str) -> None:
    ((_, upload),) = parse_form(MULTIPART, multipart(part(b"", disposition)))

    assert isinstance(upload, Upload)
    assert upload.name == name


def test_an_empty_form_has_no_fields() -> None:
    assert parse_form(MULTIPART, b"--" + BOUNDARY.encode() + b"--\r\n") == []
    assert parse_form("application/x-www-form-urlencoded", b"") == []


@pytest.mark.parametrize(
    ("content_type", "body", "said"),
    [
        ("", b"", "of no content type, not a form"),
        ("application/json", b"{}", "application/json, not a form"),
        ("application/x-www-form-urlencoded", b"a=\xff", "not UTF-8 text"),
        ("multipart/form-data", b"", "names no boundary"),
        (MULTIPART, b"", "closing boundary is missing"),
        (MULTIPART, multipart(part(b"1", 'name="a"'))[:-6], "closing boundary is missing"),
        (MULTIPART, multipart(b"no headers"), "has no headers"),
        (MULTIPART, multipart(part(b"1", "x=y")), "has no name"),
        (MULTIPART, multipart(part(b"\xff", 'name="a"')), "field 'a' of the form is not UTF-8 text"),
    ],
)
def test_a_broken_form_is_an_invalid_argument(content_type: str, body: bytes, said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        parse_form(content_type, body)


@given(some.lists(some.tuples(some.from_regex(r"\A[a-z ;=]+\Z"), some.binary()), max_size=4))
def test_files_of_any_bytes_are_read_back(files: list[tuple[str, bytes]]) -> None:
    parts = [part(body, f'name="f"; filename="{name}"') for name, body in files if b"------x" not in body]
    expected = [("f", Upload(name, "application/octet-stream", body)) for name, body in files if b"------x" not in body]

    assert parse_form(MULTIPART, multipart(*parts)) == expected


@given(some.binary(max_size=200), some.sampled_from([MULTIPART, "application/x-www-form-urlencoded"]))
def test_whatever_the_body_is_there_are_fields_or_an_invalid_argument(noise: bytes, content_type: str) -> None:
    for body in (noise, b"------x\r\n" + noise + b"\r\n------x--"):
        try:
            fields: Any = parse_form(content_type, body)
        except InvalidArgument:
            continue
        assert isinstance(fields, list)
