"""What a bucket in Blob Storage costs beside Microsoft's SDK alone: `python benchmarks/blob_azblob.py [--json FILE]`.

Both talk to Azurite. The SDK is used as its own documentation does: a container client, a client for each blob, its
managed transfers, its paginator. Azurite looks at every blob for each page that it lists, so few are listed here.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import _beside_sdk
from azure.storage.blob import ContainerClient

from portable import registry
from portable.blob import Bucket
from portable_contracts.provider import Address


def main() -> None:
    """Measure, print the figures beside what is allowed, and write them as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    parser.add_argument("--large", type=int, default=1024, metavar="MIB", help="the size of the large object")
    parser.add_argument("--listed", type=int, default=20_000, metavar="KEYS", help="how many keys are listed")
    arguments = parser.parse_args()
    harness = registry.load(registry.provider("azure").harness)()
    address = harness.create("bucket", "azblob", {})
    name, endpoint = Address.parse(address).name, Address.parse(address).parameters["endpoint"]
    bucket = Bucket.at(address)
    key = os.environ["AZURE_STORAGE_KEY"]
    sdk = ContainerClient(endpoint, name, credential=key)

    def upload(file: str) -> None:
        with Path(file).open("rb") as body:
            sdk.get_blob_client("large").upload_blob(body, overwrite=True)

    def download(file: str) -> None:
        with Path(file).open("wb") as target:
            sdk.get_blob_client("large").download_blob().readinto(target)

    def blob() -> Any:
        return sdk.get_blob_client("k")

    try:
        figures = {
            "small": _beside_sdk.small(
                bucket,
                {
                    "read": lambda: blob().download_blob().readall(),
                    "write": lambda: blob().upload_blob(_beside_sdk.BODY, overwrite=True),
                    "info": lambda: blob().get_blob_properties(),
                },
            ),
            "large": _beside_sdk.large(bucket, upload, download, arguments.large),
            "listing": _beside_sdk.listing(bucket, lambda: sum(1 for _ in sdk.list_blobs()), arguments.listed),
            "first_use": _beside_sdk.first_use(
                "import os\nfrom azure.storage.blob import BlobServiceClient\n"
                f"service = BlobServiceClient({endpoint!r}, credential=os.environ['AZURE_STORAGE_KEY'])\n"
                f"service.get_container_client({name!r}).get_blob_client('k').get_blob_properties()",
                "from portable import Bucket, registry\nfrom portable_azure import provider\n"
                f"registry.register(provider)\nBucket.at({address!r}).info('k')",
            ),
        }
    finally:
        harness.destroy(address)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
