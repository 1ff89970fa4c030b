"""The resources that an app declares, and where they are: bound to one target, by default when the first is used."""

from __future__ import annotations

from portable._nearest import nearest
from portable_contracts.deploy import Place, ResourceSpec
from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from portable._driving import Connection, Resource
    from portable.config import Configuration, Target
    from portable_contracts.provider import Opening

ATTEMPTS = 5
"""How often a message is delivered before it is a dead letter, where `max_attempts` is left out."""
_TYPES = {"bucket": "portable.blob:Bucket", "table": "portable.kv:Table", "queue": "portable.queue:Queue"}
_CAPABILITIES = {
    "bucket": "portable_contracts.blob:BlobCapabilities",
    "table": "portable_contracts.kv:KVCapabilities",
    "queue": "portable_contracts.queue:QueueCapabilities",
}
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_NAME = _LETTERS | frozenset("0123456789-_")


def check_name(what: str, name: str, place: Place) -> None:
    """Raise InvalidArgument for a name that services, files and environment variables could not share."""
    if not isinstance(name, str) or not 1 <= len(name) <= 63 or name[0] not in _LETTERS or not _NAME.issuperset(name):
        raise InvalidArgument(
            f"{place}: {what} name {name!r} is not allowed: use up to 63 letters, digits, - and _, a letter first"
        )


class Binding:
    """Where the app's resources are."""

    def __init__(self, target: Target, configuration: Configuration, opening: Opening) -> None:
        self.target = target
        self.configuration = configuration
        self.opening = opening
        self.names: dict[tuple[str, str], str] = {}
        """The app's names by kind and the name in the service; filled when the first event arrives."""

    @classmethod
    def default(cls, provider: str = "local") -> Binding:
        """Return the target that `PORTABLE_TARGET` names, else the one on *provider*; data is beside portable.toml."""
        from portable import config
        from portable_contracts.provider import Opening

        configuration = config.load()
        target = configuration.target_on(provider)
        return cls(target, configuration, Opening(data=configuration.data, region=target.region))


class Resources:
    """An app's buckets, tables and queues."""

    def __init__(self) -> None:
        self.by_kind: dict[tuple[str, str], Resource] = {}
        self.specs: dict[str, ResourceSpec] = {}
        self._implied: set[str] = set()
        """Dead-letter queues that another queue named, and nobody has declared by themselves."""
        self._variables: dict[str, str] = {}
        self.binding: Binding | None = None
        self.provider = "local"
        """Where this process runs, by what its entry point was made for."""

    def declare(self, kind: str, name: str, place: Place, needs: Iterable[str], options: Mapping[str, Any]) -> Resource:
        """Return the resource, made where it is new. Raises InvalidArgument for a second meaning, with both places."""
        check_name(kind, name, place)
        spec = ResourceSpec(kind, name, options, _checked_needs(kind, name, needs, place), place)
        present = self.specs.get(name)
        if present is not None and name in self._implied and present.kind == kind:
            self._implied.discard(name)
            self.specs[name] = spec
        elif present is not None:
            _check_same(present, spec)
            self.specs[name] = present.replace(needs=present.needs | spec.needs)
        else:
            self._make(spec)
        dead_letter = options.get("dead_letter")
        if dead_letter is not None and dead_letter not in self.specs:
            self._make(ResourceSpec("queue", dead_letter, {}, frozenset(), place))
            self._implied.add(dead_letter)
        elif dead_letter is not None and self.specs[dead_letter].kind != "queue":
            other = self.specs[dead_letter]
            raise InvalidArgument(
                f"{place}: the dead_letter {dead_letter!r} of queue {name} is a {other.kind} ({other.place})"
            )
        return self.by_kind[kind, name]

    def _make(self, spec: ResourceSpec) -> None:
        from portable import registry

        variable = spec.name.upper().replace("-", "_")
        other = self._variables.setdefault(variable, spec.name)
        if other != spec.name:
            raise InvalidArgument(
                f"{spec.place}: {spec.kind} {spec.name} and {self.specs[other].kind} {other} "
                f"({self.specs[other].place}) share the environment variable PORTABLE_{variable}: rename one"
            )
        self.specs[spec.name] = spec
        kind, name = spec.kind, spec.name
        self.by_kind[kind, name] = registry.load(_TYPES[kind])(name, lambda: self._connect(kind, name))

    def logical(self, kind: str, native: str) -> str:
        """Return the app's name of what the service calls *native*. Raises InvalidArgument, with what is known."""
        binding = self.bound()
        if not binding.names:
            binding.names = self._names(binding)
        name = binding.names.get((kind, native))
        if name is not None:
            return name
        if (kind, native) in self.by_kind:
            return native
        target = binding.target
        known = [f"{logical} at {at}" for (other, logical), at in self._addresses(binding).items() if other == kind]
        raise InvalidArgument(
            f"an event of the {kind} {native!r} arrived, which is none of the app's on target {target.name} "
            f"({target.provider}): {', '.join(known) or f'it has no {kind}'}"
        )

    def _names(self, binding: Binding) -> dict[tuple[str, str], str]:
        from portable_contracts.provider import Address

        names: dict[tuple[str, str], str] = {}
        doubtful = set()
        for (kind, logical), text in self._addresses(binding).items():
            address = Address.parse(text)
            for native in {address.name, address.path.rpartition("/")[2], address.parameters.get("name", "")} - {""}:
                if names.setdefault((kind, native), logical) != logical:
                    doubtful.add((kind, native))  # Such as the account that several queues are in.
        return {key: logical for key, logical in names.items() if key not in doubtful}

    def _addresses(self, binding: Binding) -> dict[tuple[str, str], str]:
        from portable.connecting import address_of

        addresses = {}
        for kind, name in self.by_kind:
            try:
                addresses[kind, name] = address_of(kind, name, binding.target)
            except InvalidArgument:
                continue  # Nothing arrives from a resource that is nowhere.
        return addresses

    def bound(self) -> Binding:
        """Return where the resources are; where nobody has said so, from now on what is so by default."""
        if self.binding is None:
            self.binding = Binding.default(self.provider)
        return self.binding

    def _connect(self, kind: str, name: str) -> Connection:
        from portable.connecting import address_of, connect

        binding, spec = self.bound(), self.specs[name]
        options = dict(spec.options)
        if options.get("dead_letter"):
            options["dead_letter"] = address_of("queue", options["dead_letter"], binding.target)
        return connect(
            kind,
            name,
            target=binding.target,
            configuration=binding.configuration,
            opening=binding.opening.replace(options=options),
            needs=spec.needs,
        )

    def rebind(self, binding: Binding | None) -> None:
        """Connect every resource anew, from now on, by *binding*; without one, by default."""
        self.binding = binding
        for resource in self.by_kind.values():
            connected, resource._connected = resource._connected, None
            if connected is not None:
                connected.driver.close()


