"""Which handlers an event has, and what becomes of it when several fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from portable import App, BlobEvent, Change, CloudEvent, InvalidArgument, Tick
from portable._triggers import DeliveryFailed
from portable_contracts.reading import epoch

NOW = epoch(0, "time")
Entry = Callable[[App, Any], Any]


def plainly(app: App, event: Any) -> Any:
    return app.handle(event)


def on_a_loop(app: App, event: Any) -> Any:
    return asyncio.run(app.handle_async(event))


@pytest.fixture(params=[plainly, on_a_loop])
def entry(request: pytest.FixtureRequest) -> Entry:
    entry: Entry = request.param
    return entry


@pytest.fixture
def app() -> App:
    return App("triggers")


def created(key: str, bucket: str = "photos") -> BlobEvent:
    return BlobEvent("1", bucket, key, "created", NOW)


def changed(table: str = "entries") -> Change:
    return Change("1", table, "p", "s", "created", None, 1, NOW)


def signed(type: str = "com.acme.signed") -> CloudEvent:
    return CloudEvent("1", "here", type)


def fails(event: Any) -> None:
    raise ValueError("first")


class TestBlobEvents:
    @pytest.mark.parametrize(
        ("key", "handled"), [("in/a.jpg", True), ("in/a.png", False), ("out/a.jpg", False), ("in/", False)]
    )
    def test_a_handler_gets_those_that_its_filter_lets_through(
        self, app: App, entry: Entry, key: str, handled: bool
    ) -> None:
        seen: list[Any] = []
        app.on_blob(app.bucket("photos"), prefix="in/", suffix=".jpg")(seen.append)
        entry(app, created(key))

        assert bool(seen) == handled

    @pytest.mark.parametrize(("events", "handled"), [(("created",), False), (("created", "deleted"), True)])
    def test_a_handler_gets_the_kinds_it_asked_for(self, app: App, entry: Entry, events: Any, handled: bool) -> None:
        seen: list[Any] = []
        app.on_blob(app.bucket("photos"), events=events)(seen.append)
        entry(app, BlobEvent("1", "photos", "a", "deleted", NOW))

        assert bool(seen) == handled

    def test_all_handlers_that_match_run(self, app: App, entry: Entry) -> None:
        seen = []
        photos = app.bucket("photos")
        app.on_blob(photos)(lambda event: seen.append("all"))
        app.on_blob(photos, prefix="in/")(lambda event: seen.append("in"))
        app.on_blob(photos, prefix="out/")(lambda event: seen.append("out"))
        entry(app, created("in/a"))

        assert seen == ["all", "in"]

    def test_a_bucket_without_a_handler_is_an_error(self, app: App, entry: Entry) -> None:
        app.on_blob(app.bucket("photos"))(fails)
        with pytest.raises(InvalidArgument, match=r"events of bucket 'photo' \(did you mean 'photos'\?\)"):
            entry(app, created("a", bucket="photo"))


class TestChanges:
    def test_all_handlers_run(self, app: App, entry: Entry) -> None:
        seen: list[Any] = []
        entries = app.table("entries")
        app.on_change(entries)(seen.append)
        app.on_change(entries)(seen.append)
        entry(app, changed())

        assert seen == [changed(), changed()]

    def test_a_table_without_a_handler_is_an_error(self, app: App, entry: Entry) -> None:
        with pytest.raises(InvalidArgument, match="changes of table 'entries': the app has no such handlers; add one"):
            entry(app, changed())


class TestSeveralHandlers:
    def both(self, app: App, *handlers: Any) -> None:
        for handler in handlers:
            app.on_change(app.table("entries"))(handler)

    def test_a_failure_stops_none_of_the_others(self, app: App, entry: Entry) -> None:
        seen: list[Any] = []
        self.both(app, fails, seen.append)
        with pytest.raises(ValueError, match="first"):
            entry(app, changed())

        assert seen == [changed()]

    def test_several_failures_are_one_that_names_the_first(self, app: App, entry: Entry) -> None:
        self.both(app, fails, lambda event: 1 / 0, lambda event: None)
        with pytest.raises(
            DeliveryFailed, match=r"2 of 3 handlers failed for .*the first: ValueError: first"
        ) as caught:
            entry(app, changed())

        assert isinstance(caught.value.__cause__, ValueError)

    def test_several_failures_are_logged_each(self, app: App, entry: Entry, caplog: pytest.LogCaptureFixture) -> None:
        self.both(app, fails, lambda event: 1 / 0)
        with pytest.raises(DeliveryFailed):
            entry(app, changed())

        assert [record.getMessage() for record in caplog.records] == ["created 'p', 's' in table entries failed []"] * 2
        assert "ValueError" in caplog.text
        assert "ZeroDivisionError" in caplog.text

    def test_a_single_failure_is_left_to_whoever_delivered(
        self, app: App, entry: Entry, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.both(app, fails, lambda event: None)
        with pytest.raises(ValueError, match="first"):
            entry(app, changed())

        assert caplog.records == []

    def test_async_handlers_run_too(self, app: App, entry: Entry) -> None:
        seen: list[Any] = []

        async def handler(event: Any) -> None:
            seen.append(event)

        self.both(app, handler, handler)
        entry(app, changed())

        assert len(seen) == 2


class TestSchedules:
    def test_the_handler_of_that_name_is_called(self, app: App, entry: Entry) -> None:
        app.schedule("* * * * *", name="often")(lambda tick: "often")
        app.schedule("* * * * *", name="seldom")(lambda tick: "seldom")

        assert entry(app, Tick("seldom", NOW)) == "seldom"

    def test_an_unknown_schedule_is_an_error(self, app: App, entry: Entry) -> None:
        app.schedule("* * * * *", name="often")(fails)
        with pytest.raises(InvalidArgument, match=r"the schedule 'oftn' \(did you mean 'often'\?\)"):
            entry(app, Tick("oftn", NOW))


class TestCloudEvents:
    def test_the_handler_of_that_type_is_called(self, app: App, entry: Entry) -> None:
        app.on_event("com.acme.signed")(lambda event: event.type)

        assert entry(app, signed()) == "com.acme.signed"

    def test_a_star_has_the_types_without_a_handler(self, app: App, entry: Entry) -> None:
        app.on_event("com.acme.signed")(lambda event: "own")
        app.on_event("*")(lambda event: "any")

        assert entry(app, signed()) == "own"
        assert entry(app, signed("com.acme.sealed")) == "any"

    def test_a_type_without_a_handler_is_an_error(self, app: App, entry: Entry) -> None:
        app.on_event("com.acme.signed")(fails)
        with pytest.raises(InvalidArgument, match=r"events of type 'com.acme.sealed' \(did you mean"):
            entry(app, signed("com.acme.sealed"))
