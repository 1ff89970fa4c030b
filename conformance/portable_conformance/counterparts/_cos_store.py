"""What the COS server of ours keeps: buckets of objects and of uploads in parts, in memory."""

from __future__ import annotations

import hashlib
import threading
import uuid
from bisect import bisect_left, bisect_right, insort
from typing import Any

from portable_conformance.counterparts._cos_signature import Refusal
from portable_contracts._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LEAST_PART = 1024**2
"""Every part but the last: https://www.tencentcloud.com/document/product/436/14112"""
MOST_PARTS = 10_000
LONGEST_KEY = 850
"""https://www.tencentcloud.com/document/product/436/13324"""
LARGEST_METADATA_HEADER, LARGEST_METADATA = 2048, 4096
"""https://www.tencentcloud.com/document/product/436/7746"""


class Stored(Value):
    """One object; its bytes are in *pieces*, as they were uploaded."""

    pieces: Sequence[bytes]
    size: int
    etag: str
    headers: Mapping[str, str]
    """What is given back as it came: content headers and `x-cos-meta-*`."""
    modified: float
    version: str = ""

    def cut(self, start: int, stop: int) -> Iterator[memoryview]:
        """Yield the bytes from *start* up to *stop*."""
        for piece in self.pieces:
            if start < len(piece) and stop > 0:
                yield memoryview(piece)[max(start, 0) : stop]
            start, stop = start - len(piece), stop - len(piece)


class Upload:
    def __init__(self, key: str, headers: Mapping[str, str]) -> None:
        self.key = key
        self.headers = headers
        self.parts: dict[int, bytes] = {}
        self.etags: dict[int, str] = {}


class Bucket:
    """One bucket. Whoever reads or changes it holds its lock."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.lock = threading.Lock()
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, Upload] = {}
        self.versioning = ""
        """Empty, `Enabled` or `Suspended`: what was once turned on is never forgotten."""
        self._sorted: list[bytes] = []

    def get(self, key: str) -> Stored:
        found = self.objects.get(key)
        if found is None:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        return found

    def put(
        self,
        key: str,
        pieces: Sequence[bytes],
        etag: str,
        headers: Mapping[str, str],
        now: float,
        *,
        forbid_overwrite: bool,
    ) -> Stored:
        # A bucket that ever had versions ignores the header: https://www.tencentcloud.com/document/product/436/7749
        if forbid_overwrite and not self.versioning and key in self.objects:
            raise Refusal(409, "FileAlreadyExists", "The file already exists.")
        version = uuid.uuid4().hex if self.versioning == "Enabled" else "null" if self.versioning else ""
        if key not in self.objects:
            insort(self._sorted, key.encode())
        stored = self.objects[key] = Stored(pieces, sum(map(len, pieces)), etag, headers, now, version)
        return stored

    def delete(self, key: str) -> None:
        if self.objects.pop(key, None) is not None:
            del self._sorted[bisect_left(self._sorted, key.encode())]

    def list(self, prefix: str, delimiter: str, marker: str, limit: int) -> tuple[list[str], list[str], str]:
        """Return keys, common prefixes, and the marker of the next page, empty at the end.

        A group is not given again behind a marker that is its own, as a listing that ends must have it:
        https://www.tencentcloud.com/document/product/436/30614
        """
        raw_prefix, raw_delimiter, raw_marker = prefix.encode(), delimiter.encode(), marker.encode()
        keys: list[str] = []
        groups: list[str] = []
        last = ""
        at = bisect_left(self._sorted, raw_prefix)
        if raw_marker:
            at = max(at, bisect_right(self._sorted, raw_marker))
        while at < len(self._sorted) and self._sorted[at].startswith(raw_prefix):
            key = self._sorted[at]
            cut = key.find(raw_delimiter, len(raw_prefix)) if raw_delimiter else -1
            group = key[: cut + len(raw_delimiter)] if cut >= 0 else b""
            if group and group == raw_marker:
                at = bisect_left(self._sorted, group + b"\xff", at)
                continue
            if len(keys) + len(groups) == limit:
                return keys, groups, last
            last = (group or key).decode()
            if group:
                groups.append(last)
                at = bisect_left(self._sorted, group + b"\xff", at)
            else:
                keys.append(last)
                at += 1
        return keys, groups, ""

    def upload(self, identity: str, key: str) -> Upload:
        found = self.uploads.get(identity)
        if found is None or found.key != key:
            raise Refusal(404, "NoSuchUpload", "The specified multipart upload does not exist.")
        return found

    def complete(
        self, identity: str, key: str, told: Sequence[tuple[int, str]], now: float, *, forbid_overwrite: bool
    ) -> Stored:
        """Make an object of the parts: https://www.tencentcloud.com/document/product/436/7742"""
        upload = self.upload(identity, key)
        numbers = [number for number, _ in told]
        if numbers != sorted(set(numbers)):
            raise Refusal(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
        if numbers != list(range(1, len(numbers) + 1)) or any(upload.etags.get(n) != etag for n, etag in told):
            raise Refusal(400, "InvalidPart", "One or more of the specified parts could not be found.")
        if any(len(upload.parts[number]) < LEAST_PART for number in numbers[:-1]):
            raise Refusal(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size.")
        joined = hashlib.md5(b"".join(bytes.fromhex(etag) for _, etag in told)).hexdigest()
        pieces = [upload.parts[number] for number in numbers]
        stored = self.put(key, pieces, f"{joined}-{len(told)}", upload.headers, now, forbid_overwrite=forbid_overwrite)
        del self.uploads[identity]
        return stored


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that an object keeps. Raises Refusal for metadata that is too large, or named wrongly."""
    kept: dict[str, Any] = {name: headers[name] for name in _CONTENT if name in headers}
    size = 0
    for name, value in headers.items():
        if not name.startswith("x-cos-meta-"):
            continue
        if not name.removeprefix("x-cos-meta-").replace("-", "a").isalnum() or not name.isascii():
            raise Refusal(400, "InvalidArgument", f"The name {name} has other characters than a-z, 0-9 and '-'.")
        size += len(name) + len(value)
        if len(name) + len(value) > LARGEST_METADATA_HEADER or size > LARGEST_METADATA:
            raise Refusal(400, "InvalidArgument", "The metadata is too large.")
        kept[name] = value
    return kept


_CONTENT = ("content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires")
