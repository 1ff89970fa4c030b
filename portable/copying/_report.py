"""What came of a copy: counts, and by key what failed and what of it could not be carried."""

from __future__ import annotations

from threading import Lock

from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument, PortableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MOST_NOTES = 10_000
"""So many notes of each sort are kept; any more are counted."""
HOPELESS = 20
"""So many failures that are not the keys' own, before anything succeeded, end the copy."""


class Note(Value):
    """One thing that went wrong."""

    key: str
    why: str


class Report:
    """A copy's outcome; many threads add to it, and it may be read at any time."""

    def __init__(self, kind: str, source: str, target: str, *, verify: bool, dry_run: bool) -> None:
        self.kind = kind
        self.source = source
        self.target = target
        self.verify = verify
        self.dry_run = dry_run
        self.found = 0
        """Objects or items that the source gave so far."""
        self.copied = 0
        """Those written; in a dry run, those that would be."""
        self.unchanged = 0
        """Those that were there already."""
        self.failed = 0
        self.bytes = 0
        """Bytes of the bodies written."""
        self.moved = 0
        """Bytes read from the source so far, of bodies that are on their way too."""
        self.expected: tuple[int, int] | None = None
        """Objects and their bytes in the source, once they are counted."""
        self.lost = 0
        """How often a part of what was copied could not be carried."""
        self.failures: list[Note] = []
        self.losses: list[Note] = []
        self.checksums: tuple[int, int] | None = None
        """Of tables: the sums over all items read from the source, and over those read back from the target."""
        self.told: Callable[[str, Note], None] | None = None
        """Called with "failed" or "lost" and the note, as they come."""
        self._outside = 0
        self._lock = Lock()

    @property
    def ok(self) -> bool:
        """Whether everything was carried, and all of it."""
        return not (self.failed or self.lost)

    def add(self, *, found: int = 0, copied: int = 0, unchanged: int = 0, bytes: int = 0, moved: int = 0) -> None:
        """Count."""
        with self._lock:
            self.found += found
            self.copied += copied
            self.unchanged += unchanged
            self.bytes += bytes
            self.moved += moved

    def fail(self, key: str, error: PortableError) -> None:
        """Note that *key* was not copied. Raises *error* where nothing at all can be copied, it seems."""
        self._note("failed", self.failures, Note(key, str(error)))
        with self._lock:
            self.failed += 1
            self._outside += not isinstance(error, InvalidArgument)
            hopeless = self._outside >= HOPELESS and not (self.copied or self.unchanged)
        if hopeless:
            raise error

    def lose(self, key: str, what: str) -> None:
        """Note that *what* of *key* could not be carried."""
        self._note("lost", self.losses, Note(key, what))
        with self._lock:
            self.lost += 1

    def sum_up(self, source: int, target: int) -> None:
        """Add to the checksums."""
        with self._lock:
            before = self.checksums or (0, 0)
            self.checksums = ((before[0] + source) % (1 << 256), (before[1] + target) % (1 << 256))

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can say it."""
        result: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                *("ok", "kind", "source", "target", "dry_run", "verify"),
                *("found", "copied", "unchanged", "failed", "lost", "bytes"),
            )
        }
        if self.checksums is not None:
            result["checksums"] = dict(
                zip(("source", "target"), (f"{sum:064x}" for sum in self.checksums), strict=True)
            )
        for name, notes in (("failures", self.failures), ("losses", self.losses)):
            result[name] = [{"key": note.key, "why": note.why} for note in notes]
        return result

    def _note(self, word: str, notes: list[Note], note: Note) -> None:
        with self._lock:
            if len(notes) < MOST_NOTES:
                notes.append(note)
        if self.told is not None:
            self.told(word, note)
