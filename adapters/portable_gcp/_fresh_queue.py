"""Fresh queues for the conformance suite: on Google's own fake, or where the environment says.

`PORTABLE_CONFORMANCE_PUBSUB` is the endpoint of an emulator (`http://127.0.0.1:8085`), as is PUBSUB_EMULATOR_HOST; or
`pubsub://` for Google's own, with the beginning of the topics' names and a project behind it if they need one
(`pubsub://suite?project=acme`). Credentials are then those that the drivers find.
"""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from portable_contracts.provider import EMPTY, Address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from portable_contracts.harness import Harness

_RUN = os.urandom(5).hex()
_numbers = count(1)
_given = os.environ.get("PORTABLE_CONFORMANCE_PUBSUB", "").rstrip("/")
_emulator = os.environ.get("PUBSUB_EMULATOR_HOST")

EVIDENCE = "live" if _given.startswith("pubsub:") else "emulator"
OWN_CLOCK = not _given and not _emulator
"""Whether the server's clock can be moved."""
_COUNTING = 100
"""The most attempts that a dead-letter policy can say: the service counts them only where there is one."""


def create(harness: Harness, options: Mapping[str, Any]) -> str:
    """Make a topic and a subscription to it, and return the queue's address. Raises MissingCounterpart."""
    address = _address(harness, f"portable-{_RUN}-{next(_numbers)}")
    native, project = _native(address)
    topic, subscription = _names(project, address)
    native.publisher.create_topic(name=topic)
    letters = f"{topic}-uncounted"
    if options.get("dead_letter"):
        letters, _ = _names(project, Address.parse(options["dead_letter"]))
    else:
        native.publisher.create_topic(name=letters)
    native.subscriber.create_subscription(
        request={
            "name": subscription,
            "topic": topic,
            "ack_deadline_seconds": 10,
            "enable_message_ordering": True,
            "dead_letter_policy": {
                "dead_letter_topic": letters,
                "max_delivery_attempts": options.get("max_attempts") or _COUNTING,
            },
        }
    )
    return str(address)


def destroy(address: str) -> None:
    from google.api_core.exceptions import NotFound

    native, project = _native(Address.parse(address))
    topic, subscription = _names(project, Address.parse(address))
    native.subscriber.delete_subscription(subscription=subscription)
    for name in (topic, f"{topic}-uncounted"):
        try:
            native.publisher.delete_topic(topic=name)
        except NotFound:
            continue


def unreachable(harness: Harness) -> str:
    """Return the address of a queue that does not exist."""
    return str(_address(harness, f"portable-{_RUN}-none"))


def pass_time(harness: Harness, seconds: float) -> None:
    fake = harness.counterpart("pstest")
    fake.pass_time(fake.start(), seconds)


def leftovers(address: str) -> Sequence[str]:
    return ()


def upstream(address: str) -> tuple[str, int] | None:
    """Return where an emulator listens: no proxy looks into TLS."""
    parts = urlsplit(Address.parse(address).parameters.get("endpoint", ""))
    return (parts.hostname or "", parts.port or 80) if parts.scheme == "http" else None


def through(address: str, host: str, port: int) -> str:
    parsed = Address.parse(address)
    return str(parsed.replace(parameters={**parsed.parameters, "endpoint": f"http://{host}:{port}"}))


def refusal(reason: str) -> tuple[int, Mapping[str, str], bytes]:
    """Return what gRPC's codes are in HTTP: https://docs.cloud.google.com/pubsub/docs/reference/error-codes."""
    return {
        "throttled": (429, EMPTY, b"Quota exceeded."),
        "failed": (500, EMPTY, b"A service error has occurred."),
        "denied": (403, EMPTY, b"User not authorized to perform this action."),
    }[reason]


def _address(harness: Harness, name: str) -> Address:
    if _given.startswith("pubsub:"):
        given = Address.parse(_given if not _given.endswith(":") else f"{_given}//")
        return Address("pubsub", f"{given.name}-{name}" if given.name else name, "", given.parameters)
    endpoint = _given or (f"http://{_emulator}" if _emulator else harness.counterpart("pstest").start().url)
    return Address("pubsub", name, "", {"project": "portable-conformance", "endpoint": endpoint})


def _native(address: Address) -> tuple[Any, str]:
    from portable_gcp._pubsub_service import Project

    service = Project(address.parameters.get("project"), address.parameters.get("endpoint")).service()
    return service.native(), service.project


def _names(project: str, address: Address) -> tuple[str, str]:
    return f"projects/{project}/topics/{address.name}", f"projects/{project}/subscriptions/{address.name}"
