"""Subscriptions over HTTP, the links of messages, and the file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from quakestream import supervision
from quakestream.api.alerting import subscriptions as routes
from quakestream.errors import ConfigError, Unreachable
from quakestream.subscriptions import file as subscriptions_file
from quakestream.subscriptions.subscription import parse
from quakestream.telling import alerts as alerts_module
from quakestream.telling.outbox import Settled
from tests.api.alerting.subscribing import MAIL, PATH, Client, asked, by, now_ms
from tests.channels.test_others import Browser
from tests.contracts.catalog import Writer, event
from tests.sizes import later
from tests.waiting import eventually

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise still loads it


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    client = Client(tmp_path)
    with closing(client.catalog):
        yield client


# --- who may ------------------------------------------------------------------------------------------------------


def test_without_the_key_nobody_sees_or_changes_anything(client: Client) -> None:
    one = client.add()
    for method, path in (
        ("GET", PATH),
        ("POST", PATH),
        ("POST", f"{PATH}/preview"),
        ("GET", f"{PATH}/{one['id']}"),
        ("PUT", f"{PATH}/{one['id']}"),
        ("DELETE", f"{PATH}/{one['id']}"),
        ("POST", f"{PATH}/{one['id']}/test"),
        ("POST", f"{PATH}/{one['id']}/drill"),
        ("POST", "/api/v1/drills"),
        ("GET", "/api/v1/notifications"),
        ("POST", "/api/v1/notifications/resend"),
        ("GET", "/api/v1/subscribers/x"),
        ("DELETE", "/api/v1/subscribers/x"),
    ):
        for key in (None, "another key that is long"):
            answer = client.ask(method, path, key)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"] == "Bearer"


def test_where_no_key_is_set_nobody_may(tmp_path: Path) -> None:
    client = Client(tmp_path, token="")
    with closing(client.catalog):
        answer = client.ask("GET", PATH)
        assert answer.status_code == 403
        assert "ALERTS_TOKEN" in answer.json()["detail"]


# --- adding, changing, ending ---------------------------------------------------------------------------------------


def test_a_subscription_comes_is_changed_and_goes(client: Client) -> None:
    one = client.add()
    assert one["id"].startswith("sub_")
    assert one["webhook_secret"].startswith("whsec_")
    assert client.ask("GET", f"{PATH}/{one['id']}").json() == one
    changed = client.ask("PUT", f"{PATH}/{one['id']}", json=asked(name="Office")).json()
    assert (changed["name"], changed["created"]) == ("Office", one["created"])
    assert [s["id"] for s in client.ask("GET", PATH).json()["subscriptions"]] == [one["id"]]
    assert client.ask("DELETE", f"{PATH}/{one['id']}").status_code == 204
    assert client.ask("GET", f"{PATH}/{one['id']}").status_code == 404
    assert client.ask("GET", PATH).json() == {"subscriptions": [], "next": None}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"where": {"kind": "circle", "latitude": 10, "longitude": 20, "radius_km": -1}}, "radius_km"),
        (
            {
                "where": {
                    "kind": "polygon",
                    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]},
                }
            },
            "geometry",
        ),
        (by({"channel": "pigeon"}), "no such channel here; there are apprise, webhook, webpush"),
        (by({"channel": "webhook", "url": "http://localhost/x"}), "own network"),
        (by({"channel": "webhook", "url": "http://169.254.169.254/latest/meta-data/"}), "own network"),
        (by({"channel": "apprise", "url": "json://127.0.0.1/"}), "own network"),
        (by({"channel": "webhook", "url": "https://example.org/{{x}}"}), "{{"),
        ({"name": "{{ 7 * 7 }}"}, "{{"),
        ({"where": {"kind": "circle", "latitude": 1, "longitude": 2, "radius_km": 3, "place": "{{x}}"}}, "where.place"),
        (
            {"where": {"kind": "portfolio", "sites": [{"name": "{% x %}", "latitude": 1, "longitude": 2}]}},
            "where.sites[0].name",
        ),
        ({"where": {"kind": "portfolio", "csv": "name,latitude,longitude\n{{x}},1,2\n"}}, "line 2: name"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_bad_input_is_refused_with_what_is_wrong(client: Client, fields: dict[str, Any], said: str) -> None:
    answer = client.ask("POST", PATH, json=asked(**fields))
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_each_fault_is_told_with_the_field_that_is_at_fault(client: Client) -> None:
    where = {"kind": "circle", "latitude": 91, "longitude": 0}
    answer = client.ask("POST", PATH, json=asked(where=where, time_zone="Here/There")).json()
    assert [one["at"] for one in answer["faults"]] == ["time_zone", "where.latitude"]
    assert all(one["why"] for one in answer["faults"])
    channels = [
        {"channel": "webhook", "url": "https://example.org/"},
        {"channel": "webhook", "url": "http://localhost/"},
    ]
    answer = client.ask("POST", PATH, json=asked(**by(*channels))).json()
    assert [one["at"] for one in answer["faults"]] == ["how.channels[1]"]
    assert "own network" in answer["faults"][0]["why"]


def test_a_body_that_is_too_large_or_no_json_is_refused(client: Client) -> None:
    assert client.ask("POST", PATH, content=b"x" * (2 * 1024 * 1024)).status_code == 413
    one = client.add()["id"]
    for path in ("test", "drill", "snooze"):
        assert client.ask("POST", f"{PATH}/{one}/{path}", content=b"1" * 100_000).status_code == 413
    assert client.ask("POST", PATH, content=b"{").status_code == 400
    assert client.ask("POST", "/api/v1/notifications/resend", content=b"x" * 100_000).status_code == 413


def test_a_large_body_is_weighed_before_anything_is_made_of_it(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but a portfolio is large, and of a portfolio the parts are counted first."""
    parsed: list[int] = []
    monkeypatch.setattr(routes, "parse", lambda body: parsed.append(len(body)) or parse(body))
    polygon = b'{"where":{"kind":"polygon","geometry":{"type":"Polygon","coordinates":[[%s]]}},"how":{}}'
    portfolio = b'{"where":{"sites":[%s],"kind":"portfolio"},"how":{}}'
    for body in (
        polygon % b",".join([b"[1,2]"] * 300_000),
        portfolio % b",".join([b"[1]"] * 600_000),
        portfolio % b",".join([b"1"] * 3_100_000),
        b'{"name":"portfolio","x":"%s"}' % (b"x" * 2_000_000),
    ):
        answer = client.ask("POST", PATH, content=body)
        assert answer.status_code == 413, answer.text
    assert parsed == []
    sites = [{"name": f"site {n:0100}", "latitude": 1, "longitude": 1} for n in range(10_000)]
    one = client.add(where={"kind": "portfolio", "sites": sites, "within_km": 5})
    assert len(one["where"]["sites"]) == 10_000
    assert parsed[0] > 1024 * 1024
    lines = "".join(f"site {n:0100},1,1\n" for n in range(11_000))
    assert (
        client.ask("PUT", f"{PATH}/{one['id']}/portfolio", content=f"name,latitude,longitude\n{lines}").status_code
        == 200
    )
    assert client.ask("PUT", f"{PATH}/{one['id']}/portfolio", content="," * 3_100_000).status_code == 413


