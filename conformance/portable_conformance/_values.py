"""Values for the KV suite: what every table keeps exactly, and what none takes."""

from __future__ import annotations

from typing import Any

VALUES: dict[str, Any] = {
    "none": None,
    "true": True,
    "false": False,
    "zero": 0,
    "one": 1,
    "minus one": -1,
    "the largest of 32 bits": 2**31 - 1,
    "one past 32 bits": 2**31,
    "the largest a double counts to": 2**53,
    "one past what a double counts to": 2**53 + 1,
    "minus that": -(2**53) - 1,
    "the largest int": 2**63 - 1,
    "the smallest int": -(2**63),
    "the int that a float would round up": 2**63 - 512,
    "float zero": 0.0,
    "minus zero": -0.0,
    "float one": 1.0,
    "float minus one": -1.0,
    "a tenth": 0.1,
    "a third": 1 / 3,
    "a small float": 1e-7,
    "a whole float of 16 digits": 1e15,
    "a whole float of 17 digits": 123456789012345680.0,
    "a whole float past 64 bits": 1e22,
    "two to the 53 as a float": 2.0**53,
    "two to the 63 as a float": 2.0**63,
    "the largest float": 1.7976931348623157e308,
    "the smallest normal float": 2.2250738585072014e-308,
    "the smallest float": 5e-324,
    "minus the smallest float": -5e-324,
    "17 significant digits": 0.30000000000000004,
    "empty text": "",
    "a space": " ",
    "spaces around": "  a  ",
    "a zero character": "\x00",
    "control characters": "".join(map(chr, range(32))) + "\x7f\x85",
    "line ends": "a\r\nb\rc\nd",
    "quotes and backslashes": "\"'`\\\\n\\u0041",
    "composed text": "é",
    "decomposed text": "e\u0301",
    "the last of the basic plane": "\ue000\ufffd\uffff",
    "past the basic plane": "😀𐐷\U0010ffff",
    "a byte order mark": "\ufeffa",
    "text of other directions": "שלום العربية \u202eabc",
    "line and paragraph separators": "\u2028\u2029",
    "text like null": "null",
    "text like a number": "1.0",
    "text like a time": "2024-02-29T00:00:00Z",
    "text like bytes": "aGVsbG8=",
    "text like json": '{"a": [1]}',
    "long text": "abc é 😀 " * 5_000,
    "no bytes": b"",
    "every byte": bytes(range(256)),
    "bytes like text": b"text",
    "bytes that are not UTF-8": b"\xff\xfe\x80",
    "zero bytes": bytes(1000),
    "an empty list": [],
    "a list in a list": [[], [[]], [[1], [2.0, [b"3"]]]],
    "a list of every type": [None, True, 0, 0.0, "", b"", [], {}],
    "a long list": list(range(1000)),
    "an empty map": {},
    "an empty name": {"": 1},
    "a map of every type": {"n": None, "t": True, "i": 0, "f": 0.0, "s": "", "b": b"", "l": [], "m": {}},
    "a map in a map": {"a": {"b": {"c": {}}}},
    "maps in a list in a map": {"a": [{"b": [{"c": -0.0}]}, {"b": []}]},
    "names with dots and spaces": {"a.b": 1, "a b": 2, " a": 3, "a ": 4, "a[0]": 5},
    "names with signs": {"#": 1, ":": 2, "/": 3, "$ref": 4, "%": 5, "*": 6, "~": 7, "`": 8, "\\": 9, "'": 10, '"': 11},
    "names with underscores": {"_": 1, "__x__": 2, "__name__": 3, "_id": 4},
    "names of every plane": {"é": 1, "e\u0301": 2, "\ue000": 3, "😀": 4},
    "names with control characters": {"\x00": 1, "\n": 2, "\t": 3},
    "names that services use": {
        word: word
        for word in (
            *("partition", "sort", "value", "version", "expires", "key", "size", "ttl", "type", "id", "data"),
            *("PartitionKey", "RowKey", "Timestamp", "odata.etag", "etag", "_rid", "_ts", "p", "s", "v", "pk", "sk"),
        )
    },
    "names that differ in case": {"a": 1, "A": 2},
    "names like numbers": {"0": 1, "00": 2, "1e5": 3, "-1": 4},
    "a map like tagged bytes": {"$bytes": "aGVsbG8="},
    "a map like tagged ints": {"$int": "1"},
    "a map like a native type": {"S": "x"},
    "a map like a native number": {"N": "1"},
    "a map like a typed value": {"__type__": "bytes", "value": "aGVsbG8="},
    "a map like a property": {"value": 1, "value@odata.type": "Edm.Int64"},
    "a map of 300 names": {f"name{number}": number for number in range(300)},
}
"""By the words that name them in reports."""

NO_VALUES: dict[str, Any] = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "one past the largest int": 2**63,
    "one past the smallest int": -(2**63) - 1,
    "a lone surrogate": "a\ud800",
    "a tuple": (1, 2),
    "a set": {1, 2},
    "a bytearray": bytearray(b"1"),
    "a complex number": 1j,
    "an object": object(),
    "a map key that is an int": {1: "a"},
    "a map key that is None": {None: "a"},
    "a map key that is bytes": {b"a": "a"},
    "a map key with a lone surrogate": {"\udfff": 1},
}


def exact(value: Any) -> str:
    """Return text that is equal for two values only where they are equal and of the same types throughout."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name!r}: {exact(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(exact, value)) + "]"
    return f"{type(value).__name__} {value!r}"


def nested(depth: int, kind: type[Any]) -> Any:
    """Return *depth* lists or dicts (*kind*), each in the next."""
    value = kind()
    for _ in range(depth - 1):
        value = [value] if kind is list else {"a": value}
    return value
