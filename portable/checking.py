"""What a target cannot do for an app, known before anything runs there: from the app's declarations and its source."""

from __future__ import annotations

import os

from portable import registry
from portable._nearest import nearest
from portable._scanning import modules_in, uses
from portable.connecting import address_of
from portable_contracts._value import Value
from portable_contracts.deploy import Place
from portable_contracts.errors import InvalidArgument
from portable_contracts.provider import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from portable._scanning import Use
    from portable.app import App
    from portable.config import Configuration, Target
    from portable_contracts.deploy import AppSpec, ResourceSpec, TriggerSpec
    from portable_contracts.limits import Capabilities


class Finding(Value):
    """One thing that is wrong, and where the app, or portable.toml, says it."""

    what: str
    place: Place


def check_app(spec: AppSpec) -> list[Finding]:
    """Return what is wrong with the app wherever it runs: schedules that no cron knows."""
    from portable.polling import cron

    found = []
    for trigger in spec.triggers:
        if trigger.kind == "schedule":
            try:
                cron.check(trigger.source)
            except InvalidArgument as error:
                found.append(Finding(str(error), trigger.place))
    return found


def check_target(app: App, target: Target, configuration: Configuration) -> list[Finding]:
    """Return what *target* cannot do for *app*, by place in the source."""
    spec = app.spec()
    in_file = Place(configuration.file or "", 0)
    try:
        registry.provider(target.provider)
    except InvalidArgument as error:
        return [Finding(f"{error}; install the package of its adapter", in_file)]
    found = list(_unknown_resources(spec, target, in_file))
    promised: dict[tuple[str, str], Promise] = {}
    for resource in spec.resources:
        try:
            promised[resource.kind, resource.name] = _promise(resource.kind, resource.name, target)
        except InvalidArgument as error:
            found.append(Finding(f"{resource.kind} {resource.name}: {error}", resource.place))
    for resource in spec.resources:
        if (resource.kind, resource.name) in promised:
            found += _declared(resource, promised[resource.kind, resource.name])
    for trigger in spec.triggers:
        found += _triggered(trigger, target, promised)
    found += _functions(spec, target)
    folders = {configuration.folder, *(os.path.dirname(resource.place.file) for resource in spec.resources)}
    for use in uses(modules_in(folders), app.resources.values()):
        if (use.resource.kind, use.resource.name) in promised:
            found += _used(use, promised[use.resource.kind, use.resource.name])
    return sorted(dict.fromkeys(found), key=lambda finding: (finding.place.file, finding.place.line, finding.what))


class Promise(Value):
    """What the service at a resource's address can do."""

    scheme: str
    capabilities: Capabilities

    def lacks(self, capability: str, word: str = "") -> str:
        """Return the end of a sentence about what is missing; empty where nothing is."""
        has = getattr(self.capabilities, capability)
        if has and (not word or word in has):
            return ""
        return (
            f"{self.scheme}:// does not have {f'{word!r} among its {capability}' if word and has else repr(capability)}"
        )


def _promise(kind: str, name: str, target: Target) -> Promise:
    scheme = Address.parse(address_of(kind, name, target)).scheme
    declared = registry.capabilities(registry.provider(target.provider), f"{kind}:{scheme}")
    if declared is None:
        registry.driver_class(kind, scheme)
        raise InvalidArgument(f"the adapter that serves {scheme}:// declares no capabilities for a {kind}")
    return Promise(scheme, declared)


def _unknown_resources(spec: AppSpec, target: Target, in_file: Place) -> Iterator[Finding]:
    names = {resource.name for resource in spec.resources}
    for name in target.resources:
        if name not in names:
            yield Finding(
                f"targets.{target.name}.resources.{name}: the app has no {name!r}{nearest(name, names)}", in_file
            )


def _declared(resource: ResourceSpec, promise: Promise) -> Iterator[Finding]:
    subject = f"{resource.kind} {resource.name}"
    for need in sorted(resource.needs):
        if missing := promise.lacks(need):
            yield Finding(f"{subject} needs {need!r}: {missing}", resource.place)
    if resource.options.get("dead_letter") and (missing := promise.lacks("dead_letters")):
        yield Finding(f"{subject} has a dead_letter queue: {missing}", resource.place)


def _triggered(trigger: TriggerSpec, target: Target, promised: Mapping[tuple[str, str], Promise]) -> Iterator[Finding]:
    kind, capability = {"message": ("queue", "push"), "change": ("table", "changes"), "blob": ("bucket", "events")}.get(
        trigger.kind, ("", "")
    )
    promise = promised.get((kind, trigger.source))
    if promise is None:
        return
    if target.provider == "local":
        # Nothing pushes on this machine: the engine of `portable run` receives messages, and follows feeds.
        missing = "" if trigger.kind == "message" else promise.lacks("feed")
        if missing:
            yield Finding(f"{trigger.name} follows {kind} {trigger.source}: {missing}", trigger.place)
        return
    words: Sequence[str] = trigger.options.get("events", ("",)) if trigger.kind == "blob" else ("",)
    for word in words:
        if missing := promise.lacks(capability, word):
            event = f" for {word!r}" if word else ""
            yield Finding(f"{trigger.name} is called by {kind} {trigger.source}{event}: {missing}", trigger.place)


def _functions(spec: AppSpec, target: Target) -> Iterator[Finding]:
    http = registry.capabilities(registry.provider(target.provider), "http")
    longest: int | None = getattr(http, "max_seconds", None)
    if longest is None:
        return
    for function in spec.functions:
        route = next((route for route in spec.routes if route.function == function.name), None)
        if route is not None and function.timeout is not None and function.timeout > longest:
            yield Finding(
                f"function {function.name} answers HTTP with timeout={function.timeout}: "
                f"{target.provider} ends a request after {longest} seconds",
                route.place,
            )


def _used(use: Use, promise: Promise) -> Iterator[Finding]:
    if missing := promise.lacks(use.capability, use.word):
        yield Finding(f"{use.call} on {use.resource}: {missing}", use.place)


def relative(place: Place) -> str:
    """Return the place as it is printed: relative to the current folder where it is in it, without line 0."""
    if not place.file:
        return ""
    path = os.path.relpath(place.file)
    path = place.file if path.startswith("..") else path
    return f"{path}:{place.line}" if place.line else path
