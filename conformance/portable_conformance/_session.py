"""One run of the suite against one provider: which tests run, on which schemes, and what came of them."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

import pytest

from portable import registry
from portable._nearest import nearest
from portable_conformance.report import Report, Result
from portable_contracts.errors import InvalidArgument
from portable_contracts.harness import MissingCounterpart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from typing import Any, NoReturn, TypeVar

    from portable_conformance.counterparts.faults import Proxy
    from portable_contracts.harness import Harness
    from portable_contracts.limits import Capabilities

    T = TypeVar("T")

RESOURCES = ("bucket", "table", "queue")
UNSUPPORTED = "unsupported: "


class Session:
    """What `--provider` set going; registered as a plugin."""

    def __init__(self, config: pytest.Config, name: str) -> None:
        try:
            self.provider = registry.provider(name)
        except InvalidArgument as error:
            raise pytest.UsageError(f"--provider: {error}") from error
        if not self.provider.harness:
            raise pytest.UsageError(
                f'the provider {name} names no harness: give its Provider harness="module:Class", '
                "a portable_contracts.harness.Harness"
            )
        self.chosen: Sequence[str] = config.getoption("--scheme") or ()
        for scheme in self.chosen:
            if scheme not in self._known_schemes():
                raise pytest.UsageError(
                    f"--scheme: {name} has no {scheme!r}{nearest(scheme, self._known_schemes())}; "
                    f"it has {', '.join(self._known_schemes())}"
                )
        self.file: str | None = config.getoption("--portable-report")
        if self.file is not None and not self.file.endswith((".json", ".html")):
            raise pytest.UsageError(f"--portable-report {self.file}: end the name in .json or .html; both are written")
        self.report = Report(self.provider.name)
        self._harness: Harness | None = None
        self.proxies: dict[tuple[str, int], Proxy] = {}
        """By what they stand in front of."""

    @property
    def harness(self) -> Harness:
        """The provider's harness, made when it is first asked for: never in the process that leads an xdist run."""
        harness = self._harness
        if harness is None:
            harness = self._harness = registry.load(self.provider.harness)().__enter__()
        return harness

    def schemes(self, kind: str) -> Sequence[str]:
        """Return the schemes to test for *kind*; "http" and "events" have the one, nameless scheme ""."""
        if kind == "http":
            return [""] if self.provider.http_codecs and not self.chosen else []
        if kind == "events":
            return [""] if self.provider.event_codecs and not self.chosen else []
        return [scheme for scheme in self.harness.schemes(kind) if not self.chosen or scheme in self.chosen]

    def _known_schemes(self) -> Sequence[str]:
        return sorted({*self.provider.buckets, *self.provider.tables, *self.provider.queues})

    def capabilities(self, kind: str, scheme: str) -> Capabilities | None:
        """Return what the provider declares, else what its driver does."""
        declared = registry.capabilities(self.provider, f"{kind}:{scheme}" if scheme else kind)
        if declared is None and kind in RESOURCES:
            declared = registry.driver_class(kind, scheme).capabilities
        return declared

    def is_far(self, scheme: str) -> bool:
        """Say whether a service over a wire stands behind *scheme*."""
        return self.harness.evidence(scheme) != "in-process"

    def counterpart(self, ask: Callable[[], T]) -> T:
        """Return what *ask*, a call of the harness, gives; skip the test where the counterpart is missing."""
        try:
            return ask()
        except MissingCounterpart as missing:
            _without_counterpart(str(missing))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        marker = metafunc.definition.get_closest_marker("portable_contract")
        if marker is None:
            return
        if marker.args[0] in RESOURCES and "scheme" not in metafunc.fixturenames:
            metafunc.fixturenames.append("scheme")  # A fact of a service, though the test makes no resource there.
        if "scheme" in metafunc.fixturenames:
            schemes = self.schemes(marker.args[0])
            metafunc.parametrize("scheme", schemes, ids=[scheme or self.provider.name for scheme in schemes])

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        left_out = [item for item in items if not self._select(item)]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item not in set(left_out)]

    def _select(self, item: pytest.Item) -> bool:
        marker = item.get_closest_marker("portable_contract")
        if marker is None or not isinstance(item, pytest.Function):
            return True
        kind = marker.args[0]
        callspec = getattr(item, "callspec", None)
        scheme = callspec.params.get("scheme", "") if callspec else ""
        capabilities = self.capabilities(kind, scheme)
        if any(_has(capabilities, word) for word in _words(item, "portable_without")):
            return False
        if item.get_closest_marker("portable_wired") and not self.is_far(scheme):
            return False
        missing = [word for word in _words(item, "portable_needs") if not _has(capabilities, word)]
        if missing:
            item.add_marker(pytest.mark.skip(reason=f"{UNSUPPORTED}{', '.join(missing)}"))
        case = callspec.id.removeprefix(scheme or self.provider.name).lstrip("-") if callspec else ""
        result = Result(
            contract=kind,
            scheme=scheme,
            evidence=self.harness.evidence(scheme) if scheme else self.harness.runtime(),
            area=item.parent.name.removeprefix("Test") if isinstance(item.parent, pytest.Class) else "",
            behaviour=item.originalname.removeprefix("test_").replace("_", " "),
            case=case,
        )
        item.user_properties.append(("portable", result.as_dict()))
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        with _time_limit(float(os.environ.get("PORTABLE_CONFORMANCE_SECONDS", "300"))):
            try:
                yield
            except MissingCounterpart as missing:
                _without_counterpart(str(missing))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == "portable" and isinstance(value, dict):
                self.report.add(value, *_outcome(report))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        for proxy in self.proxies.values():
            proxy.close()
        if self._harness is not None:
            self._harness.__exit__(None, None, None)
            self._harness = None
        if not hasattr(session.config, "workerinput") and self.file is not None:
            for kind, scheme in self.report.adapters():
                self.report.declare(kind, scheme, self.capabilities(kind, scheme))
            self.report.write(self.file)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section("portable conformance")
        for line in self.report.summary():
            terminalreporter.line(line)


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Make the test fail after so many seconds: a driver that loops for ever must not stop the whole run."""

    def give_up(*_: object) -> None:
        pytest.fail(f"took longer than {seconds:g} s (PORTABLE_CONFORMANCE_SECONDS)")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _words(item: pytest.Item, marker: str) -> list[str]:
    return [word for mark in item.iter_markers(marker) for word in mark.args]


def _has(capabilities: Any, word: str) -> bool:
    field, _, member = word.partition(":")
    promised = getattr(capabilities, field)
    return member in promised if member else bool(promised)


def _outcome(report: pytest.TestReport) -> tuple[str, str]:
    """Return the outcome of one phase of a test, "" where it says nothing, and the reason."""
    if report.failed:
        return "fail", report.longreprtext.strip().rpartition("\n")[2]
    if report.skipped:
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if reason.startswith(UNSUPPORTED):
            return "unsupported", reason.removeprefix(UNSUPPORTED)
        return "skipped", reason
    return ("pass", "") if report.when == "call" else ("", "")


def _without_counterpart(reason: str) -> NoReturn:
    if os.environ.get("PORTABLE_REQUIRE_COUNTERPARTS") == "1":
        pytest.fail(f"a counterpart is missing, and PORTABLE_REQUIRE_COUNTERPARTS=1: {reason}", pytrace=False)
    pytest.skip(reason)
