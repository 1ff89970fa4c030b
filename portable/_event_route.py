"""A route that takes CloudEvents, in any of HTTP's three modes, to the handlers of their types.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md has the answers, and the question with which
a sender makes sure that this path wants its events.
"""

from __future__ import annotations

from portable import _reporting
from portable._triggers import failure
from portable_contracts.errors import InvalidArgument
from portable_contracts.http import BadRequest, Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable.app import App
    from portable_contracts.http import Request


class EventRoute:
    """What answers at the path: `take` to POST, `agree` to OPTIONS."""

    def __init__(self, app: App) -> None:
        self._app = app

    def take(self, request: Request) -> None:
        """Handle the request's events; all of them, whatever becomes of the first."""
        from portable_contracts.cloudevents import is_cloudevent, read_http

        if not is_cloudevent(request.headers):
            raise BadRequest("this path takes CloudEvents: send the header ce-specversion, or application/cloudevents")
        try:
            events = read_http(request)
            for event in events:
                self._app._triggers.handlers(event)
        except InvalidArgument as error:
            raise BadRequest(str(error)) from error
        errors: list[Exception] = []
        for event in events:
            try:
                self._app.handle(event)
            except Exception as error:
                if len(events) == 1:
                    raise
                _reporting.failed(event, error)
                errors.append(error)
        if errors:
            raise failure(errors[0], f"{len(errors)} of {len(events)} events must be sent again")

    def agree(self, request: Request) -> Response:
        """Tell a sender that it may send here, as fast as it asks to."""
        headers = [("allow", "POST")]
        origin = request.headers.get("webhook-request-origin")
        if origin is not None:
            headers.append(("webhook-allowed-origin", origin))
            headers.append(("webhook-allowed-rate", request.headers.get("webhook-request-rate", "*")))
        return Response(b"", 200, headers)
