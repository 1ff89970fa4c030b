"""This machine: SQLite for tables and queues, the file system for buckets, ASGI for HTTP."""

from __future__ import annotations

from portable_contracts.provider import Provider

provider = Provider(
    name="local",
    buckets={"file": "portable_local.blob:FileBucket"},
    tables={"sqlite": "portable_local.kv:SqliteTable"},
    queues={"sqlite": "portable_local.queue:SqliteQueue"},
    defaults={"bucket": "file", "table": "sqlite", "queue": "sqlite"},
    capabilities="portable_local.limits:CAPABILITIES",
    http_codecs=("portable_local.http:Asgi",),
    event_codecs=(
        "portable_local.events:MessageCodec",
        "portable_local.events:BlobCodec",
        "portable_local.events:ChangeCodec",
        "portable_local.events:ScheduleCodec",
        "portable_local.events:CloudEventCodec",
    ),
    entry="portable_local.entry:entry",
    harness="portable_local.harness:LocalHarness",
)
