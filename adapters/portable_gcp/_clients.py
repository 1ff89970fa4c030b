"""What every driver of Google Cloud shares: one pair of credentials a process, and one client per service and endpoint.

Credentials come from the platform's usual chain (`google.auth.default`): GOOGLE_APPLICATION_CREDENTIALS, the user's own
of gcloud, workload identity, the metadata server of Cloud Functions, Cloud Run and Compute Engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import google.auth

from portable_contracts.clients import Clients

if TYPE_CHECKING:
    from collections.abc import Callable

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)

_credentials: Clients[tuple[Any, str | None]] = Clients()
_clients: Clients[Any] = Clients()


def credentials() -> tuple[Any, str | None]:
    """Return this process's credentials, and the project that they name.

    Raises google.auth.exceptions.DefaultCredentialsError where the platform has none.
    """
    return _credentials.get("default", lambda: google.auth.default(scopes=SCOPES))


def client(service: str, make: Callable[[], Any], *, endpoint: str | None = None) -> Any:
    """Return this process's client of *service* at *endpoint* (None: the public one), made by *make* on first use."""
    return _clients.get((service, endpoint), make)