def test_a_portfolio_is_put_in_as_csv(client: Client) -> None:
    where = {"kind": "portfolio", "sites": [{"name": "Old", "latitude": 1, "longitude": 1}]}
    one = client.add(where=where, what={"min_intensity": 4})
    csv = "name,latitude,longitude,value\nPlant,35.68,139.77,12\nOffice,34.7,135.5,3\n"
    answer = client.ask("PUT", f"{PATH}/{one['id']}/portfolio", content=csv)
    assert answer.json()["where"] == {"kind": "portfolio", "sites": 2}
    wrong = client.ask("PUT", f"{PATH}/{one['id']}/portfolio", content="name,latitude,longitude\nPlant,95,1\n")
    assert (wrong.status_code, "line 2: latitude" in wrong.json()["detail"]) == (400, True)


# --- trying out -----------------------------------------------------------------------------------------------------


def test_a_preview_tells_what_would_have_fired(client: Client) -> None:
    writer = Writer(client.catalog)
    recent, old = now_ms() - 86_400_000, now_ms() - 60 * 86_400_000
    for n, (time_ms, magnitude) in enumerate([(recent, 5.0), (recent - 9_000_000, 2.0), (old, 6.0)]):
        writer.write(event(f"a{n}", timestamp=time_ms if time_ms < 1_700_000_000_000 else 1_700_000_000_000 - n))
        client.catalog._db.execute("UPDATE earthquakes SET timestamp_ms = ? WHERE earthquake = ?", (time_ms, n + 1))
        client.catalog._db.execute(
            "UPDATE changes SET document = CAST(replace(replace(CAST(document AS TEXT), '\"magnitude\":4.5', ?), "
            "'\"timestamp\":' || json_extract(document, '$.timestamp'), ?) AS BLOB) WHERE seq = ?",
            (f'"magnitude":{magnitude}', f'"timestamp":{time_ms}', n + 1),
        )
    told = client.ask("POST", f"{PATH}/preview", json=asked()).json()
    assert (told["fired"], told["days"], told["of"]) == (1, 30, 2)
    assert told["earthquakes"][0]["magnitude"] == 5.0
    assert client.ask("POST", f"{PATH}/preview?days=90", json=asked()).json()["fired"] == 2
    assert client.alerts.outbox.counts() == {}
    unready = by({"channel": "webhook", "url": ""})
    assert client.ask("POST", f"{PATH}/preview", json=asked(**unready)).json()["fired"] == 1


