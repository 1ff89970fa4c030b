"""DynamoDB's typed JSON, as streams and the low-level API write it.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
"""

from __future__ import annotations

from binascii import Error, a2b_base64

from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def plain(attribute: Any, where: str, depth: int = 40) -> Any:
    """Return the plain value of *attribute*. Raises InvalidArgument, with the place *where*, for a broken one."""
    if type(attribute) is not dict or len(attribute) != 1 or depth <= 0:
        raise InvalidArgument(f"{where} is no attribute value such as {{'S': 'text'}}")
    ((kind, value),) = attribute.items()
    try:
        if kind == "S" and type(value) is str:
            return value
        if kind == "N":
            return number(value)
        if kind == "BOOL" and type(value) is bool:
            return value
        if kind == "NULL":
            return None
        if kind == "B":
            return value if type(value) is bytes else a2b_base64(value)
        if kind == "M" and type(value) is dict:
            return {name: plain(entry, f"{where}.{name}", depth - 1) for name, entry in value.items()}
        if kind == "L" and type(value) is list:
            return [plain(entry, f"{where}[{index}]", depth - 1) for index, entry in enumerate(value)]
        if kind in ("SS", "NS", "BS") and type(value) is list:
            return [plain({kind[0]: entry}, where, depth - 1) for entry in value]
    except (Error, ValueError, TypeError) as error:
        raise InvalidArgument(f"{where} is no {kind} attribute value: {error}") from error
    raise InvalidArgument(f"{where} is no {str(kind)[:20]} attribute value")


def number(text: str) -> int | float:
    """Return the number that DynamoDB writes as *text*: an int where it is whole."""
    if text.lstrip("-").isdecimal():
        return int(text)
    return float(text)
