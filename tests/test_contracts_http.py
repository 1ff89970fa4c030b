"""Multi-values, headers, requests and responses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from portable import BadRequest, Headers, InvalidArgument, MultiMap, Request, Response
from portable_contracts.events import Context
from portable_contracts.http import encode_json


class TestMultiMap:
    @pytest.fixture
    def pairs(self) -> MultiMap[str]:
        return MultiMap([("a", "1"), ("b", "2"), ("a", "3")])

    def test_one_value_is_the_first(self, pairs: MultiMap[str]) -> None:
        assert pairs["a"] == pairs.get("a") == "1"

    def test_all_values_come_in_order(self, pairs: MultiMap[str]) -> None:
        assert pairs.getlist("a") == ["1", "3"]

    def test_pairs_of_one_name_stand_together(self, pairs: MultiMap[str]) -> None:
        assert pairs.multi_items() == [("a", "1"), ("a", "3"), ("b", "2")]

    def test_it_is_a_mapping_to_the_first_values(self, pairs: MultiMap[str]) -> None:
        assert dict(pairs) == dict(pairs.items()) == {"a": "1", "b": "2"}
        assert list(pairs) == ["a", "b"]
        assert len(pairs) == 2
        assert "a" in pairs

    def test_a_missing_name_has_nothing(self, pairs: MultiMap[str]) -> None:
        assert "c" not in pairs
        assert pairs.get("c") is None
        assert pairs.get("c", "default") == "default"
        assert pairs.getlist("c") == []
        with pytest.raises(KeyError):
            pairs["c"]

    def test_the_list_of_values_is_the_caller_s_own(self, pairs: MultiMap[str]) -> None:
        pairs.getlist("a").append("4")

        assert pairs.getlist("a") == ["1", "3"]

    def test_equality_goes_by_the_values_of_each_name_in_order(self, pairs: MultiMap[str]) -> None:
        assert pairs == MultiMap([("b", "2"), ("a", "1"), ("a", "3")])
        assert pairs != MultiMap([("a", "3"), ("a", "1"), ("b", "2")])
        assert pairs != {"a": "1", "b": "2"}

    def test_it_shows_its_pairs(self) -> None:
        assert repr(MultiMap([("a", "1")])) == "MultiMap([('a', '1')])"


class TestHeaders:
    @pytest.mark.parametrize(
        "fields", [{"X-A": "1", "x-b": "2"}, [("x-a", "1"), ("X-B", "2")], Headers({"x-a": "1", "x-b": "2"})]
    )
    def test_they_are_made_of_a_mapping_pairs_or_headers(self, fields: Any) -> None:
        assert Headers(fields).multi_items() == [("x-a", "1"), ("x-b", "2")]

    @pytest.mark.parametrize("name", ["x-a", "X-A", "X-a"])
    def test_names_compare_without_case(self, name: str) -> None:
        headers = Headers({"X-A": "1"})

        assert headers[name] == headers.get(name) == headers.getlist(name)[0] == "1"
        assert name in headers

    def test_adding_keeps_what_is_there(self) -> None:
        headers = Headers({"x-a": "1"})
        headers.add("X-A", "2")

        assert headers.getlist("x-a") == ["1", "2"]

    def test_setting_replaces_it(self) -> None:
        headers = Headers([("x-a", "1"), ("x-a", "2")])
        headers["X-A"] = "3"

        assert headers.getlist("x-a") == ["3"]

    def test_deleting_removes_all_and_a_missing_one_is_no_error(self) -> None:
        headers = Headers([("x-a", "1"), ("x-a", "2")])
        del headers["X-A"]
        del headers["X-A"]

        assert headers.multi_items() == []

    def test_a_copy_is_its_own(self) -> None:
        headers = Headers({"x-a": "1"})
        Headers(headers).add("x-a", "2")

        assert headers.getlist("x-a") == ["1"]

    @pytest.mark.parametrize("name", ["", "x a", "x:a", "é", "x\na", "(x)"])
    def test_a_name_that_http_cannot_carry_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidArgument, match="header name"):
            Headers({name: "1"})

    @pytest.mark.parametrize("value", ["a\r\nx-b: 1", "a\nb", "a\0", "\x7f"])
    def test_a_value_cannot_begin_another_header(self, value: str) -> None:
        with pytest.raises(InvalidArgument, match="the value of header x-a holds a line break or another control"):
            Headers({"x-a": value})

    @pytest.mark.parametrize("value", ["", "a b", "a\tb", "é", "\xa0"])
    def test_other_latin_1_values_are_taken(self, value: str) -> None:
        assert Headers({"x-a": value})["x-a"] == value

    def test_a_value_beyond_latin_1_is_refused_with_what_to_do(self) -> None:
        with pytest.raises(InvalidArgument, match="percent-encode what is not Latin-1"):
            Headers({"x-a": "€"})

    @pytest.mark.parametrize("value", [1, None, b"1"])
    def test_a_value_that_is_no_text_is_refused(self, value: Any) -> None:
        with pytest.raises(InvalidArgument, match="it must be str"):
            Headers({"x-a": value})


class TestReceivedHeaders:
    @pytest.mark.parametrize("pairs", [[("A", "1, 2"), ("a", "3")], [("a", "1"), ("a", "2,3")], [("a", " 1 ,2 , 3")]])
    def test_a_list_field_is_the_same_joined_or_repeated(self, pairs: Any) -> None:
        assert Headers.received(pairs).getlist("a") == ["1", "2", "3"]
        assert Headers.received(pairs) == Headers.received([("a", "1,2,3")])

    def test_a_comma_in_quotes_does_not_divide(self) -> None:
        assert Headers.received([("a", '"1,\\"2", 3')]).getlist("a") == ['"1,\\"2"', "3"]

    @pytest.mark.parametrize("name", ["Date", "if-modified-since", "Cookie", "user-agent"])
    def test_a_field_that_is_no_list_is_whole(self, name: str) -> None:
        value = "Sat, 07 Mar 2026 12:00:05 GMT"

        assert Headers.received([(name, value)]).getlist(name) == [value]

    def test_get_gives_the_first_field(self) -> None:
        assert Headers.received([("a", "1, 2"), ("a", "3")])["A"] == "1, 2"

    def test_whatever_was_delivered_is_kept(self) -> None:
        assert Headers.received([("x a", "€")])["X A"] == "€"


def request(body: bytes = b"", content_type: str = "", **options: Any) -> Request:
    headers = Headers.received([("content-type", content_type)] if content_type else [])
    return Request("POST", "/", headers=headers, body=body, **options)


class TestRequest:
    @pytest.mark.parametrize("query", ["a=1&b=&a=%C3%A9", [("a", "1"), ("b", ""), ("a", "é")]])
    def test_a_query_is_multi_valued_raw_or_decoded(self, query: Any) -> None:
        assert request(query=query).query.multi_items() == [("a", "1"), ("a", "é"), ("b", "")]

    @pytest.mark.parametrize(
        ("query", "raw"), [("a=%41&b", "a=%41&b"), ([("a", "é&"), ("b", "")], "a=%C3%A9%26&b="), ("", ""), ([], "")]
    )
    def test_a_query_string_is_what_came_or_encoded_anew(self, query: Any, raw: str) -> None:
        assert request(query=query).query_string == raw

    def test_a_query_that_was_read_is_still_a_string(self) -> None:
        read = request(query="a=1&a=2")
        assert read.query["a"] == "1"

        assert read.query_string == "a=1&a=2"

    def test_cookies_have_the_first_value_of_each_name(self) -> None:
        lines = [("cookie", 'a=1; b="2"; c = 3;d'), ("cookie", "a=4; e=f=g")]

        assert Request("GET", "/", headers=Headers.received(lines)).cookies == {
            "a": "1",
            "b": "2",
            "c": "3",
            "e": "f=g",
        }

    def test_without_cookies_there_are_none(self) -> None:
        assert request().cookies == {}

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("", "é".encode()),
            ("text/plain", "é".encode()),
            ("text/plain; charset=latin-1", b"\xe9"),
            ('text/plain; Charset="UTF-16-LE"', "é".encode("utf-16-le")),
        ],
    )
    def test_text_is_in_the_charset_that_it_names_else_utf_8(self, content_type: str, body: bytes) -> None:
        assert request(body, content_type).text == "é"

    @pytest.mark.parametrize(("content_type", "body"), [("", b"\xff"), ("text/plain; charset=nonsense", b"a")])
    def test_text_that_is_none_is_a_bad_request(self, content_type: str, body: bytes) -> None:
        with pytest.raises(BadRequest, match="the body is not"):
            request(body, content_type).text  # noqa: B018  # the access is what raises

    def test_json_is_read(self) -> None:
        assert request('{"a": [1, "é"]}'.encode()).json() == {"a": [1, "é"]}

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 200_000], ids=["empty", "cut", "bytes", "deep"])
    def test_what_is_no_json_is_a_bad_request(self, body: bytes) -> None:
        with pytest.raises(BadRequest, match="the body is not JSON"):
            request(body).json()

    def test_a_form_keeps_repeats(self) -> None:
        form = request(b"a=1&a=2", "application/x-www-form-urlencoded").form()

        assert form.getlist("a") == ["1", "2"]

    def test_what_is_no_form_is_a_bad_request(self) -> None:
        with pytest.raises(BadRequest, match="the body is application/json, not a form"):
            request(b"{}", "application/json").form()

    def test_its_id_is_the_invocation_s_where_it_has_none(self) -> None:
        context = Context("i-1", "", "", 0.0)

        assert request(context=context).id == "i-1"
        assert request(context=context, id="r-1").id == "r-1"

    def test_equality_leaves_out_who_delivered_it(self) -> None:
        assert request(b"a", native={}, id="1") == request(b"a", native=None, id="2")

    @pytest.mark.parametrize(
        "other",
        [
            Request("GET", "/"),
            Request("POST", "/a"),
            Request("POST", "/", query="a=1"),
            Request("POST", "/", body=b"a"),
            Request("POST", "/", headers=Headers({"x-a": "1"})),
            Request("POST", "/", client="203.0.113.9"),
            "POST /",
        ],
    )
    def test_equality_sees_everything_else(self, other: Any) -> None:
        assert request() != other

    def test_its_repr_tells_no_secrets(self) -> None:
        shown = repr(request(b"secret", "secret/type", query="token=secret", id="r-1"))

        assert shown == "Request(POST /, 6 bytes, id='r-1')"


class TestResponse:
    @pytest.mark.parametrize("body", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
    def test_bytes_are_sent_as_they_are(self, body: Any) -> None:
        response = Response(body)

        assert (response.status, response.body, len(response.headers)) == (200, b"ab", 0)

    def test_text_is_utf_8_and_says_so(self) -> None:
        assert Response("é") == Response("é".encode(), headers={"content-type": "text/plain; charset=utf-8"})

    def test_a_content_type_that_is_there_stays(self) -> None:
        assert Response("é", headers={"Content-Type": "text/css"}).headers["content-type"] == "text/css"

    def test_nothing_is_an_empty_body(self) -> None:
        assert Response(None).body == b""

    @pytest.mark.parametrize("body", [{}, 1, [b"a"]])
    def test_another_body_is_refused_with_what_to_do(self, body: Any) -> None:
        with pytest.raises(InvalidArgument, match=r"for JSON use Response.json\(value\)"):
            Response(body)

    @pytest.mark.parametrize("status", [0, 99, 600, "200", 200.0, True, None])
    def test_a_status_that_is_none_is_refused(self, status: Any) -> None:
        with pytest.raises(InvalidArgument, match="is not an HTTP status"):
            Response(b"", status)

    @pytest.mark.parametrize(
        ("made", "body", "content_type"),
        [
            (Response.json({"a": "é"}), '{"a":"é"}'.encode(), "application/json"),
            (Response.text("é"), "é".encode(), "text/plain; charset=utf-8"),
            (Response.html("<p>é"), "<p>é".encode(), "text/html; charset=utf-8"),
        ],
    )
    def test_each_kind_has_its_content_type(self, made: Response, body: bytes, content_type: str) -> None:
        assert (made.body, made.headers["content-type"]) == (body, content_type)

    @pytest.mark.parametrize("make", [Response.json, Response.text, Response.html])
    def test_each_kind_takes_status_and_headers(self, make: Any) -> None:
        made = make("a", 201, {"x-a": "1", "content-type": "text/x-own"})

        assert (made.status, made.headers["x-a"], made.headers["content-type"]) == (201, "1", "text/x-own")

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_names_where(self, status: int) -> None:
        assert Response.redirect("/a", status) == Response(b"", status, {"location": "/a"})

    def test_a_redirect_is_302_by_default(self) -> None:
        assert Response.redirect("/a").status == 302

    @pytest.mark.parametrize("status", [200, 300, 304])
    def test_a_status_that_does_not_redirect_is_refused(self, status: int) -> None:
        with pytest.raises(InvalidArgument, match="does not redirect"):
            Response.redirect("/a", status)

    def test_a_redirect_cannot_begin_another_header(self) -> None:
        with pytest.raises(InvalidArgument, match="line break"):
            Response.redirect("/a\r\nset-cookie: b=1")

    def test_equality_goes_by_status_headers_and_body(self) -> None:
        assert Response(b"a", 200, {"x-a": "1"}) == Response(b"a", 200, {"X-A": "1"})
        assert Response(b"a") != Response(b"b")
        assert Response(b"a") != Response(b"a", 201)
        assert Response(b"a") != Response(b"a", headers={"x-a": "1"})
        assert Response(b"a") != b"a"

    def test_its_repr_is_short(self) -> None:
        assert repr(Response("secret", 201)) == "Response(201, 6 bytes)"


class TestJson:
    @given(
        some.recursive(
            some.none()
            | some.booleans()
            | some.integers()
            | some.floats(allow_nan=False, allow_infinity=False)
            | some.text(some.characters(exclude_categories=["Cs"])),
            lambda inner: (
                some.lists(inner) | some.dictionaries(some.text(some.characters(exclude_categories=["Cs"])), inner)
            ),
        )
    )
    def test_what_json_can_say_is_read_back(self, value: Any) -> None:
        assert json.loads(encode_json(value)) == value

    def test_it_is_compact_utf_8(self) -> None:
        assert encode_json({"a": [1, "é"]}) == '{"a":[1,"é"]}'.encode()

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), b"a", {1}, object(), "\ud800"])
    def test_what_it_cannot_say_is_refused(self, value: Any) -> None:
        with pytest.raises(InvalidArgument, match="the value cannot be sent as JSON"):
            Response.json([value])
