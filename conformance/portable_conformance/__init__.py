"""The proof that an adapter behaves as the contracts say: `pytest --pyargs portable_conformance --provider NAME`.

Works from any folder, for every installed adapter that names a harness, a stranger's as well as ours. How a suite
module is written is told in `portable_conformance.plugin`.
"""

from __future__ import annotations

import pytest

contract = pytest.mark.portable_contract
"""`pytestmark = contract("table")`: what a suite module tests. Its tests run once per scheme of that kind."""
needs = pytest.mark.portable_needs
"""`@needs("delay")`, `@needs("sign:GET")`: run where the capability is declared; elsewhere report it unsupported."""
without = pytest.mark.portable_without
"""`@without("delay")`: run where the capability is not declared, and show that asking for it is refused."""
wired = pytest.mark.portable_wired
"""`@wired`, of a class or a test: run where the driver talks to a service, over a wire that can break."""

__all__ = ["contract", "needs", "wired", "without"]
