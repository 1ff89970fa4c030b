"""An app in a test: requests and events in this process, on real local drivers, with a clock that the test moves.

    def test_a_link_counts_its_visits():
        with client(app) as http:
            http.put("/docs", json={"to": "https://example.com/"})
            http.get("/docs")

            assert http.get("/docs/visits").json() == {"visits": 1}

Each call returns when all that it set off is done: messages, changes, blob events, and what those set off, too. What
fails is tried again at once, without waiting, until it succeeds or is a dead letter; delays that the app itself asks
for wait until `advance` passes them. Data lives in a temporary folder, whatever portable.toml and the environment say;
limits are those of the targets in portable.toml.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref

from portable import config
from portable._nearest import nearest
from portable._request_bodies import NO_JSON, encoded
from portable.polling.engine import Engine
from portable.polling.sources import Delivered, ScheduleSource
from portable_contracts._value import Value
from portable_contracts.errors import InvalidArgument
from portable_contracts.events import Context
from portable_contracts.http import Headers, Request, unquote
from portable_contracts.provider import Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from typing import Any, Self, Unpack

    from portable._request_bodies import Content, Form
    from portable.app import App
    from portable.blob import Bucket
    from portable.queue import Queue
    from portable_contracts.blob import BlobInfo
    from portable_contracts.events import CloudEvent
    from portable_contracts.http import HeadersInit

FAILURES = 25
"""How often one event without a dead-letter queue may fail before the test fails."""
EVENTS = 10_000
"""How many events one call may set off before the test fails."""


def client(app: App, *, now: datetime | None = None) -> Client:
    """Return a client of *app*; its clock begins at *now* (aware), by default at the present second.

    Use it in a `with` block, or close it; meanwhile the app's resources are its own.
    """
    return Client(app, now)


class StillFailing(AssertionError):
    """An event fails again and again, or events go on setting off others."""


class Answer(Value):
    """What the app answered."""

    status: int
    headers: Headers
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body as JSON."""
        import json

        return json.loads(self.body)


class Clock:
    """The time of a test, which stands still until it is moved."""

    def __init__(self, moment: float) -> None:
        self.moment = moment

    def __call__(self) -> float:
        return self.moment


