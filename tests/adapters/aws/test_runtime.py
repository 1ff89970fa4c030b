"""The guestbook, unchanged, in Lambda's own runtime client: `python -m awslambdaric`, a process of its own."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from portable_aws import _fronts
from portable_conformance.counterparts.lambda_runtime import MAX_REQUEST, Function, Invoked
from portable_contracts.harness import HttpCall, MissingCounterpart
from portable_contracts.http import Response

pytestmark = pytest.mark.slow

GUESTBOOK = Path(__file__).parents[3] / "examples" / "guestbook"
PHOTO = (GUESTBOOK / "photo.jpg").read_bytes()
ENTRY = """
import sys
sys.path.append({guestbook!r})

import portable
from main import app

handler = portable.entrypoint(app, "aws"{options})
"""
PROBE = """
import time

import portable
from portable import App

app = App("probe")

@app.get("/context")
async def context(request):
    told = request.context
    return {
        "invocation": told.invocation_id, "function": told.function, "provider": told.provider,
        "left": told.remaining().total_seconds(), "cold": told.cold,
    }

@app.get("/large/{size}")
def large(request, size):
    return bytes([255]) * int(size)

@app.get("/quotes/{size}")
def quotes(request, size):
    return '"' * int(size)

@app.get("/sleep/{seconds}")
def sleep(request, seconds):
    time.sleep(float(seconds))

@app.get("/broken")
def broken(request):
    raise ZeroDivisionError("a secret of the server")

portable_handler = portable.entrypoint(app, "aws")

def handler(event, context):
    if "raw" in event:
        return "x" * event["raw"]
    return portable_handler(event, context)
"""
JSON = ("content-type", "application/json")
TIME = "2026-01-02T03:05:00Z"
SENT = {"ApproximateReceiveCount": "1", "SentTimestamp": "1767323045000"}


class Lambda:
    """A function behind the fronts of AWS."""

    def __init__(self, function: Function) -> None:
        self.function = function

    def call(
        self,
        method: str,
        target: str,
        body: bytes | str = b"",
        *headers: tuple[str, str],
        front: str = "aws.http.v2",
        **options: Any,
    ) -> Response:
        content = body.encode() if isinstance(body, str) else body
        invoked = self.invoke(_fronts.event(front, HttpCall(method, target, headers, content)), **options)
        if invoked.failed:
            return _fronts.failure(front, invoked.status == 413)
        return _fronts.response(front, invoked.payload)

    def invoke(self, event: object, **options: Any) -> Invoked:
        return self.function.invoke(event, **options)

    def get(self, target: str) -> Any:
        return json.loads(self.call("GET", target).body)

    def sqs(self, *bodies: object) -> Invoked:
        records = [
            {
                "messageId": f"m-{number}", "body": json.dumps(body), "attributes": SENT, "messageAttributes": {},
                "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:thumbs",
            }
            for number, body in enumerate(bodies)
        ]  # fmt: skip
        return self.invoke({"Records": records})


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Lambda]]:
    started: list[Function] = []

    def start(source: str, handler: str = "function.handler", folder: Path | None = None, name: str = "") -> Lambda:
        folder = folder or tmp_path_factory.mktemp("lambda")
        (folder / f"{name or 'function'}.py").write_text(source)
        try:
            started.append(Function(folder, handler, {"PORTABLE_TARGET": "local"}))
        except MissingCounterpart as missing:
            pytest.skip(str(missing))
        return Lambda(started[-1])

    yield start
    for function in started:
        function.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the guestbook's data, which its two functions share."""
    return tmp_path_factory.mktemp("guestbook")


@pytest.fixture(scope="module")
def guestbook(start: Callable[..., Lambda], folder: Path) -> Lambda:
    return start(ENTRY.format(guestbook=str(GUESTBOOK), options=""), folder=folder)


@pytest.fixture(scope="module")
def reporting(start: Callable[..., Lambda], folder: Path) -> Lambda:
    """Return the guestbook behind a mapping that reads reports."""
    source = ENTRY.format(guestbook=str(GUESTBOOK), options=", partial_batch=True")
    return start(source, "reporting.handler", folder, "reporting")


@pytest.fixture(scope="module")
def probe(start: Callable[..., Lambda]) -> Lambda:
    return start(PROBE)


def sign(guestbook: Lambda, thread: str) -> dict[str, Any]:
    body = json.dumps({"name": "Ada", "text": "grüße"})
    entry: dict[str, Any] = json.loads(guestbook.call("POST", f"/threads/{thread}/entries", body, JSON).body)
    return entry


