"""Fresh buckets for the conformance suite: on our wire fake, or where the environment says.

`PORTABLE_CONFORMANCE_GS` is the endpoint of another server (`http://127.0.0.1:4443`), or `gs://` for Google's own, and
behind it the beginning of the buckets' names if they need one (`gs://my-project-suite`). Credentials are then those
that the drivers find.
"""

from __future__ import annotations

import json
import os
from http.client import HTTPConnection
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from portable_contracts.provider import Address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from portable_contracts.harness import Harness

_RUN = os.urandom(5).hex()
_numbers = count(1)
_fakes: list[str] = []
"""Where the fake is that this process uses: an address may lead to it over a proxy that breaks the wire."""
_given = os.environ.get("PORTABLE_CONFORMANCE_GS", "").rstrip("/")

EVIDENCE = "wire fake" if not _given else "live" if _given.startswith("gs:") else "emulator"


def create(harness: Harness, options: Mapping[str, Any]) -> str:
    """Make a bucket and return its address. Raises MissingCounterpart."""
    from portable_gcp._storage import storage_at

    address = _address(harness, f"portable-{_RUN}-{next(_numbers)}")
    parsed = Address.parse(address)
    storage_at(parsed.parameters.get("endpoint")).client.create_bucket(parsed.name)
    return address


def destroy(address: str) -> None:
    parsed = Address.parse(address)
    if not _given:
        _control("DELETE", f"buckets/{parsed.name}")
        return
    from portable_gcp._storage import storage_at

    bucket = storage_at(parsed.parameters.get("endpoint")).client.bucket(parsed.name)
    for blob in bucket.list_blobs():
        blob.delete()
    bucket.delete()


def unreachable(harness: Harness) -> str:
    """Return the address of a bucket that does not exist."""
    return _address(harness, f"portable-{_RUN}-none")


def leftovers(address: str) -> Sequence[str]:
    """Return the keys of uploads that have parts and were neither ended nor cancelled: only our fake tells."""
    if _given:
        return ()
    keys: list[str] = json.loads(_control("GET", f"uploads/{Address.parse(address).name}"))
    return keys


def upstream(address: str) -> tuple[str, int] | None:
    """Return where an endpoint without TLS listens: no proxy looks into another one."""
    parts = urlsplit(Address.parse(address).parameters.get("endpoint", ""))
    return (parts.hostname or "", parts.port or 80) if parts.scheme == "http" else None


def through(address: str, host: str, port: int) -> str:
    parsed = Address.parse(address)
    return str(parsed.replace(parameters={**parsed.parameters, "endpoint": f"http://{host}:{port}"}))


def refusal(reason: str) -> tuple[int, Mapping[str, str], bytes]:
    """Return an answer of the JSON API: https://docs.cloud.google.com/storage/docs/json_api/v1/status-codes."""
    status, word, message = {
        "throttled": (429, "rateLimitExceeded", "The rate of requests to the object exceeds the limit."),
        "failed": (500, "internalError", "We encountered an internal error. Please try again."),
        "denied": (403, "forbidden", "The account does not have storage.objects access to the bucket."),
    }[reason]
    one = {"message": message, "domain": "global", "reason": word}
    body = json.dumps({"error": {"code": status, "message": message, "errors": [one]}})
    return status, {"Content-Type": "application/json; charset=UTF-8"}, body.encode()


def _address(harness: Harness, name: str) -> str:
    if _given.startswith("gs:"):
        prefix = _given.partition("//")[2]
        return f"gs://{prefix}-{name}" if prefix else f"gs://{name}"
    if _given:
        return f"gs://{name}?endpoint={_given}"
    fake = harness.counterpart("fake_gcs")
    server = fake.start()
    _fakes[:] = [f"127.0.0.1:{server.port}"]
    os.environ.setdefault("GOOGLE_APPLICATION_CREDENTIALS", fake.key_file(server))
    return f"gs://{name}?endpoint={server.url}"


def _control(method: str, what: str) -> bytes:
    connection = HTTPConnection(_fakes[0], timeout=60)
    try:
        connection.request(method, f"/_control/{what}")
        return connection.getresponse().read()
    finally:
        connection.close()
