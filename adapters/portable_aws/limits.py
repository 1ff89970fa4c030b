"""What AWS promises through these drivers: each number with the page that gives it and the day it was read.

Where a driver needs room of its own (for base64, an envelope, its own attributes) the number is what is left. Where a
boolean is False, or holds under a condition, the page that says so is beside it.
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
_S3 = "https://docs.aws.amazon.com/AmazonS3/latest"
_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest"
_SQS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest"
_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg"
_HTTP_API = "https://docs.aws.amazon.com/apigateway/latest/developerguide"

S3_PART = 8 * 1024**2
"""Bytes of one part of an upload of unknown length: what keeps memory flat."""

S3 = BlobCapabilities(
    # Guarded deletes are from September 2025: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
    # The ETag tells of the content alone: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    distinct_versions=False,
    max_key_bytes=Figure(1024, f"{_S3}/userguide/object-keys.html", _READ),
    max_metadata_bytes=Figure(2048, f"{_S3}/userguide/UsingMetadata.html", _READ),
    # 10,000 parts. The service itself takes 48.8 TiB, in parts of 5 GiB.
    max_bytes=Figure(10_000 * S3_PART, f"{_S3}/userguide/qfacts.html", _READ),
    max_list_page=Figure(1000, f"{_S3}/API/API_ListObjectsV2.html", _READ),
    max_delete_batch=Figure(1000, f"{_S3}/API/API_DeleteObjects.html", _READ),
    # What a role signed dies with the role's session, which may be hours away.
    max_sign_seconds=Figure(7 * 24 * 3600, f"{_S3}/userguide/using-presigned-url.html", _READ),
)

DYNAMODB = KVCapabilities(
    max_partition_bytes=Figure(2048, f"{_DYNAMODB}/developerguide/Constraints.html", _READ),
    # At least 1 byte: the empty sort key needs a stand-in.
    max_sort_bytes=Figure(1024, f"{_DYNAMODB}/developerguide/Constraints.html", _READ),
    # 400 KB are 409,600 bytes, in which both keys, the attributes' names, the version and the expiry count too.
    max_item_bytes=Figure(400_000, f"{_DYNAMODB}/developerguide/Constraints.html", _READ),
    # 32, and the attribute that holds the value is the first.
    max_depth=Figure(31, f"{_DYNAMODB}/developerguide/Constraints.html", _READ),
    # And 4 MB for the items of one transaction together.
    max_transaction=Figure(100, f"{_DYNAMODB}/APIReference/API_TransactWriteItems.html", _READ),
    max_get_batch=Figure(100, f"{_DYNAMODB}/APIReference/API_BatchGetItem.html", _READ),
    # Ours: a page of the service ends at 1 MB, not at a number of items.
    max_page=Figure(1000, f"{_DYNAMODB}/APIReference/API_Query.html", _READ),
)

# A body, the names, types and values of its attributes count together, 1,048,576 bytes for a message and for a batch.
# The characters are those of XML and a body has at least one, so some travel as base64, 4 bytes for 3.
_ATTRIBUTES = 8192
_BODY = 1024**2 * 3 // 4 - 2 * _ATTRIBUTES

SQS = QueueCapabilities(
    delay=True,
    retry_delay=True,
    extend=True,
    # In a standard queue a group is for fairness, not for order:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
    groups=False,
    # Of FIFO queues only: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    dedup=False,
    # An older queue may be set to less: its MaximumMessageSize.
    max_body_bytes=Figure(_BODY, f"{_SQS}/SQSDeveloperGuide/quotas-messages.html", _READ),
    # 10, of which the driver has one: it says how the body is encoded.
    max_attributes=Figure(9, f"{_SQS}/SQSDeveloperGuide/quotas-messages.html", _READ),
    max_attribute_bytes=Figure(_ATTRIBUTES, f"{_SQS}/APIReference/API_MessageAttributeValue.html", _READ),
    max_delay_seconds=Figure(900, f"{_SQS}/APIReference/API_SendMessage.html", _READ),
    # 0 is no lease at all.
    min_lease_seconds=Figure(1, f"{_SQS}/APIReference/API_ReceiveMessage.html", _READ),
    # From the receipt on, however often it is extended.
    max_lease_seconds=Figure(12 * 3600, f"{_SQS}/APIReference/API_ChangeMessageVisibility.html", _READ),
    max_wait_seconds=Figure(20, f"{_SQS}/APIReference/API_SetQueueAttributes.html", _READ),
    max_send_batch=Figure(10, f"{_SQS}/APIReference/API_SendMessageBatch.html", _READ),
    max_send_batch_bytes=Figure(_BODY + _ATTRIBUTES, f"{_SQS}/APIReference/API_SendMessageBatch.html", _READ),
    max_receive_batch=Figure(10, f"{_SQS}/APIReference/API_ReceiveMessage.html", _READ),
)

# A FIFO queue gives order and dedup and takes away the delay of one message, so it has a scheme of its own: what an
# address can do is known from the address.
SQS_FIFO = SQS.replace(
    # The delay is the queue's: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
    delay=False,
    groups=True,
    dedup=True,
    dedup_seconds=Figure(300, f"{_SQS}/APIReference/API_SendMessage.html", _READ),
)

HTTP = HttpCapabilities(
    # A function URL and an HTTP API invoke Lambda with JSON of at most 6 MB each way, in which bytes are base64: 4.5 MB
    # of them, less room for the headers and the request's context.
    max_request_bytes=Figure(4_400_000, f"{_LAMBDA}/gettingstarted-limits.html", _READ),
    max_response_bytes=Figure(4_400_000, f"{_LAMBDA}/gettingstarted-limits.html", _READ),
    # An HTTP API's. A function URL waits for the 900 seconds that a function may run.
    max_seconds=Figure(30, f"{_HTTP_API}/http-api-quotas.html", _READ),
)

CAPABILITIES: Mapping[str, Capabilities] = {
    "bucket:s3": S3,
    "table:dynamodb": DYNAMODB,
    "queue:sqs": SQS,
    "queue:sqs+fifo": SQS_FIFO,
    "http": HTTP,
}
