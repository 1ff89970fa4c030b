"""An app behind the provider's real entry point: what a client sends, what the handler gets, what the client gets."""

from __future__ import annotations

import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest

from portable import App, Request, Response
from portable.config import Configuration, Target
from portable.runtime import runner
from portable_conformance import contract
from portable_conformance._requests import cookie
from portable_contracts.errors import InvalidArgument
from portable_contracts.harness import HttpCall
from portable_contracts.http import HttpCapabilities
from portable_contracts.provider import Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Any

    from portable_contracts.harness import Harness
    from portable_contracts.provider import Provider

pytestmark = contract("http")

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
JSON = ("content-type", "application/json")
FORM = ("content-type", "application/x-www-form-urlencoded")
BINARY = bytes(range(256))


def make_app(seen: list[Request]) -> App:
    app = App("conformance")

    @app.middleware
    def remember(event: Any, call_next: Callable[[Any], Any]) -> Any:
        seen.append(event)
        return call_next(event)

    @app.route("/echo/{rest:path}", methods=METHODS)
    def echo(request: Request, rest: str) -> dict[str, Any]:
        return {
            "method": request.method,
            "path": request.path,
            "rest": rest,
            "query": request.query.multi_items(),
            "cookies": dict(request.cookies),
            "tags": request.headers.getlist("x-tag"),
            "body": b64encode(request.body).decode(),
        }

    @app.get("/")
    def root(request: Request) -> str:
        return "root"

    @app.get("/items/{id}")
    def item(request: Request, id: str) -> dict[str, str]:
        return {"id": id}

    @app.get("/items/newest")
    def newest(request: Request) -> str:
        return "newest"

    @app.get("/items/{id}/parts/{part}")
    def part(request: Request, id: str, part: str) -> list[str]:
        return [id, part]

    @app.put("/items/{id}")
    def put_item(request: Request, id: str) -> str:
        return "put"

    @app.post("/post-only")
    def post_only(request: Request) -> None: ...

    @app.get("/text")
    def text(request: Request) -> str:
        return "grüße 日本 𐐷"

    @app.get("/bytes")
    def raw(request: Request) -> bytes:
        return BINARY

    @app.get("/map")
    def mapping(request: Request) -> dict[str, Any]:
        return {"text": "grüße", "none": None, "list": [1, 1.5, True], "map": {}}

    @app.get("/list")
    def sequence(request: Request) -> list[Any]:
        return [1, "zwei", None]

    @app.get("/none")
    def nothing(request: Request) -> None: ...

    @app.get("/empty-text")
    def empty_text(request: Request) -> str:
        return ""

    @app.get("/async")
    async def asynchronous(request: Request) -> dict[str, str]:
        return {"handler": "async"}

    @app.get("/status/{status}")
    def status(request: Request, status: str) -> Response:
        return Response(b"" if status in ("204", "304") else b"body", int(status))

    @app.get("/cookies")
    def cookies(request: Request) -> Response:
        response = Response("set")
        response.set_cookie("session", "abc", http_only=True)
        response.set_cookie("theme", "dark")
        return response

    @app.get("/repeated")
    def repeated(request: Request) -> Response:
        return Response("ok", headers=[("x-tag", "one"), ("x-tag", "two")])

    @app.get("/redirect")
    def redirect(request: Request) -> Response:
        return Response.redirect("https://example.com/a?b=1&c=%C3%BC", 303)

    @app.get("/html")
    def html(request: Request) -> Response:
        return Response.html("<p>grüße</p>")

    @app.get("/large/{size}")
    def large(request: Request, size: str) -> bytes:
        return b"x" * int(size)

    @app.post("/json")
    def read_json(request: Request) -> Any:
        return {"got": request.json()}

    @app.post("/form")
    def read_form(request: Request) -> Any:
        return request.form().multi_items()

    @app.post("/text")
    def read_text(request: Request) -> Any:
        return request.text

    @app.get("/broken")
    def broken(request: Request) -> None:
        raise ZeroDivisionError("a secret of the server")

    @app.get("/broken-async")
    async def broken_async(request: Request) -> None:
        raise ZeroDivisionError("a secret of the server")

    @app.get("/refused")
    def refused(request: Request) -> None:
        raise InvalidArgument("a secret of the server")

    @app.get("/no-answer")
    def no_answer(request: Request) -> object:
        return object()

    return app


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    session = metafunc.config.pluginmanager.get_plugin("portable_conformance_session")
    assert session is not None
    if "front" in metafunc.fixturenames:
        fronts = session.harness.fronts()
        metafunc.parametrize("front", fronts, ids=[front or session.provider.name for front in fronts])


