"""The test client: requests, events and time, with everything done when a call returns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from portable import (
    App,
    BlobEvent,
    Change,
    CloudEvent,
    InvalidArgument,
    LimitExceeded,
    Message,
    Request,
    Response,
    Tick,
    Upload,
)
from portable.testing import Client, StillFailing, client

NOON = datetime(2026, 3, 4, 12, tzinfo=timezone.utc)


@pytest.fixture
def app() -> App:
    return App("sample")


@pytest.fixture
def opened(app: App) -> Iterator[Callable[[], Client]]:
    """Open a client once the test has declared its handlers."""
    clients = []

    def open_client() -> Client:
        clients.append(client(app, now=NOON))
        return clients[-1]

    yield open_client
    for each in clients:
        each.close()


# Requests


def described(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query.multi_items(),
        "type": request.headers.get("content-type"),
        "body": request.body.decode(),
    }


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
def test_each_method_of_http_has_its_own(app: App, opened: Callable[[], Client], method: str) -> None:
    app.route("/", methods=[method.upper()])(described)

    answer = getattr(opened(), method)("/")

    assert answer.json()["method"] == method.upper()


def test_head_is_answered_without_a_body(app: App, opened: Callable[[], Client]) -> None:
    app.get("/")(described)

    answer = opened().head("/")

    assert (answer.status, answer.body) == (200, b"")


def test_a_path_is_decoded_and_its_query_parted(app: App, opened: Callable[[], Client]) -> None:
    app.get("/{rest:path}")(lambda request, rest: described(request))

    said = opened().get("/a%20b/%C3%A9?x=1&x=%26&y").json()

    assert (said["path"], said["query"]) == ("/a b/é", [["x", "1"], ["x", "&"], ["y", ""]])


@pytest.mark.parametrize(
    ("content", "type", "body"),
    [
        ({"body": b"bytes"}, None, "bytes"),
        ({"body": "text"}, "text/plain; charset=utf-8", "text"),
        ({"json": {"a": None}}, "application/json", '{"a":null}'),
        ({"json": None}, "application/json", "null"),
        ({"form": {"a": "1 2", "b": "é"}}, "application/x-www-form-urlencoded", "a=1+2&b=%C3%A9"),
        ({"form": [("a", "1"), ("a", "2")]}, "application/x-www-form-urlencoded", "a=1&a=2"),
        ({"body": b"{}", "headers": {"Content-Type": "x/y"}}, "x/y", "{}"),
        ({}, None, ""),
    ],
)
def test_a_body_is_bytes_text_json_or_a_form(
    app: App, opened: Callable[[], Client], content: dict[str, Any], type: str | None, body: str
) -> None:
    app.post("/")(described)

    said = opened().post("/", **content).json()

    assert (said["type"], said["body"]) == (type, body)


def test_a_form_may_hold_files(app: App, opened: Callable[[], Client]) -> None:
    @app.post("/")
    def upload(request: Request) -> list[str]:
        file = request.form()["file"]
        assert isinstance(file, Upload)
        return [str(request.form()["name"]), file.name, file.content_type, file.body.decode()]

    answer = opened().post("/", form={"name": "Ada", "file": Upload("a.txt", "text/plain", b"line\r\nline")})

    assert answer.json() == ["Ada", "a.txt", "text/plain", "line\r\nline"]


def test_a_request_has_one_body(app: App, opened: Callable[[], Client]) -> None:
    with pytest.raises(InvalidArgument, match="one body"):
        opened().post("/", body=b"a", json=1)


def test_an_answer_has_status_headers_body_and_text(app: App, opened: Callable[[], Client]) -> None:
    app.get("/")(lambda request: Response.text("é", 201, {"X-Name": "v"}))

    answer = opened().get("/")

    assert (answer.status, answer.headers["x-name"], answer.body, answer.text) == (201, "v", "é".encode(), "é")


def test_an_error_of_a_handler_is_a_500_in_the_log(
    app: App, opened: Callable[[], Client], caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/")
    def fail(request: Request) -> None:
        raise ZeroDivisionError("mine")

    answer = opened().get("/")

    assert (answer.status, [record.levelname for record in caplog.records]) == (500, ["ERROR"])


def test_async_handlers_are_handled_too(app: App, opened: Callable[[], Client]) -> None:
    queue = app.queue("work")
    seen = []

    @app.get("/")
    async def send(request: Request) -> str:
        queue.send("hello")
        return "sent"

    @app.on_message(queue)
    async def work(message: Message) -> None:
        seen.append(message.text)

    answer = opened().get("/")

    assert (answer.text, seen) == ("sent", ["hello"])


def test_middleware_is_around_every_kind_of_event(app: App, opened: Callable[[], Client]) -> None:
    queue = app.queue("work")
    seen = []

    @app.middleware
    def note(event: Any, call_next: Callable[[Any], Any]) -> Any:
        seen.append(type(event).__name__)
        return call_next(event)

    app.get("/")(lambda request: queue.send("x"))
    app.on_message(queue)(lambda message: None)
    opened().get("/")

    assert seen == ["Request", "Message"]


# What a call sets off


def test_a_chain_of_events_is_done_when_the_call_returns(app: App, opened: Callable[[], Client]) -> None:
    queue, table, bucket = app.queue("q"), app.table("t"), app.bucket("b")
    seen = []
    app.post("/")(lambda request: queue.send(request.body))
    app.on_message(queue)(lambda message: bucket.write("key", message.body) and None)
    app.on_blob(bucket)(lambda event: table.put("p", event.key, event.size) and None)
    app.on_change(table)(lambda change: seen.append((change.kind, change.sort, change.new)))

    opened().post("/", body=b"1234")

    assert seen == [("created", "key", 4)]


def test_events_carry_the_resources_names(app: App, opened: Callable[[], Client]) -> None:
    table, bucket = app.table("entries"), app.bucket("photos")
    seen: list[str] = []
    app.on_change(table)(lambda change: seen.append(change.table))
    app.on_blob(bucket)(lambda event: seen.append(event.bucket))
    app.post("/")(lambda request: table.put("p", "", 1) and None)
    http = opened()
    http.post("/")
    http.put_blob("photos", "key", b"")

    assert seen == ["entries", "photos"]


def test_events_carry_a_context(app: App, opened: Callable[[], Client]) -> None:
    queue = app.queue("work")
    contexts = []

    @app.on_message(queue, function="worker", timeout=60)
    def work(message: Message) -> None:
        contexts.append(message.context)

    opened().send_message(queue, "x")

    assert [(c.function, c.provider, c.deadline) for c in contexts] == [
        ("worker", "local", NOON + timedelta(seconds=60))
    ]


def test_what_fails_is_tried_again_at_once(app: App, opened: Callable[[], Client]) -> None:
    queue = app.queue("work")
    attempts = []

    @app.on_message(queue)
    def work(message: Message) -> None:
        attempts.append(message.attempt)
        if message.attempt < 3:
            raise OSError("not yet")

    http = opened()
    http.send_message(queue, "x")

    assert (attempts, http.now) == ([1, 2, 3], NOON)


def test_dead_letters_have_come_about_when_the_call_returns(app: App, opened: Callable[[], Client]) -> None:
    queue = app.queue("work", max_attempts=3, dead_letter="dead")
    dead = app.queue("dead")
    seen = []

    @app.on_message(queue)
    def work(message: Message) -> None:
        raise OSError("never")

    app.on_message(dead)(lambda message: seen.append(message.text))
    http = opened()
    http.send_message("work", "x")

    assert (seen, [str(failure.error) for failure in http.failures]) == (["x"], ["never"] * 3)


def test_a_message_that_fails_for_ever_fails_the_test(app: App, opened: Callable[[], Client]) -> None:
    queue = app.queue("work")

    @app.on_message(queue)
    def work(message: Message) -> None:
        raise OSError("never")

    with pytest.raises(StillFailing, match=r"failed 25 times; give queue work a dead_letter; .* OSError: never"):
        opened().send_message(queue, "x")


def test_a_change_that_fails_for_ever_fails_the_test(app: App, opened: Callable[[], Client]) -> None:
    table = app.table("entries")

    @app.on_change(table)
    def changed(change: Change) -> None:
        raise OSError("never")

    app.post("/")(lambda request: table.put("p", "", 1) and None)
    with pytest.raises(StillFailing, match="of entries failed 25 times; the last time with OSError: never"):
        opened().post("/")


def test_messages_that_set_off_each_other_for_ever_fail_the_test(
    app: App, opened: Callable[[], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portable.testing.EVENTS", 50)
    queue = app.queue("work")
    app.on_message(queue)(lambda message: queue.send("again") and None)

    with pytest.raises(StillFailing, match="more than 50 events"):
        opened().send_message(queue, "x")


def test_changes_come_in_order_and_wait_for_the_one_that_fails(app: App, opened: Callable[[], Client]) -> None:
    table = app.table("entries")
    seen = []

    @app.on_change(table)
    def changed(change: Change) -> None:
        seen.append(change.new)
        if seen == [1]:
            raise OSError("not yet")

    @app.post("/")
    def write(request: Request) -> None:
        for number in (1, 2, 3):
            table.put("p", "s", number)

    opened().post("/")

    assert seen == [1, 1, 2, 3]


def test_a_batch_handler_gets_the_messages_together(app: App, opened: Callable[[], Client]) -> None:
    queue = app.queue("work")
    seen = []
    app.on_message(queue, batch=True)(lambda messages: seen.append([message.text for message in messages]))
    app.post("/")(lambda request: queue.send_many(["1", "2", "3"]) and None)
    opened().post("/")

    assert seen == [["1", "2", "3"]]


def test_a_group_keeps_its_order_over_failures(app: App, opened: Callable[[], Client]) -> None:
    queue = app.queue("work")
    seen = []

    @app.on_message(queue)
    def work(message: Message) -> None:
        seen.append(message.text)
        if seen == ["1"]:
            raise OSError("not yet")

    @app.post("/")
    def send(request: Request) -> None:
        for text in "12":
            queue.send(text, group="g")

    app_client = opened()
    answer = app_client.post("/")

    assert (answer.status, seen) == (204, ["1", "1", "2"])


def test_blob_events_pass_the_filters_of_their_handlers(app: App, opened: Callable[[], Client]) -> None:
    bucket = app.bucket("photos")
    seen = []

    @app.on_blob(bucket, prefix="in/", events=("created",))
    def uploaded(event: BlobEvent) -> None:
        seen.append(event.key)

    http = opened()
    http.put_blob(bucket, "in/a", b"1", content_type="image/png")
    http.put_blob("photos", "out/b", b"2")

    assert seen == ["in/a"]


def test_put_blob_describes_the_object(app: App, opened: Callable[[], Client]) -> None:
    app.bucket("photos")

    info = opened().put_blob("photos", "key", b"123", metadata={"by": "ada"})

    assert (info.size, dict(info.metadata)) == (3, {"by": "ada"})


def test_an_event_reaches_the_handler_of_its_type(app: App, opened: Callable[[], Client]) -> None:
    app.on_event("com.acme.signed")(lambda event: event.data["name"])

    assert opened().send_event(CloudEvent("1", "/acme", "com.acme.signed", {"name": "Ada"})) == "Ada"


# Time


def test_a_schedule_is_fired_by_name_or_by_handler(app: App, opened: Callable[[], Client]) -> None:
    seen = []

    @app.schedule("0 3 * * *")
    def nightly(tick: Tick) -> None:
        seen.append((tick.schedule, tick.time))

    http = opened()
    http.fire_schedule("nightly")
    http.fire_schedule(nightly)

    assert seen == [("nightly", NOON)] * 2


def test_firing_an_unknown_schedule_names_the_nearest(app: App, opened: Callable[[], Client]) -> None:
    app.schedule("0 3 * * *", name="nightly")(lambda tick: None)

    with pytest.raises(InvalidArgument, match="did you mean 'nightly'"):
        opened().fire_schedule("nightli")


def test_firing_a_schedule_raises_what_its_handler_raises(app: App, opened: Callable[[], Client]) -> None:
    @app.schedule("0 3 * * *")
    def nightly(tick: Tick) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        opened().fire_schedule("nightly")


def test_advancing_fires_each_time_that_is_due_in_order(app: App, opened: Callable[[], Client]) -> None:
    seen = []
    app.schedule("*/20 * * * *", name="often")(lambda tick: seen.append((tick.schedule, f"{tick.time:%H:%M}")))
    app.schedule("30 * * * *", name="half")(lambda tick: seen.append((tick.schedule, f"{tick.time:%H:%M}")))
    opened().advance(timedelta(hours=1))

    assert seen == [("often", "12:20"), ("half", "12:30"), ("often", "12:40"), ("often", "13:00")]


def test_nothing_is_due_before_time_passes(app: App, opened: Callable[[], Client]) -> None:
    seen = []
    app.schedule("0 12 * * *", name="noon")(lambda tick: seen.append(tick))
    opened().advance(timedelta(0))

    assert seen == []


def test_a_delay_ends_when_time_has_passed_it(app: App, opened: Callable[[], Client]) -> None:
    queue = app.queue("work")
    seen: list[datetime] = []

    @app.on_message(queue)
    def work(message: Message) -> None:
        seen.append(http.now)

    http = opened()
    http.send_message(queue, "x", delay=timedelta(minutes=10))
    http.advance(timedelta(minutes=9, seconds=59))
    before = list(seen)
    http.advance(timedelta(minutes=1))

    assert (before, seen) == ([], [NOON + timedelta(minutes=10)])


def test_a_retry_with_a_delay_waits_for_it(app: App, opened: Callable[[], Client]) -> None:
    queue = app.queue("work")
    seen: list[datetime] = []

    @app.on_message(queue)
    def work(message: Message) -> None:
        seen.append(http.now)
        if message.attempt == 1:
            message.retry(timedelta(minutes=5))

    http = opened()
    http.send_message(queue, "x")
    http.advance(timedelta(hours=1))

    assert seen == [NOON, NOON + timedelta(minutes=5)]


def test_a_retry_without_a_delay_comes_at_once(app: App, opened: Callable[[], Client]) -> None:
    queue = app.queue("work")
    attempts = []

    @app.on_message(queue)
    def work(message: Message) -> None:
        attempts.append(message.attempt)
        if message.attempt < 3:
            message.retry()

    opened().send_message(queue, "x")

    assert attempts == [1, 2, 3]


def test_items_expire_when_time_has_passed(app: App, opened: Callable[[], Client]) -> None:
    table = app.table("entries")
    http = opened()
    table.put("p", "", 1, expires=timedelta(hours=1))
    there = table.get("p", default=None)
    http.advance(timedelta(hours=1))

    assert (there is not None, table.get("p", default=None)) == (True, None)


def test_the_clock_begins_at_the_present_and_stands_still(app: App) -> None:
    with client(app) as http:
        begun = http.now

        assert abs(begun - datetime.now(timezone.utc)) < timedelta(minutes=1)
        assert http.now == begun


def test_a_time_without_a_zone_is_refused(app: App) -> None:
    with pytest.raises(InvalidArgument, match="time zone"):
        client(app, now=datetime(2026, 3, 4))  # noqa: DTZ001  # the fault under test


def test_time_does_not_go_back(app: App, opened: Callable[[], Client]) -> None:
    with pytest.raises(InvalidArgument, match="does not go back"):
        opened().advance(timedelta(seconds=-1))


# The surroundings


def test_data_is_in_a_folder_that_goes_with_the_client(app: App) -> None:
    bucket = app.bucket("photos")
    with client(app) as http:
        http.put_blob(bucket, "key", b"")
        folder = bucket._connection.driver.native()

    assert not Path(folder).exists()


def test_data_goes_when_a_client_is_forgotten(app: App) -> None:
    bucket = app.bucket("photos")
    http = client(app)
    http.put_blob(bucket, "key", b"")
    folder = bucket._connection.driver.native()
    app.unbind()
    del http

    assert not Path(folder).exists()


def test_each_client_begins_without_data(app: App) -> None:
    table = app.table("entries")
    with client(app):
        table.put("p", "", 1)
    with client(app):
        assert table.get("p", default=None) is None


def test_a_closed_client_is_refused(app: App) -> None:
    with client(app) as http:
        pass

    with pytest.raises(InvalidArgument, match="closed"):
        http.get("/")


def test_addresses_of_the_environment_are_left_alone(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_WORK", "sqs://a-real-queue")
    seen = []
    queue = app.queue("work")
    app.on_message(queue)(lambda message: seen.append(message.text))
    with client(app) as http:
        http.send_message(queue, "x")

    assert seen == ["x"]


def test_the_limits_are_those_of_the_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.joinpath("portable.toml").write_text('[targets.prod]\nprovider = "azure"\n')
    monkeypatch.setenv("PORTABLE_CONFIG", os.fspath(tmp_path / "portable.toml"))
    app = App("sample")
    queue = app.queue("work")
    with client(app) as http, pytest.raises(LimitExceeded, match=r"target prod \(azure\)"):
        http.send_message(queue, b"x" * 100_000)


def test_an_unknown_resource_names_the_nearest(app: App, opened: Callable[[], Client]) -> None:
    app.queue("work")

    with pytest.raises(InvalidArgument, match=r"no queue 'wrok'.*did you mean 'work'"):
        opened().send_message("wrok", "x")
