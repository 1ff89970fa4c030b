"""An object being read: the stream that `Bucket.open` gives, which outlives a lost connection."""

from __future__ import annotations

from portable._driving import call
from portable_contracts.blob import BlobStream
from portable_contracts.errors import InvalidArgument, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from portable._driving import Resource
    from portable_contracts.blob import BlobDriver


class BlobReader(BlobStream):
    """The bytes of one version of an object, in order; `info` describes it.

    Iterate over it for chunks of at most a few MiB, or `read(n)`. When the connection is lost it goes on, by a new one,
    from the same byte of the same version. It raises Conflict or NotFound when that version is gone by then, and
    Unavailable when the service stays away. Close it, or use it in a `with` block, unless you read it to its end.
    """

    def __init__(self, bucket: Resource, operation: str, key: str, start: int, stop: int | None) -> None:
        self._bucket = bucket
        self._operation = operation
        self._driver: BlobDriver = bucket._connection.driver
        self._key = key
        self._stream: BlobStream = call(
            bucket, operation, repr(key), True, self._driver.open, key, start=start, stop=stop, if_version=None
        )
        self.info = self._stream.info
        self._position = start
        self._end = self.info.size if stop is None else min(stop, self.info.size)
        self._rest = memoryview(b"")
        self._closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        chunk = bytes(self._rest) or self._take()
        self._rest = memoryview(b"")
        if not chunk:
            raise StopIteration
        return chunk

    def read(self, size: int = -1, /) -> bytes:
        """Return the next *size* bytes, fewer only at the end, none after it; without *size* all that are left."""
        got: list[memoryview] = []
        missing = self._end if size is None or size < 0 else size
        while missing:
            # A view, for the rest of a chunk is not copied again and again by small reads.
            self._rest = self._rest or memoryview(self._take())
            if not self._rest:
                break
            got.append(self._rest[:missing])
            self._rest = self._rest[missing:]
            missing -= len(got[-1])
        return b"".join(got)

    def close(self) -> None:
        """Free the connection; more than once does nothing."""
        self._closed = True
        self._rest = memoryview(b"")
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self) -> bytes:
        """Return the next chunk from the service; empty at the end."""
        if self._closed:
            raise InvalidArgument(f"the stream of {self._key!r} in {self._bucket} is closed: open the object again")
        if self._position >= self._end:
            self._stream.close()
            return b""
        try:
            chunk = self._chunk()
        except Exception as error:
            chunk = self._go_on_after(error)
        self._position += len(chunk)
        return chunk

    def _chunk(self) -> bytes:
        for chunk in self._stream:
            if chunk:
                return chunk
        # Some clients take a connection that was cut for the end of the answer.
        raise Unavailable(f"{self._operation} {self._key!r} in {self._bucket}: cut at byte {self._position:,}")

    def _go_on_after(self, error: Exception) -> bytes:
        """Return the next chunk from a new stream, if *error* is one that trying again may mend."""
        first: list[Exception] = [error]

        def attempt() -> bytes:
            if first:
                raise first.pop()
            self._stream.close()
            self._stream = self._driver.open(
                self._key, start=self._position, stop=self._end, if_version=self.info.version
            )
            return self._chunk()

        return call(self._bucket, self._operation, repr(self._key), True, attempt)