class Client:
    """Sends requests to an app behind the provider's entry point."""

    def __init__(self, provider: Provider, harness: Harness, front: str) -> None:
        self.seen: list[Request] = []
        self.app = make_app(self.seen)
        self._runner = runner(self.app, provider.name)
        self._harness = harness
        self._front = front

    def ask(self, method: str, target: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> Response:
        fields = [("host", "example.com"), *headers]
        if body:
            fields.append(("content-length", str(len(body))))
        return self._harness.send(self._runner, HttpCall(method, target, fields, body, front=self._front))

    def bind_here(self, folder: Path) -> None:
        """Let the app mind what holds on every provider, as it does on this machine."""
        here = Target("local", "local")
        self.app.bind(here, Configuration(str(folder), None, None, {"local": here}), Opening(data=str(folder)))

    def get(self, target: str, *headers: tuple[str, str]) -> Response:
        return self.ask("GET", target, headers)

    def echo(self, target: str, *headers: tuple[str, str], method: str = "GET", body: bytes = b"") -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.ask(method, target, headers, body).body)
        return answer


@pytest.fixture
def client(provider: Provider, harness: Harness, front: str) -> Client:
    return Client(provider, harness, front)


def media_type(response: Response) -> str:
    content_type: str = response.headers.get("content-type", "")
    return content_type.lower().replace(" ", "")


class TestRouting:
    def test_the_root_is_answered(self, client: Client) -> None:
        assert client.get("/").body == b"root"

    @pytest.mark.parametrize("method", METHODS)
    def test_each_method_reaches_its_handler(self, client: Client, method: str) -> None:
        assert client.echo("/echo/x", method=method)["method"] == method

    def test_a_parameter_takes_one_segment(self, client: Client) -> None:
        assert json.loads(client.get("/items/7").body) == {"id": "7"}

    def test_two_parameters_take_a_segment_each(self, client: Client) -> None:
        assert json.loads(client.get("/items/7/parts/a-b").body) == ["7", "a-b"]

    def test_a_fixed_segment_goes_before_a_parameter(self, client: Client) -> None:
        assert client.get("/items/newest").body == b"newest"

    @pytest.mark.parametrize("rest", ["a", "a/b", "a/b/c.png", "items/newest"])
    def test_a_path_parameter_takes_slashes(self, client: Client, rest: str) -> None:
        assert client.echo(f"/echo/{rest}")["rest"] == rest

    @pytest.mark.parametrize(
        "target", ["/unknown", "/items", "/items/7/parts", "/item/7", "/items/7/parts/a/b", "/ITEMS/7", "/text/"]
    )
    def test_an_unknown_path_is_404(self, client: Client, target: str) -> None:
        assert client.get(target).status == 404

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
    def test_an_unknown_path_is_404_for_every_method(self, client: Client, method: str) -> None:
        assert client.ask(method, "/unknown").status == 404

    @pytest.mark.parametrize(
        ("method", "target"),
        [("POST", "/items/7"), ("DELETE", "/items/7"), ("GET", "/post-only"), ("HEAD", "/post-only"), ("PATCH", "/")],
    )
    def test_a_known_path_with_another_method_is_405(self, client: Client, method: str, target: str) -> None:
        assert client.ask(method, target).status == 405

    @pytest.mark.parametrize(
        ("target", "allowed"),
        [("/items/7", {"GET", "HEAD", "PUT"}), ("/post-only", {"POST"}), ("/text", {"GET", "HEAD", "POST"})],
    )
    def test_405_names_the_methods_that_are_allowed(self, client: Client, target: str, allowed: set[str]) -> None:
        response = client.ask("DELETE", target)

        assert {method.strip() for method in response.headers["allow"].split(",")} == allowed

    def test_an_answer_of_404_has_a_body_that_says_so(self, client: Client) -> None:
        assert client.get("/unknown").body


