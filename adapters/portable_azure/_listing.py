"""The order of a listing: the service's is that of UTF-16, ours that of UTF-8.

They differ where, behind the same beginning, one name goes on with a character beyond U+FFFF, which UTF-16 writes as
two units from U+D800 on, and another with one from U+E000 to U+FFFF. The names that share such a beginning and go on
with either come as one *run*. Only a run that has both, an emoji beside a full-width letter, is out of order, and only
such a one has to be read whole before its first name can be given.

The service promises no more than "alphabetical order"; that it is UTF-16's is what people found who wrote a blob with
every character (https://github.com/blobfile/blobfile/pull/238). Nothing here breaks if it is UTF-8's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

HIGH = "\ue000"
"""The first character that UTF-16 puts behind those beyond U+FFFF, the `ASTRAL` ones, and UTF-8 before them."""
ASTRAL = "\U00010000"


def is_plain(names: Iterable[str]) -> bool:
    """Say whether the two orders are one for *names*."""
    return all(name.isascii() or max(name) < HIGH for name in names)


def last_of(names: Iterable[str]) -> str:
    """Return the last of *names* in the order of UTF-16."""
    return max(names, key=lambda name: name.encode("utf-16-be"))


def open_run(names: Sequence[str], has_high: Callable[[str], bool]) -> str | None:
    """Return what begins the names of the run that goes on behind *names* and is out of order; None where none is.

    *names* are those of whole pages. *has_high* says whether any name begins with its argument and goes on with a
    character from U+E000 to U+FFFF.
    """
    last = last_of(names)
    for place, character in enumerate(last):
        if character < HIGH:
            continue
        stem = last[:place]
        if character >= ASTRAL:
            if has_high(stem):
                return stem
        elif any(name.startswith(stem) and name[place : place + 1] >= ASTRAL for name in names):
            return stem
    return None
