"""Object stores that no adapter of their own serves, over Apache Libcloud: `libcloud+minio://bucket?endpoint=...`.

Only those of Libcloud's drivers that can keep the contract: docs/providers/libcloud.md says which cannot, and why.
"""

from __future__ import annotations

from portable_contracts.provider import Provider

provider = Provider(
    name="libcloud",
    buckets={
        "libcloud+digitalocean-spaces": "portable_libcloud.blob:SpacesBucket",
        "libcloud+minio": "portable_libcloud.blob:MinioBucket",
        "libcloud+ovh": "portable_libcloud.blob:OvhBucket",
        "libcloud+s3": "portable_libcloud.blob:S3Bucket",
        "libcloud+s3-rgw": "portable_libcloud.blob:RgwBucket",
        "libcloud+scaleway": "portable_libcloud.blob:ScalewayBucket",
    },
    capabilities="portable_libcloud.limits:CAPABILITIES",
    harness="portable_libcloud.harness:LibcloudHarness",
)
