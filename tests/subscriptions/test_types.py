"""Which events a subscription to earthquakes is about: all shaking that is not said to be something else."""

from __future__ import annotations

import pytest

from quakestream.event import NO_EARTHQUAKES, from_document, is_earthquake
from quakestream.subscriptions.conditions import Rule, alternatives, of_types


@pytest.mark.parametrize(
    "kind",
    [
        "earthquake",
        "unknown",
        "not reported",
        "induced or triggered event",
        "induced_or_triggered_event",
        "Induced",
        "outside of network interest",
        "reservoir loading",
        "fluid injection",
        "zz",
        "uk",
        "",
        "EARTHQUAKE",
    ],
)
def test_induced_shaking_and_what_is_not_known_alert_as_earthquakes_do(kind: str) -> None:
    [default] = alternatives(Rule(min_magnitude=6.0))
    assert is_earthquake(kind)
    assert default.types is not None
    assert of_types(kind, default.types)


@pytest.mark.parametrize("kind", sorted(NO_EARTHQUAKES))
def test_what_is_said_to_be_something_else_does_not(kind: str) -> None:
    [default] = alternatives(Rule(min_magnitude=6.0))
    assert default.types is not None
    assert not of_types(kind, default.types)
    assert not of_types(kind.upper().replace(" ", "_"), default.types)
    assert of_types(kind, {kind})


def test_who_names_another_type_gets_that_alone() -> None:
    [one] = alternatives(Rule(types=["quarry blast"]))
    assert one.types is not None
    assert of_types("Quarry Blast", one.types)
    assert not of_types("unknown", one.types)


@pytest.mark.parametrize("kind", ["not existing", "duplicate", "Not_Locatable"])
def test_what_is_posted_with_a_type_that_withdraws_is_withdrawn(kind: str) -> None:
    document = {"id": "a", "magnitude": 6.5, "location": {"latitude": 1.0, "longitude": 2.0}}
    posted = {**document, "type": kind, "timestamp": "2023-11-14T00:00:00Z"}
    event = from_document(posted, now_ms=1_700_000_000_000, by_people=True)
    assert (event.status, event.type) == ("deleted", "earthquake")
