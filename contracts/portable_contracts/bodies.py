"""A body as JSON carries it: text as it is, other bytes in base64. A large one is never there twice in between."""

from __future__ import annotations

from binascii import b2a_base64
from codecs import utf_8_decode

from portable_contracts.errors import LimitExceeded

CHUNK = 3 * 64 * 1024
"""Bytes taken at a time; base64 makes whole quartets of 3."""


def text_or_base64(body: bytes) -> tuple[str, bool]:
    """Return *body* as text, and whether that is base64 since the bytes are not UTF-8."""
    if len(body) > CHUNK and not _is_text(body):
        return base64_text(body), True
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64_text(body), True


def fitting(body: bytes, most: int, owner: str) -> tuple[str, bool]:
    """Return a response's *body* as a platform's JSON answer carries it, in at most *most* bytes.

    It is text, or base64 for bytes that are no text and for text that JSON would make too large. Raises LimitExceeded,
    in the name of *owner*, for more than that.
    """
    content, is_base64 = text_or_base64(body)
    if len(content) > most // 6:  # JSON writes a character as six at most.
        from json import dumps

        if not is_base64 and len(dumps(content)) > most:
            content, is_base64 = base64_text(body), True
        if len(content) > most:
            raise LimitExceeded(
                f"the response is {len(body):,} bytes, {len(content):,} in base64; {owner} carries {most:,} here",
                limit="max_response_bytes",
                actual=len(body),
                allowed=most * 3 // 4,
                owner=owner,
            )
    return content, is_base64


def _is_text(body: bytes) -> bool:
    """Say whether *body* is UTF-8, without making all of it text: the error of that holds a copy, too."""
    start = 0
    while start < len(body):
        try:
            start += utf_8_decode(body[start : start + CHUNK], "strict", start + CHUNK >= len(body))[1]
        except UnicodeDecodeError:
            return False
    return True


def base64_text(body: bytes) -> str:
    """Return *body* in base64, without line breaks."""
    text = ""
    for start in range(0, len(body), CHUNK):
        # Growing the text in place, which CPython does for a local name, there is never a second copy of all of it.
        text += b2a_base64(body[start : start + CHUNK], newline=False).decode("ascii")
    return text
