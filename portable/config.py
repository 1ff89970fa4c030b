"""portable.toml and the environment: where the app runs, and where its resources are.

    app = "main:app"
    [targets.prod]
    provider = "aws"
    region = "eu-west-1"
    [targets.prod.resources]
    photos = "s3://acme-photos"

No file is needed on this machine: without one there is the target `local`. `PORTABLE_TARGET` picks a target,
`PORTABLE_<RESOURCE>` overrides one address, `PORTABLE_CONFIG` names another file.
"""

from __future__ import annotations

import os

from portable._nearest import nearest
from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument
from portable_contracts.provider import EMPTY, Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

FILE = "portable.toml"
_OWN_VARIABLES = frozenset({"PORTABLE_TARGET", "PORTABLE_CONFIG"})


class Target(Value):
    """One place to deploy to or run in."""

    name: str
    provider: str
    region: str | None = None
    resources: Mapping[str, str] = EMPTY
    """Addresses by the resources' names."""
    settings: Mapping[str, Any] = EMPTY
    """What else the target's table holds, under `[targets.<name>.settings]`: the adapter's and the deployer's own."""

    def address(self, resource: str) -> str | None:
        """Return the resource's address: from the environment, else from the file, else None.

        Raises InvalidArgument, naming the variable, when what the environment has is no address.
        """
        name = variable(resource)
        given = None if name in _OWN_VARIABLES else os.environ.get(name)
        if not given:
            return self.resources.get(resource)
        _check_address(given, name)
        return given


class Configuration(Value):
    """What portable.toml says; without one, the target `local` alone."""

    folder: str
    """Where the file is, or the current folder: local data lives in its `.portable`."""
    file: str | None
    app: str | None
    targets: Mapping[str, Target]

    def target(self, name: str | None = None) -> Target:
        """Return the target called *name*, else the one `PORTABLE_TARGET` names, else `local`.

        Raises InvalidArgument, naming the nearest, for one that the file does not have.
        """
        chosen = name or os.environ.get("PORTABLE_TARGET") or "local"
        if chosen in self.targets:
            return self.targets[chosen]
        said = "" if name else " (named by PORTABLE_TARGET)"
        if self.file is None:
            raise InvalidArgument(
                f"no target {chosen!r}{said}: there is no {FILE} in {self.folder} or above it, so only 'local'; "
                f"make one with [targets.{chosen}]"
            )
        raise InvalidArgument(
            f"no target {chosen!r}{said} in {self.file}{nearest(chosen, self.targets)}: "
            f"its targets are {', '.join(self.targets)}; add [targets.{chosen}]"
        )

    def target_on(self, provider: str) -> Target:
        """Return the target to use on *provider*: the one that `PORTABLE_TARGET` names, else the only one there.

        Without any, one with the provider's name and default services. Raises InvalidArgument where there are several.
        """
        there = [target for target in self.targets.values() if target.provider == provider]
        if os.environ.get("PORTABLE_TARGET") or provider == "local":
            return self.target()
        if len(there) > 1:
            raise InvalidArgument(
                f"{self.file} has several targets on {provider}: set PORTABLE_TARGET to one of "
                + ", ".join(target.name for target in there)
            )
        return there[0] if there else Target(provider, provider)

    @property
    def data(self) -> str:
        """The folder of local data."""
        return os.path.join(self.folder, ".portable")


def variable(resource: str) -> str:
    """Return the environment variable that overrides a resource's address: `PORTABLE_THUMBS_DEAD` for `thumbs-dead`."""
    return "PORTABLE_" + resource.upper().replace("-", "_")


def find(folder: str | None = None) -> str | None:
    """Return the path of the portable.toml in *folder* (by default the current one) or the nearest folder above it."""
    named = os.environ.get("PORTABLE_CONFIG")
    if named:
        if not os.path.isfile(named):
            raise InvalidArgument(f"PORTABLE_CONFIG names {named}, which is not there")
        return os.path.abspath(named)
    current = os.path.abspath(folder or os.getcwd())
    while True:
        path = os.path.join(current, FILE)
        if os.path.isfile(path):
            return path
        above = os.path.dirname(current)
        if above == current:
            return None
        current = above


def load(folder: str | None = None) -> Configuration:
    """Read the configuration for *folder*. Raises InvalidArgument that names the file, the key and the fix."""
    path = find(folder)
    if path is None:
        return Configuration(os.path.abspath(folder or os.getcwd()), None, None, {"local": Target("local", "local")})
    return parse(_read(path), path)


def _read(path: str) -> dict[str, Any]:
    toml = _toml(path)
    try:
        with open(path, "rb") as file:
            document: dict[str, Any] = toml.load(file)
            return document
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{path} is not valid TOML: {error}") from error
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be read: {error.strerror}") from error


def _toml(path: str) -> Any:
    """Return the TOML reader: the standard library's, or on Python 3.10 the package that it came from."""
    from importlib import import_module

    for module in ("tomllib", "tomli"):
        try:
            return import_module(module)
        except ModuleNotFoundError:
            continue
    raise InvalidArgument(f"{path}: reading TOML on Python 3.10 needs tomli; install portable-serverless[cli]")


def parse(document: Mapping[str, Any], path: str) -> Configuration:
    """Check what portable.toml holds, and return it."""
    _known(document, ("app", "targets"), path, "")
    app = document.get("app")
    if app is not None and not (isinstance(app, str) and all(app.partition(":"))):
        raise InvalidArgument(f'{path}: app = {app!r} names no app: write it like app = "main:app"')
    tables = document.get("targets", {})
    if not isinstance(tables, dict):
        raise InvalidArgument(f"{path}: targets is not a table: write [targets.NAME]")
    targets = {"local": Target("local", "local")}
    for name, table in tables.items():
        targets[name] = _target(name, table, path)
    return Configuration(os.path.dirname(os.path.abspath(path)), path, app, targets)


def _target(name: str, table: Any, path: str) -> Target:
    where = f"targets.{name}"
    if not isinstance(table, dict):
        raise InvalidArgument(f"{path}: {where} is not a table: write [{where}]")
    _known(table, ("provider", "region", "resources", "settings"), path, where)
    provider = table.get("provider", "local" if name == "local" else None)
    if not isinstance(provider, str) or not provider:
        raise InvalidArgument(f'{path}: {where} names no provider: add provider = "aws", or another')
    region = table.get("region")
    if region is not None and not isinstance(region, str):
        raise InvalidArgument(f"{path}: {where}.region is {region!r}: it must be text")
    resources, settings = table.get("resources", {}), table.get("settings", {})
    for word, value in (("resources", resources), ("settings", settings)):
        if not isinstance(value, dict):
            raise InvalidArgument(f"{path}: {where}.{word} is not a table: write [{where}.{word}]")
    for resource, address in resources.items():
        if not isinstance(address, str):
            raise InvalidArgument(
                f"{path}: {where}.resources.{resource} = {address!r} is not an address: write it like scheme://name"
            )
        _check_address(address, f"{path}: {where}.resources.{resource}")
    return Target(name, provider, region, resources, settings)


def _check_address(address: str, where: str) -> None:
    try:
        Address.parse(address)
    except InvalidArgument as error:
        raise InvalidArgument(f"{where}: {error}") from error


def _known(table: Mapping[str, Any], keys: Iterable[str], path: str, where: str) -> None:
    for key in table:
        if key not in keys:
            place = f"{where}.{key}" if where else key
            raise InvalidArgument(
                f"{path}: unknown key {place}{nearest(key, keys)}: "
                f"{'[' + where + ']' if where else 'the file'} takes {', '.join(keys)}"
            )
