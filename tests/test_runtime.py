"""From a platform's invocation to the handlers and back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import portable
from portable import App, CloudEvent, InvalidArgument, Request, Response, config, registry
from portable._delivery import NotDone
from portable._triggers import DeliveryFailed
from portable.runtime import DRAIN, entrypoint, runner
from portable_contracts.events import Change, Context, EventCodec, Message
from portable_contracts.http import HttpCapabilities, HttpCodec
from portable_contracts.provider import Opening, Provider
from portable_contracts.reading import epoch

CONTEXT = Context("i-7", "f", "acme", float("inf"))


class Web(HttpCodec):
    shape = "acme.web"

    def recognises(self, raw: Any) -> bool:
        return isinstance(raw, dict) and "path" in raw

    def decode(self, raw: Any, native_context: Any) -> Request:
        return Request("GET", raw["path"], context=CONTEXT, native=raw)

    def encode(self, response: Response, request: Request) -> Any:
        if b"\0" in response.body:
            raise InvalidArgument("acme carries text alone")
        return {"status": response.status, "text": response.body.decode()}


class Mail(EventCodec):
    shape = "acme.mail"
    trigger = "message"
    partial = True

    def recognises(self, raw: Any) -> bool:
        return isinstance(raw, dict) and "mail" in raw

    def decode(self, raw: Any, native_context: Any) -> Sequence[Any]:
        return [Message(id, raw.get("box", "jobs"), id.encode(), context=CONTEXT) for id in raw["mail"]]

    def encode(self, events: Sequence[Any], failed: Sequence[bool]) -> Any:
        return {event.id: again for event, again in zip(events, failed, strict=True)}


class Push(Mail):
    """A platform that cannot be told which messages failed."""

    shape = "acme.push"
    partial = False

    def recognises(self, raw: Any) -> bool:
        return isinstance(raw, dict) and "push" in raw

    def decode(self, raw: Any, native_context: Any) -> Sequence[Any]:
        return [Message(id, "jobs", b"", context=CONTEXT) for id in raw["push"]]


class Stream(EventCodec):
    shape = "acme.stream"
    trigger = "change"
    partial = True
    ordered = True

    def recognises(self, raw: Any) -> bool:
        return isinstance(raw, dict) and "stream" in raw

    def decode(self, raw: Any, native_context: Any) -> Sequence[Any]:
        return [Change(id, "entries", "p", id, "created", None, id, epoch(0, "time"), CONTEXT) for id in raw["stream"]]

    def encode(self, events: Sequence[Any], failed: Sequence[bool]) -> Any:
        return list(failed)


class Topic(EventCodec):
    shape = "acme.topic"
    trigger = "event"

    def recognises(self, raw: Any) -> bool:
        return isinstance(raw, dict) and "topic" in raw

    def decode(self, raw: Any, native_context: Any) -> Sequence[Any]:
        return [CloudEvent(id, "acme", "note", context=CONTEXT) for id in raw["topic"]]


def keep(runner: Any) -> Any:
    return runner


HERE = __name__
ACME = Provider(
    "acme",
    defaults={"queue": "mailbox", "table": "ledger"},
    http_codecs=(f"{HERE}:Web",),
    event_codecs=(f"{HERE}:Mail", f"{HERE}:Push", f"{HERE}:Stream", f"{HERE}:Topic"),
    entry=f"{HERE}:keep",
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, HERE, sys.modules[__name__])
    monkeypatch.setattr(registry, "_providers", dict(registry._providers))
    monkeypatch.setattr(registry, "_scanned", registry._scanned)
    registry.register(ACME)
    monkeypatch.setattr("portable.runtime._cold", False)


Invoke = Callable[..., Any]


def plainly(app: App, raw: Any, **options: Any) -> Any:
    return runner(app, ACME, **options)(raw, None)


def on_a_loop(app: App, raw: Any, **options: Any) -> Any:
    return asyncio.run(runner(app, ACME, **options).run_async(raw, None))


@pytest.fixture(params=[plainly, on_a_loop])
def invoke(request: pytest.FixtureRequest) -> Invoke:
    invoke: Invoke = request.param
    return invoke


@pytest.fixture
def app() -> App:
    return App("runs")


def jobs(app: App, *failing: str) -> list[str]:
    handled: list[str] = []

    def handler(message: Message) -> None:
        handled.append(message.id)
        if message.id in failing:
            raise ValueError(message.id)

    app.on_message(app.queue("jobs"))(handler)
    return handled


def changes(app: App, *failing: str) -> list[str]:
    handled: list[str] = []

    def handler(change: Change) -> None:
        handled.append(change.id)
        if change.id in failing:
            raise ValueError(change.id)

    app.on_change(app.table("entries"))(handler)
    return handled


class TestHttp:
    def test_a_request_is_decoded_handled_and_encoded(self, app: App, invoke: Invoke) -> None:
        app.get("/{name}")(lambda request, name: f"hello {name}")

        assert invoke(app, {"path": "/ada"}) == {"status": 200, "text": "hello ada"}

    def test_an_answer_that_the_platform_cannot_carry_is_500_and_logged(
        self, app: App, invoke: Invoke, caplog: pytest.LogCaptureFixture
    ) -> None:
        app.get("/")(lambda request: b"\0")

        assert invoke(app, {"path": "/"}) == {"status": 500, "text": '{"error":"internal error","id":"i-7"}'}
        assert "acme carries text alone" in caplog.text


class TestMessages:
    def test_done_messages_are_answered_as_the_platform_expects(self, app: App, invoke: Invoke) -> None:
        handled = jobs(app)

        assert invoke(app, {"mail": ["a", "b"]}) == {"a": False, "b": False}
        assert handled == ["a", "b"]

    def test_failed_messages_are_reported_one_by_one_where_that_is_asked_for(self, app: App, invoke: Invoke) -> None:
        jobs(app, "b")

        assert invoke(app, {"mail": ["a", "b", "c"]}, partial_batch=True) == {"a": False, "b": True, "c": False}

    @pytest.mark.parametrize(("raw", "partial_batch"), [({"mail": ["a", "b"]}, False), ({"push": ["a", "b"]}, True)])
    def test_else_the_invocation_fails(self, app: App, invoke: Invoke, raw: Any, partial_batch: bool) -> None:
        handled = jobs(app, "a")
        with pytest.raises(DeliveryFailed, match="1 of 2 messages must be delivered again; the first: ValueError: a"):
            invoke(app, raw, partial_batch=partial_batch)

        assert handled == ["a", "b"]

    def test_the_failed_invocation_has_the_first_error_as_its_cause_without_its_logged_traceback(
        self, app: App, invoke: Invoke, caplog: pytest.LogCaptureFixture
    ) -> None:
        jobs(app, "a", "b")
        with pytest.raises(DeliveryFailed) as caught:
            invoke(app, {"mail": ["a", "b"]})

        assert isinstance(caught.value.__cause__, ValueError)
        assert caught.value.__cause__.__traceback__ is None
        assert caplog.text.count("Traceback") == 2

    def test_a_single_message_that_is_given_back_fails_the_invocation(self, app: App, invoke: Invoke) -> None:
        app.on_message(app.queue("jobs"))(lambda message: message.retry())
        with pytest.raises(DeliveryFailed, match="1 of 1 messages") as caught:
            invoke(app, {"push": ["a"]})

        assert isinstance(caught.value.__cause__, NotDone)


class TestStreams:
    def test_after_a_failure_the_rest_is_not_handled_and_reported_as_failed(self, app: App, invoke: Invoke) -> None:
        handled = changes(app, "b")

        assert invoke(app, {"stream": ["a", "b", "c"]}, partial_batch=True) == [False, True, True]
        assert handled == ["a", "b"]

    def test_without_a_report_the_invocation_fails(
        self, app: App, invoke: Invoke, caplog: pytest.LogCaptureFixture
    ) -> None:
        changes(app, "b")
        with pytest.raises(DeliveryFailed, match="2 of 3 events must be delivered again; the first: ValueError: b"):
            invoke(app, {"stream": ["a", "b", "c"]})

        assert caplog.text.count("Traceback") == 1


class TestOtherEvents:
    def test_handled_events_are_answered_as_the_codec_says(self, app: App, invoke: Invoke) -> None:
        app.on_event("note")(lambda event: "ignored")

        assert invoke(app, {"topic": ["a"]}) is None

    def test_what_a_handler_of_a_single_event_raises_is_left_to_the_platform(
        self, app: App, invoke: Invoke, caplog: pytest.LogCaptureFixture
    ) -> None:
        app.on_event("note")(lambda event: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            invoke(app, {"topic": ["a"]})

        assert caplog.records == []

    def test_every_event_of_several_is_handled_before_the_invocation_fails(
        self, app: App, invoke: Invoke, caplog: pytest.LogCaptureFixture
    ) -> None:
        handled = []

        @app.on_event("note")
        def handler(event: CloudEvent) -> None:
            handled.append(event.id)
            raise ValueError(event.id)

        with pytest.raises(DeliveryFailed, match="2 of 2 events"):
            invoke(app, {"topic": ["a", "b"]})

        assert handled == ["a", "b"]
        assert caplog.text.count("Traceback") == 2

    def test_an_event_without_a_handler_fails_the_invocation(self, app: App, invoke: Invoke) -> None:
        with pytest.raises(InvalidArgument, match="no handler takes events of type 'note'"):
            invoke(app, {"topic": ["a"]})


class TestUnknownEvents:
    def test_they_are_an_error_that_names_provider_keys_and_the_nearest_shape(self, app: App, invoke: Invoke) -> None:
        with pytest.raises(InvalidArgument) as caught:
            invoke(app, {"streams": [], "a": 1})

        assert str(caught.value) == (
            "acme has no shape for an event with the keys a, streams; the nearest is acme.stream. "
            "Known: acme.mail, acme.push, acme.stream, acme.topic, acme.web"
        )

    @pytest.mark.parametrize(
        ("raw", "what"), [({}, "an empty event"), ([], "an event of type list"), (None, "an event of type NoneType")]
    )
    def test_they_need_not_be_objects(self, app: App, invoke: Invoke, raw: Any, what: str) -> None:
        with pytest.raises(InvalidArgument, match=f"acme has no shape for {what}. Known"):
            invoke(app, raw)

    def test_a_star_takes_them_raw(self, app: App, invoke: Invoke) -> None:
        app.on_event("*")(lambda event: event)
        raw: dict[str, Any] = {"streams": []}
        event = invoke(app, raw)

        assert (event.source, event.type, event.data) == ("acme", "unrecognised", raw)
        assert event.native is raw
        assert event.id == event.context.invocation_id != ""
        assert event.context.provider == "acme"


class TestNames:
    def test_a_service_s_name_becomes_the_app_s(
        self, app: App, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        app.on_message(app.queue("jobs"))(lambda message: seen.append(message.queue))
        monkeypatch.setenv("PORTABLE_JOBS", "sqs://shop-jobs-prod")
        invoke(app, {"mail": ["a"], "box": "shop-jobs-prod"})

        assert seen == ["jobs"]

    def test_the_last_part_of_an_address_s_path_names_it(
        self, app: App, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        app.on_message(app.queue("jobs"))(lambda message: seen.append(message.queue))
        app.on_message(app.queue("others"))(lambda message: seen.append(message.queue))
        monkeypatch.setenv("PORTABLE_JOBS", "azqueue://account/shop-jobs")
        monkeypatch.setenv("PORTABLE_OTHERS", "azqueue://account/shop-others")
        invoke(app, {"mail": ["a"], "box": "shop-others"})

        assert seen == ["others"]

    def test_what_several_addresses_share_names_none(
        self, app: App, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jobs(app)
        app.queue("others")
        monkeypatch.setenv("PORTABLE_JOBS", "azqueue://account/shop-jobs")
        monkeypatch.setenv("PORTABLE_OTHERS", "azqueue://account/shop-others")
        with pytest.raises(InvalidArgument, match="the queue 'account' arrived"):
            invoke(app, {"mail": ["a"], "box": "account"})

    def test_an_equal_name_needs_no_address(self, app: App, invoke: Invoke) -> None:
        assert invoke(app, {"mail": jobs(app)}) == {}

    def test_an_unknown_name_is_an_error_with_those_that_are_known(self, app: App, invoke: Invoke) -> None:
        jobs(app)
        with pytest.raises(
            InvalidArgument,
            match=r"an event of the queue 'shop' arrived, which is none of the app's on target acme \(acme\): "
            "jobs at mailbox://jobs",
        ):
            invoke(app, {"mail": ["a"], "box": "shop"})


class TestContext:
    def test_the_first_invocation_of_a_process_is_cold(
        self, app: App, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        app.get("/")(lambda request: seen.append(request.context.cold))
        monkeypatch.setattr("portable.runtime._cold", True)
        invoke(app, {"path": "/"})
        invoke(app, {"path": "/"})

        assert seen == [True, False]

    def test_the_events_of_a_cold_invocation_keep_its_id(
        self, app: App, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = []
        app.on_message(app.queue("jobs"))(lambda message: seen.append(message.context))
        monkeypatch.setattr("portable.runtime._cold", True)
        invoke(app, {"mail": ["a"]})

        assert seen == [CONTEXT.replace(cold=True)]


class TestRunner:
    def test_an_event_that_was_decoded_elsewhere_can_be_handled(self, app: App) -> None:
        app.get("/")(lambda request: "hi")

        assert runner(app, ACME).handle(Request("GET", "/")).body == b"hi"

    def test_it_has_the_app_s_declarations(self, app: App) -> None:
        app.get("/")(lambda request: "hi")

        assert runner(app, ACME).spec == app.spec()

    def test_its_limits_are_those_of_the_provider(self, app: App) -> None:
        assert runner(app, ACME).limits == HttpCapabilities()

    def test_on_this_machine_its_limits_are_those_of_all_targets(self, app: App, tmp_path: Path) -> None:
        (tmp_path / "portable.toml").write_text('[targets.prod]\nprovider = "aws"\n')
        aws: Any = registry.capabilities(registry.provider("aws"), "http")

        assert runner(app, "local").limits.max_request_bytes == aws.max_request_bytes


class TestEntrypoint:
    def test_it_is_what_the_adapter_s_entry_makes(self, app: App) -> None:
        app.get("/")(lambda request: "hi")

        assert entrypoint(app, ACME)({"path": "/"}, None) == {"status": 200, "text": "hi"}

    def test_a_provider_is_found_by_its_name(self, app: App) -> None:
        assert callable(portable.entrypoint(app, "local"))

    def test_an_unknown_provider_is_an_error_with_the_nearest(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match=r"no installed adapter offers the provider 'lokal' \(did you mean"):
            entrypoint(app, "lokal")

    def test_a_provider_without_an_entry_is_an_error(self, app: App) -> None:
        with pytest.raises(InvalidArgument, match="the provider bare has no entry point"):
            entrypoint(app, Provider("bare"))


def test_codecs_are_imported_when_those_before_them_do_not_recognise_the_event(tmp_path: Path) -> None:
    source = """
