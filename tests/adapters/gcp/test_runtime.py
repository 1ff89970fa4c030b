"""The guestbook, unchanged, in functions-framework's own process: one function for HTTP, one for events."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from portable_contracts.http import Headers, Response

pytestmark = pytest.mark.slow

GUESTBOOK = Path(__file__).parents[3] / "examples" / "guestbook"
PHOTO = (GUESTBOOK / "photo.jpg").read_bytes()
PROGRAM = Path(sys.executable).parent / "functions-framework"
ENTRY = """
import portable
from main import app

http = portable.entrypoint(app, "gcp")
event = http.event
"""
TIME = "2026-01-02T03:05:00Z"
JSON = {"content-type": "application/json"}


class Function:
    """A function in a process of its own."""

    def __init__(self, folder: Path, target: str, entry: str = ENTRY) -> None:
        pytest.importorskip("functions_framework", reason="functions-framework is not installed")
        source = folder / f"{target}_entry.py"
        source.write_text(entry)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = folder / f"{target}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "--target", target, "--source", source, "--host", "127.0.0.1", "--port", str(self.port)],
                cwd=folder,
                env={**os.environ, "PORTABLE_TARGET": "local", "PYTHONPATH": str(GUESTBOOK), "THREADS": "4"},
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Wait until it listens."""
        until = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.02)
        raise RuntimeError(self.log.read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def call(self, method: str, path: str, body: bytes | str = b"", headers: dict[str, str] | None = None) -> Response:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Response(answer.read(), answer.status, Headers.received(answer.getheaders()))
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        return json.loads(self.call("GET", path).body)

    def cloudevent(self, type: str, data: bytes | str, content_type: str = "application/json", **more: str) -> Response:
        told = {"id": "e-1", "source": "//example", "specversion": "1.0", "type": type, "time": TIME, **more}
        headers = {f"ce-{name}": value for name, value in told.items()}
        return self.call("POST", "/", data, {**headers, "content-type": content_type})

    def push(self, body: object) -> Response:
        message = {"data": b64encode(json.dumps(body).encode()).decode(), "messageId": "m-1", "publishTime": TIME}
        pushed = {"message": message, "subscription": "projects/acme-1/subscriptions/thumbs"}
        return self.call("POST", "/", json.dumps(pushed), JSON)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gcp")


@pytest.fixture(scope="module")
def http(folder: Path) -> Iterator[Function]:
    function = Function(folder, "http")
    try:
        function.wait()
        yield function
    finally:
        function.stop()


@pytest.fixture(scope="module")
def event(folder: Path) -> Iterator[Function]:
    function = Function(folder, "event")
    try:
        function.wait()
        yield function
    finally:
        function.stop()


def sign(http: Function, thread: str) -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(
        http.call("POST", f"/threads/{thread}/entries", json.dumps({"name": "Ada", "text": "grüße"}), JSON).body
    )
    return entry


def upload(http: Function, body: bytes = PHOTO) -> str:
    answer = http.call("POST", "/threads/photos/photos", body, {"content-type": "image/jpeg"})
    return str(json.loads(answer.body)["photo"])


def counted(kind: str, thread: str, entry: dict[str, Any]) -> bytes:
    """Return the change of *entry* as Eventarc sends it: protobuf."""
    from google.events.cloud.firestore_v1 import DocumentEventData

    fields = {"partition": {"string_value": thread}, "sort": {"string_value": entry["id"]}, "value": {"null_value": 0}}
    return bytes(DocumentEventData.serialize(DocumentEventData({kind: {"name": "entries/1", "fields": fields}})))


class TestHttp:
    def test_an_entry_is_signed_and_listed(self, http: Function) -> None:
        entry = sign(http, "signed")

        assert [shown["id"] for shown in http.get("/threads/signed/entries")["entries"]] == [entry["id"]]
        assert entry["text"] == "grüße"

    def test_the_page_is_html(self, http: Function) -> None:
        answer = http.call("GET", "/")

        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")

    def test_head_has_no_body(self, http: Function) -> None:
        answer = http.call("HEAD", "/stats")

        assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/json", b"")

    def test_a_photo_comes_back_to_the_byte(self, http: Function) -> None:
        answer = http.call("GET", upload(http))

        assert (answer.headers["content-type"], answer.body) == ("image/jpeg", PHOTO)

    def test_a_body_of_ten_megabytes_arrives(self, http: Function) -> None:
        answer = http.call("GET", upload(http, bytes(10_000_000)))

        assert len(answer.body) == 10_000_000

    def test_a_body_in_chunks_arrives(self, http: Function) -> None:
        connection = HTTPConnection("127.0.0.1", http.port, timeout=60)
        connection.request(
            "POST", "/threads/chunks/entries", iter([b'{"name": "A', b'da", "text": "hi"}']), JSON, encode_chunked=True
        )
        answer = connection.getresponse()
        entry = json.loads(answer.read())
        connection.close()

        assert (answer.status, entry["text"]) == (201, "hi")

    def test_an_unknown_path_is_404(self, http: Function) -> None:
        assert http.call("GET", "/nowhere").status == 404

    def test_broken_json_is_400(self, http: Function) -> None:
        assert http.call("POST", "/threads/a/entries", "{", JSON).status == 400


class TestEvents:
    def test_a_photo_gets_its_thumbnail_by_a_blob_event_and_a_message(self, http: Function, event: Function) -> None:
        photo = upload(http)
        key = photo.removeprefix("/photos/")
        finalized = json.dumps({"bucket": "photos", "name": key, "generation": "17", "size": str(len(PHOTO))})

        assert event.cloudevent("google.cloud.storage.object.v1.finalized", finalized).status == 204
        assert event.push({"key": key}).status == 204
        thumbnail = http.call("GET", f"/photos/thumbs/{key.removeprefix('in/')}.jpg")
        assert max(Image.open(BytesIO(thumbnail.body)).size) == 240

    def test_a_blob_event_outside_the_handlers_prefix_is_done(self, event: Function) -> None:
        finalized = json.dumps({"bucket": "photos", "name": "out/a", "generation": "17", "size": "1"})

        assert event.cloudevent("google.cloud.storage.object.v1.finalized", finalized).status == 204

    def test_a_change_that_arrives_twice_is_counted_once(self, http: Function, event: Function) -> None:
        data = counted("value", "counted", sign(http, "counted"))
        answers = [
            event.cloudevent(
                "google.cloud.firestore.document.v1.created",
                data,
                "application/protobuf",
                subject="documents/entries/1",
            )
            for _ in range(2)
        ]

        assert [answer.status for answer in answers] == [204, 204]
        assert http.get("/threads/counted/entries")["count"] == 1

    def test_a_call_of_the_scheduler_runs_its_handler(self, http: Function, event: Function) -> None:
        job = {"x-cloudscheduler-jobname": "statistics", "x-cloudscheduler-scheduletime": TIME}

        assert event.call("POST", "/", b"", job).status == 204
        assert http.get("/stats")["written"] == "2026-01-02T03:05:00+00:00"


class TestFailures:
    def test_a_message_that_fails_is_500_with_one_traceback(self, event: Function) -> None:
        answer = event.push({"key": "in/nothing-there"})

        assert (answer.status, answer.headers["x-google-status"]) == (500, "crash")
        assert event.log.read_text().count("errors.NotFound: read 'in/nothing-there'") == 1

    def test_an_event_that_no_handler_takes_is_500_and_the_log_says_why(self, event: Function) -> None:
        answer = event.cloudevent("com.acme.unknown", "{}")

        assert answer.status == 500
        assert "no handler takes events of type 'com.acme.unknown'" in event.log.read_text()

    def test_the_answer_tells_nothing_of_the_error(self, event: Function) -> None:
        assert b"com.acme.unknown" not in event.cloudevent("com.acme.unknown", "{}").body

    def test_what_is_no_event_is_500(self, event: Function) -> None:
        assert event.call("GET", "/").status == 500

    def test_a_message_of_attributes_alone_reaches_its_handler(self, event: Function) -> None:
        message = {"attributes": {"a": "1"}, "messageId": "m-attributes", "publishTime": TIME}
        pushed = {"message": message, "subscription": "projects/acme-1/subscriptions/thumbs"}
        event.call("POST", "/", json.dumps(pushed), JSON)

        assert "the body of message m-attributes is not JSON" in event.log.read_text()

    def test_an_app_that_cannot_be_imported_ends_the_process_with_its_error(self, tmp_path: Path) -> None:
        function = Function(tmp_path, "http", "raise RuntimeError('no such table')")

        assert function.process.wait(60) != 0
        assert "no such table" in function.log.read_text()
