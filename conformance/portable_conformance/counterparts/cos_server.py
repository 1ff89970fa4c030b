"""A server that speaks COS's XML API, as far as a bucket's objects go: `python -m ...cos_server PORT`.

It is ours, made from Tencent's public pages, which are named where something follows from them; the genuine SDK talks
to it, and its signatures are checked. What the real service does that no page says, this does not know. Objects are in
memory; of a bucket with versions it keeps the newest ones alone; no `x-cos-hash-crc64ecma` is told.

Requests name their bucket as COS has them, in the host: `NAME-APPID.cos.REGION.myqcloud.com`. A bucket may have a
domain of its own beside it, as https://www.tencentcloud.com/document/product/436/18424 has it: here that is a port.
Requests to the address itself steer the server; `cos.py` makes them.
"""

from __future__ import annotations

import hashlib
import re
import sys
import threading
import time
import uuid
from base64 import b64encode
from datetime import datetime, timezone
from email.utils import formatdate
from functools import partial
from urllib.parse import parse_qsl, quote, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from portable_conformance.counterparts._cos_signature import Account, Refusal, check
from portable_conformance.counterparts._cos_store import (
    LONGEST_KEY,
    MOST_PARTS,
    Bucket,
    Stored,
    Upload,
    checked_headers,
)
from portable_conformance.counterparts._wire import Listener, WireAnswer, WireRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_HOST = re.compile(r"([a-z0-9-]+-[0-9]+)\.cos\.([a-z0-9-]+)\.(?:myqcloud\.com|tencentcos\.cn)")
_XML = [("Content-Type", "application/xml")]


def account_of(identity: str) -> Account | None:
    """Return the account of an access key: whatever begins as ours does is one, a role's if it says so."""
    if not identity.startswith("AKIDportable"):
        return None
    key = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return Account(key, "token-of-" + identity if "role" in identity else "")


class Question:
    """A request to a bucket, taken apart."""

    def __init__(self, request: WireRequest, name: str, bucket: Bucket, key: str, query: Mapping[str, str]) -> None:
        self.request = request
        self.name = name
        self.bucket = bucket
        self.key = key
        self.query = query
        self.headers = request.headers
        self.digest = hashlib.md5(request.body, usedforsecurity=False)
        """Made here, before anybody else has to wait for it."""
        self.forbid_overwrite = request.headers.get("x-cos-forbid-overwrite", "").lower() == "true"


