"""What can be written as an object: bytes, text, a binary file, or bytes that come piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Protocol, TypeAlias

    from portable._driving import Resource

    class BinaryFile(Protocol):
        def read(self, size: int, /) -> bytes: ...

    Bytes: TypeAlias = bytes | bytearray | memoryview
    Body: TypeAlias = Bytes | str | BinaryFile | Iterable[Bytes]

_READ_SIZE = 1 << 20


def whole(body: object) -> bytes | None:
    """Return the bytes of a *body* that is at hand, None for any other. Raises UnicodeEncodeError for broken text."""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body)
    return None


def pieces(body: Any) -> tuple[Callable[[], Iterator[object]], bool] | None:
    """Return what starts to give *body* piece by piece, and whether it can start again; None for what is no body."""
    if callable(getattr(body, "read", None)):
        return _pieces_of_file(body)
    if isinstance(body, Iterable) and not isinstance(body, Mapping):
        # What is its own iterator is used up by one pass; a list is not.
        return lambda: iter(body), iter(body) is not body
    return None


def _pieces_of_file(file: Any) -> tuple[Callable[[], Iterator[object]], bool]:
    try:
        begin = file.tell() if file.seekable() else None
    except (AttributeError, OSError):
        begin = None

    def start() -> Iterator[object]:
        if begin is not None:
            file.seek(begin)
        while (piece := file.read(_READ_SIZE)) != b"":
            yield piece

    return start, begin is not None


class Source:
    """A body that a driver reads: `read(n)` gives exactly *n* bytes, fewer only at the end."""

    def __init__(self, bucket: Resource, operation: str, pieces: Iterator[object]) -> None:
        self._bucket = bucket
        self._operation = operation
        self._pieces = pieces
        self._taken = 0
        self._rest = memoryview(b"")
        self.failure: Exception | None = None
        """What the body raised: its writer's own error, not the service's."""

    def read(self, size: int, /) -> bytes:
        got: list[memoryview] = []
        missing = size
        while missing and (self._rest or self._take()):
            got.append(self._rest[:missing])
            self._rest = self._rest[missing:]
            missing -= len(got[-1])
        return b"".join(got)

    def _take(self) -> bool:
        """Take the next piece that is not empty; return whether there was one."""
        try:
            for piece in self._pieces:
                if not isinstance(piece, (bytes, bytearray, memoryview)):
                    raise self._not_bytes(piece)
                if piece:
                    break
            else:
                return False
        except Exception as error:
            self.failure = error
            raise
        # A copy of what its owner may change or resize while it waits here.
        taken = bytes(piece)
        self._taken += len(taken)
        if self._taken > self._bucket._connection.capabilities.max_bytes:
            raise self._bucket._limit("max_bytes", self._taken, "body", self._operation)
        self._rest = memoryview(taken)
        return True

    def _not_bytes(self, piece: object) -> Exception:
        hint = ": encode it, or open the file in binary mode" if isinstance(piece, str) else ""
        return self._bucket._invalid(
            self._operation, f"the body gave a piece of type {type(piece).__name__}, not bytes{hint}"
        )
