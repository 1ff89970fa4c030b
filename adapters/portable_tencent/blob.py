"""Buckets of Tencent Cloud Object Storage, by Tencent's own SDK.

    cos://photos-1250000000?region=ap-guangzhou

The version of an object is its ETag, which follows from the bytes alone. A write has one condition, that nothing is
there; COS ignores it in buckets with versions, so `create` asks once whether the bucket has them.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from qcloud_cos.cos_auth import CosS3Auth
from qcloud_cos.cos_exception import CosServiceError

from portable_contracts.blob import BlobDriver, BlobInfo, BlobStream, Prefix
from portable_contracts.errors import InvalidArgument, PortableError, Unsupported
from portable_contracts.provider import Page
from portable_tencent import _clients, _cos_errors
from portable_tencent._cos_metadata import from_headers, to_headers
from portable_tencent.limits import COS, PART

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from portable_contracts.blob import Source, WriteOptions
    from portable_contracts.provider import Address, Opening

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*-[0-9]+")
_PARAMETERS = ("domain", "endpoint", "region")
_CHUNK = 1 << 20
_WHOLE = 2 * PART
"""Bytes up to which a body at hand is sent in one request."""
_LARGEST_COPY = 5 * 1024**3
"""https://www.tencentcloud.com/document/product/436/10881"""
_FORBID = {"x-cos-forbid-overwrite": "true"}


