"""The guestbook, unchanged, in a custom runtime's process; what stands for SCF is a server of ours: a wire fake."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from portable_conformance.counterparts import scf_runtime
from portable_conformance.counterparts.scf_runtime import Function
from portable_conformance.counterparts.scf_web import pass_on
from portable_contracts.harness import HttpCall
from portable_contracts.http import Response
from portable_tencent import _fronts

pytestmark = pytest.mark.slow

GUESTBOOK = Path(__file__).parents[3] / "examples" / "guestbook"
PHOTO = (GUESTBOOK / "photo.jpg").read_bytes()
BUCKET = "photos-1250000000"
ENTRY = """
import portable
from main import app

handler = portable.entrypoint(app, "tencent")
"""
ODD_APP = """
import time

import portable

app = portable.App("odd")

@app.get("/slow/{seconds}")
def slow(request, seconds):
    time.sleep(float(seconds))
    return {"left": request.context.remaining().total_seconds()}

@app.get("/large/{size}")
def large(request, size):
    return portable.Response.text("x" * int(size))

@app.get("/quotes/{size}")
def quotes(request, size):
    return portable.Response.text("\\n" * int(size))

@app.get("/exit")
def exit(request):
    raise SystemExit(3)

@app.get("/all")
def everything(request):
    return {"native": request.native, "headers": request.headers.multi_items(), "repr": repr(request)}

@app.on_message(app.queue("thumbs"))
def failing(message):
    raise ValueError(f"not this one: {message.text}")

