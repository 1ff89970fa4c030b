"""Clients of a storage account's services: blobs, queues and tables, on one pool of connections and one credential.

Credentials come from the environment, by the names that `az` has: AZURE_STORAGE_CONNECTION_STRING, or
AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY. They count for the account that they name, and no other. Without them it
is azure-identity's DefaultAzureCredential: a managed or workload identity, a service principal, whoever ran `az login`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from portable_contracts._value import Value
from portable_contracts.clients import Clients
from portable_contracts.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from portable_azure._addresses import Place

CONNECT_SECONDS, READ_SECONDS = 10, 60
POOL = 64
"""Connections that are kept: as many threads of a process talk to one host at once without waiting for a handshake."""

_clients: Clients[Any] = Clients()
_shared: Clients[Any] = Clients()


class Account(Value):
    """Where a service of an account is, and what the environment says to sign in with."""

    _unprinted = frozenset({"key"})

    name: str
    endpoint: str
    key: str = ""


def client(service: str, place: Place) -> Any:
    """Return the SDK's service client, of `"blob"`, `"queue"` or `"table"`, for the account of *place*.

    Its own retries are off. Raises InvalidArgument where neither the address nor the environment names the account.
    """
    return _clients.get((service, place.account, place.endpoint), lambda: _make(service, place))


def account_of(service: str, place: Place, environment: Mapping[str, str]) -> Account:
    """Return the account of *place*. Raises InvalidArgument where nothing names it."""
    connection = _connection_string(environment.get("AZURE_STORAGE_CONNECTION_STRING", ""))
    known = environment.get("AZURE_STORAGE_ACCOUNT", "")
    name = place.account or known or connection.get("accountname", "")
    if not name:
        raise InvalidArgument(
            f"{place.name}: no storage account is named: add ?account=NAME to the address, or set AZURE_STORAGE_ACCOUNT"
        )
    endpoint = place.endpoint
    if name == known and environment.get("AZURE_STORAGE_KEY"):
        return Account(name, endpoint or _public(name, service), environment["AZURE_STORAGE_KEY"])
    if name != connection.get("accountname"):
        return Account(name, endpoint or _public(name, service))
    return Account(
        name,
        endpoint
        or connection.get(f"{service}endpoint", "").rstrip("/")
        or _public(
            name,
            service,
            connection.get("defaultendpointsprotocol", "https"),
            connection.get("endpointsuffix", "core.windows.net"),
        ),
        connection.get("accountkey", ""),
    )


def _public(name: str, service: str, protocol: str = "https", suffix: str = "core.windows.net") -> str:
    return f"{protocol}://{name}.{service}.{suffix}"


def _connection_string(text: str) -> Mapping[str, str]:
    """Read `AccountName=...;AccountKey=...`; its names count without their case."""
    pairs = (part.partition("=") for part in text.split(";") if part)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _make(service: str, place: Place) -> Any:
    account = account_of(service, place, os.environ)
    options = {"credential": _credential(account), "transport": _transport(), "retry_total": 0}
    return _services()[service](account.endpoint, options)


def _services() -> Mapping[str, Callable[[str, dict[str, Any]], Any]]:
    return {"blob": _blob, "queue": _queue, "table": _table}


def _blob(endpoint: str, options: dict[str, Any]) -> Any:
    from azure.storage.blob import BlobServiceClient

    from portable_azure.limits import BLOCK

    # What is asked for at once, and what a stream then gives piece by piece.
    return BlobServiceClient(endpoint, max_single_get_size=BLOCK // 2, max_chunk_get_size=BLOCK // 2, **options)


def _queue(endpoint: str, options: dict[str, Any]) -> Any:
    from azure.storage.queue import QueueServiceClient

    return QueueServiceClient(endpoint, **options)


def _table(endpoint: str, options: dict[str, Any]) -> Any:
    from azure.data.tables import TableServiceClient

    return TableServiceClient(endpoint, **options)


def _credential(account: Account) -> Any:
    if not account.key:
        return _shared.get("credential", _identity)
    from azure.core.credentials import AzureNamedKeyCredential

    return AzureNamedKeyCredential(account.name, account.key)


def _identity() -> Any:
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


def _transport() -> Any:
    return _shared.get("transport", _make_transport)


def _make_transport() -> Any:
    from azure.core.pipeline.transport import RequestsTransport
    from requests import Session
    from requests.adapters import HTTPAdapter

    session = Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_connections=POOL, pool_maxsize=POOL))
    return RequestsTransport(
        session=session, session_owner=False, connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS
    )
