"""Keys of tables: reversible, in the order of UTF-8, without a character that the service refuses in keys.

The service orders keys by their UTF-16 units, takes 512 of these (1 KiB), and refuses `/`, `\\`, `#`, `?` and control
characters; `%` it takes, but some of its clients read it wrongly in an address.
https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model (read 2026-11-21)

Most keys are stored as they are. In the others
- a refused character is the one before it and then a unit behind all that others begin with, which also says what comes
  next, so that it costs no more than a unit for each byte: `#a` is `"` and U+E161, a last `#` is `"` and U+E100;
- what UTF-16 orders otherwise than UTF-8, U+E000 and beyond, is U+E000 or U+E001 and then units from U+4E00 on;
- an ASCII character in the 512th unit is from U+3020 to U+307E, for there a refused one has no room for a second unit.
"""

from __future__ import annotations

import re

LONGEST = 512
"""Bytes of a key, and units of what it is stored as."""

_BEFORE = {"#": '"', "%": "$", "/": ".", "?": ">", "\\": "["}
_AFTER = {before: refused for refused, before in _BEFORE.items()}
_UNLIKE = re.compile(r"[#%/?\\\ue000-\U0010ffff]").search
_STORED_UNLIKE = re.compile(r"[\ue000-\U0010ffff]").search
_HIGH, _ASTRAL = "\ue000", "\ue001"
_NEXT = 0xE100
"""And the code of the ASCII character that follows a refused one; on its own: nothing follows."""
_NEXT_OTHER = "\ue180"
"""Another character follows a refused one."""
_DIGITS = 0x4E00
_LAST = 0x3000


def stored(key: str) -> str:
    """Return what *key*, of no more than 512 bytes, is stored as."""
    if len(key) < LONGEST and not _UNLIKE(key):
        return key
    units: list[str] = []
    refused = False
    for character in key:
        code = ord(character)
        if refused:
            refused = False
            if code < 0x80:
                units.append(chr(_NEXT + code))
                continue
            units.append(_NEXT_OTHER)
        if code >= 0x10000:
            place = code - 0x10000
            units += _ASTRAL, chr(_DIGITS + (place >> 10)), chr(_DIGITS + (place & 0x3FF))
        elif code >= 0xE000:
            units += _HIGH, chr(_DIGITS + code - 0xE000)
        elif len(units) == LONGEST - 1 and code < 0x80:
            units.append(chr(_LAST + code))
        elif character in _BEFORE:
            units.append(_BEFORE[character])
            refused = True
        else:
            units.append(character)
    if refused:
        units.append(chr(_NEXT))
    return "".join(units)


def restored(text: str) -> str:
    """Return the key that is stored as *text*; one that no key is stored as stays as it is."""
    if len(text) < LONGEST and not _STORED_UNLIKE(text):
        return text
    characters: list[str] = []
    place = 0
    while place < len(text):
        unit, following = text[place], text[place + 1 : place + 2]
        code = ord(following) if following else 0
        place += 2
        if unit in _AFTER and _NEXT <= code <= ord(_NEXT_OTHER):
            characters.append(_AFTER[unit])
            if _NEXT < code < ord(_NEXT_OTHER):
                characters.append(chr(code - _NEXT))
        elif unit == _HIGH and 0 <= code - _DIGITS < 0x2000:
            characters.append(chr(0xE000 + code - _DIGITS))
        elif unit == _ASTRAL and place < len(text) and 0 <= code - _DIGITS < 0x400:
            characters.append(chr(0x10000 + (code - _DIGITS << 10 | ord(text[place]) - _DIGITS & 0x3FF)))
            place += 1
        else:
            place -= 1
            is_last = place == LONGEST and _LAST + 0x20 <= ord(unit) < _LAST + 0x7F
            characters.append(chr(ord(unit) - _LAST) if is_last else unit)
    return "".join(characters)
