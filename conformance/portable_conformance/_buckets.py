"""What the blob suites ask of a bucket again and again."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from portable.blob import Bucket
    from portable_contracts.blob import BlobInfo, Prefix


def write_all(bucket: Bucket, keys: Iterable[str]) -> None:
    """Write one byte under each key; several at once, for services that are far away."""
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda key: bucket.write(key, b"1"), keys):
            pass


def keys(bucket: Bucket) -> list[str]:
    """Return every key, as listed."""
    return names(bucket.list())


def names(entries: Iterable[BlobInfo | Prefix]) -> list[str]:
    """Return the keys of objects and the names of prefixes, in the order of *entries*."""
    return [getattr(entry, "name", None) or getattr(entry, "key") for entry in entries]  # noqa: B009  # either of two types


def alike(found: BlobInfo, expected: BlobInfo) -> bool:
    """Say whether both describe one write; `modified` may differ by what a service takes to answer it."""
    near = abs(found.modified - expected.modified) <= timedelta(seconds=2)
    return near and found.replace(modified=expected.modified) == expected


def digest(bucket: Bucket, key: str) -> bytes:
    """Return the SHA-256 of the object, read as a stream."""
    found = hashlib.sha256()
    with bucket.open(key) as stream:
        for chunk in stream:
            found.update(chunk)
    return found.digest()
