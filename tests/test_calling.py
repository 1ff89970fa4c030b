"""Handlers and middlewares, plain and async, in any order, under both entries."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from portable import App, InvalidArgument, Message, Request, Response, Tick
from portable._driving import invocation
from portable_contracts.events import Context
from portable_contracts.reading import epoch

Entry = Callable[[App, Any], Any]

note: contextvars.ContextVar[str] = contextvars.ContextVar("note", default="")


def plainly(app: App, event: Any) -> Any:
    return app.handle(event)


def on_a_loop(app: App, event: Any) -> Any:
    return asyncio.run(app.handle_async(event))


@pytest.fixture(params=[plainly, on_a_loop])
def entry(request: pytest.FixtureRequest) -> Entry:
    entry: Entry = request.param
    return entry


@pytest.fixture
def app() -> App:
    return App("calls")


def tick(app: App, handler: Any) -> Tick:
    app.schedule("* * * * *", name="now")(handler)
    return Tick("now", epoch(0, "time"))


def plain_middleware(trace: list[str], name: str) -> Any:
    def middleware(event: Any, call_next: Any) -> Any:
        trace.append(f"{name} in")
        result = call_next(event)
        trace.append(f"{name} out")
        return result

    return middleware


def async_middleware(trace: list[str], name: str) -> Any:
    async def middleware(event: Any, call_next: Any) -> Any:
        trace.append(f"{name} in")
        await asyncio.sleep(0)
        result = await call_next(event)
        trace.append(f"{name} out")
        return result

    return middleware


def plain_handler(event: Any) -> str:
    return "done"


async def async_handler(event: Any) -> str:
    await asyncio.sleep(0)
    return "done"


def as_partial() -> Any:
    async def handler(spare: int, event: Any) -> str:
        return "done"

    return functools.partial(handler, 1)


def as_lambda() -> Any:
    return lambda event: async_handler(event)


def as_object() -> Any:
    class Handles:
        async def __call__(self, event: Any) -> str:
            return "done"

    return Handles()


@pytest.mark.parametrize("handler", [plain_handler, async_handler, as_partial(), as_lambda(), as_object()])
def test_what_a_handler_returns_comes_back(app: App, entry: Entry, handler: Any) -> None:
    assert entry(app, tick(app, handler)) == "done"


@pytest.mark.parametrize("handler", [plain_handler, async_handler])
@pytest.mark.parametrize("layers", list(product([plain_middleware, async_middleware], repeat=3)))
def test_middlewares_of_both_kinds_mix_in_any_order(app: App, entry: Entry, layers: Any, handler: Any) -> None:
    trace: list[str] = []
    for name, layer in zip("abc", layers, strict=True):
        app.middleware(layer(trace, name))

    assert entry(app, tick(app, handler)) == "done"
    assert trace == ["a in", "b in", "c in", "c out", "b out", "a out"]


@pytest.mark.parametrize("layers", list(product([plain_middleware, async_middleware], repeat=2)))
def test_an_exception_passes_through_middlewares(app: App, entry: Entry, layers: Any) -> None:
    def fails(event: Any) -> None:
        raise KeyError("lost")

    for layer in layers:
        app.middleware(layer([], ""))

    with pytest.raises(KeyError, match="lost"):
        entry(app, tick(app, fails))


@pytest.mark.parametrize("handler", [plain_handler, async_handler])
def test_a_middleware_may_answer_by_itself(app: App, entry: Entry, handler: Any) -> None:
    app.middleware(lambda event, call_next: "refused")

    assert entry(app, tick(app, handler)) == "refused"


def test_a_middleware_may_call_what_is_behind_it_twice(app: App, entry: Entry) -> None:
    calls = []

    @app.middleware
    async def again(event: Any, call_next: Any) -> Any:
        await call_next(event)
        return await call_next(event)

    entry(app, tick(app, lambda event: calls.append(event)))

    assert len(calls) == 2


def test_a_middleware_may_call_what_is_behind_it_twice_at_once(app: App, entry: Entry) -> None:
    calls = []

    @app.middleware
    async def both(event: Any, call_next: Any) -> Any:
        return await asyncio.gather(call_next(event), call_next(event))

    entry(app, tick(app, lambda event: calls.append(event)))

    assert len(calls) == 2


def test_a_middleware_gets_a_response_whatever_the_handler_returned(app: App, entry: Entry) -> None:
    seen = []

    @app.middleware
    def watch(event: Any, call_next: Any) -> Any:
        seen.append(call_next(event))
        return seen[0]

    app.get("/")(lambda request: {"a": 1})
    entry(app, Request("GET", "/"))

    assert seen == [Response.json({"a": 1})]


@pytest.mark.parametrize(("path", "status"), [("/unknown", 404), ("/posted", 405), ("/json", 400)])
def test_a_middleware_sees_the_answers_to_bad_requests(app: App, entry: Entry, path: str, status: int) -> None:
    seen = []

    @app.middleware
    def watch(event: Any, call_next: Any) -> Any:
        response = call_next(event)
        seen.append(response.status)
        return response

    app.post("/posted")(lambda request: None)
    app.get("/json")(lambda request: request.json())
    entry(app, Request("GET", path))

    assert seen == [status]


@pytest.mark.parametrize("make", [lambda: {"a": 1}, lambda: Response.json({"a": 1})])
def test_what_a_middleware_returns_for_a_request_is_made_a_response(app: App, entry: Entry, make: Any) -> None:
    seen = []

    @app.middleware
    def outer(event: Any, call_next: Any) -> Any:
        seen.append(call_next(event))
        return seen[0]

    @app.middleware
    def inner(event: Any, call_next: Any) -> Any:
        return make()

    app.get("/")(lambda request: None)
    entry(app, Request("GET", "/"))

    assert seen == [Response.json({"a": 1})]


def test_a_middleware_that_returns_nothing_for_a_request_is_an_error_that_names_it(
    app: App, entry: Entry, caplog: pytest.LogCaptureFixture
) -> None:
    @app.middleware
    def forgetful(event: Any, call_next: Any) -> Any:
        call_next(event)

    app.get("/")(lambda request: None)

    assert entry(app, Request("GET", "/")).status == 500
    assert f"middleware forgetful ({__file__}:" in str(caplog.records[0].exc_info)
    assert "return call_next(event)" in str(caplog.records[0].exc_info)


def test_a_middleware_can_answer_for_an_exception_of_the_handler(
    app: App, entry: Entry, caplog: pytest.LogCaptureFixture
) -> None:
    @app.middleware
    def mapped(event: Any, call_next: Any) -> Any:
        try:
            return call_next(event)
        except KeyError:
            return Response.json({"error": "gone"}, status=410)

    @app.get("/")
    async def lost(request: Request) -> None:
        raise KeyError

    assert entry(app, Request("GET", "/")).status == 410
    assert caplog.records == []


def test_a_middleware_has_messages_too(app: App, entry: Entry) -> None:
    seen = []

    @app.middleware
    def watch(event: Any, call_next: Any) -> Any:
        seen.append(event)
        return call_next(event)

    app.on_message(app.queue("jobs"))(lambda message: None)
    message = Message("1", "jobs", b"")
    entry(app, message)

    assert seen == [message]


def test_a_middleware_may_hand_on_another_event(app: App, entry: Entry) -> None:
    app.get("/new")(lambda request: "found")

    @app.middleware
    def moved(event: Any, call_next: Any) -> Any:
        return call_next(Request("GET", "/new"))

    assert entry(app, Request("GET", "/old")).body == b"found"


def note_in_a_thread(event: Any) -> str:
    return note.get()


async def note_on_a_loop(event: Any) -> str:
    return note.get()


@pytest.mark.parametrize("layers", [(), (plain_middleware,), (async_middleware,), (plain_middleware, async_middleware)])
@pytest.mark.parametrize("handler", [note_in_a_thread, note_on_a_loop])
def test_the_caller_s_context_variables_reach_the_handler(app: App, entry: Entry, layers: Any, handler: Any) -> None:
    for layer in layers:
        app.middleware(layer([], ""))
    event = tick(app, handler)
    token = note.set("seen")
    try:
        assert entry(app, event) == "seen"
    finally:
        note.reset(token)


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_the_invocation_is_known_while_the_handler_runs(app: App, entry: Entry, kind: str) -> None:
    def plain(event: Any) -> str:
        return invocation.get().invocation_id

    async def on_loop(event: Any) -> str:
        return invocation.get().invocation_id

    event = tick(app, plain if kind == "plain" else on_loop)

    assert entry(app, event.replace(context=Context("i-7", "main", "local", 0.0))) == "i-7"
    assert invocation.get().invocation_id == ""


def test_a_plain_handler_does_not_block_the_loop(app: App) -> None:
    began = threading.Event()

    def waits(event: Any) -> bool:
        return began.wait(5)

    event = tick(app, waits)

    async def main() -> Any:
        handled = asyncio.create_task(app.handle_async(event))
        await asyncio.sleep(0)
        began.set()
        return await handled

    assert asyncio.run(main()) is True


def test_a_plain_caller_s_own_thread_runs_plain_handlers(app: App) -> None:
    app.middleware(async_middleware([], ""))
    app.middleware(plain_middleware([], ""))

    assert app.handle(tick(app, lambda event: threading.get_ident())) == threading.get_ident()


def test_an_async_handler_runs_on_the_caller_s_loop(app: App) -> None:
    app.middleware(plain_middleware([], ""))
    app.middleware(async_middleware([], ""))

    async def which(event: Any) -> Any:
        return asyncio.get_running_loop()

    event = tick(app, which)

    async def main() -> bool:
        return await app.handle_async(event) is asyncio.get_running_loop()

    assert asyncio.run(main())


def test_all_threads_share_one_loop_for_async_handlers(app: App) -> None:
    async def which(event: Any) -> Any:
        return asyncio.get_running_loop()

    event = tick(app, which)
    loops: list[Any] = [app.handle(event)]
    thread = threading.Thread(target=lambda: loops.append(app.handle(event)))
    thread.start()
    thread.join()

    assert loops[0] is loops[1]


def test_many_calls_of_a_mixed_chain_at_once_do_not_wait_for_each_other(app: App) -> None:
    for layer in (plain_middleware, async_middleware, plain_middleware, async_middleware, plain_middleware):
        app.middleware(layer([], ""))
    event = tick(app, lambda event: time.sleep(0.001))

    async def main() -> None:
        await asyncio.wait_for(asyncio.gather(*(app.handle_async(event) for _ in range(200))), 30)

    asyncio.run(main())


def test_an_async_handler_that_calls_handle_is_told_to_await(app: App) -> None:
    other = App("other")
    other.schedule("* * * * *", name="now")(async_handler)

    async def calls(event: Any) -> Any:
        return other.handle(event)

    with pytest.raises(RuntimeError, match="await handle_async"):
        app.handle(tick(app, calls))


def test_code_on_a_loop_can_call_handle(app: App) -> None:
    event = tick(app, async_handler)

    async def main() -> Any:
        return app.handle(event)

    assert asyncio.run(main()) == "done"


def test_a_plain_handler_under_a_loop_can_call_handle_of_another_app(app: App) -> None:
    other = App("other")
    other.schedule("* * * * *", name="now")(async_handler)

    assert on_a_loop(app, tick(app, other.handle)) == "done"


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_an_exit_reaches_a_plain_caller_and_leaves_the_loop_alone(app: App, kind: str) -> None:
    def plain(event: Any) -> None:
        sys.exit(3)

    async def on_loop(event: Any) -> None:
        sys.exit(3)

    app.middleware(async_middleware([], ""))
    event = tick(app, plain if kind == "plain" else on_loop)
    with pytest.raises(SystemExit):
        app.handle(event)
    app.schedule("* * * * *", name="later")(async_handler)

    assert app.handle(Tick("later", epoch(0, "time"))) == "done"


def test_a_stop_iteration_of_a_plain_handler_under_a_loop_is_an_error(app: App) -> None:
    def stops(event: Any) -> Any:
        return next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        on_a_loop(app, tick(app, stops))


def test_an_async_handler_that_is_cancelled_is_cancelled_for_its_caller(app: App) -> None:
    async def main() -> None:
        handled = asyncio.create_task(app.handle_async(event))
        await asyncio.sleep(0)
        handled.cancel()
        await handled

    async def waits(event: Any) -> None:
        await asyncio.sleep(60)

    event = tick(app, waits)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


def test_a_middleware_that_is_no_function_of_two_is_an_error(app: App, entry: Entry) -> None:
    app.middleware(lambda event: None)

    with pytest.raises(TypeError):
        entry(app, tick(app, plain_handler))


def test_what_is_no_event_is_an_error(app: App, entry: Entry) -> None:
    with pytest.raises(InvalidArgument, match="str is no event"):
        entry(app, "event")


def run(source: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(source)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


ASYNC_APP = """
    import asyncio
    from portable import App, Tick
    from portable_contracts.reading import epoch
    app = App("a")
    @app.schedule("* * * * *")
    async def now(event):
        global left
        left = asyncio.create_task(asyncio.sleep(60))
        return "done"
    event = Tick("now", epoch(0, "time"))
"""


@pytest.mark.slow
def test_a_process_with_async_handlers_ends_without_a_warning() -> None:
    assert run(ASYNC_APP + "    print(app.handle(event))") == "done\n"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_a_loop_of_its_own() -> None:
    source = """
    import os, warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 and later warn of every fork beside a thread
    app.handle(event)
    child = os.fork()
    if child == 0:
        os._exit(0 if app.handle(event) == "done" else 1)
    print(os.waitpid(child, 0)[1], app.handle(event))
    """

    assert run(ASYNC_APP + source) == "0 done\n"
