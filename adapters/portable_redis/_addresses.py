"""Addresses of Redis: `redis://host:port/db?name=table`, or `redis://table` on the server that REDIS_URL names."""

from __future__ import annotations

import re
from difflib import get_close_matches

from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_contracts.provider import Address

# Within the hash tag, the braces of which pick the slot in a Redis Cluster, no name may hold a brace.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_KNOWN = ("cluster", "name")


class Server(Value):
    """The server of an address; no *host* is the one that the environment names."""

    host: str = ""
    port: int = 6379
    db: int = 0
    tls: bool = False
    cluster: bool = False
    """It is one of a Redis Cluster that does not hide behind a proxy."""


def server_and_table(address: Address) -> tuple[Server, str]:
    """Read *address*. Raises InvalidArgument for one that names no table, and for unknown parameters."""
    parameters = address.parameters
    for unknown in parameters.keys() - set(_KNOWN):
        meant = "".join(f" (did you mean {word!r}?)" for word in get_close_matches(unknown, _KNOWN, n=1))
        raise InvalidArgument(f"address {address}: unknown parameter {unknown!r}{meant}; known: {', '.join(_KNOWN)}")
    scheme, cluster = address.scheme, parameters.get("cluster", "no")
    if cluster not in ("yes", "no"):
        raise InvalidArgument(f"address {address}: cluster={cluster!r}: write yes or no")
    place = Server(tls=scheme == "rediss", cluster=cluster == "yes")
    table = parameters.get("name")
    if table is None:
        table = address.name
        if address.path.strip("/") or not _NAME.fullmatch(table):
            raise InvalidArgument(
                f"address {address} names no table: write {scheme}://host:6379/0?name=entries, "
                f"or {scheme}://entries for the server that REDIS_URL names"
            )
        return place, table
    if not _NAME.fullmatch(table):
        raise InvalidArgument(f"address {address}: name={table!r}: letters, digits, '_' and '-', at most 100")
    host, port = _host_and_port(address)
    db = address.path.strip("/") or "0"
    if not db.isdecimal():
        raise InvalidArgument(f"address {address}: the path is the number of a database, as in {scheme}://host:6379/0")
    if cluster == "yes" and int(db):
        raise InvalidArgument(f"address {address}: a Redis Cluster has the database 0 alone")
    return place.replace(host=host, port=port, db=int(db)), table


def _host_and_port(address: Address) -> tuple[str, int]:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(f"//{address.name}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidArgument(f"address {address}: {error}") from error
    if not host:
        raise InvalidArgument(f"address {address} has no host: write it like redis://host:6379/0?name=entries")
    return host, port or 6379
