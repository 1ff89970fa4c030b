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
from functools import partial
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

from portable_conformance.counterparts._cos_operations import (
    OPERATIONS,
    Question,
    delete_bucket,
    document,
    etag_element,
    keep_part,
    modified_element,
    span_of,
    version_header,
)
from portable_conformance.counterparts._cos_signature import Refusal, check
from portable_conformance.counterparts._cos_store import LONGEST_KEY, Bucket, checked_headers
from portable_conformance.counterparts._tencent_accounts import account_of
from portable_conformance.counterparts._wire import Listener, WireAnswer, WireRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HOST = re.compile(r"([a-z0-9-]+-[0-9]+)\.cos\.([a-z0-9-]+)\.(?:myqcloud\.com|tencentcos\.cn)")


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
            answer = document(
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
        operation = OPERATIONS.get((kind, request.method, flag))
        if operation is None:
            raise Refusal(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        question = Question(request, name, bucket, key, query)
        if operation is delete_bucket:
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
                    original.cut(*span_of(question.headers.get("x-cos-copy-source-range", ""), original.size))
                )
                etag = keep_part(question, body, hashlib.md5(body).hexdigest())
                return document(f"<CopyPartResult>{etag_element(etag)}{modified_element(now)}</CopyPartResult>")
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
        answer = document(f"<CopyObjectResult>{etag_element(stored.etag)}{modified_element(now)}</CopyObjectResult>")
        return answer.replace(headers=[*answer.headers, *version_header(stored)])

    def _steer(self, request: WireRequest) -> WireAnswer:
        """Do what `cos.steer` asks for."""
        query = dict(parse_qsl(request.query))
        if request.path == "/clock":
            self._ahead[query["key"]] = float(query["ahead"])
            return WireAnswer()
        with self._lock:
            if request.path == "/drop":
                self._forget(query["bucket"])
                return WireAnswer()
            if request.path == "/fill":
                self._fill(self._buckets[query["bucket"]], int(query["count"]))
                return WireAnswer()
            if request.path == "/domain":
                domain = self._domains.get(query["bucket"])
                if domain is None:
                    domain = self._domains[query["bucket"]] = Listener(
                        0, partial(self.handle, domain_of=query["bucket"])
                    )
                return WireAnswer(body=str(domain.port).encode())
        return WireAnswer(404)

    def _fill(self, bucket: Bucket, count: int) -> None:
        etag = hashlib.md5(b"").hexdigest()
        with bucket.lock:
            for number in range(count):
                key = f"{number % 100:02}/photo-{number:08}.jpg"
                bucket.put(key, [b""], etag, {"content-type": "image/jpeg"}, time.time(), forbid_overwrite=False)


def main(arguments: Sequence[str]) -> None:
    Listener(int(arguments[0]), Cos().handle).accepting.join()


if __name__ == "__main__":
    main(sys.argv[1:])
