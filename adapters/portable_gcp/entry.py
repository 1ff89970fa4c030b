"""What a Cloud Run function's target names: one function for HTTP, and one for events.

    http = portable.entrypoint(app, "gcp")      # --target http
    event = http.event                          # --target event

They are two, because events must not come from the public: deploy `event` so that only Eventarc, Pub/Sub and Cloud
Scheduler may call it. It reads the request itself: functions-framework leaves the percent-encoding of attributes as it
is, knows no batches, and refuses a Pub/Sub push that has attributes alone.
"""

from __future__ import annotations

from portable_contracts.cloudevents import is_cloudevent, read_http, to_json
from portable_contracts.errors import InvalidArgument, PortableError
from portable_gcp.http import FlaskRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    from portable_contracts.http import Request
    from portable_contracts.provider import Runner

    class Entry(Protocol):
        """The HTTP function, which has the event function beside it."""

        event: Any

        def __call__(self, request: Any) -> Any: ...


_JOB = ("x-cloudscheduler-jobname", "x-cloudscheduler-scheduletime")
_CRASHED = {"x-google-status": "crash"}
"""What functions-framework says of an exception."""


def entry(runner: Runner) -> Entry:
    """Return the HTTP function; its attribute `event` is the event function."""

    def http(request: Any) -> Any:
        return runner(request, None)

    def event(_: Any) -> Any:
        from flask import request  # What functions-framework passes is already parsed, where its own rules hold.

        received = FlaskRequest().decode(request, None)
        failures = []
        for raw in raw_events(received):
            try:
                runner(raw, received.context)
            except Exception as error:
                failures.append(error)
        if not failures:
            return "", 204
        # Raised, it would be logged with a traceback: once more, where it is reported.
        unreported = [error for error in failures if not (isinstance(error, PortableError) and error.reported)]
        if unreported:
            raise unreported[0]
        return "", 500, _CRASHED

    http.event = event  # type: ignore[attr-defined]  # that makes it an Entry
    return http  # type: ignore[return-value]  # it has its attribute now


def raw_events(request: Request) -> Sequence[Any]:
    """Return what the codecs read: CloudEvents in JSON form, a push, or the headers of a scheduler's call."""
    if is_cloudevent(request.headers):
        return [to_json(event) for event in read_http(request)]
    if _JOB[0] in request.headers:
        return [{name: request.headers.get(name) for name in _JOB}]
    if request.headers.get("content-type", "").startswith("application/json"):
        return [request.json()]
    raise InvalidArgument("the request is no CloudEvent, no Pub/Sub push and no call of Cloud Scheduler")
