"""App: the routes, triggers and resources of one application, and the one way into its handlers.

    app = App("guestbook")
    entries = app.table("entries")

    @app.get("/threads/{thread}")
    def read(request, thread):
        return [item.value for item in entries.query(thread)]

What is declared wrongly, or twice, is an error when the app's module is imported, and names the file and the line.
"""

from __future__ import annotations

import sys

from portable._calling import Handler, Middleware
from portable._driving import invocation
from portable._functions import Functions
from portable._resources import Binding, Resources, check_name, queue_options
from portable._routing import EVERY, METHODS, Route, Router, placeholders
from portable._triggers import BlobTrigger, Triggers
from portable.http import Answering, HttpLimits, checked, finished, too_large, unhandled
from portable_contracts.deploy import AppSpec, Place, RouteSpec
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import NO_CONTEXT, Message
from portable_contracts.http import Request
from portable_contracts.provider import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from typing import Any, TypeVar

    from typing_extensions import Unpack

    from portable._asgi import AsgiMount
    from portable._calling import Step
    from portable._driving import Resource
    from portable._functions import Size
    from portable.blob import Bucket
    from portable.config import Configuration, Target
    from portable.kv import Table
    from portable.queue import Queue
    from portable_contracts.provider import Opening

    F = TypeVar("F", bound=Callable[..., Any])


