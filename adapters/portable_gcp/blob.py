"""Buckets of Cloud Storage: `gs://bucket`, with `?endpoint=http://...` for another server than Google's.

An object's version is its generation. Every call is one request, but: bodies of more than 8 MiB, in parts; copies that
the service does piece by piece; and reading a part that lies wholly behind an object's end.

Metadata is kept percent-encoded where a header could not carry it, for it comes with the bytes as headers.
"""

from __future__ import annotations

import string
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import google_crc32c
from google.api_core.exceptions import NotFound as NotFoundError
from google.api_core.exceptions import PreconditionFailed, from_http_response
from google.cloud.storage.batch import Batch

from portable_contracts.blob import BlobDriver, BlobInfo, BlobStream, Prefix
from portable_contracts.errors import AlreadyExists, Conflict, PortableError
from portable_contracts.provider import Page
from portable_gcp._addresses import parameters
from portable_gcp._signing import signing
from portable_gcp._storage import TIMEOUT, accepted, storage_at
from portable_gcp._storage_errors import (
    Damaged,
    Refused,
    changed_nothing,
    classify,
    explain,
    is_missing_bucket,
    retry_after,
)
from portable_gcp._uploads import FIELDS, upload
from portable_gcp.limits import GS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta

    from portable_contracts.blob import Source, WriteOptions
    from portable_contracts.provider import Address, Opening
    from portable_gcp._storage import Storage

CHUNK = 1 << 20
"""How much of a body is given at a time."""
_META = "x-goog-meta-"
_PLAIN = "".join(sorted(set(string.printable) - set(string.whitespace) - {"%"}))
"""What stands in a header for itself; a space does, but not at the ends."""


