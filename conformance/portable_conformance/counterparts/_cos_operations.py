"""What the COS server of ours does with one bucket: an operation is a function of a question and the time.

Each names the page of Tencent's that it follows.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from base64 import b64encode
from datetime import datetime, timezone
from email.utils import formatdate
from functools import partial
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from portable_conformance.counterparts._cos_signature import Refusal
from portable_conformance.counterparts._cos_store import MOST_PARTS, Bucket, Stored, Upload, checked_headers
from portable_conformance.counterparts._wire import WireAnswer, WireRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_XML = [("Content-Type", "application/xml")]


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
    return WireAnswer(headers=[("ETag", f'"{stored.etag}"'), *version_header(stored)])


def _get(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7753"""
    stored = question.bucket.get(question.key)
    headers = _described(stored)
    _check_conditions(question, stored)
    span = question.headers.get("range", "")
    if not span:
        return WireAnswer(headers=headers, body=list(stored.cut(0, stored.size)))
    start, stop = span_of(span, stored.size)
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
    return document(f"<DeleteResult>{''.join(told)}</DeleteResult>")


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
            f"<Contents><Key>{shown(key)}</Key>{modified_element(stored.modified)}{etag_element(stored.etag)}"
            f"<Size>{stored.size}</Size><Owner><ID>1250000000</ID><DisplayName>1250000000</DisplayName></Owner>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )
    told += [f"<CommonPrefixes><Prefix>{shown(group)}</Prefix></CommonPrefixes>" for group in groups]
    return document(f"<ListBucketResult>{''.join(told)}</ListBucketResult>")


def _list_uploads(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7736; in one page."""
    told = [
        f"<Upload><Key>{quote(upload.key, safe='/')}</Key><UploadId>{identity}</UploadId></Upload>"
        for identity, upload in question.bucket.uploads.items()
    ]
    return document(
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
    return document(
        f"<InitiateMultipartUploadResult><Bucket>{question.name}</Bucket><Key>{quote(key, safe='/')}</Key>"
        f"<UploadId>{identity}</UploadId></InitiateMultipartUploadResult>"
    )


def _upload_part(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7750"""
    return WireAnswer(
        headers=[("ETag", f'"{keep_part(question, question.request.body, question.digest.hexdigest())}"')]
    )


def keep_part(question: Question, body: bytes, etag: str) -> str:
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
        f"<Part><PartNumber>{number}</PartNumber>{etag_element(upload.etags[number])}<Size>{len(upload.parts[number])}</Size>"
        f"{modified_element(now)}</Part>"
        for number in sorted(upload.parts)
    ]
    return document(
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
    answer = document(
        f"<CompleteMultipartUploadResult><Bucket>{question.name}</Bucket><Key>{quote(question.key, safe='/')}</Key>"
        f"{etag_element(stored.etag)}</CompleteMultipartUploadResult>"
    )
    return answer.replace(headers=[*answer.headers, *version_header(stored)])


def _abort_upload(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/7740"""
    question.bucket.upload(question.query["uploadId"], question.key)
    del question.bucket.uploads[question.query["uploadId"]]
    return WireAnswer(204)


def _tell_versioning(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/19888"""
    status = f"<Status>{question.bucket.versioning}</Status>" if question.bucket.versioning else ""
    return document(f"<VersioningConfiguration>{status}</VersioningConfiguration>")


def _set_versioning(question: Question, now: float) -> WireAnswer:
    """https://www.tencentcloud.com/document/product/436/19889"""
    status = _parsed(question.request.body).findtext("Status") or ""
    if status not in ("Enabled", "Suspended"):
        raise Refusal(400, "MalformedXML", "The XML you provided was not well-formed or did not validate.")
    question.bucket.versioning = status
    return WireAnswer()


def delete_bucket(question: Question, now: float) -> WireAnswer:
    raise NotImplementedError  # It changes the server, not the bucket: `Cos._remove`.


OPERATIONS: Mapping[tuple[str, str, str], Callable[[Question, float], WireAnswer]] = {
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
    ("bucket", "DELETE", ""): delete_bucket,
}


def document(xml: str, status: int = 200) -> WireAnswer:
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
        *version_header(stored),
    ]


def version_header(stored: Stored) -> Iterable[tuple[str, str]]:
    return [("x-cos-version-id", stored.version)] if stored.version else []


def etag_element(etag: str) -> str:
    return f"<ETag>&quot;{etag}&quot;</ETag>"


def modified_element(seconds: float) -> str:
    moment = datetime.fromtimestamp(int(seconds), timezone.utc)
    return f"<LastModified>{moment:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"


def span_of(told: str, size: int) -> tuple[int, int]:
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
