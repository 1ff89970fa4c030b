"""Uploads to Cloud Storage: in one request, or part by part, going on after a fault from where the service stands.

https://docs.cloud.google.com/storage/docs/uploads-downloads and .../performing-resumable-uploads
"""

from __future__ import annotations

import base64
import json
import os
import time
from contextlib import suppress
from random import uniform
from typing import TYPE_CHECKING, Any

import google_crc32c
from google.api_core.exceptions import NotFound

from portable_contracts.errors import Unavailable
from portable_gcp._storage_errors import Refused, classify, retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from portable_contracts.blob import Source
    from portable_gcp._storage import Storage

AT_ONCE = 8 << 20
"""Up to so many bytes go in one request, as in Google's own client."""
PART = 16 << 20
"""Of a body that comes piece by piece; a multiple of 256 KiB, as the service asks."""
SLICE = 64 << 20
"""Likewise of bytes that are at hand, where a part needs no memory."""
RECOVERIES = 3
"""How often in a row an upload is taken up again without getting on."""
FIRST_WAIT = 0.1
"""Seconds; then twice as many, and again."""
LONGEST_WAIT = 5.0
"""Seconds that the service may ask to wait within an upload."""

FIELDS = "name,size,generation,contentType,metadata,updated"
"""What is asked of an object."""
_GO_ON = 308
_PIECE = 1 << 20


def upload(
    storage: Storage, bucket: str, resource: Mapping[str, Any], body: bytes | Source, condition: Mapping[str, str]
) -> dict[str, Any]:
    """Write the object that *resource* describes; return it as it is kept."""
    if isinstance(body, bytes):
        if len(body) <= AT_ONCE:
            return _in_one_request(storage, bucket, resource, body, condition)
        view = memoryview(body)
        return _in_parts(
            storage, bucket, resource, (view[start : start + SLICE] for start in range(0, len(body), SLICE)), condition
        )
    first = body.read(PART)
    if len(first) <= AT_ONCE:
        return _in_one_request(storage, bucket, resource, first, condition)
    return _in_parts(storage, bucket, resource, _parts(first, body), condition)


def _parts(first: bytes, body: Source) -> Iterator[bytes]:
    part = first
    while part:
        yield part
        # What is shorter than was asked is the last.
        part = body.read(PART) if len(part) == PART else b""


def _in_one_request(
    storage: Storage, bucket: str, resource: Mapping[str, Any], body: bytes, condition: Mapping[str, str]
) -> dict[str, Any]:
    boundary = os.urandom(16).hex()
    described = json.dumps({**resource, "crc32c": _encoded(google_crc32c.value(body))})
    head = (
        f"--{boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n{described}\r\n"
        f"--{boundary}\r\ncontent-type: {resource['contentType']}\r\n\r\n"
    )
    answer = storage.asked(
        "POST",
        f"/upload/storage/v1/b/{bucket}/o",
        {"uploadType": "multipart", "fields": FIELDS, **condition},
        b"".join((head.encode(), body, f"\r\n--{boundary}--".encode())),
        {"content-type": f"multipart/related; boundary={boundary}"},
    )
    kept: dict[str, Any] = answer.json()
    return kept


def _in_parts(
    storage: Storage,
    bucket: str,
    resource: Mapping[str, Any],
    parts: Iterator[bytes | memoryview],
    condition: Mapping[str, str],
) -> dict[str, Any]:
    answer = storage.asked(
        "POST",
        f"/upload/storage/v1/b/{bucket}/o",
        {"uploadType": "resumable", "fields": FIELDS, **condition},
        json.dumps(resource).encode(),
        {"content-type": "application/json; charset=UTF-8", "x-upload-content-type": resource["contentType"]},
    )
    running = _Upload(storage, answer.headers["location"])
    try:
        part = next(parts)
        for following in parts:
            running.send(part, last=False)
            part = following
        return running.send(part, last=True)
    except BaseException:
        running.cancel()
        raise


class _Upload:
    """An upload that was begun: the service knows it by an address of its own."""

    def __init__(self, storage: Storage, address: str) -> None:
        self._storage = storage
        self._address = address
        self._start = 0
        """Where the next part begins."""
        self._checksum = 0

    def send(self, part: bytes | memoryview, *, last: bool) -> dict[str, Any]:
        """Send the next part; return the object when it was the *last*."""
        for start in range(0, len(part), _PIECE):
            self._checksum = google_crc32c.extend(self._checksum, bytes(part[start : start + _PIECE]))
        done = failures = 0
        in_doubt = False
        while True:
            try:
                answer = self._state() if in_doubt else self._ask(part[done:], self._start + done, last)
            except NotFound as error:
                raise Refused(Unavailable, "the service has forgotten the upload") from error
            except Exception as error:
                if not classify(error).retryable or failures == RECOVERIES:
                    raise
                _wait(error, failures)
                failures += 1
                in_doubt = True
                continue
            if answer.status_code != _GO_ON:
                # Perhaps the answer to an earlier attempt was lost, and this is what it said.
                kept: dict[str, Any] = answer.json()
                return kept
            got = _got(answer) - self._start
            if not in_doubt and got <= done:
                failures += 1
            if not 0 <= got <= len(part) or failures > RECOVERIES:
                raise Refused(
                    Unavailable, f"the service has {self._start + got:,} bytes of the upload and takes no more"
                )
            done, in_doubt = got, False
            if done == len(part) and not last:
                self._start += done
                return {}

    def cancel(self) -> None:
        """Tell the service to forget what it has; it does so by itself after a week."""
        with suppress(Exception):
            self._storage.ask("DELETE", self._address)

    def _ask(self, content: bytes | memoryview, start: int, last: bool) -> Any:
        stop = start + len(content)
        span = f"{start}-{stop - 1}" if content else "*"
        headers = {"content-range": f"bytes {span}/{stop if last else '*'}"}
        if last:
            headers["x-goog-hash"] = f"crc32c={_encoded(self._checksum)}"
        return self._storage.asked("PUT", self._address, None, content, headers)

    def _state(self) -> Any:
        """Ask how far the upload came."""
        return self._storage.asked("PUT", self._address, None, b"", {"content-range": "bytes */*"})


def _got(answer: Any) -> int:
    """Return how many bytes the service has."""
    found = answer.headers.get("range", "").rpartition("-")[2]
    return int(found) + 1 if found else 0


def _wait(error: Exception, failures: int) -> None:
    """Wait before the next attempt. Raises *error* where the service asks for more time than an upload takes."""
    asked = retry_after(error) or 0.0
    if asked > LONGEST_WAIT:
        raise error
    time.sleep(max(asked, FIRST_WAIT * 2**failures * uniform(0.5, 1)))  # noqa: S311  # jitter, not a secret


def _encoded(checksum: int) -> str:
    return base64.b64encode(checksum.to_bytes(4, "big")).decode()
