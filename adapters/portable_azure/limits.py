"""What Azure promises through these drivers: each number with the page that gives it and the day it was read.

Where a driver needs room of its own the number is what is left. Where a boolean is False, or holds under a condition,
the page that says so is beside it.
"""

from __future__ import annotations

from portable_contracts.blob import BlobCapabilities
from portable_contracts.http import HttpCapabilities
from portable_contracts.kv import KVCapabilities
from portable_contracts.limits import Figure
from portable_contracts.queue import QueueCapabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from portable_contracts.limits import Capabilities

_READ = "2026-11-20"
_REST = "https://learn.microsoft.com/rest/api/storageservices"
_STORAGE = "https://learn.microsoft.com/azure/storage"
_BUS = "https://learn.microsoft.com/azure/service-bus-messaging"
_FUNCTIONS = "https://learn.microsoft.com/azure/azure-functions"

_WEEK = 7 * 24 * 3600
BLOCK = 16 * 1024**2
"""Bytes of one block of an upload of unknown length: what keeps memory flat."""

AZBLOB = BlobCapabilities(
    # Events are Event Grid's: https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage
    # The signature binds headers of an answer, not those of a PUT:
    # https://learn.microsoft.com/rest/api/storageservices/create-service-sas
    sign_content_type=False,  # And whoever uses a signed PUT has to send the header x-ms-blob-type as well.
    # 1,024 characters, so at least as many bytes; in at most 254 segments between slashes.
    max_key_bytes=Figure(1024, f"{_REST}/naming-and-referencing-containers--blobs--and-metadata", _READ),
    # 8 KiB of ASCII; percent-encoded, a byte may take three.
    max_metadata_bytes=Figure(
        8192 // 3, f"{_REST}/setting-and-retrieving-properties-and-metadata-for-blob-resources", _READ
    ),
    # 50,000 blocks. The service itself takes 190.7 TiB, in blocks of 4,000 MiB.
    max_bytes=Figure(50_000 * BLOCK, f"{_STORAGE}/blobs/scalability-targets", _READ),
    max_list_page=Figure(5000, f"{_REST}/list-blobs", _READ),
    max_delete_batch=Figure(256, f"{_REST}/blob-batch", _READ),
    # The life of a user delegation key; an account's key signs for longer.
    max_sign_seconds=Figure(_WEEK, f"{_REST}/create-user-delegation-sas", _READ),
)

AZTABLE = KVCapabilities(
    # There are bindings, but no trigger: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-table
    changes=False,
    # Nothing in the data model expires:
    # https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
    sweeps=False,
    # A query has one continuation: https://learn.microsoft.com/rest/api/storageservices/query-timeout-and-pagination
    scan_segments=False,
    # 1 KiB of UTF-16 each, which is 512 code units: a driver's escaping may not take more than one for a byte.
    max_partition_bytes=Figure(512, f"{_STORAGE}/tables/scalability-targets", _READ),
    max_sort_bytes=Figure(512, f"{_STORAGE}/tables/scalability-targets", _READ),
    # An entity has 1 MiB with its keys and names, in properties of 64 KiB: a value is encoded, at most half as much
    # again as `measure` says, and split.
    max_item_bytes=Figure(690_000, f"{_REST}/understanding-the-table-service-data-model", _READ),
    # Ours: properties do not nest, so what nests is encoded.
    max_depth=Figure(32, f"{_REST}/understanding-the-table-service-data-model", _READ),
    # And 4 MiB for the request.
    max_transaction=Figure(100, f"{_REST}/performing-entity-group-transactions", _READ),
    # Ours: entities are read one by one, side by side.
    max_get_batch=Figure(100, f"{_REST}/query-entities", _READ),
    max_page=Figure(1000, f"{_REST}/query-timeout-and-pagination", _READ),
)

