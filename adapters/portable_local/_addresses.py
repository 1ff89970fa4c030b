"""Addresses on this machine: `sqlite://NAME`, `sqlite:///abs/file.db?name=NAME`, `file://NAME`, `file:///abs/folder`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from portable_contracts.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portable_contracts.provider import Address, Opening

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_LONGEST = 255


def sqlite_place(address: Address, opening: Opening, default: str) -> tuple[str, str, Mapping[str, str]]:
    """Return the database file, the resource's name in it, and the other parameters; *default* is the usual file.

    Raises InvalidArgument for a bad name, and for a file without one.
    """
    parameters = dict(address.parameters)
    if not address.path:
        if "name" in parameters:
            raise InvalidArgument(
                f"address {address} has two names: write sqlite://NAME, or sqlite:///file.db?name=NAME"
            )
        return os.path.join(opening.data, default), checked_name(address, address.name), parameters
    name = parameters.pop("name", "")
    if address.name:
        raise InvalidArgument(
            f"address {address}: write the file with three slashes: sqlite:///absolute/file.db?name=NAME"
        )
    if not name:
        raise InvalidArgument(f"address {address} names a file and no resource in it: add ?name=NAME")
    return address.path, checked_name(address, name), parameters


def checked_name(address: Address, name: str) -> str:
    """Return *name*, or raise InvalidArgument where it cannot be a resource's name."""
    if not name or len(name) > _LONGEST or not _NAME.issuperset(name) or name[0] in ".-":
        raise InvalidArgument(
            f"address {address}: {name!r} is not a name: use 1 to {_LONGEST} of a-z A-Z 0-9 . _ - "
            "and begin with a letter, a digit or _"
        )
    return name


def synchronous(address: Address, parameters: Mapping[str, str]) -> str:
    """Return the one parameter that is left: how much a write waits for the disk. Raises InvalidArgument for others."""
    for unknown in parameters.keys() - {"synchronous"}:
        raise InvalidArgument(f"address {address}: unknown parameter {unknown!r}; known: name, synchronous")
    chosen = parameters.get("synchronous", "normal")
    if chosen not in ("off", "normal", "full"):
        raise InvalidArgument(f"address {address}: synchronous={chosen!r}: use off, normal or full")
    return chosen
