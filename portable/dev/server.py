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
from portable.polling.engine import KINDS
from portable_contracts.errors import InvalidArgument, PortableError, Unavailable
from portable_contracts.provider import Opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet
    from typing import Any

    from portable.app import App
    from portable.config import Configuration, Target

PORT = 8000
"""Where the server listens when it is told nothing and the port is free."""
CONCURRENCY = 4
"""Messages of each queue that are handled side by side, where the target is not this machine."""
SHUTDOWN = 30
"""Seconds that requests in flight have to end."""
# To the process that --reload starts. No resource's variable has two underscores there.
_NAMED, _LINES, _URL = "PORTABLE__NAMED", "PORTABLE__LINES", "PORTABLE__URL"
_TARGET, _CONCURRENCY = "PORTABLE__TARGET", "PORTABLE__CONCURRENCY"


def serve(
    named: str | None, *, host: str, port: int | None, reload: bool, lines: bool, concurrency: int | None = None
) -> int:
    """Serve the app that *named* says, as `load_app` reads it, until a signal ends it; return the exit code.

    Where *named* is a target of portable.toml, the app there is served with that target's resources, and its queues are
    consumed. Up to *concurrency* messages of each queue are handled side by side; without it one on this machine, four
    of a target elsewhere. Without *port* it is 8000, or a free one where that is taken. Raises InvalidArgument for a
    target that is neither named nor local, and for an app that is not there; Unavailable where *port* is taken.
    """
    console, configuration = Console(), config.load()
    if named is not None and named in configuration.targets:
        target, named = configuration.targets[named], None
    else:
        target = _local_target(configuration)
    if concurrency is None:
        concurrency = 1 if target.provider == "local" else CONCURRENCY
    listening = _listen(host, port)
    url = _url(host, listening)
    if not is_loopback(listening.getsockname()[0]):
        warning = f"warning: {host} is open to the network: whoever reaches this machine can use the app"
        sys.stderr.write(console.paint(warning, "yellow") + "\n")
    with listening:
        if reload:
            os.environ.update({_TARGET: target.name, _CONCURRENCY: str(concurrency)})
            return _serve_anew(named, configuration, listening, url, lines)
        app = load_app(named, configuration)
        application = _application(app, configuration, target, console, url, lines, concurrency)
        return _Server(_settings(application)).serve_on(listening)


def _local_target(configuration: Configuration) -> Target:
    target = configuration.target()
    if target.provider != "local":
        raise InvalidArgument(
            f"target {target.name} is on {target.provider}, and `portable run` runs apps with data of this machine: "
            f"unset PORTABLE_TARGET, or say `portable run {target.name}` to consume that target's queues from here"
        )
    return target


def _application(
    app: App,
    configuration: Configuration,
    target: Target,
    console: Console,
    url: str,
    lines: bool,
    concurrency: int,
) -> Any:
    """Return the ASGI application; its lifespan is the engine's."""
    _log_to_standard_error()
    app.bind(target, configuration, Opening(data=configuration.data, region=target.region))
    kinds = KINDS if target.provider == "local" else frozenset({"message"})
    inner = runtime.runner(app, "local")
    runner = DevRunner(app, inner, configuration.data, console, lines=lines, kinds=kinds, concurrency=concurrency)
    console.say(f"{console.paint(app.name, 'bold')} on {console.paint(url, 'cyan')}  (Ctrl-C stops it)")
    for line in _described(app, kinds):
        console.say(console.paint(f"  {line}", "dim"))
    where = f"data in {configuration.data}" if target.provider == "local" else f"resources of target {target.name}"
    console.say(console.paint(f"  {where}", "dim"))
    return registry.load(registry.provider("local").entry)(runner)


def _described(app: App, kinds: AbstractSet[str]) -> Iterator[str]:
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
            left = "" if kind in kinds else " (left to the platform)"
            yield f"{words} {', '.join(dict.fromkeys(names))}{left}"


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
        target, lines = configuration.target(os.environ[_TARGET]), bool(os.environ[_LINES])
        concurrency = int(os.environ[_CONCURRENCY])
        return _application(app, configuration, target, Console(), os.environ[_URL], lines, concurrency)
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
