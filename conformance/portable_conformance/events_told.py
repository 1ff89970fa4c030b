"""Any logical event, told in each of the platform's shapes, is the same portable value again."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from portable_conformance import contract
from portable_conformance._golden import codec_of, recognisers
from portable_conformance._logical import EVENTS, fields
from portable_conformance._values import exact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from portable_contracts.harness import Harness
    from portable_contracts.provider import Provider

pytestmark = contract("events")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    session = metafunc.config.pluginmanager.get_plugin("portable_conformance_session")
    assert session is not None
    if "told_shape" in metafunc.fixturenames:
        pairs = [(trigger, shape) for trigger in EVENTS for shape in session.harness.event_shapes(trigger)]
        metafunc.parametrize(("trigger", "told_shape"), pairs, ids=[shape for _, shape in pairs])


class TestToldEvents:
    def test_what_is_decoded_is_what_was_told(
        self, provider: Provider, harness: Harness, trigger: str, told_shape: str
    ) -> None:
        codec, told = codec_of(provider, told_shape), []

        @settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
        @given(EVENTS[trigger])
        def check(event: Any) -> None:
            document = harness.told(told_shape, event)
            if document is None:
                return
            told.append(event)
            raw, native_context = harness.invocation(told_shape, dict(document))
            (found,) = codec.decode(raw, native_context)
            instead = {name: each["value"] for name, each in document.get("differs", {}).items()}
            assert recognisers(raw) == [(provider.name, codec.shape)]
            assert exact(fields(found)) == exact({**fields(event), **instead})

        check()

        assert told, f"{told_shape} tells of no event at all"

    def test_every_kind_of_event_that_the_provider_decodes_can_be_told(
        self, provider: Provider, harness: Harness
    ) -> None:
        shapes = {shape.partition("~")[0] for trigger in EVENTS for shape in harness.event_shapes(trigger)}
        known = {codec.shape for codec in (codec_of(provider, shape) for shape in shapes)}

        assert {trigger for trigger in EVENTS if harness.event_shapes(trigger)} == {
            codec_of(provider, shape).trigger for shape in known
        }
