"""The storage account of the conformance suite: Azurite's, or one that the environment names.

`PORTABLE_CONFORMANCE_AZBLOB`, `_AZTABLE` and `_AZQUEUE` are the endpoint of a service, such as
`https://NAME.blob.core.windows.net`; credentials are then those that the drivers find.
"""

from __future__ import annotations

import json
import os
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from portable_azure._addresses import place
from portable_contracts._value import Value
from portable_contracts.provider import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from portable_contracts.harness import Harness

_PORTS = {"azblob": 0, "azqueue": 1, "aztable": 2}
_RUN = os.urandom(5).hex()
_numbers = count(1)


class Fresh(Value):
    """Where new resources of one scheme are made."""

    scheme: str
    account: str
    endpoint: str

    def address(self, name: str = "") -> str:
        """Return the address of *name*, by default one that nobody used before."""
        parameters = urlencode({"account": self.account, "endpoint": self.endpoint})
        return f"{self.scheme}://{name or f'portable{_RUN}n{next(_numbers)}'}?{parameters}"


def fresh(harness: Harness, scheme: str) -> Fresh:
    """Return where to make resources of *scheme*. Raises MissingCounterpart."""
    given = os.environ.get(f"PORTABLE_CONFORMANCE_{scheme.upper()}", "").rstrip("/")
    if given:
        parts = urlsplit(given)
        return Fresh(scheme, parts.path.strip("/") or (parts.hostname or "").partition(".")[0], given)
    azurite = harness.counterpart("azurite")
    server = azurite.start()
    os.environ.setdefault("AZURE_STORAGE_ACCOUNT", azurite.ACCOUNT)
    os.environ.setdefault("AZURE_STORAGE_KEY", azurite.KEY)
    endpoint = f"http://127.0.0.1:{server.ports[_PORTS[scheme]]}/{azurite.ACCOUNT}"
    return Fresh(scheme, azurite.ACCOUNT, endpoint)


def is_live(scheme: str) -> bool:
    """Say whether the environment names an endpoint in Azure itself."""
    host = urlsplit(os.environ.get(f"PORTABLE_CONFORMANCE_{scheme.upper()}", "")).hostname or ""
    return ".core." in host or ".storage.azure.net" in host


def upstream(address: str) -> tuple[str, int] | None:
    """Return where an endpoint without TLS listens: no proxy looks into another one."""
    parts = urlsplit(place(Address.parse(address)).endpoint)
    return (parts.hostname or "", parts.port or 80) if parts.scheme == "http" else None


def through(address: str, host: str, port: int) -> str:
    """Return *address* with its endpoint on *host* and *port*."""
    parsed = Address.parse(address)
    moved = urlsplit(parsed.parameters["endpoint"])._replace(netloc=f"{host}:{port}").geturl()
    return str(parsed.replace(parameters={**parsed.parameters, "endpoint": moved}))


def refusal(address: str, reason: str) -> tuple[int, Mapping[str, str], bytes]:
    """Return an answer of Azure Storage's: tables answer in JSON, the others in XML.

    https://learn.microsoft.com/rest/api/storageservices/status-and-error-codes2
    """
    status, code, sentence = {
        "throttled": (503, "ServerBusy", "The server is busy."),
        "failed": (500, "InternalError", "Server encountered an internal error. Please try again after some time."),
        "denied": (403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation."),
    }[reason]
    headers = {"Content-Type": "application/xml", "x-ms-error-code": code}
    if not address.startswith("aztable:"):
        body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{sentence}</Message></Error>'
        return status, headers, body.encode()
    told = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": sentence}}}
    return status, {**headers, "Content-Type": "application/json"}, json.dumps(told).encode()
