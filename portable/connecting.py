"""From a resource's name to its open driver: the target's address, the adapter that serves it, the targets' limits."""

from __future__ import annotations

from portable import registry
from portable._driving import Connection
from portable._nearest import nearest
from portable_contracts.errors import InvalidArgument, Unsupported
from portable_contracts.limits import PROFILE
from portable_contracts.provider import Address, Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from portable.config import Configuration, Target
    from portable_contracts.limits import Capabilities
    from portable_contracts.provider import Provider


def address_of(kind: str, name: str, target: Target) -> str:
    """Return where the target keeps the resource: one that it does not list, under its name at the default service.

    Raises InvalidArgument where the provider has no default service for *kind*.
    """
    address = target.address(name)
    if address is not None:
        return address
    scheme = _provider(target).defaults.get(kind)
    if scheme is None:
        raise InvalidArgument(
            f"target {target.name} ({target.provider}) does not say where {kind} {name} is: "
            f'add {name} = "scheme://name" under [targets.{target.name}.resources]'
        )
    return f"{scheme}://{name}"


def promises(kind: str, name: str, target: Target) -> tuple[str, Capabilities] | None:
    """Return what *target* promises for the resource, after the words that errors name it by; None where unknown."""
    scheme = Address.parse(address_of(kind, name, target)).scheme
    declared = registry.capabilities(_provider(target), f"{kind}:{scheme}")
    return None if declared is None else (f"target {target.name} ({target.provider})", declared)


def _provider(target: Target) -> Provider:
    try:
        return registry.provider(target.provider)
    except InvalidArgument as error:
        raise InvalidArgument(f"target {target.name}: {error}") from error


def connect(
    kind: str,
    name: str,
    *,
    target: Target,
    configuration: Configuration,
    opening: Opening,
    needs: Iterable[str] = (),
) -> Connection:
    """Open the resource's driver. On a target of the provider `local` its limits are those of all targets together.

    Raises Unsupported where the target does not have a capability in *needs*, or has no dead-letter queues and the
    resource has one; InvalidArgument for a capability that nobody knows.
    """
    address = Address.parse(address_of(kind, name, target))
    driver_class = registry.driver_class(kind, address.scheme)
    own = f"target {target.name} ({target.provider})"
    if target.provider == "local":
        others = [other for other in configuration.targets.values() if other.provider != "local"]
        found = [promise for promise in (promises(kind, name, other) for other in others) if promise is not None]
        capabilities, owners = _narrow(driver_class.capabilities, found)
    else:
        capabilities, owners = driver_class.capabilities.narrowed((), own)
    for need in sorted(needs):
        if need not in capabilities._fields:
            raise InvalidArgument(
                f"{kind} {name} needs {need!r}, which no {kind} has{nearest(need, capabilities._fields)}"
            )
        if not getattr(capabilities, need):
            raise Unsupported(f"{kind} {name} needs {need!r}, which {owners[need]} does not have")
    _refuse_dead_letters(f"{kind} {name}", capabilities, owners, opening)
    return Connection(driver_class.from_address(address, opening), capabilities, owners, opening, target.name)


def _narrow(own: Any, found: list[tuple[str, Any]]) -> tuple[Any, Mapping[str, str]]:
    """Return what this machine may do: what the targets allow, or, without targets, the numbers of the profile.

    A target's number holds even where it is larger than the profile's: going past the profile is allowed where all of
    the app's targets allow it.
    """
    if not found:
        words = {
            field: getattr(own, field) for field in own._fields if isinstance(getattr(own, field), (bool, frozenset))
        }
        found = [(PROFILE, type(own)().replace(**words))]
    narrowed: tuple[Any, Mapping[str, str]] = own.narrowed(found, "this machine")
    return narrowed


def open_address(kind: str, address: str, opening: Opening | None = None) -> Connection:
    """Open the driver at *address*, on its own: its limits are those that it declares.

    Raises Unsupported for a dead-letter queue where the service has none.
    """
    opening = opening or Opening()
    parsed = Address.parse(address)
    driver_class = registry.driver_class(kind, parsed.scheme)
    capabilities, owners = driver_class.capabilities.narrowed((), address.partition("?")[0])
    _refuse_dead_letters(f"{kind} at {address}", capabilities, owners, opening)
    return Connection(driver_class.from_address(parsed, opening), capabilities, owners, opening)


def _refuse_dead_letters(subject: str, capabilities: Any, owners: Mapping[str, str], opening: Opening) -> None:
    if opening.options.get("dead_letter") and not capabilities.dead_letters:
        raise Unsupported(f"{subject} has a dead_letter queue: {owners['dead_letters']} does not have 'dead_letters'")
