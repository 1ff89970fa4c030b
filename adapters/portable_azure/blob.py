"""Buckets in Azure Blob Storage: a container of block blobs.

Metadata values are percent-encoded where they are not plain ASCII. A body of unknown length that is larger than one
block goes up in blocks, which are nothing until they are committed; the service itself throws away those of a write
that failed, within a week.
"""

from __future__ import annotations

import io
import json
import os
import time
from datetime import datetime, timedelta, timezone
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, unquote

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobBlock, BlobPrefix, BlobSasPermissions, ContentSettings, generate_blob_sas

from portable_azure import _clients, _errors, _listing
from portable_azure._addresses import Place, place
from portable_azure._errors import Refused
from portable_azure.limits import AZBLOB, BLOCK
from portable_contracts.blob import BlobDriver, BlobInfo, BlobStream, Prefix
from portable_contracts.clients import Clients
from portable_contracts.errors import AlreadyExists, Conflict, PortableError, Unavailable
from portable_contracts.provider import EMPTY, Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azure.storage.blob import BlobClient, BlobProperties, ContainerClient

    from portable_contracts.blob import BlobCapabilities, Source, WriteOptions
    from portable_contracts.provider import Address, Opening

WHOLE = 4 * BLOCK
"""Bytes at hand up to which they are sent in one request."""
LONGEST_PAGE = 5000

_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "%")
_NOTHING = "%"
"""An empty metadata value: some of Azure's own clients refuse one. No encoded value is this."""

_containers: Clients[ContainerClient] = Clients()


