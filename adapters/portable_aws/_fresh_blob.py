"""Fresh buckets for the conformance suite: on ministack, or on moto with `PORTABLE_CONFORMANCE_S3=moto`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from portable_aws._fresh_endpoint import endpoint, fresh_name
from portable_aws.blob import S3Bucket
from portable_contracts.provider import Address, Opening

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from portable_contracts.harness import Harness

_COUNTERPARTS = ("ministack_s3",)


def create(harness: Harness, options: Mapping[str, Any]) -> str:
    """Make a bucket and return its address. Raises MissingCounterpart."""
    address = _address(harness, fresh_name())
    s3 = _client(address)
    region = s3.meta.region_name
    # The first of all regions is the one that must not be named.
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=address.name, **place)
    return str(address)


def destroy(address: str) -> None:
    parsed = Address.parse(address)
    s3, bucket = _client(parsed), parsed.name
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [found["Key"] for found in page.get("Contents", ())]
        S3Bucket.from_address(parsed, Opening()).delete_batch(keys)
    try:
        s3.delete_bucket(Bucket=bucket)
    except ClientError:
        for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
            for upload in page.get("Uploads", ()):
                s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        s3.delete_bucket(Bucket=bucket)


def leftovers(address: str) -> Sequence[str]:
    """Name the parts of uploads that are neither complete nor aborted."""
    parsed = Address.parse(address)
    s3, bucket = _client(parsed), parsed.name
    found = []
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", ()):
            named = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
            parts = s3.list_parts(Bucket=bucket, **named).get("Parts", ())
            found += [f"part {part['PartNumber']} of {upload['Key']!r}" for part in parts]
    return found


def unreachable(harness: Harness) -> str:
    """Return the address of a bucket that does not exist."""
    return str(_address(harness, fresh_name()))


def refusal(reason: str) -> tuple[int, Mapping[str, str], bytes]:
    """Return an answer of S3's. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
    status, code, message = {
        "throttled": (503, "SlowDown", "Please reduce your request rate."),
        "failed": (500, "InternalError", "We encountered an internal error. Please try again."),
        "denied": (403, "AccessDenied", "Access Denied"),
    }[reason]
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return status, {"Content-Type": "application/xml"}, body.encode()


def _address(harness: Harness, name: str) -> Address:
    return Address("s3", name, "", {"endpoint": endpoint(harness, "s3", _COUNTERPARTS)})


def _client(address: Address) -> Any:
    return S3Bucket.from_address(address, Opening()).native()
