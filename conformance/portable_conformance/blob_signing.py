"""The blob contract: signed addresses, used over real HTTP by somebody without credentials."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import timedelta
from functools import cache
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest

from portable_conformance import contract, needs, without
from portable_conformance._bodies import MIB, pattern
from portable_conformance._keys import REFUSED_KEYS, WEIRD_KEYS
from portable_contracts.errors import InvalidArgument, LimitExceeded, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message

    from portable.blob import Bucket
    from portable_contracts.blob import BlobCapabilities

pytestmark = contract("bucket")

MINUTE = timedelta(minutes=1)


@cache
def opener() -> urllib.request.OpenerDirector:
    # No proxy of the environment stands between a test and a server on this machine.
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(
    method: str, address: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes, Message]:
    """Send a request as a stranger; return status, body and headers, whatever the status is."""
    request = urllib.request.Request(address, body, dict(headers or {}), method=method)
    try:
        with opener().open(request, timeout=60) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers


def put(bucket: Bucket, address: str, body: bytes, content_type: str = "application/octet-stream") -> int:
    # Azure asks a PUT for this header; other services do not read it.
    return ask("PUT", address, body, {"content-type": content_type, "x-ms-blob-type": "BlockBlob"})[0]


@needs("sign:GET")
class TestSignedReads:
    def test_the_object_is_read(self, bucket: Bucket) -> None:
        bucket.write("k", b"body")

        assert ask("GET", bucket.sign("k", expires=MINUTE))[:2] == (200, b"body")

    def test_get_is_the_default(self, bucket: Bucket) -> None:
        bucket.write("k", b"body")

        assert ask("GET", bucket.sign("k", method="GET", expires=MINUTE))[:2] == (200, b"body")

    def test_an_expiry_may_be_left_out(self, bucket: Bucket) -> None:
        bucket.write("k", b"body")

        assert ask("GET", bucket.sign("k"))[:2] == (200, b"body")

    @pytest.mark.parametrize("body", [b"", bytes(range(256)), pattern(MIB)], ids=["empty", "every-byte", "1-mib"])
    def test_the_bytes_come_as_they_are(self, bucket: Bucket, body: bytes) -> None:
        bucket.write("k", body)

        assert ask("GET", bucket.sign("k", expires=MINUTE))[:2] == (200, body)

    def test_the_content_type_comes_with_it(self, bucket: Bucket) -> None:
        bucket.write("k", b"<p>", content_type="text/html; charset=utf-8")

        assert ask("GET", bucket.sign("k", expires=MINUTE))[2]["content-type"] == "text/html; charset=utf-8"

    @pytest.mark.parametrize(
        ("asked", "given"), [("bytes=0-3", b"0123"), ("bytes=4-5", b"45"), ("bytes=7-", b"789"), ("bytes=8-99", b"89")]
    )
    def test_a_part_of_the_object_is_read(self, bucket: Bucket, asked: str, given: bytes) -> None:
        bucket.write("k", b"0123456789")

        assert ask("GET", bucket.sign("k", expires=MINUTE), headers={"range": asked})[:2] == (206, given)

    def test_an_address_is_used_twice(self, bucket: Bucket) -> None:
        bucket.write("k", b"body")
        address = bucket.sign("k", expires=MINUTE)
        ask("GET", address)

        assert ask("GET", address)[:2] == (200, b"body")

    def test_what_was_written_after_signing_is_read(self, bucket: Bucket) -> None:
        bucket.write("k", b"old")
        address = bucket.sign("k", expires=MINUTE)
        bucket.write("k", b"new")

        assert ask("GET", address)[:2] == (200, b"new")

    def test_a_missing_object_can_be_signed(self, bucket: Bucket) -> None:
        assert ask("GET", bucket.sign("missing", expires=MINUTE))[0] == 404

    def test_a_deleted_object_is_not_found(self, bucket: Bucket) -> None:
        bucket.write("k", b"1")
        address = bucket.sign("k", expires=MINUTE)
        bucket.delete("k")

        assert ask("GET", address)[0] == 404

    @pytest.mark.parametrize("key", WEIRD_KEYS, ids=ascii)
    def test_an_object_is_read_under_a_weird_key(self, bucket: Bucket, key: str) -> None:
        bucket.write(key, key.encode())

        assert ask("GET", bucket.sign(key, expires=MINUTE))[:2] == (200, key.encode())

    def test_the_address_is_a_url_in_ascii(self, bucket: Bucket) -> None:
        address = bucket.sign("ü/日本 ?#", expires=MINUTE)

        assert address.isascii()
        assert urlsplit(address).scheme in ("http", "https")

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
    def test_an_address_for_reading_does_nothing_else(self, bucket: Bucket, method: str) -> None:
        bucket.write("k", b"old")
        status = ask(method, bucket.sign("k", expires=MINUTE), b"new" if method != "DELETE" else None)[0]

        assert status >= 400
        assert bucket.read("k") == b"old"

    def test_a_head_of_an_address_for_reading_gives_no_body(self, bucket: Bucket) -> None:
        bucket.write("k", b"body")

        assert ask("HEAD", bucket.sign("k", expires=MINUTE))[1] == b""

    @pytest.mark.slow
    def test_an_expired_address_is_refused(self, bucket: Bucket, pass_time: Callable[[float], None]) -> None:
        bucket.write("k", b"secret")
        address = bucket.sign("k", expires=timedelta(seconds=2))
        pass_time(4)
        status, body, _ = ask("GET", address)

        assert status >= 400
        assert b"secret" not in body

    def test_an_address_works_until_it_expires(self, bucket: Bucket, pass_time: Callable[[float], None]) -> None:
        bucket.write("k", b"body")
        address = bucket.sign("k", expires=timedelta(seconds=60))
        pass_time(3)

        assert ask("GET", address)[0] == 200

    def test_no_parameter_can_be_changed(self, bucket: Bucket) -> None:
        bucket.write("k", b"secret")
        parts = urlsplit(bucket.sign("k", expires=MINUTE))
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        changed = [
            [(n, ("1" if v[:1] != "1" else "2") + v[1:]) if n == name else (n, v) for n, v in pairs]
            for name, _ in pairs
        ]
        statuses = [ask("GET", parts._replace(query=urlencode(query)).geturl())[0] for query in changed]

        assert statuses
        assert min(statuses) >= 400

    def test_no_parameter_can_be_left_out(self, bucket: Bucket) -> None:
        bucket.write("k", b"secret")
        parts = urlsplit(bucket.sign("k", expires=MINUTE))
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        statuses = [
            ask("GET", parts._replace(query=urlencode([pair for pair in pairs if pair[0] != name])).geturl())[0]
            for name, _ in pairs
        ]

        assert min(statuses) >= 400

    @pytest.mark.parametrize("other", ["other", "kk", "k/below"])
    def test_an_address_does_not_read_another_object(self, bucket: Bucket, other: str) -> None:
        bucket.write("k", b"1")
        bucket.write(other, b"secret")
        parts = urlsplit(bucket.sign("k", expires=MINUTE))
        status, body, _ = ask("GET", parts._replace(path=parts.path.removesuffix("k") + quote(other)).geturl())

        assert status >= 400
        assert b"secret" not in body

    def test_an_unsigned_address_is_refused(self, bucket: Bucket) -> None:
        bucket.write("k", b"secret")
        parts = urlsplit(bucket.sign("k", expires=MINUTE))

        assert ask("GET", parts._replace(query="").geturl())[0] >= 400

    def test_an_address_of_another_bucket_does_not_read_this_one(self, make_bucket: Callable[..., Bucket]) -> None:
        one, other = make_bucket(), make_bucket()
        one.write("k", b"one")
        other.write("k", b"other")

        assert ask("GET", one.sign("k", expires=MINUTE))[1] == b"one"
        assert ask("GET", other.sign("k", expires=MINUTE))[1] == b"other"

    def test_a_content_type_for_reading_is_refused(self, bucket: Bucket) -> None:
        with pytest.raises(InvalidArgument):
            bucket.sign("k", method="GET", expires=MINUTE, content_type="text/plain")


@needs("sign:PUT")
class TestSignedWrites:
    @pytest.mark.parametrize(
        "body", [b"body", b"", bytes(range(256)), pattern(9 * MIB)], ids=["text", "empty", "every-byte", "9-mib"]
    )
    def test_the_object_is_written(self, bucket: Bucket, body: bytes) -> None:
        status = put(bucket, bucket.sign("k", method="PUT", expires=MINUTE), body)

        assert status in (200, 201)
        assert bucket.read("k") == body

    def test_the_object_is_replaced(self, bucket: Bucket) -> None:
        before = bucket.write("k", b"a longer old one", metadata={"a": "1"})
        put(bucket, bucket.sign("k", method="PUT", expires=MINUTE), b"new")
        after = bucket.info("k")

        assert bucket.read("k") == b"new"
        assert (after.version != before.version, after.metadata) == (True, {})

    def test_the_content_type_of_the_request_is_kept(self, bucket: Bucket) -> None:
        put(bucket, bucket.sign("k", method="PUT", expires=MINUTE), b"1", "text/css")

        assert bucket.info("k").content_type == "text/css"

    @pytest.mark.parametrize("key", WEIRD_KEYS, ids=ascii)
    def test_an_object_is_written_under_a_weird_key(self, bucket: Bucket, key: str) -> None:
        put(bucket, bucket.sign(key, method="PUT", expires=MINUTE), b"1")

        assert [entry.key for entry in bucket.list()] == [key]

    @pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
    def test_an_address_for_writing_does_nothing_else(self, bucket: Bucket, method: str) -> None:
        bucket.write("k", b"secret")
        status, body, _ = ask(method, bucket.sign("k", method="PUT", expires=MINUTE))

        assert status >= 400
        assert b"secret" not in body
        assert bucket.read("k") == b"secret"

    @pytest.mark.slow
    def test_an_expired_address_writes_nothing(self, bucket: Bucket, pass_time: Callable[[float], None]) -> None:
        address = bucket.sign("k", method="PUT", expires=timedelta(seconds=2))
        pass_time(4)

        assert put(bucket, address, b"1") >= 400
        assert not bucket.exists("k")

    def test_no_parameter_can_be_changed(self, bucket: Bucket) -> None:
        parts = urlsplit(bucket.sign("k", method="PUT", expires=MINUTE))
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        changed = [
            [(n, ("1" if v[:1] != "1" else "2") + v[1:]) if n == name else (n, v) for n, v in pairs]
            for name, _ in pairs
        ]
        statuses = [put(bucket, parts._replace(query=urlencode(query)).geturl(), b"1") for query in changed]

        assert min(statuses) >= 400
        assert not bucket.exists("k")

    def test_an_address_does_not_write_another_object(self, bucket: Bucket) -> None:
        parts = urlsplit(bucket.sign("k", method="PUT", expires=MINUTE))
        status = put(bucket, parts._replace(path=parts.path.removesuffix("k") + "other").geturl(), b"1")

        assert status >= 400
        assert list(bucket.list()) == []

    @needs("sign_content_type")
    def test_the_bound_content_type_is_kept(self, bucket: Bucket) -> None:
        address = bucket.sign("k", method="PUT", expires=MINUTE, content_type="text/css")

        assert put(bucket, address, b"1", "text/css") in (200, 201)
        assert bucket.info("k").content_type == "text/css"

    @needs("sign_content_type")
    def test_another_content_type_than_the_bound_one_is_refused(self, bucket: Bucket) -> None:
        address = bucket.sign("k", method="PUT", expires=MINUTE, content_type="text/css")

        assert put(bucket, address, b"1", "text/html") >= 400
        assert not bucket.exists("k")

    @without("sign_content_type")
    def test_binding_a_content_type_is_unsupported(self, bucket: Bucket) -> None:
        with pytest.raises(Unsupported):
            bucket.sign("k", method="PUT", expires=MINUTE, content_type="text/css")

    def test_a_wrong_content_type_is_refused(self, bucket: Bucket) -> None:
        with pytest.raises((InvalidArgument, Unsupported)):
            bucket.sign("k", method="PUT", expires=MINUTE, content_type="text\r\nx: y")


@needs("sign:GET")
class TestWhatIsSigned:
    @pytest.mark.parametrize("key", REFUSED_KEYS[:8], ids=ascii)
    def test_a_refused_key_is_not_signed(self, bucket: Bucket, key: str) -> None:
        with pytest.raises(InvalidArgument):
            bucket.sign(key, expires=MINUTE)

    @pytest.mark.parametrize("method", ["DELETE", "POST", "HEAD", "get", "", "GET ", None, 1], ids=repr)
    def test_another_method_is_refused(self, bucket: Bucket, method: object) -> None:
        with pytest.raises((InvalidArgument, Unsupported)):
            bucket.sign("k", method=method, expires=MINUTE)  # type: ignore[arg-type]  # wrong on purpose

    @pytest.mark.parametrize("expires", [timedelta(0), timedelta(seconds=-1), timedelta.min, 60, 60.0, "60"], ids=repr)
    def test_an_expiry_that_is_no_time_ahead_is_refused(self, bucket: Bucket, expires: object) -> None:
        with pytest.raises(InvalidArgument):
            bucket.sign("k", expires=expires)  # type: ignore[arg-type]  # wrong on purpose

    def test_the_longest_expiry_is_signed(self, bucket: Bucket, capabilities: BlobCapabilities) -> None:
        bucket.write("k", b"body")
        address = bucket.sign("k", expires=timedelta(seconds=capabilities.max_sign_seconds))

        assert ask("GET", address)[0] == 200

    def test_an_expiry_of_one_second_more_is_refused(self, bucket: Bucket, capabilities: BlobCapabilities) -> None:
        one_more = capabilities.max_sign_seconds + 1
        with pytest.raises(LimitExceeded) as caught:
            bucket.sign("k", expires=timedelta(seconds=one_more))

        error = caught.value
        assert (error.limit, error.actual, error.allowed) == ("max_sign_seconds", one_more, one_more - 1)


@without("sign:GET")
class TestWithoutSignedReads:
    def test_signing_a_read_is_unsupported(self, bucket: Bucket) -> None:
        with pytest.raises(Unsupported):
            bucket.sign("k", expires=MINUTE)


@without("sign:PUT")
class TestWithoutSignedWrites:
    def test_signing_a_write_is_unsupported(self, bucket: Bucket) -> None:
        with pytest.raises(Unsupported):
            bucket.sign("k", method="PUT", expires=MINUTE)
