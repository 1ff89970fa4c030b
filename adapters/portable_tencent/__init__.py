"""Tencent Cloud SCF, COS, TencentDB for Redis and TDMQ for CMQ."""

from __future__ import annotations

from portable_contracts.provider import Provider

provider = Provider(
    name="tencent",
    defaults={"bucket": "cos", "table": "redis", "queue": "cmq"},
    capabilities="portable_tencent.limits:CAPABILITIES",
)
