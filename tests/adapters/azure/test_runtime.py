"""The guestbook, unchanged, in Microsoft's own worker runtime: a process that indexes function_app.py and runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from portable import Queue
from portable.blob import Bucket
from portable_azure import _fronts
from portable_azure._worker import as_bytes
from portable_contracts.harness import HttpCall
from portable_contracts.http import Response
from portable_contracts.provider import Opening

pytestmark = pytest.mark.slow
pytest.importorskip("azure_functions_runtime", reason="azure-functions-runtime needs Python 3.13")

GUESTBOOK = Path(__file__).parents[3] / "examples" / "guestbook"
PHOTO = (GUESTBOOK / "photo.jpg").read_bytes()
TARGETS = """
[targets.cloud]
provider = "azure"
[targets.cloud.resources]
entries = "cosmos://guestbook/entries"
"""
ENTRY = """
import portable
from main import app as guestbook

app = portable.entrypoint(guestbook, "azure")
"""
# The functions listen to Azure's services, while the handlers keep their data on this machine.
DATA = """
from portable.config import load
from portable_contracts.provider import Opening

here = load()
guestbook.bind(here.target("local"), here, Opening(data=here.data))
"""
JSON = ("content-type", "application/json")


class Failed(Exception):
    """What the worker tells the host of a function, or a start, that failed."""


class Worker:
    """A worker process around one function_app.py."""

    def __init__(self, folder: Path, source: str = ENTRY + DATA) -> None:
        self.folder = folder
        (folder / "portable.toml").write_text(TARGETS)
        (folder / "function_app.py").write_text(source)
        self._log = (folder / "worker.log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "portable_azure._runtime", str(folder)],
            cwd=folder,
            env={**os.environ, "PORTABLE_TARGET": "cloud", "PYTHONPATH": str(GUESTBOOK)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._numbers = iter(range(1, 1_000_000))

    def start(self) -> None:
        self.triggers: dict[str, dict[str, Any]] = self._read()["functions"]

    def stop(self) -> None:
        self.process.communicate(timeout=30)
        self._log.close()

    @property
    def log(self) -> str:
        return (self.folder / "worker.log").read_text()

    def invoke(self, function: str, data: object, metadata: object = {}, id: str = "") -> Any:
        assert self.process.stdin is not None
        asked = {"function": function, "data": data, "metadata": metadata, "id": id or f"r-{next(self._numbers)}"}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return self._read()["answer"]

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        if "failed" in answer:
            raise Failed(answer["failed"])
        return answer

    def call(self, method: str, target: str, body: bytes = b"", *headers: tuple[str, str]) -> Response:
        call = HttpCall(method, target, [("host", "example.com"), *headers], body)
        request = _fronts.request("azure.http", call)
        request["body"] = {"base64": b64encode(body).decode()}
        answer = self.invoke("http", {"http": request})
        answer["body"] = as_bytes(answer["body"])
        return _fronts.response(answer, call)

    def get(self, target: str) -> Any:
        return json.loads(self.call("GET", target).body)

    def sign(self, thread: str) -> dict[str, Any]:
        body = json.dumps({"name": "Ada", "text": "grüße"}).encode()
        entry: dict[str, Any] = json.loads(self.call("POST", f"/threads/{thread}/entries", body, JSON).body)
        return entry

    def upload(self, body: bytes = PHOTO) -> str:
        answer = self.call("POST", "/threads/photos/photos", body, ("content-type", "image/jpeg"))
        return str(json.loads(answer.body)["photo"])

    def message(self, body: object, id: str = "") -> None:
        metadata = {"Id": "m-1", "DequeueCount": 1, "InsertionTime": "2026-01-02T03:04:05+00:00"}
        self.invoke("message_thumbs", {"bytes": json.dumps(body)}, metadata, id)

    def blob_event(self, kind: str, key: str, container: str = "photos") -> None:
        event = {
            "topic": "/subscriptions/1/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/s",
            "subject": f"/blobServices/default/containers/{container}/blobs/{key}",
            "eventType": f"Microsoft.Storage.Blob{kind}",
            "eventTime": "2026-01-02T03:04:05.1234567Z",
            "id": "b-1",
            "data": {"eTag": "0x8D4", "contentLength": 12, "url": f"https://s.blob.core.windows.net/{container}/{key}"},
            "dataVersion": "",
        }
        self.invoke("event", {"json": event})

    def change(self, operation: str, thread: str, entry: dict[str, Any]) -> None:
        document = {"id": entry["id"], "partition": thread, "sort": entry["id"], "value": {}, "_etag": operation}
        metadata = {"operationType": operation, "lsn": 42, "crts": 1767323045}
        side = "previous" if operation == "delete" else "current"
        self.invoke("change_entries", {"json": [{side: document, "metadata": metadata}]})

    @property
    def opening(self) -> Opening:
        return Opening(data=str(self.folder / ".portable"))


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    worker = Worker(tmp_path_factory.mktemp("azure"))
    try:
        worker.start()
        yield worker
    finally:
        worker.stop()


class TestStart:
    def test_each_source_of_events_has_a_function(self, worker: Worker) -> None:
        assert {name: trigger["type"] for name, trigger in worker.triggers.items()} == {
            "http": "httpTrigger",
            "message_thumbs": "queueTrigger",
            "event": "eventGridTrigger",
            "change_entries": "cosmosDBTrigger",
            "schedule_statistics": "timerTrigger",
        }

    @pytest.mark.parametrize(
        ("function", "binding"),
        [
            ("http", {"route": "{*portable_path}", "authLevel": "ANONYMOUS"}),
            ("message_thumbs", {"queueName": "thumbs", "connection": "AzureWebJobsStorage", "dataType": "BINARY"}),
            ("schedule_statistics", {"schedule": "0 */5 * * * *"}),
            (
                "change_entries",
                {"databaseName": "guestbook", "containerName": "entries", "changeFeedMode": "AllVersionsAndDeletes"},
            ),
        ],
    )
    def test_its_binding_says_what_it_listens_to(self, worker: Worker, function: str, binding: dict[str, str]) -> None:
        assert {name: worker.triggers[function].get(name) for name in binding} == binding

    def test_http_takes_every_method(self, worker: Worker) -> None:
        assert "methods" not in worker.triggers["http"]

    @pytest.mark.parametrize(
        ("source", "told"),
        [
            ("import no_such_module\n", "no_such_module"),
            ("import portable\nfrom main import no_such_app\n", "no_such_app"),
            ("app = None\n", "Could not find"),
        ],
    )
    def test_a_start_that_fails_tells_the_host_why(self, tmp_path: Path, source: str, told: str) -> None:
        worker = Worker(tmp_path, source)
        try:
            with pytest.raises(Failed, match=told):
                worker.start()
        finally:
            worker.stop()

    def test_a_handler_of_a_service_that_azure_does_not_listen_to_fails_the_start_with_its_place(
        self, tmp_path: Path
    ) -> None:
        worker = Worker(tmp_path, "import os\nos.environ['PORTABLE_THUMBS'] = 'sqs://t'\n" + ENTRY)
        told = r"main\.py:\d+: message handler make_thumbnail: queue thumbs is at sqs://t, which"
        try:
            with pytest.raises(Failed, match=told):
                worker.start()
        finally:
            worker.stop()


class TestHttp:
    def test_an_entry_is_signed_and_listed(self, worker: Worker) -> None:
        entry = worker.sign("signed")

        assert [shown["id"] for shown in worker.get("/threads/signed/entries")["entries"]] == [entry["id"]]
        assert entry["text"] == "grüße"

    def test_the_page_is_html(self, worker: Worker) -> None:
        answer = worker.call("GET", "/")

        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")

    def test_head_has_no_body(self, worker: Worker) -> None:
        answer = worker.call("HEAD", "/stats")

        assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/json", b"")

    def test_a_form_redirects(self, worker: Worker) -> None:
        form = ("content-type", "application/x-www-form-urlencoded")
        answer = worker.call("POST", "/threads/forms/entries", b"name=Ada&text=hello", form)

        assert (answer.status, answer.headers["location"]) == (303, "/?thread=forms")

    def test_a_photo_comes_back_to_the_byte(self, worker: Worker) -> None:
        answer = worker.call("GET", worker.upload())

        assert (answer.headers["content-type"], answer.body) == ("image/jpeg", PHOTO)

    def test_a_body_of_ten_megabytes_arrives(self, worker: Worker) -> None:
        key = worker.upload(bytes(10_000_000)).removeprefix("/photos/")

        assert Bucket.at("file://photos", opening=worker.opening).info(key).size == 10_000_000

    def test_an_answer_of_five_megabytes_arrives(self, worker: Worker) -> None:
        assert len(worker.call("GET", worker.upload(bytes(5_000_000))).body) == 5_000_000

    @pytest.mark.parametrize(("method", "target", "status"), [("GET", "/no", 404), ("DELETE", "/stats", 405)])
    def test_what_has_no_handler_is_answered_by_the_app(
        self, worker: Worker, method: str, target: str, status: int
    ) -> None:
        assert worker.call(method, target).status == status

    def test_broken_json_is_400(self, worker: Worker) -> None:
        assert worker.call("POST", "/threads/t/entries", b"{", JSON).status == 400


class TestMessages:
    def test_a_message_makes_a_thumbnail(self, worker: Worker) -> None:
        photo = worker.upload()
        worker.message({"key": photo.removeprefix("/photos/")})
        thumbnail = worker.call("GET", photo.replace("/in/", "/thumbs/") + ".jpg")

        assert thumbnail.headers["content-type"] == "image/jpeg"
        assert max(Image.open(BytesIO(thumbnail.body)).size) < max(Image.open(BytesIO(PHOTO)).size)

    def test_a_message_that_fails_fails_the_invocation(self, worker: Worker) -> None:
        with pytest.raises(Failed, match="1 of 1 messages must be delivered again; the first: NotFound"):
            worker.message({"key": "in/nowhere"})

    def test_its_traceback_is_logged_once(self, worker: Worker) -> None:
        with pytest.raises(Failed):
            worker.message({"key": "in/lost"}, id="lost-1")

        assert worker.log.count("message m-1 of queue thumbs, attempt 1 failed [lost-1]\nTraceback") == 1
        assert worker.log.count("in/lost") == 1


class TestEvents:
    def test_a_written_blob_asks_for_a_thumbnail_and_a_deleted_one_does_not(self, worker: Worker) -> None:
        worker.blob_event("Created", "in/a b/ü.png")
        worker.blob_event("Deleted", "in/deleted.png")
        messages = Queue.at("sqlite://thumbs", opening=worker.opening).receive()

        assert [message.json() for message in messages] == [{"key": "in/a b/ü.png"}]

    def test_a_blob_of_another_container_fails_the_invocation_with_its_name(self, worker: Worker) -> None:
        with pytest.raises(Failed, match="'others'"):
            worker.blob_event("Created", "in/a.png", container="others")

    def test_a_change_is_counted_once_however_often_it_arrives(self, worker: Worker) -> None:
        entry = worker.sign("counted")
        worker.change("create", "counted", entry)
        worker.change("create", "counted", entry)

        assert worker.get("/threads/counted/entries")["count"] == 1

    def test_a_deletion_is_counted_down(self, worker: Worker) -> None:
        entry = worker.sign("down")
        worker.change("create", "down", entry)
        worker.change("delete", "down", entry)

        assert worker.get("/threads/down/entries")["count"] == 0

    def test_a_timer_writes_the_statistics_of_the_time_that_was_due(self, worker: Worker) -> None:
        status = {"Last": "2026-01-02T03:00:00+00:00", "Next": "2026-01-02T03:05:00+00:00"}
        worker.invoke("schedule_statistics", {"json": {"ScheduleStatus": status, "IsPastDue": False}})

        assert worker.get("/stats")["written"] == "2026-01-02T03:05:00+00:00"
