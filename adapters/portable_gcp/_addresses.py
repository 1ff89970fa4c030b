"""Addresses of Google Cloud: `scheme://name?endpoint=...`, and each service's own parameters."""

from __future__ import annotations

from difflib import get_close_matches

from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from portable_contracts.provider import Address


def parameters(address: Address, known: tuple[str, ...] = ()) -> Mapping[str, str]:
    """Return the parameters of *address*: `endpoint`, and those of its service, *known*.

    Raises InvalidArgument for others, for a path, and for an address without a name.
    """
    words = sorted(("endpoint", *known))
    for unknown in address.parameters.keys() - set(words):
        meant = "".join(f" (did you mean {word!r}?)" for word in get_close_matches(unknown, words, n=1))
        raise InvalidArgument(f"address {address}: unknown parameter {unknown!r}{meant}; known: {', '.join(words)}")
    if not address.name or address.path.strip("/"):
        raise InvalidArgument(f"address {address}: write it like {address.scheme}://name")
    endpoint = address.parameters.get("endpoint")
    if endpoint is not None and not endpoint.startswith(("http://", "https://")):
        raise InvalidArgument(f"address {address}: endpoint={endpoint!r}: write it like http://127.0.0.1:4443")
    return address.parameters
