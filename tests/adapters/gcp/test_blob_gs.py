"""Buckets in Cloud Storage: what the conformance suite cannot say of them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from google.api_core.exceptions import from_http_response
from google.auth.compute_engine import Credentials as AttachedCredentials
from google.auth.crypt import RSASigner
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
from google.oauth2.credentials import Credentials as UserCredentials
from urllib3.exceptions import IncompleteRead, MaxRetryError, NewConnectionError, ReadTimeoutError

from portable.blob import Bucket
from portable_conformance.counterparts import fake_gcs
from portable_conformance.counterparts._gcs_access import Access
from portable_conformance.counterparts.fake_gcs_server import Answer, Handler, Request, Server, Service
from portable_conformance.counterparts.faults import RESET, Proxy
from portable_contracts.errors import (
    Conflict,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
    Unsupported,
)
from portable_contracts.harness import MissingCounterpart
from portable_contracts.provider import Address, Opening
from portable_gcp import _uploads
from portable_gcp._signing import signing
from portable_gcp._storage import Storage, storage_at
from portable_gcp._storage_errors import Damaged, Refused
from portable_gcp.blob import GSBucket
from portable_gcp.harness import GcpHarness

MIB = 1 << 20

driver = GSBucket.from_address(Address.parse("gs://photos"), Opening())


def answered(status: int, body: str = "", headers: dict[str, str] | None = None) -> Exception:
    """Return the error that Google's library has for an answer."""
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers or {})
    response._content = body.encode()
    response.request = requests.Request("GET", "https://storage.googleapis.com/x?upload_id=secret").prepare()
    error: Exception = from_http_response(response)
    return error


def json_body(reason: str, message: str = "It failed.") -> str:
    return json.dumps({"error": {"code": 0, "message": message, "errors": [{"reason": reason, "message": message}]}})


