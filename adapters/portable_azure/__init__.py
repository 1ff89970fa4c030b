"""Azure Functions, Blob Storage, Tables and Storage Queues."""

from __future__ import annotations

from portable_contracts.provider import Provider

provider = Provider(
    name="azure",
    buckets={"azblob": "portable_azure.blob:AzureBucket"},
    tables={"aztable": "portable_azure.kv:AzureTable"},
    queues={"azqueue": "portable_azure.queue:AzureQueue"},
    defaults={"bucket": "azblob", "table": "aztable", "queue": "azqueue"},
    capabilities="portable_azure.limits:CAPABILITIES",
    http_codecs=("portable_azure.http:FunctionsRequest",),
    event_codecs=(
        "portable_azure.events:StorageQueue",
        "portable_azure.events:ServiceBus",
        "portable_azure.events:BlobTrigger",
        "portable_azure.events:EventGridBlob",
        "portable_azure.events:EventGrid",
        "portable_azure.events:Timer",
        "portable_azure.events:CosmosChangeFeed",
    ),
    entry="portable_azure.entry:entry",
    harness="portable_azure.harness:AzureHarness",
)
