"""Buckets in Tencent COS: what the conformance suite cannot say of them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import urllib3
from qcloud_cos.cos_exception import CosClientError, CosServiceError

from portable.blob import Bucket
from portable_conformance.counterparts import cos
from portable_conformance.counterparts._tencent_accounts import account_of
from portable_conformance.counterparts.faults import Proxy, refusal
from portable_contracts.blob import BlobInfo, Prefix
from portable_contracts.errors import (
    AlreadyExists,
    Conflict,
    InvalidArgument,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PortableError,
    Timeout,
    Unavailable,
    Unsupported,
)
from portable_contracts.provider import Address, Opening
from portable_tencent import blob
from portable_tencent._clients import credentials
from portable_tencent._cos_metadata import from_headers, to_headers
from portable_tencent.blob import CosBucket
from portable_tencent.harness import TencentHarness

MIB = 1 << 20
driver = CosBucket.from_address(Address.parse("cos://photos-1250000000?region=ap-guangzhou"), Opening())


@pytest.fixture
def harness() -> TencentHarness:
    return TencentHarness()


@pytest.fixture
def address(harness: TencentHarness) -> Iterator[str]:
    address = harness.create("bucket", "cos", {})
    yield address
    harness.destroy(address)


@pytest.fixture
def bucket(address: str) -> Bucket:
    return Bucket.at(address)


@pytest.fixture
def proxy(harness: TencentHarness, address: str) -> Iterator[Proxy]:
    host, port = harness.upstream(address) or ("", 0)
    with Proxy(host, port) as proxy:
        yield proxy


@pytest.fixture
def far(harness: TencentHarness, address: str, proxy: Proxy) -> Bucket:
    return Bucket.at(harness.through(address, proxy.host, proxy.port))


def answered(status: int, code: str = "", body: str = "") -> CosServiceError:
    """Make the error that the SDK makes of an answer."""
    told = (
        f"<?xml version='1.0' encoding='utf-8' ?><Error><Code>{code}</Code><Message>It failed.</Message>"
        "<Resource>/k</Resource><RequestId>NjQ=</RequestId><TraceId>OGVm</TraceId></Error>"
    )
    return CosServiceError("GET", told if code else body or requests.structures.CaseInsensitiveDict(), status)


def broken(error: Exception) -> CosClientError:
    """Make the error that the SDK makes of one on the wire."""
    try:
        try:
            raise error
        except Exception as caught:
            raise CosClientError(str(caught))  # noqa: B904  # as the SDK does
    except CosClientError as made:
        return made


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (404, "NoSuchKey", NotFound),
            (404, "NoSuchBucket", NotFound),
            (404, "", NotFound),
            (404, "NoSuchUpload", PortableError),
            (409, "FileAlreadyExists", AlreadyExists),
            (409, "PathConflict", Unavailable),
            (409, "BucketNotEmpty", PortableError),
            (412, "PreconditionFailed", Conflict),
            (412, "", Conflict),
            (403, "AccessDenied", PermissionDenied),
            (403, "SignatureDoesNotMatch", PermissionDenied),
            (403, "RequestTimeTooSkewed", PermissionDenied),
            (403, "InvalidObjectState", PortableError),
            (400, "ExpiredToken", PermissionDenied),
            (400, "RequestTimeout", Timeout),
            (400, "IncompleteBody", Unavailable),
            (400, "EntityTooSmall", PortableError),
            (402, "PaymentRequired", PermissionDenied),
            (429, "", Unavailable),
            (500, "InternalError", Unavailable),
            (501, "NotImplemented", Unsupported),
            (503, "SlowDown", Unavailable),
            (503, "", Unavailable),
            (504, "", Timeout),
            (418, "SomethingNew", PortableError),
        ],
    )
    def test_an_answer_is_classified_by_its_code_and_then_its_status(
        self, status: int, code: str, kind: type[PortableError]
    ) -> None:
        assert driver.classify(answered(status, code)) is kind

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (requests.ConnectionError("refused"), Unavailable),
            (requests.exceptions.ChunkedEncodingError("cut"), Unavailable),
            (requests.exceptions.SSLError("unknown authority"), Unavailable),
            (requests.ConnectTimeout("slow"), Timeout),
            (requests.ReadTimeout("slow"), Timeout),
            (ValueError("what?"), PortableError),
        ],
        ids=repr,
    )
    def test_what_the_sdk_hides_in_an_error_of_its_own_is_classified(
        self, error: Exception, kind: type[PortableError]
    ) -> None:
        assert driver.classify(broken(error)) is kind

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (urllib3.exceptions.ProtocolError("cut"), Unavailable),
            (urllib3.exceptions.ReadTimeoutError(None, "/", "slow"), Timeout),  # type: ignore[arg-type]  # no pool here
            (ConnectionResetError(), Unavailable),
            (CosClientError("the SDK refused it"), PortableError),
            (Unsupported("no"), Unsupported),
        ],
        ids=repr,
    )
    def test_what_breaks_while_a_body_is_read_is_classified(self, error: Exception, kind: type[PortableError]) -> None:
        assert driver.classify(error) is kind

    def test_an_error_is_told_by_its_code_with_the_id_that_support_asks_for(self) -> None:
        assert driver.explain(answered(403, "AccessDenied")) == "AccessDenied: It failed. (request NjQ=)"

    @pytest.mark.parametrize("error", [answered(502, body="<html>"), answered(502)], ids=["a-page", "nothing"])
    def test_an_answer_that_is_not_of_cos_is_told_by_its_status(self, error: CosServiceError) -> None:
        assert driver.explain(error) == "COS answered 502"

    def test_an_error_on_the_wire_is_told_without_the_address(self, proxy: Proxy, far: Bucket) -> None:
        proxy.close()

        with pytest.raises(Unavailable, match=r"COS is out of reach: .*refused") as caught:
            far.info("a/secret/key")
        assert "a/secret/key" not in str(caught.value).partition("COS is")[2]

    @pytest.mark.parametrize("error", [answered(503, "SlowDown"), answered(429)], ids=["code", "status"])
    def test_a_throttled_request_changed_nothing(self, error: CosServiceError) -> None:
        assert driver.changed_nothing(error)

    @pytest.mark.parametrize("error", [answered(500, "InternalError"), broken(requests.ConnectionError())], ids=repr)
    def test_a_request_whose_answer_was_lost_may_have_changed_something(self, error: Exception) -> None:
        assert not driver.changed_nothing(error)

    @pytest.mark.parametrize("waits", [({"Retry-After": "7"}, 7.0), ({}, None), ({"Retry-After": "soon"}, None)])
    def test_the_wait_that_the_service_asks_for_is_told(
        self, far: Bucket, proxy: Proxy, waits: tuple[dict[str, str], float | None]
    ) -> None:
        headers, expected = waits
        proxy.inject(refusal(503, headers, b"<Error/>"))
        with pytest.raises(CosServiceError) as caught:
            far._connection.driver.info("k")

        assert driver.retry_after(caught.value) == expected


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "said"),
        [
            ("cos://photos?region=ap-guangzhou", "APPID"),
            ("cos://Photos-125?region=ap-guangzhou", "APPID"),
            ("cos://photos-125/in?region=ap-guangzhou", "APPID"),
            ("cos://photos-125?regoin=ap-guangzhou", "did you mean 'region'"),
            ("cos://photos-125", "region=ap-guangzhou"),
            ("cos://photos-125?region=x&endpoint=127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("cos://photos-125?region=x&endpoint=http://127.0.0.1:9000/path", "http://127.0.0.1:9000"),
        ],
    )
    def test_a_wrong_one_is_refused_with_what_to_write(self, address: str, said: str) -> None:
        with pytest.raises(InvalidArgument, match=said):
            CosBucket.from_address(Address.parse(address), Opening())

    def test_the_region_of_the_target_is_used(self) -> None:
        opened = CosBucket.from_address(Address.parse("cos://photos-125"), Opening(region="eu-frankfurt"))

        assert opened._region == "eu-frankfurt"

    def test_the_region_of_the_function_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TENCENTCLOUD_REGION", "ap-tokyo")

        assert CosBucket.from_address(Address.parse("cos://photos-125"), Opening())._region == "ap-tokyo"

    def test_a_bucket_is_asked_for_by_its_name_in_its_region(self, signed_in: None) -> None:
        assert driver.native().get_conf().uri("photos-1250000000", "k") == (
            "https://photos-1250000000.cos.ap-guangzhou.myqcloud.com/k"
        )

    def test_another_name_of_the_service_may_be_given(self, signed_in: None) -> None:
        address = "cos://photos-125?region=ap-guangzhou&endpoint=https://cos.accelerate.myqcloud.com"
        opened = CosBucket.from_address(Address.parse(address), Opening())

        assert opened.native().get_conf().uri("photos-125", "k") == "https://photos-125.cos.accelerate.myqcloud.com/k"


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENCENTCLOUD_SECRETID", "AKIDportable-role-0")
    monkeypatch.setenv("TENCENTCLOUD_SECRETKEY", "the-secret-key")
    monkeypatch.setenv("TENCENTCLOUD_SESSIONTOKEN", "the-session-token")


@pytest.fixture
def signed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRETID", "SECRETKEY", "SESSIONTOKEN", "SECRET_ID", "SECRET_KEY", "TOKEN"):
        monkeypatch.delenv(f"TENCENTCLOUD_{name}", raising=False)


class TestCredentials:
    def test_without_any_the_error_says_what_to_set(self, address: str, signed_out: None) -> None:
        with pytest.raises(PermissionDenied, match="TENCENTCLOUD_SECRET_ID"):
            Bucket.at(address).info("k")

    def test_a_key_of_other_tools_is_used(self, signed_out: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "AKIDother")
        monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "key")

        assert (credentials().identity, credentials().token) == ("AKIDother", None)

    def test_those_that_the_platform_renews_are_used_from_the_next_call_on(
        self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bucket.write("k", b"1")
        renewed = account_of("AKIDportable-role-renewed")
        assert renewed is not None
        monkeypatch.setenv("TENCENTCLOUD_SECRETID", "AKIDportable-role-renewed")
        with pytest.raises(PermissionDenied):
            bucket.read("k")
        monkeypatch.setenv("TENCENTCLOUD_SECRETKEY", renewed.key)
        monkeypatch.setenv("TENCENTCLOUD_SESSIONTOKEN", renewed.token)

        assert bucket.read("k") == b"1"

    @pytest.mark.parametrize("variable", ["SECRETID", "SECRETKEY", "SESSIONTOKEN"])
    def test_wrong_ones_are_refused_and_told_nowhere(
        self,
        address: str,
        variable: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level(logging.DEBUG)
        monkeypatch.setenv(f"TENCENTCLOUD_{variable}", "wrong-one")
        told = [os.environ["TENCENTCLOUD_SECRETKEY"], os.environ["TENCENTCLOUD_SESSIONTOKEN"], "q-signature"]
        with pytest.raises(PermissionDenied) as caught:
            Bucket.at(address).read("k")

        said = "".join((str(caught.value), repr(caught.value), caplog.text, *capfd.readouterr()))
        assert [secret for secret in told if secret in said] == []

    def test_they_do_not_show_themselves(self, signed_in: None) -> None:
        assert "the-secret-key" not in repr(credentials())
        assert "the-session-token" not in repr(credentials())


class TestCreating:
    @pytest.mark.parametrize("status", ["Enabled", "Suspended"])
    def test_a_bucket_with_versions_has_no_create_and_keeps_what_is_there(self, bucket: Bucket, status: str) -> None:
        bucket.write("k", b"old")
        bucket.native().put_bucket_versioning(bucket.name, status)
        with pytest.raises(Unsupported, match="versions of the bucket are"):
            bucket.create("k", b"new")

        assert bucket.read("k") == b"old"

    def test_whether_a_bucket_has_versions_is_asked_once(self, far: Bucket, proxy: Proxy) -> None:
        far.create("a", b"1")
        far.create("b", b"1")

        assert [(seen.method, seen.target) for seen in proxy.seen] == [
            ("GET", "/?versioning="),
            ("PUT", "/a"),
            ("PUT", "/b"),
        ]

    def test_a_fault_before_the_write_itself_is_outlived(self, far: Bucket, proxy: Proxy) -> None:
        proxy.inject(refusal(500, forward=True))
        far.create("k", b"1")

        assert far.read("k") == b"1"


class TestRequests:
    @pytest.mark.parametrize(
        "operation",
        [
            lambda bucket: bucket.read("k"),
            lambda bucket: bucket.info("k"),
            lambda bucket: bucket.write("k", b"2" * 2000),
            lambda bucket: bucket.write("k", iter([b"2", b"3"])),
            lambda bucket: bucket.delete("k"),
            lambda bucket: bucket.delete_many(["k", "l", "m"]),
            lambda bucket: bucket.page(),
        ],
        ids=["read", "info", "write", "write-pieces", "delete", "delete-many", "page"],
    )
    def test_an_operation_takes_one(
        self, bucket: Bucket, far: Bucket, proxy: Proxy, operation: Callable[[Bucket], object]
    ) -> None:
        bucket.write("k", b"1")
        operation(far)

        assert len(proxy.seen) == 1

    def test_each_carries_the_token_of_the_role(self, far: Bucket, proxy: Proxy) -> None:
        far.write("k", b"1")

        assert proxy.seen[0].headers["x-cos-security-token"] == os.environ["TENCENTCLOUD_SESSIONTOKEN"]

    def test_large_groups_are_not_read_to_be_skipped(self, bucket: Bucket, far: Bucket, proxy: Proxy) -> None:
        cos.steer(cos.start(), "fill", bucket=bucket.name, count="5000")  # Fifty keys in each of a hundred groups.

        # "/photo-" is a delimiter that COS itself does not take.
        entries = list(far.list(delimiter="/photo-"))

        assert entries == [Prefix(f"{number:02}/photo-") for number in range(100)]
        assert len(proxy.seen) <= 6

    def test_a_forked_child_has_connections_of_its_own(self, address: str) -> None:
        program = f"""
