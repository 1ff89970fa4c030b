"""Azurite, Microsoft's own emulator of Azure Storage: blobs, queues and tables.

Two things that it does otherwise than the service's documentation says are mended in `azurite_mended.js`.
"""

from __future__ import annotations

from pathlib import Path

from portable_conformance.counterparts import _servers
from portable_conformance.counterparts._programs import NpmProgram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_conformance.counterparts._servers import Server

PROGRAM = NpmProgram("azurite", "3.37.0", "dist/src/azurite.js")

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that every Azurite has: no secret."""


def start() -> Server:
    """Return the running Azurite; its ports are those of blobs, queues and tables. Raises MissingCounterpart."""
    node, script = PROGRAM.command()
    return _servers.serve(
        "azurite",
        lambda ports, folder: [
            node,
            *("--require", str(Path(__file__).with_name("azurite_mended.js"))),
            *("--require", str(Path(__file__).with_name("azurite_time.js"))),
            script,
            *("--blobHost", "127.0.0.1", "--blobPort", str(ports[0])),
            *("--queueHost", "127.0.0.1", "--queuePort", str(ports[1])),
            *("--tableHost", "127.0.0.1", "--tablePort", str(ports[2])),
            *("--inMemoryPersistence", "--silent", "--disableTelemetry"),
            # A connection that it closes just when it is used again is no fault that the tests are about.
            *(f"--{service}KeepAliveTimeout=600" for service in ("blob", "queue", "table")),
            "--skipApiVersionCheck",  # The SDK's version of the API is newer than the emulator's.
        ],
        ports=3,
    )
