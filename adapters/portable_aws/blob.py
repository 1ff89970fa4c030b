"""Buckets in S3, and in services that speak its protocol.

    s3://NAME?region=eu-west-1          the region: else the target's, else AWS_REGION's
    s3://NAME?endpoint=http://host:9000 another server than AWS's

Credentials come from where boto3 finds them: the environment, a profile, a role.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from portable_aws import _blob_metadata, _clients, _errors
from portable_aws._addresses import place
from portable_aws._blob_parts import Parts
from portable_aws.limits import S3, S3_PART
from portable_contracts.blob import BlobDriver, BlobInfo, BlobStream, Prefix
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PortableError,
    Unavailable,
    Unsupported,
)
from portable_contracts.provider import Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta

    from portable_contracts.blob import Source, WriteOptions
    from portable_contracts.provider import Address, Opening

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html, read 2026-11-21. A HEAD has no body, so
# its error is the status alone.
CODES: Mapping[str, type[PortableError]] = {
    "AuthorizationHeaderMalformed": InvalidArgument,  # Signed for another region than the bucket's.
    "BadDigest": Unavailable,  # It came otherwise than it was sent.
    "ConditionalRequestConflict": Unavailable,
    "EntityTooLarge": LimitExceeded,
    "IllegalLocationConstraintException": InvalidArgument,
    "IncompleteBody": Unavailable,
    "InternalError": Unavailable,  # Of one key among many there is no status.
    "InvalidArgument": InvalidArgument,
    "InvalidBucketName": InvalidArgument,
    "InvalidObjectState": PortableError,  # Archived. It has the status of a denial, and is none.
    "KeyTooLongError": LimitExceeded,
    "MetadataTooLarge": LimitExceeded,
    "NoSuchBucket": NotFound,
    "NoSuchKey": NotFound,
    "NoSuchUpload": Unavailable,  # Somebody aborted it.
    "NotImplemented": Unsupported,
    "OperationAborted": Unavailable,
    "PermanentRedirect": InvalidArgument,
    "ServiceUnavailable": Unavailable,
    "PreconditionFailed": Conflict,
    "412": Conflict,
    "XAmzContentSHA256Mismatch": Unavailable,
}
_RACED = frozenset({"ConditionalRequestConflict", "OperationAborted"})
"""Another request for the same key was quicker; this one did nothing."""
_PLACES = frozenset({"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"})

_GUARDED = frozenset({"CompleteMultipartUpload", "DeleteObject", "PutObject"})
_READING = frozenset({"GetObject", "HeadObject"})
_DENIALS = frozenset({"AccessDenied", "403"})
_COPYING = frozenset({"CopyObject", "UploadPartCopy"})
_ABSENT = "If-None-Match"

LARGEST_COPY = 5 * 1024**3
"""Bytes that S3 copies in one request: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
COPY_PART = 512 * 1024**2
MOST_PARTS = 10_000
_HEAD_OF_COPY = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Metadata")

_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_CHUNK = 1 << 20


