"""A portfolio's sites in an earthquake and in a scenario, over HTTP: who may, what is told, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.api.alerting.subscribing import PATH, Client
from tests.contracts.catalog import Writer, event

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise still loads it

NAPA = {"latitude": 38.22, "longitude": -122.31, "depth": 11.0}
SITES = [
    {"name": "Plant", "latitude": 38.3, "longitude": -122.3, "value": 2_000_000},
    {"name": "Far", "latitude": 38.2, "longitude": -115.0, "value": 5_000_000},
]
WHERE = {"kind": "portfolio", "sites": SITES, "currency": "USD"}
SCENARIO = {"magnitude": 7, "latitude": 38.2, "longitude": -122.3}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    with closing(client.catalog):
        yield client


@pytest.fixture
def portfolio(client: Client) -> str:
    return str(client.add(where=WHERE, what={"min_intensity": 4})["id"])


def rows(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_what_a_portfolio_felt(client: Client, portfolio: str) -> None:
    (change,) = Writer(client.catalog).write(event("nc1", magnitude=6.0, location=NAPA, mode="actual")).changes
    path = f"{PATH}/{portfolio}/exposure"
    told = client.ask("GET", path, params={"earthquake": change.earthquake_id}).json()
    assert (told["mode"], told["currency"], told["of"], told["withoutEstimate"]) == ("actual", "USD", 2, 0)
    assert sum(one["value"] for one in told["classes"]) == 7_000_000
    assert [one["name"] for one in told["sites"]] == ["Plant", "Far"]
    first = told["sites"][0]
    assert first["low"] < first["intensity"] < first["high"]
    assert first["source"] == "Allen, Wald & Worden (2012)"
    assert client.ask("GET", path, params={"earthquake": "usgs:nc1"}).json() == told
    answer = client.ask("GET", path, params={"earthquake": "usgs:nc1", "format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="{change.earthquake_id}-1.csv"'
    assert [(row["name"], row["mode"]) for row in rows(answer.text)] == [("Plant", "actual"), ("Far", "actual")]


def test_what_a_portfolio_would_feel_is_an_exercise(client: Client, portfolio: str) -> None:
    told = client.ask("GET", f"{PATH}/{portfolio}/scenario", params=SCENARIO).json()
    assert told["mode"] == "exercise"
    assert told["sites"][0]["intensity"] > 7
    assert told["people"]["priority"] > 3
    answer = client.ask("GET", f"{PATH}/{portfolio}/scenario", params=SCENARIO | {"format": "csv"})
    assert 'filename="exercise-' in answer.headers["content-disposition"]
    assert {row["mode"] for row in rows(answer.text)} == {"exercise"}


def test_who_may_and_what_there_is(client: Client, portfolio: str) -> None:
    place = client.add()["id"]
    for part, params in (("exposure", {"earthquake": "eq_1"}), ("scenario", SCENARIO)):
        assert client.ask("GET", f"{PATH}/{portfolio}/{part}", None, params=params).status_code == 401
        assert client.ask("GET", f"{PATH}/none/{part}", params=params).status_code == 404
        assert client.ask("GET", f"{PATH}/{place}/{part}", params=params).status_code == 409
    assert client.ask("GET", f"{PATH}/{portfolio}/exposure", params={"earthquake": "eq_1"}).status_code == 404


def test_an_earthquake_that_was_merged_away_is_the_one_that_it_is_now(client: Client, portfolio: str) -> None:
    writer = Writer(client.catalog)
    near = {"latitude": 38.25, "longitude": -122.31, "depth": 11.0}
    time_ms = 1_690_000_000_000
    writer.write(
        event("nc1", magnitude=6.0, location=NAPA, timestamp=time_ms, ids=["nc1"]),
        event("us2", magnitude=6.0, location=near, timestamp=time_ms + 2_000_000, ids=["us2"]),
    )
    again = event(
        "us2", magnitude=6.0, location=near, timestamp=time_ms + 500, ids=["us2", "nc1"], updated=1_699_999_999_000
    )
    gone = next(change for change in writer.write(again).changes if change.into_id is not None)
    told = client.ask("GET", f"{PATH}/{portfolio}/exposure", params={"earthquake": gone.earthquake_id}).json()
    assert told["earthquake"] == gone.into_id
