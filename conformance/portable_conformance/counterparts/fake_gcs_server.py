"""A server that speaks Cloud Storage's wire: `python -m ...fake_gcs_server PORT ACCOUNT-FILE`.

The JSON API for objects, with generations, preconditions, listing, rewriting, batches, multipart and resumable uploads;
the XML API for reading, and for what is signed. Written from the public reference, not from the service's behaviour:
what it proves is a wire fake's. Pages, below https://docs.cloud.google.com/storage/docs:
/json_api/v1/objects, /json_api/v1/status-codes, /xml-api/reference-headers, /xml-api/reference-status,
/performing-resumable-uploads, /batch, /request-preconditions.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import sys
from datetime import datetime, timezone
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from portable_conformance.counterparts._gcs_access import Access
from portable_conformance.counterparts._gcs_objects import MAX_PAGE, Refused, Store, Upload, invalid
from portable_contracts._value import Value
from portable_contracts.provider import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from portable_conformance.counterparts._gcs_objects import Stored

QUANTUM = 256 * 1024
"""A part of a resumable upload, but the last, is a multiple of this."""
MAX_BATCH = 100
REWRITTEN_AT_ONCE = 8 << 20
"""What one call of rewrite does, so that larger objects need another."""


class Request(Value):
    method: str
    target: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


class Answer(Value):
    status: int
    headers: Mapping[str, str] = EMPTY
    body: bytes = b""


class Service:
    """Answers requests."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._store = Store()
        self._routes: list[tuple[str, str, Callable[..., Answer]]] = [
            ("POST", r"/token", self._token),
            ("GET", r"/_control/uploads/([^/]+)", self._unfinished),
            ("DELETE", r"/_control/buckets/([^/]+)", self._drop_bucket),
            ("POST", r"/storage/v1/b", self._create_bucket),
            ("DELETE", r"/storage/v1/b/([^/]+)", self._delete_bucket),
            ("GET", r"/storage/v1/b/([^/]+)/o", self._list),
            ("GET", r"(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)", self._get),
            ("DELETE", r"/storage/v1/b/([^/]+)/o/([^/]+)", self._delete),
            ("POST", r"/storage/v1/b/([^/]+)/o/([^/]+)/rewriteTo/b/([^/]+)/o/([^/]+)", self._rewrite),
            ("POST", r"/upload/storage/v1/b/([^/]+)/o", self._upload),
            ("PUT", r"/upload/storage/v1/b/([^/]+)/o", self._upload_part),
            ("DELETE", r"/upload/storage/v1/b/([^/]+)/o", self._cancel_upload),
            ("POST", r"/batch/storage/v1", self._batch),
        ]
        self._public = {self._token, self._unfinished, self._drop_bucket}

    def answer(self, request: Request) -> Answer:
        is_json = re.match(r"/(storage|upload|download|batch|token|_control)/?\b", request.path)
        try:
            if not is_json:
                return self._xml(request)
            for method, pattern, route in self._routes:
                found = re.fullmatch(pattern, request.path)
                if found and method == request.method:
                    if route not in self._public and not self._access.has_token(request.headers):
                        raise Refused(
                            401, "required", "AuthenticationRequired", "Anonymous caller does not have access."
                        )
                    return route(request, *map(unquote, found.groups()))
            raise Refused(404, "notFound", "NotFound", "Not Found")
        except Refused as refused:
            return _json_error(refused) if is_json else _xml_error(refused)
        except (KeyError, ValueError) as error:
            unread = invalid(f"The request cannot be read: {error!r}")
            return _json_error(unread) if is_json else _xml_error(unread)

    # The control of tests, and the endpoint of tokens.

    def _token(self, request: Request) -> Answer:
        return _json(self._access.token(dict(parse_qsl(request.body.decode()))["assertion"]))

    def _unfinished(self, request: Request, bucket: str) -> Answer:
        # One that was begun and has nothing is nobody's worry: its caller may not even know of it.
        uploads = tuple(self._store.uploads.values())
        return _json([upload.resource["name"] for upload in uploads if upload.bucket == bucket and upload.parts])

    def _drop_bucket(self, request: Request, bucket: str) -> Answer:
        self._store.delete_bucket(bucket, force=True)
        return Answer(204)

    # Buckets.

    def _create_bucket(self, request: Request) -> Answer:
        name = json.loads(request.body)["name"]
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]", name):
            raise invalid(f"Invalid bucket name: '{name}'")
        self._store.create_bucket(name)
        return _json({"kind": "storage#bucket", "id": name, "name": name, "location": "US"})

    def _delete_bucket(self, request: Request, bucket: str) -> Answer:
        self._store.delete_bucket(bucket)
        return Answer(204)

    # Objects.

    def _list(self, request: Request, bucket: str) -> Answer:
        query = request.query
        objects, prefixes, token = self._store.list(
            bucket,
            query.get("prefix", ""),
            query.get("delimiter", ""),
            query.get("startOffset", ""),
            query.get("pageToken", ""),
            min(int(query.get("maxResults", MAX_PAGE)), MAX_PAGE),
        )
        page: dict[str, Any] = {"kind": "storage#objects", "items": [_resource(stored) for stored in objects]}
        page.update({"prefixes": prefixes} if prefixes else {}, **({"nextPageToken": token} if token else {}))
        return _json(_selected(page, query.get("fields")))

    def _get(self, request: Request, bucket: str, name: str) -> Answer:
        query = request.query
        stored = self._store.get(bucket, name, query.get("ifGenerationMatch"))
        if query.get("generation", str(stored.generation)) != str(stored.generation):
            raise Refused(404, "notFound", "NoSuchKey", f"No such object: {bucket}/{name}")
        if query.get("alt") == "media":
            return _media(stored, request, xml=False)
        return _json(_selected(_resource(stored), query.get("fields")))

    def _delete(self, request: Request, bucket: str, name: str) -> Answer:
        self._store.delete(bucket, name, request.query.get("ifGenerationMatch"))
        return Answer(204)

    def _rewrite(self, request: Request, bucket: str, name: str, to_bucket: str, to_name: str) -> Answer:
        query = request.query
        source = self._store.get(bucket, name, query.get("ifSourceGenerationMatch"))
        size = len(source.body)
        token = f"{source.generation}"
        if size > REWRITTEN_AT_ONCE and query.get("rewriteToken") != token:
            told = {"kind": "storage#rewriteResponse", "done": False, "rewriteToken": token}
            return _json({**told, "totalBytesRewritten": str(REWRITTEN_AT_ONCE), "objectSize": str(size)})
        given = json.loads(request.body) if request.body else {}
        copy = self._store.put(
            to_bucket,
            to_name,
            source.body,
            # A resource in the request takes the place of what the source has.
            given.get("contentType", source.content_type) if given else source.content_type,
            given.get("metadata", {}) if given else source.metadata,
            source.crc32c,
            query.get("ifGenerationMatch"),
        )
        told = {"kind": "storage#rewriteResponse", "done": True, "resource": _resource(copy)}
        return _json({**told, "totalBytesRewritten": str(size), "objectSize": str(size)})

    # Uploads.

    def _upload(self, request: Request, bucket: str) -> Answer:
        query = request.query
        kind = query.get("uploadType")
        condition = query.get("ifGenerationMatch")
        if kind == "resumable":
            resource = json.loads(request.body) if request.body else {}
            resource.setdefault("name", query.get("name"))
            resource.setdefault("contentType", request.headers.get("x-upload-content-type", "application/octet-stream"))
            identity = self._store.begin(Upload(bucket, resource, condition, [], []))
            place = f"http://{request.headers['host']}/upload/storage/v1/b/{quote(bucket)}/o"
            return Answer(200, {"Location": f"{place}?uploadType=resumable&upload_id={identity}"})
        if kind == "multipart":
            resource, content_type, body = _related(request)
        elif kind == "media":
            resource, content_type, body = {}, request.headers.get("content-type", ""), request.body
        else:
            raise invalid("Invalid upload type")
        resource.setdefault("name", query.get("name"))
        return _json(
            _selected(_resource(self._put(bucket, resource, content_type, body, condition)), query.get("fields"))
        )

    def _put(
        self, bucket: str, resource: Mapping[str, Any], content_type: str, body: bytes, condition: str | None
    ) -> Stored:
        crc32c = _crc32c(body)
        if resource.get("crc32c", crc32c) != crc32c:
            raise invalid(f'Provided CRC32C "{resource["crc32c"]}" doesn\'t match calculated CRC32C "{crc32c}".')
        content_type = resource.get("contentType") or content_type or "application/octet-stream"
        return self._store.put(
            bucket, resource["name"], body, content_type, resource.get("metadata") or {}, crc32c, condition
        )

    def _session(self, request: Request) -> Upload:
        upload = self._store.uploads.get(request.query["upload_id"])
        if upload is None:
            raise Refused(410, "uploadGone", "UploadGone", "The upload session is gone: begin another one.")
        return upload

    def _upload_part(self, request: Request, bucket: str) -> Answer:
        found = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", request.headers["content-range"])
        if found is None:
            raise invalid("Invalid Content-Range.")
        first, last, total = found.groups()
        with self._store.lock:
            upload = self._session(request)
            if upload.done:
                return _json(_resource(upload.done[0]))
            kept = sum(map(len, upload.parts))
            if first is not None:
                if int(first) > kept or int(last) - int(first) + 1 != len(request.body):
                    raise Refused(503, "backendError", "ServiceUnavailable", f"Expected a part from byte {kept}.")
                if total == "*" and len(request.body) % QUANTUM:
                    raise invalid(f"The part is no multiple of {QUANTUM} bytes.")
                upload.parts.append(request.body[kept - int(first) :])
                kept = sum(map(len, upload.parts))
            if total == "*" or kept < int(total):
                return Answer(308, {"Range": f"bytes=0-{kept - 1}"} if kept else {})
            body = b"".join(upload.parts)
            resource = dict(upload.resource)
            for told in request.headers.get("x-goog-hash", "").split(","):
                if told.startswith("crc32c="):
                    resource["crc32c"] = told.partition("=")[2]
            try:
                stored = self._put(bucket, resource, "", body, upload.if_generation)
            except Refused:
                del self._store.uploads[request.query["upload_id"]]
                raise
            upload.parts.clear()
            upload.done.append(stored)
            return _json(_resource(stored))

    def _cancel_upload(self, request: Request, bucket: str) -> Answer:
        with self._store.lock:
            self._session(request)
            del self._store.uploads[request.query["upload_id"]]
        return Answer(499)

    # Batches.

    def _batch(self, request: Request) -> Answer:
        parts = _parts(request)
        if len(parts) > MAX_BATCH:
            raise invalid(f"The batch request has more than {MAX_BATCH} calls.")
        answers = []
        for headers, content in parts:
            line, _, rest = content.lstrip(b"\r\n").replace(b"\r\n", b"\n").partition(b"\n")
            method, target, *_ = line.decode().split(" ")
            head, _, body = rest.partition(b"\n\n")
            inner = {name.strip().lower(): value.strip() for name, _, value in _lines(head)}
            answer = self.answer(
                Request(
                    method, urlsplit(target)._replace(scheme="", netloc="").geturl(), {**request.headers, **inner}, body
                )
            )
            shown = {
                "Content-Type": "application/json; charset=UTF-8",
                "Content-Length": str(len(answer.body)),
                **answer.headers,
            }
            answers.append(
                "--batch_of_answers\r\nContent-Type: application/http\r\n"
                f"Content-ID: <response-{headers.get('content-id', '').strip('<>')}>\r\n\r\n"
                f"HTTP/1.1 {answer.status} {answer.status}\r\n"
                + "".join(f"{name}: {value}\r\n" for name, value in shown.items())
                + f"\r\n{answer.body.decode()}\r\n"
            )
        told = "".join(answers) + "--batch_of_answers--"
        return Answer(200, {"Content-Type": "multipart/mixed; boundary=batch_of_answers"}, told.encode())

    # The XML API.

    def _xml(self, request: Request) -> Answer:
        query = request.query
        if not self._access.has_token(request.headers):
            raw = urlsplit(request.target).query
            self._access.check_signature(request.method, request.path, query, request.headers, raw)
        bucket, _, name = request.path[1:].partition("/")
        bucket, name = unquote(bucket), unquote(name)
        condition = request.headers.get("x-goog-if-generation-match")
        if request.method in ("GET", "HEAD"):
            return _media(self._store.get(bucket, name, condition), request, xml=True)
        if request.method == "PUT":
            metadata = {
                header.removeprefix("x-goog-meta-"): value
                for header, value in request.headers.items()
                if header.startswith("x-goog-meta-")
            }
            resource = {"name": name, "metadata": metadata}
            stored = self._put(bucket, resource, request.headers.get("content-type", ""), request.body, condition)
            return Answer(
                200, {"x-goog-generation": str(stored.generation), "Content-Type": "text/html; charset=UTF-8"}
            )
        raise Refused(405, "methodNotAllowed", "MethodNotAllowed", "The method is not allowed against this resource.")


