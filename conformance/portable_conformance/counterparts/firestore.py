"""Firestore: the emulator that FIRESTORE_EMULATOR_HOST names, else a server of ours that speaks its protocol."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from portable_conformance.counterparts import _servers
from portable_contracts.harness import MissingCounterpart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from portable_conformance.counterparts._servers import Server


def emulator() -> str | None:
    """Return the address of the emulator that the environment names, `http://host:port`, or None."""
    host = os.environ.get("FIRESTORE_EMULATOR_HOST")
    return f"http://{host}" if host else None


def start() -> Server:
    """Return our running server. Raises MissingCounterpart where Google's messages are not installed."""
    try:
        found = find_spec("google.cloud.firestore_v1")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise MissingCounterpart("pip install google-cloud-firestore: the server speaks in its messages")
    return _servers.serve(
        "firestore",
        lambda ports, folder: [sys.executable, "-m", f"{__package__}.firestore_server", str(ports[0])],
    )


def inject(server: Server, match: str, **fault: Any) -> None:
    """Do *fault* to the next calls whose request holds *match*: see `firestore_server.Fault`."""
    _control(server, "Inject", {"match": match, **fault})


def watch(server: Server, match: str) -> None:
    """From now on remember which methods are called with requests that hold *match*."""
    _control(server, "Watch", {"match": match})


def seen(server: Server, match: str) -> list[str]:
    """Return the methods that were called with requests that hold *match*, in order, since they were watched."""
    names: list[str] = _control(server, "Seen", {"match": match})
    return names


def _control(server: Server, method: str, told: dict[str, Any]) -> Any:
    import json
    from importlib import import_module

    grpc: Any = import_module("grpc")
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = channel.unary_unary(f"/portable.conformance.Firestore/{method}")
        return json.loads(call(json.dumps(told).encode(), timeout=10))