def test_the_test_button_reaches_its_channels_and_says_test(client: Client) -> None:
    one = client.add()
    answer = client.ask("POST", f"{PATH}/{one['id']}/test")
    assert (answer.status_code, len(answer.json()["notifications"])) == (202, 1)
    (message,) = client.deliver()
    assert (message.kind, message.mode) == ("test", "test")
    assert message.title.startswith("TEST TEST TEST: ")
    assert message.text.startswith("TEST TEST TEST\n")


def test_what_is_snoozed_says_so(client: Client) -> None:
    one = client.add()
    until_ms = now_ms() + 3_600_000
    assert (
        client.ask("POST", f"{PATH}/{one['id']}/snooze", json={"until_ms": until_ms}).json()["snooze_until_ms"]
        == until_ms
    )
    assert "snooze_until_ms" not in client.ask("POST", f"{PATH}/{one['id']}/snooze", json={}).json()


# --- addresses, links -----------------------------------------------------------------------------------------------


def test_an_address_is_asked_once_and_told_nothing_before_it_said_yes(client: Client) -> None:
    one = client.add(**by({"channel": "apprise", "url": MAIL}))
    assert one["unconfirmed"] == [MAIL]
    client.ask("POST", f"{PATH}/{one['id']}/test")
    parcels = client.alerts.delivery.compose(client.lease("apprise"))
    question = next(parcel.message for parcel in parcels if parcel.message is not None)
    assert [parcel.why for parcel in parcels if parcel.message is None] == ["the address has not been confirmed"]
    assert question.kind == "confirmation"
    link = question.text.partition("https://quakes.example.org")[2].split()[0]
    page = client.ask("GET", link, None)
    assert (page.status_code, "<button>Confirm this address</button>" in page.text) == (200, True)
    assert client.ask("GET", f"{PATH}/{one['id']}").json()["unconfirmed"] == [MAIL], "looking is not saying yes"
    assert client.ask("POST", link, None).status_code == 200
    assert client.ask("GET", f"{PATH}/{one['id']}").json()["unconfirmed"] == []
    client.ask("POST", f"{PATH}/{one['id']}/test")
    (message,) = client.deliver("apprise")
    assert message.kind == "test"


