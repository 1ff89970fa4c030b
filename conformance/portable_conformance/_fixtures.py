"""The fixtures of the suites; `portable_conformance.plugin` says what each is for."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from portable import registry
from portable_conformance._queues import Leases
from portable_conformance._tables import TEN
from portable_conformance.counterparts.faults import Proxy
from portable_contracts.provider import EMPTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from portable._driving import Resource
    from portable.blob import Bucket
    from portable.kv import Table
    from portable.queue import Queue
    from portable_conformance._session import Session
    from portable_contracts.harness import Harness
    from portable_contracts.limits import Capabilities
    from portable_contracts.provider import Provider
    from portable_contracts.queue import QueueCapabilities

TYPES = {"bucket": "portable.blob:Bucket", "table": "portable.kv:Table", "queue": "portable.queue:Queue"}


class Resources:
    """The resources that one test made."""

    def __init__(self, session: Session, scheme: str) -> None:
        self.session = session
        self.scheme = scheme
        self._addresses: dict[int, str] = {}
        self._options: dict[int, dict[str, Any]] = {}
        self._cleanup = ExitStack()

    def make(self, kind: str, options: dict[str, Any]) -> Any:
        harness = self.session.harness
        if not isinstance(options.get("dead_letter", ""), str):
            options = {**options, "dead_letter": self.address(options["dead_letter"])}
        address = self.session.counterpart(lambda: harness.create(kind, self.scheme, options))
        self._cleanup.callback(harness.destroy, address)
        return self._open(kind, address, options)

    def reopen(self, resource: Resource) -> Any:
        return self._open(resource.kind, self.address(resource), self._options[id(resource)])

    def _open(self, kind: str, address: str, options: dict[str, Any]) -> Any:
        resource = registry.load(TYPES[kind]).at(address, opening=self.session.harness.opening(options))
        self._cleanup.callback(lambda: resource._connection.driver.close())
        self._addresses[id(resource)] = address
        self._options[id(resource)] = options
        self._cleanup.callback(lambda: resource)  # Kept alive: its id names it.
        return resource

    def proxy_to(self, resource: Resource) -> Proxy:
        upstream = self.session.harness.upstream(self.address(resource))
        if upstream is None:
            pytest.skip("not applicable: the harness names no upstream that a proxy could stand in front of")
        proxy = self.session.proxies.get(upstream)
        if proxy is None or proxy.closed:
            # One for all tests: a client per port is what many an SDK takes long to make.
            proxy = self.session.proxies[upstream] = Proxy(*upstream)
        self._cleanup.callback(proxy.clear)
        return proxy

    def through(self, resource: Resource, proxy: Proxy) -> Any:
        address = self.session.harness.through(self.address(resource), proxy.host, proxy.port)
        return self._open(resource.kind, address, self._options[id(resource)])

    def address(self, resource: Resource) -> str:
        return self._addresses[id(resource)]

    def start_process(self, resource: Resource, program: str, *arguments: str) -> subprocess.Popen[str]:
        opening = self.session.harness.opening(self._options[id(resource)])
        told = {
            "provider": self.session.provider.name,
            "type": TYPES[resource.kind],
            "address": self.address(resource),
            "data": opening.data,
            "region": opening.region,
            "options": dict(opening.options),
            "ahead": opening.clock() - time.time(),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", _PRELUDE + program, json.dumps(told), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._cleanup.callback(_end, process)
        return process

    def close(self) -> None:
        self._cleanup.close()


_PRELUDE = """
import json, sys, time
from portable import registry
from portable_contracts.provider import Opening
told = json.loads(sys.argv[1])
arguments = sys.argv[2:]
registry.provider(told["provider"])
address = told["address"]
clock = lambda: time.time() + told["ahead"]
opening = Opening(data=told["data"], clock=clock, region=told["region"], options=told["options"])
resource = registry.load(told["type"]).at(address, opening=opening)
"""


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.fixture(scope="session")
def portable_session(pytestconfig: pytest.Config) -> Session:
    session: Session = pytestconfig.pluginmanager.get_plugin("portable_conformance_session")  # type: ignore[assignment]  # registered before this module
    return session


@pytest.fixture(scope="session")
def provider(portable_session: Session) -> Provider:
    return portable_session.provider


@pytest.fixture(scope="session")
def harness(portable_session: Session) -> Harness:
    return portable_session.harness


@pytest.fixture
def capabilities(portable_session: Session, request: pytest.FixtureRequest, scheme: str) -> Capabilities | None:
    return portable_session.capabilities(request.node.get_closest_marker("portable_contract").args[0], scheme)


@pytest.fixture
def far(portable_session: Session, scheme: str) -> bool:
    return portable_session.is_far(scheme)


@pytest.fixture
def resources(portable_session: Session, scheme: str) -> Iterator[Resources]:
    made = Resources(portable_session, scheme)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def make_table(resources: Resources) -> Callable[..., Table]:
    return lambda **options: resources.make("table", options)


@pytest.fixture
def make_queue(resources: Resources) -> Callable[..., Queue]:
    return lambda **options: resources.make("queue", options)


@pytest.fixture
def make_bucket(resources: Resources) -> Callable[..., Bucket]:
    return lambda **options: resources.make("bucket", options)


@pytest.fixture
def table(make_table: Callable[..., Table]) -> Table:
    return make_table()


@pytest.fixture
def ten(table: Table) -> Table:
    """Return the table with ten items in the partition "p", and others around it."""
    for sort in TEN:
        table.put("p", sort, int(sort))
    for partition in ("o", "p ", "pp", "P", "q"):
        table.put(partition, "05", "another partition's")
    return table


@pytest.fixture
def queue(make_queue: Callable[..., Queue]) -> Queue:
    return make_queue()


@pytest.fixture
def bucket(make_bucket: Callable[..., Bucket]) -> Bucket:
    return make_bucket()


@pytest.fixture
def resource(request: pytest.FixtureRequest, resources: Resources) -> Resource:
    made: Resource = resources.make(request.node.get_closest_marker("portable_contract").args[0], {})
    return made


@pytest.fixture
def reopen(resources: Resources) -> Callable[[Resource], Any]:
    return resources.reopen


@pytest.fixture
def proxy_to(resources: Resources) -> Callable[[Resource], Proxy]:
    return resources.proxy_to


@pytest.fixture
def through(resources: Resources) -> Callable[[Resource, Proxy], Any]:
    return resources.through


@pytest.fixture
def address_of(resources: Resources) -> Callable[[Resource], str]:
    return resources.address


@pytest.fixture
def driver_of() -> Callable[[Resource], Any]:
    return lambda resource: resource._connection.driver


@pytest.fixture
def pass_time(harness: Harness) -> Callable[[float], None]:
    return harness.pass_time


@pytest.fixture
def leases(capabilities: QueueCapabilities, pass_time: Callable[[float], None]) -> Leases:
    return Leases(capabilities, pass_time)


@pytest.fixture
def now(harness: Harness) -> Callable[[], float]:
    return harness.opening(EMPTY).clock


@pytest.fixture
def start_process(resources: Resources) -> Callable[..., subprocess.Popen[str]]:
    return resources.start_process
