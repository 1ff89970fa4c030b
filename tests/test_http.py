"""From what handlers return, or raise, to what the client gets."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portable import App, BadRequest, InvalidArgument, LimitExceeded, NotFound, Request, Response
from portable.config import Configuration, Target
from portable_contracts.http import Headers
from portable_contracts.provider import Opening


def plainly(app: App, request: Request) -> Response:
    response: Response = app.handle(request)
    return response


def on_a_loop(app: App, request: Request) -> Response:
    response: Response = asyncio.run(app.handle_async(request))
    return response


@pytest.fixture(params=[plainly, on_a_loop])
def entry(request: pytest.FixtureRequest) -> Callable[[App, Request], Response]:
    entry: Callable[[App, Request], Response] = request.param
    return entry


@pytest.fixture
def app() -> App:
    return App("web")


Entry = Callable[[App, Request], Response]


def answer(app: App, entry: Entry, result: Any) -> Response:
    app.get("/")(lambda request: result)
    return entry(app, Request("GET", "/", id="r-1"))


class TestResults:
    @pytest.mark.parametrize(
        ("result", "body"),
        [
            ({}, b"{}"),
            ([], b"[]"),
            ({"a": [1, None, "\u00e9"]}, '{"a":[1,null,"é"]}'.encode()),
            (OrderedDict(a=1), b'{"a":1}'),
        ],
    )
    def test_a_dict_or_list_is_json(self, app: App, entry: Entry, result: Any, body: bytes) -> None:
        response = answer(app, entry, result)

        assert (response.status, response.body) == (200, body)
        assert response.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("text", ["", "hi", "é"])
    def test_text_is_plain_text(self, app: App, entry: Entry, text: str) -> None:
        response = answer(app, entry, text)

        assert (response.status, response.body) == (200, text.encode())
        assert response.headers["content-type"] == "text/plain; charset=utf-8"

    @pytest.mark.parametrize("body", [b"", b"\x00\xff"])
    def test_bytes_are_bytes(self, app: App, entry: Entry, body: bytes) -> None:
        response = answer(app, entry, body)

        assert (response.status, response.body) == (200, body)
        assert response.headers["content-type"] == "application/octet-stream"

    def test_nothing_is_204(self, app: App, entry: Entry) -> None:
        assert answer(app, entry, None) == Response(b"", 204)

    def test_a_response_is_itself(self, app: App, entry: Entry) -> None:
        response = Response("x", 418, {"x-a": "1"})

        assert answer(app, entry, response) is response

    @pytest.mark.parametrize("result", [1, True, 1.5, ("a", 200), {1}, object(), iter(())])
    def test_anything_else_is_an_error_that_names_handler_and_place(
        self, app: App, entry: Entry, result: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        @app.get("/")
        def odd(request: Request) -> Any:
            return result

        assert entry(app, Request("GET", "/")).status == 500
        error = raised(caplog)
        assert isinstance(error, InvalidArgument)
        assert str(error).startswith(f"handler odd ({__file__}:")
        assert f"returned {type(result).__name__}: return a dict, list, str, bytes, None or Response" in str(error)

    @pytest.mark.parametrize("value", [{"a": b"1"}, [float("nan")], {"a": {1}}, [object()], {(1, 2): 3}, ["\ud800"]])
    def test_what_json_cannot_say_is_an_error_that_names_the_handler(
        self, app: App, entry: Entry, value: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert answer(app, entry, value).status == 500
        assert str(raised(caplog)).startswith(f"handler <lambda> ({__file__}:")

    def test_a_list_in_itself_is_an_error(self, app: App, entry: Entry) -> None:
        value: list[Any] = []
        value.append(value)

        assert answer(app, entry, value).status == 500

    @pytest.mark.parametrize("status", [204, 304])
    def test_a_status_without_a_body_has_none(self, app: App, entry: Entry, status: int) -> None:
        response = answer(app, entry, Response("x", status, {"x-a": "1"}))

        assert response.body == b""
        assert response.headers["x-a"] == "1"


class TestUnrouted:
    def test_an_unknown_path_is_404(self, app: App, entry: Entry) -> None:
        response = entry(app, Request("GET", "/", id="r-1"))

        assert response.status == 404
        assert json.loads(response.body) == {"error": "not found", "id": "r-1"}

    @pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE", "PROPFIND"])
    def test_another_method_is_405_with_those_there_are(self, app: App, entry: Entry, method: str) -> None:
        app.route("/", ["GET", "PUT"])(lambda request: None)
        response = entry(app, Request(method, "/", id="r-1"))

        assert response.status == 405
        assert response.headers["allow"] == "GET, HEAD, PUT"
        assert json.loads(response.body) == {"error": "method not allowed", "id": "r-1"}

    @pytest.mark.parametrize("path", ["/unknown", "/"])
    def test_the_answer_to_head_has_no_body_there_either(self, app: App, entry: Entry, path: str) -> None:
        app.post("/")(lambda request: None)
        response = entry(app, Request("HEAD", path))

        assert response.status in (404, 405)
        assert response.body == b""


class TestHead:
    def test_it_has_the_headers_of_get_and_its_length_without_the_body(self, app: App, entry: Entry) -> None:
        app.get("/")(lambda request: Response("hello", headers={"x-a": "1"}))
        response = entry(app, Request("HEAD", "/"))

        assert response.body == b""
        assert response.status == 200
        assert response.headers == Headers(
            {"x-a": "1", "content-type": "text/plain; charset=utf-8", "content-length": "5"}
        )

    def test_the_handler_s_own_length_stays(self, app: App, entry: Entry) -> None:
        app.head("/")(lambda request: Response(b"", headers={"content-length": "1234"}))

        assert entry(app, Request("HEAD", "/")).headers.getlist("content-length") == ["1234"]

    def test_an_answer_that_is_kept_is_not_changed(self, app: App, entry: Entry) -> None:
        kept = Response("hello")
        app.get("/")(lambda request: kept)
        entry(app, Request("HEAD", "/"))

        assert entry(app, Request("GET", "/")) == Response("hello")

    def test_nothing_has_no_length(self, app: App, entry: Entry) -> None:
        app.get("/")(lambda request: None)

        assert "content-length" not in entry(app, Request("HEAD", "/")).headers

    def test_middleware_sees_the_body(self, app: App, entry: Entry) -> None:
        seen = []
        app.get("/")(lambda request: "hello")

        @app.middleware
        def watch(event: Any, call_next: Any) -> Any:
            response = call_next(event)
            seen.append(response.body)
            return response

        entry(app, Request("HEAD", "/"))

        assert seen == [b"hello"]


class TestBadRequests:
    @pytest.mark.parametrize(
        ("read", "said"),
        [
            (lambda request: request.json(), "the body is not JSON"),
            (lambda request: request.text, "the body is not utf-8 text"),
            (lambda request: request.form(), "the body is of no content type, not a form"),
        ],
    )
    def test_a_body_that_is_not_what_the_handler_asks_for_is_400(
        self, app: App, entry: Entry, read: Any, said: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        app.post("/")(read)
        response = entry(app, Request("POST", "/", body=b"\xff{", id="r-1"))
        body = json.loads(response.body)

        assert response.status == 400
        assert body["error"].startswith(said)
        assert body["id"] == "r-1"
        assert caplog.records == []

    def test_a_handler_may_answer_for_it(self, app: App, entry: Entry) -> None:
        @app.post("/")
        def lenient(request: Request) -> Any:
            try:
                return request.json()
            except InvalidArgument:
                return "no JSON"

        assert entry(app, Request("POST", "/", body=b"{")).body == b"no JSON"

    def test_a_handler_may_raise_it(self, app: App, entry: Entry) -> None:
        @app.get("/")
        def picky(request: Request) -> Any:
            raise BadRequest("an entry needs a name")

        response = entry(app, Request("GET", "/", id="r-1"))

        assert response.status == 400
        assert json.loads(response.body) == {"error": "an entry needs a name", "id": "r-1"}

    def test_a_middleware_s_own_is_400_too(self, app: App, entry: Entry) -> None:
        app.middleware(lambda event, call_next: event.json())

        assert entry(app, Request("POST", "/", body=b"{")).status == 400

    def test_a_wrong_argument_to_something_else_is_the_app_s_fault(self, app: App, entry: Entry) -> None:
        app.get("/")(lambda request: app.table("t").get("", "s"))

        assert entry(app, Request("GET", "/")).status == 500


class TestUnhandledErrors:
    @pytest.mark.parametrize("error", [ValueError("secret"), NotFound("secret"), InvalidArgument("secret")])
    def test_they_are_500_with_the_request_s_id_and_nothing_else(
        self, app: App, entry: Entry, error: Exception
    ) -> None:
        app.get("/")(lambda request: fail(error))
        response = entry(app, Request("GET", "/", id="r-1"))

        assert response.status == 500
        assert json.loads(response.body) == {"error": "internal error", "id": "r-1"}

    def test_the_traceback_is_logged_once_with_that_id(
        self, app: App, entry: Entry, caplog: pytest.LogCaptureFixture
    ) -> None:
        app.get("/a")(lambda request: fail(ValueError("lost")))
        entry(app, Request("GET", "/a", query="token=secret", id="r-1"))

        assert [record.getMessage() for record in caplog.records] == ["GET /a failed [r-1]"]
        assert caplog.records[0].name == "portable"
        assert "ValueError: lost" in caplog.text
        assert "secret" not in caplog.text

    def test_head_of_a_handler_that_fails_is_500_without_a_body(self, app: App, entry: Entry) -> None:
        app.get("/")(lambda request: fail(ValueError()))
        response = entry(app, Request("HEAD", "/"))

        assert (response.status, response.body) == (500, b"")

    @pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt])
    def test_what_ends_the_process_is_let_through(self, app: App, stop: type[BaseException]) -> None:
        app.get("/")(lambda request: fail(stop()))

        with pytest.raises(stop):
            app.handle(Request("GET", "/"))


class TestLimits:
    def bound(self, app: App, tmp_path: Path, *providers: str) -> App:
        targets = {provider: Target(provider, provider) for provider in ("local", *providers)}
        app.bind(targets["local"], Configuration(str(tmp_path), None, None, targets), Opening(data=str(tmp_path)))
        return app

    @pytest.mark.parametrize(("size", "status"), [(6_000_000, 204), (6_000_001, 413)])
    def test_a_request_past_the_profile_is_413(
        self, app: App, entry: Entry, tmp_path: Path, size: int, status: int
    ) -> None:
        app.post("/")(lambda request: None)
        response = entry(self.bound(app, tmp_path), Request("POST", "/", body=bytes(size), id="r-1"))

        assert response.status == status

    def test_the_answer_names_whose_limit_it_is(self, app: App, entry: Entry, tmp_path: Path) -> None:
        response = entry(self.bound(app, tmp_path, "aws"), Request("POST", "/", body=bytes(9_000_000), id="r-1"))
        body = json.loads(response.body)

        assert body["error"].startswith("the request is too large: HTTP on target aws (aws) allows ")
        assert body["id"] == "r-1"

    def test_the_handler_is_not_called_for_it(self, app: App, entry: Entry, tmp_path: Path) -> None:
        called = []
        app.post("/")(lambda request: called.append(request))
        entry(self.bound(app, tmp_path), Request("POST", "/", body=bytes(6_000_001)))

        assert called == []

    @pytest.mark.parametrize(("size", "status"), [(6_000_000, 200), (6_000_001, 500)])
    def test_a_response_past_the_profile_is_500(
        self, app: App, entry: Entry, tmp_path: Path, size: int, status: int
    ) -> None:
        app.get("/")(lambda request: bytes(size))

        assert entry(self.bound(app, tmp_path), Request("GET", "/")).status == status

    def test_the_log_names_whose_limit_it_is(
        self, app: App, entry: Entry, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        app.get("/")(lambda request: bytes(6_000_001))
        entry(self.bound(app, tmp_path), Request("GET", "/", id="r-1"))
        error = raised(caplog)

        assert str(error) == "the response is 6,000,001 bytes; the portable profile for HTTP allows 6,000,000"
        assert isinstance(error, LimitExceeded)
        assert (error.limit, error.actual, error.allowed) == ("max_response_bytes", 6_000_001, 6_000_000)

    def test_an_app_that_is_bound_no_more_has_no_limits(self, app: App, entry: Entry, tmp_path: Path) -> None:
        app.get("/")(lambda request: bytes(6_000_001))
        self.bound(app, tmp_path).unbind()

        assert entry(app, Request("GET", "/")).status == 200


def fail(error: BaseException) -> None:
    raise error


def raised(caplog: pytest.LogCaptureFixture) -> BaseException:
    """Return the error that was logged: the only one."""
    (record,) = caplog.records
    assert record.exc_info
    assert record.exc_info[1]
    return record.exc_info[1]
