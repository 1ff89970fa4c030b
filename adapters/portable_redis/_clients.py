"""Clients of Redis: one per server in a process, each with a pool of connections for all threads.

The user and the password are REDIS_USERNAME and REDIS_PASSWORD, else those within REDIS_URL.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.connection import parse_url
from redis.retry import Retry

from portable_contracts.clients import Clients
from portable_contracts.errors import InvalidArgument

if TYPE_CHECKING:
    from portable_redis._addresses import Server

_CLIENTS: Clients[Any] = Clients()

CONNECT_SECONDS = 5
ANSWER_SECONDS = 20


def client(server: Server) -> Any:
    """Return the client of *server*."""
    return _CLIENTS.get(server, lambda: _make(server))


def _make(server: Server) -> Any:
    options = _place(server)
    options |= {
        option: value
        for option, variable in (("username", "REDIS_USERNAME"), ("password", "REDIS_PASSWORD"))
        if (value := os.environ.get(variable))
    }
    options |= {
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "socket_keepalive": True,
        "protocol": 2,  # Nothing here needs the other, which costs a new connection one more exchange.
    }
    if server.cluster:
        # It follows a slot that has moved; what else fails is the portable type's to try again.
        return RedisCluster(**options, retry=Retry(NoBackoff(), 1))
    return redis.Redis(**options, retry=Retry(NoBackoff(), 0))


def _place(server: Server) -> dict[str, Any]:
    if server.host:
        options: dict[str, Any] = {"host": server.host, "port": server.port}
        return options | {"ssl": server.tls} | ({} if server.cluster else {"db": server.db})
    try:
        options = dict(parse_url(os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379"))  # type: ignore[no-untyped-call]  # of redis-py
    except ValueError as error:
        raise InvalidArgument(f"REDIS_URL cannot be read: {error}") from None  # Without it: it may hold a password.
    tls = options.pop("connection_class", None) is not None or server.tls
    if "path" in options:
        options["unix_socket_path"] = options.pop("path")
    return options | {"ssl": tls}
