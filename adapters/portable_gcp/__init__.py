"""Google Cloud Functions, Cloud Storage, Firestore and Pub/Sub."""

from __future__ import annotations

from portable_contracts.provider import Provider

provider = Provider(
    name="gcp",
    defaults={"bucket": "gs", "table": "firestore", "queue": "pubsub"},
    capabilities="portable_gcp.limits:CAPABILITIES",
)
