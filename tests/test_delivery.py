"""Which messages are handled, which are done, and which come again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from portable import App, InvalidArgument, Message, Unsupported
from portable._delivery import NotDone, Outcome, deliver, deliver_async
from portable._driving import invocation
from portable_contracts.events import Context, Settlement

Deliver = Callable[..., "list[Outcome]"]


def on_a_loop(app: App, messages: Sequence[Message], **options: Any) -> list[Outcome]:
    return asyncio.run(deliver_async(app, messages, **options))


@pytest.fixture(params=["plain", "on a loop"])
def delivered(request: pytest.FixtureRequest) -> Deliver:
    return deliver if request.param == "plain" else on_a_loop


@pytest.fixture
def app() -> App:
    return App("jobs")


class Source(Settlement):
    """Where the messages came from: takes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def ack(self, message: Message) -> None:
        self.told.append(("ack", message.id))

    def retry(self, message: Message, delay: timedelta | None) -> None:
        self.told.append(("retry", message.id, delay))

    def extend(self, message: Message, by: timedelta) -> None:
        self.told.append(("extend", message.id, by))


def handles(app: App, handler: Any, *, queue: str = "jobs", batch: bool = False) -> list[str]:
    """Let *handler* have the queue's messages; return the list that the ids of what it gets go to."""
    handled: list[str] = []

    def watched(event: Any) -> Any:
        handled.extend([message.id for message in event] if batch else [event.id])
        return handler(event)

    app.on_message(app.queue(queue), batch=batch)(watched)
    return handled


def messages(*ids: str, group: str | None = None, queue: str = "jobs", source: Source | None = None) -> list[Message]:
    return [Message(id, queue, id.encode(), group=group, settlement=source) for id in ids]


def fails_on(*ids: str) -> Any:
    def handler(message: Message) -> None:
        if message.id in ids:
            raise ValueError(message.id)

    return handler


def again(outcomes: Sequence[Outcome]) -> list[bool]:
    return [outcome.error is not None for outcome in outcomes]


def test_messages_are_handled_in_order_and_done(app: App, delivered: Deliver) -> None:
    handled = handles(app, lambda message: None)
    sent = messages("a", "b", "c")

    assert delivered(app, sent) == [Outcome(message, None, "") for message in sent]
    assert handled == ["a", "b", "c"]


def test_the_outcome_has_the_message_itself(app: App, delivered: Deliver) -> None:
    handles(app, lambda message: None)
    (message,) = messages("a")

    assert delivered(app, [message])[0].message is message


def test_no_messages_have_no_outcomes(app: App, delivered: Deliver) -> None:
    assert delivered(app, []) == []


def test_what_a_handler_returns_means_nothing(app: App, delivered: Deliver) -> None:
    handles(app, lambda message: False)

    assert again(delivered(app, messages("a"))) == [False]


def test_an_exception_fails_that_message_alone(app: App, delivered: Deliver) -> None:
    handled = handles(app, fails_on("b"))
    outcomes = delivered(app, messages("a", "b", "c"))

    assert again(outcomes) == [False, True, False]
    assert isinstance(outcomes[1].error, ValueError)
    assert handled == ["a", "b", "c"]


