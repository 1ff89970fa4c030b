"""The page of limits says what the records say."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_of_limits_is_current() -> None:
    page = runpy.run_path(str(DOCS / "make_limits.py"))["page"]

    assert (DOCS / "limits.md").read_text() == page(), "run python docs/make_limits.py"
