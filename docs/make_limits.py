"""Write docs/limits.md from the capability records of the installed adapters: `python docs/make_limits.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from portable import registry
from portable_contracts.blob import BlobCapabilities
from portable_contracts.http import HttpCapabilities
from portable_contracts.kv import KVCapabilities
from portable_contracts.limits import Capabilities, Figure
from portable_contracts.queue import QueueCapabilities

PAGE = Path(__file__).parent / "limits.md"
PROVIDERS = ("aws", "azure", "gcp", "tencent", "redis", "local")

BELONGS_TO = {"max_delay_seconds": ("delay", "retry_delay"), "dedup_seconds": ("dedup",)}
"""Numbers that say nothing where none of these capabilities is promised."""
SPLIT = ("max_list_page", "max_delete_batch", "max_get_batch", "max_page", "max_send_batch", "max_send_batch_bytes",
         "max_receive_batch")  # fmt: skip
"""Numbers that no user meets: the portable type makes more calls."""

KINDS: Mapping[str, tuple[str, type[Capabilities], str]] = {
    "bucket": (
        "Buckets",
        BlobCapabilities,
        """\
- S3 and COS name a version after the content: where two writes of equal bytes meet, a guard sees one version.
- COS has `create` only in buckets that never had versions; guards by version it does not have at all.
- A signed PUT to Azure needs the header `x-ms-blob-type: BlockBlob` from whoever uses it.
- An address that a role signed dies with the role's session, on AWS and Tencent Cloud.
- `max_bytes` is what our uploads of unknown length reach in flat memory; the services themselves go further.""",
    ),
    "table": (
        "Tables",
        KVCapabilities,
        """\
- The items of one transaction together: 4 MB on DynamoDB, 4 MiB on Azure Tables, 10 MiB on Firestore.
- `max_item_bytes` counts as `portable_contracts.kv.measure` does, and leaves room for the keys.
- Redis, at `redis://` and over TLS at `rediss://`, serves every cloud; it is the default table of a Tencent target.""",
    ),
    "queue": (
        "Queues",
        QueueCapabilities,
        """\
- A FIFO queue of SQS is at `sqs+fifo://name`: it has order and dedup, and no delay of one message.
- Where a service takes text only, bodies travel as base64; `max_body_bytes` is what then fits, whatever the bytes.
- On Azure queues and CMQ attributes travel in the body and count against it.
- On Pub/Sub one attribute's value has at most 1,024 bytes, and order needs a subscription with message ordering. The
  service takes 10 MB; what reaches a function as an event has 512 KB.
- On Service Bus groups and dedup are settings that a queue is made with, and so is the lease.
- CMQ loses what is not acknowledged within the queue's own limit, 30 seconds to 12 hours, delay included; its lease is
  the queue's, too. No function is triggered by it: a poller of ours is.""",
    ),
    "http": (
        "HTTP",
        HttpCapabilities,
        """\
- AWS and Tencent Cloud hand requests and answers over as JSON of 6 MB, in which bytes are base64: 4.5 MB of them, less
  the headers.
- On AWS 30 seconds are the HTTP API's; a function URL waits for 900.""",
    ),
}

HEAD = """\
# Limits

What each service promises through `portable`, from the records that the `local` target and `portable check` use. Each
number leads to the vendor's page that it was taken from, or that was read to find none; where a driver needs room of
its own, for base64 or an envelope, the number is what is left. The pages were read on {days}.

**Profile** is what a new app may count on everywhere; numbers that fall short of it are in italics. Going past it is
allowed where all of an app's targets allow it. A missing capability raises `Unsupported`, a number exceeded
`LimitExceeded`, and both name the target. Lists and batches have no limit here: they are split for you.

This page is written by `python docs/make_limits.py`.
"""


def page() -> str:
    """Return the whole page."""
    records = {name: registry.load(registry.provider(name).capabilities) for name in PROVIDERS}
    parts = [HEAD.format(days=", ".join(sorted(set(_days(records)))))]
    for kind, (title, profile, notes) in KINDS.items():
        columns = {
            _column(provider, word): record
            for provider, offered in records.items()
            for word, record in offered.items()
            if word.partition(":")[0] == kind and word != "table:rediss"  # the same over TLS
        }
        parts.append(f"## {title}\n\n{_table(profile(), columns)}\n\n{notes}\n")
    return "\n".join(parts)


def _days(records: Mapping[str, Mapping[str, Capabilities]]) -> Iterator[str]:
    for offered in records.values():
        for record in offered.values():
            for field in record._fields:
                value = getattr(record, field)
                if isinstance(value, Figure):
                    yield value.read


def _column(provider: str, word: str) -> str:
    scheme = word.partition(":")[2]
    return f"{provider} `{scheme}://`" if scheme else provider


def _table(profile: Capabilities, columns: Mapping[str, Capabilities]) -> str:
    rows = [["", "profile", *columns], ["---"] * (len(columns) + 2)]
    for field in profile._fields:
        if field not in SPLIT:
            cells = (_cell(record, profile, field) for record in columns.values())
            rows.append([f"`{field}`", _text(getattr(profile, field)), *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(record: Capabilities, profile: Capabilities, field: str) -> str:
    if field in BELONGS_TO and not any(getattr(record, capability) for capability in BELONGS_TO[field]):
        return "-"
    value = getattr(record, field)
    if not isinstance(value, Figure):
        return _text(value)
    least = getattr(profile, field)
    short = value > least if field in record._smaller_is_more else value < least
    return f"[*{_text(value)}*]({value.source})" if short else f"[{_text(value)}]({value.source})"


def _text(value: bool | int | frozenset[str]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset):
        return " ".join(sorted(value)) or "none"
    for power, unit in ((4, "TiB"), (3, "GiB")):
        if value >= 1024**power:
            return f"{value / 1024**power:.4g} {unit}"
    return f"{value:,}"


if __name__ == "__main__":
    PAGE.write_text(page())
