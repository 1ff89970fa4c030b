"""Fresh tables for the conformance suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portable_azure import _clients
from portable_azure._addresses import place
from portable_azure._fresh_account import fresh
from portable_contracts.provider import Address

if TYPE_CHECKING:
    from portable_contracts.harness import Harness


def create(harness: Harness) -> str:
    """Make a table and return its address. Raises MissingCounterpart."""
    address = fresh(harness, "aztable").address()
    where = place(Address.parse(address))
    _clients.client("table", where).create_table(where.name)
    return address


def destroy(address: str) -> None:
    where = place(Address.parse(address))
    _clients.client("table", where).delete_table(where.name)


def unreachable(harness: Harness) -> str:
    """Return the address of a table that does not exist."""
    return fresh(harness, "aztable").address("nosuchtable")
