"""Which route answers a path: a tree of segments, so that a thousand routes cost what thirty do.

At each segment a fixed one goes before `{name}`, and that before `{rest:path}` and a mount; a choice that leads nowhere
is taken back. Where the best match does not have the method, the next one that has it answers. A trailing slash counts.
"""

from __future__ import annotations

from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from portable._calling import Handler
    from portable_contracts.deploy import Place

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
EVERY = "*"
"""In the place of a method: a mounted application, which answers all of them."""


class Route:
    """A handler at a path for a method."""

    __slots__ = ("function", "handler", "method", "names", "path", "place")

    def __init__(self, method: str, path: str, handler: Handler, place: Place, function: str) -> None:
        self.method = method
        self.path = path
        self.names = placeholders(path)
        self.handler = handler
        self.place = place
        self.function = function


class _Node:
    __slots__ = ("fixed", "mount", "parameter", "rest", "routes")

    def __init__(self) -> None:
        self.fixed: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.routes: dict[str, Route] = {}
        self.rest: dict[str, Route] = {}
        self.mount: Route | None = None


class Router:
    """The app's routes."""

    def __init__(self) -> None:
        self._root = _Node()
        self._fixed: dict[str, dict[str, Route]] = {}

    def add(self, route: Route) -> Route | None:
        """Add *route*; or return the one that has its place already."""
        node = self._root
        at_rest = False
        for segment in _segments(route.path):
            name, at_rest = _placeholder(segment, route.path)
            if name is None:
                node = node.fixed.setdefault(segment, _Node())
            elif not at_rest:
                node.parameter = node = node.parameter or _Node()
        routes = node.rest if at_rest else node.routes
        present = routes.get(route.method)
        if present is not None and present.method == route.method:
            return present
        routes[route.method] = route
        if route.method == "GET":
            routes.setdefault("HEAD", route)
        if not route.names:
            self._fixed[route.path] = routes
        return None

    def mount(self, route: Route) -> Route | None:
        """Let *route* answer its path and everything under it that has no route, or return the mount that does."""
        segments = _segments(route.path) if route.path != "/" else []
        if route.names or "" in segments:
            raise InvalidArgument(
                f"an application cannot be mounted at {route.path!r}: "
                "use a path of fixed segments, without a slash at its end"
            )
        node = self._root
        for segment in segments:
            node = node.fixed.setdefault(segment, _Node())
        if node.mount is not None:
            return node.mount
        node.mount = route
        return None

    def find(self, method: str, path: str) -> tuple[Route | None, Mapping[str, str]]:
        """Return the route that answers *method* at *path*, and what its placeholders stand for; or None."""
        routes = self._fixed.get(path)
        if routes is not None:
            route = routes.get(method)
            if route is not None:
                return route, _NOTHING
        for match, values in self._matches(path):
            if type(match) is Route:
                return match, _NOTHING
            found: Route | None = match.get(method)  # type: ignore[union-attr]  # the other half of the union
            if found is not None:
                return found, dict(zip(found.names, values))  # noqa: B905  # as many, by the way both were made
        return None, _NOTHING

    def methods(self, path: str) -> list[str]:
        """Return the methods that *path* has, in the order of the alphabet; none where there is no such path."""
        return sorted({method for routes, _ in self._matches(path) if type(routes) is dict for method in routes})

    def _matches(self, path: str) -> Iterator[tuple[dict[str, Route] | Route, list[str]]]:
        if path[:1] == "/":
            yield from _matches(self._root, path.split("/"), 1, [])


_NOTHING: dict[str, str] = {}


def _matches(
    node: _Node, segments: list[str], index: int, values: list[str]
) -> Iterator[tuple[dict[str, Route] | Route, list[str]]]:
    if index == len(segments):
        if node.routes:
            yield node.routes, values
    else:
        segment = segments[index]
        child = node.fixed.get(segment)
        if child is not None:
            yield from _matches(child, segments, index + 1, values)
        if node.parameter is not None and segment:
            yield from _matches(node.parameter, segments, index + 1, [*values, segment])
        if node.rest:
            yield node.rest, [*values, "/".join(segments[index:])]
    if node.mount is not None:
        yield node.mount, values


def placeholders(path: str) -> tuple[str, ...]:
    """Return the names in *path*, in order. Raises InvalidArgument for what no route can have."""
    names: list[str] = []
    segments = _segments(path)
    for index, segment in enumerate(segments):
        name, takes_slashes = _placeholder(segment, path)
        if name in names:
            raise InvalidArgument(f"path {path!r} has two placeholders {{{name}}}")
        if takes_slashes and index != len(segments) - 1:
            raise InvalidArgument(f"path {path!r}: {{{name}:path}} takes all that follows, so it comes last")
        if name is not None:
            names.append(name)
    return tuple(names)


def _segments(path: str) -> list[str]:
    if type(path) is not str or not path.startswith("/"):
        raise InvalidArgument(f"path {path!r} does not start with a slash: write it like '/threads/{{thread}}'")
    if "?" in path or "#" in path:
        raise InvalidArgument(f"path {path!r} holds a query or a fragment: read request.query in the handler")
    return path.split("/")[1:]


def _placeholder(segment: str, path: str) -> tuple[str | None, bool]:
    """Return the name in a `{name}` segment, and whether it takes slashes; None for a fixed segment."""
    if "{" not in segment and "}" not in segment:
        return None, False
    name, colon, kind = segment[1:-1].partition(":")
    if segment[0] != "{" or segment[-1] != "}" or not name.isidentifier() or (colon and kind != "path"):
        raise InvalidArgument(
            f"path {path!r}: {segment!r} is no placeholder: "
            "a whole segment is {name}, the last one may be {name:path}"
        )
    return name, bool(colon)
