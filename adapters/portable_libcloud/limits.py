"""What buckets behind Libcloud promise: what all of these services have, and Libcloud can ask for."""

from __future__ import annotations

from portable_contracts.blob import BlobCapabilities
from portable_contracts.limits import Figure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from portable_contracts.limits import Capabilities

_READ = "2026-11-21"
_S3 = "https://docs.aws.amazon.com/AmazonS3/latest"

BUCKET = BlobCapabilities(
    # Libcloud passes conditional headers on, but not all of these services heed them, and one that does not overwrites.
    create=False,
    if_version=False,
    delete_if_version=False,
    # The version is the ETag, which tells of the content alone.
    distinct_versions=False,
    # Libcloud signs for some of the services, for reading only in the documented interface, and not with a port.
    sign=frozenset(),
    sign_content_type=False,
    events=frozenset(),
    max_key_bytes=Figure(1024, f"{_S3}/userguide/object-keys.html", _READ),
    max_metadata_bytes=Figure(2048, f"{_S3}/userguide/UsingMetadata.html", _READ),
    # Ours: what one request copies on the server; Libcloud's uploads in parts of 5 MiB go on to 48 GiB.
    max_bytes=Figure(5 * 1024**3, f"{_S3}/API/API_CopyObject.html", _READ),
    max_list_page=Figure(1000, f"{_S3}/API/API_ListObjectsV2.html", _READ),
    max_delete_batch=Figure(1000, f"{_S3}/API/API_DeleteObjects.html", _READ),
)

SCHEMES = ("digitalocean-spaces", "minio", "ovh", "s3", "s3-rgw", "scaleway")

CAPABILITIES: Mapping[str, Capabilities] = {f"bucket:libcloud+{scheme}": BUCKET for scheme in SCHEMES}
