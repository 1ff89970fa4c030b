"""Tables in Redis: what the conformance suite cannot say of them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
import redis.exceptions as errors

import portable_redis._clients
from portable.kv import Table
from portable_conformance.counterparts import redis_server
from portable_conformance.counterparts.faults import LOST, RESET, Proxy, refusal
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
    Unsupported,
)
from portable_contracts.harness import MissingCounterpart
from portable_contracts.kv import Create, Delete, Put
from portable_contracts.provider import Address, Opening
from portable_redis._addresses import Server, server_and_table
from portable_redis.harness import RedisHarness
from portable_redis.kv import GROUPS, Group, RedisTable, TlsRedisTable

driver = RedisTable.from_address(Address.parse("redis://entries"), Opening())


@pytest.fixture
def address() -> Iterator[str]:
    with RedisHarness() as harness:
        try:
            made = harness.create("table", "redis", {})
        except MissingCounterpart as missing:
            pytest.skip(str(missing))
        yield made
        harness.destroy(made)


@pytest.fixture
def table(address: str) -> Table:
    return Table.at(address)


@pytest.fixture
def proxy(address: str) -> Iterator[Proxy]:
    upstream = RedisHarness().upstream(address)
    assert upstream is not None
    with Proxy(*upstream) as made:
        yield made


@pytest.fixture
def far(address: str, proxy: Proxy) -> Table:
    """The table over the proxy, connected, and with its scripts known."""
    table = Table.at(RedisHarness().through(address, proxy.host, proxy.port))
    table.put("p", "old", {"n": 1})
    table.delete("p", "none")
    table.increment("p", "old", "n")
    table.transact("p", [Delete("none")])
    list(table.query("p"))
    proxy.clear()
    return table


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (errors.AuthenticationError("WRONGPASS invalid username-password pair"), PermissionDenied),
            (errors.AuthenticationWrongNumberOfArgsError("wrong number of arguments"), PermissionDenied),
            (errors.NoPermissionError("this user has no permissions"), PermissionDenied),
            (errors.AuthorizationError("not authorized"), PermissionDenied),
            (errors.ResponseError("NOAUTH Authentication required."), PermissionDenied),
            (errors.ResponseError("DENIED Redis is running in protected mode"), PermissionDenied),
            (errors.TimeoutError("Timeout reading from socket"), Timeout),
            (errors.ConnectionError("Connection closed by server."), Unavailable),
            (errors.ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused."), Unavailable),
            (errors.BusyLoadingError("Redis is loading the dataset in memory"), Unavailable),
            (errors.ReadOnlyError("You can't write against a read only replica."), Unavailable),
            (errors.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), Unavailable),
            (errors.ClusterDownError("CLUSTERDOWN The cluster is down"), Unavailable),
            (errors.MasterDownError("Link with MASTER is down"), Unavailable),
            (errors.TryAgainError("Multiple keys request during rehashing of slot"), Unavailable),
            (errors.ResponseError("MISCONF Redis is configured to save RDB snapshots"), Unavailable),
            (errors.ResponseError("NOREPLICAS Not enough good replicas to write."), Unavailable),
            (errors.ResponseError("BUSY Redis is busy running a script."), Unavailable),
            (errors.ResponseError("max number of clients reached"), Unavailable),
            (errors.ResponseError("Error running script (call to f_0): @user_script:9: OOM command"), Unavailable),
            (errors.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"), PortableError),
            (errors.ResponseError("unknown command 'EVALSHA'"), PortableError),
            (errors.InvalidResponse("Protocol Error"), PortableError),
            (errors.DataError("Invalid input"), PortableError),
            (ConnectionResetError(104, "reset"), Unavailable),
            (TimeoutError("late"), Timeout),
        ],
        ids=lambda value: value.__name__ if isinstance(value, type) else str(value)[:30],
    )
    def test_each_is_one_of_ours(self, error: Exception, kind: type[PortableError]) -> None:
        assert driver.classify(error) is kind

    @pytest.mark.parametrize(
        ("error", "nothing"),
        [
            (errors.ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused."), True),
            (errors.TimeoutError("Timeout connecting to server"), True),
            (errors.BusyLoadingError("Redis is loading the dataset in memory"), True),
            (errors.ResponseError("MISCONF Redis is configured to save RDB snapshots"), True),
            (errors.ConnectionError("Connection closed by server."), False),
            (errors.TimeoutError("Timeout reading from socket"), False),
            (errors.ResponseError("unknown"), False),
        ],
        ids=str,
    )
    def test_some_prove_that_nothing_was_done(self, error: Exception, nothing: bool) -> None:
        assert driver.changed_nothing(error) is nothing

    def test_a_server_of_a_cluster_says_what_to_add(self) -> None:
        assert "add cluster=yes" in driver.explain(errors.ResponseError("MOVED 17 10.0.0.1:6379"))

    def test_a_server_that_is_not_there_is_unavailable(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

        with pytest.raises(Unavailable):
            Table.at(f"redis://127.0.0.1:{port}?name=entries").get("p", "s")

    def test_a_server_that_does_not_answer_times_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(portable_redis._clients, "ANSWER_SECONDS", 0.1)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            table = Table.at(f"redis://127.0.0.1:{listener.getsockname()[1]}?name=entries")

            with pytest.raises(Timeout):
                table.get("p", "s")


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "server", "table"),
        [
            ("redis://entries", Server(), "entries"),
            ("rediss://entries", Server(tls=True), "entries"),
            ("redis://10.0.0.7:6380/2?name=entries", Server("10.0.0.7", 6380, 2), "entries"),
            ("redis://cache.acme.test?name=entries", Server("cache.acme.test"), "entries"),
            ("redis://[::1]:6379/0?name=entries", Server("::1"), "entries"),
            ("rediss://cache:6379?name=a_b-C&cluster=yes", Server("cache", tls=True, cluster=True), "a_b-C"),
        ],
    )
    def test_they_name_a_server_and_a_table(self, address: str, server: Server, table: str) -> None:
        assert server_and_table(Address.parse(address)) == (server, table)

    @pytest.mark.parametrize(
        ("address", "why"),
        [
            ("redis://10.0.0.7", r"names no table: write redis://host:6379/0\?name=entries"),
            ("redis://cache:6379/0", "names no table"),
            ("redis://cache/entries", "names no table"),
            ("redis://cache/x?name=entries", "the path is the number of a database"),
            ("redis://cache?name=en{tries", "letters, digits"),
            ("redis://cache?name=entries&databse=1", "unknown parameter 'databse'"),
            ("redis://cache?nam=entries", "did you mean 'name'"),
            ("redis://cache:port?name=entries", "Port could not be cast"),
            ("redis://?name=entries", "has no host"),
            ("redis://cache/1?name=entries&cluster=yes", "the database 0 alone"),
            ("redis://cache?name=entries&cluster=1", "write yes or no"),
        ],
    )
    def test_a_wrong_one_says_what_is_wrong(self, address: str, why: str) -> None:
        with pytest.raises(InvalidArgument, match=why):
            RedisTable.from_address(Address.parse(address), Opening())

    def test_over_tls_the_client_uses_it(self) -> None:
        client = TlsRedisTable.from_address(Address.parse("rediss://127.0.0.1:1?name=entries"), Opening()).native()

        assert client.connection_pool.connection_class is redis.SSLConnection

    def test_a_server_that_speaks_no_tls_times_out(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(portable_redis._clients, "ANSWER_SECONDS", 0.2)

        with pytest.raises(Timeout):
            Table.at(address.replace("redis://", "rediss://")).get("p", "s")


class TestCredentials:
    @pytest.fixture
    def user(self, table: Table) -> Iterator[str]:
        """A user of the server, with the password "hunter2", who may do everything but delete."""
        table.native().execute_command("ACL", "SETUSER", "ada", "on", ">hunter2", "~*", "+@all", "-del")
        yield "ada"
        table.native().execute_command("ACL", "DELUSER", "ada")

    @pytest.fixture
    def connect(self, address: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Table]:
        """Opens the table as a process does that has these variables."""

        def open_with(at: str = address, **variables: str) -> Table:
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
            monkeypatch.setattr(portable_redis._clients, "_CLIENTS", type(portable_redis._clients._CLIENTS)())
            return Table.at(at)

        return open_with

    def test_the_environment_has_them(self, user: str, connect: Callable[..., Table]) -> None:
        table = connect(REDIS_USERNAME=user, REDIS_PASSWORD="hunter2")

        assert table.native().execute_command("ACL", "WHOAMI") == b"ada"

    def test_a_url_in_the_environment_may_have_them_and_the_server(
        self, user: str, address: str, connect: Callable[..., Table]
    ) -> None:
        server, name = server_and_table(Address.parse(address))
        table = connect(f"redis://{name}", REDIS_URL=f"redis://ada:hunter2@{server.host}:{server.port}/0")

        assert table.put("p", "s", 1) == Table.at(address).get("p", "s")
        assert table.native().execute_command("ACL", "WHOAMI") == b"ada"

    def test_a_wrong_password_is_denied_and_not_shown(self, user: str, connect: Callable[..., Table]) -> None:
        with pytest.raises(PermissionDenied, match="set REDIS_PASSWORD") as caught:
            connect(REDIS_USERNAME=user, REDIS_PASSWORD="hunter3").get("p", "s")

        assert "hunter" not in str(caught.value)

    def test_a_user_without_the_right_is_denied(self, user: str, connect: Callable[..., Table]) -> None:
        table = connect(REDIS_USERNAME=user, REDIS_PASSWORD="hunter2")
        table.put("p", "s", 1)

        with pytest.raises(PermissionDenied):
            table.delete("p", "s")

    def test_a_url_that_cannot_be_read_is_refused_without_showing_it(self, connect: Callable[..., Table]) -> None:
        with pytest.raises(InvalidArgument, match="REDIS_URL cannot be read") as caught:
            connect("redis://entries", REDIS_URL="http://ada:hunter2@host").get("p", "s")

        assert "hunter2" not in str(caught.value)


class TestRequests:
    @pytest.mark.parametrize(
        ("operation", "commands"),
        [
            (lambda table: table.get("p", "old"), ["HMGET"]),
            (lambda table: table.put("p", "s", 1), ["EVALSHA"]),
            (lambda table: table.put("p", "s", 1, expires=timedelta(hours=1)), ["EVALSHA"]),
            (lambda table: table.create("p", "s", 1), ["EVALSHA"]),
            (lambda table: table.delete("p", "old"), ["EVALSHA"]),
            (lambda table: table.increment("p", "old", "n"), ["EVALSHA"]),
            (lambda table: list(table.query("p")), ["EVALSHA"]),
            (lambda table: table.transact("p", [Put("s", 1), Create("t", 2)]), ["EVALSHA"]),
            (lambda table: table.get_many([("p", "old"), ("q", "old")]), ["HMGET"]),
        ],
        ids=["get", "put", "put-expiring", "create", "delete", "increment", "query", "transact", "get-many"],
    )
    def test_each_operation_makes_one(
        self, far: Table, proxy: Proxy, operation: Callable[[Table], Any], commands: list[str]
    ) -> None:
        operation(far)

        assert [request.method for request in proxy.seen] == commands

    def test_a_server_that_forgot_the_scripts_is_told_them_again(self, table: Table) -> None:
        table.put("p", "s", 1)
        table.native().execute_command("SCRIPT", "FLUSH")

        assert table.put("p", "s", 2) == table.get("p", "s")

    def test_a_connection_that_the_server_closed_is_replaced(self, table: Table) -> None:
        table.put("p", "s", 1)
        table.native().execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no")

        assert table.increment("q", "s", "n") == 1

    def test_changes_cannot_be_followed(self, table: Table) -> None:
        with pytest.raises(NotImplementedError):
            driver.feed("consumer")
        with pytest.raises(Unsupported):
            table._require("changes", "follow")


class TestLostAnswers:
    def test_a_create_that_was_done_is_not_refused(self, far: Table, proxy: Proxy) -> None:
        proxy.inject(LOST)

        assert far.create("p", "s", 1) == far.get("p", "s")

    def test_a_create_over_another_item_is_still_refused(self, far: Table, proxy: Proxy) -> None:
        proxy.inject(LOST)

        with pytest.raises(AlreadyExists):
            far.create("p", "old", 1)

    def test_a_guarded_put_that_was_done_is_no_conflict(self, far: Table, proxy: Proxy) -> None:
        item = far.put("p", "s", 1)
        proxy.inject(LOST)

        assert far.put("p", "s", 2, if_version=item.version) == far.get("p", "s")

    def test_a_guarded_put_over_another_version_still_conflicts(self, far: Table, proxy: Proxy) -> None:
        proxy.inject(LOST)

        with pytest.raises(Conflict):
            far.put("p", "old", 2, if_version="another")

    def test_a_transaction_that_was_done_is_no_conflict(self, far: Table, proxy: Proxy) -> None:
        item = far.put("p", "s", 1)
        proxy.inject(LOST)
        done = far.transact("p", [Create("t", 1), Delete("s", item.version), Put("u", 2)])

        assert [done[0], done[2]] == [far.get("p", "t"), far.get("p", "u")]
        assert far.get("p", "s", default=None) is None

    def test_an_increment_is_not_done_twice(self, far: Table, proxy: Proxy) -> None:
        proxy.inject(LOST)
        with pytest.raises(Unavailable):
            far.increment("p", "old", "n")

        assert far.get("p", "old").value == {"n": 3}

    def test_a_guarded_delete_is_not_done_twice(self, far: Table, proxy: Proxy) -> None:
        item = far.put("p", "s", 1)
        proxy.inject(LOST)
        with pytest.raises(Unavailable):
            far.delete("p", "s", if_version=item.version)

        assert far.get("p", "s", default=None) is None

    @pytest.mark.parametrize("fault", [RESET, LOST, refusal(503)], ids=lambda fault: fault.name)
    @pytest.mark.parametrize(
        "operation",
        [
            lambda table: table.get("p", "old"),
            lambda table: table.put("p", "old", 1),
            lambda table: table.delete("p", "old"),
            lambda table: table.get_many([("p", "old")]),
            lambda table: list(table.query("p")),
            lambda table: list(table.scan()),
        ],
        ids=["get", "put", "delete", "get-many", "query", "scan"],
    )
    def test_what_may_be_repeated_is(
        self, far: Table, proxy: Proxy, operation: Callable[[Table], Any], fault: Any
    ) -> None:
        proxy.inject(fault)
        operation(far)

        assert proxy.seen[0].fault == fault.name

    def test_what_the_server_refused_to_begin_is_tried_again(self, far: Table, proxy: Proxy) -> None:
        proxy.inject(refusal(503))

        assert far.increment("p", "old", "n") == 3


def keys_left(table: Table, address: str) -> set[bytes]:
    _, name = server_and_table(Address.parse(address))
    return set(table.native().scan_iter(match=f"{{{name}:*", count=1000))


def group_of(table: Table, address: str, partition: str) -> Group:
    _, name = server_and_table(Address.parse(address))
    found: RedisTable = table._connection.driver
    return Group(name, next(number for number in range(GROUPS) if found._groups[number] is found._group(partition)))


class TestSweeping:
    """With the server's own clock."""

    @pytest.mark.slow
    def test_of_items_that_all_expire_nothing_is_left_but_the_sets_that_expire_too(
        self, table: Table, address: str
    ) -> None:
        for number in range(20):
            table.put("p", str(number), 1, expires=timedelta(milliseconds=100))
        time.sleep(0.3)
        group = group_of(table, address, "p")

        assert keys_left(table, address) == {group.index, group.expiring}
        assert all(0 < table.native().pttl(key) <= 60_200 for key in (group.index, group.expiring))

    @pytest.mark.slow
    def test_keys_of_swept_items_leave_the_sets_with_the_next_writes(self, table: Table, address: str) -> None:
        table.put("p", "stays", 1)
        for number in range(15):
            table.put("p", str(number), 1, expires=timedelta(milliseconds=100))
        time.sleep(0.3)
        table.put("p", "new", 1)
        table.delete("p", "new")
        group = group_of(table, address, "p")

        assert table.native().zrange(group.index, 0, -1) == [b"p\tstays"]
        assert not table.native().exists(group.expiring)

    @pytest.mark.slow
    def test_keys_of_swept_items_leave_the_sets_with_the_next_query(self, table: Table, address: str) -> None:
        table.put("p", "stays", 1)
        table.put("p", "goes", 1, expires=timedelta(milliseconds=100))
        time.sleep(0.3)
        list(table.query("p"))
        group = group_of(table, address, "p")

        assert table.native().zrange(group.index, 0, -1) == [b"p\tstays"]
        assert not table.native().exists(group.expiring)

    def test_the_sets_last_while_one_item_does(self, table: Table, address: str) -> None:
        table.put("p", "goes", 1, expires=timedelta(hours=1))
        table.put("p", "stays", 1)
        group = group_of(table, address, "p")

        assert table.native().pttl(group.index) == -1

    def test_the_sets_last_when_an_item_is_made_to_stay(self, table: Table, address: str) -> None:
        table.put("p", "s", 1, expires=timedelta(hours=1))
        table.put("p", "s", 1)
        group = group_of(table, address, "p")

        assert table.native().pttl(group.index) == -1
        assert not table.native().exists(group.expiring)

    @pytest.mark.slow
    def test_the_sets_last_when_an_item_that_was_swept_is_made_to_stay(self, table: Table, address: str) -> None:
        table.put("p", "s", 1, expires=timedelta(milliseconds=100))
        time.sleep(0.3)
        table.put("p", "s", 1)
        table.put("p", "t", 1, expires=timedelta(hours=1))
        group = group_of(table, address, "p")

        assert table.native().pttl(group.index) == -1
        assert table.native().zrange(group.expiring, 0, -1) == [b"p\tt"]

    def test_the_set_of_what_expires_lasts_as_long_as_its_last_item(self, table: Table, address: str) -> None:
        table.put("p", "soon", 1, expires=timedelta(minutes=1))
        table.put("p", "stays", 1)
        table.put("p", "late", 1, expires=timedelta(hours=1))
        group = group_of(table, address, "p")

        assert table.native().pttl(group.expiring) == -1

    def test_nothing_is_left_of_items_that_were_deleted(self, table: Table, address: str) -> None:
        table.put("p", "s", 1)
        table.put("p", "t", 1, expires=timedelta(hours=1))
        table.delete("p", "s")
        table.transact("p", [Delete("t")])

        assert keys_left(table, address) == set()

    def test_an_item_that_expired_before_it_came_is_not_there(self, table: Table) -> None:
        table.put("p", "s", 1, expires=timedelta(seconds=-10))

        assert table.get("p", "s", default=None) is None
        assert list(table.query("p")) == []


