"""The engine: its threads deliver what resources hold, at least once, without hot loops, until they are stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from portable import App, Change, Message, Tick, Unsupported, config
from portable.polling import engine as engine_module
from portable.polling.engine import Engine
from portable.polling.sources import Delivered, FeedSource, wait_after
from portable_contracts.provider import Opening

NOON = datetime(2026, 3, 4, 12, tzinfo=timezone.utc).timestamp()


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class Desk:
    """An app on a data folder, the engines on it, and what they delivered."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.folder = folder
        self.clock = clock
        self.delivered: list[Delivered] = []
        self.changed = threading.Condition()
        self.app = self.new_app()
        self.engines: list[Engine] = []

    def new_app(self) -> App:
        app = App("desk")
        configuration = config.Configuration(str(self.folder), None, None, {"local": config.Target("local", "local")})
        app.bind(configuration.target("local"), configuration, Opening(data=str(self.folder), clock=self.clock))
        return app

    def engine(self, app: App | None = None, **options: Any) -> Engine:
        engine = Engine(app or self.app, data=str(self.folder), clock=self.clock, observe=self._observe, **options)
        self.engines.append(engine)
        return engine

    def _observe(self, delivered: Delivered) -> None:
        with self.changed:
            self.delivered.append(delivered)
            self.changed.notify_all()

    def wait_for(self, count: int) -> list[str]:
        """Wait until *count* events were delivered; return the statuses of all."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.delivered) >= count, timeout=20)
            return [delivered.status for delivered in self.delivered]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(tmp_path: Path, clock: Clock) -> Iterator[Desk]:
    desk = Desk(tmp_path, clock)
    yield desk
    for engine in desk.engines:
        engine.stop()
    desk.app.unbind()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Desk]:
    """A desk by the real clock, for engines that are started."""
    desk = Desk(tmp_path, time.time)
    yield desk
    for engine in desk.engines:
        engine.stop()
    desk.app.unbind()


# What fails, comes again


def test_a_message_that_failed_waits_longer_each_time(desk: Desk, clock: Clock) -> None:
    queue = desk.app.queue("work")
    seen = []

    @desk.app.on_message(queue)
    def work(message: Message) -> None:
        seen.append(clock.now - NOON)
        raise OSError("never")

    engine = desk.engine()
    queue.send("x")
    engine.drain()
    while len(seen) < 8:
        clock.now = engine.next_due()
        engine.drain()

    assert seen == [0, 1, 3, 7, 15, 31, 63, 123]


@pytest.mark.parametrize(("failures", "seconds"), [(1, 1), (2, 2), (6, 32), (7, 60), (1000, 60)])
def test_the_wait_doubles_up_to_a_minute(failures: int, seconds: int) -> None:
    assert wait_after(failures) == seconds


def test_a_failed_change_holds_up_those_behind_it(desk: Desk, clock: Clock) -> None:
    table = desk.app.table("entries")
    seen = []

    @desk.app.on_change(table)
    def changed(change: Change) -> None:
        seen.append(change.new)
        if len(seen) < 3:
            raise OSError("not yet")

    engine = desk.engine()
    engine.begin()
    table.put("p", "s", "first")
    table.put("p", "s", "second")
    engine.drain()
    held_up = list(seen)
    clock.now += 1
    engine.drain()
    clock.now += 2
    engine.drain()

    assert (held_up, seen) == (["first"], ["first", "first", "first", "second"])


def test_changes_go_on_where_an_engine_stopped(desk: Desk) -> None:
    seen: list[str] = []

    def made() -> App:
        app = desk.new_app()
        app.on_change(app.table("entries"))(lambda change: seen.append(change.new))
        return app

    first, second = made(), made()
    one = desk.engine(first)
    one.begin()
    first.table("entries").put("p", "", "before")
    one.drain()
    one.stop()
    first.table("entries").put("p", "", "meanwhile")
    desk.engine(second).drain()

    assert seen == ["before", "meanwhile"]


def test_one_engine_at_a_time_follows_a_table(desk: Desk) -> None:
    table = desk.app.table("entries")
    seen: list[str] = []
    desk.app.on_change(table)(lambda change: seen.append(change.new))
    one, other = desk.engine(), desk.engine()
    one.begin()
    one.drain()
    table.put("p", "", "x")
    other.drain()
    while_one_lives = list(seen)
    one.stop()
    other.drain()

    assert (while_one_lives, seen) == ([], ["x"])


def test_several_handlers_of_a_table_share_its_changes(desk: Desk) -> None:
    table = desk.app.table("entries")
    seen: list[str] = []
    desk.app.on_change(table)(lambda change: seen.append("one"))
    desk.app.on_change(table)(lambda change: seen.append("other"))
    engine = desk.engine()
    engine.begin()
    table.put("p", "", 1)
    engine.drain()

    assert seen == ["one", "other"]


def test_a_handler_can_settle_its_message_itself(desk: Desk) -> None:
    queue = desk.app.queue("work")

    @desk.app.on_message(queue)
    def work(message: Message) -> None:
        message.ack()
        raise OSError("after it was done")

    engine = desk.engine()
    queue.send("x")
    engine.drain()

    assert (engine.next_due(), [delivered.status for delivered in desk.delivered]) == (float("inf"), ["ok"])


def test_a_message_that_is_given_back_is_no_failure(desk: Desk, clock: Clock) -> None:
    queue = desk.app.queue("work")
    desk.app.on_message(queue)(lambda message: message.retry(timedelta(seconds=30)))
    engine = desk.engine()
    queue.send("x")
    engine.drain()

    assert (engine.next_due() - clock.now, [delivered.status for delivered in desk.delivered]) == (30, ["retried"])


def test_a_resource_that_cannot_be_followed_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    table = desk.app.table("entries")
    desk.app.on_change(table)(lambda change: None)
    driver = type(table._connection.driver)
    monkeypatch.setattr(driver, "capabilities", driver.capabilities.replace(feed=False))

    with pytest.raises(Unsupported, match="cannot follow table entries: sqlite:// has no feed"):
        desk.engine()


# Schedules


def test_a_tick_says_when_it_was_due(desk: Desk, clock: Clock) -> None:
    seen: list[datetime] = []

    @desk.app.schedule("0 * * * *")
    def hourly(tick: Tick) -> None:
        seen.append(tick.time)

    engine = desk.engine()
    engine.begin()
    clock.now += 3600 + 7
    engine.drain()

    assert seen == [datetime(2026, 3, 4, 13, tzinfo=timezone.utc)]


def test_two_engines_on_one_folder_fire_a_tick_once(desk: Desk, clock: Clock) -> None:
    seen: list[Tick] = []

    @desk.app.schedule("0 * * * *")
    def hourly(tick: Tick) -> None:
        seen.append(tick)

    engines = [desk.engine(), desk.engine()]
    for engine in engines:
        engine.begin()
    clock.now += 3600
    for engine in engines:
        engine.drain()

    assert len(seen) == 1


def test_a_tick_that_fails_is_reported_and_over(desk: Desk, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    @desk.app.schedule("0 * * * *")
    def hourly(tick: Tick) -> None:
        raise OSError("mine")

    engine = desk.engine()
    engine.begin()
    clock.now += 3600
    engine.drain()
    engine.drain()

    assert [delivered.status for delivered in desk.delivered] == ["failed"]
    assert [record.getMessage().split(" [")[0] for record in caplog.records] == ["schedule hourly failed"]


# Threads


def test_a_started_engine_delivers_what_is_sent(running: Desk) -> None:
    queue, table, bucket = running.app.queue("q"), running.app.table("t"), running.app.bucket("b")
    running.app.on_message(queue)(lambda message: None)
    running.app.on_change(table)(lambda change: None)
    running.app.on_blob(bucket)(lambda event: None)
    running.engine().start()
    queue.send("x")
    table.put("p", "", 1)
    bucket.write("key", b"")

    assert running.wait_for(3) == ["ok", "ok", "ok"]
    assert {delivered.trigger for delivered in running.delivered} == {"message", "change", "blob"}


def test_stopping_waits_for_what_is_in_flight(running: Desk) -> None:
    queue = running.app.queue("work")
    begun, go_on = threading.Event(), threading.Event()

    @running.app.on_message(queue)
    def work(message: Message) -> None:
        begun.set()
        go_on.wait(10)

    engine = running.engine()
    engine.start()
    queue.send("x")
    assert begun.wait(10)
    threading.Timer(0.1, go_on.set).start()
    engine.stop()

    assert [delivered.status for delivered in running.delivered] == ["ok"]
    assert queue.receive() == []


def test_a_stopped_engine_delivers_no_more(running: Desk) -> None:
    queue = running.app.queue("work")
    running.app.on_message(queue)(lambda message: None)
    engine = running.engine()
    engine.start()
    engine.stop()
    queue.send("x")

    assert len(queue.receive()) == 1


def test_a_stopped_engine_leaves_no_thread(running: Desk) -> None:
    running.app.on_message(running.app.queue("work"))(lambda message: None)
    before = set(threading.enumerate())
    engine = running.engine()
    engine.start()
    engine.stop()

    assert set(threading.enumerate()) <= before


@pytest.mark.slow
def test_the_lease_of_a_long_handler_is_renewed(running: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    # The profile's shortest lease takes 10 s: here the engine's own is shorter than the handler.
    monkeypatch.setattr(engine_module, "LEASE", 1.0)
    queue = running.app.queue("work")
    taken_by_another: list[Message] = []

    @running.app.on_message(queue)
    def work(message: Message) -> None:
        connection = queue._connection
        connection.driver.extend(message.native, lease=1.0)
        for _ in range(10):
            time.sleep(0.25)
            taken_by_another.extend(queue.receive())

    running.engine().start()
    queue.send("x")

    assert running.wait_for(1) == ["ok"]
    assert taken_by_another == []


def test_a_source_that_fails_is_looked_at_again(
    running: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine_module, "PAUSE", 0.01)
    table = running.app.table("t")
    running.app.on_change(table)(lambda change: None)
    engine = running.engine()
    (source,) = engine.sources
    assert isinstance(source, FeedSource)
    read, failures = source._read, [OSError("the disk is full")]

    def failing_once(limit: int) -> Any:
        if failures:
            raise failures.pop()
        return read(limit)

    engine.begin()
    monkeypatch.setattr(source, "begin", lambda: None)
    monkeypatch.setattr(source, "_read", failing_once)
    table.put("p", "", 1)
    engine.start()

    assert running.wait_for(1) == ["ok"]
    assert "change t failed" in caplog.text


# Side by side


def test_messages_are_handled_side_by_side_where_that_is_asked_for(running: Desk) -> None:
    queue = running.app.queue("work")
    meeting = threading.Barrier(3, timeout=20)
    running.app.on_message(queue)(lambda message: meeting.wait())
    queue.send_many(["a", "b", "c"])
    running.engine(concurrency=3).start()

    assert running.wait_for(3) == ["ok"] * 3


def test_those_of_one_group_are_not(running: Desk) -> None:
    queue = running.app.queue("work")
    seen, inside = [], threading.Lock()

    @running.app.on_message(queue)
    def work(message: Message) -> None:
        assert inside.acquire(blocking=False)
        seen.append(message.text)
        threading.Event().wait(0.02)
        inside.release()

    for text in "abcdef":
        queue.send(text, group="one")
    running.engine(concurrency=4).start()

    assert running.wait_for(6) == ["ok"] * 6
    assert seen == list("abcdef")


def test_triggers_that_are_left_to_the_platform_are_not_driven(desk: Desk) -> None:
    queue, table = desk.app.queue("work"), desk.app.table("entries")
    seen = []
    desk.app.on_message(queue)(lambda message: seen.append("message"))
    desk.app.on_change(table)(lambda change: seen.append("change"))
    desk.app.schedule("* * * * *", name="tick")(lambda tick: seen.append("tick"))
    engine = desk.engine(kinds={"message"})
    engine.begin()
    queue.send("x")
    table.put("p", "", 1)
    engine.drain()

    assert seen == ["message"]


# Until a time


def test_what_waits_is_handled_and_then_it_ends(running: Desk) -> None:
    queue = running.app.queue("work")
    seen = []
    running.app.on_message(queue)(lambda message: seen.append(message.text))
    queue.send_many([str(number) for number in range(50)])

    assert running.engine(concurrency=4).drain_until(time.time() + 60) == 50
    assert sorted(seen) == sorted(str(number) for number in range(50))


def test_no_message_is_begun_when_the_end_is_near(running: Desk) -> None:
    queue = running.app.queue("work")
    seen = []
    running.app.on_message(queue)(lambda message: seen.append(message.text))
    queue.send("x")

    assert running.engine().drain_until(time.time() + engine_module.MARGIN - 1) == 0
    assert seen == []


def test_a_message_that_fails_is_left_for_later(running: Desk) -> None:
    queue = running.app.queue("work")

    @running.app.on_message(queue)
    def work(message: Message) -> None:
        if message.text == "bad":
            raise OSError("no")

    queue.send_many(["bad", "good"])

    assert running.engine().drain_until(time.time() + 60) == 2
    assert running.wait_for(2) == ["failed", "ok"]


def test_a_queue_that_cannot_be_read_is_an_error_when_the_others_are_done(
    running: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = running.app.queue("good"), running.app.queue("bad")
    seen = []
    running.app.on_message(bad)(lambda message: None)
    running.app.on_message(good)(lambda message: seen.append(message.text))
    good.send("x")
    engine = running.engine()

    def refuse(wait: float) -> int:
        raise OSError("away")

    monkeypatch.setattr(engine.sources[0], "poll", refuse)
    with pytest.raises(OSError, match="away"):
        engine.drain_until(time.time() + 60)
    assert seen == ["x"]
