"""AWS's low-level clients: one per service and place in a process, on one session; credentials from the usual chain."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import HTTPClientError

from portable_contracts.clients import Clients

_SESSIONS: Clients[Any] = Clients()
_CLIENTS: Clients[Any] = Clients()

CONNECT_SECONDS = 5
READ_SECONDS = 30


def client(service: str, *, region: str | None = None, endpoint: str | None = None, **configuration: Any) -> Any:
    """Return the client of *service*; *configuration* is what botocore's Config takes, beside what all clients have.

    No region is that of the environment.
    """

    def make() -> Any:
        session = _SESSIONS.get("session", boto3.session.Session)
        made = session.client(
            service,
            # Lambda's own variable; boto3 reads AWS_DEFAULT_REGION and the profile.
            region_name=region or os.environ.get("AWS_REGION") or None,
            endpoint_url=endpoint,
            config=Config(
                retries={"total_max_attempts": 1, "mode": "standard"},  # The portable type retries.
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                max_pool_connections=64,
                tcp_keepalive=True,
                **configuration,
            ),
        )
        made.meta.events.register(f"before-parse.{made.meta.service_model.service_id.hyphenize()}.*", _whole)
        return made

    return _CLIENTS.get((service, region, endpoint), make)


def _whole(operation_model: Any, response_dict: Any, **_: object) -> None:
    """Raise where the connection ended within an answer: botocore would take half of one for an empty one."""
    body, length = response_dict["body"], response_dict["headers"].get("content-length")
    if length is None or not isinstance(body, bytes) or operation_model.http["method"] == "HEAD":
        return
    if len(body) != int(length):
        raise HTTPClientError(error=f"{len(body)} of the answer's {length} bytes came")