class Cos:
    """All buckets, their domains, and by how much the clock is ahead for each access key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[str, Bucket] = {}
        self._domains: dict[str, Listener] = {}
        self._ahead: dict[str, float] = {}

    def handle(self, request: WireRequest, domain_of: str = "") -> WireAnswer:
        """Answer a request; *domain_of* names the bucket where it came by that bucket's own domain."""
        identity = uuid.uuid4().hex
        try:
            answer = self._answer(request, domain_of)
        except Refusal as refusal:
            # https://www.tencentcloud.com/document/product/436/7730
            answer = _document(
                f"<Error><Code>{refusal.code}</Code><Message>{escape(str(refusal))}</Message>"
                f"<Resource>{escape(request.headers.get('host', '') + request.path)}</Resource>"
                f"<RequestId>{identity}</RequestId><TraceId>{identity}</TraceId></Error>",
                refusal.status,
            )
        return answer.replace(headers=[*answer.headers, ("Server", "tencent-cos"), ("x-cos-request-id", identity)])

    def _answer(self, request: WireRequest, domain_of: str) -> WireAnswer:
        host = request.headers.get("host", "").rpartition(":")[0] or request.headers.get("host", "")
        if host == "127.0.0.1" and not domain_of:
            return self._steer(request)
        found = _HOST.fullmatch(host)
        if found is None and not domain_of:
            raise Refusal(400, "InvalidURI", "The host names no bucket.")
        name, region = found.groups() if found is not None else (domain_of, "")
        parameters = parse_qsl(request.query, keep_blank_values=True)
        check(request, parameters, host, account_of, self._now_of)
        key = unquote(request.path[1:])
        if len(key.encode()) > LONGEST_KEY:
            raise Refusal(400, "KeyTooLong", "Your key is too long.")
        query = dict(parameters)
        if not key and request.method == "PUT" and not query:
            return self._create(name, region)
        bucket = self._buckets.get(name)
        if bucket is None or (region and bucket.region != region):
            raise Refusal(404, "NoSuchBucket", "The specified bucket does not exist.")
        kind = "object" if key else "bucket"
        flag = next((flag for flag in ("uploads", "uploadId", "delete", "versioning") if flag in query), "")
        operation = _OPERATIONS.get((kind, request.method, flag))
        if operation is None:
            raise Refusal(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        question = Question(request, name, bucket, key, query)
        if operation is _delete_bucket:
            return self._remove(question)
        if request.headers.get("x-cos-copy-source"):
            return self._copy(question)
        now = self._now(request, query)
        with bucket.lock:
            return operation(question, now).replace(date=now)

    def _now(self, request: WireRequest, query: Mapping[str, str]) -> float:
        header = dict(parse_qsl(request.headers.get("authorization", "")))
        return self._now_of(header.get("q-ak") or query.get("q-ak", ""))

    def _now_of(self, identity: str) -> float:
        return time.time() + self._ahead.get(identity, 0.0)

    def _create(self, name: str, region: str) -> WireAnswer:
        with self._lock:
            if name in self._buckets:
                raise Refusal(409, "BucketAlreadyOwnedByYou", "You already have a bucket of this name.")
            self._buckets[name] = Bucket(region)
        return WireAnswer()

    def _remove(self, question: Question) -> WireAnswer:
        with self._lock, question.bucket.lock:
            if question.bucket.objects or question.bucket.uploads:
                raise Refusal(409, "BucketNotEmpty", "The bucket you tried to delete is not empty.")
            self._forget(question.name)
        return WireAnswer(204)

    def _forget(self, name: str) -> None:
        self._buckets.pop(name, None)
        domain = self._domains.pop(name, None)
        if domain is not None:
            domain.close()

    def _copy(self, question: Question) -> WireAnswer:
        """https://www.tencentcloud.com/document/product/436/10881"""
        host, _, path = question.headers["x-cos-copy-source"].partition("/")
        found = _HOST.fullmatch(host)
        source = self._buckets.get(found.group(1)) if found is not None else None
        if source is None:
            raise Refusal(404, "NoSuchBucket", "The specified bucket does not exist.")
        with source.lock:
            original = source.objects.get(unquote(path))
        if original is None:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        if question.headers.get("x-cos-copy-source-if-match", f'"{original.etag}"').strip('"') != original.etag:
            raise Refusal(412, "PreconditionFailed", "At least one of the preconditions did not hold.")
        now = self._now(question.request, question.query)
        # Bytes that came in parts are one piece in the copy, so its ETag is another.
        whole = hashlib.md5(usedforsecurity=False)
        for piece in original.pieces:
            whole.update(piece)
        with question.bucket.lock:
            if "uploadId" in question.query:
                body = b"".join(
                    original.cut(*_span(question.headers.get("x-cos-copy-source-range", ""), original.size))
                )
                etag = _keep_part(question, body, hashlib.md5(body).hexdigest())
                return _document(f"<CopyPartResult>{_etag(etag)}{_modified(now)}</CopyPartResult>")
            replaced = question.headers.get("x-cos-metadata-directive", "Copy").lower() == "replaced"
            headers = checked_headers(question.headers) if replaced else original.headers
            stored = question.bucket.put(
                question.key,
                original.pieces,
                whole.hexdigest(),
                headers,
                now,
                forbid_overwrite=question.forbid_overwrite,
            )
        answer = _document(f"<CopyObjectResult>{_etag(stored.etag)}{_modified(now)}</CopyObjectResult>")
        return answer.replace(headers=[*answer.headers, *_version(stored)])

    def _steer(self, request: WireRequest) -> WireAnswer:
        """Do what a harness asks: `clock` moves a key's clock, `domain` opens one, `drop` removes a bucket whole."""
        query = dict(parse_qsl(request.query))
        if request.path == "/clock":
            self._ahead[query["key"]] = float(query["ahead"])
            return WireAnswer()
        with self._lock:
            if request.path == "/drop":
                self._forget(query["bucket"])
                return WireAnswer()
            if request.path == "/domain":
                domain = self._domains.get(query["bucket"])
                if domain is None:
                    domain = self._domains[query["bucket"]] = Listener(
                        0, partial(self.handle, domain_of=query["bucket"])
                    )
                return WireAnswer(body=str(domain.port).encode())
        return WireAnswer(404)


def _put(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7749"""
    request = question.request
    told = request.headers.get("content-md5")
    if told is not None and told != b64encode(question.digest.digest()).decode():
        raise Refusal(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
    stored = question.bucket.put(
        question.key,
        [request.body],
        question.digest.hexdigest(),
        checked_headers(request.headers),
        now,
        forbid_overwrite=question.forbid_overwrite,
    )
    return WireAnswer(headers=[("ETag", f'"{stored.etag}"'), *_version(stored)])


def _get(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7753"""
    stored = question.bucket.get(question.key)
    headers = _described(stored)
    _check_conditions(question, stored)
    span = question.headers.get("range", "")
    if not span:
        return WireAnswer(headers=headers, body=list(stored.cut(0, stored.size)))
    start, stop = _span(span, stored.size)
    headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{stored.size}"))
    return WireAnswer(206, headers, list(stored.cut(start, stop)))


def _head(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7745"""
    stored = question.bucket.get(question.key)
    _check_conditions(question, stored)
    return WireAnswer(headers=_described(stored), length=stored.size)


def _check_conditions(question: Question, stored: Stored) -> None:
    if question.headers.get("if-match", stored.etag).strip('"') != stored.etag:
        raise Refusal(412, "PreconditionFailed", "At least one of the preconditions did not hold.")


def _delete(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7743"""
    question.bucket.delete(question.key)
    return WireAnswer(204)


def _delete_many(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/8289"""
    body = question.request.body
    if question.headers.get("content-md5") != b64encode(question.digest.digest()).decode():
        raise Refusal(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
    root = _parsed(body)
    keys = [element.findtext("Key") or "" for element in root.iterfind("Object")]
    if not 0 < len(keys) <= 1000 or "" in keys:
        raise Refusal(400, "MalformedXML", "The XML you provided was not well-formed or did not validate.")
    for key in keys:
        question.bucket.delete(key)
    quiet = (root.findtext("Quiet") or "").lower() == "true"
    told = [] if quiet else [f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys]
    return _document(f"<DeleteResult>{''.join(told)}</DeleteResult>")


def _list(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/30614"""
    query, bucket = question.query, question.bucket
    prefix, delimiter, marker = (query.get(name, "") for name in ("prefix", "delimiter", "marker"))
    if len(delimiter) > 1:
        raise Refusal(400, "InvalidDelimiter", "The delimiter is a single character.")
    limit = min(int(query.get("max-keys") or 1000), 1000)
    keys, groups, following = bucket.list(prefix, delimiter, marker, limit)
    shown: Callable[[str], str] = partial(quote, safe="/") if query.get("encoding-type") == "url" else escape
    told = [
        f"<Name>{question.name}</Name><Prefix>{shown(prefix)}</Prefix><Marker>{shown(marker)}</Marker>",
        f"<MaxKeys>{limit}</MaxKeys><IsTruncated>{'true' if following else 'false'}</IsTruncated>",
    ]
    if following:
        told.append(f"<NextMarker>{shown(following)}</NextMarker>")
    for key in keys:
        stored = bucket.objects[key]
        told.append(
            f"<Contents><Key>{shown(key)}</Key>{_modified(stored.modified)}{_etag(stored.etag)}"
            f"<Size>{stored.size}</Size><Owner><ID>1250000000</ID><DisplayName>1250000000</DisplayName></Owner>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )
    told += [f"<CommonPrefixes><Prefix>{shown(group)}</Prefix></CommonPrefixes>" for group in groups]
    return _document(f"<ListBucketResult>{''.join(told)}</ListBucketResult>")


def _list_uploads(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7736; in one page."""
    told = [
        f"<Upload><Key>{quote(upload.key, safe='/')}</Key><UploadId>{identity}</UploadId></Upload>"
        for identity, upload in question.bucket.uploads.items()
    ]
    return _document(
        f"<ListMultipartUploadsResult><Bucket>{question.name}</Bucket><IsTruncated>false</IsTruncated>{''.join(told)}"
        "</ListMultipartUploadsResult>"
    )


def _begin_upload(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7746"""
    bucket, key = question.bucket, question.key
    if question.forbid_overwrite and not bucket.versioning and key in bucket.objects:
        raise Refusal(409, "FileAlreadyExists", "The file already exists.")
    identity = uuid.uuid4().hex
    bucket.uploads[identity] = Upload(key, checked_headers(question.headers))
    return _document(
        f"<InitiateMultipartUploadResult><Bucket>{question.name}</Bucket><Key>{quote(key, safe='/')}</Key>"
        f"<UploadId>{identity}</UploadId></InitiateMultipartUploadResult>"
    )


def _upload_part(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7750"""
    return WireAnswer(
        headers=[("ETag", f'"{_keep_part(question, question.request.body, question.digest.hexdigest())}"')]
    )


def _keep_part(question: Question, body: bytes, etag: str) -> str:
    number = question.query.get("partNumber", "")
    if not number.isdigit() or not 1 <= int(number) <= MOST_PARTS:
        raise Refusal(400, "InvalidArgument", f"Part numbers are 1 to {MOST_PARTS}.")
    upload = question.bucket.upload(question.query["uploadId"], question.key)
    upload.parts[int(number)] = body
    upload.etags[int(number)] = etag
    return etag


def _list_parts(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7747; in one page."""
    upload = question.bucket.upload(question.query["uploadId"], question.key)
    told = [
        f"<Part><PartNumber>{number}</PartNumber>{_etag(upload.etags[number])}<Size>{len(upload.parts[number])}</Size>"
        f"{_modified(now)}</Part>"
        for number in sorted(upload.parts)
    ]
    return _document(
        f"<ListPartsResult><Bucket>{question.name}</Bucket><Key>{quote(question.key, safe='/')}</Key>"
        f"<IsTruncated>false</IsTruncated>{''.join(told)}</ListPartsResult>"
    )


def _complete_upload(question: Question, now: float) -> WireAnswer:
    root = _parsed(question.request.body)
    told = [
        (int(part.findtext("PartNumber") or 0), (part.findtext("ETag") or "").strip('"'))
        for part in root.iterfind("Part")
    ]
    if not told:
        raise Refusal(400, "MalformedXML", "The XML you provided was not well-formed or did not validate.")
    stored = question.bucket.complete(
        question.query["uploadId"], question.key, told, now, forbid_overwrite=question.forbid_overwrite
    )
    answer = _document(
        f"<CompleteMultipartUploadResult><Bucket>{question.name}</Bucket><Key>{quote(question.key, safe='/')}</Key>"
        f"{_etag(stored.etag)}</CompleteMultipartUploadResult>"
    )
    return answer.replace(headers=[*answer.headers, *_version(stored)])


def _abort_upload(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7740"""
    question.bucket.upload(question.query["uploadId"], question.key)
    del question.bucket.uploads[question.query["uploadId"]]
    return WireAnswer(204)


def _tell_versioning(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/19888"""
    status = f"<Status>{question.bucket.versioning}</Status>" if question.bucket.versioning else ""
    return _document(f"<VersioningConfiguration>{status}</VersioningConfiguration>")


def _set_versioning(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/19889"""
    status = _parsed(question.request.body).findtext("Status") or ""
    if status not in ("Enabled", "Suspended"):
        raise Refusal(400, "MalformedXML", "The XML you provided was not well-formed or did not validate.")
    question.bucket.versioning = status
    return WireAnswer()


def _delete_bucket(question: Question, now: float) -> WireAnswer:
    raise NotImplementedError  # It changes the server, not the bucket: `Cos._remove`.


_OPERATIONS: Mapping[tuple[str, str, str], Callable[[Question, float], WireAnswer]] = {
    ("object", "PUT", ""): _put,
    ("object", "GET", ""): _get,
    ("object", "HEAD", ""): _head,
    ("object", "DELETE", ""): _delete,
    ("object", "POST", "uploads"): _begin_upload,
    ("object", "PUT", "uploadId"): _upload_part,
    ("object", "GET", "uploadId"): _list_parts,
    ("object", "POST", "uploadId"): _complete_upload,
    ("object", "DELETE", "uploadId"): _abort_upload,
    ("bucket", "GET", ""): _list,
    ("bucket", "GET", "uploads"): _list_uploads,
    ("bucket", "POST", "delete"): _delete_many,
    ("bucket", "GET", "versioning"): _tell_versioning,
    ("bucket", "PUT", "versioning"): _set_versioning,
    ("bucket", "DELETE", ""): _delete_bucket,
}


def _document(xml: str, status: int = 200) -> WireAnswer:
    return WireAnswer(status, _XML, f"<?xml version='1.0' encoding='utf-8' ?>\n{xml}".encode())


def _parsed(body: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise Refusal(400, "MalformedXML", str(error)) from None


def _described(stored: Stored) -> list[tuple[str, str]]:
    return [
        ("ETag", f'"{stored.etag}"'),
        ("Last-Modified", formatdate(int(stored.modified), usegmt=True)),
        ("Accept-Ranges", "bytes"),
        *(
            ("-".join(word.capitalize() for word in name.split("-")) if name[:2] != "x-" else name, value)
            for name, value in stored.headers.items()
        ),
        *_version(stored),
    ]


def _version(stored: Stored) -> Iterable[tuple[str, str]]:
    return [("x-cos-version-id", stored.version)] if stored.version else []


def _etag(etag: str) -> str:
    return f"<ETag>&quot;{etag}&quot;</ETag>"


def _modified(seconds: float) -> str:
    moment = datetime.fromtimestamp(int(seconds), timezone.utc)
    return f"<LastModified>{moment:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"


def _span(told: str, size: int) -> tuple[int, int]:
    """Return where a range starts and stops. Raises Refusal for one that holds nothing of the object."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", told)
    if found is None or found.groups() == ("", ""):
        return 0, size
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    stop = min(int(last) + 1, size) if first and last else size
    if start >= size or stop <= start:
        raise Refusal(416, "InvalidRange", "The requested range cannot be satisfied.")
    return start, stop


def main(arguments: Sequence[str]) -> None:
    Listener(int(arguments[0]), Cos().handle).accepting.join()


if __name__ == "__main__":
    main(sys.argv[1:])
