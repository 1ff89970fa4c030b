"""Attributes of Pub/Sub's messages: what portable values need beyond what a message takes.

https://docs.cloud.google.com/pubsub/quotas#resource_limits: an attribute's value has at most 1,024 bytes, so a longer
one goes on in `name~1`, `name~2`; and no message is without both data and attributes, so one of nothing has `~`. No
portable attribute has a `~` in its name.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NOTHING = "~"
_PIECE = 1024


def written(attributes: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return the attributes that a message of *body* is sent with."""
    if not attributes:
        return {} if body else {NOTHING: "1"}
    found: dict[str, str] = {}
    for name, value in attributes.items():
        if len(value) * 4 <= _PIECE:
            found[name] = value
            continue
        content = value.encode()
        number = place = 0
        while number == 0 or place < len(content):
            end = min(place + _PIECE, len(content))
            while end < len(content) and content[end] & 0xC0 == 0x80:  # Within a character.
                end -= 1
            found[f"{name}~{number}" if number else name] = content[place:end].decode()
            number, place = number + 1, end
    return found


def read(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return what `written` was told; the attributes of other senders as they are."""
    if not any("~" in name for name in attributes):
        return dict(attributes)
    pieces = {name for name in attributes if name == NOTHING or _is_piece(name, attributes)}
    found = {name: value for name, value in attributes.items() if name not in pieces}
    for name in found:
        number = 1
        while f"{name}~{number}" in pieces:
            found[name] += attributes[f"{name}~{number}"]
            number += 1
    return found


def _is_piece(name: str, attributes: Mapping[str, str]) -> bool:
    whole, mark, number = name.rpartition("~")
    return bool(mark) and number.isdecimal() and whole in attributes
