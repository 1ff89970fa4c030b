"""Numbers with their sources, and how several services' promises narrow into one.

A capabilities record (`BlobCapabilities`, `KVCapabilities`, `QueueCapabilities`, `HttpCapabilities`) says what one
service promises beyond the base contract. Its defaults are the portable profile: what holds on every provider.
"""

from __future__ import annotations

from portable_contracts._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, ClassVar, Self

PROFILE = "the portable profile"


class Figure(int):
    """A whole number taken from a vendor's page: it knows the page and the day it was read."""

    source: str
    read: str

    def __new__(cls, value: int, source: str, read: str) -> Self:
        """Make the number *value*, found at the address *source* on the day *read* (`YYYY-MM-DD`)."""
        figure = super().__new__(cls, value)
        figure.source = source
        figure.read = read
        return figure


class Capabilities(Value):
    """The base of the capability records: booleans, whole numbers (0 for "none"), frozensets of words.

    A larger number and a larger set always promise more, except the fields named in `_smaller_is_more`.
    """

    _smaller_is_more: ClassVar[frozenset[str]] = frozenset()

    def narrowed(self, others: Iterable[tuple[str, Self]], owner: str = PROFILE) -> tuple[Self, Mapping[str, str]]:
        """Return what this record and all *others* promise, and per field whose promise is the strictest.

        *others* are pairs of an owner's name, as errors should print it, and its capabilities; *owner* names this one.
        """
        fields: dict[str, Any] = {field: getattr(self, field) for field in self._fields}
        owners = dict.fromkeys(self._fields, owner)
        for other_owner, other in others:
            for field in self._fields:
                mine, theirs = fields[field], getattr(other, field)
                if isinstance(mine, frozenset):
                    stricter: Any = mine & theirs
                elif isinstance(mine, bool):
                    stricter = mine and theirs
                elif field in self._smaller_is_more:
                    stricter = max(mine, theirs)
                else:
                    stricter = min(mine, theirs)
                if stricter != mine:
                    fields[field], owners[field] = stricter, other_owner
        return type(self)(**fields), owners