def test_one_click_ends_a_subscription_and_leaves_nothing(client: Client) -> None:
    one = client.add()
    client.ask("POST", f"{PATH}/{one['id']}/test")
    (message,) = client.deliver()
    path = message.unsubscribe_url.removeprefix("https://quakes.example.org")
    assert client.ask("GET", path, None).status_code == 200
    assert client.ask("GET", f"{PATH}/{one['id']}").status_code == 200, "looking is not ending"
    clicked = client.ask("POST", path, None, content="List-Unsubscribe=One-Click")
    assert clicked.status_code == 200
    assert client.ask("GET", f"{PATH}/{one['id']}").status_code == 404
    assert client.alerts.outbox.counts() == {}
    assert client.ask("POST", path, None).status_code == 200, "twice is no error"


def test_a_link_that_was_made_up_or_is_for_something_else_does_nothing(client: Client) -> None:
    one = client.add()
    token = client.alerts.registry.token("confirm", one["id"])
    assert client.ask("POST", f"/alerts/unsubscribe/{token}", None).status_code == 400
    assert client.ask("POST", "/alerts/unsubscribe/AAAA", None).status_code == 400
    assert client.ask("GET", f"{PATH}/{one['id']}").status_code == 200


def test_what_was_told_can_be_seen_acknowledged_and_sent_again(client: Client) -> None:
    one = client.add()
    client.ask("POST", f"{PATH}/{one['id']}/test")
    (leased,) = client.lease()
    failed = [Settled(leased.notification, "dead", "answer 422")]
    client.alerts.outbox.turn("webhook", "w", failed, 0, now_ms=now_ms(), lease_ms=60_000)
    (row,) = client.ask("GET", "/api/v1/notifications?state=dead").json()["notifications"]
    assert (row["state"], row["why"], row["attempts"]) == ("dead", "answer 422", 1)
    again = client.ask("POST", "/api/v1/notifications/resend", json={"keys": [row["key"]]})
    assert again.json() == {"queued": 1}
    (message,) = client.deliver()
    assert message.key == row["key"]
    assert client.ask("POST", f"/api/v1/notifications/{row['key']}/acknowledge").status_code == 204
    (row,) = client.ask("GET", f"{PATH}/{one['id']}/notifications").json()["notifications"]
    assert row["state"] == "acknowledged"


def test_a_subscriber_gets_all_of_its_data_and_can_have_it_erased(client: Client) -> None:
    for name in ("a", "b"):
        client.ask("POST", f"{PATH}?subscriber=me", json=asked(name=name))
    other = client.add()
    exported = client.ask("GET", "/api/v1/subscribers/me").json()
    assert sorted(s["name"] for s in exported["subscriptions"]) == ["a", "b"]
    assert client.ask("DELETE", "/api/v1/subscribers/me").json() == {"subscriptions": 2, "notifications": 0}
    assert client.ask("GET", "/api/v1/subscribers/me").status_code == 404
    assert [s["id"] for s in client.ask("GET", PATH).json()["subscriptions"]] == [other["id"]]
    rows = client.catalog._db.execute("SELECT document, subscriber FROM subscriptions WHERE removed").fetchall()
    assert rows == [(b"", ""), (b"", "")]


def test_a_browser_learns_the_key_and_subscribes(client: Client) -> None:
    key = client.ask("GET", "/api/v1/alerts/webpush-key", None).json()["key"]
    assert len(key) == 87
    one = client.add(**by(Browser("https://push.example.org/x").fields))
    client.ask("POST", f"{PATH}/{one['id']}/test")
    assert len(client.deliver("webpush")) == 1


# --- the file -------------------------------------------------------------------------------------------------------

FILE = """
- id: home
  where: {kind: circle, latitude: 37.98, longitude: 23.73}
  what: {min_intensity: 4}
  how: {channels: [{channel: webhook, url: "https://example.org/quakes"}]}
- id: world
  where: {kind: world}
  what: {min_magnitude: 6}
  how: {channels: [{channel: webhook, url: "https://example.org/quakes"}]}
"""


