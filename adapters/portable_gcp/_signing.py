"""Credentials that can sign: by their own private key, or, where they have none, by IAM's signBlob."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.auth import iam
from google.auth.credentials import Signing
from google.auth.exceptions import TransportError
from google.auth.transport.requests import Request

from portable_contracts.errors import PermissionDenied
from portable_gcp._storage_errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable


def signing(credentials: Any, request: Callable[..., Any] | None = None) -> Signing:
    """Return credentials that sign for the same account; *request* is what IAM is asked by.

    Raises Refused where *credentials* are no service account's.
    """
    if isinstance(credentials, Signing):
        return credentials
    asking = request or Request()
    if getattr(credentials, "service_account_email", None) == "default":
        credentials.refresh(asking)  # Where functions run, only the metadata server knows the account.
    account = getattr(credentials, "service_account_email", None)
    if not account:
        raise Refused(
            PermissionDenied,
            "these credentials cannot sign: use those of a service account, by its key or attached to where this runs",
        )
    return _SignedByIam(credentials, account, asking)


class _SignedByIam(Signing):
    """Signs as *account*, which *credentials* may be used for."""

    def __init__(self, credentials: Any, account: str, request: Callable[..., Any]) -> None:
        self._account = account
        self._signer = iam.Signer(request, credentials, account)

    def sign_bytes(self, message: bytes) -> bytes:
        try:
            signature: bytes = self._signer.sign(message)
        except TransportError as error:
            if "PERMISSION_DENIED" not in str(error):
                raise
            raise Refused(
                PermissionDenied,
                f"IAM does not let {self._account} sign: enable the IAM Service Account Credentials API, and grant the "
                "account the role roles/iam.serviceAccountTokenCreator on itself",
            ) from error
        return signature

    @property
    def signer_email(self) -> str:
        return self._account

    @property
    def signer(self) -> Any:
        return self._signer
