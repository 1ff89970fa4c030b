"""Schedules: when they are due, and that each time fires once, over restarts and among processes."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from portable.polling import cron
from portable.polling.claims import Claim
from portable.polling.schedules import Schedule
from portable_contracts.errors import InvalidArgument

HOUR = 3600.0
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=timezone.utc).timestamp()


def at(hour: int, minute: int, day: int = 4) -> float:
    return datetime(2026, 3, day, hour, minute, tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("expression", "before", "after"),
    [
        ("*/5 * * * *", at(12, 0), at(12, 5)),
        ("7 3 * * *", at(3, 7), at(3, 7, day=5)),
        ("0 0 * * SUN", at(0, 0, day=1), at(0, 0, day=8)),
        ("0 9-17/4 * MAR *", at(9, 0), at(13, 0)),
    ],
)
def test_a_schedule_is_due_at_the_times_of_its_expression(expression: str, before: float, after: float) -> None:
    assert (cron.due_until(expression, NOON + 2), cron.due_after(expression, NOON + 2)) == (before, after)


def test_a_schedule_is_due_at_the_very_moment() -> None:
    assert cron.due_until("*/5 * * * *", NOON) == NOON


def test_the_next_time_is_never_the_present_one() -> None:
    assert cron.due_after("*/5 * * * *", NOON) == NOON + 300


@pytest.mark.parametrize("expression", ["* * * *", "* * * * * *", "60 * * * *", "0 0 31 2 *", "0 0 L * *", "@daily"])
def test_what_is_no_cron_expression_is_refused(expression: str) -> None:
    with pytest.raises(InvalidArgument, match="schedule"):
        cron.check(expression)


class Clock:
    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Callable[..., Schedule]:
    def make(expression: str = "0 * * * *", name: str = "app.tick") -> Schedule:
        schedule = Schedule(name, expression, str(tmp_path), clock)
        schedule.begin()
        return schedule

    return make


def test_a_schedule_does_not_fire_for_times_before_it_was_first_seen(make: Callable[..., Schedule]) -> None:
    fired: list[datetime] = []

    make().fire(fired.append)

    assert fired == []


def test_a_schedule_fires_once_for_each_time(make: Callable[..., Schedule], clock: Clock) -> None:
    schedule = make()
    fired: list[datetime] = []
    for _ in range(3):
        clock.now += HOUR / 2
        schedule.fire(fired.append)
        schedule.fire(fired.append)

    assert fired == [datetime(2026, 3, 4, 13, tzinfo=timezone.utc)]


def test_times_that_were_missed_fire_once_for_the_latest(make: Callable[..., Schedule], clock: Clock) -> None:
    make()
    clock.now += 5 * HOUR + 1
    fired: list[datetime] = []
    again = make()
    again.fire(fired.append)
    again.fire(fired.append)

    assert fired == [datetime(2026, 3, 4, 17, tzinfo=timezone.utc)]


def test_a_time_that_was_fired_is_not_fired_after_a_restart(make: Callable[..., Schedule], clock: Clock) -> None:
    schedule = make()
    clock.now += HOUR
    schedule.fire(lambda time: None)
    fired: list[datetime] = []
    make().fire(fired.append)

    assert fired == []


def test_a_schedule_that_was_changed_counts_from_the_change(make: Callable[..., Schedule], clock: Clock) -> None:
    make("0 * * * *")
    clock.now += 5 * HOUR + 60
    fired: list[datetime] = []
    make("0 12-23 * * *").fire(fired.append)

    assert fired == []


def test_a_tick_that_fails_is_not_fired_again(make: Callable[..., Schedule], clock: Clock) -> None:
    def fail(time: datetime) -> None:
        raise RuntimeError("the handler's")

    schedule = make()
    clock.now += HOUR
    with pytest.raises(RuntimeError):
        schedule.fire(fail)

    assert schedule.fire(fail) is False


def test_of_two_on_one_folder_one_fires(make: Callable[..., Schedule], clock: Clock) -> None:
    one, other = make(), make()
    clock.now += HOUR
    fired: list[datetime] = []
    one.fire(fired.append)
    other.fire(fired.append)

    assert len(fired) == 1


def test_while_one_fires_the_other_does_not(make: Callable[..., Schedule], clock: Clock) -> None:
    one, other = make(), make()
    clock.now += HOUR
    outcome: list[bool] = []
    one.fire(lambda time: outcome.append(other.fire(lambda time: None)))

    assert outcome == [False]


def test_of_two_processes_that_begin_one_holds_the_claim(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold, args=(str(tmp_path / "claim"), theirs))
    process.start()
    assert ours.recv() is True

    claim = Claim(str(tmp_path / "claim"))
    while_held = claim.take()
    process.kill()  # The system gives back what a killed process held.
    process.join(10)

    assert (while_held, claim.take()) == (False, True)
    claim.give_back()


def hold(path: str, connection: object) -> None:
    connection.send(Claim(path).take())  # type: ignore[attr-defined]  # a pipe's end
    threading.Event().wait()


def test_a_claim_remembers_the_last_text(tmp_path: Path) -> None:
    with Claim(str(tmp_path / "folder" / "claim")) as claim:
        claim.take()
        claim.write("a longer text")
        claim.write("short")

    with Claim(claim.path) as later:
        later.take()

        assert later.read() == "short"


def test_a_claim_that_is_not_held_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="take"):
        Claim(str(tmp_path / "claim")).write("text")
