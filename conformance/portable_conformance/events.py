"""The event contract: every provider's own events are one portable value, and what comes of them reaches the platform.

Broken events are in `events_fuzzing`.
"""

from __future__ import annotations

import copy

import pytest

from portable import App
from portable.runtime import runner
from portable_conformance import contract
from portable_conformance._golden import FOLDER, codec_of, codecs, goldens, recognisers, typed
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import CloudEvent, EventCodec, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from portable_conformance._golden import Golden
    from portable_contracts.events import Event
    from portable_contracts.harness import Harness
    from portable_contracts.provider import Provider

pytestmark = contract("events")

TRIGGERS = ("message", "blob", "change", "schedule", "event")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    session = metafunc.config.pluginmanager.get_plugin("portable_conformance_session")
    assert session is not None
    provider = session.provider

    def streamed(golden: Golden) -> bool:
        return bool(codec_of(provider, golden.shape).ordered)

    cases = [golden for golden in goldens(session) if golden.kind != "http"]
    chosen = {
        "golden": cases,
        "one_message": [golden for golden in cases if golden.case == "message-text"],
        "several_messages": [golden for golden in cases if golden.case == "message-batch"],
        "queued_messages": [golden for golden in cases if golden.case == "message-batch" and not streamed(golden)],
        "streamed_messages": [golden for golden in cases if golden.case == "message-batch" and streamed(golden)],
        "ordered_messages": [
            golden for golden in cases if golden.case == "message-group-batch" and not streamed(golden)
        ],
        "reported": [golden for golden in cases if codec_of(provider, golden.shape).partial and golden.answer],
        "unreported": [golden for golden in cases if not codec_of(provider, golden.shape).partial],
    }
    for name, found in chosen.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, found, ids=str)
    if "codec" in metafunc.fixturenames:
        of_events = [codec for codec in codecs(provider) if isinstance(codec, EventCodec)]
        metafunc.parametrize("codec", of_events, ids=[codec.shape for codec in of_events])


def decoded(provider: Provider, harness: Harness, golden: Golden) -> Sequence[Event]:
    events: Sequence[Event] = codec_of(provider, golden.shape).decode(*harness.invocation(golden.shape, golden.native))
    return events


