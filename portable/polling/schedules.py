"""The app's schedules: which are due, and when each fired last, also over restarts and among processes.

Each schedule has a file in the data folder. Who holds it may fire the schedule, and it remembers the last time that was
fired: after downtime a schedule that came due meanwhile fires once, for the latest of its times.
"""

from __future__ import annotations

import os
from urllib.parse import quote

from portable.polling.claims import Claim
from portable.polling.cron import as_time, due_after, due_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class Schedule:
    """One schedule of an app."""

    def __init__(self, name: str, expression: str, folder: str, clock: Callable[[], float]) -> None:
        """Make the schedule. Raises InvalidArgument for what is no cron expression."""
        self.name = name
        self._expression = expression
        self._clock = clock
        self._path = os.path.join(folder, "schedules", quote(name, safe=""))
        self.next_due = due_after(expression, clock())
        """When it has to be looked at next, in seconds since the epoch."""

    def begin(self) -> None:
        """Look up when it fired last, or remember that it counts from now on."""
        with Claim(self._path) as claim:
            if claim.take():
                self.next_due = due_after(self._expression, self._last(claim))

    def fire(self, handle: Callable[[datetime], object]) -> bool:
        """Where it is due, call *handle* with the time it was due at; say whether it was called.

        When *handle* raises, the time counts as fired; when the process dies in it, it does not.
        """
        now = self._clock()
        if now < self.next_due:
            return False
        with Claim(self._path) as claim:
            if not claim.take():
                return False  # Another process is firing it: look again soon.
            due = due_until(self._expression, now)
            fires = due > self._last(claim)
            if fires:
                try:
                    handle(as_time(due))
                finally:
                    self._remember(claim, due)
            self.next_due = due_after(self._expression, due)
            return fires

    def _last(self, claim: Claim) -> float:
        """Return the last time that was fired; for a schedule that is new, or was changed, the present one."""
        moment, _, expression = claim.read().partition(" ")
        if moment.isdecimal() and expression == self._expression:
            return float(moment)
        now = self._clock()
        self._remember(claim, now)
        return now

    def _remember(self, claim: Claim, moment: float) -> None:
        claim.write(f"{int(moment):011} {self._expression}")
