"""Connections of Libcloud's drivers for services that speak S3: how each is made, and how it is asked.

A Libcloud driver is for one thread. It keeps the last request in itself.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from libcloud.common.aws import AWSRequestSignerAlgorithmV4
from libcloud.storage.providers import get_driver
from requests.adapters import HTTPAdapter

from portable_contracts._value import Value
from portable_contracts.clients import Clients
from portable_contracts.errors import InvalidArgument, PermissionDenied

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
POOL = 4
"""Connections that one thread keeps: it may read several objects at once."""


class Service(Value):
    """One of Libcloud's drivers."""

    driver: str
    """Its name in `libcloud.storage.types.Provider`."""
    region: str
    """Where nothing else is said."""
    needs_endpoint: bool = False
    takes_endpoint: bool = True


SERVICES = {
    "libcloud+digitalocean-spaces": Service("digitalocean_spaces", "nyc3", takes_endpoint=False),
    "libcloud+minio": Service("minio", "us-east-1", needs_endpoint=True),
    "libcloud+ovh": Service("ovh", "sbg"),
    "libcloud+s3": Service("s3", "us-east-1"),
    "libcloud+s3-rgw": Service("s3_rgw", "default", needs_endpoint=True),
    "libcloud+scaleway": Service("scaleway", "fr-par"),
}


class Answer:
    """Takes the place of Libcloud's class for raw answers: it hides nothing, and raises nothing."""

    def __init__(self, connection: Any, response: requests.Response) -> None:
        self.response = response


class Signer(AWSRequestSignerAlgorithmV4):
    """Signs by a clock that Python still has: Libcloud's own, `datetime.utcnow`, warns with every request."""

    def get_request_headers(
        self, params: Any, headers: Any, method: str = "GET", path: str = "/", data: Any = None
    ) -> tuple[Any, Any]:
        now = datetime.now(timezone.utc)
        own: Any = self  # Libcloud types a part of itself.
        headers["X-AMZ-Date"] = now.strftime("%Y%m%dT%H%M%SZ")
        headers["X-AMZ-Content-SHA256"] = own._get_payload_hash(method, data)
        headers["Authorization"] = own._get_authorization_v4_header(
            params=params, headers=headers, dt=now, method=method, path=path, data=data
        )
        return params, headers


class _Transport(HTTPAdapter):
    """Sends with a time-out, which Libcloud does not set for raw requests, and a space as it is signed, not as `+`."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        path, mark, query = (request.url or "").partition("?")
        request.url = path + mark + query.replace("+", "%20")
        return super().send(request, stream, (CONNECT_SECONDS, READ_SECONDS), verify, cert, proxies)


class Connections:
    """The drivers for one service at one endpoint: one for each thread and process."""

    def __init__(self, scheme: str, region: str | None, endpoint: str | None) -> None:
        """Check what the address says. Raises InvalidArgument."""
        self._scheme = scheme
        self._service = service = SERVICES[scheme]
        self._region = region
        self._endpoint = _parsed(scheme, endpoint) if endpoint is not None else None
        if endpoint is None and service.needs_endpoint:
            raise InvalidArgument(f"{scheme} needs an endpoint: write {scheme}://bucket?endpoint=https://host:port")
        if endpoint is not None and not service.takes_endpoint:
            raise InvalidArgument(f"{scheme} has its own endpoints: write {scheme}://bucket?region={service.region}")
        self._drivers: Clients[Any] = Clients()

    def driver(self) -> Any:
        """Return this thread's driver. Raises PermissionDenied where the environment has no credentials."""
        return self._drivers.get(threading.get_ident(), self._prepared)

    def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes = b"",
        stream: bool = False,
    ) -> requests.Response:
        """Send one signed request over Libcloud's connection; return the answer, whatever its status.

        Where Libcloud's own methods need several requests, or lose what the answer says, drivers ask by this.
        """
        answer = self.driver().connection.request(
            path, params=params, headers=headers, data=data, method=method, raw=True, stream=stream
        )
        response: requests.Response = answer.response
        return response

    def forget(self) -> None:
        """Let the connections go."""
        self._drivers = Clients()

    def make(self) -> Any:
        """Return a new driver of Libcloud's."""
        name = self._service.driver
        options: dict[str, Any] = {"key": _credential(name, "KEY"), "secret": _credential(name, "SECRET")}
        if self._endpoint is not None:
            options.update(self._endpoint)
        if name in ("digitalocean_spaces", "s3_rgw"):
            options["signature_version"] = "4"
        token = os.environ.get(_variable(name, "TOKEN"))
        if token:
            options["token"] = token
        # With an endpoint the region is only what is signed; Libcloud's lists of regions are of its own endpoints.
        if self._region is not None and self._endpoint is None:
            options["region"] = self._region
        try:
            driver: Any = get_driver(name)(**options)
        except Exception as error:
            if self._region is None:
                raise
            raise InvalidArgument(f"Libcloud's driver {name} has no region {self._region!r}: {error}") from error
        if self._endpoint is not None:
            driver.region_name = self._region or self._service.region
        connection: Any = driver.connection
        signer: Any = Signer
        connection.signer = signer(connection.user_id, connection.key, connection.version, connection)
        return driver

    def _prepared(self) -> Any:
        driver = self.make()
        connection = driver.connection
        connection.rawResponseCls = Answer
        connection.connect()  # Makes a session; nothing is sent.
        session = connection.connection.session
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Transport(pool_connections=1, pool_maxsize=POOL, max_retries=0))
        return driver


def _parsed(scheme: str, endpoint: str) -> dict[str, Any]:
    parts = urlsplit(endpoint)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or parts.path.strip("/"):
        raise InvalidArgument(f"the endpoint {endpoint!r} of {scheme} is not like https://host or http://host:port")
    return {
        "secure": parts.scheme == "https",
        "host": parts.hostname,
        "port": port or {"https": 443, "http": 80}[parts.scheme],
    }


def _variable(driver: str, word: str) -> str:
    return f"PORTABLE_LIBCLOUD_{driver.upper()}_{word}"


def _credential(driver: str, word: str) -> str:
    found = os.environ.get(_variable(driver, word))
    if not found:
        raise PermissionDenied(
            f"there are no credentials: set {_variable(driver, 'KEY')} and {_variable(driver, 'SECRET')}"
        )
    return found