class TestHead:
    @pytest.mark.parametrize("target", ["/", "/text", "/bytes", "/map", "/items/7", "/async"])
    def test_head_is_answered_from_get_without_its_body(self, client: Client, target: str) -> None:
        response = client.ask("HEAD", target)

        assert (response.status, response.body) == (200, b"")

    @pytest.mark.parametrize("target", ["/text", "/bytes", "/map", "/redirect"])
    def test_head_has_the_content_type_and_location_of_get(self, client: Client, target: str) -> None:
        head, get = client.ask("HEAD", target), client.get(target)

        assert [head.headers.get(name) for name in ("content-type", "location")] == [
            get.headers.get(name) for name in ("content-type", "location")
        ]

    def test_the_handler_sees_head(self, client: Client) -> None:
        client.ask("HEAD", "/text")

        assert client.seen[0].method == "HEAD"

    @pytest.mark.parametrize("target", ["/broken", "/unknown", "/post-only"])
    def test_an_error_has_no_body_either(self, client: Client, target: str) -> None:
        assert client.ask("HEAD", target).body == b""


class TestPaths:
    @pytest.mark.parametrize(
        ("sent", "decoded"),
        [
            ("a%20b", "a b"),
            ("%C3%BC", "ü"),
            ("%e6%97%a5%E6%9C%AC", "日本"),
            ("%F0%90%90%B7", "𐐷"),
            ("a+b", "a+b"),
            ("a%2Bb", "a+b"),
            ("100%25", "100%"),
            ("%2520", "%20"),
            ("%252F", "%2F"),
            ("a%2Fb", "a/b"),
            ("a;b=c", "a;b=c"),
            ("a@b:c", "a@b:c"),
            ("%3Fq%23f", "?q#f"),
            ("~user", "~user"),
            ("(a)!*'", "(a)!*'"),
            ("%22%3C%3E%5C%5E%60%7B%7C%7D", '"<>\\^`{|}'),
        ],
    )
    def test_a_path_is_decoded_once(self, client: Client, sent: str, decoded: str) -> None:
        answer = client.echo(f"/echo/{sent}")

        assert (answer["path"], answer["rest"]) == (f"/echo/{decoded}", decoded)

    @pytest.mark.parametrize(
        ("sent", "decoded"), [("a%20b", "a b"), ("%C3%BC", "ü"), ("100%25", "100%"), ("%252F", "%2F")]
    )
    def test_a_parameter_is_decoded_once(self, client: Client, sent: str, decoded: str) -> None:
        assert json.loads(client.get(f"/items/{sent}").body) == {"id": decoded}

    def test_a_trailing_slash_is_kept(self, client: Client) -> None:
        assert client.echo("/echo/a/")["path"] == "/echo/a/"


