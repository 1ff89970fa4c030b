"""What an app's source asks of its resources, read without running it: the calls that need a capability.

    thumbs.send(body, delay=timedelta(minutes=1))     # "delay" of queue thumbs, main.py:41

A name counts when, in its module, it is a resource of the app, or an async view of one, and no parameter or assignment
of the function hides it. What is passed around under other names is not seen: `needs=` says it.
"""

from __future__ import annotations

import ast
import sys
from types import ModuleType

from portable._driving import Resource
from portable_contracts._value import Value
from portable_contracts.deploy import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import Any


class Use(Value):
    """A call that needs a capability of a resource."""

    resource: Resource
    capability: str
    word: str
    """What a capability that is a set of words must hold; empty for one that is true or false."""
    call: str
    """As errors print it: `"send(delay=...)"`."""
    place: Place


# By kind and method: the parameter whose presence needs the capability, "" for the call itself.
_NEEDS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("queue", "send"): (("delay", "delay"), ("group", "groups"), ("dedup", "dedup")),
    ("queue", "receive"): (("lease", "choose_lease"),),
    ("message", "retry"): (("delay", "retry_delay"),),
    ("message", "extend"): (("", "extend"),),
    ("table", "transact"): (("", "transactions"),),
    ("table", "scan"): (("segments", "scan_segments"),),
    ("bucket", "create"): (("", "create"),),
    ("bucket", "write"): (("if_version", "if_version"),),
    ("bucket", "delete"): (("if_version", "delete_if_version"),),
    ("bucket", "sign"): (("content_type", "sign_content_type"),),
}
_POSITIONS = {("message", "retry"): ("delay",), ("bucket", "sign"): ("key", "method")}


def uses(modules: Collection[ModuleType], resources: Collection[Resource]) -> list[Use]:
    """Return every use of a capability of *resources* in the source of *modules*, in the order of the source."""
    found: list[Use] = []
    for module in modules:
        with open(str(module.__file__), "rb") as file:
            tree = ast.parse(file.read())
        found += _Reader(module, resources).read(tree)
    return found


def modules_in(folders: Iterable[str]) -> list[ModuleType]:
    """Return the imported modules whose source is in *folders*: the app's own, without packages installed there."""
    inside = tuple(folder.rstrip("/") + "/" for folder in folders)
    own = {
        file: module
        for module in tuple(sys.modules.values())
        if (file := getattr(module, "__file__", None) or "").startswith(inside) and file.endswith(".py")
    }
    return [own[file] for file in sorted(own) if "/site-packages/" not in file]


class _Reader:
    """Reads one module; knows which of its names are hidden where."""

    def __init__(self, module: ModuleType, resources: Collection[Resource]) -> None:
        self._module = module
        self._resources = {id(resource): resource for resource in resources}
        self._found: list[Use] = []

    def read(self, tree: ast.Module) -> list[Use]:
        self._walk(tree, frozenset(), {})
        return self._found

    def _walk(self, node: ast.AST, hidden: frozenset[str], messages: Mapping[str, Resource]) -> None:
        """Visit *node* and what it holds; *messages* are the parameters that are messages, with their queues."""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for outer in (*node.decorator_list, *node.args.defaults):
                self._walk(outer, hidden, messages)
            hidden |= _bound(node)
            queue = next(self._queues(node), None)
            messages = {name: own for name, own in messages.items() if name not in hidden}
            if queue is not None and node.args.args:
                messages[node.args.args[0].arg] = queue
            for statement in node.body:
                self._walk(statement, hidden, messages)
            return
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            self._call(node, node.func, hidden, messages)
        for inner in ast.iter_child_nodes(node):
            self._walk(inner, hidden, messages)

    def _queues(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Resource]:
        """Yield the queue whose messages the function handles, one at a time."""
        for decorator in node.decorator_list:
            if (
                isinstance(decorator, ast.Call)
                and isinstance(decorator.func, ast.Attribute)
                and decorator.func.attr == "on_message"
                and decorator.args
                and not any(keyword.arg == "batch" for keyword in decorator.keywords)
            ):
                queue = self._resource(decorator.args[0], frozenset())
                if queue is not None:
                    yield queue

    def _call(
        self, node: ast.Call, function: ast.Attribute, hidden: frozenset[str], messages: Mapping[str, Resource]
    ) -> None:
        if isinstance(function.value, ast.Name) and function.value.id in messages:
            kind, resource = "message", messages[function.value.id]
        else:
            own = self._resource(function.value, hidden)
            if own is None:
                return
            kind, resource = own.kind, own
        method = function.attr
        given = dict(zip(_POSITIONS.get((kind, method), ()), node.args, strict=False))
        given |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
        given = {name: value for name, value in given.items() if not _is_none(value)}
        place = Place(str(self._module.__file__), node.lineno)
        subject = "message." if kind == "message" else ""
        for parameter, capability in _NEEDS.get((kind, method), ()):
            if not parameter or parameter in given:
                call = f"{subject}{method}({f'{parameter}=...' if parameter else '...' if node.args else ''})"
                self._found.append(Use(resource, capability, "", call, place))
        if (kind, method) == ("bucket", "sign"):
            verb = given.get("method", ast.Constant("GET"))
            if isinstance(verb, ast.Constant) and isinstance(verb.value, str):
                self._found.append(Use(resource, "sign", verb.value, f"sign(method={verb.value!r})", place))

    def _resource(self, node: ast.expr, hidden: frozenset[str]) -> Resource | None:
        value = self._value(node, hidden)
        # An async view holds the resource that it is a view of.
        return self._resources.get(id(getattr(value, "blocking", value)))

    def _value(self, node: ast.expr, hidden: frozenset[str]) -> Any:
        """Return what a name, or an attribute of a module, is once the module is imported; else None."""
        if isinstance(node, ast.Name) and node.id not in hidden:
            return vars(self._module).get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._value(node.value, hidden)
            return vars(owner).get(node.attr) if isinstance(owner, ModuleType) else None
        return None


def _bound(node: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """Return the names that are the function's own: its parameters and what it assigns."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    names = {argument.arg for argument in every if argument is not None}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            names.add(inner.id)
        elif isinstance(inner, ast.Global):
            names.difference_update(inner.names)
    return frozenset(names)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
