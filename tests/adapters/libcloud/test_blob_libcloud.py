"""What the suite cannot say of `libcloud+...://`: addresses, credentials, signatures, error kinds, forks, requests."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

import pytest
import requests
from libcloud.common.exceptions import BaseHTTPError, RateLimitReachedError
from libcloud.common.types import InvalidCredsError, LibcloudError, MalformedResponseError
from libcloud.storage.types import ContainerDoesNotExistError, ObjectDoesNotExistError, ObjectHashMismatchError
from urllib3.exceptions import IncompleteRead, ProtocolError, ReadTimeoutError

from portable import Bucket, registry
from portable_contracts import errors
from portable_contracts.harness import MissingCounterpart
from portable_contracts.provider import Opening
from portable_libcloud import provider
from portable_libcloud._connections import SERVICES
from portable_libcloud._errors import Answered, classify
from portable_libcloud.harness import LibcloudHarness

SECRET = "wJalrXUtnFEMI/K7MDENG"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in SERVICES.values():
        monkeypatch.setenv(f"PORTABLE_LIBCLOUD_{service.driver.upper()}_KEY", "AKIDEXAMPLE")
        monkeypatch.setenv(f"PORTABLE_LIBCLOUD_{service.driver.upper()}_SECRET", SECRET)


class Received:
    """One request, as it came."""

    def __init__(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        self.method = request.command
        self.target = request.path
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        self.body = body


class Server(ThreadingHTTPServer):
    """Answers every request alike, and keeps them."""

    daemon_threads = True

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.status = 200
        self.body = b""
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def bucket(self, scheme: str = "libcloud+minio", more: str = "") -> Bucket:
        return Bucket.at(f"{scheme}://photos?endpoint={quote(self.endpoint, safe='')}{more}")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        server = cast(Server, self.server)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        server.received.append(Received(self, body))
        self.send_response(server.status)
        self.send_header("ETag", '"e1"')
        self.send_header("Last-Modified", "Sat, 21 Nov 2026 01:00:00 GMT")
        self.send_header("Content-Length", str(len(server.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(server.body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer  # noqa: N815  # the base class's names

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


# Addresses


@pytest.mark.parametrize("scheme", sorted(provider.buckets))
def test_every_scheme_has_a_driver_that_names_it(scheme: str) -> None:
    assert registry.driver_class("bucket", scheme).scheme == scheme
    assert scheme in SERVICES


@pytest.mark.parametrize(
    "address",
    [
        "libcloud+s3://photos",
        "libcloud+s3://photos?region=eu-west-1",
        "libcloud+s3://photos?endpoint=https://s3.example.com&region=anywhere",
        "libcloud+minio://photos?endpoint=http://127.0.0.1:9000",
        "libcloud+digitalocean-spaces://photos?region=ams3",
        "libcloud+ovh://photos?region=gra",
        "libcloud+scaleway://photos",
        "libcloud+scaleway://photos?region=nl-ams",
        "libcloud+s3-rgw://photos?endpoint=https://rgw.example.com:7480",
    ],
)
def test_an_address_gives_one_of_libclouds_drivers(address: str) -> None:
    assert Bucket.at(address).native().connection.key == SECRET


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("libcloud+s3://photos?region=eu-west-1", "s3-eu-west-1.amazonaws.com"),
        ("libcloud+digitalocean-spaces://photos?region=ams3", "ams3.digitaloceanspaces.com"),
        ("libcloud+scaleway://photos?region=nl-ams", "s3.nl-ams.scw.cloud"),
        ("libcloud+minio://photos?endpoint=http://127.0.0.1:9000", "127.0.0.1"),
    ],
)
def test_the_region_or_the_endpoint_says_where(address: str, host: str) -> None:
    assert Bucket.at(address).native().connection.host == host


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("libcloud+s3://photos/in", "nothing behind the name"),
        ("libcloud+s3://?region=eu-west-1", "BUCKET"),
        ("libcloud+s3://photos?regoin=eu-west-1", "'regoin' .did you mean 'region'"),
        ("libcloud+minio://photos", "needs an endpoint"),
        ("libcloud+s3-rgw://photos", "needs an endpoint"),
        ("libcloud+digitalocean-spaces://photos?endpoint=https://example.com", "has its own endpoints"),
        ("libcloud+minio://photos?endpoint=example.com", "not like https://host"),
        ("libcloud+minio://photos?endpoint=https://example.com/path", "not like https://host"),
        ("libcloud+minio://photos?endpoint=http://example.com:port", "not like https://host"),
        ("libcloud+minio://me:word@photos?endpoint=http://example.com", "credentials come from the environment"),
        ("libcloud+local://photos", "can be at"),
        ("libcloud+backblaze-b2://photos", "can be at"),
    ],
)
def test_a_wrong_address_is_refused(address: str, why: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=why):
        Bucket.at(address)


def test_a_region_that_libcloud_does_not_know_is_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match="mars-1"):
        Bucket.at("libcloud+s3://photos?region=mars-1").read("k")


def test_the_targets_region_counts_where_the_address_names_none() -> None:
    bucket = Bucket.at("libcloud+s3://photos", opening=Opening(region="eu-central-1"))

    assert bucket.native().connection.host == "s3-eu-central-1.amazonaws.com"


# Credentials


@pytest.mark.parametrize("missing", ["KEY", "SECRET"])
def test_missing_credentials_are_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.delenv(f"PORTABLE_LIBCLOUD_SCALEWAY_{missing}")

    with pytest.raises(errors.PermissionDenied, match=r"set PORTABLE_LIBCLOUD_SCALEWAY_KEY and .*_SECRET"):
        Bucket.at("libcloud+scaleway://photos").read("k")


def test_a_token_is_sent_with_the_keys_of_a_session(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTABLE_LIBCLOUD_S3_TOKEN", "of the session")
    server.bucket("libcloud+s3").exists("k")

    assert server.received[0].headers["x-amz-security-token"] == "of the session"


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_no_error_holds_the_secret(server: Server, status: int) -> None:
    server.status = status
    with pytest.raises(errors.PortableError) as caught:
        server.bucket().write("k", b"1", if_version=None)

    chain = [caught.value, caught.value.__cause__]
    assert not any(SECRET in f"{error} {error!r} {vars(error) if error else ''}" for error in chain)


# Signatures, checked as https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html tells


def signature_of(request: Received) -> str:
    """Return the signature that belongs to *request*."""
    given = dict(part.split("=", 1) for part in request.headers["authorization"].partition(" ")[2].split(", "))
    date, region, service, _ = given["Credential"].split("/")[1:]
    path, _, query = request.target.partition("?")
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&") if pair)
    canonical = "\n".join(
        [
            request.method,
            quote(unquote(path), safe="/~"),
            "&".join(f"{quote(unquote(name), safe='~')}={quote(unquote(value), safe='~')}" for name, value in pairs),
            *(f"{name}:{' '.join(request.headers[name].split())}" for name in given["SignedHeaders"].split(";")),
            "",
            given["SignedHeaders"],
            request.headers["x-amz-content-sha256"],
        ]
    )
    key = b"AWS4" + SECRET.encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    scope = f"{date}/{region}/{service}/aws4_request"
    told = ["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    return hmac.new(key, "\n".join(told).encode(), "sha256").hexdigest()


OPERATIONS: dict[str, Callable[[Bucket], object]] = {
    "read": lambda bucket: bucket.read("k"),
    "part": lambda bucket: bucket.open("k", start=1, stop=5).close(),
    "weird key": lambda bucket: bucket.read("ü b+c/d%2F~é?x=1&y#'()*!;:@,$=[]"),
    "write": lambda bucket: bucket.write("k", b"body", content_type="text/html; charset=utf-8"),
    "nothing": lambda bucket: bucket.write("k", b""),
    "metadata": lambda bucket: bucket.write("k", b"1", metadata={"b": "two  spaces", "a": "ü=x; y", "c": "a b"}),
    "delete": lambda bucket: bucket.delete("a b"),
    "delete many": lambda bucket: bucket.delete_many(["a b", "ü&<>"]),
    "list": lambda bucket: bucket.page("a b+c&d=e/ü~*'", "/ +", limit=3),
    "copy": lambda bucket: bucket.copy("a b", "c+d"),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("address", ["libcloud+minio", "libcloud+s3", "libcloud+scaleway", "libcloud+s3-rgw"])
def test_requests_are_signed_as_the_service_checks_them(
    server: Server, address: str, operation: Callable[[Bucket], object]
) -> None:
    server.body = b"<ListBucketResult/>"
    operation(server.bucket(address, "&region=eu-west-3"))
    request = server.received[0]

    assert request.headers["authorization"].endswith("Signature=" + signature_of(request))
    assert request.headers["x-amz-content-sha256"] in ("UNSIGNED-PAYLOAD", hashlib.sha256(request.body).hexdigest())


def test_the_region_of_an_endpoint_is_signed(server: Server) -> None:
    server.bucket(more="&region=us-west-004").exists("k")

    assert "/us-west-004/s3/aws4_request" in server.received[0].headers["authorization"]


# Requests


@pytest.mark.parametrize(
    ("operation", "methods"),
    [
        (lambda bucket: bucket.read("k"), ["GET"]),
        (lambda bucket: bucket.info("k"), ["HEAD"]),
        (lambda bucket: bucket.delete("k"), ["DELETE"]),
        (lambda bucket: bucket.page(), ["GET"]),
        # The time of a write is in no answer to it.
        (lambda bucket: bucket.write("k", b"1"), ["PUT", "HEAD"]),
    ],
    ids=["read", "info", "delete", "page", "write"],
)
def test_an_operation_makes_few_requests(
    server: Server, operation: Callable[[Bucket], object], methods: list[str]
) -> None:
    server.body = b"<ListBucketResult/>"
    operation(server.bucket())

    assert [request.method for request in server.received] == methods


def test_a_key_that_stays_among_many_is_an_error_of_its_kind(server: Server) -> None:
    server.body = (
        b"<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"
    )

    with pytest.raises(errors.PermissionDenied, match=r"1 of 2 keys, the first of them 'a'.*AccessDenied: no"):
        server.bucket().delete_many(["a", "b"])


def test_times_come_in_utc(server: Server) -> None:
    moment = server.bucket().info("k").modified

    assert (moment, moment.utcoffset()) == (datetime(2026, 11, 21, 1, tzinfo=timezone.utc), timedelta())


def test_threads_do_not_share_a_driver(server: Server) -> None:
    driver = server.bucket()._connection.driver
    seen: list[Any] = [driver._connections.driver()]
    thread = threading.Thread(target=lambda: seen.append(driver._connections.driver()))
    thread.start()
    thread.join()

    assert seen[0] is driver._connections.driver()
    assert seen[0] is not seen[1]


@pytest.mark.slow
def test_a_forked_process_has_connections_of_its_own(server: Server, tmp_path: Path) -> None:
    bucket = server.bucket()
    ours = bucket._connection.driver._connections.driver()
    bucket.exists("k")
    child = os.fork()
    if not child:
        same = bucket._connection.driver._connections.driver() is ours
        (tmp_path / "said").write_text(f"{same} {bucket.exists('k')}")
        os._exit(0)
    os.waitpid(child, 0)

    assert (tmp_path / "said").read_text() == "False True"
    assert bucket.exists("k")


# Error kinds


def made(kind: Any, *arguments: object) -> Exception:
    """Make an error of a class that has no types."""
    error: Exception = kind(*arguments)
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Answered(404, "NoSuchKey"), errors.NotFound),
        (Answered(404), errors.NotFound),
        (Answered(403, "AccessDenied"), errors.PermissionDenied),
        (Answered(401), errors.PermissionDenied),
        (Answered(400, "ExpiredToken"), errors.PermissionDenied),
        (Answered(400, "InvalidRequest"), errors.PortableError),
        (Answered(400, "RequestTimeout"), errors.Timeout),
        (Answered(403, "RequestTimeTooSkewed"), errors.PermissionDenied),
        (Answered(409, "OperationAborted"), errors.Unavailable),
        (Answered(412, "PreconditionFailed"), errors.Conflict),
        (Answered(429), errors.Unavailable),
        (Answered(500, "InternalError"), errors.Unavailable),
        (Answered(503, "SlowDown"), errors.Unavailable),
        (Answered(501, "NotImplemented"), errors.Unsupported),
        (InvalidCredsError("denied"), errors.PermissionDenied),
        (made(ObjectDoesNotExistError, None, None, "k"), errors.NotFound),
        (made(ContainerDoesNotExistError, None, None, "photos"), errors.NotFound),
        (made(ObjectHashMismatchError, "x", None, "k"), errors.PortableError),
        (made(RateLimitReachedError), errors.Unavailable),
        (made(BaseHTTPError, 404, "gone"), errors.NotFound),
        (made(BaseHTTPError, 502, "bad gateway"), errors.Unavailable),
        (LibcloudError("Unknown error. Status code: 503"), errors.Unavailable),
        (LibcloudError("Unexpected status code: 404"), errors.NotFound),
        (LibcloudError("Unexpected status code, status_code=403"), errors.PermissionDenied),
        (LibcloudError("Error uploading chunk"), errors.PortableError),
        (MalformedResponseError("Failed to parse XML", "<"), errors.PortableError),
        (requests.ConnectTimeout(), errors.Timeout),
        (requests.ReadTimeout(), errors.Timeout),
        (requests.ConnectionError(), errors.Unavailable),
        (requests.exceptions.ChunkedEncodingError(), errors.Unavailable),
        (ProtocolError("reset"), errors.Unavailable),
        (IncompleteRead(1, 2), errors.Unavailable),
        (ReadTimeoutError(cast(Any, None), "", "slow"), errors.Timeout),
        (KeyError("x"), errors.PortableError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else repr(value)[:40],
)
def test_an_error_is_of_its_kind(error: Exception, kind: type[errors.PortableError]) -> None:
    assert classify(error) is kind


def test_what_the_service_says_is_in_the_message(server: Server) -> None:
    server.status = 403
    server.body = b"<Error><Code>AccessDenied</Code><Message>not yours</Message></Error>"

    with pytest.raises(errors.PermissionDenied, match="read 'k' in bucket photos: AccessDenied: not yours"):
        server.bucket().read("k")


def test_an_answer_that_is_no_xml_is_told_by_its_status(server: Server) -> None:
    server.status = 403
    server.body = b"<html>Blocked by the proxy"

    with pytest.raises(errors.PermissionDenied, match="403"):
        server.bucket().read("k")


# Metadata


@pytest.fixture
def emulated() -> Iterator[Bucket]:
    harness = LibcloudHarness()
    try:
        address = harness.create("bucket", "libcloud+s3", {})
    except MissingCounterpart as missing:
        pytest.skip(str(missing))
    yield Bucket.at(address)
    harness.destroy(address)


@pytest.mark.slow
@pytest.mark.parametrize("value", ["plain", "ü 日本", "line\nbreak", " spaces  ", "=?utf-8?b?eA==?=", "100%"])
def test_metadata_written_here_is_read_by_the_driver_of_s3_and_the_other_way_round(
    emulated: Bucket, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    pytest.importorskip("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "portable")
    connections = emulated._connection.driver._connections
    endpoint = f"http://127.0.0.1:{connections.driver().connection.port}"
    other = Bucket.at(f"s3://{emulated.name}?endpoint={endpoint}&region=us-east-1")
    emulated.write("here", b"1", metadata={"a": value})
    other.write("there", b"1", metadata={"a": value})

    assert (other.info("here").metadata, emulated.info("there").metadata) == ({"a": value}, {"a": value})
    assert urlsplit(endpoint).port == connections.driver().connection.port