def test_the_file_rules_its_own_subscriptions_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "subscriptions.yaml"
    path.write_text(FILE)
    client = Client(tmp_path, subscriptions_file=str(path))
    with closing(client.catalog):
        own = client.add()
        ids = {s["id"]: s["origin"] for s in client.ask("GET", PATH).json()["subscriptions"]}
        assert ids == {"home": "file", "world": "file", own["id"]: "api"}
        assert client.ask("DELETE", f"{PATH}/home").status_code == 409
        path.write_text(FILE.partition("- id: world")[0] + "\n")
        client.alerts._read_file(path)
        assert client.ask("GET", f"{PATH}/world").status_code == 404
        assert client.ask("GET", f"{PATH}/home").status_code == 200
        assert client.ask("GET", f"{PATH}/{own['id']}").status_code == 200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "subscriptions.yaml"),
        ("just words", "a list"),
        (FILE + "- {id: home, where: {kind: world}, how: {channels: [{channel: console}]}}\n", "home"),
        ("- {id: x, where: {kind: moon}, how: {channels: [{channel: webhook, url: 'http://localhost'}]}}", "x: "),
        ("- {where: {kind: world}, how: {channels: [{channel: webhook, url: 'https://e.org/'}]}}", "number 1: an id"),
    ],
)
def test_a_file_at_fault_stops_the_start_and_says_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "subscriptions.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="SUBSCRIPTIONS_FILE") as caught:
        Client(tmp_path, subscriptions_file=str(path))
    assert said in str(caught.value)


