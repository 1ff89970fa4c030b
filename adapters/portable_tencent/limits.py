"""What Tencent Cloud promises through these drivers: each number with the page that gives it and the day it was read.

Where a driver needs room of its own the number is what is left. Where a boolean is False, or holds under a condition,
the page that says so is beside it.
"""

from __future__ import annotations

from portable_contracts.blob import BlobCapabilities
from portable_contracts.http import HttpCapabilities
from portable_contracts.limits import Figure
from portable_contracts.queue import QueueCapabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from portable_contracts.limits import Capabilities

_READ = "2026-11-20"
_COS = "https://www.tencentcloud.com/document/product/436"
_CMQ = "https://www.tencentcloud.com/document/product/1111"
_SCF = "https://www.tencentcloud.com/document/product/583"

PART = 16 * 1024**2
"""Bytes of one part of an upload of unknown length: what keeps memory flat."""

COS = BlobCapabilities(
    # By x-cos-forbid-overwrite, which a bucket that ever had versions ignores:
    # https://www.tencentcloud.com/document/product/436/7749
    # No page speaks of races, and a user saw several win: https://github.com/apache/opendal/pull/7526
    create=True,
    if_version=False,  # A PUT has no condition but that one: https://www.tencentcloud.com/document/product/436/7749
    delete_if_version=False,  # Nor has a DELETE: https://www.tencentcloud.com/document/product/436/7743
    distinct_versions=False,  # The ETag is the content's MD5: https://www.tencentcloud.com/document/product/436/7729
    max_key_bytes=Figure(850, f"{_COS}/13324", _READ),
    # 2 KB for one header, 4 KB for all of them.
    max_metadata_bytes=Figure(2048, f"{_COS}/7749", _READ),
    # 10,000 parts. The service itself takes 48.82 TB, in parts of 5 GB.
    max_bytes=Figure(10_000 * PART, f"{_COS}/14112", _READ),
    max_list_page=Figure(1000, f"{_COS}/7734", _READ),
    max_delete_batch=Figure(1000, f"{_COS}/8289", _READ),
    # Ours: the signer chooses, and what a role signed dies with its session.
    max_sign_seconds=Figure(7 * 24 * 3600, f"{_COS}/7778", _READ),
)

# A body is text of at most 1,048,576 bytes. It holds the attributes too, in an envelope of ours: base64, 4 bytes for 3.
_ATTRIBUTES = 8192
_BODY = 1024**2 * 3 // 4 - 2 * _ATTRIBUTES

CMQ = QueueCapabilities(
    delay=True,
    # The lease is the queue's, its visibility timeout, and no call changes that of a message:
    # https://www.tencentcloud.com/document/product/1111/46418
    choose_lease=False,
    retry_delay=False,
    extend=False,
    # The list of calls knows neither: https://www.tencentcloud.com/document/product/1111/42985
    groups=False,
    dedup=False,
    push=False,  # SCF has no trigger for queues: https://www.tencentcloud.com/document/product/583/9705
    # An older queue may be set to less, by MaxMsgSize.
    max_body_bytes=Figure(_BODY, f"{_CMQ}/42985", _READ),
    # Ours, for the next two.
    max_attributes=Figure(9, f"{_CMQ}/42985", _READ),
    max_attribute_bytes=Figure(_ATTRIBUTES, f"{_CMQ}/42985", _READ),
    # Also less than the queue's longest time without acknowledgement, 30 seconds to 12 hours: what outlives that time,
    # delayed or leased, is lost. https://www.tencentcloud.com/document/product/1111/42994
    max_delay_seconds=Figure(3600, "https://www.tencentcloud.com/document/product/406/8128", _READ),
    min_lease_seconds=Figure(1, f"{_CMQ}/42985", _READ),
    max_lease_seconds=Figure(12 * 3600, f"{_CMQ}/42985", _READ),
    max_wait_seconds=Figure(30, f"{_CMQ}/42985", _READ),
    # With one delay for all of them.
    max_send_batch=Figure(16, f"{_CMQ}/46416", _READ),
    # 64 KB for all bodies of a batch; a larger one goes alone.
    max_send_batch_bytes=Figure(64 * 1024 * 3 // 4, f"{_CMQ}/46416", _READ),
    max_receive_batch=Figure(16, f"{_CMQ}/46418", _READ),
)

HTTP = HttpCapabilities(
    # 6 MB of JSON each way, in which bytes are base64: 4.5 MB of them, less room for the headers.
    max_request_bytes=Figure(4_400_000, f"{_SCF}/11637", _READ),
    max_response_bytes=Figure(4_400_000, f"{_SCF}/11637", _READ),
    # A function runs for at most 900 seconds; no page says how long a function URL waits: the profile's.
    max_seconds=Figure(30, f"{_SCF}/11637", _READ),
)

CAPABILITIES: Mapping[str, Capabilities] = {
    "bucket:cos": COS,
    "queue:cmq": CMQ,
    "http": HTTP,
}
