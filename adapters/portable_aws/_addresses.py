"""Addresses of AWS: `scheme://name?region=...&endpoint=...`, and each service's own parameters."""

from __future__ import annotations

from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from portable_contracts.provider import Address, Opening


class Place(Value):
    """Where a resource is: its name, where its service is, and the address's other parameters."""

    name: str
    region: str | None
    endpoint: str | None
    """Another server than AWS's: an emulator, a compatible service."""
    parameters: Mapping[str, str]


def place(address: Address, opening: Opening, known: tuple[str, ...] = ()) -> Place:
    """Read *address*; *known* are the service's own parameters. Raises InvalidArgument for others, and for a path."""
    parameters = dict(address.parameters)
    for unknown in parameters.keys() - {"region", "endpoint", *known}:
        from difflib import get_close_matches

        words = sorted(("region", "endpoint", *known))
        meant = "".join(f" (did you mean {word!r}?)" for word in get_close_matches(unknown, words, n=1))
        raise InvalidArgument(f"address {address}: unknown parameter {unknown!r}{meant}; known: {', '.join(words)}")
    if address.path.strip("/"):
        raise InvalidArgument(f"address {address} has a path: write it like {address.scheme}://name")
    endpoint = parameters.pop("endpoint", None)
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise InvalidArgument(f"address {address}: endpoint={endpoint!r}: write it like http://127.0.0.1:8000")
    region = parameters.pop("region", None) or opening.region
    return Place(address.name, region, endpoint, parameters)