class App:
    """An application: what it answers to and what it uses, declared once, when its module is imported.

    Every declaration raises InvalidArgument, with its file and line, and those of the other one where two collide.
    """

    def __init__(self, name: str) -> None:
        """Make an app without handlers."""
        check_name("app", name, _place())
        self.name = name
        self._resources = Resources()
        self._routes: list[RouteSpec] = []
        self._functions = Functions()
        self._router = Router()
        self._triggers = Triggers()
        self._middlewares: list[tuple[Callable[..., Any], Place]] = []
        self._chain: Step = _Innermost(self._router, self._triggers)
        self._mounts: list[AsgiMount] = []
        self._limits: HttpLimits | None = None

    # Resources

    @property
    def resources(self) -> Mapping[tuple[str, str], Resource]:
        """The buckets, tables and queues, by kind and name."""
        return self._resources.by_kind

    def table(self, name: str, *, needs: Iterable[str] = ()) -> Table:
        """Return the table called *name*; *needs* are capabilities that a target must have."""
        return self._resources.declare("table", name, _place(), needs, EMPTY)  # type: ignore[return-value]  # what the kind says

    def bucket(self, name: str, *, needs: Iterable[str] = ()) -> Bucket:
        """Return the bucket called *name*; *needs* are capabilities that a target must have."""
        return self._resources.declare("bucket", name, _place(), needs, EMPTY)  # type: ignore[return-value]  # likewise

    def queue(
        self,
        name: str,
        *,
        max_attempts: int | None = None,
        dead_letter: str | Queue | None = None,
        needs: Iterable[str] = (),
    ) -> Queue:
        """Return the queue called *name*.

        A message that was delivered *max_attempts* times, by default 5, without success moves to *dead_letter*.
        *needs* are capabilities that a target must have.
        """
        place = _place()
        options = queue_options(name, max_attempts, dead_letter, place)
        return self._resources.declare("queue", name, place, needs, options)  # type: ignore[return-value]  # likewise

    # HTTP

    def get(self, path: str, **size: Unpack[Size]) -> Callable[[F], F]:
        """Answer GET, and HEAD, at *path*.

        `{name}` is a segment, `{rest:path}` all that follows; the handler gets them by name, after the request.
        Handlers with the same `function` are deployed together; `memory` is in MiB, `timeout` in seconds.
        """
        return self._route(path, ("GET",), _place(), size)

    def post(self, path: str, **size: Unpack[Size]) -> Callable[[F], F]:
        """Answer POST at *path*, as `get` does GET."""
        return self._route(path, ("POST",), _place(), size)

    def put(self, path: str, **size: Unpack[Size]) -> Callable[[F], F]:
        """Answer PUT at *path*, as `get` does GET."""
        return self._route(path, ("PUT",), _place(), size)

    def patch(self, path: str, **size: Unpack[Size]) -> Callable[[F], F]:
        """Answer PATCH at *path*, as `get` does GET."""
        return self._route(path, ("PATCH",), _place(), size)

    def delete(self, path: str, **size: Unpack[Size]) -> Callable[[F], F]:
        """Answer DELETE at *path*, as `get` does GET."""
        return self._route(path, ("DELETE",), _place(), size)

    def head(self, path: str, **size: Unpack[Size]) -> Callable[[F], F]:
        """Answer HEAD at *path* where the handler of GET should not."""
        return self._route(path, ("HEAD",), _place(), size)

    def options(self, path: str, **size: Unpack[Size]) -> Callable[[F], F]:
        """Answer OPTIONS at *path*, as `get` does GET."""
        return self._route(path, ("OPTIONS",), _place(), size)

    def route(self, path: str, methods: Iterable[str], **size: Unpack[Size]) -> Callable[[F], F]:
        """Answer several *methods* at *path* with one handler."""
        return self._route(path, methods, _place(), size)

    def _route(self, path: str, methods: Iterable[str], place: Place, size: Size) -> Callable[[F], F]:
        words = (methods,) if isinstance(methods, str) else tuple(methods)
        wrong = [word for word in words if word not in METHODS]
        if wrong or not words:
            what = ", ".join(map(repr, wrong)) or "no method"
            raise InvalidArgument(f"{place}: route {path} has {what}: the methods are {', '.join(METHODS)}")
        try:
            names = placeholders(path)
        except InvalidArgument as error:
            raise InvalidArgument(f"{place}: {error}") from None
        function = self._functions.add(size, place)

        def declare(handler: F) -> F:
            made = Handler(handler, place, names)
            for method in words:
                present = self._router.add(Route(method, path, made, place, function))
                if present is not None:
                    raise InvalidArgument(
                        f"{place}: {method} {path} is answered already by {present.handler.name}, "
                        f"as {method} {present.path} at {present.place}"
                    )
                self._routes.append(RouteSpec(method, path, function, made.name, place))
            return handler

        return declare

    def asgi(self, application: Any, path: str = "/", **size: Unpack[Size]) -> None:
        """Let an ASGI application (FastAPI, Starlette) answer everything under *path* that has no route here."""
        from portable._asgi import AsgiMount

        mount = AsgiMount(application, path)
        self._mount(mount, application, path, _place(), size)
        self._mounts.append(mount)

    def wsgi(self, application: Any, path: str = "/", **size: Unpack[Size]) -> None:
        """Let a WSGI application (Flask, Django) answer everything under *path* that has no route here."""
        from portable._wsgi import WsgiMount

        self._mount(WsgiMount(application, path), application, path, _place(), size)

    def _mount(self, mount: Callable[..., Any], application: Any, path: str, place: Place, size: Size) -> None:
        if not callable(application):
            raise InvalidArgument(f"{place}: an application to mount is callable, which {application!r} is not")
        function = self._functions.add(size, place)
        handler = Handler(mount, place)
        try:
            present = self._router.mount(Route(EVERY, path, handler, place, function))
        except InvalidArgument as error:
            raise InvalidArgument(f"{place}: {error}") from None
        if present is not None:
            raise InvalidArgument(f"{place}: another application is mounted at {path}, at {present.place}")
        self._routes.append(RouteSpec(EVERY, path, function, handler.name, place))

    # Triggers

    def on_message(self, queue: Queue, *, batch: bool = False, **size: Unpack[Size]) -> Callable[[F], F]:
        """Handle the queue's messages, one a call; with *batch* the list of those that came together.

        An exception fails that message alone, or with *batch* all that the handler has not acknowledged.
        """
        place = _place()
        name = self._own("queue", queue, place)
        function = self._functions.add(size, place)

        def declare(handler: F) -> F:
            self._triggers.add_message(name, Handler(handler, place), batch, function)
            return handler

        return declare

    def on_blob(
        self,
        bucket: Bucket,
        *,
        prefix: str = "",
        suffix: str = "",
        events: Sequence[str] = ("created", "deleted"),
        **size: Unpack[Size],
    ) -> Callable[[F], F]:
        """Handle what is written to and deleted from the bucket, at keys with this *prefix* and *suffix*."""
        from portable._blob_grammar import begins_no_key

        place = _place()
        name = self._own("bucket", bucket, place)
        words = (events,) if isinstance(events, str) else tuple(events)
        if not words or not {"created", "deleted"}.issuperset(words):
            raise InvalidArgument(f"{place}: events={events!r} of bucket {name}: use 'created', 'deleted' or both")
        if not all(isinstance(text, str) for text in (prefix, suffix)) or begins_no_key(prefix):
            raise InvalidArgument(f"{place}: prefix={prefix!r} of bucket {name}: no key begins so")
        if begins_no_key("a" + suffix) or suffix.endswith("/"):
            raise InvalidArgument(f"{place}: suffix={suffix!r} of bucket {name}: no key ends so")
        function = self._functions.add(size, place)

        def declare(handler: F) -> F:
            self._triggers.add_blob(name, BlobTrigger(Handler(handler, place), prefix, suffix, words), function)
            return handler

        return declare

    def on_change(self, table: Table, **size: Unpack[Size]) -> Callable[[F], F]:
        """Handle what changes in the table; the changes of one item come in order."""
        place = _place()
        name = self._own("table", table, place)
        function = self._functions.add(size, place)

        def declare(handler: F) -> F:
            self._triggers.add_change(name, Handler(handler, place), function)
            return handler

        return declare

    def schedule(self, cron: str, *, name: str | None = None, **size: Unpack[Size]) -> Callable[[F], F]:
        """Call the handler when the five-field *cron* expression is due, in UTC; *name* is by default the handler's."""
        from portable._cron import check_cron

        place = _place()
        try:
            check_cron(cron)
        except InvalidArgument as error:
            raise InvalidArgument(f"{place}: {error}") from None
        function = self._functions.add(size, place)

        def declare(handler: F) -> F:
            made = Handler(handler, place)
            called = made.name if name is None else name
            check_name("schedule", called, place)
            self._triggers.add_schedule(cron, called, made, function)
            return handler

        return declare

    def on_event(self, type: str, **size: Unpack[Size]) -> Callable[[F], F]:
        """Handle CloudEvents of this *type*; `"*"` is every event, of whatever shape, that has no other handler."""
        place = _place()
        if not isinstance(type, str) or not type:
            raise InvalidArgument(f"{place}: the type of an event is text, such as 'com.acme.signed', not {type!r}")
        function = self._functions.add(size, place)

        def declare(handler: F) -> F:
            self._triggers.add_event(type, Handler(handler, place), function)
            return handler

        return declare

    def cloudevents(self, path: str, **size: Unpack[Size]) -> None:
        """Take the CloudEvents that are posted to *path* to the handlers that `on_event` declares.

        Whoever reaches the path can send events: let a middleware see to it that only the right ones do.
        """
        from portable._event_route import EventRoute

        route, place = EventRoute(self), _place()
        self._route(path, ("POST",), place, size)(route.take)
        self._route(path, ("OPTIONS",), place, size)(route.agree)

    def middleware(self, function: F) -> F:
        """Call *function* with every event and `call_next`; it returns the answer. The first one is outermost."""
        if not callable(function):
            raise InvalidArgument(f"{_place()}: a middleware is a function of (event, call_next), not {function!r}")
        self._middlewares.append((function, _place()))
        chain: Step = _Innermost(self._router, self._triggers)
        for inner, place in reversed(self._middlewares):
            chain = Middleware(inner, place, chain, checked)
        self._chain = chain
        return function

    def _own(self, kind: str, resource: Any, place: Place) -> str:
        name = getattr(resource, "name", resource)
        if self.resources.get((kind, name)) is not resource:
            raise InvalidArgument(f"{place}: {resource!r} is no {kind} of this app: pass what app.{kind}(...) returned")
        return str(name)

    def spec(self) -> AppSpec:
        """Return all declarations, as data."""
        return AppSpec(
            self.name,
            tuple(self._routes),
            tuple(self._triggers.specs),
            tuple(self._resources.specs.values()),
            tuple(self._functions.specs.values()),
        )

    # Running

    def bind(self, target: Target, configuration: Configuration, opening: Opening) -> None:
        """Connect every resource anew, as *target* says, on its next use; on this machine, mind HTTP's limits too."""
        self._resources.rebind(Binding(target, configuration, opening))
        self._limits = HttpLimits.of(configuration) if target.provider == "local" else None

    def unbind(self) -> None:
        """Let resources be where the environment and portable.toml say, as they are without `bind`."""
        self._limits = None
        self._resources.rebind(None)

    def _enforce_limits(self) -> None:
        """Mind HTTP's limits from now on, as `bind` does: this machine answers."""
        if self._limits is None:
            self._limits = HttpLimits.of(self._resources.bound().configuration)

    def handle(self, event: Any) -> Any:
        """Handle one event, on this thread; return a Response for a Request, else what the handler gave.

        For a Request it never raises: what a handler raises is logged and answered with 500. For other events it raises
        what the handler raised, and InvalidArgument where there is none.
        """
        token = invocation.set(getattr(event, "context", NO_CONTEXT))
        try:
            if isinstance(event, Request):
                refused = self._limits and too_large(event, self._limits)
                if refused:
                    return refused
                try:
                    response = self._chain.plain(event)
                except Exception as error:
                    response = unhandled(event, error)
                return finished(event, response, self._limits)
            if isinstance(event, Message):
                from portable._delivery import deliver, result_of

                return result_of(deliver(self, (event,)))
            return self._chain.plain(event)
        finally:
            invocation.reset(token)

    async def handle_async(self, event: Any) -> Any:
        """Do what `handle` does on the running event loop: async handlers run on it, plain ones in a thread."""
        token = invocation.set(getattr(event, "context", NO_CONTEXT))
        try:
            if isinstance(event, Request):
                refused = self._limits and too_large(event, self._limits)
                if refused:
                    return refused
                try:
                    response = await self._chain.on_loop(event)
                except Exception as error:
                    response = unhandled(event, error)
                return finished(event, response, self._limits)
            if isinstance(event, Message):
                from portable._delivery import deliver_async, result_of

                return result_of(await deliver_async(self, (event,)))
            return await self._chain.on_loop(event)
        finally:
            invocation.reset(token)

    def __repr__(self) -> str:
        return f"App({self.name!r})"


class _Innermost:
    """The last step of the chain: requests go to routes, everything else to triggers."""

    __slots__ = ("_answering", "_triggers")

    def __init__(self, router: Router, triggers: Triggers) -> None:
        self._answering = Answering(router)
        self._triggers = triggers

    def plain(self, event: Any) -> Any:
        return self._answering.plain(event) if isinstance(event, Request) else self._triggers.plain(event)

    def on_loop(self, event: Any) -> Awaitable[Any]:
        return self._answering.on_loop(event) if isinstance(event, Request) else self._triggers.on_loop(event)


def _place() -> Place:
    """Return where the method of App that called this was called from."""
    frame = sys._getframe(2)
    return Place(frame.f_code.co_filename, frame.f_lineno)