class AzureBucket(BlobDriver):
    """A container."""

    scheme = "azblob"
    capabilities: ClassVar[BlobCapabilities] = AZBLOB

    def __init__(self, place: Place) -> None:
        self._place = place
        self._key = repr(place)
        self._delegation: Any = None
        """The key that a token of Entra ID gives to sign with, until it expires."""
        self._delegation_lock = Lock()

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> AzureBucket:
        return cls(place(address))

    def classify(self, error: Exception) -> type[PortableError]:
        return Unavailable if _errors.code_of(error) == "InvalidBlockList" else _errors.classify(error)

    def explain(self, error: Exception) -> str:
        if _errors.code_of(error) == "InvalidBlockList":
            return "another write to the key ended meanwhile, and the service dropped what this one had sent"
        return _errors.explain(error)

    def retry_after(self, error: Exception) -> float | None:
        return _errors.retry_after(error)

    def changed_nothing(self, error: Exception) -> bool:
        return _errors.changed_nothing(error)

    def native(self) -> ContainerClient:
        return _containers.get(self._key, self._make)

    def _make(self) -> ContainerClient:
        client: ContainerClient = _clients.client("blob", self._place).get_container_client(self._place.name)
        return client

    def info(self, key: str) -> BlobInfo:
        properties = self._blob(key).get_blob_properties()
        return _info(key, properties, properties.size)

    def open(self, key: str, *, start: int, stop: int | None, if_version: str | None) -> BlobStream:
        if stop is not None and stop <= start:
            return self._nothing(key, if_version)
        part: dict[str, Any] = {} if start == 0 and stop is None else {"offset": start}
        if stop is not None:
            part["length"] = stop - start
        try:
            # The SDK asks for the rest, piece by piece, under the version of the first piece.
            stream = self._blob(key).download_blob(decompress=False, **part, **_guard(if_version))
        except HttpResponseError as error:
            if error.status_code == 416:  # The part begins behind the end.
                return self._nothing(key, if_version)
            raise
        size = int((stream.properties.content_range or "").rpartition("/")[2])
        return BlobStream(_info(key, stream.properties, size), iter(stream.chunks()))

    def _nothing(self, key: str, if_version: str | None) -> BlobStream:
        info = self.info(key)
        if if_version is not None and info.version != if_version:
            raise Refused(Conflict, f"the object is not at version {if_version!r}")
        return BlobStream(info, iter(()))

    def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
        blob = self._blob(key)
        arguments: dict[str, Any] = {
            "content_settings": ContentSettings(content_type=options.content_type),
            "metadata": {name: _encoded(value) for name, value in options.metadata.items()} or None,
            **(_ABSENT if options.if_absent else _guard(options.if_version)),
        }
        if isinstance(body, bytes):
            if len(body) <= WHOLE:
                return self._put(key, blob, body, options, arguments)
            body = io.BytesIO(body)
        block = body.read(BLOCK)
        if len(block) < BLOCK:
            return self._put(key, blob, block, options, arguments)
        return self._put_blocks(key, blob, block, body, options, arguments)

    def _put(
        self, key: str, blob: BlobClient, content: bytes, options: WriteOptions, arguments: Mapping[str, Any]
    ) -> BlobInfo:
        try:
            answer = blob.upload_blob(content, overwrite=True, **arguments)
        except HttpResponseError as error:
            raise _refusal(error, options) from error
        return _written(key, len(content), answer, options)

    def _put_blocks(
        self,
        key: str,
        blob: BlobClient,
        block: bytes,
        rest: Source,
        options: WriteOptions,
        arguments: Mapping[str, Any],
    ) -> BlobInfo:
        # Those of another writer of the key have another beginning, and the same length, which the service asks for.
        stem = os.urandom(12).hex()
        blocks: list[BlobBlock] = []
        size = 0
        while block:
            name = f"{stem}{len(blocks):06}"
            blob.stage_block(name, block, length=len(block))
            blocks.append(BlobBlock(name))
            size += len(block)
            block = rest.read(BLOCK)
        try:
            answer = blob.commit_block_list(blocks, **arguments)
        except HttpResponseError as error:
            raise _refusal(error, options) from error
        return _written(key, size, answer, options)

    def delete(self, key: str, *, if_version: str | None) -> None:
        try:
            self._blob(key).delete_blob(delete_snapshots="include", **_guard(if_version))
        except HttpResponseError as error:
            if _errors.code_of(error) != "BlobNotFound":
                raise
            if if_version is not None:
                raise Refused(Conflict, "there is no such object") from error

    def delete_batch(self, keys: Sequence[str]) -> Sequence[Exception | None]:
        answers = self.native().delete_blobs(*keys, delete_snapshots="include", raise_on_any_failure=False)
        return [_failure(answer) for answer in answers]

    def list_page(
        self, *, prefix: str, delimiter: str | None, cursor: str | None, limit: int
    ) -> Page[BlobInfo | Prefix]:
        # A cursor is the service's marker of a page, and the last name that was given if the page may have it again.
        marker, after = json.loads(cursor) if cursor else (None, None)
        # More, where a page that was read whole is given in parts.
        entries, following = self._entries(
            prefix, delimiter, marker, limit if after is None or delimiter else LONGEST_PAGE
        )
        if not _listing.is_plain(map(_name, entries)):
            following = self._complete(entries, prefix, delimiter, following)
            entries.sort(key=_name)
        elif delimiter is not None:
            entries.sort(key=_name)
        if after is not None:
            entries = [entry for entry in entries if _name(entry) > after]
        if len(entries) > limit:
            return Page(entries[:limit], json.dumps([marker, _name(entries[limit - 1])]))
        if not following:
            return Page(entries)
        # A group that goes on behind its page is not given again; what was given before stays so.
        if entries:
            after = _name(entries[-1]) if isinstance(entries[-1], Prefix) else None
        return Page(entries, json.dumps([following, after]))

    def _complete(
        self, entries: list[BlobInfo | Prefix], prefix: str, delimiter: str | None, following: str | None
    ) -> str | None:
        """Read on until no run that is out of order goes on behind *entries*; return what follows."""
        while following and entries:
            stem = _listing.open_run(list(map(_name, entries)), self._has_high)
            if stem is None:
                break
            last = _name(entries[-1])
            while following and last.startswith(stem):
                more, following = self._entries(prefix, delimiter, following, LONGEST_PAGE)
                entries += more
                last = _listing.last_of(map(_name, more)) if more else last
        return following

    def _has_high(self, stem: str) -> bool:
        found = next(iter(self.native().list_blobs(stem, start_from=stem + _listing.HIGH, results_per_page=1)), None)
        return found is not None and found.name[len(stem) : len(stem) + 1] < _listing.ASTRAL

    def _entries(
        self, prefix: str, delimiter: str | None, marker: str | None, limit: int
    ) -> tuple[list[BlobInfo | Prefix], str | None]:
        """Return a page in the service's order, but for groups, which come first; and the marker of the next."""
        container = self.native()
        pages: Any
        if delimiter is None:
            pages = container.list_blobs(prefix or None, results_per_page=limit).by_page(marker)
        else:
            pages = container.walk_blobs(prefix or None, delimiter=delimiter, results_per_page=limit).by_page(marker)
        entries: list[BlobInfo | Prefix] = [
            Prefix(entry.name) if isinstance(entry, BlobPrefix) else _listed(entry) for entry in next(pages, ())
        ]
        return entries, pages.continuation_token or None

    def copy(self, source: str, target: str) -> BlobInfo:
        blob = self._blob(target)
        answer = blob.start_copy_from_url(self._blob(source).url)
        waited, status = 0.0, answer["copy_status"]
        while status == "pending":  # Within an account the service is done when it answers, but does not promise it.
            time.sleep(waited)
            waited = min(1.0, waited * 2 + 0.01)
            status = blob.get_blob_properties().copy.status or "lost"
        if status != "success":
            raise Refused(Unavailable, f"the service gave the copy up: {status}")
        return self.info(target)

    def sign(self, key: str, *, method: str, expires: timedelta, content_type: str | None) -> str:
        container = self.native()
        end = datetime.now(timezone.utc) + expires
        if end.microsecond:  # The service counts whole seconds.
            end = end.replace(microsecond=0) + timedelta(seconds=1)
        service = _clients.client("blob", self._place)
        account_key = getattr(service.credential, "account_key", None)
        delegation = None if account_key else self._delegation_key(service, end)
        if delegation is not None:
            end = min(end, delegation[1])
        query = generate_blob_sas(
            str(container.account_name),
            self._place.name,
            key,
            account_key=account_key,
            user_delegation_key=None if delegation is None else delegation[0],
            permission=BlobSasPermissions(read=True)
            if method == "GET"
            else BlobSasPermissions(create=True, write=True),
            expiry=end,
            protocol="https" if container.url.startswith("https:") else None,
        )
        return f"{self._blob(key).url}?{query}"

    def _delegation_key(self, service: Any, end: datetime) -> tuple[Any, datetime]:
        """Return a key that signs until *end*, or for a week, and when it expires."""
        with self._delegation_lock:
            if self._delegation is None or self._delegation[1] < end:
                now = datetime.now(timezone.utc).replace(microsecond=0)
                expiry = now + timedelta(seconds=AZBLOB.max_sign_seconds)
                self._delegation = service.get_user_delegation_key(now, expiry), expiry
            return self._delegation  # type: ignore[no-any-return]  # the SDK's key

    def _blob(self, key: str) -> BlobClient:
        return self.native().get_blob_client(key)


