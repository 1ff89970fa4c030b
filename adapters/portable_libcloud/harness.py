"""How the conformance suite gets buckets: in an emulator of S3, over two of Libcloud's drivers."""

from __future__ import annotations

import os
from itertools import count
from urllib.parse import quote, urlencode, urlsplit

from libcloud.storage.base import Container

from portable_contracts.blob import BlobInfo
from portable_contracts.harness import Harness
from portable_contracts.provider import Address, Opening
from portable_libcloud.blob import MinioBucket, S3Bucket, S3FamilyBucket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

DRIVERS: Mapping[str, type[S3FamilyBucket]] = {driver.scheme: driver for driver in (MinioBucket, S3Bucket)}
"""The others differ from these in their endpoints alone."""
_RUN = os.urandom(4).hex()
_REFUSALS = {
    "throttled": (503, "SlowDown", "Please reduce your request rate."),
    "failed": (500, "InternalError", "We encountered an internal error. Please try again."),
    "denied": (403, "AccessDenied", "Access Denied"),
}
"""https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""


class LibcloudHarness(Harness):
    """`PORTABLE_CONFORMANCE_LIBCLOUD_S3` and `_MINIO` name an endpoint in place of the emulator."""

    provider = "libcloud"

    def __init__(self) -> None:
        self._numbers = count(1)
        self._natives: dict[str, Any] = {}
        """Libcloud's drivers by endpoint; the suite asks for resources on one thread."""

    def schemes(self, kind: str) -> Sequence[str]:
        return tuple(DRIVERS) if kind == "bucket" else ()

    def evidence(self, scheme: str) -> str:
        return "live" if _given(scheme) else "emulator"

    def create(self, kind: str, scheme: str, options: Mapping[str, Any]) -> str:
        address = self._address(scheme, f"portable-{_RUN}-{os.getpid()}-{next(self._numbers)}")
        driver, name = self._native(address)
        driver.create_container(name)
        return address

    def destroy(self, address: str) -> None:
        bucket = DRIVERS[Address.parse(address).scheme].from_address(Address.parse(address), Opening())
        cursor: str | None = ""
        while cursor is not None:
            page = bucket.list_page(prefix="", delimiter=None, cursor=cursor or None, limit=1000)
            bucket.delete_batch([entry.key for entry in page.items if isinstance(entry, BlobInfo)])
            cursor = page.cursor
        driver, name = self._native(address)
        container = Container(name, {}, driver)
        driver.ex_cleanup_all_multipart_uploads(container)
        driver.delete_container(container)

    def opening(self, options: Mapping[str, Any]) -> Opening:
        return Opening(options=options)

    def unreachable(self, kind: str, scheme: str) -> str | None:
        return self._address(scheme, f"portable-{_RUN}-never-made")

    def leftovers(self, address: str) -> Sequence[str]:
        driver, name = self._native(address)
        found = []
        for upload in driver.ex_iterate_multipart_uploads(Container(name, {}, driver)):
            answer = driver.connection.request(f"/{name}/{quote(upload.key)}", params={"uploadId": upload.id})
            parts = [element for element in answer.object if element.tag.endswith("}Part")]
            found += [f"a part of {upload.key!r}"] * len(parts)
        return found

    def upstream(self, address: str) -> tuple[str, int] | None:
        parts = urlsplit(Address.parse(address).parameters["endpoint"])
        return (parts.hostname or "", parts.port or 80) if parts.scheme == "http" else None

    def through(self, address: str, host: str, port: int) -> str:
        parsed = Address.parse(address)
        return str(parsed.replace(parameters={**parsed.parameters, "endpoint": f"http://{host}:{port}"}))

    def refusal(self, address: str, reason: str) -> tuple[int, Mapping[str, str], bytes]:
        status, code, message = _REFUSALS[reason]
        body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return status, {"Content-Type": "application/xml"}, body.encode()

    def _address(self, scheme: str, name: str) -> str:
        endpoint = _given(scheme)
        if not endpoint:
            endpoint = self.counterpart("ministack").start().url
            for word in ("KEY", "SECRET"):
                os.environ.setdefault(f"PORTABLE_{_word(scheme)}_{word}", "portable")
        return f"{scheme}://{name}?{urlencode({'endpoint': endpoint})}"

    def _native(self, address: str) -> tuple[Any, str]:
        """Return Libcloud's driver for the address, and the container's name."""
        parsed = Address.parse(address)
        driver = self._natives.get(parsed.parameters["endpoint"])
        if driver is None:
            driver = DRIVERS[parsed.scheme].from_address(parsed, Opening()).native()
            self._natives[parsed.parameters["endpoint"]] = driver
        return driver, parsed.name


def _given(scheme: str) -> str:
    return os.environ.get(f"PORTABLE_CONFORMANCE_{_word(scheme)}", "")


def _word(scheme: str) -> str:
    return scheme.upper().replace("+", "_").replace("-", "_")
