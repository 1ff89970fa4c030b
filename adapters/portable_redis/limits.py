"""What Redis promises through this driver: each number with the page that gives it and the day it was read.

A key or a value may have 512 MB, and nothing else is counted: all numbers are ours, and the pages are those that were
read to find no smaller one.
"""

from __future__ import annotations

from portable_contracts.kv import KVCapabilities
from portable_contracts.limits import Figure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from portable_contracts.limits import Capabilities

_READ = "2026-11-20"
_REDIS = "https://redis.io/docs/latest"

REDIS = KVCapabilities(
    # Keyspace notifications are lost while nobody listens:
    changes=False,  # https://redis.io/docs/latest/develop/pubsub/keyspace-notifications
    max_partition_bytes=Figure(1024, f"{_REDIS}/develop/using-commands/keyspace", _READ),
    max_sort_bytes=Figure(1024, f"{_REDIS}/develop/using-commands/keyspace", _READ),
    # What is larger keeps every other client waiting: the server does one thing after the other.
    max_item_bytes=Figure(1_000_000, f"{_REDIS}/develop/data-types/strings", _READ),
    max_depth=Figure(32, f"{_REDIS}/develop/data-types/strings", _READ),
    max_transaction=Figure(100, f"{_REDIS}/develop/programmability/eval-intro", _READ),
    max_get_batch=Figure(100, f"{_REDIS}/develop/using-commands/pipelining", _READ),
    max_page=Figure(1000, f"{_REDIS}/commands/zrangebylex", _READ),
)

CAPABILITIES: Mapping[str, Capabilities] = {"table:redis": REDIS, "table:rediss": REDIS}
