"""Metadata as COS takes it: in headers of ASCII, at most 2 KB each and 4 KB together.

What a header can hold as it is goes as it is; anything else as the encoded word of mail and of other stores:
`=?utf-8?b?...?=`. A value that is longer than a header goes on in `NAME-1`, `NAME-2`: no portable name has a hyphen.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64

from portable_contracts.errors import LimitExceeded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "x-cos-meta-"
_BEGIN, _END = "=?utf-8?b?", "?="
_PIECE = 1800
"""Characters of one header's value, so that its name has room beside it."""
_MOST = 4096


def to_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that hold *metadata*. Raises LimitExceeded for more than fits once it is encoded."""
    headers: dict[str, str] = {}
    for name, value in metadata.items():
        if not _fits(value):
            value = _BEGIN + b64encode(value.encode()).decode() + _END
        headers[PREFIX + name] = value[:_PIECE]
        for number, start in enumerate(range(_PIECE, len(value), _PIECE), 1):
            headers[f"{PREFIX}{name}-{number}"] = value[start : start + _PIECE]
    size = sum(len(name) + len(value) for name, value in headers.items())
    if size > _MOST:
        raise LimitExceeded(
            f"metadata is {size:,} bytes as headers of COS, which allows {_MOST:,}: use fewer names, or ASCII",
            limit="max_metadata_bytes",
            actual=size,
            allowed=_MOST,
            owner="COS",
        )
    return headers


def from_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata in *headers*, whose names are in lower case."""
    parts = {name[len(PREFIX) :]: value for name, value in headers.items() if name.startswith(PREFIX)}
    return {name: _decoded(_joined(parts, name)) for name in parts if "-" not in name or not _continues(parts, name)}


def _continues(parts: Mapping[str, str], name: str) -> bool:
    stem, _, number = name.rpartition("-")
    if not number.isdecimal():
        return False
    return len(parts.get(stem if number == "1" else f"{stem}-{int(number) - 1}", "")) == _PIECE


def _joined(parts: Mapping[str, str], name: str) -> str:
    value = parts[name]
    number = 1
    while len(value) == number * _PIECE:
        value += parts.get(f"{name}-{number}", "")
        number += 1
    return value


def _fits(value: str) -> bool:
    return value.isascii() and value.isprintable() and value == value.strip() != "" and not value.startswith("=?")


def _decoded(value: str) -> str:
    try:
        if value.startswith(_BEGIN) and value.endswith(_END):
            return b64decode(value[len(_BEGIN) : -len(_END)], validate=True).decode()
        return value.encode("latin-1").decode()  # Some writers put UTF-8 into headers as it is.
    except (NotBase64, UnicodeError):
        return value
