"""What Google Cloud promises through these drivers: each number with the page that gives it and the day it was read.

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
_STORAGE = "https://docs.cloud.google.com/storage"
_FIRESTORE = "https://docs.cloud.google.com/firestore"
_PUBSUB = "https://docs.cloud.google.com/pubsub"
_RUN = "https://docs.cloud.google.com/run"
_FUNCTIONS = "https://docs.cloud.google.com/functions"

GS = BlobCapabilities(
    # A version is the generation. One object takes about one write a second: https://docs.cloud.google.com/storage/quotas
    max_key_bytes=Figure(1024, f"{_STORAGE}/docs/objects", _READ),
    # 8 KiB; the driver may keep a byte as three (`%C3`), for a header could not carry it.
    max_metadata_bytes=Figure(8192 // 3, f"{_STORAGE}/quotas", _READ),
    max_bytes=Figure(5 * 1024**4, f"{_STORAGE}/quotas", _READ),
    max_list_page=Figure(1000, f"{_STORAGE}/docs/json_api/v1/objects/list", _READ),
    max_delete_batch=Figure(100, f"{_STORAGE}/docs/batch", _READ),
    max_sign_seconds=Figure(7 * 24 * 3600, f"{_STORAGE}/docs/access-control/signed-urls", _READ),
)

FIRESTORE = KVCapabilities(
    # The service sweeps where a TTL policy is on the field `expires`: https://docs.cloud.google.com/firestore/docs/ttl
    # Both keys are in one indexed field, of whose text the first 1,500 bytes count.
    max_partition_bytes=Figure(700, f"{_FIRESTORE}/quotas", _READ),
    max_sort_bytes=Figure(700, f"{_FIRESTORE}/quotas", _READ),
    # A document has 1,048,576 bytes, and a name that has to be escaped counts half as much again as in `measure`. What
    # counts more still, for the maps in it, is packed.
    max_item_bytes=Figure(690_000, f"{_FIRESTORE}/quotas", _READ),
    # The deepest levels are packed: no array may hold an array, so nesting takes more levels there.
    max_depth=Figure(20, f"{_FIRESTORE}/quotas", _READ),
    # Ours: the service counts bytes, 10 MiB a request.
    max_transaction=Figure(100, f"{_FIRESTORE}/quotas", _READ),
    # Ours, for the next two: the service names no number.
    max_get_batch=Figure(100, f"{_FIRESTORE}/docs/reference/rpc/google.firestore.v1", _READ),
    max_page=Figure(1000, f"{_FIRESTORE}/docs/reference/rpc/google.firestore.v1", _READ),
)

_ATTRIBUTES = 8192

PUBSUB = QueueCapabilities(
    # A message has no field for it: https://docs.cloud.google.com/pubsub/docs/reference/rest/v1/PubsubMessage
    delay=False,
    # A pushed message is given back by an error, and comes again when the subscription's retry policy says:
    # https://docs.cloud.google.com/pubsub/docs/handling-failures
    retry_delay=False,
    extend=True,
    groups=True,  # On a subscription with message ordering: https://docs.cloud.google.com/pubsub/docs/ordering
    # It is for what the service sends again, not for what a sender sends twice:
    # https://docs.cloud.google.com/pubsub/docs/exactly-once-delivery
    dedup=False,
    # After 5 to 100 attempts, by best effort: https://docs.cloud.google.com/pubsub/docs/handling-failures
    dead_letters=True,
    # 10 MB for the service; an event that reaches a function has 512 KB, in which the body is base64.
    max_body_bytes=Figure(370_000, f"{_FUNCTIONS}/quotas", _READ),
    # 100, of which the driver has some: values of more than 1,024 bytes go on in another one, and no message is of
    # nothing at all.
    max_attributes=Figure(91, f"{_PUBSUB}/quotas", _READ),
    # Ours. A name has at most 256 bytes, a value 1,024.
    max_attribute_bytes=Figure(_ATTRIBUTES, f"{_PUBSUB}/quotas", _READ),
    min_lease_seconds=Figure(10, f"{_PUBSUB}/docs/reference/rest/v1/projects.subscriptions", _READ),
    max_lease_seconds=Figure(600, f"{_PUBSUB}/docs/reference/rest/v1/projects.subscriptions/modifyAckDeadline", _READ),
    # Ours: the service waits for a bounded time that it does not tell.
    max_wait_seconds=Figure(20, f"{_PUBSUB}/docs/reference/rest/v1/projects.subscriptions/pull", _READ),
    max_send_batch=Figure(1000, f"{_PUBSUB}/quotas", _READ),
    # 10,000,000 for the request, and each message of it has some overhead.
    max_send_batch_bytes=Figure(9_000_000, f"{_PUBSUB}/quotas", _READ),
    max_receive_batch=Figure(1000, f"{_PUBSUB}/quotas", _READ),
)

HTTP = HttpCapabilities(
    # Of HTTP/1; the answer's holds where it is not streamed.
    max_request_bytes=Figure(32 * 1024**2, f"{_RUN}/quotas", _READ),
    max_response_bytes=Figure(32 * 1024**2, f"{_RUN}/quotas", _READ),
    max_seconds=Figure(3600, f"{_RUN}/docs/configuring/request-timeout", _READ),
)

CAPABILITIES: Mapping[str, Capabilities] = {
    "bucket:gs": GS,
    "table:firestore": FIRESTORE,
    "queue:pubsub": PUBSUB,
    "http": HTTP,
}
