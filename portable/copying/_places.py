"""Read the addresses of a copy: which kind of resource they name, and below which prefix of keys."""

from __future__ import annotations

from portable import registry
from portable._blob_grammar import key_fault
from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument
from portable_contracts.provider import Address, Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable.blob import Bucket
    from portable.kv import Table


class Place(Value):
    """One end of a copy."""

    kind: str
    """"bucket" or "table"."""
    text: str
    """The address as it was given."""
    base: str
    """The address of the resource alone."""
    prefix: str
    """What the keys of a bucket begin with: nothing, or a text that ends in `/`."""
    resource: Bucket | Table


def place(text: str, opening: Opening) -> Place:
    """Open what is at the address *text*, without sending anything. Raises InvalidArgument."""
    address = Address.parse(text)
    if _offered("table", address.scheme):
        from portable.kv import Table

        return Place("table", text, str(address), "", Table.at(text, opening=opening))
    if not _offered("bucket", address.scheme) and _offered("queue", address.scheme):
        raise InvalidArgument(f"{text} is a queue: buckets and tables can be copied")
    return _bucket_place(text, address, opening)


def _offered(kind: str, scheme: str) -> bool:
    return any(scheme in getattr(provider, kind + "s") for provider in registry.providers().values())


def _bucket_place(text: str, address: Address, opening: Opening) -> Place:
    """Open the bucket that as much of the path as its driver takes names; the rest of the path is the prefix.

    For most services a bucket is a name and the path is the prefix. For a folder, or a container of an account, the
    path is the bucket's own: then `?prefix=` says the prefix.
    """
    from portable.blob import Bucket

    parameters = dict(address.parameters)
    asked = parameters.pop("prefix", "")
    segments = [segment for segment in address.path.split("/") if segment]
    refusals: list[InvalidArgument] = []
    for cut in range(len(segments), -1, -1):
        own = "".join("/" + segment for segment in segments[:cut])
        base = str(address.replace(path=own, parameters=parameters))
        try:
            bucket = Bucket.at(base, opening=opening)
        except InvalidArgument as refusal:
            refusals.append(refusal)
            continue
        return Place("bucket", text, base, _prefix("/".join([*segments[cut:], *asked.strip("/").split("/")])), bucket)
    # A bucket with a name was refused for something else than the path.
    raise refusals[-1 if address.name else 0]


def _prefix(path: str) -> str:
    stem = path.strip("/")
    if not stem:
        return ""
    fault = key_fault(stem)
    if fault is not None:
        raise InvalidArgument(f"the prefix {stem!r} begins no key: {fault}")
    return stem + "/"
