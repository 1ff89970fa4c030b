"""Fresh queues for the conformance suite."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from portable_azure import _clients
from portable_azure._addresses import place
from portable_azure._fresh_account import fresh
from portable_contracts.provider import Address

if TYPE_CHECKING:
    from portable_contracts.harness import Harness


def create(harness: Harness) -> str:
    """Make a queue and return its address. Raises MissingCounterpart."""
    address = fresh(harness, "azqueue").address()
    where = place(Address.parse(address))
    _clients.client("queue", where).create_queue(where.name)
    return address


def destroy(address: str) -> None:
    where = place(Address.parse(address))
    _clients.client("queue", where).delete_queue(where.name)


def unreachable(harness: Harness) -> str:
    """Return the address of a queue that does not exist."""
    return fresh(harness, "azqueue").address("no-such-queue")


def has_own_clock() -> bool:
    """Say whether queues are made in the Azurite that the suite started."""
    return not os.environ.get("PORTABLE_CONFORMANCE_AZQUEUE")


def move_clock(address: str, ahead: float) -> None:
    """Let Azurite's clock of the queue be *ahead* seconds of the real one."""
    where = place(Address.parse(address))
    urlopen(Request(f"{where.endpoint}/{where.name}", headers={"x-portable-ahead": str(ahead)})).close()  # noqa: S310  # of this machine
