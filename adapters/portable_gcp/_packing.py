"""How a portable value stands in a Firestore document: natively, except for the few things that no document holds.

https://docs.cloud.google.com/firestore/quotas and .../firestore/docs/reference/rpc/google.firestore.v1#mapvalue say
which: no array holds an array, no field name is empty or like `__name__`, or has more than 1,500 bytes, nothing nests
deeper than 20 levels, a document has 1 MiB. In what portable writes
- a name that is empty, like `__name__`, or begins with `~` has a `~` in front,
- a list within a list is the map {"~[": [...]},
- what is too deep, and a value that is too large or has too long a name, is the map {"~value": bytes}: the message
  google.firestore.v1.Value of it, in which none of these rules holds, compressed by zlib.

No name of a user's is among them, for his `~[` is `~~[`. Here is what the event codec needs; it loads no protobuf.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIST = "~["
PACKED = "~value"


def escaped(name: str) -> str:
    """Return the field name that stands for *name* in a map."""
    first = name[:1]
    if first == "" or first == "~" or (first == "_" and name.startswith("__") and name.endswith("__")):
        return "~" + name
    return name


def restored(value: Any) -> Any:
    """Return the portable value that *value*, a document's as plain Python, stands for."""
    kind = type(value)
    if kind is dict:
        if len(value) == 1:
            ((name, entry),) = value.items()
            if name == LIST and type(entry) is list:
                return [restored(part) for part in entry]
            if name == PACKED and type(entry) is bytes:
                return unpacked(entry)
        return {name[1:] if name[:1] == "~" else name: restored(entry) for name, entry in value.items()}
    if kind is list:
        return [restored(entry) for entry in value]
    return value


def unpacked(content: bytes) -> Any:
    """Return the value that is packed in *content*. Raises InvalidArgument where it is none."""
    from zlib import decompress, error

    from portable_contracts.errors import InvalidArgument
    from portable_gcp._firestore import value_of

    try:
        return value_of(decompress(content))
    except error as broken:
        raise InvalidArgument(f"the document's packed value cannot be read: {broken}") from broken
