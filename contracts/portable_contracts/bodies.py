"""A body as JSON carries it: text as it is, other bytes in base64."""

from __future__ import annotations

from binascii import b2a_base64

CHUNK = 3 * 64 * 1024
"""Bytes encoded at a time; base64 makes whole quartets of 3."""


def text_or_base64(body: bytes) -> tuple[str, bool]:
    """Return *body* as text, and whether that is base64 since the bytes are not UTF-8."""
    try:
        return body.decode(), False
    except UnicodeDecodeError:
        return base64_text(body), True


def base64_text(body: bytes) -> str:
    """Return *body* in base64, without line breaks."""
    text = ""
    for start in range(0, len(body), CHUNK):
        # Growing the text in place, which CPython does for a local name, there is never a second copy of all of it.
        text += b2a_base64(body[start : start + CHUNK], newline=False).decode("ascii")
    return text
