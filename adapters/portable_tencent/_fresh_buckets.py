"""Buckets for the conformance suite: on the server of the suite's own, or on COS itself.

`PORTABLE_CONFORMANCE_COS` names a place by the address of a bucket that need not exist:
`cos://portable-1250000000?region=ap-guangzhou`; the suite's buckets are named after it, and made and removed there with
the credentials of the environment.
"""

from __future__ import annotations

import os
import uuid
from typing import Any

from portable_contracts.errors import NotFound
from portable_contracts.provider import Address, Opening
from portable_tencent._cos_errors import classify
from portable_tencent.blob import CosBucket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from portable_tencent._fresh_account import FreshAccount

PLACE = "PORTABLE_CONFORMANCE_COS"
_REFUSALS = {
    # https://www.tencentcloud.com/document/product/436/7730
    "throttled": (503, "SlowDown", "Reduce your request rate."),
    "failed": (500, "InternalError", "We encountered an internal error. Please try again."),
    "denied": (403, "AccessDenied", "Access Denied."),
}


class FreshBuckets:
    """Makes buckets and removes them."""

    def __init__(self, account: FreshAccount) -> None:
        self._account = account

    @property
    def live(self) -> bool:
        return PLACE in os.environ

    def create(self, options: Mapping[str, Any]) -> str:
        place = self._place()
        name, _, appid = place.name.rpartition("-")
        fresh = place.replace(name=f"{name}-{uuid.uuid4().hex[:12]}-{appid}")
        if not self.live:
            self._account.set_clock(0.0)  # The SDK signs by the machine's.
        _driver(fresh).native().create_bucket(fresh.name)
        if not self.live:
            port = self._account.steer("cos", "domain", bucket=fresh.name)
            fresh = fresh.replace(parameters={**fresh.parameters, "domain": f"http://127.0.0.1:{port}"})
        return str(fresh)

    def destroy(self, address: Address) -> None:
        if not self.live:
            self._account.steer("cos", "drop", bucket=address.name)
            return
        driver = _driver(address)
        for told in _uploads(driver, address.name):
            driver.native().abort_multipart_upload(address.name, told["Key"], told["UploadId"])
        while keys := [entry.key for entry in _page(driver).items]:
            driver.delete_batch(keys)
        driver.native().delete_bucket(address.name)

    def leftovers(self, address: Address) -> Sequence[str]:
        # An upload whose beginning got no answer is nobody's; it has no parts.
        client = _driver(address).native()
        return [
            f"parts of {told['Key']}"
            for told in _uploads(_driver(address), address.name)
            if client.list_parts(address.name, told["Key"], told["UploadId"]).get("Part")
        ]

    def unreachable(self) -> str:
        place = self._place()
        return str(place.replace(name="portable-no-such-bucket-" + place.name.rpartition("-")[2]))

    def refusal(self, reason: str) -> tuple[int, Mapping[str, str], bytes]:
        status, code, message = _REFUSALS[reason]
        body = (
            f"<?xml version='1.0' encoding='utf-8' ?>\n<Error><Code>{code}</Code><Message>{message}</Message>"
            "<Resource>/</Resource><RequestId>NjQ=</RequestId><TraceId>OGVm</TraceId></Error>"
        )
        return status, {"Content-Type": "application/xml"}, body.encode()

    def _place(self) -> Address:
        if self.live:
            return Address.parse(os.environ[PLACE])
        return Address.parse(
            f"cos://portable-1250000000?region=ap-guangzhou&endpoint={self._account.server('cos').url}"
        )


def _driver(address: Address) -> CosBucket:
    return CosBucket.from_address(address, Opening())


def _page(driver: CosBucket) -> Any:
    return driver.list_page(prefix="", delimiter=None, cursor=None, limit=1000)


def _uploads(driver: CosBucket, name: str) -> Sequence[Mapping[str, str]]:
    try:
        found: Sequence[Mapping[str, str]] = driver.native().list_multipart_uploads(name).get("Upload", ())
    except Exception as error:
        if classify(error) is NotFound:
            return ()
        raise
    return found
