"""Carry a bucket or a table to another one, of any service: what `portable copy` does.

    report = Copy("s3://old/photos", "gs://new/photos").run()

What is there already is not written again, so that a copy that was stopped, by `kill -9` too, goes on when it is run
again. What was written is read back and compared. What cannot be carried is reported, and the rest goes on.
"""

from __future__ import annotations

from portable.copying._places import Place, place
from portable.copying._report import Note, Report
from portable_contracts.errors import InvalidArgument
from portable_contracts.provider import Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable.copying._items import Items
    from portable.copying._objects import Objects

__all__ = ["Copy", "Note", "Report"]

PARALLEL = 8
"""Objects, or batches of items, on their way at once."""


class Copy:
    """One copy; `report` tells how far it is, while it runs and when it has ended."""

    def __init__(
        self,
        source: str,
        target: str,
        *,
        opening: Opening | None = None,
        parallel: int = PARALLEL,
        verify: bool = True,
        dry_run: bool = False,
        journal: str | None = None,
    ) -> None:
        """Prepare to carry what is at the address *source* to *target*; nothing is sent yet.

        *journal* names the file that remembers which objects are copied and verified; by default one in the folder of
        local data. With *dry_run* nothing is written; without *verify* nothing is read back.

        Raises InvalidArgument for addresses that cannot be copied to each other.
        """
        if type(parallel) is not int or not 1 <= parallel <= 256:
            raise InvalidArgument(f"parallel is {parallel!r}: it is a whole number from 1 to 256")
        opening = opening or Opening()
        begin, end = place(source, opening), place(target, opening)
        _check(begin, end)
        self.report = Report(begin.kind, source, target, verify=verify, dry_run=dry_run)
        self._work: Objects | Items
        if begin.kind == "bucket":
            from portable.copying._journal import journal_for
            from portable.copying._objects import Objects

            remembered = None if dry_run else journal_for(begin, end, journal, opening)
            self._work = Objects(begin, end, self.report, remembered, parallel)
        else:
            from portable.copying._items import Items

            self._work = Items(begin, end, self.report, parallel)

    def run(self) -> Report:
        """Carry everything, and report. Raises PortableError where source or target cannot be used at all."""
        self._work.run()
        return self.report

    def measure(self) -> None:
        """Count what there is to carry into the report, where that is cheap: for buckets, from the listing alone."""
        self._work.measure()


def _check(source: Place, target: Place) -> None:
    if source.kind != target.kind:
        raise InvalidArgument(
            f"{source.text} is a {source.kind} and {target.text} a {target.kind}: copy between two of one kind"
        )
    if source.base != target.base:
        return
    if source.prefix.startswith(target.prefix) or target.prefix.startswith(source.prefix):
        raise InvalidArgument(f"{source.text} and {target.text} overlap: the copy would become part of what is copied")
