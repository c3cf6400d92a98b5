"""Receivers: asked before they are told anything, ended each by itself, forgotten with their last use."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from quakestream.api.alerting import subscribers
from quakestream.api.places import places_router
from quakestream.subscriptions.subscription import parse
from quakestream.telling import follower as following
from quakestream.telling.follower import AlertFollower
from tests.api.alerting.subscribing import MAIL, PATH, Client, asked, by

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise still loads it

HOST = "https://quakes.example.org"
HOOKS = [{"channel": "webhook", "url": f"https://example.org/{name}"} for name in ("a", "b")]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    with closing(client.catalog):
        yield client


def questions(client: Client) -> list[Any]:
    """The questions that are due, as messages; all of them arrive."""
    return [one for one in client.deliver("apprise") if one is not None and one.kind == "confirmation"]


def link_of(question: Any) -> str:
    url: str = json.loads(question.data)["confirm"]
    return url.removeprefix(HOST)


def receivers(client: Client, id_: str) -> list[str]:
    """Whom the follower would tell."""
    follower = client.alerts.follower
    assert isinstance(follower, AlertFollower)
    follower._learn()
    return [one.target for known in follower._subscriptions([id_]).values() for one in known.receivers]


def addresses(client: Client) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = client.catalog._db.execute("SELECT target, confirmed_ms FROM addresses").fetchall()
    return rows


# --- the question -------------------------------------------------------------------------------------------------


def test_what_is_mailed_to_be_confirmed_tells_nothing_of_the_address(client: Client) -> None:
    client.add(**by({"channel": "apprise", "url": MAIL}))
    (question,) = questions(client)
    token = link_of(question).rpartition("/")[2]
    for text in (token, base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode(errors="replace")):
        assert "pass" not in text
        assert "example.org" not in text
    assert client.ask("POST", f"/alerts/confirm/{token}x", None).status_code == 404
    assert client.ask("POST", link_of(question), None).status_code == 200
    assert [confirmed is not None for _, confirmed in addresses(client)] == [True]


def test_an_address_is_asked_once_however_often_it_is_put(client: Client) -> None:
    one = client.add(**by({"channel": "apprise", "url": MAIL}))
    for _ in range(4):
        client.ask("PUT", f"{PATH}/{one['id']}", json=asked(**by({"channel": "apprise", "url": MAIL})))
    client.add(**by({"channel": "apprise", "url": MAIL}))
    assert len(questions(client)) == 1


def test_an_address_in_the_file_is_asked_too(tmp_path: Path) -> None:
    path = tmp_path / "subscriptions.yaml"
    channels = json.dumps([{"channel": "apprise", "url": MAIL}])
    path.write_text(f"- {{id: home, where: {{kind: world}}, how: {{channels: {channels}}}}}\n")
    client = Client(tmp_path, subscriptions_file=str(path))
    with closing(client.catalog):
        (question,) = questions(client)
        client.ask("POST", link_of(question), None)
        shown = client.ask("GET", f"{PATH}/home").json()
        assert (shown["unconfirmed"], shown["confirmed"]) == ([], [MAIL])
        path.write_text(path.read_text() + "\n")
        client.alerts._read_file(path)
        assert questions(client) == []


def test_without_a_public_url_links_lead_to_where_it_listens(tmp_path: Path) -> None:
    client = Client(tmp_path, public_url="")
    with closing(client.catalog):
        client.add(**by({"channel": "apprise", "url": MAIL}))
        (question,) = questions(client)
        assert "http://localhost:3002/alerts/confirm/" in question.text


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"public_url": "https://a.org"}, "https://a.org"),
        ({"host": "0.0.0.0", "port": 80}, "http://localhost:80"),
        ({"host": "10.1.2.3"}, "http://10.1.2.3:3002"),
        ({"host": "fd00::1"}, "http://[fd00::1]:3002"),
        ({"port": 0}, ""),
    ],
)
def test_where_links_lead(tmp_path: Path, settings: dict[str, Any], url: str) -> None:
    client = Client(tmp_path, **({"public_url": ""} | settings))
    with closing(client.catalog):
        assert client.settings.link_url() == url


def test_an_address_is_forgotten_with_its_last_use_and_not_before(client: Client) -> None:
    first, second = (client.add(**by({"channel": "apprise", "url": MAIL}))["id"] for _ in range(2))
    (question,) = questions(client)
    client.ask("POST", link_of(question), None)
    client.ask("DELETE", f"{PATH}/{first}")
    assert client.ask("GET", f"{PATH}/{second}").json()["confirmed"] == [MAIL]
    client.ask("PUT", f"{PATH}/{second}", json=asked())
    assert addresses(client) == []
    assert client.ask("POST", link_of(question), None).status_code == 404, "the link is worth nothing then"
    client.add(**by({"channel": "apprise", "url": MAIL}))
    assert len(questions(client)) == 1


# --- ending it ----------------------------------------------------------------------------------------------------


def ends(client: Client, id_: str, target: str) -> str:
    """The link by which a receiver ends a subscription, from a message to it."""
    client.ask("POST", f"{PATH}/{id_}/test")
    (message,) = [one for one in client.deliver() if one is not None and one.target == target]
    return str(message.unsubscribe_url.removeprefix(HOST))


@pytest.mark.parametrize("body", ["", "List-Unsubscribe=One-Click"])
def test_a_receiver_ends_it_for_itself_alone(client: Client, body: str) -> None:
    one = client.add(**by(*HOOKS))["id"]
    path = ends(client, one, HOOKS[0]["url"])
    assert client.ask("GET", path, None).status_code == 200
    assert receivers(client, one) == [hook["url"] for hook in HOOKS], "looking is not ending"
    assert client.ask("POST", path, None, content=body).status_code == 200
    assert receivers(client, one) == [HOOKS[1]["url"]]
    shown = client.ask("GET", f"{PATH}/{one}").json()
    assert [channel["url"] for channel in shown["how"]["channels"]] == [HOOKS[1]["url"]]
    told = client.ask("GET", f"{PATH}/{one}/notifications").json()["notifications"]
    assert {row["target"] for row in told} == {HOOKS[1]["url"]}
    assert client.ask("POST", ends(client, one, HOOKS[1]["url"]), None).status_code == 200
    assert client.ask("GET", f"{PATH}/{one}").status_code == 404


def test_who_has_ended_it_stays_out_when_it_is_put_in_again(client: Client) -> None:
    one = client.add(**by(*HOOKS))["id"]
    client.ask("POST", ends(client, one, HOOKS[0]["url"]), None)
    shown = client.ask("PUT", f"{PATH}/{one}", json=asked(**by(*HOOKS))).json()
    assert shown["ended"] == [HOOKS[0]["url"]]
    assert receivers(client, one) == [HOOKS[1]["url"]]
    client.ask("POST", f"{PATH}/{one}/test")
    assert [message and message.target for message in client.deliver()] == [None, HOOKS[1]["url"]]


def test_who_is_only_escalated_to_is_not_ended_with_the_first(client: Client) -> None:
    one = client.add(**by(HOOKS[0], escalation={"after_minutes": 5, "channels": [HOOKS[1]]}))["id"]
    client.ask("POST", ends(client, one, HOOKS[0]["url"]), None)
    assert receivers(client, one) == [HOOKS[1]["url"]]


def test_the_click_works_for_subscriptions_of_the_file_and_lasts(tmp_path: Path) -> None:
    path = tmp_path / "subscriptions.yaml"

    def write(name: str) -> None:
        path.write_text(json.dumps([{"id": "home", "name": name} | {"where": {"kind": "world"}} | by(*HOOKS)]))

    write("Home")
    client = Client(tmp_path, subscriptions_file=str(path))
    with closing(client.catalog):
        assert client.ask("POST", ends(client, "home", HOOKS[0]["url"]), None).status_code == 200
        assert receivers(client, "home") == [HOOKS[1]["url"]]
        write("Office")
        client.alerts._read_file(path)
        shown = client.ask("GET", f"{PATH}/home").json()
        assert (shown["name"], shown["ended"]) == ("Office", [HOOKS[0]["url"]])
        assert receivers(client, "home") == [HOOKS[1]["url"]]
        client.ask("POST", ends(client, "home", HOOKS[1]["url"]), None)
        assert client.ask("GET", f"{PATH}/home").status_code == 200
        assert receivers(client, "home") == []


def test_an_ended_address_is_forgotten(client: Client) -> None:
    one = client.add(**by({"channel": "apprise", "url": MAIL}, HOOKS[0]))["id"]
    (question,) = questions(client)
    client.ask("POST", link_of(question), None)
    client.ask("POST", f"{PATH}/{one}/test")
    (message,) = client.deliver("apprise")
    assert client.ask("POST", message.unsubscribe_url.removeprefix(HOST), None).status_code == 200
    assert addresses(client) == []
    assert MAIL not in json.dumps(client.ask("GET", f"{PATH}/{one}").json())


def test_the_geofence_is_there_before_the_first_subscription_where_one_may_come(client: Client, tmp_path: Path) -> None:
    client.alerts.follower.prepare()
    assert client.alerts.follower.state()["subscriptions"] == 0
    (tmp_path / "closed").mkdir()
    closed = Client(tmp_path / "closed", token="")
    with closing(closed.catalog):
        closed.alerts.follower.prepare()
        assert closed.alerts.follower.state()["subscriptions"] is None


def test_subscriptions_are_kept_parsed_by_their_bytes(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    small = [client.add()["id"] for _ in range(3)]
    follower = client.alerts.follower
    follower._learn()
    weight = len(client.alerts.registry.get(small[0]).document)  # type: ignore[union-attr]
    monkeypatch.setattr(following, "MAX_PARSED_BYTES", 2 * weight)
    assert follower._subscriptions(small).keys() == set(small), "all that are needed are there"
    assert len(follower._parsed) == 2
    client.ask("PUT", f"{PATH}/{small[2]}", json=asked(name="Changed"))
    follower._learn()
    assert follower._subscriptions(small[2:])[small[2]].subscription.name == "Changed"
    assert follower._parsed_bytes == sum(one.weight for one in follower._parsed.values())


# --- a person's data ----------------------------------------------------------------------------------------------


def test_an_export_has_the_confirmed_addresses_and_all_that_was_told(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribers, "PAGE", 2)
    for _ in range(3):
        client.ask("POST", f"{PATH}?subscriber=me", json=asked(**by({"channel": "apprise", "url": MAIL})))
    (question,) = questions(client)
    client.ask("POST", link_of(question), None)
    for one in client.ask("GET", PATH).json()["subscriptions"]:
        client.ask("POST", f"{PATH}/{one['id']}/test")
    answer = client.ask("GET", "/api/v1/subscribers/me").json()
    assert [one["confirmed"] for one in answer["subscriptions"]] == [[MAIL]] * 3
    assert sorted(one["kind"] for one in answer["notifications"]) == ["confirmation", "test", "test", "test"]


def test_an_address_is_exported_and_erased_whoever_subscribed_it(client: Client) -> None:
    address = {
        "channel": "apprise",
        "url": MAIL.replace("to=me@", "to=Me%40"),
    }
    other = {"channel": "apprise", "url": MAIL.replace("to=me@", "to=not.me@")}
    alone, shared = client.add(**by(address))["id"], client.add(**by(address, HOOKS[0], other))["id"]
    path = "/api/v1/addresses?address=me@example.org"
    answer = client.ask("GET", path).json()
    uses = sorted((one["subscription"], one["target"], one["confirmed"]) for one in answer["subscriptions"])
    assert uses == sorted((id_, address["url"], None) for id_ in (alone, shared))
    assert [one["kind"] for one in answer["notifications"]] == ["confirmation"]
    assert client.ask("DELETE", path).json() == {"subscriptions": 2, "notifications": 1, "in_file": []}
    assert client.ask("GET", path).status_code == 404
    assert client.ask("GET", f"{PATH}/{alone}").status_code == 404
    assert receivers(client, shared) == [HOOKS[0]["url"], other["url"]]
    assert [target for target, _ in addresses(client)] == [other["url"]]


def test_the_names_of_places_are_there_for_forms() -> None:
    app = FastAPI()
    app.include_router(places_router())

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            return await http.get("/api/v1/places")

    names = asyncio.run(ask()).json()
    turkey = next(one for one in names["countries"] if one["code"] == "TR")
    assert turkey == {"code": "TR", "alpha3": "TUR", "name": "Turkey", "others": ["Türkiye"]}
    for kind, listed in (("country", [one["name"] for one in names["countries"]]), ("region", names["regions"])):
        assert len(listed) > 200
        parse(asked(where={"kind": kind, "name": listed[0]}))


# --- documents ----------------------------------------------------------------------------------------------------


def test_what_is_given_can_be_given_back(client: Client) -> None:
    one = client.add(**by(*HOOKS, {"channel": "apprise", "url": MAIL}))
    before = client.ask("GET", f"{PATH}/{one['id']}").json()
    answer = client.ask("PUT", f"{PATH}/{one['id']}", json=before)
    assert answer.status_code == 200, answer.text
    assert answer.json() | {"changed": 0} == before | {"changed": 0}
    again = client.ask("POST", PATH, json={name: value for name, value in before.items() if name != "id"})
    assert again.status_code == 201


def test_a_new_csv_leaves_the_rest_of_a_portfolio_as_it_is(client: Client) -> None:
    sites = [{"name": "Old", "latitude": 1, "longitude": 1}]
    where = {"kind": "portfolio", "sites": sites, "within_km": 70, "currency": "EUR"}
    one = client.add(where=where)["id"]
    answer = client.ask("PUT", f"{PATH}/{one}/portfolio", content="name,latitude,longitude\nPlant,35.68,139.77\n")
    assert answer.status_code == 200
    kept = client.ask("GET", f"{PATH}/{one}").json()["where"]
    assert (kept["within_km"], kept["currency"], kept["sites"][0]["name"]) == (70, "EUR", "Plant")
