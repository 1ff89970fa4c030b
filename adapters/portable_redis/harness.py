"""How the conformance suite gets tables in Redis: a server of this machine, or `PORTABLE_CONFORMANCE_REDIS`.

That variable is the beginning of an address, as in `redis://10.0.0.7:6379/3`; REDIS_USERNAME and REDIS_PASSWORD belong
to it.
"""

from __future__ import annotations

import os
import time
from secrets import token_hex

from portable_contracts.harness import Harness
from portable_contracts.provider import Address, Opening
from portable_redis._addresses import server_and_table
from portable_redis._clients import client
from portable_redis.kv import GROUPS, Group

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

VARIABLE = "PORTABLE_CONFORMANCE_REDIS"


class RedisHarness(Harness):
    """Tables of one server, beside those of other runs."""

    provider = "redis"

    def __init__(self) -> None:
        self._passed = 0.0

    def schemes(self, kind: str) -> Sequence[str]:
        return ("redis",) if kind == "table" else ()

    def evidence(self, scheme: str) -> str:
        return "live"  # What is started here is no emulator, but Redis itself.

    def create(self, kind: str, scheme: str, options: Mapping[str, Any]) -> str:
        given = os.environ.get(VARIABLE)
        if given is None:
            given = f"redis://127.0.0.1:{self.counterpart('redis_server').start().port}/0"
        address = Address.parse(given)
        return str(address.replace(parameters={**address.parameters, "name": f"conformance-{token_hex(8)}"}))

    def destroy(self, address: str) -> None:
        server, table = server_and_table(Address.parse(address))
        groups = [Group(table, number) for number in range(GROUPS)]
        pipeline = client(server).pipeline(transaction=False)
        for group in groups:
            pipeline.zrange(group.index, 0, -1)
        for group, members in zip(groups, pipeline.execute(), strict=True):
            if members:
                pipeline.delete(group.index, group.expiring, *(group.items + member for member in members))
        pipeline.execute()

    def opening(self, options: Mapping[str, Any]) -> Opening:
        return Opening(clock=self._clock, options=options)

    def pass_time(self, seconds: float) -> None:
        """Move the callers' clock, which tells what has expired; the server's own sweeping is not waited for."""
        self._passed += seconds

    def upstream(self, address: str) -> tuple[str, int] | None:
        server, _ = server_and_table(Address.parse(address))
        return server.host, server.port

    def through(self, address: str, host: str, port: int) -> str:
        return str(Address.parse(address).replace(name=f"{host}:{port}"))

    def _clock(self) -> float:
        return time.time() + self._passed
