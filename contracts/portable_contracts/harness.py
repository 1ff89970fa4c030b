"""How the conformance suite gets resources of one provider: every adapter has one Harness."""

from __future__ import annotations

from abc import ABC, abstractmethod

from portable_contracts._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, ClassVar, Self

    from portable_contracts.events import Event
    from portable_contracts.http import Response
    from portable_contracts.provider import Opening, Runner


class MissingCounterpart(Exception):
    """What the harness needs is not on this machine: a program, a package, an account. The message says which and how
    to get it. The suite skips with that reason, or fails where `PORTABLE_REQUIRE_COUNTERPARTS=1`."""


class HttpCall(Value):
    """An HTTP request as a client sends it."""

    method: str
    target: str
    """Path and query as on the request line: percent-encoded, ASCII."""
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    client: str = "203.0.113.9"
    """Where it comes from."""
    front: str = ""
    """One of the harness's `fronts`: what stands between the client and the function."""


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

        A `dead_letter` option is the address of a queue made before. Where a queue's leases cannot be chosen they are
        10 seconds long. Raises MissingCounterpart.
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

    def moves_time(self) -> bool:
        """Say whether `pass_time` moves a clock, for the resource that was made last, rather than wait."""
        return type(self).pass_time is not Harness.pass_time

    def counterpart(self, name: str) -> Any:
        """Return the suite's module `counterparts.<name>`, by its name: an adapter does not import the suite."""
        from importlib import import_module

        return import_module(f"portable_conformance.counterparts.{name}")

    def unreachable(self, kind: str, scheme: str) -> str | None:
        """Return the address of a resource that does not exist, or None where the service makes it on first use."""
        return None

    def leftovers(self, address: str) -> Sequence[str]:
        """Name what writes that failed have left in the bucket at *address*: parts, temporary files."""
        return ()

    # Faults. Where the driver talks to its service over a socket, the suite puts a proxy of its own in between.

    def upstream(self, address: str) -> tuple[str, int] | None:
        """Return the host and port that the driver of *address* talks to; None where there is no such thing."""
        return None

    def through(self, address: str, host: str, port: int) -> str:
        """Return the address of the same resource, reached over the proxy that listens on *host* and *port*."""
        raise NotImplementedError

    def refusal(self, address: str, reason: str) -> tuple[int, Mapping[str, str], bytes]:
        """Return the service's own answer of a refusal: its status, headers and body.

        *reason* is `"throttled"`, `"failed"` (an internal error) or `"denied"`.
        """
        return {"throttled": 429, "failed": 500, "denied": 403}[reason], {}, b""

    # Events and HTTP. An invocation is the pair that the platform hands over: the raw event, its native context. Golden
    # files hold both as JSON; where the platform's are no JSON, the four methods below translate.

    def goldens(self) -> Sequence[str]:
        """Return folders with this provider's golden files; the suite has those of the providers that it comes with.

        A file is `<case>/<shape>.json`, with a case of the suite's own.
        """
        return ()

    def invocation(self, shape: str, document: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return the invocation that a golden file of this *shape* describes."""
        return document["raw"], document.get("context")

    def described(self, shape: str, answer: Any) -> Any:
        """Return *answer*, a codec's, as the JSON of a golden file."""
        return answer

    def runtime(self) -> str:
        """Return what `send` and `deliver` run the entry in, as the report has it: here no runtime of a vendor."""
        return "in-process"

    def http_shapes(self) -> Sequence[str]:
        """Return the shapes of HTTP that `rendered` can make, and their forms: `aws.http.v2`, `aws.http.v2~url`."""
        return ()

    def fronts(self) -> Sequence[str]:
        """Return what `send` can send a call through, by its `front`: whole apps are tested behind each of them."""
        return ("",)

    def rendered(self, shape: str, call: HttpCall) -> tuple[Any, Any]:
        """Return the invocation that the platform makes of *call*."""
        raise NotImplementedError

    def received(self, shape: str, answer: Any, call: HttpCall) -> Response:
        """Return what the client of *call* is sent for *answer*, a codec's."""
        raise NotImplementedError

    def event_shapes(self, trigger: str) -> Sequence[str]:
        """Return the shapes of *trigger*, one of EventCodec's, that `told` can make, and their forms."""
        return ()

    def told(self, shape: str, event: Event) -> Mapping[str, Any] | None:
        """Return the invocation by which the platform tells of *event*, as a golden file has it.

        Its "differs" names the fields that the shape cannot carry. None where the shape has no way to tell of *event*.
        """
        raise NotImplementedError

    def send(self, runner: Runner, call: HttpCall) -> Response:
        """Return what the client of *call* is sent by the provider's entry around *runner*.

        It runs in the vendor's own runtime, as far as that is published.
        """
        raise NotImplementedError

    def deliver(self, runner: Runner, shape: str, document: Mapping[str, Any]) -> Any:
        """Hand the invocation of a golden file to the provider's entry around *runner*; return its answer as JSON.

        Raises what tells the platform that the invocation failed.
        """
        return self.described(shape, runner(*self.invocation(shape, document)))