class TestQueries:
    @pytest.mark.parametrize(
        ("query", "pairs"),
        [
            ("", []),
            ("a=1", [["a", "1"]]),
            ("a=1&b=2", [["a", "1"], ["b", "2"]]),
            ("b=2&a=1", [["b", "2"], ["a", "1"]]),
            ("t=b&t=a&t=b", [["t", "b"], ["t", "a"], ["t", "b"]]),
            ("t=a,b&t=c", [["t", "a,b"], ["t", "c"]]),
            ("a=&b=1", [["a", ""], ["b", "1"]]),
            ("flag", [["flag", ""]]),
            ("a=b=c", [["a", "b=c"]]),
            ("a=1+2", [["a", "1 2"]]),
            ("a=1%2B2", [["a", "1+2"]]),
            ("a=%26%3D%25", [["a", "&=%"]]),
            ("a=%2520", [["a", "%20"]]),
            ("%C3%BC=%E6%97%A5%20%F0%90%90%B7", [["ü", "日 𐐷"]]),
            ("a%5B%5D=1&a%5B%5D=2", [["a[]", "1"], ["a[]", "2"]]),
            ("a=/path?x", [["a", "/path?x"]]),
        ],
    )
    def test_a_query_arrives_decoded_and_in_order(self, client: Client, query: str, pairs: list[list[str]]) -> None:
        assert client.echo(f"/echo/x?{query}" if query else "/echo/x")["query"] == pairs

    def test_a_query_is_no_part_of_the_path(self, client: Client) -> None:
        assert client.echo("/echo/x?a=1")["path"] == "/echo/x"


class TestHeadersAndCookies:
    def test_a_header_that_is_sent_twice_has_two_values(self, client: Client) -> None:
        assert client.echo("/echo/x", ("x-tag", "one"), ("x-tag", "two"))["tags"] == ["one", "two"]

    @pytest.mark.parametrize("name", ["x-tag", "X-Tag", "X-TAG"])
    def test_header_names_have_no_case(self, client: Client, name: str) -> None:
        assert client.echo("/echo/x", (name, "one"))["tags"] == ["one"]

    @pytest.mark.parametrize("value", ["MiXeD", "a b", "a=b; c", "text/html", "*/*;q=0.8", '"quoted"'])
    def test_a_header_value_arrives_as_it_was_sent(self, client: Client, value: str) -> None:
        assert client.echo("/echo/x", ("x-tag", value))["tags"] == [value]

    @pytest.mark.parametrize(
        ("header", "cookies"),
        [
            ("a=1", {"a": "1"}),
            ("a=1; b=2", {"a": "1", "b": "2"}),
            ("a=1;b=2", {"a": "1", "b": "2"}),
            ("a=b=c", {"a": "b=c"}),
            ('a="quoted"', {"a": "quoted"}),
            ("a=", {"a": ""}),
            ("a=1; a=2", {"a": "1"}),
        ],
    )
    def test_cookies_arrive(self, client: Client, header: str, cookies: dict[str, str]) -> None:
        assert client.echo("/echo/x", ("cookie", header))["cookies"] == cookies

    def test_an_answer_sets_each_cookie_on_its_own(self, client: Client) -> None:
        assert list(map(cookie, client.get("/cookies").headers.getlist("set-cookie"))) == [
            cookie("session=abc; Path=/; HttpOnly; SameSite=Lax"),
            cookie("theme=dark; Path=/; SameSite=Lax"),
        ]

    def test_an_answer_keeps_repeated_headers(self, client: Client) -> None:
        values = client.get("/repeated").headers.getlist("x-tag")

        assert ", ".join(values) == "one, two"

    def test_the_clients_address_arrives(self, client: Client) -> None:
        client.get("/text")

        assert client.seen[0].client in ("203.0.113.9", None)