def upload(guestbook: Lambda, front: str = "aws.http.v2") -> str:
    answer = guestbook.call("POST", "/threads/photos/photos", PHOTO, ("content-type", "image/jpeg"), front=front)
    return str(json.loads(answer.body)["photo"])


def created(key: str) -> dict[str, Any]:
    """Return the event of an object that was written."""
    entry = {"key": key, "size": len(PHOTO), "eTag": "e", "sequencer": "0A"}
    return {
        "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": TIME,
        "responseElements": {"x-amz-request-id": "R"}, "s3": {"bucket": {"name": "photos"}, "object": entry},
    }  # fmt: skip


def inserted(number: int, thread: str, entry: dict[str, Any], table: str = "entries") -> dict[str, Any]:
    """Return the change of an entry that was signed."""
    keys = {"partition": {"S": thread}, "sort": {"S": entry["id"]}}
    image = {**keys, "value": {"M": {"text": {"S": entry["text"]}}}, "version": {"S": "v1"}}
    return {
        "eventID": f"change-{number}-of-{entry['id']}", "eventName": "INSERT", "eventSource": "aws:dynamodb",
        "eventSourceARN": f"arn:aws:dynamodb:eu-west-1:123456789012:table/{table}/stream/2026-01-01T00:00:00.000",
        "dynamodb": {
            "ApproximateCreationDateTime": 1767323045, "Keys": keys, "NewImage": image,
            "SequenceNumber": str(100 + number),
        },
    }  # fmt: skip


class TestHttp:
    @pytest.mark.parametrize("front", _fronts.FORMS)
    def test_an_entry_is_signed_and_listed(self, guestbook: Lambda, front: str) -> None:
        thread = front.replace(".", "-").replace("~", "-")
        body = json.dumps({"name": "Ada", "text": "grüße"})
        answer = guestbook.call("POST", f"/threads/{thread}/entries", body, JSON, front=front)
        listed = json.loads(guestbook.call("GET", f"/threads/{thread}/entries?limit=1", front=front).body)

        assert answer.status == 201
        assert [entry["text"] for entry in listed["entries"]] == ["grüße"]

    @pytest.mark.parametrize("front", _fronts.FORMS)
    def test_a_photo_comes_back_to_the_byte(self, guestbook: Lambda, front: str) -> None:
        answer = guestbook.call("GET", upload(guestbook, front), front=front)

        assert (answer.headers["content-type"], answer.body) == ("image/jpeg", PHOTO)

    def test_the_page_is_html(self, guestbook: Lambda) -> None:
        answer = guestbook.call("GET", "/")

        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")

    def test_head_has_no_body(self, guestbook: Lambda) -> None:
        answer = guestbook.call("HEAD", "/stats")

        assert (answer.status, answer.headers["content-type"], answer.body) == (200, "application/json", b"")

    def test_an_unknown_path_is_404(self, guestbook: Lambda) -> None:
        assert guestbook.call("GET", "/nowhere").status == 404

    def test_broken_json_is_400(self, guestbook: Lambda) -> None:
        assert guestbook.call("POST", "/threads/a/entries", "{", JSON).status == 400


