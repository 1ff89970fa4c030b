"""User metadata as S3's headers carry it.

Plain ASCII goes as it is. S3 reads and writes any other text as MIME's encoded words (RFC 2047), and counts it decoded:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from __future__ import annotations

import re
from base64 import b64encode
from email.errors import HeaderParseError
from email.header import decode_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD_BYTES = 45
"""Of UTF-8 in one word, which has 75 characters at most."""
_MARK = "\u2063"
"""Begins a text in which control characters, and `%`, stand as `%0A`. It would be ASCII else, which S3 gives back as it
is, and no header can hold those. The sign is not seen, and nobody writes it."""

# Compiled where they are needed, which is hardly ever: that takes a cold start longer than all else here.
_CONTROLS = r"[\x00-\x1f\x7f]"
_ESCAPED = r"[\x00-\x1f\x7f%]"


def encode(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return *metadata* as the values of headers."""
    return {name: value if _is_plain(value) else _words(value) for name, value in metadata.items()}


def decode(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata that the values of *headers* stand for."""
    return {name: _text(value) if "=?" in value else value for name, value in headers.items()}


def _is_plain(value: str) -> bool:
    return value.isascii() and value.isprintable() and value == value.strip() and "=?" not in value


def _words(text: str) -> str:
    if text.isascii() or text.startswith(_MARK) or re.search(_CONTROLS, text):
        text = _MARK + re.sub(_ESCAPED, lambda found: f"%{ord(found[0]):02X}", text)
    words, word = [], b""
    for character in text:
        following = character.encode()
        if len(word) + len(following) > _WORD_BYTES:
            words.append(word)
            word = b""
        word += following
    return " ".join(f"=?UTF-8?B?{b64encode(word).decode()}?=" for word in [*words, word])


def _text(value: str) -> str:
    try:
        text = "".join(
            part if isinstance(part, str) else part.decode(charset or "latin-1")
            for part, charset in decode_header(value)
        )
    except (HeaderParseError, LookupError, UnicodeError):
        return value  # Somebody else's, and no encoded words after all.
    if not text.startswith(_MARK):
        return text
    return re.sub("%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text[len(_MARK) :])
