"""Queues for the conformance suite, on the server of the suite's own."""

from __future__ import annotations

import json
import uuid
from urllib.parse import urlsplit

from portable_contracts.provider import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from portable_tencent._fresh_account import FreshAccount

LEASE = 10
"""Seconds; what the suite expects of queues whose leases it cannot choose."""
_KEEP = 12 * 3600
_REFUSALS = {
    # https://www.tencentcloud.com/document/product/406/5903
    "throttled": (4420, "(10250)qps throttling"),
    "failed": (6000, "(10050)server internal error"),
    "denied": (4100, "(10030)authentication failed"),
}


class FreshQueues:
    def __init__(self, account: FreshAccount) -> None:
        self._account = account

    def create(self, options: Mapping[str, Any]) -> str:
        name = f"q-{uuid.uuid4().hex[:12]}"
        told = {"queue": name, "lease": str(LEASE), "keep": str(_KEEP)}
        if options.get("dead_letter"):
            told["dead"] = Address.parse(options["dead_letter"]).name
            told["most"] = str(options["max_attempts"])
        self._account.steer("cmq", "create", **told)
        return self._address(name)

    def destroy(self, address: Address) -> None:
        self._account.steer("cmq", "drop", queue=address.name)

    def unreachable(self) -> str:
        return self._address("no-such-queue")

    def _address(self, name: str) -> str:
        return f"cmq://{name}?endpoint={self._account.server('cmq').url}"


def upstream(address: Address) -> tuple[str, int] | None:
    """Return the host and port of the address's `endpoint`."""
    endpoint = urlsplit(address.parameters.get("endpoint", ""))
    return (endpoint.hostname, endpoint.port) if endpoint.hostname and endpoint.port else None


def through(address: Address, host: str, port: int) -> str:
    return str(address.replace(parameters={**address.parameters, "endpoint": f"http://{host}:{port}"}))


def refusal(reason: str) -> tuple[int, Mapping[str, str], bytes]:
    code, message = _REFUSALS[reason]
    body = json.dumps({"code": code, "message": message, "requestId": "14534664555"})
    return 200, {"Content-Type": "application/json"}, body.encode()
