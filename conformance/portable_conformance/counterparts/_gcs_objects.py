"""What the fake Cloud Storage keeps: buckets of objects with generations, and uploads in progress. All in memory.

Written from the public reference: https://docs.cloud.google.com/storage/docs/json_api/v1/objects and
https://docs.cloud.google.com/storage/docs/request-preconditions.
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, Any

from portable_contracts._value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_PAGE = 1000


class Refused(Exception):
    """The service's refusal: a status, the JSON API's reason, the XML API's code, and what it says."""

    def __init__(self, status: int, reason: str, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.code = code


def no_bucket() -> Refused:
    return Refused(404, "notFound", "NoSuchBucket", "The specified bucket does not exist.")


def no_object(bucket: str, name: str) -> Refused:
    return Refused(404, "notFound", "NoSuchKey", f"No such object: {bucket}/{name}")


def condition_not_met() -> Refused:
    return Refused(
        412,
        "conditionNotMet",
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold.",
    )


def invalid(message: str) -> Refused:
    return Refused(400, "invalid", "InvalidArgument", message)


class Stored(Value):
    """One generation of an object."""

    bucket: str
    name: str
    generation: int
    body: bytes
    content_type: str
    metadata: Mapping[str, str]
    updated: float
    crc32c: str


class Upload(Value):
    """A resumable upload; *parts* grows."""

    bucket: str
    resource: Mapping[str, Any]
    if_generation: str | None
    parts: list[bytes]
    done: list[Stored]
    """The object, once there is one."""


class Bucket:
    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.names: list[str] = []
        """Sorted; text sorts by code points, which is the byte order of UTF-8."""


class Store:
    """Every call takes effect at once and alone."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.uploads: dict[str, Upload] = {}
        self._buckets: dict[str, Bucket] = {}
        self._generation = 0

    def create_bucket(self, name: str) -> None:
        with self.lock:
            if name in self._buckets:
                raise Refused(
                    409,
                    "conflict",
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                )
            self._buckets[name] = Bucket()

    def delete_bucket(self, name: str, *, force: bool = False) -> None:
        with self.lock:
            if self.bucket(name).objects and not force:
                raise Refused(409, "conflict", "BucketNotEmpty", "The bucket you tried to delete is not empty.")
            del self._buckets[name]
            for identity in [identity for identity, upload in self.uploads.items() if upload.bucket == name]:
                del self.uploads[identity]

    def bucket(self, name: str) -> Bucket:
        found = self._buckets.get(name)
        if found is None:
            raise no_bucket()
        return found

    def get(self, bucket: str, name: str, if_generation: str | None = None) -> Stored:
        found = self.bucket(bucket).objects.get(name)
        if found is None:
            raise no_object(bucket, name)
        if if_generation is not None and if_generation != str(found.generation):
            raise condition_not_met()
        return found

    def put(
        self,
        bucket: str,
        name: str,
        body: bytes,
        content_type: str,
        metadata: Mapping[str, str],
        crc32c: str,
        if_generation: str | None = None,
    ) -> Stored:
        if not name or len(name.encode()) > 1024:
            raise invalid("The object name is empty or longer than 1024 bytes.")
        if sum(len(key.encode()) + len(value.encode()) for key, value in metadata.items()) > 8192:
            raise Refused(400, "metadataTooLarge", "MetadataTooLarge", "Your metadata is larger than 8 KiB.")
        with self.lock:
            holder = self.bucket(bucket)
            there = holder.objects.get(name)
            if if_generation is not None and if_generation != (str(there.generation) if there else "0"):
                raise condition_not_met()
            now = time.time()
            self._generation = max(self._generation + 1, int(now * 1_000_000))
            stored = Stored(bucket, name, self._generation, body, content_type, dict(metadata), now, crc32c)
            holder.objects[name] = stored
            if there is None:
                insort(holder.names, name)
            return stored

    def delete(self, bucket: str, name: str, if_generation: str | None = None) -> None:
        with self.lock:
            self.get(bucket, name, if_generation)
            holder = self.bucket(bucket)
            del holder.objects[name]
            del holder.names[bisect_left(holder.names, name)]

    def list(
        self, bucket: str, prefix: str, delimiter: str, start: str, token: str, limit: int
    ) -> tuple[list[Stored], list[str], str]:
        """Return a page's objects, its prefixes, and the token of the next page, empty at the end."""
        with self.lock:
            holder = self.bucket(bucket)
            objects: list[Stored] = []
            prefixes: list[str] = []
            place = bisect_left(holder.names, max(prefix, start))
            if token:
                place = max(place, _behind(holder.names, _position(token)))
            last = ""
            for name, is_object in _entries(holder.names, place, prefix, delimiter):
                if len(objects) + len(prefixes) == limit:
                    return objects, prefixes, base64.urlsafe_b64encode(last.encode()).decode()
                if is_object:
                    objects.append(holder.objects[name])
                    last = "o" + name
                else:
                    prefixes.append(name)
                    last = "p" + name
            return objects, prefixes, ""

    def begin(self, upload: Upload) -> str:
        with self.lock:
            self.bucket(upload.bucket)
            identity = secrets.token_urlsafe(24)
            self.uploads[identity] = upload
            return identity


def _entries(names: list[str], place: int, prefix: str, delimiter: str) -> Iterator[tuple[str, bool]]:
    """Yield names, and groups of names, each once; with each, whether it is a name."""
    while place < len(names) and names[place].startswith(prefix):
        name = names[place]
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            yield name, True
            place += 1
        else:
            group = name[: cut + len(delimiter)]
            yield group, False
            place = _behind_group(names, group)


def _behind(names: list[str], last: str) -> int:
    return bisect_right(names, last[1:]) if last[0] == "o" else _behind_group(names, last[1:])


def _behind_group(names: list[str], group: str) -> int:
    return bisect_left(names, True, key=lambda name: name[: len(group)] > group)


def _position(token: str) -> str:
    try:
        position = base64.urlsafe_b64decode(token).decode()
    except ValueError:
        position = ""
    if position[:1] not in ("o", "p"):
        raise invalid("Invalid argument.")
    return position
