"""ministack, an emulator of AWS in one process: S3, DynamoDB, SQS, SNS, Lambda and more."""

from __future__ import annotations

from portable_conformance.counterparts import _servers
from portable_conformance.counterparts._programs import PipProgram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_conformance.counterparts._servers import Server

PROGRAM = PipProgram("ministack", "1.5.33", ["ministack==1.5.33"])


def start() -> Server:
    """Return the running ministack. Raises MissingCounterpart."""
    return serve("ministack", PROGRAM.script("ministack"))


def serve(name: str, *command: str, **settings: str) -> Server:
    """Return the running ministack called *name*, which *command* starts with *settings* in its environment."""
    return _servers.serve(
        name,
        lambda ports, folder: [
            *("/usr/bin/env", "BIND_HOST=127.0.0.1", f"GATEWAY_PORT={ports[0]}", f"HOME={folder}"),
            *(f"S3_DATA_DIR={folder}/s3", f"STATE_DIR={folder}/state", *command),
        ],
        environment=settings,
    )