class TestStored:
    def test_an_item_is_a_hash_with_its_value_as_json(self, table: Table, address: str) -> None:
        item = table.put("p", "s", {"name": "Ada", "photo": b"\x00"})
        group = group_of(table, address, "p")

        assert table.native().hgetall(group.items + b"p\ts") == {
            b"value": b'{"name":"Ada","photo":{"$bytes":"AA=="}}',
            b"version": item.version.encode(),
        }

    @pytest.mark.parametrize(
        ("value", "field"),
        [
            ({"a": '"},{\\"n\\":[', "n": 1}, "n"),
            ({"nested": {"n": 9, "l": [{"n": 8}, "]"]}, "n": 1}, "n"),
            ({'quoted "n"': 5, "n": 1, "after": {}}, "n"),
            ({"$n": 1, "é\n": b"n"}, "$n"),
            ({"é\n": 1, "x": -0.0}, "é\n"),
            ({"": 1, "x": [[], {}, ""]}, ""),
            ({"$bytes": 1}, "$bytes"),
        ],
        ids=repr,
    )
    def test_an_increment_finds_its_field_and_leaves_the_rest(
        self, table: Table, value: dict[str, Any], field: str
    ) -> None:
        table.put("p", "s", value)

        assert table.increment("p", "s", field) == 2
        assert list(table.get("p", "s").value.items()) == list((value | {field: 2}).items())

    @pytest.mark.parametrize(
        ("before", "by"), [(2**63 - 2, 1), (-(2**63) + 5, -5), (2**62, 2**62 - 1), (-(2**63), 2**63 - 1), (2**53, 1)]
    )
    def test_a_sum_of_64_bits_is_exact(self, table: Table, before: int, by: int) -> None:
        table.put("p", "s", {"n": before})

        assert table.increment("p", "s", "n", by) == before + by
        assert table.get("p", "s").value == {"n": before + by}


