"""Fresh tables for the conformance suite: on the emulator that FIRESTORE_EMULATOR_HOST names, else on our wire fake.

`PORTABLE_CONFORMANCE_FIRESTORE` is another endpoint (`http://127.0.0.1:8080`), or `firestore://` for Google's own, with
the beginning of the collections' names and a project behind it if they need one (`firestore://suite?project=acme`).
Credentials are then those that the driver finds. A collection is there once it has a document.
"""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from portable_contracts.provider import EMPTY, Address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from portable_contracts.harness import Harness

_RUN = os.urandom(5).hex()
_numbers = count(1)
_given = os.environ.get("PORTABLE_CONFORMANCE_FIRESTORE", "").rstrip("/")
_emulator = os.environ.get("FIRESTORE_EMULATOR_HOST")
_PROJECT = "portable-conformance"

EVIDENCE = "live" if _given.startswith("firestore:") else "emulator" if _given or _emulator else "wire fake"


def create(harness: Harness, options: Mapping[str, Any]) -> str:
    """Return the address of an empty collection. Raises MissingCounterpart."""
    return str(_address(harness, f"portable-{_RUN}-{next(_numbers)}", EMPTY))


def destroy(address: str) -> None:
    if EVIDENCE == "wire fake":
        return  # It forgets all, soon.
    parsed = Address.parse(address)
    client: Any = _driver(parsed).native()
    client.recursive_delete(client.collection(parsed.name))


def unreachable(harness: Harness) -> str | None:
    """Return the address of a collection in a database that does not exist; an emulator has every database."""
    if EVIDENCE == "emulator":
        return None
    return str(_address(harness, "anything", {"database": "no-such-database"}))


def leftovers(address: str) -> Sequence[str]:
    return ()


def upstream(address: str) -> tuple[str, int] | None:
    """Return where an emulator or fake listens: no proxy looks into TLS."""
    parts = urlsplit(Address.parse(address).parameters.get("endpoint", ""))
    return (parts.hostname or "", parts.port or 80) if parts.scheme == "http" else None


def through(address: str, host: str, port: int) -> str:
    parsed = Address.parse(address)
    return str(parsed.replace(parameters={**parsed.parameters, "endpoint": f"http://{host}:{port}"}))


def refusal(reason: str) -> tuple[int, Mapping[str, str], bytes]:
    """Return what gRPC's codes are in HTTP: https://docs.cloud.google.com/firestore/docs/understand-error-codes."""
    return {
        "throttled": (429, EMPTY, b"Quota exceeded."),
        "failed": (500, EMPTY, b"Internal error encountered."),
        "denied": (403, EMPTY, b"Missing or insufficient permissions."),
    }[reason]


def _address(harness: Harness, name: str, parameters: Mapping[str, str]) -> Address:
    if _given.startswith("firestore:"):
        given = Address.parse(_given if not _given.endswith(":") else f"{_given}//")
        name = f"{given.name}-{name}" if given.name else name
        return Address("firestore", name, "", {**given.parameters, **parameters})
    endpoint = _given or (f"http://{_emulator}" if _emulator else harness.counterpart("firestore").start().url)
    return Address("firestore", name, "", {"project": _PROJECT, "endpoint": endpoint, **parameters})


def _driver(address: Address) -> Any:
    from portable_contracts.provider import Opening
    from portable_gcp.kv import FirestoreTable

    return FirestoreTable.from_address(address, Opening())
