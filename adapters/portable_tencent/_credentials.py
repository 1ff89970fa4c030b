"""What SCF puts into an invocation beside what a client or a service said, and a handler must never see.

Headers `X-Scf-*` hold the role's keys beside the client's address; a bucket's notification holds the signature of the
request that it tells of. Codecs read events whole, and hand on copies without these as `native`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

OWN = "x-scf-"
"""What the platform's header names begin with, in lower case; clients cannot send such ones:
https://cloud.tencent.com/document/product/583/56124"""


def split(headers: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the client's headers as they are, and the platform's own by their names in lower case."""
    theirs: dict[str, Any] = {}
    own: dict[str, str] = {}
    for name, value in headers.items():
        lowered = name.lower()
        if lowered.startswith(OWN):
            own[lowered] = str(value)
        else:
            theirs[name] = value
    return theirs, own


def unsigned(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a bucket's *record* without the headers of the request that it tells of."""
    event = record["event"]
    told = event.get("requestParameters")
    if type(told) is not dict:
        return {**record, "event": {name: value for name, value in event.items() if name != "requestParameters"}}
    kept = {name: value for name, value in told.items() if name != "requestHeaders"}
    return {**record, "event": {**event, "requestParameters": kept}}