AZQUEUE = QueueCapabilities(
    delay=True,
    retry_delay=True,
    extend=True,
    # A message has an id, a text and times, no more: https://learn.microsoft.com/rest/api/storageservices/put-message
    groups=False,
    dedup=False,
    # The Functions host moves them, or our poller:
    # https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger
    dead_letters=True,
    # 64 KiB of XML text, so base64, 4 bytes for 3. Attributes travel in an envelope of ours, at the body's expense.
    attributes_apart=False,
    max_body_bytes=Figure(64 * 1024 * 3 // 4, f"{_REST}/put-message", _READ),
    # Ours, for the next two.
    max_attributes=Figure(9, f"{_REST}/put-message", _READ),
    max_attribute_bytes=Figure(8192, f"{_REST}/put-message", _READ),
    max_delay_seconds=Figure(_WEEK, f"{_REST}/put-message", _READ),
    min_lease_seconds=Figure(1, f"{_REST}/get-messages", _READ),
    max_lease_seconds=Figure(_WEEK, f"{_REST}/get-messages", _READ),
    # Ours: the service does not wait, the driver asks again.
    max_wait_seconds=Figure(20, f"{_REST}/get-messages", _READ),
    max_send_batch=Figure(1, f"{_REST}/put-message", _READ),
    max_send_batch_bytes=Figure(64 * 1024 * 3 // 4, f"{_REST}/put-message", _READ),
    max_receive_batch=Figure(32, f"{_REST}/get-messages", _READ),
)

# In the Standard tier. Groups and dedup are the queue's own settings, made with it: sessions and duplicate detection.
SERVICEBUS = QueueCapabilities(
    delay=True,
    # What is abandoned is there again at once:
    # https://learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement
    retry_delay=False,
    choose_lease=False,  # How long a lock lasts is set for the queue: the same page.
    extend=True,
    groups=True,
    dedup=True,
    # 256 KB with all properties.
    max_body_bytes=Figure(240_000, f"{_BUS}/service-bus-quotas", _READ),
    # Ours, for the next two: the service counts bytes, 32 KB a property and 64 KB in all.
    max_attributes=Figure(99, f"{_BUS}/service-bus-quotas", _READ),
    max_attribute_bytes=Figure(8192, f"{_BUS}/service-bus-quotas", _READ),
    # Ours: a message may be scheduled for any time.
    max_delay_seconds=Figure(_WEEK, f"{_BUS}/message-sequencing", _READ),
    # Ours: the page names only the longest. How long a lock lasts is set for the queue, not with each receipt.
    min_lease_seconds=Figure(10, f"{_BUS}/message-transfers-locks-settlement", _READ),
    max_lease_seconds=Figure(300, f"{_BUS}/message-transfers-locks-settlement", _READ),
    # Ours, for the next three: a receiver chooses, and a batch is limited by its bytes.
    max_wait_seconds=Figure(60, f"{_BUS}/service-bus-prefetch", _READ),
    max_send_batch=Figure(100, f"{_BUS}/service-bus-quotas", _READ),
    max_receive_batch=Figure(100, f"{_BUS}/service-bus-prefetch", _READ),
    max_send_batch_bytes=Figure(248_192, f"{_BUS}/service-bus-quotas", _READ),
    # The default; a queue may have 20 seconds to 7 days.
    dedup_seconds=Figure(600, f"{_BUS}/duplicate-detection", _READ),
)

HTTP = HttpCapabilities(
    max_request_bytes=Figure(210_000_000, f"{_FUNCTIONS}/functions-scale", _READ),
    # No page gives a limit of answers: the profile's.
    max_response_bytes=Figure(6_000_000, f"{_FUNCTIONS}/functions-scale", _READ),
    # The load balancer's, whatever the function's own limit is.
    max_seconds=Figure(230, f"{_FUNCTIONS}/functions-scale", _READ),
)

CAPABILITIES: Mapping[str, Capabilities] = {
    "bucket:azblob": AZBLOB,
    "table:aztable": AZTABLE,
    "queue:azqueue": AZQUEUE,
    "queue:servicebus": SERVICEBUS,
    "http": HTTP,
}
