"""Tencent Cloud's clients: one per service and place in a process, on one pool of connections; the role's credentials.

SCF puts the keys of a function's role into the environment, with the token that belongs to them, and newer ones when
they are renewed: so they are looked up for each call.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import Any
from urllib.parse import urlsplit

import requests
from qcloud_cos import CosConfig, CosS3Client
from qcloud_cos.cos_exception import CosServiceError
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from portable_contracts._value import Value
from portable_contracts.clients import Clients
from portable_contracts.errors import PermissionDenied

CONNECT_SECONDS = 5
READ_SECONDS = 30
CONNECTIONS = 64

_SESSIONS: Clients[requests.Session] = Clients()
_CLIENTS: Clients[CosClient] = Clients()
_PROXIES: Clients[dict[str, str]] = Clients()

# The SDK writes signatures, and what keys they were made of, to its log. Whoever wants that sets the level himself.
_log = logging.getLogger("qcloud_cos")
if _log.level == logging.NOTSET:
    _log.setLevel(logging.CRITICAL + 1)


class Credentials(Value):
    """Whom requests are signed as."""

    identity: str
    key: str
    token: str | None

    def __repr__(self) -> str:
        return f"Credentials({self.identity!r}, ...)"


def credentials() -> Credentials:
    """Return those of the environment: a role's as SCF has them, else a key as Tencent's other tools read it.

    Raises PermissionDenied where there are none.
    """
    return Credentials(*_signer())


def _signer() -> tuple[str, str, str | None]:
    for identity_name, key_name, token_name in _VARIABLES:
        identity, key = os.environ.get(identity_name), os.environ.get(key_name)
        if identity and key:
            return identity, key, os.environ.get(token_name) or None
    raise PermissionDenied(
        "there are no credentials of Tencent Cloud: give the function a role, or set TENCENTCLOUD_SECRET_ID and "
        "TENCENTCLOUD_SECRET_KEY"
    )


_VARIABLES = (
    # https://www.tencentcloud.com/document/product/583/32748
    ("TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN"),
    ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_TOKEN"),
)


def session() -> requests.Session:
    """Return the process's pool of connections. It follows the environment's proxies as they were at first use."""
    return _SESSIONS.get("session", _make_session)


def _make_session() -> requests.Session:
    made = requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, HTTPAdapter(pool_connections=16, pool_maxsize=CONNECTIONS))
    # Looking for proxies and a netrc file with each request costs more than signing it.
    made.trust_env = False
    made.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    return made


class CosClient(CosS3Client):  # type: ignore[misc]  # the SDK has no types
    """The SDK's client; its errors also know how long the service asked to wait."""

    def __init__(self, configuration: CosConfig) -> None:
        # Without a retry of its own: the portable type does that.
        super().__init__(configuration, retry=0, session=session())
        self._refused = threading.local()

    def send_request(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        options.setdefault("hooks", {"response": self._note})
        self._refused.retry_after = None
        try:
            return super().send_request(method, url, *arguments, **options)
        except CosServiceError as error:
            vars(error)["retry_after"] = self._refused.retry_after
            raise

    def _note(self, answer: requests.Response, **_: Any) -> None:
        if answer.status_code >= 400:
            self._refused.retry_after = answer.headers.get("Retry-After")


def proxies(url: str) -> dict[str, str]:
    """Return the proxies of the environment for the host of *url*."""
    return _PROXIES.get(urlsplit(url).netloc, lambda: get_environ_proxies(url))


def client(service: str, *, region: str, endpoint: str | None = None, domain: str | None = None) -> CosClient:
    """Return the client of *service*, `"cos"`, for the credentials of this moment.

    *endpoint* is `http://127.0.0.1:9000` for a server of another kind, which is told the bucket by the host's name as
    if it were Tencent's, or a name that buckets are below: `https://cos.accelerate.myqcloud.com`. *domain* is a
    bucket's own: one that has it serves to sign alone.
    Raises PermissionDenied where there are no credentials.
    """
    who = _signer()

    def make() -> CosClient:
        return CosClient(
            CosConfig(
                Region=region,
                SecretId=who[0],
                SecretKey=who[1],
                Token=who[2],
                Timeout=(CONNECT_SECONDS, READ_SECONDS),
                AutoSwitchDomainOnRetry=False,
                **(_place(endpoint) if domain is None else _own(domain)),
            )
        )

    return _CLIENTS.get((service, region, endpoint, domain, who), make)


def is_address(endpoint: str | None) -> bool:
    """Say whether *endpoint* names no host but an address: its buckets have no names of their own."""
    return endpoint is not None and (urlsplit(endpoint).hostname or "").replace(".", "").isdigit()


def _place(endpoint: str | None) -> dict[str, Any]:
    if endpoint is None:
        return {"Proxies": get_environ_proxies("https://myqcloud.com")}
    parts, proxies = urlsplit(endpoint), get_environ_proxies(endpoint)
    if is_address(endpoint):
        return {"Scheme": parts.scheme, "IP": parts.hostname, "Port": parts.port, "Proxies": proxies}
    return {"Scheme": parts.scheme, "Endpoint": parts.netloc, "Proxies": proxies}


def _own(domain: str) -> dict[str, Any]:
    scheme, _, name = domain.rpartition("://")
    return {"Scheme": scheme or "https", "Domain": name}
