"""The server of `portable run`: uvicorn in this process, or in one that is started anew when the source changes."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys

import uvicorn

from portable import config, registry, runtime
from portable.dev.console import Console
from portable.dev.loading import load_app
from portable.dev.runner import DevRunner
from portable_contracts.errors import InvalidArgument, PortableError, Unavailable
from portable_contracts.provider import Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from portable.app import App
    from portable.config import Configuration, Target

PORT = 8000
"""Where the server listens when it is told nothing and the port is free."""
SHUTDOWN = 30
"""Seconds that requests in flight have to end."""
# To the process that --reload starts. No resource's variable has two underscores there.
_NAMED, _LINES, _URL = "PORTABLE__NAMED", "PORTABLE__LINES", "PORTABLE__URL"


def serve(named: str | None, *, host: str, port: int | None, reload: bool, lines: bool) -> int:
    """Serve the app that *named* says, as `load_app` reads it, until a signal ends it; return the exit code.

    Without *port* it is 8000, or a free one where that is taken. Raises InvalidArgument for a target that is not local
    and for an app that is not there; Unavailable where *port* is taken.
    """
    console, configuration = Console(), config.load()
    target = _local_target(configuration)
    listening = _listen(host, port)
    url = _url(host, listening)
    if not is_loopback(listening.getsockname()[0]):
        warning = f"warning: {host} is open to the network: whoever reaches this machine can use the app"
        sys.stderr.write(console.paint(warning, "yellow") + "\n")
    with listening:
        if reload:
            return _serve_anew(named, configuration, listening, url, lines)
        application = _application(load_app(named, configuration), configuration, target, console, url, lines)
        return _Server(_settings(application)).serve_on(listening)


def _local_target(configuration: Configuration) -> Target:
    target = configuration.target()
    if target.provider != "local":
        raise InvalidArgument(
            f"target {target.name} is on {target.provider}, and `portable run` runs apps on this machine: "
            "unset PORTABLE_TARGET, or set it to local"
        )
    return target


def _application(
    app: App, configuration: Configuration, target: Target, console: Console, url: str, lines: bool
) -> Any:
    """Return the ASGI application; its lifespan is the engine's."""
    _log_to_standard_error()
    app.bind(target, configuration, Opening(data=configuration.data))
    runner = DevRunner(app, runtime.runner(app, target.provider), configuration.data, console, lines=lines)
    console.say(f"{console.paint(app.name, 'bold')} on {console.paint(url, 'cyan')}  (Ctrl-C stops it)")
    for line in _described(app):
        console.say(console.paint(f"  {line}", "dim"))
    console.say(console.paint(f"  data in {configuration.data}", "dim"))
    return registry.load(registry.provider(target.provider).entry)(runner)


def _described(app: App) -> Iterator[str]:
    spec = app.spec()
    if spec.routes:
        yield f"{len(spec.routes)} route{'s' if len(spec.routes) > 1 else ''}"
    for kind, words in (
        ("message", "messages of"),
        ("change", "changes of"),
        ("blob", "events of"),
        ("schedule", "schedules"),
    ):
        names = [
            trigger.name if kind == "schedule" else trigger.source for trigger in spec.triggers if trigger.kind == kind
        ]
        if names:
            yield f"{words} {', '.join(dict.fromkeys(names))}"


class _OwnFrames(logging.Formatter):
    """Leaves out of a traceback how the call got to the app: frames of portable and the standard library before it."""

    _elsewhere = (os.path.dirname(os.path.dirname(__file__)) + os.sep, os.path.dirname(os.__file__) + os.sep)

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's name
        kind, error, traceback = ei
        own = traceback
        while own is not None and own.tb_frame.f_code.co_filename.startswith(self._elsewhere):
            own = own.tb_next
        return super().formatException((kind, error, own or traceback))


def _log_to_standard_error() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OwnFrames("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def _settings(application: Any, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        interface="asgi3",
        lifespan="on",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing stands before it: who claims to be forwarded is not believed
        timeout_graceful_shutdown=SHUTDOWN,
        **more,
    )


class _Server(uvicorn.Server):
    """A server that a signal ends as it should: what is in flight is finished, and the exit code is 0."""

    def serve_on(self, listening: socket.socket) -> int:
        # uvicorn raises the signal again when it has shut down: by then there is nothing left to do.
        before = {number: signal.signal(number, self._leave) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self.run(sockets=[listening])
        except SystemExit as ended:
            return 0 if self._was_asked else int(bool(ended.code))
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return 0

    _was_asked = False

    def _leave(self, number: int, frame: object) -> None:
        self._was_asked = True
        if not self.started:
            raise SystemExit(0)


def _serve_anew(
    named: str | None, configuration: Configuration, listening: socket.socket, url: str, lines: bool
) -> int:
    from uvicorn.supervisors import ChangeReload

    os.environ.update({_NAMED: named or "", _LINES: "1" if lines else "", _URL: url})
    _log_to_standard_error()
    settings = _settings(
        "portable.dev.server:reloaded",
        factory=True,
        reload=True,
        reload_delay=0,  # it delays the first watch, too: a file that is saved meanwhile would be missed
        reload_dirs=[configuration.folder],
        reload_includes=["*.py", config.FILE],
    )
    ChangeReload(settings, target=uvicorn.Server(settings).run, sockets=[listening]).run()
    return 0


def reloaded() -> Any:
    """Return the application, in a process that --reload has started."""
    try:
        configuration = config.load()
        app = load_app(os.environ[_NAMED] or None, configuration)
        target, lines = _local_target(configuration), bool(os.environ[_LINES])
        return _application(app, configuration, target, Console(), os.environ[_URL], lines)
    except PortableError as error:
        sys.stderr.write(f"Error: {error}\n")
    except Exception:
        _log_to_standard_error()
        logging.getLogger("portable").exception("the app cannot be loaded; waiting for a change")
    raise SystemExit(1)


def _listen(host: str, port: int | None) -> socket.socket:
    try:
        return _bound(host, PORT if port is None else port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and port is None:
            return _bound(host, 0)
        hint = ": choose another --port" if error.errno == errno.EADDRINUSE else ""
        where = f"{host} port {PORT if port is None else port}"
        raise Unavailable(f"cannot listen on {where}: {error.strerror or error}{hint}") from error


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError:
        listening.close()
        raise
    return listening


def is_loopback(address: str) -> bool:
    """Say whether only this machine reaches *address*."""
    from ipaddress import ip_address

    return ip_address(address).is_loopback


def _url(host: str, listening: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}"