NOT_SENT = requests.ConnectionError(
    MaxRetryError(None, "/o?upload_id=secret", NewConnectionError(None, "refused"))  # type: ignore[arg-type]  # no pool at hand
)
READING = "nobody", "/x", "slow"


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "reason", "kind"),
        [
            (400, "invalid", InvalidArgument),
            (401, "authError", PermissionDenied),
            (403, "forbidden", PermissionDenied),
            (403, "insufficientPermissions", PermissionDenied),
            (403, "rateLimitExceeded", Unavailable),
            (403, "userRateLimitExceeded", Unavailable),
            (403, "quotaExceeded", Unavailable),
            (404, "notFound", NotFound),
            (405, "methodNotAllowed", Unsupported),
            (408, "requestTimeout", Timeout),
            (409, "conflict", Conflict),
            (410, "uploadGone", Unavailable),
            (412, "conditionNotMet", Conflict),
            (413, "uploadTooLarge", InvalidArgument),
            (416, "requestedRangeNotSatisfiable", InvalidArgument),
            (418, "teapot", PortableError),
            (429, "rateLimitExceeded", Unavailable),
            (499, "", Unavailable),
            (500, "internalError", Unavailable),
            (501, "notImplemented", Unsupported),
            (502, "backendError", Unavailable),
            (503, "backendError", Unavailable),
            (504, "", Timeout),
        ],
    )
    def test_an_answer_is_classified_by_its_status_and_reason(
        self, status: int, reason: str, kind: type[PortableError]
    ) -> None:
        assert issubclass(driver.classify(answered(status, json_body(reason))), kind)

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (requests.ConnectTimeout(), Timeout),
            (requests.ReadTimeout(), Timeout),
            (ReadTimeoutError(*READING), Timeout),  # type: ignore[arg-type]  # no pool at hand
            (requests.ConnectionError("reset"), Unavailable),
            (requests.exceptions.ChunkedEncodingError("cut"), Unavailable),
            (IncompleteRead(1, 2), Unavailable),
            (ConnectionResetError(), Unavailable),
            (requests.exceptions.InvalidURL("?"), InvalidArgument),
            (TransportError("no token server"), Unavailable),
            (RefreshError("overloaded", retryable=True), Unavailable),
            (RefreshError("revoked"), PermissionDenied),
            (DefaultCredentialsError("none"), PermissionDenied),
            (Damaged("other bytes"), PortableError),
            (Refused(Conflict, "no"), Conflict),
        ],
        ids=repr,
    )
    def test_what_happens_on_the_way_is_classified(self, error: Exception, kind: type[PortableError]) -> None:
        assert driver.classify(error) is kind

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (answered(403, json_body("forbidden", "Not you.")), "403 Not you."),
            (
                answered(403, "<Error><Code>AccessDenied</Code><Message>Access denied.</Message></Error>"),
                "403 AccessDenied: Access denied.",
            ),
            (answered(502, "<html>Bad gateway</html>"), "502"),
            (answered(404), "404"),
        ],
        ids=["json", "xml", "html", "nothing"],
    )
    def test_an_answer_is_told_by_what_it_says(self, error: Exception, told: str) -> None:
        assert driver.explain(error) == told

    @pytest.mark.parametrize("error", [answered(404), answered(500, "?upload_id=secret"), NOT_SENT], ids=repr)
    def test_no_error_tells_the_query_of_its_address(self, error: Exception) -> None:
        assert "secret" not in driver.explain(error)

    def test_missing_credentials_are_told_with_what_to_do(self) -> None:
        assert "GOOGLE_APPLICATION_CREDENTIALS" in driver.explain(DefaultCredentialsError("none"))

    @pytest.mark.parametrize("error", [answered(429), NOT_SENT, requests.ConnectTimeout()], ids=repr)
    def test_a_throttled_or_unsent_request_changed_nothing(self, error: Exception) -> None:
        assert driver.changed_nothing(error)

    @pytest.mark.parametrize(
        "error", [answered(503), requests.ConnectionError("reset"), requests.ReadTimeout()], ids=repr
    )
    def test_a_request_whose_answer_was_lost_may_have_changed_something(self, error: Exception) -> None:
        assert not driver.changed_nothing(error)

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [("7", 7.0), ("0", 0.0), ("Fri, 20 Nov 2026 00:00:00 GMT", 0.0), ("soon", None), (None, None)],
    )
    def test_the_wait_that_the_service_asks_for_is_read(self, header: str | None, seconds: float | None) -> None:
        headers = {} if header is None else {"Retry-After": header}

        assert driver.retry_after(answered(503, headers=headers)) == seconds


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "told"),
        [
            ("gs://", "write it like gs://name"),
            ("gs://photos/in", "write it like gs://name"),
            ("gs://photos?endpont=http://127.0.0.1:1", "did you mean 'endpoint'"),
            ("gs://photos?region=eu", "known: endpoint"),
            ("gs://photos?endpoint=127.0.0.1", "http://"),
        ],
    )
    def test_an_address_that_cannot_be_served_says_what_is_wrong(self, address: str, told: str) -> None:
        with pytest.raises(InvalidArgument, match=told):
            GSBucket.from_address(Address.parse(address), Opening())

    @pytest.mark.parametrize("version", ["0", "000", "-1", "1.5", "never", "\u0661"])
    def test_what_is_no_generation_conflicts_before_anything_is_sent(self, version: str) -> None:
        with pytest.raises(Refused) as caught:
            driver.delete("k", if_version=version)

        assert caught.value.kind is Conflict

    def test_the_emulator_that_the_sdk_knows_of_is_asked_without_credentials(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:4443")
        storage = Storage(None)

        assert (storage.base, storage.credentials.token) == ("http://127.0.0.1:4443", None)


@pytest.fixture
def address() -> Iterator[str]:
    harness = GcpHarness()
    try:
        made = harness.create("bucket", "gs", {})
    except MissingCounterpart as missing:
        pytest.skip(str(missing))
    yield made
    harness.destroy(made)


@pytest.fixture
def bucket(address: str) -> Bucket:
    return Bucket.at(address)


@pytest.fixture
def proxy(address: str) -> Iterator[Proxy]:
    where = GcpHarness().upstream(address)
    assert where is not None
    with Proxy(*where) as proxy:
        yield proxy


@pytest.fixture
def far(address: str, proxy: Proxy) -> Bucket:
    return Bucket.at(GcpHarness().through(address, proxy.host, proxy.port))


class TestRequests:
    @pytest.mark.parametrize(
        "operation",
        [
            pytest.param(lambda bucket: bucket.read("k"), id="read"),
            pytest.param(lambda bucket: bucket.open("k", start=1, stop=1).read(), id="read-nothing"),
            pytest.param(lambda bucket: bucket.info("k"), id="info"),
            pytest.param(lambda bucket: bucket.exists("missing"), id="exists"),
            pytest.param(lambda bucket: bucket.write("k", b"1"), id="write"),
            pytest.param(lambda bucket: bucket.write("k", bytes(8 * MIB)), id="write-8-mib"),
            pytest.param(lambda bucket: bucket.write("k", iter([b"1", b"2"])), id="write-pieces"),
            pytest.param(lambda bucket: bucket.create("new", b"1"), id="create"),
            pytest.param(lambda bucket: bucket.delete("k"), id="delete"),
            pytest.param(lambda bucket: bucket.delete_many(["k", "l", "m"]), id="delete-many"),
            pytest.param(lambda bucket: bucket.copy("k", "l"), id="copy"),
            pytest.param(lambda bucket: list(bucket.list()), id="list"),
        ],
    )
    def test_an_operation_is_one_request(
        self, bucket: Bucket, far: Bucket, proxy: Proxy, operation: Callable[[Bucket], object]
    ) -> None:
        bucket.write("k", b"there")
        operation(far)

        assert len(proxy.seen) == 1

    def test_signing_with_a_key_asks_nobody(self, far: Bucket, proxy: Proxy) -> None:
        far.sign("k")

        assert proxy.seen == []

    def test_the_error_of_an_upload_does_not_tell_its_name(self, far: Bucket, proxy: Proxy) -> None:
        proxy.inject(RESET, times=None, when=lambda request: "upload_id" in request.target)
        with pytest.raises(Unavailable) as caught:
            far.write("k", iter([bytes(9 * MIB)]))

        assert "upload_id" not in str(caught.value)

    def test_deleting_in_a_bucket_that_is_not_there_is_not_found(self, address: str) -> None:
        nowhere = Bucket.at(GcpHarness().unreachable("bucket", "gs") or "")

        with pytest.raises(NotFound, match="bucket does not exist"):
            nowhere.delete("k")
        with pytest.raises(NotFound, match="bucket does not exist"):
            nowhere.delete_many(["k"])

    def test_metadata_that_others_wrote_is_read_by_lower_case_names(self, bucket: Bucket) -> None:
        blob = bucket.native().bucket(bucket.name).blob("k")
        blob.metadata = {"Mixed-Case": "100% ü"}
        blob.upload_from_string(b"1")

        with bucket.open("k") as stream:
            assert stream.info == bucket.info("k")
            assert stream.info.metadata == {"mixed-case": "100% ü"}

    def test_the_sdks_client_reads_what_was_written(self, bucket: Bucket) -> None:
        bucket.write("k", b"1", metadata={"by": "Ada L."})
        blob = bucket.native().bucket(bucket.name).get_blob("k")

        assert (blob.download_as_bytes(), blob.metadata) == (b"1", {"by": "Ada L."})


class Stingy(Service):
    """Keeps no more than 3 MiB of a part, as the service may."""

    def _upload_part(self, request: Request, bucket: str) -> Answer:
        most = 3 * MIB
        if len(request.body) > most:
            first = int(request.headers["content-range"].partition(" ")[2].partition("-")[0])
            cut = {**request.headers, "content-range": f"bytes {first}-{first + most - 1}/*"}
            request = request.replace(body=request.body[:most], headers=cut)
        return super()._upload_part(request, bucket)


class Stubborn(Service):
    """Keeps nothing of any part."""

    def _upload_part(self, request: Request, bucket: str) -> Answer:
        return Answer(308)


class Anybody(Access):
    def has_token(self, headers: object) -> bool:
        return True


@pytest.fixture
def serve(address: str) -> Iterator[Callable[[type[Service]], Bucket]]:
    """Starts another server of the fake, and opens a bucket there; *address* has set the credentials."""
    account = json.loads(Path(fake_gcs.start().folder, "public.json").read_text())
    servers: list[Server] = []

    def start(service: type[Service]) -> Bucket:
        server = Server(("127.0.0.1", 0), type("Stub", (Handler,), {"service": service(Anybody(account))}))
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        storage_at(endpoint).client.create_bucket("photos")
        return Bucket.at(f"gs://photos?endpoint={endpoint}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class TestUploads:
    @pytest.mark.parametrize("body", [bytes(9 * MIB), iter([bytes(9 * MIB)]), iter([b"x" * (40 * MIB)])], ids=range(3))
    def test_what_the_service_did_not_keep_of_a_part_is_sent_again(
        self, serve: Callable[[type[Service]], Bucket], body: Any
    ) -> None:
        bucket = serve(Stingy)
        info = bucket.write("k", body)

        assert (info.size, bucket.read("k")[-1:]) == (bucket.info("k").size, b"x" if info.size > 9 * MIB else b"\0")

    def test_a_service_that_keeps_nothing_is_not_asked_for_ever(self, serve: Callable[[type[Service]], Bucket]) -> None:
        with pytest.raises(Unavailable, match="takes no more"):
            serve(Stubborn).write("k", iter([bytes(9 * MIB)]))

    def test_bytes_that_came_otherwise_than_they_were_sent_are_refused(
        self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(_uploads, "_encoded", lambda checksum: "AAAAAA==")

        with pytest.raises(InvalidArgument, match="CRC32C"):
            bucket.write("small", b"1")
        with pytest.raises(InvalidArgument, match="CRC32C"):
            bucket.write("large", bytes(9 * MIB))
        assert list(bucket.list()) == []


class Transport:
    """Answers as the metadata server and as IAM do; *signer* is the account's key, or None where nobody may sign."""

    def __init__(self, signer: Any) -> None:
        self._signer = signer

    def __call__(self, url: str, method: str = "GET", body: bytes | None = None, **_: object) -> Any:
        status = 200
        told: dict[str, Any] = {}
        if url.endswith("/service-accounts/default/?recursive=true"):
            told = {"email": fake_gcs.EMAIL, "scopes": []}
        elif "/token" in url:
            told = {"access_token": "token", "expires_in": 3600}
        elif self._signer is None:
            status, told = 403, {"error": {"code": 403, "status": "PERMISSION_DENIED"}}
        else:
            assert url.endswith(f"/serviceAccounts/{fake_gcs.EMAIL}:signBlob")
            message = base64.b64decode(json.loads(body or b"")["payload"])
            told = {"signedBlob": base64.b64encode(self._signer.sign(message)).decode()}
        answer = type("Answer", (), {"status": status, "headers": {"content-type": "application/json"}})()
        answer.data = json.dumps(told).encode()
        return answer


class TestSigning:
    def test_an_attached_account_signs_by_iam(self, bucket: Bucket) -> None:
        key = RSASigner.from_service_account_file(fake_gcs.key_file(fake_gcs.start()))
        bucket.write("k", b"there")
        blob = bucket.native().bucket(bucket.name).blob("k")
        credentials = signing(AttachedCredentials(universe_domain="googleapis.com"), Transport(key))
        address = blob.generate_signed_url(version="v4", expiration=60, credentials=credentials)

        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=60) as answer:
            assert answer.read() == b"there"

    def test_an_account_that_may_not_sign_is_told_what_it_needs(self) -> None:
        credentials = signing(AttachedCredentials(universe_domain="googleapis.com"), Transport(None))

        with pytest.raises(Refused, match=r"roles/iam\.serviceAccountTokenCreator") as caught:
            credentials.sign_bytes(b"message")
        assert caught.value.kind is PermissionDenied

    def test_a_users_own_credentials_do_not_sign(self) -> None:
        with pytest.raises(Refused, match="cannot sign") as caught:
            signing(UserCredentials("token"))

        assert caught.value.kind is PermissionDenied


FORKED = """
import os, sys
from portable.blob import Bucket
bucket = Bucket.at(sys.argv[1])
bucket.write("k", b"parent's")
children = []
for number in range(4):
    child = os.fork()
    if not child:
        for turn in range(20):
            bucket.write(f"{number}/{turn}", b"%d" % turn)
            if bucket.read(f"{number}/{turn}") != b"%d" % turn or bucket.read("k") != b"parent's":
                os._exit(1)
        os._exit(0)
    children.append(child)
for _ in range(20):
    if bucket.read("k") != b"parent's":
        sys.exit(2)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""


@pytest.mark.slow
def test_workers_forked_after_the_first_use_do_not_share_a_connection(address: str) -> None:
    done = subprocess.run([sys.executable, "-c", FORKED, address], timeout=120, check=False)

    assert done.returncode == 0