class TestBodies:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
    @pytest.mark.parametrize(
        "body", [b"", b"text", BINARY, b"\x00", b"\xff\xfe", "ü 𐐷".encode(), b"\r\n\r\n"], ids=ascii
    )
    def test_a_body_arrives_to_the_byte(self, client: Client, method: str, body: bytes) -> None:
        answer = client.echo("/echo/x", ("content-type", "application/octet-stream"), method=method, body=body)

        assert answer["body"] == b64encode(body).decode()

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/json", "image/png", "application/x-www-form-urlencoded", None]
    )
    def test_a_body_arrives_whatever_its_content_type_says(self, client: Client, content_type: str | None) -> None:
        headers = [("content-type", content_type)] if content_type else []

        assert client.echo("/echo/x", *headers, method="POST", body=b"{}")["body"] == b64encode(b"{}").decode()

    def test_a_body_of_a_mebibyte_arrives(self, client: Client) -> None:
        client.ask("POST", "/echo/x", [], bytes(1 << 20))

        assert client.seen[0].body == bytes(1 << 20)

    @pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True, "ü"]}, [], "text", 0, None], ids=repr)
    def test_json_arrives(self, client: Client, value: object) -> None:
        response = client.ask("POST", "/json", [JSON], json.dumps(value).encode())

        assert json.loads(response.body) == {"got": value}

    def test_a_form_arrives_with_its_repeats(self, client: Client) -> None:
        response = client.ask("POST", "/form", [FORM], b"a=1&b=x+y&a=%C3%BC&empty=")

        assert json.loads(response.body) == [["a", "1"], ["a", "ü"], ["b", "x y"], ["empty", ""]]

    @pytest.mark.parametrize("body", [b"{", b"", b"\xff", b"{'a': 1}", b"[1,]", b"{}{}"], ids=ascii)
    def test_broken_json_is_400(self, client: Client, body: bytes) -> None:
        assert client.ask("POST", "/json", [JSON], body).status == 400

    @pytest.mark.parametrize("depth", [100_000])
    def test_json_that_is_too_deep_is_400(self, client: Client, depth: int) -> None:
        assert client.ask("POST", "/json", [JSON], b"[" * depth).status == 400

    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [("content-type", "application/json")],
            [("content-type", "multipart/form-data")],
            [("content-type", "multipart/form-data; boundary=x")],
        ],
        ids=repr,
    )
    def test_what_is_no_form_is_400(self, client: Client, headers: list[tuple[str, str]]) -> None:
        assert client.ask("POST", "/form", headers, b"a=1").status == 400

    @pytest.mark.parametrize("charset", ["utf-8", "no-such-charset"])
    def test_what_is_no_text_is_400(self, client: Client, charset: str) -> None:
        response = client.ask("POST", "/text", [("content-type", f"text/plain; charset={charset}")], b"\xff\xfe\x00")

        assert response.status == 400

    @pytest.mark.slow
    def test_a_request_past_the_profile_is_413_on_this_machine(self, client: Client, tmp_path: Path) -> None:
        client.bind_here(tmp_path)
        response = client.ask("POST", "/echo/x", [], bytes(HttpCapabilities().max_request_bytes + 1))

        assert (response.status, client.seen) == (413, [])

    @pytest.mark.slow
    def test_an_answer_past_the_profile_is_500_on_this_machine(self, client: Client, tmp_path: Path) -> None:
        client.bind_here(tmp_path)

        assert client.get(f"/large/{HttpCapabilities().max_response_bytes + 1}").status == 500

    @pytest.mark.slow
    def test_a_request_at_the_profiles_limit_arrives(self, client: Client) -> None:
        client.ask("POST", "/echo/x", [("content-type", "text/plain")], b"x" * 4_000_000)

        assert len(client.seen[0].body) == 4_000_000


