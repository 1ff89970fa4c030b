"""What the README and docs/ show works: the README's app runs, blocks are Python, links and commands are there."""

from __future__ import annotations

import ast
import re
import sys
import types
from pathlib import Path

import pytest

from portable.testing import client

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+?)(?:#[^)]*)?\)")


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text())


def test_the_readmes_app_shortens_links(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("shortener")
    monkeypatch.setitem(sys.modules, "shortener", module)
    exec(blocks(ROOT / "README.md")[0], module.__dict__)

    with client(module.app) as shortener:
        assert shortener.put("/docs", json={"to": "https://example.com/"}).status == 201
        assert shortener.get("/docs").headers["location"] == "https://example.com/"
        assert shortener.get("/nothing").status == 404
        assert module.links.get("docs").value == {"to": "https://example.com/", "visits": 1}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_block_is_python(page: Path) -> None:
    for block in blocks(page):
        ast.parse(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_there(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]

    assert missing == []


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"`portable ([a-z]+)", (ROOT / "docs/configuration.md").read_text())))
)
def test_every_command_in_the_docs_is_there(command: str) -> None:
    from portable.cli.commands import commands

    assert command in commands.commands
