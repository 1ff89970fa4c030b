"""gRPC channels to Google's services, or to their emulators, and the project that calls are for."""

from __future__ import annotations

import os
from typing import Any

import grpc
import grpc.experimental

from portable_contracts.errors import InvalidArgument
from portable_gcp import _clients

_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    # Else the channel of a forked child would share its parent's connection, by way of gRPC's pool of them.
    ("grpc.use_local_subchannel_pool", 1),
    # A stream is read by the thread that asked for it: a third less work than through a thread of its own.
    (grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1),
)


def emulator(endpoint: str | None, variable: str) -> str | None:
    """Return host and port of the emulator in use: those of *endpoint*, else what the environment's *variable* says."""
    if endpoint is None:
        return os.environ.get(variable)
    return endpoint.removeprefix("http://") if endpoint.startswith("http://") else None


def project_name(project: str | None, *, emulated: str | None) -> str:
    """Return the project; *emulated* is that of an emulator where nothing names one, None for the service itself.

    Raises InvalidArgument where neither the address nor the environment names one.
    """
    project = project or os.environ.get("GOOGLE_CLOUD_PROJECT") or os.environ.get("GCLOUD_PROJECT")
    found = project or emulated or _clients.credentials()[1]
    if not found:
        raise InvalidArgument(
            "no project is known: add ?project=NAME to the address, or set the variable GOOGLE_CLOUD_PROJECT"
        )
    return found


def channel(endpoint: str | None, emulator: str | None, transport: Any) -> grpc.Channel:
    """Return a new channel to *emulator*, else to *endpoint*, else to where the SDK's *transport* goes by itself."""
    if emulator is not None:
        return grpc.insecure_channel(emulator, options=_OPTIONS)
    host = (endpoint or f"https://{transport.DEFAULT_HOST}").removeprefix("https://").rstrip("/")
    credentials, _ = _clients.credentials()
    made: grpc.Channel = transport.create_channel(host, credentials=credentials, options=_OPTIONS)
    return made
