"""A handler that runs once for each key, whatever is delivered twice.

    @app.on_message(orders)
    @portable.idempotent(runs, key=lambda message: message.json()["order"])
    def charge(message): ...

Each key has an item in the table *runs*. It is created before the handler runs, so that of two deliveries at once one
goes on; it keeps what the handler returned, for the next call; and it is removed where the handler fails. A process
that dies leaves its item behind, which expires with the lease: then the next delivery runs the handler again.
"""

from __future__ import annotations

from functools import wraps
from hashlib import sha256

from portable import _guarded
from portable._calling import is_async, name_of
from portable._driving import invocation
from portable_contracts.errors import AlreadyExists, Conflict, InvalidArgument, PortableError
from portable_contracts.events import Message
from portable_contracts.http import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from typing import Any, ClassVar, TypeVar

    from portable.aio import AsyncTable
    from portable.kv import Table
    from portable_contracts.kv import Item

    F = TypeVar("F", bound=Callable[..., Any])

LONGEST_KEY = 200
"""Bytes; a longer key is known by its hash."""
LEASE_SECONDS = 900.0
"""How long a run keeps others away where its invocation has no deadline."""
MARGIN_SECONDS = 2.0
"""How much longer than the invocation a lease lasts."""
WINDOW_SECONDS = 24 * 3600.0


class InProgress(PortableError):
    """The handler is running for this key, in another invocation; or one died, and its lease has not ended yet."""

    retryable: ClassVar[bool] = True


def idempotent(
    table: Table | AsyncTable,
    *,
    key: Callable[..., str],
    window: timedelta | None = None,
    lease: timedelta | None = None,
    name: str | None = None,
) -> Callable[[F], F]:
    """Decorate a handler so that it runs once for each key within *window* (24 hours) after it succeeded.

    *key* is called with the handler's arguments and returns text that is the same for what is the same. A second call
    returns what the first one returned: None, bool, int, float, str, bytes, list, dict, or a Response. While the first
    one runs, it raises InProgress: a message is then delivered again later. A handler that raises, or gives its message
    back, may run again at once; one whose process died may when *lease* ends, by default with the invocation's
    deadline. A handler that goes on after its lease may run twice. *name*, by default the function's, keeps handlers
    that share the table apart.
    Raises InvalidArgument for a key that is no text, and for a result that the table cannot keep.
    """
    blocking: Any = getattr(table, "blocking", table)

    def decorate(function: F) -> F:
        runs = _Runs(blocking, key, window, lease, name or name_of(function))

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            run = runs.of(*args, **kwargs)
            stored = run.begin()
            if stored is not None:
                return stored.result()
            try:
                result = function(*args, **kwargs)
            except BaseException:
                run.release()
                raise
            return run.end(result, args)

        @wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            from portable._looping import in_thread

            run = runs.of(*args, **kwargs)
            stored = await in_thread(run.begin)
            if stored is not None:
                return stored.result()
            try:
                result = await function(*args, **kwargs)
            except BaseException:
                await in_thread(run.release)
                raise
            return await in_thread(run.end, result, args)

        return call_async if is_async(function) else call  # type: ignore[return-value]  # called as it is

    return decorate


class _Runs:
    """What the runs of one handler have in common."""

    def __init__(
        self,
        table: Table,
        key: Callable[..., str],
        window: timedelta | None,
        lease: timedelta | None,
        name: str,
    ) -> None:
        from datetime import timedelta

        for option, given in (("window", window), ("lease", lease)):
            if given is not None and not (isinstance(given, timedelta) and given > timedelta(0)):
                raise InvalidArgument(f"idempotent {name}: {option}={given!r}: pass a timedelta above zero")
        self.table = table
        self.name = name
        self._key = key
        self.window = window or timedelta(seconds=WINDOW_SECONDS)
        self._lease = lease

    def of(self, *args: Any, **kwargs: Any) -> _Run:
        key = self._key(*args, **kwargs)
        if type(key) is not str or not key:
            raise InvalidArgument(f"idempotent {self.name}: the key is {key!r}: let it be text, and not empty")
        return _Run(self, key)

    def lease(self) -> timedelta:
        """Return how long a run that begins now keeps others away."""
        from datetime import timedelta

        if self._lease is not None:
            return self._lease
        context = invocation.get()
        if context.expires == float("inf"):
            return timedelta(seconds=LEASE_SECONDS)
        return timedelta(seconds=max(0.0, context.expires - context.clock()) + MARGIN_SECONDS)


class _Stored:
    """What an earlier run left."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._value = value

    def result(self) -> Any:
        if "refused" in self._value:
            raise InvalidArgument(self._value["refused"])
        if "response" in self._value:
            kept = self._value["response"]
            return Response(kept["body"], kept["status"], [tuple(pair) for pair in kept["headers"]])
        return self._value["result"]


class _Run:
    """One run of a handler for one key."""

    def __init__(self, runs: _Runs, key: str) -> None:
        from secrets import token_hex

        self._runs = runs
        self._key = key
        text = key
        if not key.isprintable() or len(key.encode(errors="surrogatepass")) > LONGEST_KEY:
            text = sha256(key.encode(errors="surrogatepass")).hexdigest()
        self._partition = f"idempotent/{runs.name}/{text}"
        self._owner = token_hex(12)
        self._item: Item | None = None

    def begin(self) -> _Stored | None:
        """Keep others away, and return None; or return what an earlier run left. Raises InProgress."""
        table, value = self._runs.table, {"state": "running", "owner": self._owner}
        for _ in range(2):  # What expired or was given up after it was met leaves room for a second try.
            try:
                self._item = _guarded.write(table, self._partition, value, over=None, expires=self._runs.lease())
                return None
            except AlreadyExists:
                found = table.get(self._partition, default=None)
            if found is not None and found.value["state"] == "done":
                return _Stored(found.value)
            if found is not None:
                break
        raise InProgress(
            f"{self._runs.name} is running for the key {self._key!r}, or died less than a lease ago",
            operation="begin",
            resource=str(table),
        )

    def release(self) -> None:
        """Let the next call run: this one failed."""
        try:
            self._runs.table.delete(self._partition, if_version=self._item.version if self._item else None)
        except PortableError:
            pass  # The lease ends by itself; what the handler raised is what counts.

    def end(self, result: Any, args: tuple[Any, ...]) -> Any:
        """Keep *result* for later calls, and return it."""
        if any(isinstance(event, Message) and _was_given_back(event) for event in args[:1]):
            self.release()
            return result
        try:
            self._keep(_kept(result))
        except InvalidArgument as error:
            what = f"idempotent {self._runs.name} returned what the table cannot keep for the next call: {error}"
            self._keep({"refused": what})
            raise InvalidArgument(what) from error
        return result

    def _keep(self, result: dict[str, Any]) -> None:
        value = {"state": "done", "owner": self._owner, **result}
        try:
            _guarded.write(self._runs.table, self._partition, value, over=self._item, expires=self._runs.window)
        except (Conflict, AlreadyExists):
            pass  # It went on past its lease, and another run began: that one's result is the one to keep.


def _kept(result: Any) -> dict[str, Any]:
    if isinstance(result, Response):
        headers = [list(pair) for pair in result.headers.multi_items()]
        return {"response": {"status": result.status, "headers": headers, "body": result.body}}
    return {"result": result}


def _was_given_back(message: Message) -> bool:
    from portable._delivery import was_given_back

    return was_given_back(message)
