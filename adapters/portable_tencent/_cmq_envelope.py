"""Messages as CMQ takes them, which has text alone, no attributes, and no empty bodies.

A body of plain text without attributes is that text, as anybody would send it, and is read so. Any other is a mark and,
in Base64 for URLs, which a form carries without growing: the number of attributes, each one's name and value behind
their lengths (2 bytes, big-endian), then the body.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_MARK = "portable-1:"
_PLAIN = 16 * 1024
"""Bytes up to which text is sent as it is: in a form it may triple, and a request has 1 MB."""


def pack(body: bytes, attributes: Mapping[str, str]) -> str:
    """Return what is sent."""
    if not attributes and 0 < len(body) <= _PLAIN:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            text = ""
        # A value that begins with '@' is left out of signatures.
        if text and not text.startswith((_MARK, "@")) and text.replace("\n", "").isprintable():
            return text
    pieces = [len(attributes).to_bytes(2, "big")]
    for item in attributes.items():
        for text in item:
            encoded = text.encode()
            pieces += [len(encoded).to_bytes(2, "big"), encoded]
    return _MARK + urlsafe_b64encode(b"".join([*pieces, body])).decode().rstrip("=")


def unpack(text: str) -> tuple[bytes, Mapping[str, str]]:
    """Return body and attributes; a text that only looks like an envelope is the body."""
    if not text.startswith(_MARK):
        return text.encode(), {}
    coded = text[len(_MARK) :]
    try:
        content = urlsafe_b64decode(coded + "=" * (-len(coded) % 4))
        count, place = int.from_bytes(content[:2], "big"), 2
        words = []
        for _ in range(2 * count):
            size = int.from_bytes(content[place : place + 2], "big")
            words.append(content[place + 2 : place + 2 + size].decode())
            place += 2 + size
    except ValueError:
        return text.encode(), {}
    return content[place:], dict(zip(words[::2], words[1::2], strict=True))
