"""The test button, and drills from end to end: stream, catalogue, geofence, policy, outbox, channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quakestream.catalog import EarthquakeFilter
from quakestream.consumer.pipeline import Pipeline, PipelineSettings
from quakestream.event import utc
from quakestream.fence.rules import asked as worked_out
from quakestream.log import Topic
from quakestream.subscriptions.subscription import parse
from tests.api.alerting.subscribing import PATH, STREAM, Client, asked, by, now_ms
from tests.waiting import eventually

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise still loads it

DRILL = {"magnitude": 7, "latitude": 10, "longitude": 20}
EXERCISES = {"modes": ["actual", "exercise"]}
ESCALATION = {"after_minutes": 5, "channels": [{"channel": "webhook", "url": "https://later.example.org/"}]}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    with closing(client.catalog):
        yield client


class Running:
    """The rest of the consumer: its pipeline, and the follower of alerts."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.failures: list[BaseException] = []
        self.pipeline = Pipeline(
            client.log, client.catalog, PipelineSettings((Topic(STREAM),), "group", "test"), now_ms=now_ms,
            on_event=lambda _: None, on_failure=self.failures.append,
        )  # fmt: skip
        self.pipeline.start()
        assert client.alerts.follower.take()

    def told(self, changes: int) -> list[dict[str, Any]]:
        """What is in the outbox when the catalogue has so many changes, the oldest first."""
        eventually(lambda: self.client.catalog.feed().last_seq >= changes)
        while self.client.alerts.follower.look():
            pass
        assert self.failures == []
        return self.client.alerts.outbox.listed()[::-1]


@pytest.fixture
def consumer(client: Client) -> Iterator[Running]:
    running = Running(client)
    yield running
    assert running.pipeline.stop(10)


# --- drills ---------------------------------------------------------------------------------------------------------


def test_a_drill_goes_over_the_stream_to_the_one_that_it_is_for(client: Client, consumer: Running) -> None:
    never = client.add()
    one = client.add(**EXERCISES, **by({"channel": "webhook", "url": "https://a.org/"}, language="de"))
    other = client.add(**EXERCISES)
    assert client.ask("POST", f"{PATH}/{never['id']}/drill", json=DRILL).status_code == 409
    assert client.ask("POST", f"{PATH}/{one['id']}/drill", json=DRILL | {"latitude": 60}).status_code == 409
    assert client.ask("POST", f"{PATH}/{one['id']}/drill", json=DRILL | {"magnitude": 2}).status_code == 400
    answer = client.ask("POST", f"{PATH}/{one['id']}/drill", json=DRILL)
    assert answer.status_code == 202
    (row,) = consumer.told(1)
    assert (row["subscription"], row["mode"], row["kind"]) == (one["id"], "exercise", "alert")
    assert other["id"] != one["id"]
    (message,) = client.deliver()
    assert message.title.startswith("ÜBUNG ÜBUNG ÜBUNG (EXERCISE): Erdbeben M 7.0")
    assert "keine amtliche Warnung" in message.text
    assert message.mode == "exercise"
    (quake,) = map(msgspec.json.decode, client.catalog.every(EarthquakeFilter()))
    assert (quake["mode"], quake["preferred"]) == ("exercise", answer.json()["event"])


def test_a_drill_for_all_reaches_all_who_asked_for_exercises_and_nobody_else(client: Client, consumer: Running) -> None:
    client.add()
    ids = {client.add(**EXERCISES)["id"] for _ in range(2)}
    client.add(**EXERCISES, where={"kind": "circle", "latitude": -40, "longitude": 20, "radius_km": 300})
    assert client.ask("POST", "/api/v1/drills", json=DRILL).status_code == 202
    assert {row["subscription"] for row in consumer.told(1)} == ids


def test_a_drill_keeps_quiet_hours_and_escalates_later(client: Client, consumer: Running) -> None:
    start, end = (f"{utc(now_ms() + hours * 3_600_000):%H:%M}" for hours in (-1, 2))
    quiet = {"start": start, "end": end, "unless_intensity": 9.9}
    channel = {"channel": "webhook", "url": "https://a.org/"}
    one = client.add(**EXERCISES, **by(channel, quiet_hours=quiet, escalation=ESCALATION))
    before = now_ms()
    client.ask("POST", f"{PATH}/{one['id']}/drill", json=DRILL | {"magnitude": 5})
    alert, reminder = consumer.told(1)
    assert (alert["kind"], reminder["kind"]) == ("alert", "reminder")
    assert reminder["next_ms"] - alert["next_ms"] == 5 * 60_000
    assert alert["next_ms"] > before + 3_600_000, "held until they end"


# --- the test button ------------------------------------------------------------------------------------------------

SEA = {"type": "Polygon", "coordinates": [[[170, -20], [-170, -20], [-170, 20], [170, 20], [170, -20]]]}
SITE = {"name": "Plant", "latitude": 35.68, "longitude": 139.77}


@pytest.mark.parametrize(
    "where",
    [
        {"kind": "circle", "latitude": 10.0, "longitude": 20.5, "radius_km": 300},
        {"kind": "country", "name": "Japan"},
        {"kind": "region", "name": "Southern Alaska"},
        {"kind": "polygon", "geometry": SEA},
        {"kind": "portfolio", "sites": [SITE]},
        {"kind": "world"},
    ],
)
def test_a_test_is_where_the_subscription_is(client: Client, where: dict[str, Any]) -> None:
    one = client.add(where=where, what={"min_intensity": 4})
    assert client.ask("POST", f"{PATH}/{one['id']}/test").status_code == 202
    (message,) = client.deliver()
    data = msgspec.json.decode(message.data)
    assert data["expected"]["distance_km"] == 0
    assert data["expected"]["intensity"]["mmi"] > 6
    assert "(a test: nothing happened)" in message.title
    if where["kind"] in {"country", "region", "polygon"}:
        place = data["earthquake"]["location"]
        area = worked_out(parse(asked(where=where, what={"min_intensity": 4}))).area
        assert area is not None
        assert area.holds(place["latitude"], place["longitude"])


def test_a_test_goes_to_the_channels_and_not_to_whom_it_escalates(client: Client) -> None:
    one = client.add(**by({"channel": "webhook", "url": "https://a.org/"}, escalation=ESCALATION))
    answer = client.ask("POST", f"{PATH}/{one['id']}/test")
    assert len(answer.json()["notifications"]) == 1
    (message,) = client.deliver()
    assert message.target == "https://a.org/"