class CosBucket(BlobDriver):
    """A bucket of COS, named with the APPID."""

    scheme = "cos"
    capabilities = COS

    def __init__(self, name: str, region: str, endpoint: str | None = None, domain: str | None = None) -> None:
        self._name = name
        self._region = region
        self._endpoint = endpoint
        self._domain = domain
        self._unversioned = False

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> CosBucket:
        parameters = address.parameters
        for unknown in parameters.keys() - set(_PARAMETERS):
            from difflib import get_close_matches

            meant = "".join(f" (did you mean {word!r}?)" for word in get_close_matches(unknown, _PARAMETERS, n=1))
            raise InvalidArgument(
                f"address {address}: unknown parameter {unknown!r}{meant}; known: {', '.join(_PARAMETERS)}"
            )
        if address.path.strip("/") or not _NAME.fullmatch(address.name):
            raise InvalidArgument(
                f"address {address}: write it like cos://photos-1250000000, with the APPID at the end"
            )
        endpoint, domain = parameters.get("endpoint"), parameters.get("domain")
        if endpoint is not None and not (
            endpoint.startswith(("http://", "https://")) and urlsplit(endpoint).hostname and not urlsplit(endpoint).path
        ):
            raise InvalidArgument(f"address {address}: endpoint={endpoint!r}: write it like http://127.0.0.1:9000")
        region = parameters.get("region") or opening.region or os.environ.get("TENCENTCLOUD_REGION")
        if not region:
            raise InvalidArgument(f"address {address}: add ?region=ap-guangzhou, or region to the target")
        return cls(address.name, region, endpoint, domain)

    def classify(self, error: Exception) -> type[PortableError]:
        return _cos_errors.classify(error)

    def explain(self, error: Exception) -> str:
        return _cos_errors.explain(error)

    def retry_after(self, error: Exception) -> float | None:
        return _cos_errors.retry_after(error)

    def changed_nothing(self, error: Exception) -> bool:
        return _cos_errors.changed_nothing(error)

    def native(self) -> _clients.CosClient:
        return _clients.client("cos", region=self._region, endpoint=self._endpoint)

    def info(self, key: str) -> BlobInfo:
        return _info(key, self.native().head_object(self._name, key))

    def open(self, key: str, *, start: int, stop: int | None, if_version: str | None) -> BlobStream:
        options: dict[str, Any] = {} if if_version is None else {"IfMatch": f'"{if_version}"'}
        if stop is not None and stop <= start:
            return BlobStream(_info(key, self.native().head_object(self._name, key, **options)), iter(()))
        if start or stop is not None:
            options["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        try:
            answer = self.native().get_object(self._name, key, **options)
        except Exception as error:
            if _cos_errors.status_of(error) != 416:
                raise
            # The part is past the end, and the answer tells nothing of the object.
            options.pop("Range")
            info = _info(key, self.native().head_object(self._name, key, **options))
            if info.size > start:  # It has grown meanwhile.
                return self.open(key, start=start, stop=stop, if_version=info.version)
            return BlobStream(info, iter(()))
        return BlobStream(_info(key, answer), _Chunks(answer["Body"].get_raw_stream()))

    def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
        metadata = to_headers(options.metadata)
        if options.if_absent:
            self._check_unversioned()
            metadata |= _FORBID
        headers = {"ContentType": options.content_type, "Metadata": metadata}
        first = body if isinstance(body, bytes) else body.read(PART)
        more = b"" if isinstance(body, bytes) else body.read(PART) if len(first) == PART else b""
        if not more and len(first) <= _WHOLE:
            answer = self.native().put_object(self._name, first, key, **headers)
            return _written(key, len(first), answer, options)
        return self._write_in_parts(
            key, _cut(body) if isinstance(body, bytes) else _rest(first, more, body), options, headers
        )

    def _write_in_parts(
        self, key: str, parts: Iterable[bytes | memoryview], options: WriteOptions, headers: Any
    ) -> BlobInfo:
        from portable_tencent._cos_uploads import upload  # Threads, for a path that is taken by large objects alone.

        size = 0

        def counted() -> Iterator[bytes | memoryview]:
            nonlocal size
            for part in parts:
                size += len(part)
                yield part

        with upload(self.native(), self._name, key, headers) as sending:
            answer = sending.complete(sending.send(counted()), {"Metadata": _FORBID if options.if_absent else {}})
        return _written(key, size, answer, options)

    def delete(self, key: str, *, if_version: str | None) -> None:
        self.native().delete_object(self._name, key)

    def delete_batch(self, keys: Sequence[str]) -> Sequence[Exception | None]:
        # XML has no way to write these two characters.
        alone = [key for key in keys if "\ufffe" in key or "\uffff" in key]
        for key in alone:
            self.native().delete_object(self._name, key)
        named = [{"Key": key} for key in keys if key not in alone] if alone else [{"Key": key} for key in keys]
        if not named:
            return [None] * len(keys)
        answer = self.native().delete_objects(self._name, {"Quiet": "true", "Object": named})
        failed = {
            told["Key"]: CosServiceError("POST", {"code": told.get("Code"), "message": told.get("Message")}, 200)
            for told in answer.get("Error", ())
        }
        return [failed.get(key) for key in keys]

    def list_page(
        self, *, prefix: str, delimiter: str | None, cursor: str | None, limit: int
    ) -> Page[BlobInfo | Prefix]:
        # A cursor is what COS calls a marker: keys behind it come next.
        if delimiter is not None and len(delimiter) > 1:
            return self._list_groups(prefix, delimiter, cursor or "", limit)
        objects, groups, following = self._list(prefix, delimiter or "", cursor or "", limit)
        entries: list[BlobInfo | Prefix] = [*objects, *map(Prefix, groups)]
        if groups:
            entries.sort(key=_place)
        return Page(entries, following)

    def _list_groups(self, prefix: str, delimiter: str, marker: str, limit: int) -> Page[BlobInfo | Prefix]:
        """List with a delimiter of several characters, which COS does not take: it is told of keys alone."""
        entries: list[BlobInfo | Prefix] = []
        while True:
            # The keys of a group that was given would be read for nothing: go on behind nearly all of them.
            group = marker if marker.find(delimiter, len(prefix)) >= 0 else ""
            after = group + _LAST_CHARACTER if group else marker
            objects, _, following = self._list(prefix, "", after, COS.max_list_page)
            for info in objects:
                key = info.key
                if group and key.startswith(group):
                    continue
                if len(entries) == limit:
                    return Page(entries, marker)
                cut = key.find(delimiter, len(prefix))
                group = key[: cut + len(delimiter)] if cut >= 0 else ""
                entries.append(Prefix(group) if group else info)
                marker = group or key
            if following is None:
                return Page(entries)

    def _list(
        self, prefix: str, delimiter: str, marker: str, limit: int
    ) -> tuple[list[BlobInfo], list[str], str | None]:
        """Return objects and common prefixes behind *marker*, and the next marker.

        By the SDK's signed request, not its call for listings, which reads the answer six times slower.
        """
        client = self.native()
        asked = {
            "prefix": prefix,
            "delimiter": delimiter,
            "marker": marker,
            "max-keys": str(limit),
            "encoding-type": "url",
        }
        answer = client.send_request(
            "GET",
            client.get_conf().uri(bucket=self._name),
            bucket=self._name,
            params=asked,
            headers={},
            auth=CosS3Auth(client.get_conf(), params=asked),
        )
        root = ElementTree.fromstring(answer.content)  # noqa: S314  # COS's own answer, over TLS
        space = root.tag.rpartition("}")[0] + "}" if root.tag.startswith("{") else ""
        objects = [
            _listed({item.tag: item.text or "" for item in told}, space) for told in root.iterfind(space + "Contents")
        ]
        groups = [unquote(told[0].text or "") for told in root.iterfind(space + "CommonPrefixes")]
        more = root.findtext(space + "IsTruncated") == "true"
        return objects, groups, unquote(root.findtext(space + "NextMarker") or "") if more else None

    def copy(self, source: str, target: str) -> BlobInfo:
        client = self.native()
        info = _info(source, client.head_object(self._name, source))
        place = {"Bucket": self._name, "Key": source, "Region": self._region}
        # As long as it is what was described: so the copy is, too.
        if info.size <= _LARGEST_COPY:
            answer = client.copy_object(self._name, target, place, CopySourceIfMatch=f'"{info.version}"')
        else:
            from portable_tencent._cos_uploads import upload

            headers = {"ContentType": info.content_type, "Metadata": to_headers(info.metadata)}
            spans = (f"bytes={at}-{min(at + _COPIED, info.size) - 1}" for at in range(0, info.size, _COPIED))
            with upload(client, self._name, target, headers) as sending:
                answer = sending.complete(sending.copy(place, info.version, spans), {})
        modified = answer.get("LastModified")
        return info.replace(
            key=target,
            version=answer["ETag"].strip('"'),
            modified=_moment(modified) if modified else _moment_of_header(answer["Date"]),
        )

    def sign(self, key: str, *, method: str, expires: timedelta, content_type: str | None) -> str:
        if self._domain is None and _clients.is_address(self._endpoint):
            raise Unsupported(f"a server at {self._endpoint} cannot tell by it which bucket is meant: add &domain=")
        client = _clients.client("cos", region=self._region, endpoint=self._endpoint, domain=self._domain)
        token = client.get_conf()._token
        signed: str = client.get_presigned_url(
            self._name,
            key,
            method,
            Expired=-(-expires // timedelta(seconds=1)),
            Headers={} if content_type is None else {"Content-Type": content_type},
            Params={} if token is None else {"x-cos-security-token": token},
        )
        return signed

    def _check_unversioned(self) -> None:
        """Raise Unsupported for a bucket that has versions or had them; ask for that once."""
        if self._unversioned:
            return
        try:
            status = self.native().get_bucket_versioning(self._name).get("Status")
        except Exception as error:
            vars(error)["before"] = True  # For `changed_nothing`: the write itself was not sent.
            raise
        if status:
            raise Unsupported(
                f"create in cos://{self._name}: the versions of the bucket are {status.lower()}, and COS would write "
                "over what is there; use a bucket that never had versions"
            )
        self._unversioned = True


_COPIED = 1024**3
"""Bytes of a part that is a copy: https://www.tencentcloud.com/document/product/436/8287"""
_LAST_CHARACTER = "\U0010fffd"
"""No key that Unicode has a use for goes on with a later one."""


class _Chunks:
    """The bytes of an answer. It may be closed before it was begun, which a generator would not notice."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        # As they are stored: an object's Content-Encoding is its owner's affair.
        chunk: bytes = self._raw.read(_CHUNK, decode_content=False)
        if not chunk:
            raise StopIteration
        return chunk

    def close(self) -> None:
        self._raw.close()


def _cut(body: bytes) -> Iterator[memoryview]:
    view = memoryview(body)
    return (view[start : start + PART] for start in range(0, len(view), PART))


def _rest(first: bytes, more: bytes, body: Source) -> Iterator[bytes]:
    yield first
    while more:
        yield more
        more = body.read(PART)


def _info(key: str, answer: Mapping[str, Any]) -> BlobInfo:
    headers = {name.lower(): value for name, value in answer.items()}
    size = headers["content-range"].rpartition("/")[2] if "content-range" in headers else headers["content-length"]
    return BlobInfo(
        key,
        int(size),
        headers["etag"].strip('"'),
        headers.get("content-type", ""),
        from_headers(headers),
        _moment_of_header(headers["last-modified"]),
    )


def _written(key: str, size: int, answer: Mapping[str, str], options: WriteOptions) -> BlobInfo:
    # When it was written COS does not say, but when it answered.
    modified = _moment_of_header(answer["Date"])
    return BlobInfo(key, size, answer["ETag"].strip('"'), options.content_type, dict(options.metadata), modified)


def _listed(told: Mapping[str, str], space: str) -> BlobInfo:
    # A listing tells neither content types nor metadata.
    return BlobInfo(
        unquote(told[space + "Key"]),
        int(told[space + "Size"]),
        told[space + "ETag"].strip('"'),
        "",
        {},
        _moment(told[space + "LastModified"]),
    )


def _place(entry: BlobInfo | Prefix) -> bytes:
    return (entry.name if isinstance(entry, Prefix) else entry.key).encode()


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text[:19]).replace(tzinfo=timezone.utc)


@lru_cache(maxsize=256)
def _moment_of_header(text: str) -> datetime:
    return parsedate_to_datetime(text)
