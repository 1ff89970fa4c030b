"""`portable.idempotent` beside what the suite tests on every table: events, deadlines, answers that are lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import portable
import portable.testing
from portable import aio
from portable._driving import Connection, invocation
from portable.app import App
from portable.kv import Table
from portable_contracts.errors import InvalidArgument, Unavailable
from portable_contracts.events import NO_CONTEXT
from portable_contracts.http import Request
from portable_contracts.provider import Address, Opening
from portable_local.kv import SqliteTable


class Forgetful(SqliteTable):
    """Does what it is asked, and loses the answer of the next writes."""

    lost = 0

    def put(self, *args: Any, **kwargs: Any) -> str:
        version = super().put(*args, **kwargs)
        if self.lost:
            self.lost -= 1
            raise Unavailable("the connection was lost")
        return version


@pytest.fixture
def driver(tmp_path: Path) -> Forgetful:
    address = Address.parse(f"sqlite://{tmp_path}/tables.db?name=runs")
    return Forgetful.from_address(address, Opening())  # type: ignore[return-value]  # of the class it is called on


@pytest.fixture
def table(driver: Forgetful) -> Table:
    capabilities, owners = driver.capabilities.narrowed(())
    return Table("runs", lambda: Connection(driver, capabilities, owners, Opening()))


def counted(table: Table, **options: Any) -> tuple[list[str], Callable[[str], str]]:
    """Return a list of the runs of a handler, and the handler."""
    runs: list[str] = []

    @portable.idempotent(table, key=lambda key: key, **options)
    def handler(key: str) -> str:
        runs.append(key)
        return "done"

    return runs, handler


def test_the_answer_to_its_beginning_may_be_lost(driver: Forgetful, table: Table) -> None:
    runs, handler = counted(table)
    driver.lost = 1

    assert handler("a") == "done"
    assert runs == ["a"]


def test_the_answer_to_its_end_may_be_lost(driver: Forgetful, table: Table) -> None:
    runs: list[str] = []

    @portable.idempotent(table, key=lambda key: key)
    def handler(key: str) -> str:
        runs.append(key)
        driver.lost = 1
        return "done"

    assert [handler("a"), handler("a")] == ["done", "done"]
    assert runs == ["a"]


def test_its_lease_lasts_a_little_longer_than_the_invocation(table: Table) -> None:
    left: list[float] = []

    @portable.idempotent(table, key=lambda key: key)
    def handler(key: str) -> None:
        expires = next(iter(table.scan())).expires
        assert expires is not None
        left.append(expires.timestamp() - time.time())

    token = invocation.set(NO_CONTEXT.replace(expires=time.time() + 60))
    try:
        handler("a")
    finally:
        invocation.reset(token)

    assert 60 < left[0] < 63


def test_a_message_that_is_given_back_is_not_done(tmp_path: Path) -> None:
    app = App("shop")
    orders, table = app.queue("orders"), app.table("runs")
    attempts: list[int] = []

    @app.on_message(orders)
    @portable.idempotent(table, key=lambda message: message.text)
    def handle(message: portable.Message) -> None:
        attempts.append(message.attempt)
        if message.attempt == 1:
            message.retry()

    with portable.testing.client(app) as client:
        client.send_message(orders, "order 1")

    assert attempts == [1, 2]


def test_a_message_that_comes_twice_is_handled_once() -> None:
    app = App("shop")
    orders, table = app.queue("orders"), app.table("runs")
    handled: list[str] = []

    @app.on_message(orders)
    @portable.idempotent(table, key=lambda message: message.text)
    async def handle(message: portable.Message) -> None:
        handled.append(message.text)

    with portable.testing.client(app) as client:
        client.send_message(orders, "order 1")
        client.send_message(orders, "order 1")

    assert handled == ["order 1"]


def test_a_route_answers_again_what_it_answered() -> None:
    app = App("shop")
    table = app.table("runs")

    @app.post("/orders/{order}")
    @portable.idempotent(table, key=lambda request, order: request.headers["idempotency-key"])
    def create(request: Request, order: str) -> portable.Response:
        return portable.Response.json({"order": order, "request": request.id}, status=201)

    with portable.testing.client(app) as client:
        answers = [client.post("/orders/1", headers={"Idempotency-Key": "k"}) for _ in range(2)]

    assert (answers[0].status, answers[0].body) == (201, answers[1].body)


def test_an_async_view_of_the_table_will_do(table: Table) -> None:
    @portable.idempotent(aio.table(table), key=lambda key: key)
    async def handler(key: str) -> str:
        return f"done {key}"

    assert asyncio.run(handler("a")) == "done a"


def test_a_handler_that_is_cancelled_may_run_again(table: Table) -> None:
    runs: list[str] = []

    @portable.idempotent(table, key=lambda key: key)
    async def handler(key: str) -> str:
        runs.append(key)
        if len(runs) == 1:
            await asyncio.sleep(60)
        return "done"

    async def cancelled_then_called() -> str:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(handler("a"), 0.5)
        return await handler("a")

    assert asyncio.run(cancelled_then_called()) == "done"


def test_it_keeps_the_handlers_name_and_text(table: Table) -> None:
    @portable.idempotent(table, key=lambda key: key)
    def handler(key: str) -> None:
        """Handle."""

    assert (handler.__name__, handler.__doc__) == ("handler", "Handle.")


@pytest.mark.parametrize("key", [None, 1, b"a", ""], ids=repr)
def test_a_key_that_is_no_text_is_refused_before_anything_runs(table: Table, key: Any) -> None:
    runs, handler = counted(table)

    with pytest.raises(InvalidArgument, match="idempotent handler: the key is"):
        handler(key)
    assert runs == []


@pytest.mark.parametrize("option", ["window", "lease"])
@pytest.mark.parametrize("given", [5, timedelta(0), timedelta(seconds=-1)], ids=repr)
def test_a_time_that_is_none_is_refused(table: Table, option: str, given: Any) -> None:
    with pytest.raises(InvalidArgument, match=f"idempotent handler: {option}="):
        counted(table, **{option: given})
