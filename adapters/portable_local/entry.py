"""The app as an ASGI application, for uvicorn and any other server of that kind."""

from __future__ import annotations

from portable_contracts.asgi import application

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_contracts.asgi import Application
    from portable_contracts.provider import Runner


def entry(runner: Runner) -> Application:
    """Return the ASGI application."""
    return application(runner, "scope", runner.limits.max_request_bytes)