class TestEvents:
    def test_a_photo_gets_its_thumbnail_by_a_blob_event_and_a_message(self, guestbook: Lambda) -> None:
        photo = upload(guestbook)
        key = photo.removeprefix("/photos/")

        assert guestbook.invoke({"Records": [created(key)]}).payload is None
        assert guestbook.sqs({"key": key}).payload == {"batchItemFailures": []}
        thumbnail = guestbook.call("GET", f"/photos/thumbs/{key.removeprefix('in/')}.jpg")
        assert max(Image.open(BytesIO(thumbnail.body)).size) == 240

    def test_a_message_through_a_topic_makes_a_thumbnail(self, guestbook: Lambda) -> None:
        key = upload(guestbook).removeprefix("/photos/")
        topic = "arn:aws:sns:eu-west-1:123456789012:thumbs"
        note = {"MessageId": "n-1", "TopicArn": topic, "Message": json.dumps({"key": key}), "Timestamp": TIME}
        invoked = guestbook.invoke({"Records": [{"EventSource": "aws:sns", "Sns": note}]})

        assert not invoked.failed
        assert guestbook.call("GET", f"/photos/thumbs/{key.removeprefix('in/')}.jpg").status == 200

    def test_a_blob_event_outside_the_handlers_prefix_is_done(self, guestbook: Lambda) -> None:
        assert not guestbook.invoke({"Records": [created("out/a")]}).failed

    def test_a_change_that_arrives_twice_is_counted_once(self, guestbook: Lambda) -> None:
        record = inserted(1, "counted", sign(guestbook, "counted"))
        answers = [guestbook.invoke({"Records": [record]}) for _ in range(2)]

        assert [answer.payload for answer in answers] == [{"batchItemFailures": []}] * 2
        assert guestbook.get("/threads/counted/entries")["count"] == 1

    @pytest.mark.parametrize(
        "event",
        [
            {
                "id": "t-1", "detail-type": "Scheduled Event", "source": "aws.events", "time": TIME,
                "resources": ["arn:aws:events:eu-west-1:123456789012:rule/statistics"], "detail": {},
            },
            {"aws.scheduler": "statistics", "time": TIME, "id": "t-1"},
        ],
        ids=["rule", "scheduler"],
    )  # fmt: skip
    def test_a_schedule_runs_its_handler(self, guestbook: Lambda, event: dict[str, Any]) -> None:
        assert not guestbook.invoke(event).failed
        assert guestbook.get("/stats")["written"] == "2026-01-02T03:05:00+00:00"


class TestFailures:
    def test_a_message_that_fails_fails_the_invocation(self, guestbook: Lambda) -> None:
        invoked = guestbook.sqs({"key": "in/nothing-there"})

        assert (invoked.failed, invoked.payload["errorType"]) == (True, "DeliveryFailed")
        assert "1 of 1 messages must be delivered again" in invoked.payload["errorMessage"]

    def test_its_traceback_is_logged_once_with_the_invocations_id(self, guestbook: Lambda) -> None:
        invoked = guestbook.sqs({"key": "in/not-there-either"})

        assert guestbook.function.log.count("errors.NotFound: read 'in/not-there-either'") == 1
        assert f"[{invoked.payload['requestId']}]" in guestbook.function.log

    def test_a_report_names_the_messages_that_failed(self, reporting: Lambda) -> None:
        key = upload(reporting).removeprefix("/photos/")
        invoked = reporting.sqs({"key": "in/nothing"}, {"key": key}, {"no": "key"})

        assert invoked.payload == {"batchItemFailures": [{"itemIdentifier": "m-0"}, {"itemIdentifier": "m-2"}]}

    def test_a_report_of_a_stream_names_where_to_go_on(self, reporting: Lambda) -> None:
        entry = sign(reporting, "stream")
        broken = inserted(2, "stream", {**entry, "id": "x" * 2000})
        records = [inserted(1, "stream", entry), broken, inserted(3, "stream", {**entry, "id": "later"})]
        invoked = reporting.invoke({"Records": records})

        assert invoked.payload == {"batchItemFailures": [{"itemIdentifier": "102"}]}
        assert reporting.get("/threads/stream/entries")["count"] == 1

    def test_an_event_of_another_resource_is_an_error_that_names_it(self, guestbook: Lambda) -> None:
        invoked = guestbook.invoke({"Records": [inserted(1, "a", {"id": "1", "text": ""}, table="other")]})

        assert invoked.payload["errorType"] == "InvalidArgument"
        assert "'other'" in invoked.payload["errorMessage"]

    def test_an_unknown_event_is_an_error_that_names_its_keys(self, guestbook: Lambda) -> None:
        invoked = guestbook.invoke({"hello": "a secret of the sender"})

        assert invoked.payload["errorType"] == "InvalidArgument"
        assert "aws has no shape for an event with the keys hello" in invoked.payload["errorMessage"]
        assert "a secret" not in guestbook.function.log

    @pytest.mark.parametrize("event", [None, [], "text", 1, {}], ids=repr)
    def test_what_is_no_event_is_an_error(self, guestbook: Lambda, event: object) -> None:
        assert guestbook.invoke(event).payload["errorType"] == "InvalidArgument"


