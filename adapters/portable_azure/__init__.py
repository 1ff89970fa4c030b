"""Azure Functions, Blob Storage, Tables and Storage Queues."""

from __future__ import annotations

from portable_contracts.provider import Provider

provider = Provider(
    name="azure",
    defaults={"bucket": "azblob", "table": "aztable", "queue": "azqueue"},
    capabilities="portable_azure.limits:CAPABILITIES",
)
