"""The access keys that the servers of ours know that stand for services of Tencent Cloud."""

from __future__ import annotations

import hashlib

from portable_contracts._value import Value


class Account(Value):
    """Whom a server knows: a key, and the token that a role's key comes with."""

    key: str
    token: str = ""


def account_of(identity: str) -> Account | None:
    """Return the account of an access key: whatever begins as ours do is one, a role's if it says so."""
    if not identity.startswith("AKIDportable"):
        return None
    key = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return Account(key, "token-of-" + identity if "role" in identity else "")
