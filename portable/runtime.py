"""From a platform's invocation to the app's handlers and back: what an entry file names.

handler = portable.entrypoint(app, "aws")
"""

from __future__ import annotations

from portable import registry
from portable._delivery import NotDone, push, push_async
from portable._recognition import Codecs, unknown
from portable._reporting import failed as report
from portable._triggers import ANY, failure
from portable_contracts._value import setter
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import BlobEvent, Change, CloudEvent, Context, Message, Tick
from portable_contracts.http import HttpCapabilities, HttpCodec, Request
from portable_contracts.provider import Address, Runner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from portable.app import App
    from portable_contracts.deploy import AppSpec
    from portable_contracts.events import Event, EventCodec
    from portable_contracts.http import Response
    from portable_contracts.provider import Provider

DRAIN = "portable-drain"
"""The schedule that stands for a queue's trigger where the platform has none: its tick drains the app's queues."""
_cold = True


def entrypoint(app: App, provider: Provider | str, *, partial_batch: bool = False) -> Any:
    """Return what the platform's handler setting names, for the provider with this name, or for the provider itself.

    With *partial_batch* failed messages are reported one by one, to a platform that was told to read that report;
    without it a failed message fails the invocation, and the platform delivers all of it again.
    Raises InvalidArgument for a provider that no installed adapter offers, or that has no entry point.
    """
    offered = registry.provider(provider) if isinstance(provider, str) else registry.register(provider)
    if not offered.entry:
        raise InvalidArgument(f"the provider {offered.name} has no entry point")
    return registry.load(offered.entry)(runner(app, offered, partial_batch=partial_batch))


def runner(app: App, provider: Provider | str, *, partial_batch: bool = False) -> Runner:
    """Return what an adapter's entry point drives."""
    offered = registry.provider(provider) if isinstance(provider, str) else provider
    if offered.name == "local":
        app._enforce_limits()
    return _Runner(app, offered, partial_batch)


def drain(app: App, until: float, *, concurrency: int = 4) -> int:
    """Hand the messages of the app's queues to their handlers; return how many there were.

    It ends when the queues are empty, or when it is nearly *until*, in seconds since the epoch. Up to *concurrency*
    messages of a queue are handled side by side. Raises what the first queue that could not be read raised.
    """
    from portable.polling.engine import Engine

    return Engine(app, data="", kinds={"message"}, concurrency=concurrency).drain_until(until)


