"""The lines of `portable run`."""

from __future__ import annotations

import io

import pytest

from portable.dev.console import Console, Invocation

DONE = Invocation("POST", "/threads/welcome/entries", "201", 0.0034, "4f1c09aa77")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def shown(stream: io.StringIO, done: Invocation = DONE) -> str:
    Console(stream).show(done)
    return stream.getvalue()


def test_a_line_has_the_trigger_the_path_the_status_the_time_and_the_id() -> None:
    assert shown(io.StringIO()).split()[1:] == ["POST", "/threads/welcome/entries", "201", "3", "ms", "4f1c09aa"]


def test_a_pipe_gets_no_colours() -> None:
    assert "\x1b" not in shown(io.StringIO())


def test_a_terminal_gets_colours() -> None:
    assert "\x1b[32m" in shown(Terminal())


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_wants_no_colours_gets_none(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)

    assert "\x1b" not in shown(Terminal())


@pytest.mark.parametrize(
    ("status", "colour"),
    [("200", 32), ("ok", 32), ("302", 36), ("404", 33), ("retried", 33), ("500", 31), ("failed", 31)],
)
def test_the_colour_tells_the_status(status: str, colour: int) -> None:
    assert f"\x1b[{colour}m" in shown(Terminal(), DONE.replace(status=status))


def test_a_path_cannot_forge_a_line_or_an_escape() -> None:
    assert shown(io.StringIO(), DONE.replace(what="/a\n00:00:00  GET /b\x1b[2J")).count("\n") == 1


def test_a_long_path_is_shortened_in_its_middle() -> None:
    line = shown(io.StringIO(), DONE.replace(what="/photos/" + "x" * 200 + "/the-end.jpg"))

    assert len(line) == len(shown(io.StringIO()))
    assert "/photos/xx" in line
    assert "…" in line
    assert "/the-end.jpg" in line


def test_what_the_stream_cannot_encode_is_escaped() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(stream).show(DONE.replace(what="/é"))
    stream.seek(0)

    assert "/\\xe9" in stream.read()


def test_a_stream_that_is_gone_is_no_error() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    Console(Gone()).show(DONE)
