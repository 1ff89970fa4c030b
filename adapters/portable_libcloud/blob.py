"""Buckets of services that speak S3, over Apache Libcloud: its drivers know the endpoints, and sign.

Uploads of many parts are Libcloud's own. Where its methods need a request more, or cannot say which version they read
or where a listing goes on, the request is ours, over its connection.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from libcloud.common.types import LibcloudError
from libcloud.storage.base import Container

from portable_contracts.blob import BlobDriver, BlobInfo, BlobStream, Prefix
from portable_contracts.errors import InvalidArgument, PortableError
from portable_contracts.provider import Page
from portable_libcloud._connections import Connections
from portable_libcloud._errors import Answered, classify, explain, refused
from portable_libcloud._metadata import decode, encode
from portable_libcloud.limits import BUCKET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import ClassVar, Self

    import requests

    from portable_contracts.blob import Source, WriteOptions
    from portable_contracts.provider import Address, Opening

PART = 5 * 1024**2
"""Bytes of one part of Libcloud's uploads; what fits is sent in one request."""
CHUNK = 1 << 20
_META = "x-amz-meta-"
_NOT_IN_XML = re.compile("[\ufffe\uffff]")
"""The characters of keys that no XML document holds."""
_PARAMETERS = ("endpoint", "region")


class S3FamilyBucket(BlobDriver):
    """One bucket; the classes below say of which service."""

    scheme: ClassVar[str]
    capabilities = BUCKET

    def __init__(self, name: str, connections: Connections) -> None:
        self._name = name
        self._connections = connections

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> Self:
        if not address.name or address.path:
            raise InvalidArgument(f"address {address}: write {cls.scheme}://BUCKET, with nothing behind the name")
        unknown = next((name for name in address.parameters if name not in _PARAMETERS), None)
        if unknown is not None:
            from difflib import get_close_matches

            meant = "".join(f" (did you mean {word!r}?)" for word in get_close_matches(unknown, _PARAMETERS, n=1))
            raise InvalidArgument(
                f"address {address}: unknown parameter {unknown!r}{meant}: there are endpoint, region"
            )
        region = address.parameters.get("region") or opening.region
        return cls(address.name, Connections(cls.scheme, region, address.parameters.get("endpoint")))

    def classify(self, error: Exception) -> type[PortableError]:
        return classify(error)

    def explain(self, error: Exception) -> str:
        return explain(error)

    def retry_after(self, error: Exception) -> float | None:
        return error.retry_after if isinstance(error, Answered) else None

    def native(self) -> Any:
        return self._connections.make()

    def close(self) -> None:
        self._connections.forget()

    def info(self, key: str) -> BlobInfo:
        response = self._ask("HEAD", key)
        return _info(key, response, int(response.headers["content-length"]))

    def open(self, key: str, *, start: int, stop: int | None, if_version: str | None) -> BlobStream:
        headers = {} if if_version is None else {"If-Match": f'"{if_version}"'}
        if stop is not None and stop <= start:
            return BlobStream(_info(key, *_sized(self._ask("HEAD", key, headers=headers))), iter(()))
        if start or stop is not None:
            headers["Range"] = f"bytes={start}-" + ("" if stop is None else str(stop - 1))
        try:
            response = self._ask("GET", key, headers=headers, stream=True)
        except Answered as error:
            if error.status != 416:
                raise
            # The range is wholly past the end.
            headers.pop("Range")
            return BlobStream(_info(key, *_sized(self._ask("HEAD", key, headers=headers))), iter(()))
        return BlobStream(_info(key, *_sized(response)), _chunks(response))

    def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
        first = body if isinstance(body, bytes) else body.read(PART + 1)
        if len(first) <= PART:
            headers = {"Content-Type": options.content_type}
            headers.update((_META + name, encode(value)) for name, value in options.metadata.items())
            version = _version(self._ask("PUT", key, headers=headers, data=first))
            size = len(first)
        else:
            pieces = _Pieces(first, None if isinstance(body, bytes) else body)
            version = self._upload(key, pieces, options)
            size = pieces.given
        return self._written(BlobInfo(key, size, version, options.content_type, options.metadata, _NOW))

    def _upload(self, key: str, pieces: _Pieces, options: WriteOptions) -> str:
        driver = self._connections.driver()
        metadata = {name: encode(value) for name, value in options.metadata.items()}
        try:
            made = driver.upload_object_via_stream(
                pieces,
                Container(self._name, {}, driver),
                key,
                extra={"content_type": options.content_type, "meta_data": metadata},
            )
        except LibcloudError as error:
            # Most of these say nothing of the answer that they are about.
            response: requests.Response = driver.connection.connection.response
            if classify(error) is PortableError and response.status_code >= 400:
                raise refused(response) from error
            raise
        version: str = made.hash
        return version.strip('"')

    def delete(self, key: str, *, if_version: str | None) -> None:
        try:
            self._ask("DELETE", key)
        except Answered as error:
            if error.status != 404 or error.code == "NoSuchBucket":
                raise

    def delete_batch(self, keys: Sequence[str]) -> Sequence[Exception | None]:
        failed: dict[str, Exception] = {}
        named = [key for key in keys if not _NOT_IN_XML.search(key)]
        if named:
            failed.update(self._delete_named(named))
        for key in keys:
            if _NOT_IN_XML.search(key):
                try:
                    self.delete(key, if_version=None)
                except Answered as error:
                    failed[key] = error
        return [failed.get(key) for key in keys]

    def _delete_named(self, keys: Sequence[str]) -> Iterator[tuple[str, Exception]]:
        """Delete *keys* by one request; yield those that stay, and why."""
        objects = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()
        digest = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        response = self._ask("POST", "", params={"delete": ""}, headers={"Content-MD5": digest}, data=body)
        for element in ElementTree.fromstring(response.content):  # noqa: S314  # as in _errors
            if element.tag.rpartition("}")[2] == "Error":
                told = _told(element)
                yield told["Key"], Answered(response.status_code, told.get("Code", ""), told.get("Message", ""))

    def list_page(
        self, *, prefix: str, delimiter: str | None, cursor: str | None, limit: int
    ) -> Page[BlobInfo | Prefix]:
        # The names travel percent-encoded: XML cannot hold every character that a key may have.
        params = {"list-type": "2", "encoding-type": "url", "max-keys": str(limit), "prefix": prefix}
        if delimiter is not None:
            params["delimiter"] = delimiter
        if cursor is not None:
            params["continuation-token"] = cursor
        document = ElementTree.fromstring(self._ask("GET", "", params=params).content)  # noqa: S314  # as in _errors
        entries: list[BlobInfo | Prefix] = []
        following = None
        for element in document:
            word = element.tag.rpartition("}")[2]
            if word == "Contents":
                entries.append(_listed(element))
            elif word == "CommonPrefixes":
                entries.append(Prefix(_name(element[0].text)))
            elif word == "NextContinuationToken":
                following = element.text
        entries.sort(key=_order)
        return Page(entries, following)

    def copy(self, source: str, target: str) -> BlobInfo:
        headers = {"x-amz-copy-source": _path(self._name, source)}
        response = self._ask("PUT", target, headers=headers)
        if b"<Error" in response.content:  # It begins its answer before it is done.
            raise refused(response)
        return self.info(target)

    def _ask(
        self,
        method: str,
        key: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes = b"",
        stream: bool = False,
    ) -> requests.Response:
        path = _path(self._name, key)
        response = self._connections.ask(method, path, params=params, headers=headers, data=data, stream=stream)
        if response.status_code >= 300:
            raise refused(response)
        return response

    def _written(self, written: BlobInfo) -> BlobInfo:
        """Return *written* with the time of the service, which the answer to a write does not tell."""
        try:
            found = self.info(written.key)
        except Answered as error:
            if error.status != 404:
                raise
            return written.replace(modified=datetime.now(timezone.utc))  # Somebody has deleted it already.
        return found if found.version == written.version else written.replace(modified=found.modified)