import os
from portable.blob import Bucket
bucket = Bucket.at({address!r})
bucket.write("k", b"parent")
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        for turn in range(20):
            bucket.write(f"k{{number}}", b"%d %d" % (number, turn))
            assert bucket.read(f"k{{number}}") == b"%d %d" % (number, turn)
        os._exit(0)
    children.append(child)
for turn in range(20):
    assert bucket.read("k") == b"parent"
print([os.waitpid(child, 0)[1] for child in children])
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)

        assert (done.stdout, done.stderr) == ("[0, 0, 0, 0]\n", "")


class TestObjects:
    def test_a_copy_that_takes_parts_keeps_bytes_content_type_and_metadata(
        self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(blob, "_LARGEST_COPY", 3 * MIB)
        monkeypatch.setattr(blob, "_COPIED", MIB)
        body = os.urandom(3 * MIB + 1)
        bucket.write("k", body, content_type="text/css", metadata={"a": "ü"})
        copied = bucket.copy("k", "copy")

        assert bucket.read("copy") == body
        assert copied == bucket.info("copy")
        assert (copied.content_type, copied.metadata) == ("text/css", {"a": "ü"})

    def test_a_large_body_at_hand_is_sent_in_parts(self, bucket: Bucket, far: Bucket, proxy: Proxy) -> None:
        body = os.urandom(33 * MIB)
        written = far.write("k", body)

        assert sum(seen.size >= MIB for seen in proxy.seen) == 3
        assert (bucket.read("k"), bucket.info("k")) == (body, written)

    @pytest.mark.parametrize("key", ["a\uffffb", "\ufffe", "<&>\u2028"], ids=ascii)
    def test_a_key_that_no_xml_can_hold_is_deleted_among_others(self, bucket: Bucket, key: str) -> None:
        bucket.write(key, b"1")
        bucket.write("b", b"1")
        bucket.delete_many([key, "b"])

        assert list(bucket.list()) == []

    def test_bytes_that_their_owner_calls_compressed_come_as_they_are(self, bucket: Bucket) -> None:
        bucket.native().put_object(bucket.name, b"no gzip at all", "k", ContentEncoding="gzip")

        assert bucket.read("k") == b"no gzip at all"


class TestMetadata:
    @pytest.mark.parametrize(
        ("value", "header"),
        [
            ("plain", "plain"),
            ("ü", "=?utf-8?b?w7w=?="),
            ("", "=?utf-8?b??="),
            (" a", "=?utf-8?b?IGE=?="),
            ("=?utf-8?b?eA==?=", "=?utf-8?b?PT91dGYtOD9iP2VBPT0/PQ==?="),
        ],
    )
    def test_what_a_header_cannot_hold_is_encoded(self, value: str, header: str) -> None:
        assert to_headers({"a": value}) == {"x-cos-meta-a": header}

    @pytest.mark.parametrize("size", [1799, 1800, 1801, 2047])
    def test_a_value_longer_than_a_header_goes_on_in_another(self, size: int) -> None:
        headers = to_headers({"a": "v" * size})

        assert max(len(name) + len(value) for name, value in headers.items()) <= 2048
        assert from_headers(headers) == {"a": "v" * size}

    def test_names_that_others_chose_are_read(self) -> None:
        assert from_headers({"x-cos-meta-a": "1", "x-cos-meta-a-1": "2", "x-cos-meta-b-c": "3", "etag": "x"}) == {
            "a": "1",
            "a-1": "2",
            "b-c": "3",
        }

    @pytest.mark.parametrize(("header", "value"), [("Ã¼", "ü"), ("ü", "ü"), ("=?utf-8?b?%%?=", "=?utf-8?b?%%?=")])
    def test_values_that_others_wrote_are_read(self, header: str, value: str) -> None:
        assert from_headers({"x-cos-meta-a": header}) == {"a": value}

    def test_more_than_fits_once_it_is_encoded_is_refused_and_nothing_is_stored(self, bucket: Bucket) -> None:
        with pytest.raises(LimitExceeded, match="4,096"):
            bucket.write("k", b"1", metadata={f"n{number}": "ü" for number in range(200)})

        assert not bucket.exists("k")


def status_of(address: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


class TestSigning:
    def test_an_address_carries_the_token_of_the_role(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        signed = bucket.sign("k")

        assert parse_qs(urlsplit(signed).query)["x-cos-security-token"] == [os.environ["TENCENTCLOUD_SESSIONTOKEN"]]
        assert status_of(signed) == 200

    def test_an_address_is_at_the_buckets_own_domain_where_it_has_one(self, signed_in: None) -> None:
        own = CosBucket("photos-125", "ap-guangzhou", domain="files.example.com")
        signed = Bucket.at("cos://photos-125?region=ap-guangzhou&domain=files.example.com").sign("a b")

        assert own._domain == "files.example.com"
        assert signed.startswith("https://files.example.com/a%20b?q-sign-algorithm=sha1")

    def test_a_server_that_cannot_tell_its_buckets_apart_signs_nothing(self, signed_in: None) -> None:
        with pytest.raises(Unsupported, match="domain="):
            Bucket.at("cos://photos-125?region=x&endpoint=http://127.0.0.1:9").sign("k")


class TestTheServer:
    """That it would notice: a judge that takes everything proves nothing."""

    @pytest.mark.parametrize("header", ["Authorization", "x-cos-security-token", "Host"])
    def test_a_request_without_this_header_is_refused(self, bucket: Bucket, far: Bucket, header: str) -> None:
        bucket.write("k", b"1")
        signed = urlsplit(bucket.sign("k"))
        told = {
            "Host": f"{bucket.name}.cos.ap-guangzhou.myqcloud.com",
            "Authorization": signed.query,
            "x-cos-security-token": os.environ["TENCENTCLOUD_SESSIONTOKEN"],
        }
        del told[header]
        with requests.get(cos.start().url + "/k", headers=told, timeout=30) as answer:
            assert answer.status_code in (403, 404)

    @pytest.mark.parametrize(
        ("sizes", "code"),
        [([MIB, 1], None), ([1, MIB], "EntityTooSmall"), ([MIB - 1, 1], "EntityTooSmall")],
        ids=str,
    )
    def test_parts_before_the_last_have_a_least_size(self, bucket: Bucket, sizes: list[int], code: str | None) -> None:
        sdk, name = bucket.native(), bucket.name
        upload = sdk.create_multipart_upload(name, "k")["UploadId"]
        etags = [sdk.upload_part(name, "k", b"x" * size, n, upload)["ETag"] for n, size in enumerate(sizes, 1)]
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]

        def complete() -> str | None:
            try:
                sdk.complete_multipart_upload(name, "k", upload, {"Part": parts})
            except CosServiceError as error:
                return str(error.get_error_code())
            return None

        assert complete() == code

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda parts: parts[::-1], "InvalidPartOrder"),
            (lambda parts: parts[1:], "InvalidPart"),
            (lambda parts: [{**parts[0], "ETag": '"0"'}, parts[1]], "InvalidPart"),
        ],
        ids=["order", "gap", "etag"],
    )
    def test_parts_that_are_told_wrongly_are_refused(
        self, bucket: Bucket, change: Callable[[list[dict[str, object]]], list[dict[str, object]]], code: str
    ) -> None:
        sdk, name = bucket.native(), bucket.name
        upload = sdk.create_multipart_upload(name, "k")["UploadId"]
        parts = [
            {"PartNumber": number, "ETag": sdk.upload_part(name, "k", b"x" * MIB, number, upload)["ETag"]}
            for number in (1, 2)
        ]
        with pytest.raises(CosServiceError) as caught:
            sdk.complete_multipart_upload(name, "k", upload, {"Part": change(parts)})

        assert caught.value.get_error_code() == code

    def test_a_delimiter_of_several_characters_is_refused(self, bucket: Bucket) -> None:
        with pytest.raises(CosServiceError, match="InvalidDelimiter"):
            bucket.native().list_objects(bucket.name, Delimiter="ab")

    def test_a_bucket_with_versions_ignores_that_nothing_may_be_overwritten(self, bucket: Bucket) -> None:
        forbid = {"x-cos-forbid-overwrite": "true"}
        sdk = bucket.native()
        sdk.put_object(bucket.name, b"1", "k", Metadata=forbid)
        with pytest.raises(CosServiceError, match="FileAlreadyExists"):
            sdk.put_object(bucket.name, b"2", "k", Metadata=forbid)
        sdk.put_bucket_versioning(bucket.name, "Enabled")
        sdk.put_object(bucket.name, b"3", "k", Metadata=forbid)

        assert bucket.read("k") == b"3"

    def test_metadata_past_the_limit_is_refused(self, bucket: Bucket) -> None:
        with pytest.raises(CosServiceError, match="InvalidArgument"):
            bucket.native().put_object(bucket.name, b"1", "k", Metadata={"x-cos-meta-a": "v" * 2048})

    def test_a_key_past_the_limit_is_refused(self, bucket: Bucket) -> None:
        with pytest.raises(CosServiceError, match="KeyTooLong"):
            bucket.native().put_object(bucket.name, b"1", "k" * 851)

    def test_an_object_that_is_described_is_described_wholly(self, bucket: Bucket) -> None:
        info = bucket.write("k", b"12345")

        assert isinstance(info, BlobInfo)
        assert info.version == "827ccb0eea8a706c4c34a16891f84e7b"