Watched = tuple[Client, Path]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A consumer with the file, which it looks at often."""
    folder = tmp_path_factory.mktemp("watched")
    path = folder / "subscriptions.yaml"
    path.write_text(FILE)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(alerts_module, "FILE_INTERVAL_S", 0.05)
        patched.setattr(alerts_module, "REFUSED_AGAIN_S", 0.2)
        patched.setattr(supervision.PROCESS, "_pause_s", (0.05, 0.1))
        client = Client(folder, subscriptions_file=str(path))
        client.alerts._watcher.start()
        with closing(client.catalog):
            yield client, path
            assert client.alerts.stop(10)


@pytest.fixture
def watching(watched: Watched) -> Iterator[Watched]:
    """The same, beginning with two subscriptions and no failure."""
    client, path = watched
    path.write_text(FILE)
    eventually(lambda: ids_of(client) == {"home", "world"})
    eventually(lambda: client.alerts._watcher.worker is not None and client.alerts._watcher.worker.up)
    yield watched
    assert client.alerts._watcher.is_alive()


def ids_of(client: Client) -> set[str]:
    return {s["id"] for s in client.ask("GET", PATH).json()["subscriptions"]}


def failing() -> str:
    told = supervision.PROCESS.failing().get("subscriptions file", {})
    return str(told["error"]) if told.get("state") == "failing" else ""


LESS = FILE.partition("- id: world")[0]
BOMB = (
    "- &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"- &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in itertools.pairwise("abcdefghij"))
    + "- {id: *j}\n"
)
MERGED = "- &a {k: v}\n" + "".join(
    f"- &{b} {{<<: [{', '.join([f'*{a}'] * 10)}]}}\n" for a, b in itertools.pairwise("abcdefghij")
)
BAD: dict[str, bytes] = {
    "a date that is none": b"- {id: x, name: 2026-13-45}\n",
    "a date at the edge": b"- {id: x, name: 0001-01-01T00:00:00+14:00}\n",
    "an empty number": b'- {id: !!int "", name: x}\n',
    "a truth that is none": b"- {id: !!bool perhaps}\n",
    "a date by its tag": b"- {id: !!timestamp x}\n",
    "a number without end": b"- {id: 0x" + b"f" * 20_000 + b", name: x}\n",
    "a class": b"- !!python/object/apply:os.system [id]\n",
    "not UTF-8": FILE.encode("utf-16"),
    "Latin 1": b"- {id: x, name: K\xf6ln}\n",
    "zeros": b"- {id: x}\0\n",
    "deep": b"[" * 20_000,
    "deep mappings": b"".join(b" " * n + b"a:\n" for n in range(900)),
    "an alias of itself": b"- &a {id: *a}\n",
    "aliases of aliases": BOMB.encode(),
    "merged aliases": MERGED.encode(),
    "an unknown alias": b"- *nobody\n",
    "a list as a key": b"- {[1, 2]: x}\n",
    "a text": b"just words",
    "empty": b"",
    "numbers": b"[1, 2]",
    "cut short": FILE.encode()[:-40],
}
TRIED = (
    "a date that is none",
    "a class",
    "not UTF-8",
    "deep",
    "aliases of aliases",
    "merged aliases",
    "empty",
    "cut short",
)
"""Of these each stands for others that `make test-long` tries."""


@pytest.mark.parametrize("kind", [*TRIED, *later(*(kind for kind in BAD if kind not in TRIED))])
def test_a_file_that_went_bad_is_told_of_and_read_again_when_it_is_right(watching: Watched, kind: str) -> None:
    client, path = watching
    path.write_bytes(BAD[kind])
    eventually(lambda: path.name in failing(), tell=failing)
    assert ids_of(client) == {"home", "world"}, "what was read before stays"
    path.write_text(LESS)
    eventually(lambda: ids_of(client) == {"home"})


@pytest.mark.parametrize("way", ["gone", "a folder", "a pipe", "endless", "huge", "unreadable", "a broken link"])
def test_what_is_no_file_is_told_of_and_never_waited_for(
    watching: Watched, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    client, path = watching
    path.unlink()
    if way == "a folder":
        path.mkdir()
    elif way == "a pipe":
        os.mkfifo(path)
    elif way == "endless":
        path.symlink_to("/dev/zero")
    elif way == "huge":
        with path.open("wb") as file:
            file.truncate(subscriptions_file.MAX_BYTES + 1)
    elif way == "unreadable":  # whoever runs the tests may read all

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "open", refuse)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    elif way == "a broken link":
        path.symlink_to(path.parent / "nowhere")
    eventually(lambda: path.name in failing(), tell=failing)
    assert ids_of(client) == {"home", "world"}
    monkeypatch.undo()
    if way == "a folder":
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_text(LESS)
    eventually(lambda: ids_of(client) == {"home"})


def test_a_change_is_applied_though_the_database_was_locked_when_it_came(
    watching: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, path = watching
    sync, fails = subscriptions_file.sync, iter([True, True])

    def locked(*given: Any) -> tuple[int, int]:
        if next(fails, False):
            raise Unreachable("database is locked")
        return sync(*given)

    monkeypatch.setattr(subscriptions_file, "sync", locked)
    path.write_text(LESS)
    eventually(lambda: ids_of(client) == {"home"})


def test_a_file_is_tried_again_when_what_was_wrong_lay_elsewhere(watching: Watched) -> None:
    """Nothing in the file changes: a subscription of the same id is taken out over HTTP."""
    client, path = watching
    own = client.add()["id"]
    how = "how: {channels: [{channel: webhook, url: 'https://example.org/q'}]}"
    path.write_text(f"{LESS}\n- {{id: {own}, where: {{kind: world}}, {how}}}\n")
    eventually(lambda: own in failing(), tell=failing)
    client.alerts.receivers.forget([own])
    eventually(lambda: ids_of(client) == {"home", own})


def test_aliases_that_stand_for_a_few_values_are_taken(watching: Watched) -> None:
    client, path = watching
    how = "how: {channels: [{channel: webhook, url: 'https://example.org/q'}]}"
    path.write_text(f"- &one {{id: a, where: {{kind: world}}, {how}}}\n- {{<<: *one, id: b}}\n")
    eventually(lambda: ids_of(client) == {"a", "b"}, tell=failing)
