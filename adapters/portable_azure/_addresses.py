"""Addresses of what a storage account holds: `azblob://CONTAINER?account=NAME[&endpoint=URL]`, and alike."""

from __future__ import annotations

from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_contracts.provider import Address

_KNOWN = ("account", "endpoint")
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


class Place(Value):
    """A container, table or queue, and the account that holds it."""

    name: str
    account: str
    """Empty: the one of the environment."""
    endpoint: str
    """Empty: the account's own, in the public cloud."""


def place(address: Address) -> Place:
    """Read *address*. Raises InvalidArgument for one without a name, and for unknown or wrong parameters."""
    if address.path.strip("/"):
        raise InvalidArgument(f"address {address} has a path: write {address.scheme}://NAME?account=ACCOUNT")
    if not address.name:
        raise InvalidArgument(f"address {address} has no name: write {address.scheme}://NAME?account=ACCOUNT")
    for parameter in address.parameters:
        if parameter not in _KNOWN:
            from difflib import get_close_matches

            near = get_close_matches(parameter, _KNOWN, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(_KNOWN)}"
            raise InvalidArgument(f"address {address}: unknown parameter {parameter!r}{hint}")
    account, endpoint = address.parameters.get("account", ""), address.parameters.get("endpoint", "")
    if account and not (3 <= len(account) <= 24 and _LETTERS.issuperset(account)):
        raise InvalidArgument(f"address {address}: {account!r} is no account: 3 to 24 of a-z and 0-9")
    if endpoint and not endpoint.startswith(("https://", "http://")):
        raise InvalidArgument(f"address {address}: the endpoint {endpoint!r} is no address: write it with https://")
    return Place(address.name, account, endpoint.rstrip("/"))