class Client:
    """Talks to one app; `client` makes it."""

    def __init__(self, app: App, now: datetime | None) -> None:
        if now is not None and now.tzinfo is None:
            raise InvalidArgument(f"now={now!r} has no time zone: use an aware datetime")
        self.app = app
        self.failures: list[Delivered] = []
        """What handlers of events raised, in order: `.error`, and the `.event` with its `.trigger` and `.source`."""
        self._clock = Clock(float(int(time.time())) if now is None else now.timestamp())
        folder = tempfile.mkdtemp(prefix="portable-test-")
        self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        configuration = config.load(_folder(app))
        app.bind(_Here("local", "local"), configuration, Opening(data=folder, clock=self._clock))
        self._binding = app._resources.binding
        self._delivered = 0
        self._engine = Engine(
            app, data=folder, clock=self._clock, observe=self._observe, wait_after=lambda failures: 0.0
        )
        self._engine.begin()

    def close(self) -> None:
        """Give the app's resources back, and remove the data."""
        self._engine.stop()
        if self.app._resources.binding is self._binding:
            self.app.unbind()
        self._remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def now(self) -> datetime:
        """The test's time; aware, in UTC."""
        from portable.polling.cron import as_time

        return as_time(self._clock())

    # HTTP

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: HeadersInit = None,
        body: bytes | str = b"",
        json: Any = NO_JSON,
        form: Form | None = None,
    ) -> Answer:
        """Send a request, and return the answer when all that it set off is done.

        *path* is as in an address, percent-encoded and with its query. The body is *body*, or *json*, or a *form*,
        whose values are text or `portable.Upload`.
        """
        self._begin()
        fields = Headers(headers)
        content, kind = encoded(body, json, form)
        for name, value in (("host", "localhost"), ("content-type", kind), ("content-length", str(len(content) or ""))):
            if value and name not in fields:
                fields[name] = value
        where, _, query = path.partition("#")[0].partition("?")
        request = Request(
            method.upper(),
            unquote(where),
            query=query,
            headers=fields,
            body=content,
            client="127.0.0.1",
            context=self._context(),
        )
        response = self.app.handle(request)
        self._engine.drain()
        return Answer(response.status, response.headers, response.body)

    def get(self, path: str, *, headers: HeadersInit = None) -> Answer:
        """Send GET, as `request` does."""
        return self.request("GET", path, headers=headers)

    def head(self, path: str, *, headers: HeadersInit = None) -> Answer:
        """Send HEAD, as `request` does."""
        return self.request("HEAD", path, headers=headers)

    def options(self, path: str, *, headers: HeadersInit = None) -> Answer:
        """Send OPTIONS, as `request` does."""
        return self.request("OPTIONS", path, headers=headers)

    def post(self, path: str, **content: Unpack[Content]) -> Answer:
        """Send POST with what `request` takes."""
        return self.request("POST", path, **content)

    def put(self, path: str, **content: Unpack[Content]) -> Answer:
        """Send PUT with what `request` takes."""
        return self.request("PUT", path, **content)

    def patch(self, path: str, **content: Unpack[Content]) -> Answer:
        """Send PATCH with what `request` takes."""
        return self.request("PATCH", path, **content)

    def delete(self, path: str, **content: Unpack[Content]) -> Answer:
        """Send DELETE with what `request` takes."""
        return self.request("DELETE", path, **content)

    # Events

    def send_message(self, queue: Queue | str, body: Any, **options: Any) -> str:
        """Send a message, with the options of `Queue.send`, and have it handled; return its id."""
        self._begin()
        sent: str = self._resource("queue", queue).send(body, **options)
        self._engine.drain()
        return sent

    def put_blob(self, bucket: Bucket | str, key: str, body: Any, **options: Any) -> BlobInfo:
        """Write an object, with the options of `Bucket.write`, and have its events handled."""
        self._begin()
        info: BlobInfo = self._resource("bucket", bucket).write(key, body, **options)
        self._engine.drain()
        return info

    def send_event(self, event: CloudEvent) -> Any:
        """Hand over a CloudEvent; return what its handler gave, raise what it raised."""
        self._begin()
        result = self.app.handle(event.replace(context=self._context()))
        self._engine.drain()
        return result

    def fire_schedule(self, schedule: str | Callable[..., Any]) -> None:
        """Fire a schedule now: the one of this name, or of this handler. Raises what the handler raises."""
        self._begin()
        source = self._schedule(schedule)
        source.fire(self.now)
        self._engine.drain()

    def advance(self, by: timedelta) -> None:
        """Let time pass, from one thing that comes due to the next: schedules, delays, leases and retries.

        Raises what the handler of a schedule raises; the clock stands at its time then.
        """
        if by.total_seconds() < 0:
            raise InvalidArgument(f"advance({by!r}): time does not go back")
        self._begin()
        until = self._clock() + by.total_seconds()
        self._engine.drain()
        while (due := self._engine.next_due()) <= until:
            # Some times are kept in milliseconds: what seems due and does not come needs one more.
            self._clock.moment = max(due, self._clock() + 0.001)
            self._engine.drain()
        self._clock.moment = max(until, self._clock())
        self._engine.drain()

    def _begin(self) -> None:
        if self.app._resources.binding is not self._binding:
            raise InvalidArgument(
                f"{self.app} is bound to something else now: this client is closed, or a later one is open"
            )
        self._delivered = 0
        self._failed: dict[tuple[str, str, str], int] = {}

    def _observe(self, delivered: Delivered) -> None:
        self._delivered += 1
        if self._delivered > EVENTS:
            raise StillFailing(f"one call set off more than {EVENTS:,} events, the last one of {delivered.source}")
        error = delivered.error
        if error is None:
            return
        if delivered.status == "failed":
            self.failures.append(delivered)
        if delivered.trigger == "schedule":
            raise error
        event = (delivered.trigger, delivered.source, delivered.event.id)
        self._failed[event] = failed = self._failed.get(event, 0) + 1
        if failed >= FAILURES and not self._has_dead_letters(delivered):
            advice = f"; give queue {delivered.source} a dead_letter" if delivered.trigger == "message" else ""
            raise StillFailing(
                f"{delivered.trigger} {delivered.event.id} of {delivered.source} failed {failed} times{advice}; "
                f"the last time with {type(error).__name__}: {error}"
            ) from error

    def _has_dead_letters(self, delivered: Delivered) -> bool:
        if delivered.trigger != "message":
            return False
        return any(
            spec.name == delivered.source and spec.options.get("dead_letter") for spec in self.app.spec().resources
        )

    def _context(self) -> Context:
        return Context(os.urandom(8).hex(), "main", "local", self._clock() + 30.0, clock=self._clock)

    def _resource(self, kind: str, named: Any) -> Any:
        name = named if isinstance(named, str) else named.name
        found = self.app.resources.get((kind, name))
        if found is None:
            names = [other for of, other in self.app.resources if of == kind]
            raise InvalidArgument(f"{self.app} has no {kind} {name!r}{nearest(name, names)}")
        return found

    def _schedule(self, named: str | Callable[..., Any]) -> ScheduleSource:
        sources = {source.name: source for source in self._engine.sources if isinstance(source, ScheduleSource)}
        handlers = self.app._triggers.schedules
        for name, source in sources.items():
            if named == name or handlers[name].function is named:
                return source
        name = named if isinstance(named, str) else getattr(named, "__name__", repr(named))
        raise InvalidArgument(f"{self.app} has no schedule {name!r}{nearest(name, sources)}")


class _Here(config.Target):
    """This machine, without the addresses that files and the environment give."""

    def address(self, resource: str) -> str | None:
        return None


def _folder(app: App) -> str | None:
    """Return the folder of the app's source, where its portable.toml is or above."""
    spec = app.spec()
    declared: list[Any] = [*spec.resources, *spec.routes, *spec.triggers]
    return os.path.dirname(os.path.abspath(declared[0].place.file)) if declared else None
