"""Every process of a test run shares the servers that one of them starts."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    from portable_conformance.counterparts import _servers

    if not hasattr(config, "workerinput") and _servers.begin():
        config.add_cleanup(_servers.end)
