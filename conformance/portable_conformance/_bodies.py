"""Bodies for the blob suite: bytes that differ at every place, at once or chunk by chunk, and bodies that fail."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
_SQUARES = bytes(number * number % 251 for number in range(65_521))
"""Its length is a prime, so no power-of-two chunk of its repetitions equals another nearby."""


def pattern(size: int) -> bytes:
    """Return *size* bytes, always the same ones, in which a chunk that is lost, doubled or moved shows."""
    return (_SQUARES * (size // len(_SQUARES) + 1))[:size]


def patterned(size: int, chunk: int = MIB) -> Iterator[bytes]:
    """Yield the bytes of `pattern(size)` in chunks of *chunk*, of which the last may be shorter."""
    doubled = _SQUARES * (chunk // len(_SQUARES) + 2)
    for start in range(0, size, chunk):
        offset = start % len(_SQUARES)
        yield doubled[offset : offset + min(chunk, size - start)]


class BodyFailed(Exception):
    """What `failing` raises; nothing else does."""


def failing(after: int, chunk: int = MIB) -> Iterator[bytes]:
    """Yield *after* bytes, then raise BodyFailed."""
    yield from patterned(after, chunk)
    raise BodyFailed
