"""The pytest plugin. It does nothing unless `--provider` is given.

How a suite module is written
-----------------------------
Every module of this package whose name has no leading underscore, except `plugin` and `report`, is a suite:

    from portable_conformance import contract, needs, without

    pytestmark = contract("table")          # "bucket", "table", "queue", "http" or "events"

    class TestDeleting:                     # one class per area of the contract
        def test_deleting_a_missing_item_succeeds(self, table): ...

        @needs("transactions")              # declared: runs; not declared: reported as unsupported, not run
        def test_a_transaction_is_all_or_nothing(self, table): ...

        @without("transactions")            # not declared: runs; declared: left out
        def test_a_transaction_is_refused_where_there_are_none(self, table):
            with pytest.raises(Unsupported): ...

Classes start with `Test`, tests with `test_`, and the rest of a test's name is the sentence that the report prints; a
test that takes more than about a second has `@pytest.mark.slow`. A word of a set-valued capability is written
`"sign:GET"`. Every boolean capability has at least one test of each mark. The suite imports `portable` and
`portable_contracts`, never an adapter.

Fixtures
    provider                    the Provider under test
    harness                     its Harness, one per process
    scheme                      the address scheme of this run of the test; "" in "http" and "events"
    capabilities                what the adapter declares for this contract and scheme
    far                         whether each call goes over a wire, so that a test had better make fewer of them
    make_table(**options)       a new Table on a fresh address, removed after the test
    make_queue(**options)       likewise; options are those of ResourceSpec, and `dead_letter` may be a Queue
    make_bucket(**options)
    table, queue, bucket        one of them, made without options
    ten                         a table with ten items in one partition, TEN of `_tables`, and others around it
    resource                    the one that this contract is about
    reopen(resource)            a second, independent handle on the same address
    address_of(resource)        its address
    driver_of(resource)         its driver, for what the portable type does not show
    pass_time(seconds)          let time pass for the service: at once where its clock is ours
    leases                      takes messages for the shortest lease, and lets it end
    now()                       the time there, in seconds since the epoch
    proxy_to(resource)          a `counterparts.faults.Proxy` to the service behind it, which can break the wire; skips
                                the test where the harness names no `upstream`
    through(resource, proxy)    another handle on it, over that proxy
    start_process(resource, program, *arguments)
                                run Python code in another process, where `resource` is open on the same address,
                                `address` and `opening` are what it was opened with, and `arguments` is a list of
                                str; gives a text-mode Popen that is killed after the test

A harness that raises MissingCounterpart skips the test with its reason, or fails it where
PORTABLE_REQUIRE_COUNTERPARTS=1.
"""

from __future__ import annotations

from pathlib import Path

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from typing import Any

    from portable_conformance._session import Session  # noqa: F401  # named in the string below

HERE = Path(__file__).parent
MODULES = tuple(sorted({path.stem for path in HERE.glob("*.py")} - {"__init__", "plugin", "report"}))
SUITES = tuple(module for module in MODULES if not module.startswith("_"))

_session = pytest.StashKey["Session | None"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("portable", "portable conformance")
    group.addoption("--provider", metavar="NAME", help="test the adapter of this provider (portable_conformance)")
    group.addoption(
        "--scheme", metavar="SCHEME", action="append", default=[], help="only resources of this scheme; repeatable"
    )
    group.addoption(
        "--portable-report", metavar="FILE", help="write the matrix of results to FILE.json and as a page to FILE.html"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_session] = None
    name = config.getoption("--provider")
    if name is None:
        if config.getoption("--portable-report"):
            raise pytest.UsageError("--portable-report reports on an adapter: name it with --provider")
        if config.option.pyargs and any(argument.startswith("portable_conformance") for argument in config.args):
            raise pytest.UsageError("name the adapter to test: pytest --pyargs portable_conformance --provider local")
        return
    for line in (
        "portable_contract(kind): the contract that a suite tests",
        "portable_needs(capability, ...): run where all of them are declared",
        "portable_without(capability): run where it is not declared",
        "portable_wired: run where the driver talks to a service over a wire",
        "slow: takes more than about a second",
    ):
        config.addinivalue_line("markers", line)
    pytest.register_assert_rewrite(*(f"portable_conformance.{module}" for module in MODULES))
    from portable_conformance import _fixtures
    from portable_conformance._session import Session
    from portable_conformance.counterparts import _servers

    if not hasattr(config, "workerinput") and _servers.begin():
        config.add_cleanup(_servers.end)
    config.stash[_session] = session = Session(config, name)
    config.pluginmanager.register(_fixtures, "portable_conformance_fixtures")
    config.pluginmanager.register(session, "portable_conformance_session")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Generator[None, Any, Any]:
    collectors = yield
    if file_path.parent != HERE:
        return collectors
    if file_path.stem not in SUITES or parent.config.stash[_session] is None:
        return []
    return [Suite.from_parent(parent, path=file_path)]


class Suite(pytest.Module):
    """A module of this package. Its names are ours, whatever the settings of the project that pytest runs in."""

    def _getobj(self) -> Any:
        from importlib import import_module

        return import_module(f"portable_conformance.{self.path.stem}")

    def classnamefilter(self, name: str) -> bool:
        return name.startswith("Test")

    def funcnamefilter(self, name: str) -> bool:
        return name.startswith("test_")

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        session = self.config.stash[_session]
        assert session is not None
        assert self.obj is not None  # Importing the module is what tells its marks.
        marker = self.get_closest_marker("portable_contract")
        if marker is None or not session.schemes(marker.args[0]):
            return []
        return super().collect()


class Area(pytest.Class):
    """A class of a suite."""

    def funcnamefilter(self, name: str) -> bool:
        return name.startswith("test_")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> Area | None:
    if isinstance(collector, Suite) and isinstance(obj, type) and collector.classnamefilter(name):
        area: Area = Area.from_parent(collector, name=name, obj=obj)
        return area
    return None
