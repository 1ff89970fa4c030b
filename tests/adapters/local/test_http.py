"""The ASGI codec and entry: what a server hands over, and what it is told to send."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import portable
from portable import App, Headers, InvalidArgument, Request, Response
from portable_contracts.events import Context
from portable_local.http import Asgi

CONTEXT = Context("i-1", "main", "local", 0.0)


def scope(**changes: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "client": ("203.0.113.9", 50000),
        "server": ("127.0.0.1", 8000),
        **changes,
    }


def decode(body: bytes = b"", **changes: Any) -> Request:
    return Asgi().decode({"scope": scope(**changes), "body": body}, CONTEXT)


class TestDecoding:
    def test_a_request_is_what_the_scope_says(self) -> None:
        headers = [(b"host", b"h"), (b"x-a", b"1"), (b"x-a", b"2")]
        request = decode(b"abc", method="POST", path="/é", query_string=b"a=1&a=2", headers=headers)

        assert request == Request(
            "POST",
            "/é",
            query=[("a", "1"), ("a", "2")],
            headers=Headers.received([("host", "h"), ("x-a", "1"), ("x-a", "2")]),
            body=b"abc",
            client="203.0.113.9",
        )

    def test_the_context_is_the_one_given(self) -> None:
        assert decode().context is CONTEXT
        assert decode().id == "i-1"

    def test_a_context_of_its_own_has_half_a_minute_and_a_new_id(self) -> None:
        first, second = (Asgi().decode({"scope": scope(), "body": b""}, None).context for _ in range(2))

        assert (first.provider, first.function) == ("local", "main")
        assert 25 < first.remaining().total_seconds() <= 30
        assert first.invocation_id != second.invocation_id
        assert len(first.invocation_id) == 32

    def test_the_native_object_is_the_scope(self) -> None:
        given = scope()

        assert Asgi().decode({"scope": given, "body": b""}, CONTEXT).native is given

    @pytest.mark.parametrize(
        ("root", "path", "expected"),
        [
            ("/v1", "/v1/a", "/a"),
            ("/v1", "/v1", "/"),
            ("/v1", "/v1/", "/"),
            ("/v1", "/v10/a", "/v10/a"),
            ("", "/a", "/a"),
        ],
    )
    def test_the_path_of_a_server_s_own_mount_is_gone(self, root: str, path: str, expected: str) -> None:
        assert decode(root_path=root, path=path).path == expected

    @pytest.mark.parametrize("query", [b"a=%C3%A9", "a=é".encode()])
    def test_a_query_is_utf_8_escaped_or_not(self, query: bytes) -> None:
        assert decode(query_string=query).query["a"] == "é"

    def test_a_header_is_latin_1(self) -> None:
        assert decode(headers=[(b"x-a", b"\xe9")]).headers["X-A"] == "é"

    @pytest.mark.parametrize("client", [None, ()])
    def test_a_client_that_the_server_does_not_know_is_none(self, client: Any) -> None:
        assert decode(client=client).client is None

    @pytest.mark.parametrize(
        "changes",
        [{"headers": [1]}, {"headers": 5}, {"path": None, "root_path": "/a"}, {"query_string": None}, {"client": 5}],
    )
    def test_a_broken_scope_is_an_invalid_argument(self, changes: Any) -> None:
        with pytest.raises(InvalidArgument, match="the scope is not one of ASGI"):
            decode(**changes)

    @pytest.mark.parametrize("missing", ["method", "path", "headers", "query_string"])
    def test_a_scope_that_lacks_something_is_an_invalid_argument_that_names_it(self, missing: str) -> None:
        broken = scope()
        del broken[missing]
        with pytest.raises(InvalidArgument, match=missing):
            Asgi().decode({"scope": broken, "body": b""}, CONTEXT)

    @pytest.mark.parametrize("raw", [None, [], {}, {"scope": 1}, {"scope": {"type": "websocket"}}, {"scope": {}}])
    def test_other_things_are_not_recognised(self, raw: Any) -> None:
        assert not Asgi().recognises(raw)

    def test_an_http_scope_is_recognised(self) -> None:
        assert Asgi().recognises({"scope": scope(), "body": b""})


def encode(response: Response) -> tuple[dict[str, Any], dict[str, Any]]:
    messages: tuple[dict[str, Any], dict[str, Any]] = Asgi().encode(response, Request("GET", "/"))
    return messages


class TestEncoding:
    def test_an_answer_is_two_messages(self) -> None:
        assert encode(Response("é", 201, {"X-A": "1"})) == (
            {
                "type": "http.response.start",
                "status": 201,
                "headers": [(b"x-a", b"1"), (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"2")],
            },
            {"type": "http.response.body", "body": "é".encode()},
        )

    def test_repeated_headers_stay_apart(self) -> None:
        response = Response()
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        cookies = [value for name, value in encode(response)[0]["headers"] if name == b"set-cookie"]

        assert [cookie.partition(b";")[0] for cookie in cookies] == [b"a=1", b"b=2"]

    @pytest.mark.parametrize("status", [204, 304])
    def test_a_status_without_a_body_has_no_length(self, status: int) -> None:
        assert encode(Response(b"", status))[0]["headers"] == []

    def test_an_empty_answer_says_so(self) -> None:
        assert encode(Response(b""))[0]["headers"] == [(b"content-length", b"0")]

    def test_a_length_that_is_there_stays(self) -> None:
        assert encode(Response(b"", headers={"content-length": "5"}))[0]["headers"] == [(b"content-length", b"5")]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.chdir(tmp_path)
    app = App("web")
    app.post("/length")(lambda request: str(len(request.body)))
    return app


def talk(app: App, scope: dict[str, Any], messages: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Return what the entry sends, and how many of *messages* it has taken."""
    application = portable.entrypoint(app, "local")
    incoming = list(messages)
    taken: list[dict[str, Any]] = []
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        taken.append(incoming[len(taken)])
        return taken[-1]

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    return sent, len(taken)