def _checked_needs(kind: str, name: str, needs: Iterable[str], place: Place) -> frozenset[str]:
    words = frozenset((needs,) if isinstance(needs, str) else needs)
    if words:
        from portable import registry

        capabilities = registry.load(_CAPABILITIES[kind])
        known = [field for field, promised in capabilities._defaults.items() if isinstance(promised, (bool, frozenset))]
        for word in sorted(words, key=str):
            if word not in known:
                near = nearest(str(word), known)
                raise InvalidArgument(
                    f"{place}: {kind} {name} needs {word!r}, which is no capability{near}: there are {', '.join(known)}"
                )
    return words


def queue_options(name: str, max_attempts: int | None, dead_letter: object, place: Place) -> dict[str, Any]:
    """Return a queue's options. Raises InvalidArgument for ones that would lose messages."""
    if dead_letter is None:
        if max_attempts is not None:
            raise InvalidArgument(
                f"{place}: queue {name} has max_attempts but no dead_letter: say where its messages go after that"
            )
        return {}
    other: Any = getattr(dead_letter, "name", dead_letter)
    check_name("dead_letter", other, place)
    if other == name:
        raise InvalidArgument(f"{place}: queue {name} is its own dead_letter: name another queue")
    attempts = ATTEMPTS if max_attempts is None else max_attempts
    if type(attempts) is not int or not 1 <= attempts <= 1000:
        raise InvalidArgument(f"{place}: max_attempts of queue {name} is {attempts!r}: use a number from 1 to 1000")
    return {"max_attempts": attempts, "dead_letter": other}


def _check_same(present: ResourceSpec, spec: ResourceSpec) -> None:
    if present.kind != spec.kind:
        raise InvalidArgument(
            f"{spec.place}: {spec.name!r} is a {spec.kind} here and a {present.kind} at {present.place}: "
            "a name stands for one resource"
        )
    if spec.options and dict(spec.options) != dict(present.options):
        raise InvalidArgument(
            f"{spec.place}: {spec.kind} {spec.name} has other options here than at {present.place}: "
            "give them in one place"
        )
