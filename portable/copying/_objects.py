"""Carry the objects of a bucket."""

from __future__ import annotations

from hashlib import sha256
from threading import Event

from portable import _blob_grammar as grammar
from portable.copying._parallel import side_by_side
from portable_contracts._value import Value
from portable_contracts.blob import WriteOptions
from portable_contracts.errors import Conflict, InvalidArgument, PortableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from portable._blob_stream import BlobReader
    from portable.blob import Bucket
    from portable.copying._journal import Journal
    from portable.copying._places import Place
    from portable.copying._report import Report
    from portable_contracts.blob import BlobInfo

ATTEMPTS = 3
"""How often an object is copied that others write to meanwhile."""


class Task(Value):
    """One object to carry."""

    entry: BlobInfo
    """As the source lists it."""
    key: str
    """Its key in the target."""
    there: BlobInfo | None
    """What the target lists under that key."""


class Stopped(Exception):
    """The copy was told to end."""


class Objects:
    """The copy of a bucket."""

    def __init__(self, source: Place, target: Place, report: Report, journal: Journal | None, parallel: int) -> None:
        self._source: Bucket = source.resource  # type: ignore[assignment]  # of this kind are both places
        self._target: Bucket = target.resource  # type: ignore[assignment]  # likewise
        self._source_prefix = source.prefix
        self._target_prefix = target.prefix
        self._report = report
        self._journal = journal
        self._parallel = parallel
        self._stopping = Event()

    def run(self) -> None:
        if self._journal is not None:
            self._journal.open()
        try:
            side_by_side(self._tasks(), self._carry, self._parallel, self._stopping)
        finally:
            self._stopping.set()
            if self._journal is not None:
                self._journal.close()

    def measure(self) -> None:
        count = size = 0
        for entry in self._source.list(self._source_prefix):
            count, size = count + 1, size + entry.size
            if self._stopping.is_set():
                return
        self._report.expected = (count, size)

    def _tasks(self) -> Iterator[Task]:
        """Walk through both listings, which are in the same order, so that neither is ever held."""
        others = iter(self._target.list(self._target_prefix))
        there = next(others, None)
        for entry in self._source.list(self._source_prefix):
            key = self._target_prefix + entry.key[len(self._source_prefix) :]
            while there is not None and there.key < key:
                there = next(others, None)
            yield Task(entry, key, there if there is not None and there.key == key else None)

    def _carry(self, task: Task) -> None:
        if self._stopping.is_set():
            return
        self._report.add(found=1)
        try:
            self._check(task)
            losses = self._remembered(task)
            if losses is not None:
                self._report.add(unchanged=1)
            elif self._report.dry_run:
                losses = self._would_copy(task)
            else:
                losses = self._copy(task)
        except Stopped:
            return
        except PortableError as error:
            self._report.fail(task.entry.key, error)
            return
        for what in losses:
            self._report.lose(task.entry.key, what)

    def _check(self, task: Task) -> None:
        """Raise InvalidArgument for a key that the source or the target does not take, or a body that is too large."""
        fault = grammar.key_fault(task.entry.key)
        if fault is not None:
            raise InvalidArgument(f"{fault}, so it cannot be read")
        self._target._check_key(task.key, "copy")
        if task.entry.size > self._target._connection.capabilities.max_bytes:
            raise self._target._limit("max_bytes", task.entry.size, "body", "copy")

    def _remembered(self, task: Task) -> Sequence[str] | None:
        if self._journal is None or task.there is None:
            return None
        return self._journal.losses(task.key, task.entry, task.there, verified=self._report.verify)

    def _would_copy(self, task: Task) -> Sequence[str]:
        losses: list[str] = []
        self._carried(self._source.info(task.entry.key), losses)
        self._report.add(copied=1, bytes=task.entry.size)
        return losses

    def _copy(self, task: Task) -> Sequence[str]:
        attempt = 1
        while True:
            try:
                with Body(self._source, task.entry.key, self._stopping, self._report) as body:
                    return self._copy_body(task, body)
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
                attempt += 1

    def _copy_body(self, task: Task, body: Body) -> Sequence[str]:
        losses: list[str] = []
        options = self._carried(body.info, losses)
        there = None if task.there is None else self._equal(task, body, options)
        if there is not None:
            self._report.add(unchanged=1)
        else:
            there = self._target.write(task.key, body, content_type=options.content_type, metadata=options.metadata)
            if self._report.verify:
                there = self._verified(there, body, options, losses)
            self._report.add(copied=1, bytes=body.info.size)
        if self._journal is not None:
            self._journal.done(task.key, body.info, there, losses, verified=self._report.verify)
        return losses

    def _carried(self, info: BlobInfo, losses: list[str]) -> WriteOptions:
        """Return what the target can be given of content type and metadata; add what it cannot to *losses*."""
        content_type = info.content_type
        if grammar.content_type_fault(content_type) is not None:
            losses.append(f"the content type {content_type!r}")
            content_type = grammar.type_of(info.key)
        room = self._target._connection.capabilities.max_metadata_bytes
        metadata = {}
        for name, value in info.metadata.items():
            fault = grammar.metadata_fault({name: value})
            size = 0 if fault else grammar.utf8_length(name) + grammar.utf8_length(value)
            if fault is not None:
                losses.append(fault)
            elif size > room:
                losses.append(f"the metadata {name!r}: the target takes no more of it")
            else:
                metadata[name] = value
                room -= size
        return WriteOptions(content_type, metadata)

    def _equal(self, task: Task, body: Body, options: WriteOptions) -> BlobInfo | None:
        """Return what is in the target if it is what would be written, by its bytes too."""
        if task.there is None or task.there.size != body.info.size:
            return None
        with Body(self._target, task.key, self._stopping) as other:
            if (other.info.content_type, other.info.metadata) != (options.content_type, options.metadata):
                return None
            return other.info if other.sum() == body.sum() else None

    def _verified(self, written: BlobInfo, body: Body, options: WriteOptions, losses: list[str]) -> BlobInfo:
        """Read back what was *written*. Raises PortableError where it has other bytes than *body* had."""
        with Body(self._target, written.key, self._stopping) as back:
            if back.info.version != written.version:
                raise Conflict(f"{written.key!r} in {self._target} was written by somebody else during the copy")
            if back.sum() != body.digest:
                raise PortableError(f"{written.key!r} in {self._target} was read back with other bytes than were sent")
            if back.info.content_type != options.content_type:
                losses.append(f"the content type {options.content_type!r}: it became {back.info.content_type!r}")
            losses.extend(
                f"the metadata {name!r}"
                for name in options.metadata
                if back.info.metadata.get(name) != options.metadata[name]
            )
            return back.info


class Body:
    """An object's bytes, from the beginning each time that it is iterated over: a write may be tried again."""

    def __init__(self, bucket: Bucket, key: str, stopping: Event, report: Report | None = None) -> None:
        self._bucket = bucket
        self._key = key
        self._stopping = stopping
        self._report = report
        self._stream: BlobReader | None = bucket.open(key)
        self.info = self._stream.info
        self.digest = b""
        """The SHA-256 of all that the last iteration gave."""

    def __iter__(self) -> Iterator[bytes]:
        stream = self._stream or self._bucket.open(self._key)
        self._stream = None
        with stream:
            if stream.info.version != self.info.version:
                raise Conflict(f"{self._key!r} in {self._bucket} was written by somebody else during the copy")
            found = sha256()
            for chunk in stream:
                if self._stopping.is_set():
                    raise Stopped
                found.update(chunk)
                if self._report is not None:
                    self._report.add(moved=len(chunk))
                yield chunk
            self.digest = found.digest()

    def sum(self) -> bytes:
        """Return the SHA-256 of all bytes."""
        for _ in self:
            pass
        return self.digest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()