class TestGoldenCases:
    def test_exactly_one_codec_of_exactly_one_provider_recognises_it(
        self, provider: Provider, harness: Harness, golden: Golden
    ) -> None:
        raw, _ = harness.invocation(golden.shape, golden.native)

        assert recognisers(raw) == [(provider.name, golden.shape)]

    def test_it_is_the_portable_events_in_order(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        assert list(decoded(provider, harness, golden)) == list(golden.events)

    def test_values_have_their_types(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        def values(events: Sequence[Event]) -> list[Any]:
            return [
                [typed(getattr(event, name)) for name in ("old", "new", "data") if hasattr(event, name)]
                for event in events
            ]

        assert values(decoded(provider, harness, golden)) == values(golden.events)

    def test_decoding_changes_nothing_in_it(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        before = copy.deepcopy(golden.native)
        decoded(provider, harness, golden)

        assert golden.native == before

    def test_decoding_twice_gives_the_same(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        assert list(decoded(provider, harness, golden)) == list(decoded(provider, harness, golden))

    def test_each_event_names_the_provider_and_has_its_native_form(
        self, provider: Provider, harness: Harness, golden: Golden
    ) -> None:
        events = decoded(provider, harness, golden)

        assert [event.context.provider for event in events] == [provider.name] * len(events)
        assert [event for event in events if event.native is None] == []

    def test_the_context_is_the_invocations(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        expected = golden.native.get("invocation", {})
        contexts = [event.context for event in decoded(provider, harness, golden)]

        assert [{name: getattr(context, name) for name in expected} for context in contexts] == [expected] * len(
            contexts
        )

    def test_times_are_in_utc(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        times = [
            getattr(event, name)
            for event in decoded(provider, harness, golden)
            for name in ("time", "sent")
            if getattr(event, name, None) is not None
        ]

        assert [time for time in times if time.utcoffset() is None or time.utcoffset()] == []

    def test_the_answers_are_what_the_platform_expects(
        self, provider: Provider, harness: Harness, golden: Golden
    ) -> None:
        codec, events = codec_of(provider, golden.shape), decoded(provider, harness, golden)
        answers = [
            {"failed": row["failed"], "answer": harness.described(golden.shape, codec.encode(events, row["failed"]))}
            for row in golden.answer
        ]

        assert answers == golden.answer

    def test_the_first_answer_is_that_of_success(self, golden: Golden) -> None:
        assert golden.answer[0]["failed"] == [False] * len(golden.events)

    def test_a_shape_that_reports_failures_one_by_one_has_an_answer_with_one(self, reported: Golden) -> None:
        assert [row for row in reported.answer if any(row["failed"])]

    def test_each_shape_has_golden_cases(self, codec: EventCodec) -> None:
        assert sorted(FOLDER.glob(f"*/{codec.shape}*.json"))

    def test_golden_files_belong_to_a_shape_of_that_trigger(self, provider: Provider, golden: Golden) -> None:
        assert codec_of(provider, golden.shape).trigger == golden.kind

    def test_a_shape_begins_with_its_providers_name(self, provider: Provider, codec: EventCodec) -> None:
        assert codec.shape.startswith(provider.name + ".")

    def test_a_codec_is_for_a_trigger_of_the_contract(self, codec: EventCodec) -> None:
        assert codec.trigger in TRIGGERS


class Handling:
    """An app behind the provider's entry that handles every golden case, and remembers what it got."""

    def __init__(
        self, provider: Provider, harness: Harness, handle: Callable[[Any], None], partial_batch: bool = False
    ) -> None:
        self.seen: list[Any] = []
        self._harness = harness
        app = App("conformance")

        def handler(event: Any) -> None:
            self.seen.append(event)
            handle(event)

        app.on_message(app.queue("thumbs"))(named("on_message", handler))
        app.on_blob(app.bucket("photos"), events=("created", "deleted"))(named("on_blob", handler))
        # A golden case may have another name there, where a bucket's whole name holds more than its owner chose.
        app.on_blob(app.bucket("photos-1250000000"), events=("created", "deleted"))(
            named("on_blob_of_account", handler)
        )
        app.on_change(app.table("entries"))(named("on_change", handler))
        app.schedule("*/5 * * * *")(named("tick", handler))
        app.on_event("com.acme.signed")(named("on_event", handler))
        self._runner = runner(app, provider.name, partial_batch=partial_batch)

    def deliver(self, golden: Golden) -> Any:
        return self._harness.deliver(self._runner, golden.shape, golden.native)


def named(name: str, handler: Callable[[Any], None]) -> Callable[[Any], None]:
    def copy(event: Any) -> None:
        handler(event)

    copy.__name__ = copy.__qualname__ = name
    return copy


class HandlerFailed(Exception):
    """What the handlers here raise."""


def accept(event: object) -> None: ...


def fail(event: object) -> None:
    raise HandlerFailed


def failing_for(ids: Sequence[str], failed: Sequence[bool]) -> Callable[[Any], None]:
    """Return a handler that fails for the events that *failed* says."""
    outcomes = dict(zip(ids, failed, strict=True))

    def handle(event: Any) -> None:
        if outcomes[event.id]:
            raise HandlerFailed

    return handle


def failing(*bodies: bytes) -> Callable[[Any], None]:
    """Return a handler that fails for messages with one of these bodies."""

    def handle(event: Any) -> None:
        if event.body in bodies:
            raise HandlerFailed

    return handle


class TestDelivery:
    def test_the_handler_gets_the_portable_events(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        handling = Handling(provider, harness, accept)
        handling.deliver(golden)

        assert handling.seen == list(golden.events)

    def test_the_platform_is_told_of_success(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        assert Handling(provider, harness, accept).deliver(golden) == golden.answer[0]["answer"]

    def test_a_platform_that_reads_reports_is_told_of_success(
        self, provider: Provider, harness: Harness, golden: Golden
    ) -> None:
        handling = Handling(provider, harness, accept, partial_batch=True)

        assert handling.deliver(golden) == golden.answer[0]["answer"]

    def test_events_know_their_invocation(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        handling = Handling(provider, harness, accept)
        handling.deliver(golden)

        assert {event.context.provider for event in handling.seen} == {provider.name}
        assert all(event.context.invocation_id for event in handling.seen)
        assert all(event.context.remaining().total_seconds() > 0 for event in handling.seen)

    def test_an_async_handler_gets_the_portable_message(
        self, provider: Provider, harness: Harness, one_message: Golden
    ) -> None:
        seen: list[Message] = []
        app = App("conformance")

        @app.on_message(app.queue("thumbs"))
        async def on_message(message: Message) -> None:
            seen.append(message)

        harness.deliver(runner(app, provider.name), one_message.shape, one_message.native)

        assert seen == list(one_message.events)

    def test_a_batch_handler_gets_all_messages_in_one_call(
        self, provider: Provider, harness: Harness, several_messages: Golden
    ) -> None:
        calls: list[list[Message]] = []
        app = App("conformance")

        @app.on_message(app.queue("thumbs"), batch=True)
        def on_messages(messages: Sequence[Message]) -> None:
            calls.append(list(messages))

        harness.deliver(runner(app, provider.name), several_messages.shape, several_messages.native)

        assert calls == [list(several_messages.events)]


class TestFailures:
    def test_a_failure_fails_the_invocation(self, provider: Provider, harness: Harness, golden: Golden) -> None:
        handling = Handling(provider, harness, fail)

        with pytest.raises(Exception):  # noqa: B017  # what the platform sees as a failure is its entry's own
            handling.deliver(golden)

    def test_a_failure_fails_the_invocation_where_no_report_is_possible(
        self, provider: Provider, harness: Harness, unreported: Golden
    ) -> None:
        handling = Handling(provider, harness, fail, partial_batch=True)

        with pytest.raises(Exception):  # noqa: B017  # what the platform sees as a failure is its entry's own
            handling.deliver(unreported)

    def test_failures_are_reported_one_by_one_where_the_platform_reads_the_report(
        self, provider: Provider, harness: Harness, reported: Golden
    ) -> None:
        rows = [row for row in reported.answer if any(row["failed"])]
        ids = [event.id for event in reported.events]
        answers = [
            Handling(provider, harness, failing_for(ids, row["failed"]), partial_batch=True).deliver(reported)
            for row in rows
        ]

        assert answers == [row["answer"] for row in rows]

    @pytest.mark.parametrize("bodies", [(b"one",), (b"two",), (b"three",), (b"one", b"two", b"three")], ids=repr)
    def test_a_message_that_fails_leaves_the_others_their_turn(
        self, provider: Provider, harness: Harness, queued_messages: Golden, bodies: tuple[bytes, ...]
    ) -> None:
        handling = Handling(provider, harness, failing(*bodies))
        with pytest.raises(Exception):  # noqa: B017  # what the platform sees as a failure is its entry's own
            handling.deliver(queued_messages)

        assert handling.seen == list(queued_messages.events)

    def test_a_message_of_a_stream_that_fails_ends_the_turn_of_all_after_it(
        self, provider: Provider, harness: Harness, streamed_messages: Golden
    ) -> None:
        handling = Handling(provider, harness, failing(b"two"))
        with pytest.raises(Exception):  # noqa: B017  # what the platform sees as a failure is its entry's own
            handling.deliver(streamed_messages)

        assert [event.body for event in handling.seen] == [b"one", b"two"]

    def test_a_message_that_fails_ends_the_turn_of_its_group_alone(
        self, provider: Provider, harness: Harness, ordered_messages: Golden
    ) -> None:
        handling = Handling(provider, harness, failing(b"one"))
        with pytest.raises(Exception):  # noqa: B017  # what the platform sees as a failure is its entry's own
            handling.deliver(ordered_messages)

        assert [event.body for event in handling.seen] == [b"one", b"other"]

    def test_a_message_that_a_handler_gives_back_fails_without_a_traceback(
        self, provider: Provider, harness: Harness, one_message: Golden, caplog: pytest.LogCaptureFixture
    ) -> None:
        handling = Handling(provider, harness, lambda message: message.retry())
        with pytest.raises(Exception):  # noqa: B017  # what the platform sees as a failure is its entry's own
            handling.deliver(one_message)

        assert [record for record in caplog.records if record.exc_info] == []

    def test_a_message_that_was_acknowledged_is_done_whatever_follows(
        self, provider: Provider, harness: Harness, one_message: Golden
    ) -> None:
        def handle(message: Any) -> None:
            message.ack()
            raise HandlerFailed

        assert Handling(provider, harness, handle).deliver(one_message) == one_message.answer[0]["answer"]

    def test_a_traceback_is_logged_once(
        self, provider: Provider, harness: Harness, one_message: Golden, caplog: pytest.LogCaptureFixture
    ) -> None:
        handling = Handling(provider, harness, fail)
        with pytest.raises(Exception):  # noqa: B017  # what the platform sees as a failure is its entry's own
            handling.deliver(one_message)
        traced = [record for record in caplog.records if record.exc_info]

        assert [record.name for record in traced] == ["portable"]
        assert handling.seen[0].context.invocation_id in traced[0].getMessage()

    def test_an_event_of_a_resource_that_the_app_does_not_have_is_an_error_that_names_it(
        self, provider: Provider, harness: Harness, one_message: Golden
    ) -> None:
        app = App("conformance")

        @app.on_message(app.queue("other"))
        def on_message(message: Message) -> None: ...

        with pytest.raises(InvalidArgument, match="thumbs") as caught:
            harness.deliver(runner(app, provider.name), one_message.shape, one_message.native)

        assert "other" in str(caught.value)


class TestValues:
    """What handlers do with the events they get."""

    def test_a_message_of_text_is_text(self, provider: Provider, harness: Harness, one_message: Golden) -> None:
        (message,) = decoded(provider, harness, one_message)

        assert isinstance(message, Message)
        assert message.text == "hello"

    @pytest.mark.parametrize("body", [b"{", b"", b"\xff", b"[" * 100_000], ids=lambda body: ascii(body[:5]))
    def test_a_message_that_is_no_json_is_an_invalid_argument(self, body: bytes) -> None:
        with pytest.raises(InvalidArgument):
            Message("m-1", "thumbs", body).json()

    @pytest.mark.parametrize("data", [b"{", "", b"\xff", "[" * 100_000], ids=lambda data: ascii(data[:5]))
    def test_an_event_whose_data_is_no_json_is_an_invalid_argument(self, data: bytes | str) -> None:
        with pytest.raises(InvalidArgument):
            CloudEvent("e-1", "source", "type", data).json()

    def test_a_message_that_is_no_text_is_an_invalid_argument(self) -> None:
        with pytest.raises(InvalidArgument):
            _ = Message("m-1", "thumbs", b"\xff").text
