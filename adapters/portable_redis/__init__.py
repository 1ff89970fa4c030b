"""Redis: any server of it, a cloud's or your own, from any target."""

from __future__ import annotations

from portable_contracts.provider import Provider

provider = Provider(
    name="redis",
    tables={"redis": "portable_redis.kv:RedisTable", "rediss": "portable_redis.kv:TlsRedisTable"},
    defaults={"table": "redis"},
    capabilities="portable_redis.limits:CAPABILITIES",
    harness="portable_redis.harness:RedisHarness",
)
