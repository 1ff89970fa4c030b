"""What may be a key, a prefix, metadata and a content type; and the content type of what is written without one.

Each check returns what is wrong, as the end of a sentence, or None.
"""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_TYPE = "application/octet-stream"
TEXT_TYPE = "text/plain; charset=utf-8"

# Ours, not the `mimetypes` module's: that one reads the machine's files, so the answer would depend on where it runs.
_TYPES = {
    "avif": "image/avif",
    "css": "text/css",
    "csv": "text/csv",
    "gif": "image/gif",
    "gz": "application/gzip",
    "htm": "text/html",
    "html": "text/html",
    "ico": "image/vnd.microsoft.icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript",
    "json": "application/json",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "ttf": "font/ttf",
    "txt": "text/plain",
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "zip": "application/zip",
}

_TOKEN = frozenset("!#$&^_.+-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LONGEST_TYPE = 255


def key_fault(key: object) -> str | None:
    """Say why *key* is no key. Its length is a limit, and is checked elsewhere."""
    if not isinstance(key, str):
        return f"the key {key!r} is of type {type(key).__name__}: keys are str"
    if not key:
        return "the key is empty"
    return _text_fault("key", key) or _segment_fault(key, f"/{key}/")


def prefix_fault(prefix: object) -> str | None:
    """Say why *prefix* cannot be asked for."""
    if not isinstance(prefix, str):
        return f"the prefix {prefix!r} is of type {type(prefix).__name__}: prefixes are str"
    return None


def begins_no_key(prefix: str) -> bool:
    """Say whether no key can start with *prefix*, so that nobody needs to be asked for those that do."""
    return bool(_text_fault("prefix", prefix) or _segment_fault(prefix, f"/{prefix}"))


def delimiter_fault(delimiter: object) -> str | None:
    """Say why *delimiter* cannot group keys."""
    if not isinstance(delimiter, str) or not delimiter:
        return f"the delimiter {delimiter!r} is not a text of one character or more"
    return _text_fault("delimiter", delimiter)


def _text_fault(what: str, text: str) -> str | None:
    # Control characters and lone surrogates are not printable, so nearly every key is cleared by one call.
    if not text.isprintable():
        for character in text:
            if character < " " or "\x7f" <= character < "\xa0":
                return f"the {what} {text!r} holds the control character {character!r}"
            if "\ud800" <= character < "\ue000":
                return f"the {what} {text!r} holds a lone surrogate, which no UTF-8 text can carry"
    if "\\" in text:
        return f"the {what} {text!r} holds a backslash: separate with '/'"
    return None


def _segment_fault(key: str, between: str) -> str | None:
    if "//" in between:
        return f"the key {key!r} begins or ends with '/', or holds '//': no segment of a key is empty"
    if "/./" in between or "/../" in between:
        return f"the key {key!r} has a segment '.' or '..', which some services would resolve"
    return None


def metadata_fault(metadata: object) -> str | None:
    """Say why *metadata* cannot be kept. Its size is a limit, and is checked elsewhere."""
    if not isinstance(metadata, Mapping):
        return f"metadata is of type {type(metadata).__name__}: give a dict of str to str"
    for name, value in metadata.items():
        if not isinstance(name, str) or not _is_metadata_name(name):
            return f"the metadata name {name!r} is not lower-case letters and digits, beginning with a letter"
        if not isinstance(value, str):
            return f"the metadata {name!r} is of type {type(value).__name__}: values are str"
        if not value.isprintable() and any("\ud800" <= character < "\ue000" for character in value):
            return f"the metadata {name!r} holds a lone surrogate, which no UTF-8 text can carry"
    return None


def _is_metadata_name(name: str) -> bool:
    return name.isascii() and name.isalnum() and name == name.lower() and not name[0].isdigit()


def content_type_fault(content_type: object) -> str | None:
    """Say why *content_type* cannot be a header's value."""
    if not isinstance(content_type, str):
        return f"the content type {content_type!r} is of type {type(content_type).__name__}: give a str"
    if len(content_type) > _LONGEST_TYPE:
        return f"the content type has {len(content_type)} characters; {_LONGEST_TYPE} are allowed"
    if not (content_type.isascii() and content_type.isprintable()):
        return f"the content type {content_type!r} holds what no header carries: use printable ASCII"
    major, slash, minor = content_type.partition(";")[0].rstrip().partition("/")
    if not (slash and major and minor and _TOKEN.issuperset(major) and _TOKEN.issuperset(minor)):
        return f"the content type {content_type!r} is not like 'text/plain' or 'text/html; charset=utf-8'"
    return None


def type_of(key: str) -> str:
    """Return the content type of bytes under *key*, by its extension."""
    stem, _, extension = key.rpartition("/")[2].rpartition(".")
    return _TYPES.get(extension.lower(), DEFAULT_TYPE) if stem else DEFAULT_TYPE


def utf8_length(text: str) -> int:
    """Return how many bytes *text* has in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())
