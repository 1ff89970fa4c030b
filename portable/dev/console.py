"""One line per invocation, as `portable run` prints them.

    21:50:03  POST     /threads/welcome/entries                             201     3 ms  4f1c09aa
    21:50:03  message  thumbs                                                ok    41 ms  b7d20e13

The last word is the beginning of the invocation's id, under which its failure is logged.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime

from portable_contracts._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

_WIDTH = 48
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}


class Invocation(Value):
    """One finished invocation."""

    trigger: str
    """The HTTP method in capitals, or `"message"`, `"blob"`, `"change"`, `"schedule"`, `"event"`."""
    what: str
    """The path, or the resource's or schedule's name."""
    status: str
    """`"200"`, `"ok"`, `"failed"`, `"retried"`."""
    seconds: float
    id: str


class Console:
    """Writes lines to *stream*, standard output by default; with colours on a terminal, unless NO_COLOR is set."""

    def __init__(self, stream: TextIO | None = None, *, colours: bool | None = None) -> None:
        self._stream = stream or sys.stdout
        self._colours = self._wants_colours() if colours is None else colours

    def _wants_colours(self) -> bool:
        return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and self._stream.isatty()

    def paint(self, text: str, colour: str) -> str:
        """Return *text* in *colour*, or as it is where colours are not wanted."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._colours else text

    def say(self, line: str = "") -> None:
        """Write *line* at once and whole, whichever thread says it, as far as the stream can show it."""
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except UnicodeEncodeError:
            self.say(line.encode("ascii", "backslashreplace").decode())
        except OSError:
            pass  # The terminal or the pipe is gone: what is served does not fail for that.

    def show(self, done: Invocation) -> None:
        """Write the line of a finished invocation."""
        now = datetime.fromtimestamp(time.time()).astimezone()
        self.say(
            f"{self.paint(f'{now:%H:%M:%S}', 'dim')}  {done.trigger:<8} {_fitting(done.what):<{_WIDTH}} "
            f"{self.paint(f'{done.status:>7}', _colour(done.status))} {_duration(done.seconds):>8}"
            f"  {self.paint(done.id[:8], 'dim')}"
        )


def _fitting(what: str) -> str:
    """Return *what* without characters that act on a terminal, its middle left out where it is long."""
    shown = what if what.isprintable() else what.encode("unicode_escape").decode()
    return shown if len(shown) <= _WIDTH else f"{shown[: _WIDTH - 20]}…{shown[-19:]}"


def _colour(status: str) -> str:
    if status == "failed" or status.startswith("5"):
        return "red"
    if status == "retried" or status.startswith("4"):
        return "yellow"
    return "cyan" if status.startswith("3") else "green"


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"
