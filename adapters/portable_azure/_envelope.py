"""Attributes of a message in a Storage queue, which has a text and no properties: they travel in front of the body.

A message without attributes is its body, as anybody would send it. With some it is a mark, the length of the
attributes (4 bytes, big-endian), the attributes as JSON, the body. A body that begins with the mark is sent so too.
Control characters are not escaped in that JSON, which would make six bytes of one.
"""

from __future__ import annotations

import json

from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_MARK = b"\x00portable-1\x00"
_START = len(_MARK) + 4


def pack(body: bytes, attributes: Mapping[str, str]) -> bytes:
    """Return what is put in the queue, before Base64."""
    if not attributes and not body.startswith(_MARK):
        return body
    header = ("{" + ",".join(f"{_quoted(name)}:{_quoted(value)}" for name, value in attributes.items()) + "}").encode()
    return _MARK + len(header).to_bytes(4, "big") + header + body


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unpack(content: bytes) -> tuple[bytes, Mapping[str, str]]:
    """Return body and attributes. Raises InvalidArgument for a broken envelope."""
    if not content.startswith(_MARK):
        return content, {}
    end = _START + int.from_bytes(content[len(_MARK) : _START], "big")
    try:
        attributes = json.loads(content[_START:end], strict=False)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"the attributes in front of the message's body are not JSON: {error}") from error
    if type(attributes) is not dict or not all(type(value) is str for value in attributes.values()):
        raise InvalidArgument("the attributes in front of the message's body are not a map of texts")
    return content[end:], attributes
