"""Buckets in S3: what the conformance suite cannot say of them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore import exceptions as sdk

from portable.blob import Bucket
from portable_aws import _blob_metadata, blob
from portable_aws.blob import S3Bucket
from portable_aws.harness import AwsHarness
from portable_aws.limits import S3_PART
from portable_conformance.counterparts.faults import LOST, RESET, Proxy, refusal
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
from portable_contracts.harness import MissingCounterpart
from portable_contracts.provider import Address, Opening

driver = S3Bucket.from_address(Address.parse("s3://photos?region=eu-west-1"), Opening())


def answered(
    status: int, code: str, operation: str = "GetObject", message: str = "It failed.", **said: str
) -> sdk.ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message, **said}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return sdk.ClientError(answer, operation)


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "code", "operation", "kind"),
        [
            (404, "NoSuchKey", "GetObject", NotFound),
            (404, "404", "HeadObject", NotFound),
            (404, "NoSuchBucket", "PutObject", NotFound),
            (404, "NoSuchKey", "PutObject", Conflict),
            (404, "NoSuchKey", "DeleteObject", Conflict),
            (404, "NoSuchKey", "CompleteMultipartUpload", Conflict),
            (404, "NoSuchUpload", "UploadPart", Unavailable),
            (412, "PreconditionFailed", "PutObject", Conflict),
            (412, "PreconditionFailed", "GetObject", Conflict),
            (412, "412", "HeadObject", Conflict),
            (412, "PreconditionFailed", "CopyObject", Unavailable),
            (412, "PreconditionFailed", "UploadPartCopy", Unavailable),
            (409, "ConditionalRequestConflict", "PutObject", Unavailable),
            (409, "OperationAborted", "PutObject", Unavailable),
            (503, "SlowDown", "PutObject", Unavailable),
            (503, "503", "HeadObject", Unavailable),
            (500, "InternalError", "GetObject", Unavailable),
            (400, "BadDigest", "PutObject", Unavailable),
            (400, "IncompleteBody", "PutObject", Unavailable),
            (400, "RequestTimeout", "PutObject", Timeout),
            (403, "AccessDenied", "GetObject", PermissionDenied),
            (403, "403", "HeadObject", PermissionDenied),
            (403, "SignatureDoesNotMatch", "GetObject", PermissionDenied),
            (400, "ExpiredToken", "GetObject", PermissionDenied),
            (403, "InvalidObjectState", "GetObject", PortableError),
            (400, "MetadataTooLarge", "PutObject", LimitExceeded),
            (400, "EntityTooLarge", "PutObject", LimitExceeded),
            (400, "KeyTooLongError", "PutObject", LimitExceeded),
            (301, "PermanentRedirect", "GetObject", InvalidArgument),
            (400, "AuthorizationHeaderMalformed", "GetObject", InvalidArgument),
            (501, "NotImplemented", "PutObject", Unsupported),
            (400, "SomethingNew", "GetObject", PortableError),
        ],
    )
    def test_what_the_service_says_is_classified(
        self, status: int, code: str, operation: str, kind: type[PortableError]
    ) -> None:
        assert driver.classify(answered(status, code, operation)) is kind

    @pytest.mark.parametrize("code", ["InternalError", "ServiceUnavailable", "SlowDown"])
    def test_a_key_among_many_that_failed_may_be_tried_again(self, code: str) -> None:
        assert driver.classify(sdk.ClientError({"Error": {"Code": code}}, "DeleteObjects")) is Unavailable

    def test_the_condition_that_failed_tells_a_create_from_a_guarded_write(self) -> None:
        error = answered(412, "PreconditionFailed", "PutObject", Condition="If-None-Match")

        assert driver.classify(error) is AlreadyExists

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (sdk.ReadTimeoutError(endpoint_url="http://x", error="slow"), Timeout),
            (sdk.ConnectTimeoutError(endpoint_url="http://x", error="slow"), Timeout),
            (sdk.EndpointConnectionError(endpoint_url="http://x", error="refused"), Unavailable),
            (sdk.ConnectionClosedError(endpoint_url="http://x"), Unavailable),
            (sdk.IncompleteReadError(actual_bytes=1, expected_bytes=2), Unavailable),
            (sdk.ResponseStreamingError(error="reset"), Unavailable),
            (sdk.NoCredentialsError(), PermissionDenied),
            (sdk.NoRegionError(), InvalidArgument),
        ],
        ids=lambda value: getattr(value, "__name__", type(value).__name__),
    )
    def test_what_happens_on_the_way_is_classified(self, error: Exception, kind: type[PortableError]) -> None:
        assert driver.classify(error) is kind

    @pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted", "SlowDown"])
    def test_a_request_that_lost_a_race_or_was_throttled_changed_nothing(self, code: str) -> None:
        assert driver.changed_nothing(answered(409, code, "PutObject"))

    def test_a_request_that_failed_within_the_service_may_have_changed_something(self) -> None:
        assert not driver.changed_nothing(answered(500, "InternalError", "PutObject"))

    def test_a_bucket_of_another_region_is_told_with_what_to_do(self) -> None:
        assert "add ?region=" in driver.explain(answered(301, "PermanentRedirect"))

    def test_a_forbidden_read_tells_what_else_it_may_mean(self) -> None:
        assert "s3:ListBucket" in driver.explain(answered(403, "403", "HeadObject"))

    def test_a_forbidden_write_is_told_as_it_is(self) -> None:
        assert driver.explain(answered(403, "AccessDenied", "PutObject", "No.")) == "AccessDenied: No."


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "told"),
        [
            ("s3://?region=eu-west-1", "names no bucket"),
            ("s3://photos/in", "has a path"),
            ("s3://photos?regon=eu-west-1", "did you mean 'region'"),
            ("s3://photos?endpoint=127.0.0.1:9000", "write it like http://"),
        ],
    )
    def test_an_address_that_cannot_be_served_says_what_is_wrong(self, address: str, told: str) -> None:
        with pytest.raises(InvalidArgument, match=told):
            S3Bucket.from_address(Address.parse(address), Opening())

    @pytest.fixture(autouse=True)
    def credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "portable")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "portable")

    def test_a_bucket_of_aws_is_named_by_the_host_of_its_region(self) -> None:
        assert (
            Bucket.at("s3://photos?region=eu-west-1")
            .sign("k")
            .startswith("https://photos.s3.eu-west-1.amazonaws.com/k?")
        )

    def test_the_addresss_region_goes_before_the_targets(self) -> None:
        bucket = Bucket.at("s3://photos?region=eu-west-1", opening=Opening(region="us-west-2"))

        assert bucket.native().meta.region_name == "eu-west-1"

    def test_the_targets_region_goes_before_the_environments(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_REGION", "us-east-2")

        assert Bucket.at("s3://photos", opening=Opening(region="us-west-2")).native().meta.region_name == "us-west-2"

    def test_a_bucket_of_another_server_is_named_by_the_path(self) -> None:
        assert Bucket.at("s3://photos?endpoint=http://host:9000").sign("k").startswith("http://host:9000/photos/k?")

    def test_buckets_of_one_region_share_a_client(self) -> None:
        one, other = Bucket.at("s3://photos?region=eu-west-1"), Bucket.at("s3://films?region=eu-west-1")

        assert one.native() is other.native()


class TestMetadata:
    @pytest.mark.parametrize("value", ["", "plain", "100% = 1", "a  b", "?="])
    def test_plain_ascii_goes_as_it_is(self, value: str) -> None:
        assert _blob_metadata.encode({"a": value}) == {"a": value}

    @pytest.mark.parametrize(
        "value",
        [
            "ü",
            "日本" * 200,
            " a",
            "a ",
            "a\nb",
            "\x00\x7f",
            "ü 100%\n",
            "=?x",
            "=?UTF-8?B?YQ==?=",
            "\u2063",
            "%0A\n",
            "😀" * 99,
        ],
    )
    def test_any_other_text_goes_as_encoded_words(self, value: str) -> None:
        (header,) = _blob_metadata.encode({"a": value}).values()

        assert header.isascii()
        assert header.isprintable()
        assert max(map(len, header.split(" "))) <= 75
        assert _blob_metadata.decode({"a": header}) == {"a": value}

    @pytest.mark.parametrize(
        ("header", "text"),
        [
            ("=?UTF-8?Q?=C3=BC_b?=", "ü b"),
            ("=?iso-8859-1?q?=FC?=", "ü"),
            ("=?UTF-8?B?w7w=?= =?UTF-8?B?w7w=?=", "üü"),
            ("=?no-such-charset?B?w7w=?=", "=?no-such-charset?B?w7w=?="),
            ("=?", "=?"),
        ],
    )
    def test_words_that_others_encoded_are_read(self, header: str, text: str) -> None:
        assert _blob_metadata.decode({"a": header}) == {"a": text}


@pytest.fixture
def address() -> Iterator[str]:
    harness = AwsHarness()
    try:
        made = harness.create("bucket", "s3", {})
    except MissingCounterpart as missing:
        pytest.skip(str(missing))
    yield made
    harness.destroy(made)


@pytest.fixture
def bucket(address: str) -> Bucket:
    return Bucket.at(address)


@pytest.fixture
def proxy(address: str) -> Iterator[Proxy]:
    where = AwsHarness().upstream(address)
    assert where is not None
    with Proxy(*where) as proxy:
        yield proxy


@pytest.fixture
def far(address: str, proxy: Proxy) -> Bucket:
    return Bucket.at(AwsHarness().through(address, proxy.host, proxy.port))


class TestRequests:
    @pytest.mark.parametrize(
        ("operation", "requests"),
        [
            pytest.param(lambda bucket: bucket.read("k"), 1, id="read"),
            pytest.param(lambda bucket: bucket.info("k"), 1, id="info"),
            pytest.param(lambda bucket: bucket.exists("missing"), 1, id="exists"),
            pytest.param(lambda bucket: bucket.write("k", b"1"), 1, id="write"),
            pytest.param(lambda bucket: bucket.write("k", iter([b"1", b"2"])), 1, id="write pieces"),
            pytest.param(lambda bucket: bucket.create("new", b"1"), 1, id="create"),
            pytest.param(lambda bucket: bucket.delete("k"), 1, id="delete"),
            pytest.param(lambda bucket: bucket.delete_many(["k", "l", "m"]), 1, id="delete many"),
            pytest.param(lambda bucket: list(bucket.list()), 1, id="list"),
            pytest.param(lambda bucket: bucket.copy("k", "l"), 2, id="copy, and what it copies"),
            pytest.param(lambda bucket: bucket.sign("k"), 0, id="sign"),
        ],
    )
    def test_an_operation_is_so_many_requests(
        self, bucket: Bucket, far: Bucket, proxy: Proxy, operation: Callable[[Bucket], object], requests: int
    ) -> None:
        bucket.write("k", b"there")
        operation(far)

        assert len(proxy.seen) == requests

    def test_no_error_tells_the_key_or_the_signature(self, far: Bucket, proxy: Proxy) -> None:
        proxy.inject(LOST, times=None)
        with pytest.raises(Unavailable) as caught:
            far.create("k", b"1")
        told = f"{caught.value!r} {caught.value.__cause__!r}"

        assert "Signature" not in told
        assert "AWS4" not in told

    def test_a_create_that_lost_a_race_is_sent_again(self, far: Bucket, proxy: Proxy) -> None:
        body = b"<Error><Code>ConditionalRequestConflict</Code><Message>Again.</Message></Error>"
        proxy.inject(refusal(409, body=body))
        far.create("k", b"1")

        assert far.read("k") == b"1"


class TestParts:
    def test_a_part_that_fails_once_is_sent_again(self, far: Bucket, proxy: Proxy) -> None:
        proxy.inject(RESET, when=lambda request: "partNumber=2" in request.target)
        body = bytes(S3_PART) + b"the end"
        far.write("k", iter([body]))

        assert far.read("k") == body

    def test_an_abort_that_fails_once_is_sent_again(self, address: str, far: Bucket, proxy: Proxy) -> None:
        proxy.inject(refusal(403), when=lambda request: "partNumber=1" in request.target)
        proxy.inject(RESET, when=lambda request: request.method == "DELETE")
        with pytest.raises(PermissionDenied):
            far.write("k", iter([bytes(S3_PART + 1)]))

        assert AwsHarness().leftovers(address) == []

    def test_a_body_of_just_one_part_is_written_whole(self, bucket: Bucket) -> None:
        bucket.write("k", iter([bytes(S3_PART)]))

        assert bucket.info("k").size == S3_PART


class TestLargeCopies:
    @pytest.fixture(autouse=True)
    def small_scale(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(blob, "LARGEST_COPY", 100)
        monkeypatch.setattr(blob, "COPY_PART", 40)

    @pytest.mark.parametrize("size", [101, 120, 1000])
    def test_what_is_too_large_for_one_request_is_copied_in_parts(self, bucket: Bucket, size: int) -> None:
        body = bytes(number % 251 for number in range(size))
        bucket.write("k", body, content_type="text/html", metadata={"a": "ü"})
        copied = bucket.copy("k", "l")

        assert bucket.read("l") == body
        assert (copied.size, copied.content_type, copied.metadata) == (size, "text/html", {"a": "ü"})
        assert copied.version.endswith(f"-{-(-size // 40)}")

    def test_headers_that_others_wrote_are_copied(self, bucket: Bucket, address: str) -> None:
        bucket.native().put_object(
            Bucket=Address.parse(address).name, Key="k", Body=bytes(101), CacheControl="max-age=60"
        )
        bucket.copy("k", "l")

        found = bucket.native().head_object(Bucket=Address.parse(address).name, Key="l")
        assert found["CacheControl"] == "max-age=60"

    def test_a_copy_that_fails_leaves_no_parts(self, address: str, bucket: Bucket, far: Bucket, proxy: Proxy) -> None:
        bucket.write("k", bytes(200))
        proxy.inject(refusal(403), when=lambda request: "partNumber=3" in request.target)
        with pytest.raises(PermissionDenied):
            far.copy("k", "l")

        assert AwsHarness().leftovers(address) == []


def _in_a_child(bucket: Bucket, connection: Any) -> None:
    connection.send((bucket.read("k"), id(bucket.native())))
    connection.close()


class TestForks:
    # Python warns of forks beside threads, which is what a preloading server does.
    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
    def test_a_forked_child_uses_a_client_of_its_own(self, bucket: Bucket) -> None:
        bucket.write("k", b"there")
        fork = multiprocessing.get_context("fork")
        ends = [fork.Pipe() for _ in range(4)]
        children = [fork.Process(target=_in_a_child, args=(bucket, theirs)) for _, theirs in ends]
        for child in children:
            child.start()
        found = [ours.recv() for ours, _ in ends]
        for child in children:
            child.join(30)

        assert [body for body, _ in found] == [b"there"] * 4
        assert id(bucket.native()) not in [client for _, client in found]
        assert bucket.read("k") == b"there"