def chunk(body: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


class TestEntry:
    @pytest.mark.parametrize(
        "messages",
        [
            [chunk(b"abc", False)],
            [chunk(b"a", True), chunk(b"", True), chunk(b"bc", False)],
            [chunk(b"abc", True), {"type": "http.request"}],
        ],
    )
    def test_the_body_is_taken_whole(self, app: App, messages: Any) -> None:
        (start, end), _ = talk(app, scope(method="POST", path="/length"), messages)

        assert (start["status"], end["body"]) == (200, b"3")

    def test_a_client_that_goes_away_gets_no_answer(self, app: App) -> None:
        messages = [chunk(b"abc", True), {"type": "http.disconnect"}]

        assert talk(app, scope(method="POST", path="/length"), messages) == ([], 2)

    def test_a_body_past_the_limit_is_413_and_not_read_to_its_end(self, app: App) -> None:
        messages = [chunk(bytes(4_000_000), True)] * 9
        (start, end), taken = talk(app, scope(method="POST", path="/length"), messages)

        assert (start["status"], taken) == (413, 2)
        assert b"the portable profile for HTTP allows 6,000,000 bytes" in end["body"]

    def test_a_body_at_the_limit_is_taken(self, app: App) -> None:
        (start, end), _ = talk(app, scope(method="POST", path="/length"), [chunk(bytes(6_000_000), False)])

        assert (start["status"], end["body"]) == (200, b"6000000")

    def test_head_has_the_length_of_get(self, app: App) -> None:
        app.get("/")(lambda: "hello")
        (start, end), _ = talk(app, scope(method="HEAD"), [chunk(b"", False)])

        assert (b"content-length", b"5") in start["headers"]
        assert end["body"] == b""

    def test_a_server_s_start_and_stop_are_answered(self, app: App) -> None:
        messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent, _ = talk(app, {"type": "lifespan"}, messages)

        assert sent == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]

    def test_a_mounted_application_that_does_not_start_stops_the_server(self, app: App) -> None:
        async def mounted(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})

        app.asgi(mounted, "/api")
        sent, _ = talk(app, {"type": "lifespan"}, [{"type": "lifespan.startup"}])

        assert sent == [
            {"type": "lifespan.startup.failed", "message": "a mounted application did not start: no database"}
        ]

    def test_a_websocket_is_refused(self, app: App) -> None:
        sent, _ = talk(app, {"type": "websocket"}, [{"type": "websocket.connect"}])

        assert [message["type"] for message in sent] == ["websocket.close"]