@pytest.fixture
def clustered() -> Table:
    try:
        server = redis_server.start_cluster()
    except MissingCounterpart as missing:
        pytest.skip(str(missing))
    table = Table.at(f"redis://127.0.0.1:{server.port}?name=entries&cluster=yes")
    for item in table.scan():
        table.delete(item.partition, item.sort)
    return table


class TestClusters:
    def test_every_operation_keeps_within_a_slot(self, clustered: Table) -> None:
        one = clustered.create("p", "{s}", {"n": 1}, expires=timedelta(hours=1))
        clustered.put("p{q}", "t", 2)
        clustered.increment("p", "{s}", "n")
        clustered.transact("p", [Put("t", 1), Create("u", 2), Delete("none")])

        with pytest.raises(Conflict):
            clustered.put("p", "{s}", 2, if_version=one.version)
        assert [item.sort for item in clustered.query("p")] == ["t", "u", "{s}"]
        assert [item and item.value for item in clustered.get_many([("p", "{s}"), ("p{q}", "t"), ("p", "-")])] == [
            {"n": 2}, 2, None,
        ]  # fmt: skip
        assert len(list(clustered.scan())) == 4

    def test_a_table_lies_in_many_slots(self, clustered: Table) -> None:
        for number in range(300):
            clustered.put(f"p{number}", "s", number)
        slots = {clustered.native().keyslot(key) for key in clustered.native().scan_iter(match="*:keys", count=1000)}

        assert len(slots) > 50
        assert len(list(clustered.scan())) == 300


FORKED = """
import os, sys
from portable.kv import Table

table = Table.at(sys.argv[1])
table.put("p", "s", "parent's")
children = []
for number in range(3):
    child = os.fork()
    if not child:
        for turn in range(50):
            table.put(f"p{number}", str(turn), [number, turn])
            if table.get(f"p{number}", str(turn)).value != [number, turn] or table.get("p", "s").value != "parent's":
                os._exit(1)
        os._exit(0)
    children.append(child)
for _ in range(50):
    if table.get("p", "s").value != "parent's":
        sys.exit(2)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.slow
def test_workers_forked_after_the_first_use_do_not_share_a_connection(address: str) -> None:
    done = subprocess.run([sys.executable, "-c", FORKED, address], timeout=120, check=False)

    assert done.returncode == 0