handler = portable.entrypoint(app, "tencent")
"""


def start(folder: Path, entry: str, argument: str | None = "entry:handler") -> Function:
    (folder / "entry.py").write_text(entry)
    command = ["-m", "portable_tencent.custom_runtime", *([argument] if argument else [])]
    environment = {
        "PORTABLE_TARGET": "local",
        "PORTABLE_PHOTOS": f"file://{BUCKET}",  # The name in a bucket's events.
        "PYTHONPATH": str(GUESTBOOK),
        "_HANDLER": "entry.handler",
    }
    return Function(folder, command, environment)


@pytest.fixture(scope="module")
def guestbook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    function = start(tmp_path_factory.mktemp("guestbook"), ENTRY)
    yield function
    function.stop()


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    function = start(tmp_path_factory.mktemp("odd"), ODD_APP)
    yield function
    function.stop()


@pytest.fixture
def start_here(tmp_path: Path) -> Iterator[Callable[..., Function]]:
    started = []

    def start_one(entry: str, argument: str | None = "entry:handler") -> Function:
        started.append(start(tmp_path, entry, argument))
        return started[-1]

    yield start_one
    for function in started:
        function.stop()


def ask(
    function: Function, method: str, target: str, body: bytes = b"", kind: str = "", front: str = _fronts.URL
) -> Response:
    headers = [("host", "example.com"), *([("content-type", kind)] if kind else [])]
    invoked = function.invoke(_fronts.event(front, HttpCall(method, target, headers, body)))
    return _fronts.failure(front, invoked.code) if invoked.failed else _fronts.response(invoked.payload)


def read(function: Function, target: str) -> Any:
    return json.loads(ask(function, "GET", target).body)


def kafka(*bodies: str) -> dict[str, Any]:
    rows = [
        {"topic": "thumbs", "partition": 0, "offset": offset, "msgKey": "None", "msgBody": body}
        for offset, body in enumerate(bodies)
    ]
    return {"Records": [{"Ckafka": row} for row in rows]}


def topic(body: str) -> dict[str, Any]:
    message = {"type": "topic", "topicName": "thumbs", "msgId": "m-1", "msgBody": body, "msgTag": []}
    return {"Records": [{"CMQ": message}]}


def cos(key: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "cos": {
                    "cosBucket": {"region": "gz", "name": "photos", "appid": "1250000000"},
                    "cosObject": {"key": f"/1250000000/photos/{key}", "size": 1, "vid": "", "meta": {}},
                },
                "event": {"eventName": "cos:ObjectCreated:Put", "eventTime": 1767323045, "reqid": 0},
            }
        ]
    }


class TestTheGuestbook:
    @pytest.mark.parametrize("front", _fronts.FORMS)
    def test_an_entry_is_signed_and_listed_behind_each_front(self, guestbook: Function, front: str) -> None:
        thread = front.rpartition(".")[2]
        entry = json.dumps({"name": "Åsa", "text": "日本"}).encode()
        signed = ask(guestbook, "POST", f"/threads/{thread}/entries", entry, "application/json", front)
        listed = ask(guestbook, "GET", f"/threads/{thread}/entries?limit=5", front=front)

        assert signed.status == 201
        assert [item["name"] for item in json.loads(listed.body)["entries"]] == ["Åsa"]

    def test_its_page_is_html(self, guestbook: Function) -> None:
        page = ask(guestbook, "GET", "/")

        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")

    @pytest.mark.parametrize("deliver", [kafka, topic])
    def test_a_photo_becomes_a_thumbnail(self, guestbook: Function, deliver: Callable[[str], dict[str, Any]]) -> None:
        uploaded = json.loads(ask(guestbook, "POST", "/threads/summer/photos", PHOTO, "image/jpeg").body)
        key = uploaded["photo"].removeprefix("/photos/")

        assert ask(guestbook, "GET", uploaded["photo"]).body == PHOTO
        assert ask(guestbook, "GET", uploaded["thumbnail"]).status == 404
        assert not guestbook.invoke(cos(key)).failed
        assert not guestbook.invoke(deliver(json.dumps({"key": key}))).failed
        thumbnail = ask(guestbook, "GET", uploaded["thumbnail"])
        assert Image.open(BytesIO(thumbnail.body)).format == "JPEG"

    def test_a_schedule_writes_the_statistics(self, guestbook: Function) -> None:
        guestbook.invoke({"Type": "Timer", "TriggerName": "statistics", "Time": "2026-01-02T03:05:00Z", "Message": ""})

        assert read(guestbook, "/stats")["written"] == "2026-01-02T03:05:00+00:00"


@pytest.fixture(scope="module")
def web_function(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Give the port at which the guestbook is a web function."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "entry.py").write_text(ENTRY)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    program = f"from portable_tencent.web import serve; from entry import handler; serve(handler, '127.0.0.1', {port})"
    environment = {**os.environ, "PORTABLE_TARGET": "local", "PYTHONPATH": str(GUESTBOOK)}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=folder, env=environment)
    until = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.02)
    yield port
    process.terminate()
    process.wait(30)


class TestTheGuestbookAsAWebFunction:
    """HTTP as it is, sent on by a proxy of ours; what is no HTTP needs an event function beside it."""

    def ask(self, port: int, method: str, target: str, body: bytes = b"", kind: str = "") -> Response:
        headers = [("host", "example.com"), ("content-type", kind), ("content-length", str(len(body)))]
        return pass_on(HttpCall(method, target, [*headers, *_fronts.web_headers("203.0.113.9")], body), port)

    def test_an_entry_is_signed_and_listed(self, web_function: int) -> None:
        entry = json.dumps({"name": "Åsa", "text": "日本"}).encode()
        signed = self.ask(web_function, "POST", "/threads/web/entries", entry, "application/json")
        listed = self.ask(web_function, "GET", "/threads/web/entries?limit=5")

        assert signed.status == 201
        assert [item["name"] for item in json.loads(listed.body)["entries"]] == ["Åsa"]

    def test_a_photo_comes_back_to_the_byte(self, web_function: int) -> None:
        uploaded = json.loads(self.ask(web_function, "POST", "/threads/web/photos", PHOTO, "image/jpeg").body)

        assert self.ask(web_function, "GET", uploaded["photo"]).body == PHOTO


class TestFailures:
    def test_a_message_that_fails_fails_the_invocation(self, odd: Function) -> None:
        invoked = odd.invoke(kafka("one"))

        assert invoked.code == scf_runtime.CODE_FAILED
        assert "1 of 1 messages" in invoked.payload["errorMessage"]

    def test_its_traceback_is_logged_once_with_the_invocations_id(self, odd: Function) -> None:
        odd.invoke(kafka("two"), request_id="the-invocation")

        assert odd.log.count("ValueError: not this one: two") == 1
        assert odd.log.count("[the-invocation]") == 1

    def test_an_event_that_nobody_knows_fails_the_invocation(self, odd: Function) -> None:
        invoked = odd.invoke({"hello": "world"})

        assert (invoked.code, invoked.payload["errorType"]) == (scf_runtime.CODE_FAILED, "InvalidArgument")

    def test_a_failure_leaves_the_next_invocation_alone(self, odd: Function) -> None:
        odd.invoke(kafka("three"))

        assert ask(odd, "GET", "/large/1").body == b"x"

    def test_a_module_that_cannot_be_imported_ends_the_process_with_its_traceback(
        self, start_here: Callable[..., Function]
    ) -> None:
        function = start_here("raise RuntimeError('no such model')")

        assert function.invoke({}).code == scf_runtime.EXITED
        assert "RuntimeError: no such model" in function.log

    def test_a_handler_that_is_named_wrongly_ends_the_process_with_what_to_say(
        self, start_here: Callable[..., Function]
    ) -> None:
        function = start_here(ODD_APP, "entry")

        assert function.invoke({}).code == scf_runtime.EXITED
        assert "say it like main:handler" in function.log

    def test_without_an_argument_the_handler_is_what_the_functions_setting_names(
        self, start_here: Callable[..., Function]
    ) -> None:
        assert ask(start_here(ODD_APP, None), "GET", "/large/1").status == 200

    def test_text_that_is_no_json_is_an_event_that_nobody_knows(self, start_here: Callable[..., Function]) -> None:
        function = start_here("def handler(event, context): return {'event': event, **context}")

        assert function.invoke("text").payload["event"] == "text"

    def test_an_answer_that_is_no_json_fails_the_invocation(self, start_here: Callable[..., Function]) -> None:
        function = start_here("def handler(event, context): return float('nan')")

        assert function.invoke({}).code == scf_runtime.CODE_FAILED


class TestLimits:
    def test_the_time_that_is_left_counts_from_the_platforms_limit(self, odd: Function) -> None:
        invoked = odd.invoke(_fronts.event(_fronts.URL, HttpCall("GET", "/slow/0")), seconds=7)

        assert 6 < json.loads(_fronts.response(invoked.payload).body)["left"] <= 7

    def test_a_function_that_takes_too_long_is_stopped_and_starts_anew(self, odd: Function) -> None:
        began = time.monotonic()
        invoked = odd.invoke(_fronts.event(_fronts.URL, HttpCall("GET", "/slow/30")), seconds=0.5)

        assert invoked.code == scf_runtime.TIMED_OUT
        assert time.monotonic() - began < 10
        assert ask(odd, "GET", "/large/1").body == b"x"

    def test_a_request_past_six_megabytes_is_the_fronts_to_refuse(self, odd: Function) -> None:
        assert ask(odd, "POST", "/large/1", bytes(5_000_000), "image/png").status == 413

    @pytest.mark.parametrize("target", ["/large/6000000", "/quotes/4000000"])
    def test_an_answer_of_nearly_six_megabytes_arrives(self, odd: Function, target: str) -> None:
        assert len(ask(odd, "GET", target).body) == int(target.rpartition("/")[2])

    @pytest.mark.parametrize("target", ["/large/6300000", "/quotes/5000000"])
    def test_an_answer_past_six_megabytes_is_500_and_names_the_request(self, odd: Function, target: str) -> None:
        answer = ask(odd, "GET", target)

        assert answer.status == 500
        assert json.loads(answer.body)["id"] in odd.log
        assert "Tencent Cloud carries" in odd.log

    def test_an_answer_that_the_platform_refuses_does_not_end_the_runtime(
        self, start_here: Callable[..., Function]
    ) -> None:
        function = start_here("def handler(event, context): return 'x' * event")

        assert function.invoke(7_000_000).code == scf_runtime.RESPONSE_TOO_LARGE
        assert function.invoke(3).payload == "xxx"
        assert "invocation/response was refused: 413" in function.log


class TestCredentials:
    def test_what_the_platform_adds_reaches_neither_the_handler_nor_the_log(self, odd: Function) -> None:
        event = _fronts.event(_fronts.URL, HttpCall("GET", "/all", [("x-tag", "kept")]))
        event["headers"] |= {"x-scf-secret-key": "a key", "X-Scf-Session-Token": "a token"}
        seen = _fronts.response(odd.invoke(event).payload).body.decode()

        assert "kept" in seen
        assert [word for word in ("a key", "a token", "x-scf-", "X-Scf-") if word in seen + odd.log] == []

    def test_the_keys_of_the_role_are_never_written(self, odd: Function) -> None:
        odd.invoke(kafka("four"))

        assert "a secret of the role" not in odd.log
