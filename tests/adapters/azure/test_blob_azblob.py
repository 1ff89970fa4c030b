"""Buckets in Azure Blob Storage: what the conformance suite cannot say of them."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)
from azure.identity import CredentialUnavailableError

from portable.blob import Bucket
from portable_azure._addresses import Place, place
from portable_azure._clients import account_of
from portable_azure.blob import AzureBucket
from portable_azure.harness import AzureHarness
from portable_azure.limits import BLOCK
from portable_conformance.counterparts.faults import LOST, Proxy, refusal
from portable_contracts.blob import BlobInfo, Prefix
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
)
from portable_contracts.harness import MissingCounterpart
from portable_contracts.provider import Address, Opening

driver = AzureBucket.from_address(Address.parse("azblob://photos?account=acme"), Opening())


def answered(status: int, code: str = "", sentence: str = "It failed.") -> HttpResponseError:
    error = HttpResponseError(f"{sentence}\nRequestId:1\nTime:2026-11-21T00:00:00Z")
    error.status_code = status
    error.error_code = code  # type: ignore[attr-defined]  # as the SDK sets it
    return error


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (404, "BlobNotFound", NotFound),
            (404, "ContainerNotFound", NotFound),
            (404, "CannotVerifyCopySource", NotFound),
            (404, "", NotFound),
            (409, "BlobAlreadyExists", AlreadyExists),
            (412, "ConditionNotMet", Conflict),
            (412, "", Conflict),
            (412, "LeaseIdMissing", Unavailable),
            (409, "ContainerBeingDeleted", Unavailable),
            (409, "BlobImmutableDueToPolicy", PermissionDenied),
            (403, "AuthenticationFailed", PermissionDenied),
            (403, "AuthorizationPermissionMismatch", PermissionDenied),
            (401, "", PermissionDenied),
            (400, "InvalidMetadata", InvalidArgument),
            (400, "InvalidBlockList", Unavailable),
            (413, "RequestBodyTooLarge", InvalidArgument),
            (429, "", Unavailable),
            (500, "InternalError", Unavailable),
            (500, "OperationTimedOut", Timeout),
            (503, "ServerBusy", Unavailable),
            (504, "", Timeout),
            (409, "SomethingNew", PortableError),
            (418, "", PortableError),
        ],
    )
    def test_an_answer_is_classified_by_its_code_and_then_its_status(
        self, status: int, code: str, kind: type[PortableError]
    ) -> None:
        assert driver.classify(answered(status, code)) is kind

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (ServiceRequestError("no route"), Unavailable),
            (ServiceResponseError("reset"), Unavailable),
            (IncompleteReadError("cut"), Unavailable),
            (ServiceRequestTimeoutError("slow"), Timeout),
            (ServiceResponseTimeoutError("slow"), Timeout),
            (ConnectionResetError(), Unavailable),
            (ClientAuthenticationError("who?"), PermissionDenied),
            (CredentialUnavailableError("nobody signed in"), PermissionDenied),
            (HttpResponseError(error=IncompleteReadError("cut")), Unavailable),
            (AzureError("what?"), PortableError),
        ],
        ids=repr,
    )
    def test_what_happens_on_the_way_is_classified(self, error: Exception, kind: type[PortableError]) -> None:
        assert driver.classify(error) is kind

    def test_an_error_is_told_in_one_line_that_begins_with_its_code(self) -> None:
        assert driver.explain(answered(409, "BlobArchived", "It is archived.")) == "BlobArchived: It is archived."

    @pytest.mark.parametrize(
        "error", [answered(503, "ServerBusy"), answered(429), ServiceRequestError("refused")], ids=repr
    )
    def test_a_throttled_or_unsent_request_changed_nothing(self, error: Exception) -> None:
        assert driver.changed_nothing(error)

    @pytest.mark.parametrize("error", [answered(500, "InternalError"), ServiceResponseError("reset")], ids=repr)
    def test_a_request_whose_answer_was_lost_may_have_changed_something(self, error: Exception) -> None:
        assert not driver.changed_nothing(error)


class TestAddresses:
    def test_an_address_names_container_account_and_endpoint(self) -> None:
        address = Address.parse("azblob://photos?account=acme&endpoint=http://127.0.0.1:10000/acme/")

        assert place(address) == Place("photos", "acme", "http://127.0.0.1:10000/acme")

    @pytest.mark.parametrize(
        ("address", "told"),
        [
            ("azblob://?account=acme", "has no name"),
            ("azblob://photos/in?account=acme", "has a path"),
            ("azblob://photos?acount=acme", "did you mean 'account'"),
            ("azblob://photos?region=westeurope", "known: account, endpoint"),
            ("azblob://photos?account=Not-An-Account", "3 to 24"),
            ("azblob://photos?endpoint=acme.blob.core.windows.net", "https://"),
        ],
    )
    def test_an_address_that_cannot_be_served_says_what_is_wrong(self, address: str, told: str) -> None:
        with pytest.raises(InvalidArgument, match=told):
            AzureBucket.from_address(Address.parse(address), Opening())


PHOTOS = Place("photos", "acme", "")
CONNECTION = "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=a2V5==;EndpointSuffix=core.chinacloudapi.cn"


class TestAccounts:
    def test_an_account_without_credentials_is_signed_in_to_as_whoever_runs(self) -> None:
        account = account_of("blob", PHOTOS, {})

        assert (account.endpoint, account.key) == ("https://acme.blob.core.windows.net", "")

    def test_a_key_of_the_environment_signs(self) -> None:
        account = account_of("table", PHOTOS, {"AZURE_STORAGE_ACCOUNT": "acme", "AZURE_STORAGE_KEY": "a2V5"})

        assert (account.endpoint, account.key) == ("https://acme.table.core.windows.net", "a2V5")

    def test_a_key_of_another_account_is_left_alone(self) -> None:
        account = account_of("blob", PHOTOS, {"AZURE_STORAGE_ACCOUNT": "other", "AZURE_STORAGE_KEY": "a2V5"})

        assert (account.name, account.key) == ("acme", "")

    def test_a_connection_string_tells_key_and_cloud(self) -> None:
        account = account_of("blob", PHOTOS, {"AZURE_STORAGE_CONNECTION_STRING": CONNECTION})

        assert (account.endpoint, account.key) == ("https://acme.blob.core.chinacloudapi.cn", "a2V5==")

    def test_a_connection_string_names_endpoints_of_its_own(self) -> None:
        text = "AccountName=acme;AccountKey=a2V5;QueueEndpoint=http://127.0.0.1:10001/acme/"
        account = account_of("queue", PHOTOS, {"AZURE_STORAGE_CONNECTION_STRING": text})

        assert account.endpoint == "http://127.0.0.1:10001/acme"

    def test_an_endpoint_of_the_address_goes_before_others(self) -> None:
        there = PHOTOS.replace(endpoint="http://127.0.0.1:1/acme")
        account = account_of("blob", there, {"AZURE_STORAGE_CONNECTION_STRING": CONNECTION})

        assert (account.endpoint, account.key) == ("http://127.0.0.1:1/acme", "a2V5==")

    def test_the_environment_names_the_account_where_the_address_does_not(self) -> None:
        assert account_of("blob", PHOTOS.replace(account=""), {"AZURE_STORAGE_ACCOUNT": "mine"}).name == "mine"

    def test_an_account_that_nothing_names_is_asked_for(self) -> None:
        with pytest.raises(InvalidArgument, match=r"add \?account=NAME"):
            account_of("blob", PHOTOS.replace(account=""), {})

    def test_a_key_is_not_printed(self) -> None:
        assert "a2V5" not in repr(account_of("blob", PHOTOS, {"AZURE_STORAGE_CONNECTION_STRING": CONNECTION}))


@pytest.fixture
def address() -> Iterator[str]:
    harness = AzureHarness()
    try:
        made = harness.create("bucket", "azblob", {})
    except MissingCounterpart as missing:
        pytest.skip(str(missing))
    yield made
    harness.destroy(made)


@pytest.fixture
def bucket(address: str) -> Bucket:
    return Bucket.at(address)


@pytest.fixture
def proxy(address: str) -> Iterator[Proxy]:
    where = AzureHarness().upstream(address)
    assert where is not None
    with Proxy(*where) as proxy:
        yield proxy


@pytest.fixture
def far(address: str, proxy: Proxy) -> Bucket:
    return Bucket.at(AzureHarness().through(address, proxy.host, proxy.port))


class TestRequests:
    @pytest.mark.parametrize(
        "operation",
        [
            pytest.param(lambda bucket: bucket.read("k"), id="read"),
            pytest.param(lambda bucket: bucket.info("k"), id="info"),
            pytest.param(lambda bucket: bucket.exists("missing"), id="exists"),
            pytest.param(lambda bucket: bucket.write("k", b"1"), id="write"),
            pytest.param(lambda bucket: bucket.write("k", bytes(BLOCK + 1)), id="write-20-mib"),
            pytest.param(lambda bucket: bucket.write("k", iter([b"1", b"2"])), id="write-pieces"),
            pytest.param(lambda bucket: bucket.create("new", b"1"), id="create"),
            pytest.param(lambda bucket: bucket.delete("k"), id="delete"),
            pytest.param(lambda bucket: bucket.delete_many(["k", "l", "m"]), id="delete-many"),
            pytest.param(lambda bucket: list(bucket.list()), id="list"),
        ],
    )
    def test_an_operation_is_one_request(self, bucket: Bucket, far: Bucket, proxy: Proxy, operation: object) -> None:
        bucket.write("k", b"there")
        operation(far)  # type: ignore[operator]  # one of the above

        assert len(proxy.seen) == 1

    def test_signing_with_a_key_asks_nobody(self, far: Bucket, proxy: Proxy) -> None:
        far.sign("k")

        assert proxy.seen == []

    def test_no_error_tells_the_key_or_the_signature(self, far: Bucket, proxy: Proxy) -> None:
        proxy.inject(LOST, times=None)
        with pytest.raises(Unavailable) as caught:
            far.create("k", b"1")

        assert "Eby8vdM02x" not in f"{caught.value!r} {caught.value.__cause__!r}"
        assert "SharedKey" not in f"{caught.value!r} {caught.value.__cause__!r}"


def _dropped(proxy: Proxy) -> None:
    """Let the service have dropped the blocks when they are to be committed."""
    dropped = refusal(400, {"x-ms-error-code": "InvalidBlockList", "content-type": "application/xml"})
    proxy.inject(dropped, times=None, when=lambda request: "comp=blocklist" in request.target)


class TestBlocks:
    def test_a_write_whose_blocks_were_dropped_says_so(self, far: Bucket, proxy: Proxy) -> None:
        _dropped(proxy)

        with pytest.raises(Unavailable, match="another write to the key ended meanwhile"):
            far.write("k", iter([bytes(BLOCK + 1)]))

    def test_a_guarded_write_whose_blocks_were_dropped_conflicts(self, far: Bucket, proxy: Proxy) -> None:
        version = far.write("k", b"first").version
        _dropped(proxy)

        with pytest.raises(Conflict):
            far.write("k", iter([bytes(BLOCK + 1)]), if_version=version)

    def test_two_writers_of_blocks_do_not_mix_theirs(self, bucket: Bucket) -> None:
        def body() -> Iterator[bytes]:
            yield b"o" * (BLOCK + 1)
            with pytest.raises(Unavailable):
                bucket.write("k", _failing(b"i" * (BLOCK + 1)))
            yield b"o"

        bucket.write("k", body())

        assert set(bucket.read("k")) == set(b"o")

    def test_bytes_too_many_for_one_request_are_written_whole(self, bucket: Bucket) -> None:
        body = random.Random(1).randbytes(4 * BLOCK + 1)
        info = bucket.write("k", body)

        assert (info, bucket.read("k")) == (bucket.info("k"), body)


def _failing(first: bytes) -> Iterator[bytes]:
    yield first
    raise Unavailable("the body ends here")


ALPHABET = ["a", "~", "\ud7ff", "\ue000", "\uffee", "\U00010000", "\U0001f600", "/x"]
"""On both sides of where the orders of UTF-8 and UTF-16 part."""


def _keys(seed: int) -> list[str]:
    chance = random.Random(seed)
    made = {"k" + "".join(chance.choices(ALPHABET, k=chance.randint(0, 4))) for _ in range(30)}
    return sorted(made)


class TestOrder:
    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(3))
    def test_pages_of_any_size_keep_the_order_of_utf_8(self, bucket: Bucket, seed: int) -> None:
        keys = _keys(seed)
        for key in keys:
            bucket.write(key, b"")
        grouped = sorted({key[: key.find("/") + 1] or key for key in keys})

        for limit in (1, 3, 10, 5000):
            assert _paged(bucket, limit, None) == keys
            assert _paged(bucket, limit, "/") == grouped


def _paged(bucket: Bucket, limit: int, delimiter: str | None) -> list[str]:
    found: list[BlobInfo | Prefix] = []
    cursor = None
    while True:
        page = bucket.page(delimiter=delimiter, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return [entry.key if isinstance(entry, BlobInfo) else entry.name for entry in found]


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
