"""How the conformance suite gets resources of one provider: every adapter has one Harness."""

from __future__ import annotations

from abc import ABC, abstractmethod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, ClassVar, Self

    from portable_contracts.provider import Opening


class MissingCounterpart(Exception):
    """What the harness needs is not on this machine: a program, a package, an account. The message says which and how
    to get it. The suite skips with that reason, or fails where `PORTABLE_REQUIRE_COUNTERPARTS=1`."""


class Harness(ABC):
    """Starts what stands behind one provider's drivers, and makes and removes resources there.

    One is made per test process. `__enter__` starts nothing: a counterpart starts when the first resource on it is
    asked for. `__exit__` stops what was started.
    """

    provider: ClassVar[str]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @abstractmethod
    def schemes(self, kind: str) -> Sequence[str]:
        """Return the address schemes to test for `"bucket"`, `"table"` or `"queue"`."""

    @abstractmethod
    def evidence(self, scheme: str) -> str:
        """Return `"live"`, `"emulator"`, `"wire fake"` or `"in-process"`: what the tests of *scheme* prove."""

    @abstractmethod
    def create(self, kind: str, scheme: str, options: Mapping[str, Any]) -> str:
        """Make a fresh, empty resource and return its address. *options* are those of ResourceSpec.

        A `dead_letter` option is the address of a queue made before. Raises MissingCounterpart.
        """

    @abstractmethod
    def destroy(self, address: str) -> None:
        """Remove a resource that `create` made, with all that is in it."""

    @abstractmethod
    def opening(self, options: Mapping[str, Any]) -> Opening:
        """Return what drivers are opened with; its clock is the one that the counterpart lives by."""

    def pass_time(self, seconds: float) -> None:
        """Let *seconds* pass for the counterpart: by moving a clock of ours, or, as here, by waiting."""
        import time

        time.sleep(seconds)

    def unreachable(self, kind: str, scheme: str) -> str | None:
        """Return the address of a resource that does not exist, or None where the service makes it on first use."""
        return None
