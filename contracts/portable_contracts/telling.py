"""Writing a platform's invocations, for tests and `portable invoke`: what the adapters' `_occurrences` share.

A writer takes an event and a Differs, and returns what the platform would hand over, or None where it has no way to.
"""

from __future__ import annotations

from binascii import b2a_base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Any, TypeAlias

    Writer: TypeAlias = Callable[[Any, "Differs"], Any]


class Differs(dict[str, "Mapping[str, Any]"]):
    """The fields of an event that a shape cannot carry, as golden files have them."""

    def instead(self, why: str, **values: Any) -> None:
        """Note what stands in place of fields, and *why*."""
        for name, value in values.items():
            self[name] = {"value": value, "why": why}


def base64_of(content: bytes) -> str:
    """Return *content* in base64."""
    return b2a_base64(content, newline=False).decode()


def text_of(content: bytes) -> str | None:
    """Return *content* as the text that it is in UTF-8, else None."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def seconds(time: datetime) -> str:
    """Return *time* as in RFC 3339, in whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
