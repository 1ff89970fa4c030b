"""Values as JSON that `redis-cli` can show, and back without loss.

Bytes are `{"$bytes": "<base64>"}`; a key of the user's that begins with `$` gets one more, so that no map is taken
for bytes. The same value is always the same text, without spaces: `increment` finds a field by its text.
"""

from __future__ import annotations

import json
from binascii import a2b_base64, b2a_base64
from typing import Any

# Values were measured: they have no cycle and no NaN.
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode


def dump(value: Any) -> str:
    """Return *value* as JSON."""
    try:
        text = _encode(value)
    except TypeError:  # There are bytes in it, which JSON does not know.
        return _encode(_marked(value))
    return _encode(_marked(value)) if '"$' in text else text


def load(text: str) -> Any:
    """Return the value that `dump` was given."""
    return json.loads(text, object_hook=_unmarked) if '"$' in text else _decode(text)[0]


def name(field: str) -> str:
    """Return the name of a map's field as `dump` writes it."""
    return _encode(f"${field}" if field[:1] == "$" else field)


def _marked(value: Any) -> Any:
    kind = type(value)
    if kind is bytes:
        return {"$bytes": b2a_base64(value, newline=False).decode()}
    if kind is list:
        return [_marked(entry) for entry in value]
    if kind is dict:
        return {f"${key}" if key[:1] == "$" else key: _marked(entry) for key, entry in value.items()}
    return value


def _unmarked(found: dict[str, Any]) -> Any:
    if "$bytes" in found:
        return a2b_base64(found["$bytes"])
    return {key[1:] if key[:1] == "$" else key: entry for key, entry in found.items()}