def _json(document: object, status: int = 200) -> Answer:
    return Answer(status, {"Content-Type": "application/json; charset=UTF-8"}, json.dumps(document).encode())


def _json_error(refused: Refused) -> Answer:
    one = {"message": str(refused), "domain": "global", "reason": refused.reason}
    return _json({"error": {"code": refused.status, "message": str(refused), "errors": [one]}}, refused.status)


def _xml_error(refused: Refused) -> Answer:
    text = (
        f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{refused.code}</Code>"
        f"<Message>{escape(str(refused))}</Message></Error>"
    )
    return Answer(refused.status, {"Content-Type": "application/xml; charset=UTF-8"}, text.encode())


def _resource(stored: Stored) -> dict[str, Any]:
    moment = datetime.fromtimestamp(stored.updated, timezone.utc).isoformat(timespec="milliseconds")
    updated = moment.replace("+00:00", "Z")
    resource: dict[str, Any] = {
        "kind": "storage#object",
        "id": f"{stored.bucket}/{stored.name}/{stored.generation}",
        "name": stored.name,
        "bucket": stored.bucket,
        "generation": str(stored.generation),
        "metageneration": "1",
        "contentType": stored.content_type,
        "size": str(len(stored.body)),
        "crc32c": stored.crc32c,
        "etag": base64.b64encode(str(stored.generation).encode()).decode(),
        "storageClass": "STANDARD",
        "timeCreated": updated,
        "updated": updated,
    }
    if stored.metadata:
        resource["metadata"] = stored.metadata
    return resource


