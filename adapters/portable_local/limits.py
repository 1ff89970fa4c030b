"""What this machine's drivers can do. In an app the targets' limits, or the portable profile, narrow it."""

from __future__ import annotations

from portable_contracts.blob import BlobCapabilities
from portable_contracts.http import HttpCapabilities
from portable_contracts.kv import KVCapabilities
from portable_contracts.queue import QueueCapabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from portable_contracts.limits import Capabilities

FILE = BlobCapabilities(feed=True, max_key_bytes=1024, max_metadata_bytes=8192, max_bytes=1 << 43)
TABLE = KVCapabilities(
    feed=True,
    max_partition_bytes=2048,
    max_sort_bytes=1500,
    max_item_bytes=4 * 1024**2,
    max_depth=32,
    max_transaction=100,
)
QUEUE = QueueCapabilities(
    delay=True,
    retry_delay=True,
    extend=True,
    groups=True,
    dedup=True,
    push=False,
    max_body_bytes=1024**2,
    max_attributes=100,
    max_attribute_bytes=65536,
    max_delay_seconds=7 * 24 * 3600,
    min_lease_seconds=1,
    max_lease_seconds=12 * 3600,
    max_wait_seconds=60,
    max_send_batch=100,
    max_send_batch_bytes=16 * 1024**2,
    max_receive_batch=100,
)
HTTP = HttpCapabilities(max_request_bytes=1 << 30, max_response_bytes=1 << 30, max_seconds=3600)

# A scheme may serve two contracts, so the contract is part of the name.
CAPABILITIES: Mapping[str, Capabilities] = {
    "bucket:file": FILE,
    "table:sqlite": TABLE,
    "queue:sqlite": QUEUE,
    "http": HTTP,
}
