"""Google Cloud Functions, Cloud Storage, Firestore and Pub/Sub."""

from __future__ import annotations

from portable_contracts.provider import Provider

provider = Provider(
    name="gcp",
    buckets={"gs": "portable_gcp.blob:GSBucket"},
    tables={"firestore": "portable_gcp.kv:FirestoreTable"},
    queues={"pubsub": "portable_gcp.queue:PubSubQueue"},
    defaults={"bucket": "gs", "table": "firestore", "queue": "pubsub"},
    capabilities="portable_gcp.limits:CAPABILITIES",
    http_codecs=("portable_gcp.http:FlaskRequest",),
    event_codecs=(
        "portable_gcp.events:Storage",
        "portable_gcp.events:PubSub",
        "portable_gcp.events:PubSubPush",
        "portable_gcp.events:Firestore",
        "portable_gcp.events:Scheduler",
        "portable_gcp.events:AnyCloudEvent",
    ),
    entry="portable_gcp.entry:entry",
    harness="portable_gcp.harness:GcpHarness",
)
