"""Every process of a test run shares the servers that one of them starts; where none may be missing, a skip fails."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

from portable_contracts.harness import MissingCounterpart


def pytest_configure(config: pytest.Config) -> None:
    from portable_conformance.counterparts import _servers

    if not hasattr(config, "workerinput") and _servers.begin():
        config.add_cleanup(_servers.end)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and call.excinfo is not None and os.environ.get("PORTABLE_REQUIRE_COUNTERPARTS") == "1":
        missing = call.excinfo.value.__context__
        if isinstance(missing, MissingCounterpart):
            report.outcome = "failed"
            report.longrepr = f"a counterpart is missing, and PORTABLE_REQUIRE_COUNTERPARTS=1: {missing}"
    return report
