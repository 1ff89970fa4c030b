"""What a bucket in S3 costs beside boto3 alone: `python benchmarks/blob_s3.py [--json FILE]`.

Both talk to ministack. boto3 is used as its own documentation does: one client, its transfer manager, its paginator.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import _beside_sdk
import boto3

from portable import registry
from portable.blob import Bucket
from portable_contracts.provider import Address


def main() -> None:
    """Measure, print the figures beside what is allowed, and write them as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    parser.add_argument("--large", type=int, default=1024, metavar="MIB", help="the size of the large object")
    parser.add_argument("--listed", type=int, default=100_000, metavar="KEYS", help="how many keys are listed")
    arguments = parser.parse_args()
    harness = registry.load(registry.provider("aws").harness)()
    address = harness.create("bucket", "s3", {})
    name, endpoint = Address.parse(address).name, Address.parse(address).parameters["endpoint"]
    bucket = Bucket.at(address)
    s3 = boto3.client("s3", endpoint_url=endpoint)
    pages = s3.get_paginator("list_objects_v2")
    try:
        figures = {
            "small": _beside_sdk.small(
                bucket,
                {
                    "read": lambda: s3.get_object(Bucket=name, Key="k")["Body"].read(),
                    "write": lambda: s3.put_object(Bucket=name, Key="k", Body=_beside_sdk.BODY),
                    "info": lambda: s3.head_object(Bucket=name, Key="k"),
                },
            ),
            "large": _beside_sdk.large(
                bucket,
                lambda file: s3.upload_file(file, name, "large"),
                lambda file: s3.download_file(name, "large", file),
                arguments.large,
            ),
            "listing": _beside_sdk.listing(
                bucket,
                lambda: sum(1 for page in pages.paginate(Bucket=name) for _ in page["Contents"]),
                arguments.listed,
            ),
            "first_use": _beside_sdk.first_use(
                f"import boto3\nboto3.client('s3', endpoint_url={endpoint!r}).head_object(Bucket={name!r}, Key='k')",
                "from portable import Bucket, registry\nfrom portable_aws import provider\n"
                "registry.register(provider)\n"
                f"Bucket.at({address!r}).info('k')",
            ),
        }
    finally:
        harness.destroy(address)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