_ABSENT: Mapping[str, Any] = {"match_condition": MatchConditions.IfMissing}


def _guard(version: str | None) -> Mapping[str, Any]:
    """Return the SDK's arguments for what holds for *version* alone. Raises Refused for one that never was."""
    if version is None:
        return EMPTY
    if not version.isascii() or not version.isprintable() or '"' in version:
        raise Refused(Conflict, f"the object is not at version {version!r}")
    return {"etag": f'"{version}"', "match_condition": MatchConditions.IfNotModified}


def _refusal(error: HttpResponseError, options: WriteOptions) -> Exception:
    """Return what to raise for *error*, a write's: a guard that failed is called by what the guard was."""
    code = _errors.code_of(error)
    if options.if_absent and _errors.classify(error) is Conflict:
        return Refused(AlreadyExists, "there is an object already")
    if options.if_version is not None and code in ("BlobNotFound", "InvalidBlockList"):
        return Refused(Conflict, f"the object is not at version {options.if_version!r}")
    return error


def _failure(answer: Any) -> Exception | None:
    """Return what one answer of a batch of deletes says: None where the key is gone."""
    code = answer.headers.get("x-ms-error-code", "")
    if answer.status_code < 300 or code == "BlobNotFound":
        return None
    error = HttpResponseError(f"{code or answer.status_code}", response=answer)
    error.error_code = code  # type: ignore[attr-defined]  # as the SDK's own have it
    return error


def _listed(entry: BlobProperties) -> BlobInfo:
    """Describe a blob of a listing, which tells no metadata unless it is asked to."""
    content_type = entry.content_settings.content_type or "application/octet-stream"
    return BlobInfo(entry.name, entry.size, _version(entry.etag), content_type, {}, entry.last_modified)


def _info(key: str, properties: BlobProperties, size: int) -> BlobInfo:
    content_type = properties.content_settings.content_type or "application/octet-stream"
    metadata = {name.lower(): _decoded(value) for name, value in (properties.metadata or EMPTY).items()}
    return BlobInfo(key, size, _version(properties.etag), content_type, metadata, properties.last_modified)


def _written(key: str, size: int, answer: Mapping[str, Any], options: WriteOptions) -> BlobInfo:
    version = _version(answer["etag"])
    return BlobInfo(key, size, version, options.content_type, dict(options.metadata), answer["last_modified"])


def _version(etag: str) -> str:
    return etag.strip('"')  # Listings give it without quotes.


def _encoded(value: str) -> str:
    return quote(value, safe=_PLAIN) or _NOTHING


def _decoded(value: str) -> str:
    return "" if value == _NOTHING else unquote(value)


def _name(entry: BlobInfo | Prefix) -> str:
    return entry.key if isinstance(entry, BlobInfo) else entry.name