class GSBucket(BlobDriver):
    """A bucket of Cloud Storage."""

    scheme = "gs"
    capabilities = GS

    def __init__(self, bucket: str, endpoint: str | None) -> None:
        self._bucket = bucket
        self._endpoint = endpoint
        quoted = quote(bucket, safe="")
        self._objects = f"/storage/v1/b/{quoted}/o"
        self._xml = f"/{quoted}/"

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> GSBucket:
        endpoint = parameters(address).get("endpoint")
        return cls(address.name, endpoint.rstrip("/") if endpoint else None)

    def classify(self, error: Exception) -> type[PortableError]:
        return classify(error)

    def explain(self, error: Exception) -> str:
        return explain(error)

    def retry_after(self, error: Exception) -> float | None:
        return retry_after(error)

    def changed_nothing(self, error: Exception) -> bool:
        return changed_nothing(error)

    def native(self) -> Any:
        """Return the `google.cloud.storage.Client`."""
        return self._storage.client

    @property
    def _storage(self) -> Storage:
        return storage_at(self._endpoint)

    def info(self, key: str) -> BlobInfo:
        return _described(self._storage.asked("GET", self._object(key), {"fields": FIELDS}).json())

    def open(self, key: str, *, start: int, stop: int | None, if_version: str | None) -> BlobStream:
        headers = {} if if_version is None else {"x-goog-if-generation-match": _generation(if_version)}
        place = self._xml + quote(key)
        if stop is not None and stop <= start:
            return BlobStream(self._seen(key, place, headers), iter(()))
        asked = dict(headers)
        if start or stop is not None:
            asked["range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        # The bytes as they are kept: without this an object that is kept compressed would come decompressed.
        asked["accept-encoding"] = "gzip"
        response = self._storage.ask("GET", place, headers=asked, stream=True)
        if response.status_code == 416:
            response.close()
            return BlobStream(self._seen(key, place, headers), iter(()))
        return _Stream(_seen(key, accepted(response).headers), response, checked=response.status_code == 200)

    def _seen(self, key: str, place: str, headers: Mapping[str, str]) -> BlobInfo:
        return _seen(key, self._storage.asked("HEAD", place, headers=headers).headers)

    def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
        resource: dict[str, Any] = {"name": key, "contentType": options.content_type}
        if options.metadata:
            resource["metadata"] = {name: _encoded(value) for name, value in options.metadata.items()}
        condition: dict[str, str] = {}
        if options.if_absent:
            condition["ifGenerationMatch"] = "0"
        elif options.if_version is not None:
            condition["ifGenerationMatch"] = _generation(options.if_version)
        try:
            return _described(upload(self._storage, quote(self._bucket, safe=""), resource, body, condition))
        except PreconditionFailed as error:
            if not options.if_absent:
                raise
            raise Refused(AlreadyExists, "there is an object already") from error

    def delete(self, key: str, *, if_version: str | None) -> None:
        condition = None if if_version is None else {"ifGenerationMatch": _generation(if_version)}
        try:
            self._storage.asked("DELETE", self._object(key), condition)
        except NotFoundError as error:
            if is_missing_bucket(error):
                raise
            if if_version is not None:
                raise Refused(Conflict, "there is no object") from error

    def delete_batch(self, keys: Sequence[str]) -> Sequence[Exception | None]:
        batch: Any = Batch(self._storage.client)
        for key in keys:
            batch.api_request(method="DELETE", path=self._object(key).removeprefix("/storage/v1"), timeout=TIMEOUT)
        return [_refusal(answer) for answer in batch.finish(raise_exception=False)]

    def list_page(
        self, *, prefix: str, delimiter: str | None, cursor: str | None, limit: int
    ) -> Page[BlobInfo | Prefix]:
        query = {"maxResults": str(limit), "fields": f"items({FIELDS}),prefixes,nextPageToken"}
        query.update({"prefix": prefix} if prefix else {}, **({"delimiter": delimiter} if delimiter else {}))
        while True:
            if cursor is not None:
                query["pageToken"] = cursor
            page = self._storage.asked("GET", self._objects, query).json()
            entries: list[BlobInfo | Prefix] = [_described(item) for item in page.get("items", ())]
            groups = page.get("prefixes")
            if groups:
                entries += map(Prefix, groups)
                # Text sorts by code points, which is the byte order of UTF-8.
                entries.sort(key=_place)
            cursor = page.get("nextPageToken")
            if entries or cursor is None:
                return Page(entries, cursor)

    def copy(self, source: str, target: str) -> BlobInfo:
        query = {"fields": f"done,rewriteToken,resource({FIELDS})"}
        place = f"{self._object(source)}/rewriteTo{self._object(target).removeprefix('/storage/v1')}"
        while True:
            # Without a body: one would take the place of the source's content type and metadata.
            answer = self._storage.asked("POST", place, query).json()
            if answer["done"]:
                return _described(answer["resource"])
            query["rewriteToken"] = answer["rewriteToken"]

    def sign(self, key: str, *, method: str, expires: timedelta, content_type: str | None) -> str:
        storage = self._storage
        address: str = (
            storage.client.bucket(self._bucket)
            .blob(key)
            .generate_signed_url(
                version="v4",
                method=method,
                expiration=max(1, -int(-expires.total_seconds() // 1)),
                content_type=content_type,
                credentials=signing(storage.credentials),
            )
        )
        return address

    def _object(self, key: str) -> str:
        return f"{self._objects}/{quote(key, safe='')}"


class _Stream(BlobStream):
    """An object's bytes as they come; all of them are *checked* against the service's checksum, where it has one."""

    def __init__(self, info: BlobInfo, response: Any, *, checked: bool) -> None:
        self._response = response
        expected = _checksum(response.headers.get("x-goog-hash", "")) if checked else None
        super().__init__(info, _chunks(response, info.size, expected))

    def close(self) -> None:
        super().close()
        self._response.close()


def _chunks(response: Any, size: int, expected: str | None) -> Iterator[bytes]:
    checksum = 0
    try:
        while chunk := response.raw.read(CHUNK, decode_content=False):
            if expected is not None:
                checksum = google_crc32c.extend(checksum, chunk)
                size -= len(chunk)
                # Before the last chunk is given: a reader that has it asks no more.
                if size == 0 and checksum.to_bytes(4, "big").hex() != expected:
                    raise Damaged("the bytes that came have another checksum than those that are kept")
            yield chunk
    finally:
        response.close()


def _checksum(told: str) -> str | None:
    """Return the CRC32C of `crc32c=...,md5=...`, in hexadecimal."""
    from base64 import b64decode

    for part in told.split(","):
        kind, _, value = part.strip().partition("=")
        if kind == "crc32c":
            return b64decode(value).hex()
    return None


def _seen(key: str, headers: Mapping[str, str]) -> BlobInfo:
    """Describe an object by the headers that its bytes come with."""
    metadata = {
        name[len(_META) :].lower(): _decoded(value)
        for name, value in headers.items()
        if name[: len(_META)].lower() == _META
    }
    size = headers.get("x-goog-stored-content-length") or headers["content-length"]
    modified = parsedate_to_datetime(headers["last-modified"])
    return BlobInfo(
        key, int(size), headers["x-goog-generation"], headers.get("content-type", _UNKNOWN), metadata, modified
    )


_UNKNOWN = "application/octet-stream"


def _described(resource: Mapping[str, Any]) -> BlobInfo:
    """Describe an object of the JSON API."""
    metadata = resource.get("metadata")
    return BlobInfo(
        resource["name"],
        int(resource["size"]),
        resource["generation"],
        resource.get("contentType", _UNKNOWN),
        {name.lower(): unquote(value) for name, value in metadata.items()} if metadata else {},
        # Whole seconds, as the headers have them: what a stream tells is what `info` tells.
        datetime.fromisoformat(resource["updated"][:19]).replace(tzinfo=timezone.utc),
    )


def _encoded(value: str) -> str:
    return quote(value, safe=_PLAIN + " " if value == value.strip(" ") else _PLAIN)


def _decoded(value: str) -> str:
    # Headers are read as Latin-1; what others wrote may be UTF-8.
    return unquote(value if value.isascii() else value.encode("latin-1").decode("utf-8", "replace"))


def _generation(version: str) -> str:
    """Return *version* if it can be a generation: 0 would mean that there is no object."""
    if not (version.isascii() and version.isdigit() and version.strip("0")):
        raise Refused(Conflict, f"the object is not at version {version!r}")
    return version


def _place(entry: BlobInfo | Prefix) -> str:
    return entry.key if isinstance(entry, BlobInfo) else entry.name


def _refusal(answer: Any) -> Exception | None:
    """Return the error of one deletion of a batch; a missing object is none."""
    if answer.status_code < 400:
        return None
    error: Exception = from_http_response(answer)
    return error if not isinstance(error, NotFoundError) or is_missing_bucket(error) else None