class _Runner(Runner):
    def __init__(self, app: App, provider: Provider, partial_batch: bool) -> None:
        self._app = app
        self._provider = provider
        self._partial_batch = partial_batch
        self._codecs = Codecs(provider)
        app._resources.provider = provider.name

    @property
    def spec(self) -> AppSpec:
        return self._app.spec()

    @property
    def limits(self) -> HttpCapabilities:
        if self._app._limits is not None:
            return self._app._limits.capabilities
        declared: Any = registry.load(self._provider.capabilities) if self._provider.capabilities else {}
        return declared.get("http") or HttpCapabilities()

    def address(self, kind: str, name: str) -> Address:
        from portable.connecting import address_of

        return Address.parse(address_of(kind, name, self._app._resources.bound().target))

    def handle(self, event: Event) -> Any:
        if isinstance(event, Request):
            return self._app.handle(_warmed(event))
        if isinstance(event, Message):
            event = event.replace(queue=self._app._resources.logical("queue", event.queue))
        return self._app.handle(self._named([event.replace()])[0])

    def __call__(self, raw: Any, native_context: Any) -> Any:
        codec: Any = self._codecs.find(raw)
        if codec is None:
            return self._app.handle(self._unrecognised(raw))
        if codec.trigger == "http":
            request = _warmed(codec.decode(raw, native_context))
            return _encoded(codec, self._app.handle(request), request)
        events = self._named(codec.decode(raw, native_context))
        if codec.trigger == "message":
            return self._answer(codec, events, push(self._app, events, codec.ordered))
        if self._is_drain(events):
            drain(self._app, events[0].context.expires)
            return codec.encode(events, [False])
        errors: list[Exception | None] = []
        for event in events:
            try:
                self._app.handle(event)
            except Exception as error:
                errors.append(error)
                if codec.ordered:
                    break
            else:
                errors.append(None)
        return self._answer(codec, events, errors)

    async def run_async(self, raw: Any, native_context: Any) -> Any:
        codec: Any = self._codecs.find(raw)
        if codec is None:
            return await self._app.handle_async(self._unrecognised(raw))
        if codec.trigger == "http":
            request = _warmed(codec.decode(raw, native_context))
            return _encoded(codec, await self._app.handle_async(request), request)
        events = self._named(codec.decode(raw, native_context))
        if codec.trigger == "message":
            return self._answer(codec, events, await push_async(self._app, events, codec.ordered))
        if self._is_drain(events):
            from asyncio import to_thread

            await to_thread(drain, self._app, events[0].context.expires)
            return codec.encode(events, [False])
        errors: list[Exception | None] = []
        for event in events:
            try:
                await self._app.handle_async(event)
            except Exception as error:
                errors.append(error)
                if codec.ordered:
                    break
            else:
                errors.append(None)
        return self._answer(codec, events, errors)

    async def start(self) -> None:
        for mount in self._app._mounts:
            await mount.start()

    async def stop(self) -> None:
        for mount in self._app._mounts:
            await mount.stop()

    def _named(self, events: Sequence[Any]) -> Sequence[Any]:
        """Put the app's names in place of the service's into *events*, which a codec has just made.

        Those of messages are left to who delivers them.
        """
        for event in events:
            if isinstance(event, BlobEvent):
                _set_bucket(event, self._app._resources.logical("bucket", event.bucket))
            elif isinstance(event, Change):
                _set_table(event, self._app._resources.logical("table", event.table))
            elif isinstance(event, Message):
                break
        if _cold and events:
            context = _warmed_context(events[0].context)
            for event in events:
                setter(type(event), "context")(event, context)
        return events

    def _is_drain(self, events: Sequence[Any]) -> bool:
        return len(events) == 1 and isinstance(events[0], Tick) and events[0].schedule == DRAIN

    def _unrecognised(self, raw: Any) -> CloudEvent:
        """Return an event of a shape that no codec knows, for `on_event("*")`. Raises InvalidArgument without one."""
        if ANY not in self._app._triggers.events:
            raise unknown(raw, self._provider.name, self._codecs.tried())
        from os import urandom

        made_up = urandom(16).hex()
        context = _warmed_context(Context(made_up, "", self._provider.name, float("inf")))
        return CloudEvent(made_up, self._provider.name, "unrecognised", data=raw, context=context, native=raw)

    def _answer(self, codec: EventCodec, events: Sequence[Event], errors: list[Exception | None]) -> Any:
        """Return the platform's answer, or raise what makes it deliver again."""
        if errors.count(None) == len(events):
            return codec.encode(events, [False] * len(events))
        reports = self._partial_batch and codec.partial
        if len(events) == 1 and codec.trigger != "message" and not reports:
            assert errors[0] is not None
            raise errors[0]  # The platform logs it.
        if codec.trigger != "message":
            for event, error in zip(events, errors):  # noqa: B905  # a stream's errors end with the first
                if error is not None:
                    report(event, error)
        # What was not handled, after a failure in a stream, comes again with it.
        again = [error is not None for error in errors] + [True] * (len(events) - len(errors))
        if reports:
            return codec.encode(events, again)
        raised = [error for error in errors if error is not None]
        first = next((error for error in raised if not isinstance(error, NotDone)), raised[0])
        what = "messages" if codec.trigger == "message" else "events"
        raise failure(first, f"{sum(again)} of {len(events)} {what} must be delivered again")


_set_bucket, _set_table = setter(BlobEvent, "bucket"), setter(Change, "table")


def _warmed(request: Request) -> Request:
    """Return *request*, its context marked as cold where it is the first of this process."""
    if _cold:
        request.context = _warmed_context(request.context)
    return request


def _warmed_context(context: Context) -> Context:
    global _cold
    was_cold, _cold = _cold, False
    return context.replace(cold=True) if was_cold else context


def _encoded(codec: HttpCodec, response: Response, request: Request) -> Any:
    try:
        return codec.encode(response, request)
    except InvalidArgument as error:
        from portable.http import unhandled

        return codec.encode(unhandled(request, error), request)