class S3Bucket(S3FamilyBucket):
    scheme = "libcloud+s3"


class MinioBucket(S3FamilyBucket):
    scheme = "libcloud+minio"


class SpacesBucket(S3FamilyBucket):
    scheme = "libcloud+digitalocean-spaces"


class OvhBucket(S3FamilyBucket):
    scheme = "libcloud+ovh"


class ScalewayBucket(S3FamilyBucket):
    scheme = "libcloud+scaleway"


class RgwBucket(S3FamilyBucket):
    scheme = "libcloud+s3-rgw"


class _Pieces:
    """The body of a large write, for Libcloud to iterate over."""

    def __init__(self, first: bytes, rest: Source | None) -> None:
        self._first = memoryview(first)
        self._rest = rest
        self.given = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = bytes(self._first[:PART])
        self._first = self._first[PART:]
        if len(piece) < PART and self._rest is not None:
            piece += self._rest.read(PART - len(piece))
        if not piece:
            raise StopIteration
        self.given += len(piece)
        return piece


_NOW = datetime.fromtimestamp(0, timezone.utc)
"""Stands for a time that is yet to be asked for."""


def _path(bucket: str, key: str) -> str:
    return f"/{bucket}/{quote(key, safe='/~')}" if key else f"/{bucket}"


def _version(response: requests.Response) -> str:
    return response.headers.get("etag", "").removeprefix("W/").strip('"')


def _sized(response: requests.Response) -> tuple[requests.Response, int]:
    """Return the answer and the size of the whole object, of which it may have a part."""
    whole = response.headers.get("content-range", "").rpartition("/")[2]
    return response, int(whole or response.headers["content-length"])


def _info(key: str, response: requests.Response, size: int) -> BlobInfo:
    headers = response.headers
    metadata = {
        name.lower()[len(_META) :]: decode(value) for name, value in headers.items() if name.lower().startswith(_META)
    }
    return BlobInfo(
        key,
        size,
        _version(response),
        headers.get("content-type", "application/octet-stream"),
        metadata,
        parsedate_to_datetime(headers["last-modified"]).astimezone(timezone.utc),
    )


def _chunks(response: requests.Response) -> Iterator[bytes]:
    try:
        # Not what `requests` makes of it: it would decode an object that is stored in a compressed form.
        yield from response.raw.stream(CHUNK, decode_content=False)
    finally:
        response.close()


def _told(element: ElementTree.Element) -> dict[str, str]:
    return {child.tag.rpartition("}")[2]: child.text or "" for child in element}


def _listed(element: ElementTree.Element) -> BlobInfo:
    told = _told(element)
    moment = datetime.fromisoformat(told["LastModified"].replace("Z", "+00:00")).astimezone(timezone.utc)
    return BlobInfo(_name(told["Key"]), int(told["Size"]), told["ETag"].strip('"'), "", {}, moment)


def _name(text: str | None) -> str:
    return unquote((text or "").replace("+", " "))


def _order(entry: BlobInfo | Prefix) -> str:
    return entry.name if isinstance(entry, Prefix) else entry.key
