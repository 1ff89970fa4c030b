"""What the state machines share: how long Hypothesis looks, and the world that they act in."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings

from portable_contracts.harness import Harness
from portable_contracts.provider import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLES = "PORTABLE_FUZZ_EXAMPLES"
"""The environment variable with how many sequences to try: without it few, and the same ones each time."""

SETTINGS = settings(
    max_examples=int(os.environ.get(EXAMPLES, "25")),
    stateful_step_count=30,
    derandomize=EXAMPLES not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


FAR_SETTINGS = SETTINGS if EXAMPLES in os.environ else settings(SETTINGS, max_examples=8)
"""For a service to which each call takes its time."""


class World:
    """Where a machine's resources come from, and the time there."""

    def __init__(
        self, harness: Harness, capabilities: Any, make: Callable[[], Any], reopen: Callable[[Any], Any]
    ) -> None:
        self.capabilities = capabilities
        self.make = make
        self.reopen = reopen
        self.now = harness.opening(EMPTY).clock
        self.pass_time = harness.pass_time
        self._moves_time = harness.moves_time

    @property
    def time_moves(self) -> bool:
        """Whether `pass_time` moves a clock of ours; else it really waits, which takes too long here."""
        return self._moves_time()
