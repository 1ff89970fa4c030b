"""Where providers and drivers are found: by name, by scheme; each adapter is imported when it is first needed.

The facade never names an adapter's module: an installed package tells of itself by the entry point group
`portable.providers`, or, without the 30 ms that reading entry points costs, by being called `portable_<name>`.
"""

from __future__ import annotations

from importlib import import_module

from portable_contracts.errors import InvalidArgument
from portable_contracts.provider import Address, Opening, Provider

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from portable_contracts.limits import Capabilities

GROUP = "portable.providers"
_EXTRAS = {
    "s3": "aws", "dynamodb": "aws", "sqs": "aws", "sqs+fifo": "aws",
    "gs": "gcp", "firestore": "gcp", "pubsub": "gcp",
    "azblob": "azure", "aztable": "azure", "azqueue": "azure", "servicebus": "azure",
    "cos": "tencent", "cmq": "tencent", "redis": "redis", "libcloud": "libcloud", "rediss": "redis",
}  # fmt: skip
_providers: dict[str, Provider] = {}
_scanned = False


def register(provider: Provider) -> Provider:
    """Make *provider* known without its package being scanned for: what a bundle's entry file and tests do."""
    _providers[provider.name] = provider
    return provider


def provider(name: str) -> Provider:
    """Return the provider called *name*. Raises InvalidArgument, naming the nearest one, when no adapter offers it."""
    if name not in _providers and name.isidentifier():
        module = f"portable_{name}"
        try:
            found = getattr(import_module(module), "provider", None)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
        else:
            if isinstance(found, Provider):  # Not every package of such a name is an adapter: `portable_contracts`.
                _providers[name] = found
    if name not in _providers:
        _scan()
    if name not in _providers:
        from portable._nearest import nearest

        raise InvalidArgument(
            f"no installed adapter offers the provider {name!r}{nearest(name, _providers)}; "
            f"installed: {', '.join(sorted(_providers))}"
        )
    return _providers[name]


def providers() -> Mapping[str, Provider]:
    """Return every installed provider by name."""
    _scan()
    return dict(sorted(_providers.items()))


def _scan() -> None:
    global _scanned
    if _scanned:
        return
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        if point.name not in _providers:
            try:
                _providers[point.name] = point.load()
            except (ImportError, AttributeError) as error:
                raise InvalidArgument(
                    f"the adapter {point.name} ({point.value}) is installed but cannot be imported: {error}"
                ) from error
    _scanned = True


def load(reference: str) -> Any:
    """Import what a `"module:Name"` string names."""
    module, _, name = reference.partition(":")
    return getattr(import_module(module), name)


def _offering(kind: str, scheme: str) -> Iterator[tuple[Provider, str]]:
    field = kind + "s"
    for candidate in tuple(_providers.values()):
        if scheme in getattr(candidate, field):
            yield candidate, getattr(candidate, field)[scheme]
    for candidate in providers().values():
        if scheme in getattr(candidate, field):
            yield candidate, getattr(candidate, field)[scheme]


def driver_class(kind: str, scheme: str) -> Any:
    """Return the driver for addresses `scheme://`. Raises InvalidArgument, with what to install, when there is none."""
    extra = _EXTRAS.get(scheme) or _EXTRAS.get(scheme.partition("+")[0])
    hint = f"; install portable-serverless[{extra}]" if extra else ""
    for owner, reference in _offering(kind, scheme):
        try:
            return load(reference)
        except ModuleNotFoundError as error:
            raise InvalidArgument(
                f"the adapter {owner.name} cannot serve {scheme}://: {error}{hint or f'; install {error.name}'}"
            ) from error
    known = sorted({known for candidate in providers().values() for known in getattr(candidate, kind + "s")})
    raise InvalidArgument(
        f"no installed adapter serves a {kind} at {scheme}://{hint}; a {kind} can be at: "
        + ", ".join(f"{known}://" for known in known)
    )


def capabilities(owner: Provider, word: str) -> Capabilities | None:
    """Return what *owner*, else any provider, declares for `"<kind>:<scheme>"` or `"http"`; None where nobody does."""
    own: Mapping[str, Capabilities] = load(owner.capabilities) if owner.capabilities else {}
    if word in own:
        return own[word]
    for other in providers().values():
        theirs: Mapping[str, Capabilities] = load(other.capabilities) if other.capabilities else {}
        if word in theirs:
            return theirs[word]
    return None


def open_driver(kind: str, address: str, opening: Opening = Opening()) -> Any:
    """Return the driver at *address*, not yet connected to anything."""
    parsed = Address.parse(address)
    return driver_class(kind, parsed.scheme).from_address(parsed, opening)
