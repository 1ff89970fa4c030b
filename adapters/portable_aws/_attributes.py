"""DynamoDB's typed JSON, as streams and the low-level API write it, and what of it is a portable item.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html

A portable item has the attributes `partition` and `sort`, its keys, and `value` and `version`. DynamoDB's numbers know
no difference between 2 and 2.0, no -0.0, and no exponent beyond 125, so a float that a number would change is a set of
one text, {"SS": ["2.0"]}: portable values have no sets. No key is empty there; `NO_SORT` stands for the empty sort key.
Nor is a map's name: one of "\\x01" alone, or none at all, has one "\\x01" more.
"""

from __future__ import annotations

from binascii import Error, a2b_base64

from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

NO_SORT = "\x01"
"""It comes before every sort key, for a portable one holds no control characters."""
_LEAST_FLOAT = 1e-129
"""https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html: 1E-130."""
_SORT_NAMES = ("sort", "sk", "sort_key", "sortkey", "range", "range_key", "rangekey")


def keys(attributes: Mapping[str, Any]) -> tuple[str, str]:
    """Return partition and sort key of a record's `Keys`, which does not say which is which.

    Raises InvalidArgument for what is neither one key nor two.
    """
    names = list(attributes)
    if not 1 <= len(names) <= 2:
        raise InvalidArgument(f"Keys has {len(names)} entries; expected one or two")
    if names[0].lower() in _SORT_NAMES:
        names.reverse()
    values = [_key(attributes[name], f"Keys.{name}") for name in names]
    return values[0], values[1] if len(values) == 2 and values[1] != NO_SORT else ""


def _key(attribute: Any, where: str) -> str:
    if type(attribute) is dict and len(attribute) == 1:
        ((kind, value),) = attribute.items()
        if kind in ("S", "N", "B") and type(value) is str:
            return value
    raise InvalidArgument(f"{where} is no key such as {{'S': 'text'}}")


def item(image: Mapping[str, Any], where: str, key_names: Mapping[str, Any]) -> Any:
    """Return the value of the item *image*: that of a portable item, else a map of what are no keys."""
    version = image.get("version")
    if "value" in image and type(version) is dict and "S" in version:
        return plain(image["value"], f"{where}.value", portable=True)
    return {name: plain(value, f"{where}.{name}") for name, value in image.items() if name not in key_names}


def plain(attribute: Any, where: str, portable: bool = False, depth: int = 40) -> Any:
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
            return {
                _name(name) if portable else name: plain(part, f"{where}.{name}", portable, depth - 1)
                for name, part in value.items()
            }
        if kind == "L" and type(value) is list:
            return [plain(part, f"{where}[{index}]", portable, depth - 1) for index, part in enumerate(value)]
        if kind == "SS" and portable and type(value) is list and len(value) == 1 and type(value[0]) is str:
            return _finite(value[0])
        if kind in ("SS", "NS", "BS") and type(value) is list:
            return [plain({kind[0]: part}, where, portable, depth - 1) for part in value]
    except (Error, ValueError, TypeError, AttributeError) as error:
        raise InvalidArgument(f"{where} is no {kind} attribute value: {error}") from error
    raise InvalidArgument(f"{where} is no {str(kind)[:20]} attribute value")


def number(text: str) -> int | float:
    """Return the number that DynamoDB writes as *text*: an int where it is whole. Raises ValueError for no number."""
    if text.removeprefix("-").isdecimal():
        return int(text)
    value = _finite(text)
    if value % 1.0:
        return value
    from decimal import Decimal  # 5 ms, for a number with an exponent

    return int(Decimal(text))


def _finite(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError(f"{text[:20]!r} is not finite")
    return value


def attribute(value: Any) -> dict[str, Any]:
    """Return the attribute value of a portable *value*."""
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is int:
        return {"N": str(value)}
    if kind is dict:
        return {
            "M": {
                name if name > "\x02" else named(name): {"S": part} if type(part) is str else attribute(part)
                for name, part in value.items()
            }
        }
    if kind is list:
        return {"L": [{"S": part} if type(part) is str else attribute(part) for part in value]}
    if kind is bool:
        return {"BOOL": value}
    if kind is float:
        # A double with a fraction is less than 2 ** 53, and its shortest text is what a number keeps.
        if value % 1.0 and (value > _LEAST_FLOAT or value < -_LEAST_FLOAT):
            return {"N": repr(value)}
        return {"SS": [repr(value)]}
    return {"NULL": True} if value is None else {"B": value}


def portable(attribute: Mapping[str, Any]) -> Any:
    """Return the portable value of an attribute value that `attribute` made and the SDK has read, without checks."""
    ((kind, value),) = attribute.items()
    if kind == "S":
        return value
    if kind == "N":
        try:
            return int(value)
        except ValueError:
            return number(value)
    if kind == "M":
        return {
            name if name > "\x02" else _name(name): part["S"] if "S" in part else portable(part)
            for name, part in value.items()
        }
    if kind == "L":
        return [part["S"] if "S" in part else portable(part) for part in value]
    if kind == "SS":
        return float(value[0])
    return None if kind == "NULL" else value


def named(name: str) -> str:
    """Return the name of a map's entry as DynamoDB has it."""
    return name + NO_SORT if not name.strip(NO_SORT) else name


def _name(name: str) -> str:
    return name[:-1] if name and not name.strip(NO_SORT) else name
