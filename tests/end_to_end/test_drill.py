"""A drill from the button to the channel, through the real consumer on both logs: the way of a real earthquake."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.end_to_end.programs import Site, every_earthquake
from tests.sizes import later
from tests.waiting import eventually

TOKEN = "a-key-of-sixteen-characters"
KEY = {"Authorization": f"Bearer {TOKEN}"}
PATH = "/api/v1/subscriptions"


@pytest.mark.parametrize("site", ["embedded", *later("kafka")], indirect=True)
def test_a_drill_reaches_who_asked_for_exercises_and_says_so(site: Site) -> None:
    consumer = site.consumer(ALERTS_TOKEN=TOKEN, ALERT_CHANNELS="console")
    consumer.wait_for_line("partitions assigned")

    def subscribe(**more: Any) -> str:
        place = {"kind": "circle", "latitude": 38.0, "longitude": 23.7, "place": "Athens"}
        document = {"where": place, "what": {"min_intensity": 4}, "how": {"channels": [{"channel": "console"}]}}
        answer = consumer.post(PATH, json=document | more, headers=KEY)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return str(answer.json()["id"])

    never, asks = subscribe(), subscribe(modes=["actual", "exercise"])
    drill = {"magnitude": 6.5, "latitude": 38.0, "longitude": 23.8}
    answer = consumer.post(f"{PATH}/{asks}/drill", json=drill, headers=KEY)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text

    def told(id_: str) -> list[Any]:
        with httpx.Client(base_url=consumer.url(), headers=KEY) as http:
            return [
                (row["state"], row["mode"]) for row in http.get(f"{PATH}/{id_}/notifications").json()["notifications"]
            ]

    eventually(lambda: told(asks) == [("accepted", "exercise")], within_s=20)
    assert told(never) == []
    (quake,) = every_earthquake(consumer)
    assert (quake["preferred"], quake["mode"]) == (answer.json()["event"], "exercise")
    eventually(lambda: "EXERCISE EXERCISE EXERCISE: M 6.5 earthquake, Exercise: " in consumer.printed)
    assert consumer.terminate() == 0
