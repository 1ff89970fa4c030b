"""Reading JSON at half the cost of `json.loads`, which looks at its options and at the white space around each time."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_scan: Any = None
"""What `JSONDecoder.raw_decode` is around."""


def read_json(document: bytes | str) -> Any:
    """Return what `json.loads` returns. Raises what that raises: ValueError, RecursionError."""
    global _scan
    if _scan is None:
        from json import JSONDecoder

        decoder: Any = JSONDecoder()
        _scan = decoder.scan_once
    try:
        text = document if isinstance(document, str) else document.decode()
        value, end = _scan(text, 0)
        if end == len(text):
            return value
    except (ValueError, StopIteration):
        pass
    from json import loads

    return loads(document)
