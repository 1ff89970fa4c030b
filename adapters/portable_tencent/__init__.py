"""Tencent Cloud SCF, COS, TencentDB for Redis and TDMQ for CMQ."""

from __future__ import annotations

from portable_contracts.provider import Provider

provider = Provider(
    name="tencent",
    buckets={"cos": "portable_tencent.blob:CosBucket"},
    queues={"cmq": "portable_tencent.queue:CmqQueue"},
    defaults={"bucket": "cos", "table": "redis", "queue": "cmq"},
    capabilities="portable_tencent.limits:CAPABILITIES",
    http_codecs=(
        "portable_tencent.http:FunctionUrl",
        "portable_tencent.http:ApiGateway",
        "portable_tencent.http:LoadBalancer",
        "portable_tencent.web:WebFunction",
    ),
    event_codecs=(
        "portable_tencent.events:Cos",
        "portable_tencent.events:Timer",
        "portable_tencent.events:CKafka",
        "portable_tencent.events:CmqTopic",
    ),
    entry="portable_tencent.entry:entry",
    harness="portable_tencent.harness:TencentHarness",
)
