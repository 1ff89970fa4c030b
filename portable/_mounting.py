"""What a mounted application is told of the request beside what the request itself says."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from portable_contracts.http import Request


def scheme_of(request: Request) -> str:
    """Return the scheme that the client used, as far as the platform's front tells."""
    told: str = request.headers.get("x-forwarded-proto", "")
    scheme = told.partition(",")[0].strip().lower()
    if scheme in ("http", "https"):
        return scheme
    return "http" if request.context.provider in ("", "local") else "https"


def server_of(request: Request, scheme: str) -> tuple[str, int]:
    """Return the host and the port that the client asked for."""
    host: str = request.headers.get("host", "localhost")
    name, colon, port = host.rpartition(":")
    if colon and port.isdecimal():
        return name, int(port)
    return host, 443 if scheme == "https" else 80


def application_name(application: object) -> str:
    """Return what errors call the application."""
    return str(getattr(application, "__name__", None) or type(application).__name__)
