"""Where the conformance suite makes its resources: on an emulator, or where the environment says.

`PORTABLE_CONFORMANCE_S3`, `_DYNAMODB` and `_SQS` are the endpoint of a service, such as
`https://dynamodb.eu-west-1.amazonaws.com`; credentials and region are then those that the drivers find. Or they are the
name of another counterpart than the first choice: `moto`.
"""

from __future__ import annotations

import json
import os
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from portable_contracts.harness import MissingCounterpart
from portable_contracts.provider import Address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from portable_contracts.harness import Harness

_RUN = os.urandom(4).hex()
_numbers = count(1)
_FAKES = {
    "AWS_ACCESS_KEY_ID": "portable",
    "AWS_SECRET_ACCESS_KEY": "portable",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def given(service: str) -> str:
    """Return what the environment names for *service*: an endpoint or a counterpart, empty for none."""
    return os.environ.get(f"PORTABLE_CONFORMANCE_{service.upper()}", "").rstrip("/")


def endpoint(harness: Harness, service: str, counterparts: Sequence[str]) -> str:
    """Return the endpoint of *service*: the first of *counterparts* that starts. Raises MissingCounterpart."""
    chosen = given(service)
    if "://" in chosen:
        return chosen
    for name, fake in _FAKES.items():
        os.environ.setdefault(name, fake)
    missing = []
    for name in [chosen] if chosen else counterparts:
        try:
            url: str = harness.counterpart(name).start().url
        except MissingCounterpart as error:
            missing.append(str(error))
        else:
            return url
    raise MissingCounterpart("; or ".join(missing))


def fresh_name() -> str:
    """Return a name that nobody used before, as all services take it."""
    return f"portable-{_RUN}-{os.getpid()}-{next(_numbers)}"


def is_live(service: str) -> bool:
    """Say whether the environment names an endpoint of AWS itself."""
    host = urlsplit(given(service)).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))


def upstream(address: str) -> tuple[str, int] | None:
    """Return where an endpoint without TLS listens: no proxy looks into another one."""
    parts = urlsplit(Address.parse(address).parameters.get("endpoint", ""))
    return (parts.hostname or "", parts.port or 80) if parts.scheme == "http" else None


def through(address: str, host: str, port: int) -> str:
    """Return *address* with its endpoint on *host* and *port*."""
    parsed = Address.parse(address)
    moved = urlsplit(parsed.parameters["endpoint"])._replace(netloc=f"{host}:{port}").geturl()
    return str(parsed.replace(parameters={**parsed.parameters, "endpoint": moved}))


def json_refusal(status: int, code: str, message: str) -> tuple[int, Mapping[str, str], bytes]:
    """Return the answer of a service that speaks JSON."""
    body = {"__type": f"com.amazonaws#{code}", "message": message}
    return status, {"Content-Type": "application/x-amz-json-1.0"}, json.dumps(body).encode()