class S3Bucket(BlobDriver):
    """A bucket of S3."""

    scheme = "s3"
    capabilities = S3

    def __init__(self, name: str, region: str | None = None, endpoint: str | None = None) -> None:
        self._name = name
        self._region = region
        self._endpoint = endpoint
        self._configuration: dict[str, Any] = {
            "signature_version": "s3v4",
            # A bucket's name before the host has to resolve, and few servers but AWS's see to that. Left to itself the
            # SDK signs for the host of all regions, which sends strangers on to another one: there the signature fails.
            "s3": {"addressing_style": "virtual" if endpoint is None else "path"},
            "parameter_validation": False,
        }

    @classmethod
    def from_address(cls, address: Address, opening: Opening) -> S3Bucket:
        found = place(address, opening)
        if not found.name:
            raise InvalidArgument(f"address {address} names no bucket: write it like s3://bucket-name")
        return cls(found.name, found.region, found.endpoint)

    def classify(self, error: Exception) -> type[PortableError]:
        if isinstance(error, ClientError):
            code, operation = _errors.code_of(error), error.operation_name
            if code == "PreconditionFailed":
                if operation in _COPYING:
                    return Unavailable  # The source changed since it was looked at.
                condition = error.response.get("Error", {}).get("Condition")
                return AlreadyExists if condition == _ABSENT else Conflict
            if code == "NoSuchKey" and operation in _GUARDED:
                return Conflict
        return _errors.classify(error, CODES)

    def explain(self, error: Exception) -> str:
        said = _errors.explain(error)
        if _errors.code_of(error) in _PLACES:
            return f"{said} (add ?region=... to the address: the bucket is in another region)"
        if isinstance(error, ClientError) and error.operation_name in _READING and _errors.code_of(error) in _DENIALS:
            return f"{said} (S3 says so of a missing object, too, to whom it does not allow s3:ListBucket)"
        return said

    def retry_after(self, error: Exception) -> float | None:
        return _errors.retry_after(error)

    def changed_nothing(self, error: Exception) -> bool:
        return _errors.changed_nothing(error) or _errors.code_of(error) in _RACED

    def native(self) -> Any:
        return _clients.client("s3", region=self._region, endpoint=self._endpoint, **self._configuration)

    def info(self, key: str) -> BlobInfo:
        return _info(key, self.native().head_object(Bucket=self._name, Key=key))

    def open(self, key: str, *, start: int, stop: int | None, if_version: str | None) -> BlobStream:
        wanted: dict[str, str] = {"Bucket": self._name, "Key": key}
        if if_version is not None:
            wanted["IfMatch"] = _quoted(if_version)
        if stop is not None and stop <= start:
            return self._nothing(key, wanted)
        if start or stop is not None:
            wanted["Range"] = f"bytes={start}-" if stop is None else f"bytes={start}-{stop - 1}"
        try:
            answer = self.native().get_object(**wanted)
        except ClientError as error:
            if _errors.code_of(error) != "InvalidRange":
                raise
            del wanted["Range"]
            return self._nothing(key, wanted)
        return BlobStream(_info(key, answer), _chunks(answer["Body"], answer["ContentLength"]))

    def _nothing(self, key: str, wanted: Mapping[str, str]) -> BlobStream:
        """Return a stream of no bytes: what no range can ask for."""
        return BlobStream(_info(key, self.native().head_object(**wanted)), iter(()))

    def write(self, key: str, body: bytes | Source, options: WriteOptions) -> BlobInfo:
        head = {"ContentType": options.content_type, "Metadata": _blob_metadata.encode(options.metadata)}
        guard: dict[str, str] = {}
        if options.if_absent:
            guard["IfNoneMatch"] = "*"
        elif options.if_version is not None:
            guard["IfMatch"] = _quoted(options.if_version)
        pieces = _Pieces(body)
        first = pieces.read()
        try:
            if len(first) < S3_PART:
                answer = self.native().put_object(Bucket=self._name, Key=key, Body=first, **head, **guard)
                return _written(key, len(first), options, answer)
            parts = Parts(self.native(), {"Bucket": self._name, "Key": key}, self.classify)
            answer = parts.upload(head, pieces.all_from(first), guard)
        except ClientError as error:
            if options.if_absent and _errors.code_of(error) == "PreconditionFailed":
                error.response["Error"]["Condition"] = _ABSENT  # type: ignore[typeddict-unknown-key]  # S3 says so, others do not.
            raise
        info = _written(key, pieces.size, options, answer)
        try:
            # The object's time is that of the upload's beginning, which no answer tells.
            return _info(key, self.native().head_object(Bucket=self._name, Key=key, IfMatch=answer["ETag"]))
        except Exception:  # It is written; another may have written since.
            return info

    def delete(self, key: str, *, if_version: str | None) -> None:
        guard = {} if if_version is None else {"IfMatch": _quoted(if_version)}
        self.native().delete_object(Bucket=self._name, Key=key, **guard)

    def delete_batch(self, keys: Sequence[str]) -> Sequence[Exception | None]:
        failed: dict[str, Exception] = {}
        named = [key for key in keys if _is_xml(key)]
        if named:
            answer = self.native().delete_objects(
                Bucket=self._name, Delete={"Objects": [{"Key": key} for key in named], "Quiet": True}
            )
            for error in answer.get("Errors", ()):
                failed[error["Key"]] = ClientError({"Error": error}, "DeleteObjects")
        for key in keys if len(named) < len(keys) else ():
            if not _is_xml(key):
                try:
                    self.delete(key, if_version=None)
                except Exception as error:
                    failed[key] = error
        return [failed.get(key) for key in keys]

    def list_page(
        self, *, prefix: str, delimiter: str | None, cursor: str | None, limit: int
    ) -> Page[BlobInfo | Prefix]:
        wanted: dict[str, Any] = {"Bucket": self._name, "Prefix": prefix, "MaxKeys": limit}
        if delimiter is not None:
            wanted["Delimiter"] = delimiter
        if cursor is not None:
            wanted["ContinuationToken"] = cursor
        answer = self.native().list_objects_v2(**wanted)
        entries: list[BlobInfo | Prefix] = [
            BlobInfo(found["Key"], found["Size"], found["ETag"].strip('"'), "", {}, _moment(found["LastModified"]))
            for found in answer.get("Contents", ())
        ]
        groups = answer.get("CommonPrefixes")
        if groups:
            entries.extend(Prefix(group["Prefix"]) for group in groups)
            # Texts compare by code points, which is how their UTF-8 compares.
            entries.sort(key=lambda entry: entry.name if isinstance(entry, Prefix) else entry.key)
        return Page(entries, answer.get("NextContinuationToken") if answer["IsTruncated"] else None)

    def copy(self, source: str, target: str) -> BlobInfo:
        found = self.native().head_object(Bucket=self._name, Key=source)
        info = _info(source, found).replace(key=target)
        where = {"Bucket": self._name, "Key": target}
        guarded = {"CopySource": {"Bucket": self._name, "Key": source}, "CopySourceIfMatch": found["ETag"]}
        if info.size <= LARGEST_COPY:
            copied = self.native().copy_object(**where, **guarded)["CopyObjectResult"]
            return info.replace(version=copied["ETag"].strip('"'), modified=_moment(copied["LastModified"]))
        part = max(COPY_PART, -(-info.size // MOST_PARTS))
        ranges = (f"bytes={at}-{min(at + part, info.size) - 1}" for at in range(0, info.size, part))
        head = {name: found[name] for name in _HEAD_OF_COPY if name in found}
        Parts(self.native(), where, self.classify).copy(head, guarded, ranges)
        return self.info(target)

    def sign(self, key: str, *, method: str, expires: timedelta, content_type: str | None) -> str:
        wanted = {"Bucket": self._name, "Key": key}
        if content_type is not None:
            wanted["ContentType"] = content_type
        signed: str = self.native().generate_presigned_url(
            "get_object" if method == "GET" else "put_object",
            Params=wanted,
            ExpiresIn=max(1, int(expires.total_seconds())),
        )
        return signed


class _Pieces:
    """A body, cut into parts; `size` is how much of it was read."""

    def __init__(self, body: bytes | Source) -> None:
        self._body = body
        self.size = 0

    def read(self) -> bytes:
        body = self._body
        if isinstance(body, bytes):
            piece = body[self.size : self.size + S3_PART] if len(body) >= S3_PART else body
        else:
            piece = body.read(S3_PART)
        self.size += len(piece)
        return piece

    def all_from(self, piece: bytes) -> Iterator[bytes]:
        while piece:
            yield piece
            piece = self.read()


def _chunks(body: Any, size: int) -> Iterator[bytes]:
    try:
        while size > 0 and (chunk := body.read(_CHUNK)):
            size -= len(chunk)
            if size <= 0:
                body.read(1)  # What is behind the last byte checks the checksum.
            yield chunk
    finally:
        body.close()


def _info(key: str, answer: Any) -> BlobInfo:
    """Describe the object that a GET or HEAD answered."""
    whole = answer.get("ContentRange")
    return BlobInfo(
        key,
        int(whole.rpartition("/")[2]) if whole else answer["ContentLength"],
        answer["ETag"].strip('"'),
        answer.get("ContentType", ""),
        _blob_metadata.decode(answer["Metadata"]),
        _moment(answer["LastModified"]),
    )


def _written(key: str, size: int, options: WriteOptions, answer: Any) -> BlobInfo:
    """Describe the object that *answer* says is written, as of the answer's own time: S3 does not tell the object's."""
    modified = _date(answer["ResponseMetadata"]["HTTPHeaders"].get("date", ""))
    return BlobInfo(key, size, answer["ETag"].strip('"'), options.content_type, dict(options.metadata), modified)


def _date(text: str) -> datetime:
    """Return the moment of a Date header, `Sat, 21 Nov 2026 01:11:54 GMT`, in a tenth of the library's time."""
    try:
        day, month, year = int(text[5:7]), _MONTHS.index(text[8:11]) // 3 + 1, int(text[12:16])
        return datetime(year, month, day, int(text[17:19]), int(text[20:22]), int(text[23:25]), tzinfo=timezone.utc)
    except ValueError:
        return datetime.now(timezone.utc).replace(microsecond=0)


def _moment(found: datetime) -> datetime:
    # S3's own are whole seconds, in UTC, under dateutil's name for it.
    return found.replace(microsecond=0, tzinfo=timezone.utc)


def _is_xml(key: str) -> bool:
    """Say whether XML can hold *key*. Other characters that it cannot hold are in no key."""
    return "\ufffe" not in key and "\uffff" not in key


def _quoted(version: str) -> str:
    if not (version.isascii() and version.isprintable()) or " " in version or '"' in version:
        raise Conflict(f"the object is not at version {version!r}: S3 gave no such one")
    return f'"{version}"'
