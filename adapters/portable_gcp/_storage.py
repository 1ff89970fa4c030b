"""Requests to Cloud Storage over one session: the JSON API, and the XML API for reading, which tells all in one answer.

https://docs.cloud.google.com/storage/docs/json_api/v1 and https://docs.cloud.google.com/storage/docs/xml-api/overview
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from google.api_core.exceptions import from_http_response
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Client
from requests.adapters import HTTPAdapter

from portable_gcp import _clients

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response

TIMEOUT = (10, 60)
"""Seconds until a connection stands, and until the next bytes come."""
_CONNECTIONS = 64
"""Kept open for later requests; more may be open at once."""


class Storage:
    """Cloud Storage at one endpoint, with this process's credentials."""

    def __init__(self, endpoint: str | None) -> None:
        # Google's own clients ask an emulator without credentials, where this names one.
        emulator = None if endpoint else os.environ.get("STORAGE_EMULATOR_HOST")
        found: tuple[Any, str | None] = (AnonymousCredentials(), None) if emulator else _clients.credentials()
        self.credentials, project = found
        self.session: Any = AuthorizedSession(self.credentials)
        adapter = HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=0)
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, adapter)
        self.client: Any = Client(
            project=project,
            credentials=self.credentials,
            _http=self.session,
            client_options={"api_endpoint": endpoint or emulator} if endpoint or emulator else None,
        )
        self.base: str = self.client.api_endpoint.rstrip("/")

    def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | memoryview | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        stream: bool = False,
    ) -> Response:
        """Send one request; return the answer, whatever it is. *path* is as on the wire, or a whole address."""
        address = path if path.startswith("http") else self.base + path
        if query:
            address += "?" + urlencode(query, quote_via=quote)
        response: Response = self.session.request(
            method, address, data=body, headers=headers, timeout=TIMEOUT, stream=stream, allow_redirects=False
        )
        return response

    def asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | memoryview | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Likewise, but raise google.api_core's error for a refusal."""
        return accepted(self.ask(method, path, query, body, headers))


def accepted(response: Response) -> Response:
    """Return *response*, unless it is a refusal: then raise the error that google.api_core has for it."""
    if response.status_code >= 400:
        raise from_http_response(response)
    return response


def storage_at(endpoint: str | None) -> Storage:
    """Return this process's Cloud Storage at *endpoint*; None is the public one."""
    made: Storage = _clients.client("storage", lambda: Storage(endpoint), endpoint=endpoint)
    return made
