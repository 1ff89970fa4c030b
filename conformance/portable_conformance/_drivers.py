"""What every driver promises, whatever it drives: one class, for the suites of tables, queues and buckets."""

from __future__ import annotations

from typing import Any

import pytest

from portable import registry
from portable._driving import Resource
from portable_contracts.errors import InvalidArgument, PortableError
from portable_contracts.limits import Capabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from portable_contracts.provider import Driver

    DriverOf = Callable[[Resource], Any]

WATCHED_OPENING = """
reached = []
def watch(event, arguments):
    if event in ("open", "os.mkdir", "socket.connect", "socket.getaddrinfo", "sqlite3.connect", "subprocess.Popen"):
        reached.append((event, str(arguments)))
sys.addaudithook(watch)
driver = registry.open_driver(resource.kind, address, opening)
print(reached)
"""


class UnheardOfError(Exception):
    """What no driver knows."""


class DriverPromises:
    def test_the_provider_declares_what_the_driver_does(
        self, resource: Resource, capabilities: Capabilities, driver_of: DriverOf
    ) -> None:
        assert driver_of(resource).capabilities == capabilities

    def test_the_driver_serves_the_scheme_that_it_names(
        self, resource: Resource, scheme: str, driver_of: DriverOf
    ) -> None:
        assert driver_of(resource).scheme == scheme
        assert registry.driver_class(resource.kind, scheme) is type(driver_of(resource))

    def test_an_error_that_the_driver_does_not_know_is_unclassified(
        self, resource: Resource, driver_of: DriverOf
    ) -> None:
        assert driver_of(resource).classify(UnheardOfError("what?")) is PortableError

    @pytest.mark.parametrize("error", [Exception(), ValueError("x"), OSError(5, "x"), KeyError("x"), TimeoutError()])
    def test_every_error_is_classified(self, resource: Resource, driver_of: DriverOf, error: Exception) -> None:
        assert issubclass(driver_of(resource).classify(error), PortableError)

    def test_after_an_error_of_ours_the_service_asked_for_no_wait(
        self, resource: Resource, driver_of: DriverOf
    ) -> None:
        assert driver_of(resource).retry_after(UnheardOfError("what?")) is None

    def test_making_a_driver_reaches_out_for_nothing(
        self, resource: Resource, start_process: Callable[..., Any]
    ) -> None:
        assert start_process(resource, WATCHED_OPENING).communicate()[0] == "[]\n"

    def test_an_address_with_a_parameter_that_the_driver_does_not_know_is_refused(
        self, resource: Resource, address_of: Callable[[Resource], str]
    ) -> None:
        address = address_of(resource)

        with pytest.raises(InvalidArgument):
            registry.open_driver(resource.kind, address + ("&" if "?" in address else "?") + "no-such-parameter=1")

    def test_a_driver_may_be_closed_before_it_was_used_and_twice(
        self, resource: Resource, address_of: Callable[[Resource], str]
    ) -> None:
        driver: Driver = registry.open_driver(resource.kind, address_of(resource))
        driver.close()
        driver.close()

    def test_the_native_client_can_be_had(self, resource: Resource) -> None:
        assert resource.native() is not None

    def test_the_native_client_can_be_had_after_the_driver_was_closed(
        self, resource: Resource, driver_of: DriverOf
    ) -> None:
        driver_of(resource).close()

        assert resource.native() is not None
