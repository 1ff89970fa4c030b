"""Fresh containers for the conformance suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portable_azure import _clients
from portable_azure._addresses import place
from portable_azure._fresh_account import fresh
from portable_contracts.provider import Address

if TYPE_CHECKING:
    from portable_contracts.harness import Harness


def create(harness: Harness) -> str:
    """Make a container and return its address. Raises MissingCounterpart."""
    address = fresh(harness, "azblob").address()
    where = place(Address.parse(address))
    _clients.client("blob", where).create_container(where.name)
    return address


def destroy(address: str) -> None:
    where = place(Address.parse(address))
    _clients.client("blob", where).delete_container(where.name)


def unreachable(harness: Harness) -> str:
    """Return the address of a container that does not exist."""
    return fresh(harness, "azblob").address("no-such-container")