import sys
from portable import App
from portable.runtime import runner
app = App("a")
app.get("/")(lambda request: "hi")
run = runner(app, "aws")
run({"version": "2.0", "rawPath": "/", "rawQueryString": "", "headers": {}, "isBase64Encoded": False,
     "requestContext": {"http": {"method": "GET", "path": "/", "sourceIp": "1.2.3.4"}, "stage": "$default"}}, None)
print("portable_aws.http" in sys.modules, "portable_aws.events" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=tmp_path, timeout=60)

    assert done.stdout == "True False\n", done.stderr


class TestDraining:
    """The tick that stands for a queue's trigger, where a platform has none."""

    TICK: dict[str, Any] = {
        "portable": "schedule",
        "events": [{"schedule": DRAIN, "time": "2026-01-02T03:04:00Z", "id": "t-1"}],
    }

    @pytest.fixture
    def seen(self) -> list[str]:
        return []

    @pytest.fixture
    def app(self, seen: list[str], tmp_path: Path) -> Iterator[App]:
        app = App("shop")
        jobs = app.queue("jobs")

        @app.on_message(jobs)
        def work(message: Message) -> None:
            seen.append(message.text)
            if message.text == "bad":
                raise ValueError("no")

        configuration = config.Configuration(str(tmp_path), None, None, {"local": config.Target("local", "local")})
        app.bind(configuration.target("local"), configuration, Opening(data=str(tmp_path)))
        yield app
        app.unbind()

    @pytest.mark.parametrize("invoke", ["plainly", "on a loop"])
    def test_the_app_gets_what_waits_in_its_queues(self, app: App, seen: list[str], invoke: str) -> None:
        app.queue("jobs").send_many(["a", "bad", "b"])
        context = {"expires": "2099-01-01T00:00:00Z"}
        made = runner(app, "local")
        if invoke == "plainly":
            made(self.TICK, context)
        else:
            asyncio.run(made.run_async(self.TICK, context))

        assert sorted(seen) == ["a", "b", "bad"]

    def test_what_does_not_fit_into_the_invocation_stays(self, app: App, seen: list[str]) -> None:
        app.queue("jobs").send("a")
        soon = datetime.now(timezone.utc) + timedelta(seconds=3)
        runner(app, "local")(self.TICK, {"expires": soon.isoformat()})

        assert seen == []
        assert [message.text for message in app.queue("jobs").receive()] == ["a"]
