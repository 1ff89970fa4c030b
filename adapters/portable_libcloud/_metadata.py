"""User metadata as the headers of S3 carry it, in the form that `s3://` writes too: each reads what the other wrote.

Plain ASCII goes as it is, any other text as MIME's encoded words (RFC 2047): S3 understands those, and counts what they
stand for. https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from __future__ import annotations

import re
from base64 import b64encode
from email.errors import HeaderParseError
from email.header import decode_header

_WORD_BYTES = 45
"""Of UTF-8 in one word, which has 75 characters at most."""
_MARK = "\u2063"
"""Begins a text in which control characters and `%` are percent-encoded: no header can hold what S3 decodes to them."""
_PLAIN = re.compile(r"(?! )(?:(?!=\?|  )[ -~])*(?<! )")
"""Two spaces in a row are one in a signature, which Libcloud's does not know."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPED = re.compile(r"[\x00-\x1f\x7f%]")


def encode(value: str) -> str:
    """Return *value* as a header's."""
    if _PLAIN.fullmatch(value):
        return value
    if value.isascii() or value.startswith(_MARK) or _CONTROLS.search(value):
        value = _MARK + _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", value)
    words, word = [], b""
    for character in value:
        following = character.encode()
        if len(word) + len(following) > _WORD_BYTES:
            words.append(word)
            word = b""
        word += following
    return " ".join(f"=?UTF-8?B?{b64encode(word).decode()}?=" for word in [*words, word])


def decode(header: str) -> str:
    """Return what *header* stands for; one that holds no encoded words stands for itself."""
    if "=?" not in header:
        return header
    try:
        text = "".join(
            part if isinstance(part, str) else part.decode(charset or "latin-1")
            for part, charset in decode_header(header)
        )
    except (HeaderParseError, LookupError, UnicodeError):
        return header
    if not text.startswith(_MARK):
        return text
    return re.sub("%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text[len(_MARK) :])
