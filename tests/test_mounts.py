"""ASGI and WSGI applications under a path of an app."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import flask
import pytest
from fastapi import BackgroundTasks, Body, Cookie, FastAPI, Header, Query
from fastapi import Request as NativeRequest
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse

from portable import App, Request, Response
from portable.runtime import runner
from portable_contracts.events import Context
from portable_contracts.http import Headers

Entry = Callable[[App, Request], Response]


def plainly(app: App, request: Request) -> Response:
    response: Response = app.handle(request)
    return response


def on_a_loop(app: App, request: Request) -> Response:
    response: Response = asyncio.run(app.handle_async(request))
    return response


@pytest.fixture(params=[plainly, on_a_loop])
def entry(request: pytest.FixtureRequest) -> Entry:
    entry: Entry = request.param
    return entry


def fastapi_app() -> FastAPI:
    application = FastAPI()

    @application.get("/items/{name}")
    async def item(name: str, q: Annotated[list[str], Query()]) -> Any:
        return {"name": name, "q": q}

    @application.get("/plain")
    def plain() -> Any:
        return PlainTextResponse("from a thread")

    @application.post("/echo")
    def echo(
        body: Annotated[dict[str, Any], Body()], token: Annotated[str, Cookie()], x_a: Annotated[str, Header()]
    ) -> Any:
        return {"body": body, "token": token, "x-a": x_a}

    @application.get("/cookies")
    def cookies() -> Any:
        response = JSONResponse({})
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    @application.get("/url")
    def url(request: NativeRequest) -> Any:
        client = request.client
        return {"url": str(request.url), "base": str(request.base_url), "client": client and client.host}

    @application.get("/stream")
    async def stream() -> Any:
        async def chunks() -> AsyncIterator[str]:
            yield "a"
            await asyncio.sleep(0)
            yield "b"

        return StreamingResponse(chunks(), media_type="text/plain")

    @application.get("/later")
    def later(background: BackgroundTasks) -> Any:
        background.add_task(done.append, "later")
        return {}

    done: list[str] = []
    application.state.done = done

    @application.get("/fails")
    def fails() -> Any:
        raise ValueError("lost")

    return application


def flask_app() -> flask.Flask:
    application = flask.Flask("old")

    @application.get("/items/<name>")
    def item(name: str) -> Any:
        return {"name": name, "q": flask.request.args.getlist("q")}

    @application.get("/plain")
    def plain() -> Any:
        return flask.Response("from a thread", content_type="text/plain")

    @application.post("/echo")
    def echo() -> Any:
        request = flask.request
        return {"body": request.get_json(), "token": request.cookies["token"], "x-a": request.headers["x-a"]}

    @application.get("/cookies")
    def cookies() -> Any:
        response = flask.jsonify({})
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    @application.get("/url")
    def url() -> Any:
        request = flask.request
        return {"url": request.url, "base": request.url_root, "client": request.remote_addr}

    @application.get("/stream")
    def stream() -> Any:
        return flask.Response(iter(["a", "b"]), content_type="text/plain")

    @application.get("/fails")
    def fails() -> Any:
        raise ValueError("lost")

    return application


@pytest.fixture(params=["fastapi", "flask"])
def app(request: pytest.FixtureRequest) -> App:
    app = App("mounts")
    if request.param == "fastapi":
        app.asgi(fastapi_app(), "/api")
    else:
        app.wsgi(flask_app(), "/api")
    return app


def get(path: str, query: Any = "", headers: Any = None, **options: Any) -> Request:
    return Request("GET", path, query=query, headers=Headers.received((headers or {}).items()), id="r-1", **options)


def body(response: Response) -> Any:
    return json.loads(response.body)


class TestFastApiAndFlask:
    @pytest.mark.parametrize("query", ["q=1&q=2%20%C3%A9&q=", [("q", "1"), ("q", "2 é"), ("q", "")]])
    def test_they_see_the_path_and_the_query(self, app: App, entry: Entry, query: Any) -> None:
        response = entry(app, get("/api/items/é x", query))

        assert response.status == 200
        assert body(response) == {"name": "é x", "q": ["1", "2 é", ""]}

    def test_they_see_body_cookies_and_headers(self, app: App, entry: Entry) -> None:
        headers = {"content-type": "application/json", "cookie": "token=t; other=o", "X-A": "1"}
        request = Request("POST", "/api/echo", headers=Headers.received(headers.items()), body=b'{"a": 1}')

        assert body(entry(app, request)) == {"body": {"a": 1}, "token": "t", "x-a": "1"}

    def test_their_own_errors_are_the_answer(self, app: App, entry: Entry) -> None:
        assert entry(app, get("/api/unknown")).status == 404
        assert entry(app, Request("DELETE", "/api/plain")).status == 405

    def test_repeated_cookies_survive(self, app: App, entry: Entry) -> None:
        cookies = entry(app, get("/api/cookies")).headers.getlist("set-cookie")

        assert [cookie.partition(";")[0] for cookie in cookies] == ["a=1", "b=2"]

    def test_they_see_the_address_that_the_client_asked_for(self, app: App, entry: Entry) -> None:
        headers = {"host": "shop.example", "x-forwarded-proto": "https"}
        request = get("/api/url", "a=1", headers, client="203.0.113.9")

        assert body(entry(app, request)) == {
            "url": "https://shop.example/api/url?a=1",
            "base": "https://shop.example/api/",
            "client": "203.0.113.9",
        }

    def test_a_port_in_the_host_is_kept(self, app: App, entry: Entry) -> None:
        answer = body(entry(app, get("/api/url", headers={"host": "localhost:8000"})))

        assert answer["url"] == "http://localhost:8000/api/url"

    def test_behind_a_platform_that_does_not_say_the_scheme_is_https(self, app: App, entry: Entry) -> None:
        context = Context("i-1", "main", "aws", float("inf"))
        answer = body(entry(app, get("/api/url", headers={"host": "shop.example"}, context=context)))

        assert answer["url"] == "https://shop.example/api/url"

    def test_a_streamed_answer_is_whole(self, app: App, entry: Entry) -> None:
        response = entry(app, get("/api/stream"))

        assert response.body == b"ab"
        assert response.headers["content-type"].startswith("text/plain")

    def test_head_has_the_length_without_the_body(self, app: App, entry: Entry) -> None:
        response = entry(app, Request("HEAD", "/api/cookies"))

        assert response.body == b""

    def test_routes_of_the_app_go_first(self, app: App, entry: Entry) -> None:
        app.get("/api/plain")(lambda request: "own")

        assert entry(app, get("/api/plain")).body == b"own"

    def test_middlewares_of_the_app_are_around_them(self, app: App, entry: Entry) -> None:
        seen = []

        @app.middleware
        def watch(event: Any, call_next: Any) -> Any:
            response = call_next(event)
            seen.append((event.path, response.status))
            return response

        entry(app, get("/api/plain"))

        assert seen == [("/api/plain", 200)]

    def test_a_path_outside_is_not_theirs(self, app: App, entry: Entry) -> None:
        assert body(entry(app, get("/apix"))) == {"error": "not found", "id": "r-1"}


class TestAsgi:
    def test_an_error_page_is_the_answer_and_its_error_is_logged(
        self, entry: Entry, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = App("mounts")
        app.asgi(fastapi_app(), "/api")

        assert entry(app, get("/api/fails")).body == b"Internal Server Error"
        assert [record.getMessage() for record in caplog.records] == ["GET /api/fails failed [r-1]"]
        assert "ValueError: lost" in caplog.text

    def test_background_tasks_are_done_before_the_answer(self, entry: Entry) -> None:
        app, application = App("mounts"), fastapi_app()
        app.asgi(application)
        entry(app, get("/later"))

        assert application.state.done == ["later"]

    def test_at_the_root_everything_is_theirs(self, entry: Entry) -> None:
        app = App("mounts")
        app.asgi(fastapi_app())

        assert entry(app, get("/plain")).body == b"from a thread"

    def test_the_request_is_in_the_scope(self, entry: Entry) -> None:
        scopes = []

        async def application(scope: Any, receive: Any, send: Any) -> None:
            scopes.append(scope)
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body"})

        app = App("mounts")
        app.asgi(application, "/a")
        request = get("/a/é/%41")
        entry(app, request)

        assert scopes[-1]["portable.request"] is request
        assert (scopes[-1]["path"], scopes[-1]["root_path"]) == ("/a/é/%41", "/a")
        assert scopes[-1]["raw_path"] == b"/a/%C3%A9/%2541"

    def test_an_application_that_raises_is_500(self, entry: Entry, caplog: pytest.LogCaptureFixture) -> None:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            raise ValueError("lost")

        app = App("mounts")
        app.asgi(application)

        assert body(entry(app, get("/"))) == {"error": "internal error", "id": "r-1"}
        assert "ValueError: lost" in caplog.text

    @pytest.mark.parametrize("messages", [[], [{"type": "http.response.start", "status": 200}]])
    def test_an_answer_that_is_not_whole_is_500(
        self, entry: Entry, messages: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            for message in messages:
                await send(message)

        app = App("mounts")
        app.asgi(application)

        assert entry(app, get("/")).status == 500
        assert "the ASGI application application returned without a whole answer" in caplog.text


class TestLifespan:
    @pytest.fixture
    def trace(self) -> list[str]:
        return []

    @pytest.fixture
    def app(self, trace: list[str]) -> App:
        @contextlib.asynccontextmanager
        async def lifespan(application: FastAPI) -> AsyncIterator[dict[str, str]]:
            trace.append("start")
            yield {"pool": "open"}
            trace.append("stop")

        application = FastAPI(lifespan=lifespan)

        @application.get("/")
        def pool(request: NativeRequest) -> Any:
            return request.state.pool

        app = App("mounts")
        app.asgi(application)
        return app

    def test_it_starts_once_before_the_first_request(self, app: App, trace: list[str]) -> None:
        assert [app.handle(get("/")).body for _ in range(3)] == [b'"open"'] * 3
        assert trace == ["start"]

    def test_requests_at_once_wait_for_one_start(self, app: App, trace: list[str]) -> None:
        async def main() -> list[bytes]:
            answers = await asyncio.gather(*(app.handle_async(get("/")) for _ in range(5)))
            return [answer.body for answer in answers]

        assert asyncio.run(main()) == [b'"open"'] * 5
        assert trace[0] == "start"
        assert "start" not in trace[1:]

    def test_a_server_starts_and_stops_it(self, app: App, trace: list[str]) -> None:
        async def main() -> None:
            run = runner(app, "local")
            await run.start()
            trace.append("started")
            await app.handle_async(get("/"))
            await run.stop()

        asyncio.run(main())

        assert trace == ["start", "started", "stop"]

    def test_a_start_that_fails_is_500_and_tried_again(self, caplog: pytest.LogCaptureFixture) -> None:
        trials = []

        @contextlib.asynccontextmanager
        async def lifespan(application: FastAPI) -> AsyncIterator[None]:
            trials.append("start")
            if len(trials) == 1:
                raise ConnectionError("no database")
            yield

        app = App("mounts")
        app.asgi(FastAPI(lifespan=lifespan))

        assert app.handle(get("/docs")).status == 500
        assert "no database" in caplog.text
        assert app.handle(get("/docs")).status == 200

    @pytest.mark.slow
    def test_it_ends_with_the_process(self) -> None:
        source = """
        import contextlib
        from fastapi import FastAPI
        from portable import App, Request
        @contextlib.asynccontextmanager
        async def lifespan(application):
            yield
            print("stop")
        app = App("a")
        app.asgi(FastAPI(lifespan=lifespan))
        print(app.handle(Request("GET", "/docs")).status)
        """
        command = [sys.executable, "-W", "error", "-c", textwrap.dedent(source)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)

        assert (done.stdout, done.stderr) == ("200\nstop\n", "")


class TestWsgi:
    def test_an_error_page_is_the_answer(self, entry: Entry) -> None:
        app = App("mounts")
        app.wsgi(flask_app())

        assert entry(app, get("/fails")).status == 500

    def test_an_application_that_raises_is_500(self, entry: Entry, caplog: pytest.LogCaptureFixture) -> None:
        def application(environ: Any, start_response: Any) -> Any:
            raise ValueError("lost")

        app = App("mounts")
        app.wsgi(application)

        assert body(entry(app, get("/"))) == {"error": "internal error", "id": "r-1"}
        assert "ValueError: lost" in caplog.text

    def test_an_application_that_starts_no_response_is_500(
        self, entry: Entry, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = App("mounts")
        app.wsgi(lambda environ, start_response: [b"x"])

        assert entry(app, get("/")).status == 500
        assert "returned without calling start_response" in caplog.text

    def test_what_it_writes_goes_before_what_it_returns(self, entry: Entry) -> None:
        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [("content-type", "text/plain")])(b"a")
            return [b"b", b"c"]

        app = App("mounts")
        app.wsgi(application)

        assert entry(app, get("/")).body == b"abc"

    def test_its_answer_is_closed(self, entry: Entry) -> None:
        closed = []

        class Chunks:
            def __iter__(self) -> Iterator[bytes]:
                yield b"a"

            def close(self) -> None:
                closed.append(True)

        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [])
            return Chunks()

        app = App("mounts")
        app.wsgi(application)

        assert entry(app, get("/")).body == b"a"
        assert closed == [True]

    def test_a_lazy_application_may_start_its_response_late(self, entry: Entry) -> None:
        def application(environ: Any, start_response: Any) -> Any:
            start_response("201 Created", [("x-a", "1"), ("x-a", "2")])
            yield b"a"

        app = App("mounts")
        app.wsgi(application)
        response = entry(app, get("/"))

        assert (response.status, response.body) == (201, b"a")
        assert response.headers.getlist("x-a") == ["1", "2"]

    def test_an_error_after_the_start_replaces_it(self, entry: Entry) -> None:
        def application(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [("x-a", "1")])
            start_response("500 Sorry", [("x-b", "1")], (ValueError, ValueError(), None))
            return [b"sorry"]

        app = App("mounts")
        app.wsgi(application)

        assert entry(app, get("/")) == Response(b"sorry", 500, {"x-b": "1"})

    def test_the_environment_is_that_of_pep_3333(self, entry: Entry) -> None:
        from wsgiref.validate import validator

        seen: dict[str, Any] = {}

        def application(environ: Any, start_response: Any) -> Any:
            seen.update(environ, body=environ["wsgi.input"].read(3))
            start_response("200 OK", [("content-type", "text/plain")])
            return [b"ok"]

        app = App("mounts")
        app.wsgi(validator(application), "/a")
        headers = Headers.received([("host", "h:81"), ("x-a", "1"), ("x-a", "2"), ("cookie", "a=1"), ("cookie", "b=2")])
        request = Request("POST", "/a/é", query="q=1", headers=headers, body=b"abc", client="203.0.113.9")

        assert entry(app, request).body == b"ok"
        assert {name: seen[name] for name in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_LENGTH")} == {
            "SCRIPT_NAME": "/a",
            "PATH_INFO": "/é".encode().decode("latin-1"),
            "QUERY_STRING": "q=1",
            "CONTENT_LENGTH": "3",
        }
        assert {name: seen[name] for name in ("HTTP_X_A", "HTTP_COOKIE", "SERVER_NAME", "SERVER_PORT")} == {
            "HTTP_X_A": "1,2",
            "HTTP_COOKIE": "a=1; b=2",
            "SERVER_NAME": "h",
            "SERVER_PORT": "81",
        }
        assert (seen["REMOTE_ADDR"], seen["body"]) == ("203.0.113.9", b"abc")
        assert seen["portable.request"] is request