def _selected(document: Any, fields: str | None) -> Any:
    """Return what the parameter `fields` names: `items(name,size),nextPageToken`."""
    if fields is None:
        return document
    chosen = {}
    for name, inner in re.findall(r"([A-Za-z0-9]+)(?:\(([^)]*)\))?,?", fields):
        if name in document:
            value = document[name]
            chosen[name] = [_selected(one, inner) for one in value] if inner else value
    return chosen


def _media(stored: Stored, request: Request, *, xml: bool) -> Answer:
    headers = {
        "Content-Type": stored.content_type,
        "x-goog-generation": str(stored.generation),
        "x-goog-metageneration": "1",
        "x-goog-stored-content-length": str(len(stored.body)),
        "x-goog-stored-content-encoding": "identity",
        "x-goog-hash": f"crc32c={stored.crc32c}",
        "Last-Modified": formatdate(int(stored.updated), usegmt=True),
        "Accept-Ranges": "bytes",
    }
    if xml:
        # Only this API tells of metadata with the bytes.
        headers.update({f"x-goog-meta-{name}": value for name, value in stored.metadata.items()})
    size = len(stored.body)
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if asked is None:
        return Answer(200, headers, stored.body)
    first, last = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
    if first > last:
        refused = Refused(
            416, "requestedRangeNotSatisfiable", "InvalidRange", "The requested range cannot be satisfied."
        )
        answer = _xml_error(refused) if xml else _json_error(refused)
        return answer.replace(headers={**answer.headers, "Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Answer(206, headers, stored.body[first : last + 1])


def _related(request: Request) -> tuple[dict[str, Any], str, bytes]:
    """Read the two parts of a multipart upload: the resource, and the body after its content type."""
    (_, resource), (headers, body) = _parts(request)
    return json.loads(resource), headers.get("content-type", ""), body


def _parts(request: Request) -> list[tuple[dict[str, str], bytes]]:
    """Read a multipart body; some clients end its lines by a line feed alone."""
    found = re.search(r'boundary="?([^";]+)', request.headers.get("content-type", ""))
    if found is None:
        raise invalid("The request has no boundary.")
    mark = b"--" + found[1].encode()
    body = request.body.lstrip(b"\r\n")
    if not body.startswith(mark):
        raise invalid("The request does not begin with its boundary.")
    parts = []
    for part in re.split(rb"\r?\n" + re.escape(mark), body[len(mark) :]):
        if part.startswith(b"--"):
            break
        head, _, content = part.partition(b"\r\n\r\n") if part.startswith(b"\r\n") else part.partition(b"\n\n")
        parts.append(({name.strip().lower(): value.strip() for name, _, value in _lines(head)}, content))
    return parts


def _lines(head: bytes) -> list[tuple[str, str, str]]:
    return [line.partition(":") for line in head.decode("latin-1").splitlines() if ":" in line]


def _crc32c(body: bytes) -> str:
    import google_crc32c

    return base64.b64encode(google_crc32c.value(body).to_bytes(4, "big")).decode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        if "chunked" in headers.get("transfer-encoding", ""):
            body = b"".join(iter(self._chunk, b""))
        else:
            size = int(headers.get("content-length") or 0)
            body = self.rfile.read(size)
            if len(body) < size:  # The client is gone, and what it was sending is not done.
                self.close_connection = True
                return
        answer = self.service.answer(Request(self.command, self.path, headers, body))
        lines = [f"HTTP/1.1 {answer.status} {answer.status}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        lines += [f"Content-Length: {len(answer.body)}", "", ""]
        head = "\r\n".join(lines).encode()
        if self.command == "HEAD":
            self.wfile.write(head)
        elif len(answer.body) < 1 << 16:
            self.wfile.write(head + answer.body)
        else:
            self.wfile.write(head)
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815  # the base class's names

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().partition(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def log_message(self, format: str, *arguments: object) -> None:
        return None


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):  # A client that went away is none of the server's.
            super().handle_error(request, client_address)


def main(port: int, account: str) -> None:
    handler = type("Handler", (Handler,), {"service": Service(Access(json.loads(Path(account).read_text())))})
    Server(("127.0.0.1", port), handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