class TestContext:
    def test_it_is_the_invocations(self, probe: Lambda) -> None:
        answer = json.loads(probe.call("GET", "/context", request_id="r-7").body)

        assert (answer["invocation"], answer["function"], answer["provider"]) == ("r-7", "main", "aws")

    @pytest.mark.parametrize("seconds", [3, 20])
    def test_the_deadline_is_lambdas(self, probe: Lambda, seconds: int) -> None:
        left = json.loads(probe.call("GET", "/context", seconds=seconds).body)["left"]

        assert left == pytest.approx(seconds, abs=2)  # two processes, two clocks: either may be ahead

    def test_the_first_invocation_of_a_process_alone_is_cold(self, start: Callable[..., Lambda]) -> None:
        fresh = start(PROBE)

        assert [fresh.get("/context")["cold"] for _ in range(3)] == [True, False, False]

    def test_an_error_of_a_handler_is_500_and_logged_with_the_requests_id(self, probe: Lambda) -> None:
        answer = probe.call("GET", "/broken")
        log = probe.function.log

        assert answer.status == 500
        assert json.loads(answer.body)["id"] in log
        assert log.count("ZeroDivisionError: a secret of the server") == 1


class TestLimits:
    @pytest.mark.parametrize("front", _fronts.FORMS[:4])
    def test_bytes_at_the_declared_limit_arrive(self, probe: Lambda, front: str) -> None:
        assert len(probe.call("GET", "/large/4400000", front=front).body) == 4_400_000

    @pytest.mark.parametrize("target", ["/large/4700000", "/quotes/4700000"])
    def test_an_answer_that_lambda_would_refuse_is_500_and_the_log_says_why(self, probe: Lambda, target: str) -> None:
        assert probe.call("GET", target).status == 500
        assert "the response is 4,700,000 bytes, 6,266,668 in base64" in probe.function.log

    def test_an_answer_that_a_load_balancer_would_refuse_is_500(self, probe: Lambda) -> None:
        assert probe.call("GET", "/large/900000", front="aws.http.alb").status == 500

    def test_text_that_json_makes_longer_than_base64_does_travels_as_base64(self, probe: Lambda) -> None:
        assert probe.call("GET", "/quotes/4400000").body == b'"' * 4_400_000

    def test_text_that_fits_travels_as_text(self, probe: Lambda) -> None:
        call = HttpCall("GET", "/quotes/3000000")
        invoked = probe.invoke(_fronts.event("aws.http.v2", call))

        assert invoked.payload["isBase64Encoded"] is False

    def test_an_event_of_six_megabytes_arrives(self, probe: Lambda) -> None:
        body = b64encode(bytes(MAX_REQUEST * 3 // 4 - 4000)).decode()
        event = {**_fronts.event("aws.http.v2", HttpCall("POST", "/nowhere")), "body": body, "isBase64Encoded": True}

        assert probe.invoke(event).payload["statusCode"] == 404

    def test_a_larger_event_never_reaches_the_function(self, probe: Lambda) -> None:
        assert probe.call("POST", "/nowhere", bytes(MAX_REQUEST)).status == 413


class TestLambdaItself:
    """What the platform does to a function, as our Runtime API does it."""

    def test_an_answer_past_the_limit_is_its_error_and_the_next_invocation_works(self, probe: Lambda) -> None:
        invoked = probe.invoke({"raw": 7_000_000})

        assert invoked.payload["errorType"] == "Function.ResponseSizeTooLarge"
        assert probe.get("/context")["cold"] is True

    def test_a_function_that_takes_too_long_is_ended_and_started_anew(self, probe: Lambda) -> None:
        began = time.monotonic()
        invoked = probe.invoke(_fronts.event("aws.http.v2", HttpCall("GET", "/sleep/30")), seconds=1)

        assert invoked.payload["errorType"] == "Sandbox.Timedout"
        assert time.monotonic() - began < 10
        assert probe.get("/context")["cold"] is True

    @pytest.mark.parametrize(
        ("source", "kind", "message"),
        [
            ("import no_such_module", "Runtime.ImportModuleError", "No module named 'no_such_module'"),
            ("other = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'function'"),
            ("def handler(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'function'"),
            (
                "import portable\nhandler = portable.entrypoint(portable.App('a'), 'awss')",
                "InvalidArgument",
                "no installed adapter offers the provider 'awss'",
            ),
            (
                "from portable import App\napp = App('a')\n@app.schedule('nonsense')\ndef tick(): ...",
                "InvalidArgument",
                "function.py:3",
            ),
        ],
        ids=["import", "handler", "syntax", "provider", "declaration"],
    )
    def test_an_error_at_the_start_is_what_each_invocation_gets(
        self, start: Callable[..., Lambda], source: str, kind: str, message: str
    ) -> None:
        invoked = start(source).invoke({})

        assert (invoked.failed, invoked.payload["errorType"]) == (True, kind)
        assert message in invoked.payload["errorMessage"]
