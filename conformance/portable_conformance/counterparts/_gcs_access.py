"""Who may call the fake Cloud Storage: one service account, by a token it was given for its signature, or by V4 query
signatures. Both are verified with the account's public key.

Written from https://docs.cloud.google.com/storage/docs/authentication/signatures, .../canonical-requests, and
https://developers.google.com/identity/protocols/oauth2/service-account.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from portable_conformance.counterparts._gcs_objects import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 7 * 24 * 3600
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
"""What stands before a SHA-256 digest in a PKCS #1 v1.5 signature: RFC 8017, section 9.2."""


class Access:
    """What *account* (its email, and the numbers of its public key) may do, which is everything, and others nothing."""

    def __init__(self, account: Mapping[str, Any]) -> None:
        self._email: str = account["email"]
        self._modulus, self._exponent = int(account["modulus"]), int(account["exponent"])
        self._tokens: set[str] = set()

    def token(self, assertion: str) -> Mapping[str, Any]:
        """Return the answer of the token endpoint to a signed assertion."""
        try:
            head, claims, signature = assertion.split(".")
            told = json.loads(_decoded(claims))
            signed = self._signed(f"{head}.{claims}".encode(), _decoded(signature))
            good = signed and told["iss"] == self._email and told["exp"] > time.time()
        except (ValueError, KeyError, TypeError):
            good = False
        if not good:
            raise Refused(400, "invalid_grant", "invalid_grant", "Invalid JWT Signature.")
        token = "ya29." + secrets.token_urlsafe(32)
        self._tokens.add(token)
        return {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}

    def has_token(self, headers: Mapping[str, str]) -> bool:
        """Say whether the request brings a token; one that was never given is refused."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        if not token:
            return False
        if kind != "Bearer" or token not in self._tokens:
            raise Refused(401, "authError", "AuthenticationRequired", "Invalid Credentials")
        return True

    def check_signature(
        self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], raw_query: str
    ) -> None:
        """Refuse a request that is not signed by its query, or no longer."""
        try:
            began = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
            lasting = int(query["X-Goog-Expires"])
            email, day, *scope = query["X-Goog-Credential"].split("/")
            signature = bytes.fromhex(query["X-Goog-Signature"])
            names = query["X-Goog-SignedHeaders"].split(";")
            algorithm = query["X-Goog-Algorithm"]
        except (KeyError, ValueError) as error:
            raise _denied(f"The request is not signed as it should be: {error}") from error
        if scope != ["auto", "storage", "goog4_request"] or algorithm != "GOOG4-RSA-SHA256" or email != self._email:
            raise _denied("The credential is not the account's.")
        if not query["X-Goog-Date"].startswith(day) or not 0 < lasting <= LONGEST or "host" not in names:
            raise Refused(400, "invalid", "InvalidQueryParameterValue", "A query parameter is not what it may be.")
        pairs = [pair.partition("=") for pair in raw_query.split("&")]
        canonical = "\n".join(
            [
                method,
                path,
                "&".join(
                    sorted(
                        f"{quote(unquote(name), safe='~')}={quote(unquote(value), safe='~')}"
                        for name, _, value in pairs
                        if name != "X-Goog-Signature"
                    )
                ),
                *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names),
                "",
                ";".join(names),
                headers.get("x-goog-content-sha256", "UNSIGNED-PAYLOAD"),
            ]
        )
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"GOOG4-RSA-SHA256\n{query['X-Goog-Date']}\n{day}/auto/storage/goog4_request\n{digest}"
        if not self._signed(text.encode(), signature):
            raise Refused(403, "forbidden", "SignatureDoesNotMatch", "Access denied.")
        if time.time() > began + lasting:
            raise Refused(400, "invalid", "ExpiredToken", "Invalid argument.")

    def _signed(self, text: bytes, signature: bytes) -> bool:
        size = (self._modulus.bit_length() + 7) // 8
        opened = pow(int.from_bytes(signature, "big"), self._exponent, self._modulus).to_bytes(size, "big")
        digest = _SHA256 + hashlib.sha256(text).digest()
        return (
            len(signature) == size and opened == b"\x00\x01".ljust(size - len(digest) - 1, b"\xff") + b"\x00" + digest
        )


def _denied(message: str) -> Refused:
    return Refused(403, "forbidden", "AccessDenied", message)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