class TestAnswers:
    def test_text_is_text_plain_in_utf_8(self, client: Client) -> None:
        response = client.get("/text")

        assert (response.status, media_type(response)) == (200, "text/plain;charset=utf-8")
        assert response.body.decode() == "grüße 日本 𐐷"

    def test_bytes_are_application_octet_stream(self, client: Client) -> None:
        response = client.get("/bytes")

        assert (response.status, media_type(response)) == (200, "application/octet-stream")
        assert response.body == BINARY

    @pytest.mark.parametrize(
        ("target", "value"),
        [
            ("/map", {"text": "grüße", "none": None, "list": [1, 1.5, True], "map": {}}),
            ("/list", [1, "zwei", None]),
            ("/async", {"handler": "async"}),
        ],
    )
    def test_a_map_or_list_is_json(self, client: Client, target: str, value: object) -> None:
        response = client.get(target)

        assert (response.status, media_type(response)) == (200, "application/json")
        assert json.loads(response.body) == value

    def test_nothing_is_204(self, client: Client) -> None:
        response = client.get("/none")

        assert (response.status, response.body) == (204, b"")

    def test_empty_text_is_200(self, client: Client) -> None:
        response = client.get("/empty-text")

        assert (response.status, response.body) == (200, b"")

    def test_html_keeps_its_content_type(self, client: Client) -> None:
        response = client.get("/html")

        assert (media_type(response), response.body.decode()) == ("text/html;charset=utf-8", "<p>grüße</p>")

    @pytest.mark.parametrize(
        "status", [200, 201, 202, 204, 206, 302, 304, 400, 401, 403, 404, 409, 410, 418, 422, 429, 500, 503]
    )
    def test_a_status_arrives(self, client: Client, status: int) -> None:
        assert client.get(f"/status/{status}").status == status

    def test_a_redirect_arrives_and_is_not_followed(self, client: Client) -> None:
        response = client.get("/redirect")

        assert (response.status, response.headers["location"]) == (303, "https://example.com/a?b=1&c=%C3%BC")

    @pytest.mark.parametrize("size", [1, 65_536, 1_000_000])
    def test_a_large_answer_arrives_whole(self, client: Client, size: int) -> None:
        assert client.get(f"/large/{size}").body == b"x" * size


class TestErrors:
    @pytest.mark.parametrize("target", ["/broken", "/broken-async", "/no-answer", "/refused"])
    def test_an_error_that_a_handler_lets_pass_is_500(self, client: Client, target: str) -> None:
        assert client.get(target).status == 500

    @pytest.mark.parametrize("target", ["/broken", "/broken-async", "/no-answer", "/refused"])
    def test_500_names_the_request(self, client: Client, target: str) -> None:
        response = client.get(target)

        assert client.seen[0].id.encode() in response.body

    @pytest.mark.parametrize("secret", [b"Traceback", b"a secret of the server", b"ZeroDivisionError", b"http_app.py"])
    def test_500_tells_nothing_of_the_server(self, client: Client, secret: bytes) -> None:
        assert secret not in client.get("/broken").body

    def test_the_traceback_is_logged_once_with_the_requests_id(
        self, client: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        client.get("/broken")
        traced = [record for record in caplog.records if record.exc_info]

        assert [(record.name, record.levelname) for record in traced] == [("portable", "ERROR")]
        assert client.seen[0].id in traced[0].getMessage()

    def test_an_error_leaves_the_next_request_alone(self, client: Client) -> None:
        client.get("/broken")

        assert client.get("/").body == b"root"

    def test_an_error_of_the_client_is_not_logged_as_one_of_the_server(
        self, client: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        client.ask("POST", "/json", [JSON], b"{")

        assert [record for record in caplog.records if record.exc_info] == []


class TestInvocations:
    def test_a_request_names_the_provider(self, client: Client, provider: Provider) -> None:
        client.get("/")

        assert client.seen[0].context.provider == provider.name

    def test_requests_have_ids_of_their_own(self, client: Client) -> None:
        for _ in range(5):
            client.get("/")

        assert len({request.id for request in client.seen}) == 5

    def test_there_is_time_left(self, client: Client) -> None:
        client.get("/")
        context = client.seen[0].context

        assert context.remaining().total_seconds() > 0
        assert context.deadline > datetime.now(timezone.utc)

    def test_the_platforms_own_form_of_the_request_is_there(self, client: Client) -> None:
        client.get("/")

        assert client.seen[0].native is not None

    def test_threads_are_answered_each_with_its_own(self, client: Client) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda number: client.echo(f"/echo/{number}")["rest"], range(40)))

        assert answers == [str(number) for number in range(40)]