def test_each_failure_is_logged_once_with_its_message(
    app: App, delivered: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    handles(app, fails_on("a", "c"))
    context = Context("i-7", "main", "local", float("inf"))
    delivered(app, [message.replace(context=context) for message in messages("a", "b", "c")])

    assert [record.getMessage() for record in caplog.records] == [
        "message a of queue jobs, attempt 1 failed [i-7]",
        "message c of queue jobs, attempt 1 failed [i-7]",
    ]
    assert caplog.text.count("Traceback") == 2


def test_the_invocation_is_known_while_a_message_is_handled(app: App, delivered: Deliver) -> None:
    seen = []
    handles(app, lambda message: seen.append(invocation.get().invocation_id))
    delivered(app, [messages("a")[0].replace(context=Context("i-7", "main", "local", 0.0))])

    assert seen == ["i-7"]
    assert invocation.get().invocation_id == ""


def test_each_message_passes_the_middlewares(app: App, delivered: Deliver) -> None:
    seen = []

    @app.middleware
    def watch(event: Any, call_next: Any) -> Any:
        seen.append(event.id)
        return call_next(event)

    handles(app, lambda message: None)
    delivered(app, messages("a", "b"))

    assert seen == ["a", "b"]


def test_a_middleware_that_fails_fails_the_message(app: App, delivered: Deliver) -> None:
    handled = handles(app, lambda message: None)

    @app.middleware
    def refuse(event: Any, call_next: Any) -> Any:
        raise ValueError

    assert again(delivered(app, messages("a"))) == [True]
    assert handled == []


def test_messages_of_several_queues_go_to_their_handlers(app: App, delivered: Deliver) -> None:
    jobs, others = handles(app, lambda message: None), handles(app, lambda message: None, queue="others")
    delivered(app, [*messages("a"), *messages("b", queue="others"), *messages("c")])

    assert (jobs, others) == (["a", "c"], ["b"])


def test_a_message_without_a_handler_is_an_error_before_any_is_handled(app: App, delivered: Deliver) -> None:
    handled = handles(app, lambda message: None)
    with pytest.raises(InvalidArgument, match=r"messages of queue 'jobz' \(did you mean 'jobs'\?\).*@app.on_message"):
        delivered(app, [*messages("a"), *messages("b", queue="jobz")])

    assert handled == []


class TestGroups:
    def test_after_a_failure_the_rest_of_the_group_is_left_alone(self, app: App, delivered: Deliver) -> None:
        handled = handles(app, fails_on("b"))
        outcomes = delivered(app, messages("a", "b", "c", "d", group="g"))

        assert handled == ["a", "b"]
        assert again(outcomes) == [False, True, True, True]
        assert [type(outcome.error) for outcome in outcomes[2:]] == [NotDone, NotDone]

    def test_the_error_names_the_message_that_stopped_it(self, app: App, delivered: Deliver) -> None:
        handles(app, fails_on("a"))
        outcomes = delivered(app, messages("a", "b", group="g"))

        assert str(outcomes[1].error) == "message b waits for message a before it, which is not done"

    def test_the_rest_has_no_traceback_of_its_own(
        self, app: App, delivered: Deliver, caplog: pytest.LogCaptureFixture
    ) -> None:
        handles(app, fails_on("a"))
        delivered(app, messages("a", "b", "c", group="g"))

        assert len(caplog.records) == 1

    def test_other_groups_go_on(self, app: App, delivered: Deliver) -> None:
        handled = handles(app, fails_on("a"))
        delivered(
            app, [*messages("a", group="g"), *messages("b", group="h"), *messages("c", group="g"), *messages("d")]
        )

        assert handled == ["a", "b", "d"]

    def test_a_group_of_the_same_name_in_another_queue_goes_on(self, app: App, delivered: Deliver) -> None:
        handles(app, fails_on("a"))
        others = handles(app, lambda message: None, queue="others")
        delivered(app, [*messages("a", group="g"), *messages("b", group="g", queue="others")])

        assert others == ["b"]

    def test_a_message_that_is_given_back_stops_its_group(self, app: App, delivered: Deliver) -> None:
        handled = handles(app, lambda message: message.retry())
        delivered(app, messages("a", "b", group="g"))

        assert handled == ["a"]

    def test_a_message_that_was_acknowledged_before_it_failed_does_not(self, app: App, delivered: Deliver) -> None:
        handled = handles(app, lambda message: acknowledged_failure(message))
        delivered(app, messages("a", "b", group="g"))

        assert handled == ["a", "b"]

    def test_a_stream_is_one_group(self, app: App, delivered: Deliver) -> None:
        handled = handles(app, fails_on("b"))
        sent = [*messages("a"), *messages("b", group="g"), *messages("c", group="h"), *messages("d")]

        assert again(delivered(app, sent, ordered=True)) == [False, True, True, True]
        assert handled == ["a", "b"]


def acknowledged_failure(message: Message) -> None:
    message.ack()
    raise ValueError(message.id)


class TestSettling:
    @pytest.mark.parametrize("source", [None, Source()])
    def test_acknowledged_is_done_whatever_follows(
        self, app: App, delivered: Deliver, source: Source | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        handles(app, acknowledged_failure)
        (outcome,) = delivered(app, messages("a", source=source))

        assert (outcome.error, outcome.settled) == (None, "acked")
        assert "ValueError: a" in caplog.text

    def test_given_back_is_not_done_without_a_traceback(
        self, app: App, delivered: Deliver, caplog: pytest.LogCaptureFixture
    ) -> None:
        handles(app, lambda message: message.retry())
        (outcome,) = delivered(app, messages("a"))

        assert (type(outcome.error), outcome.settled) == (NotDone, "retried")
        assert caplog.records == []

    @pytest.mark.parametrize(
        ("settle", "told"),
        [
            (lambda message: message.ack(), ("ack", "a")),
            (lambda message: message.retry(), ("retry", "a", None)),
            (lambda message: message.retry(timedelta(seconds=3)), ("retry", "a", timedelta(seconds=3))),
            (lambda message: message.extend(timedelta(seconds=3)), ("extend", "a", timedelta(seconds=3))),
        ],
    )
    def test_a_polled_message_is_settled_where_it_came_from(
        self, app: App, delivered: Deliver, settle: Any, told: Any
    ) -> None:
        source = Source()
        handles(app, settle)
        delivered(app, messages("a", source=source))

        assert source.told == [told]

    @pytest.mark.parametrize(
        ("settle", "what"),
        [
            (lambda message: message.retry(timedelta(seconds=3)), "retry(delay=...)"),
            (lambda message: message.extend(timedelta(seconds=3)), "extend()"),
        ],
    )
    def test_a_pushed_message_cannot_choose_times(self, app: App, delivered: Deliver, settle: Any, what: str) -> None:
        handles(app, settle)
        (outcome,) = delivered(app, messages("a"))

        assert isinstance(outcome.error, Unsupported)
        assert f"has no {what}" in str(outcome.error)

    def test_settling_that_fails_leaves_the_message_as_it_was(self, app: App, delivered: Deliver) -> None:
        class Broken(Source):
            def ack(self, message: Message) -> None:
                raise ConnectionError

        handles(app, lambda message: message.ack())
        (outcome,) = delivered(app, messages("a", source=Broken()))

        assert (type(outcome.error), outcome.settled) == (ConnectionError, "")


class TestBatches:
    def test_the_list_is_handed_over_at_once(self, app: App, delivered: Deliver) -> None:
        batches: list[list[bytes]] = []
        handles(app, lambda batch: batches.append([message.body for message in batch]), batch=True)
        sent = messages("a", "b", "c")

        assert delivered(app, sent) == [Outcome(message, None, "") for message in sent]
        assert batches == [[b"a", b"b", b"c"]]

    def test_an_exception_fails_all(self, app: App, delivered: Deliver, caplog: pytest.LogCaptureFixture) -> None:
        handles(app, lambda batch: fail(), batch=True)

        assert again(delivered(app, messages("a", "b"))) == [True, True]
        assert [record.getMessage() for record in caplog.records] == ["2 messages of queue jobs failed []"]

    def test_an_exception_does_not_fail_what_was_acknowledged(self, app: App, delivered: Deliver) -> None:
        handles(app, lambda batch: acknowledged_failure(batch[1]), batch=True)
        outcomes = delivered(app, messages("a", "b", "c"))

        assert again(outcomes) == [True, False, True]
        assert [outcome.settled for outcome in outcomes] == ["", "acked", ""]

    def test_a_message_that_is_given_back_fails_alone(self, app: App, delivered: Deliver) -> None:
        handles(app, lambda batch: batch[1].retry(), batch=True)

        assert again(delivered(app, messages("a", "b", "c"))) == [False, True, False]

    def test_what_follows_it_in_its_group_waits_with_it(self, app: App, delivered: Deliver) -> None:
        handles(app, lambda batch: batch[1].retry(), batch=True)

        assert again(delivered(app, messages("a", "b", "c", group="g"))) == [False, True, True]

    def test_only_the_messages_of_its_queue_are_in_it(self, app: App, delivered: Deliver) -> None:
        batch, single = handles(app, lambda batch: None, batch=True), handles(app, lambda m: None, queue="others")
        outcomes = delivered(app, [*messages("a"), *messages("b", queue="others"), *messages("c")])

        assert (batch, single) == (["a", "c"], ["b"])
        assert [outcome.message.id for outcome in outcomes] == ["a", "b", "c"]

    def test_it_passes_the_middlewares_once_as_an_event(self, app: App, delivered: Deliver) -> None:
        seen = []

        @app.middleware
        def watch(event: Any, call_next: Any) -> Any:
            seen.append((event.queue, event.context.invocation_id, event.native))
            return call_next(event)

        handles(app, lambda batch: None, batch=True)
        context = Context("i-7", "main", "local", 0.0)
        delivered(app, [message.replace(context=context, native="raw") for message in messages("a", "b")])

        assert seen == [("jobs", "i-7", "raw")]


def fail() -> None:
    raise ValueError


class TestHandle:
    def test_a_message_that_is_done_gives_nothing(self, app: App) -> None:
        handles(app, lambda message: "ignored")

        assert app.handle(messages("a")[0]) is None

    def test_a_message_that_failed_raises(self, app: App) -> None:
        handles(app, fails_on("a"))

        with pytest.raises(ValueError, match="a"):
            app.handle(messages("a")[0])

    def test_a_message_that_is_given_back_raises(self, app: App) -> None:
        handles(app, lambda message: message.retry())

        with pytest.raises(NotDone, match="was given back by its handler"):
            asyncio.run(app.handle_async(messages("a")[0]))
