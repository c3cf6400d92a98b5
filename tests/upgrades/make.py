"""Makes the data that later versions must open: by the programs of another checkout, as they leave it.

    .venv/bin/python -m tests.upgrades.make VENV FOLDER

`VENV` is that of a checkout of the version, `FOLDER` is `tests/data/upgrades/<version>`. Per database one archive:
`sqlite.tar.xz`, and `postgresql.tar.xz` with the dump beside what is in `DATA_DIR`. Some two minutes. What is in them
stands in the folder's README; the test is `tests/test_upgrades.py`.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import gzip
import io
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg

from tests.end_to_end.programs import Program
from tests.postgres_server import PostgresServer
from tests.upgrades.agencies import Agencies
from tests.waiting import eventually

ROOT: Final = Path(__file__).resolve().parents[2]
WEEK: Final = ROOT / "src/quakestream/sources/recordings/usgs-week.geojson.gz"
KEY: Final = "0123456789abcdef"
ODD: Final = "12 km N of\r\nNowhere\t\x07\x1b[31m\x7f\x85\u2028\u202e<b>&amp;</b>"
"""A place as 0.1.0 let it in."""
MAIL: Final = "mailto://user:pass@example.org?smtp=127.0.0.1&port=9&to=me@example.org"
"""No mail server: the question waits."""
HOUR_MS: Final = 3_600_000
STATES: Final = {"queued", "sending", "sent", "accepted", "acknowledged", "superseded", "expired", "dead"}
FILES: Final = ("log.sqlite3", "catalogue.sqlite3", "earthquake-service.sqlite3", "replay.sqlite3", "instance-id")
TOPIC: Final = "earthquake-service-topic"

LETTERS: Final[list[tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]]] = [
    (b"other:1", b"not JSON", []),
    (b"other:2", b"\xff\xfe\x00", [("odd", b"\xff"), ("none", None), ("odd", b"twice")]),
    (b"other:3", b'{"id":"3","magnitude":5}', [("content-type", b"application/json")]),
    (None, b'{"id":"4","magnitude":5,"location":{"latitude":91,"longitude":0},"timestamp":0}', []),
    (b"\xff", b'{"id":"5","magnitude":5,"location":{"latitude":1,"longitude":0},"timestamp":"soon"}', []),
    (b"other:6", None, []),
]
"""Messages of other producers that can't be read: key, value, headers."""

APPEND: Final = """\
import base64, json, sys
from pathlib import Path
from quakestream.log import Record
from quakestream.log.embedded import EmbeddedLog
def bytes_of(text):
    return None if text is None else base64.b64decode(text)
producer = EmbeddedLog(Path(sys.argv[1])).producer()
records = [
    Record(sys.argv[2], bytes_of(key), bytes_of(value), tuple((name, bytes_of(item)) for name, item in headers))
    for key, value, headers in json.load(sys.stdin)
]
fates = producer.send(records).result(timeout=30)
assert all(isinstance(fate, int) for fate in fates), fates
producer.close(10)
"""
"""Puts messages on the log as they are; run by the other checkout."""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Site:
    """One deployment of the other checkout, on one of the databases."""

    def __init__(self, venv: Path, folder: Path, agencies: Agencies, database_url: str) -> None:
        self.venv = venv
        self.folder = folder
        self.data_dir = folder / "data"
        self.agencies = agencies
        self.database_url = database_url
        self.posted: list[list[dict[str, Any]]] = []
        self._programs = 0
        self._running: list[Program] = []

    def start(self, name: str, *arguments: str, **settings: str) -> Program:
        self._programs += 1
        given = {
            "DATA_DIR": str(self.data_dir),
            "EVENT_LOG": "embedded",
            "DATABASE_URL": self.database_url,
            "PORT": "0",
            "LOG_FORMAT": "json",
            "LOG_EVENTS": "false",
            "ALERTS_TOKEN": KEY,
            "INGEST_TOKEN": KEY,
            "ALERT_PRIVATE_TARGETS": "true",
            "PUBLIC_URL": "https://quakes.example.org",
        }
        command = [str(self.venv / "bin" / name), *arguments]
        program = Program(command, given | self.agencies.settings | settings, self.folder, f"{self._programs}-{name}")
        self._running.append(program)
        return program

    def end(self) -> None:
        for program in self._running:
            program.kill()

    def append(self, *messages: tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]) -> None:
        """Put messages on the stream's topic, as other producers do."""

        def text(item: bytes | None) -> str | None:
            return None if item is None else base64.b64encode(item).decode()

        given = [[text(key), text(value), [[n, text(v)] for n, v in headers]] for key, value, headers in messages]
        command = [str(self.venv / "bin/python"), "-c", APPEND, str(self.data_dir), TOPIC]
        subprocess.run(command, input=json.dumps(given).encode(), check=True, timeout=60)

    def rows(self, statement: str) -> list[Any]:
        if self.database_url:
            with psycopg.connect(self.database_url) as session:
                return session.execute(statement.encode()).fetchall()
        with contextlib.closing(sqlite3.connect(self.data_dir / "catalogue.sqlite3")) as db:
            return db.execute(statement).fetchall()

    def change(self, statement: str) -> None:
        if self.database_url:
            with psycopg.connect(self.database_url) as session:
                session.execute(statement.encode())
            return
        with contextlib.closing(sqlite3.connect(self.data_dir / "catalogue.sqlite3")) as db, db:
            db.execute(statement)

    def states(self, subscription: str, *, more: str = "") -> list[str]:
        where = f"subscription = '{subscription}'{more}"
        found = self.rows(f"SELECT state FROM notifications WHERE {where} ORDER BY notification")  # noqa: S608
        return [state for (state,) in found]

    def post(self, service: Program, *events: dict[str, Any]) -> None:
        """Post events with the key, all of them at once; they are new."""
        answer = service.post("/earthquake-events", json=list(events), headers={"Authorization": f"Bearer {KEY}"})
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        self.posted.append(list(events))

    def read_all(self, consumer: Program) -> None:
        """Wait until the consumer, and who follows it, has dealt with all that is in the log."""
        with contextlib.closing(sqlite3.connect(self.data_dir / "log.sqlite3")) as db:
            (high,) = db.execute("SELECT high FROM topics WHERE name = ?", (TOPIC,)).fetchone()

        def behind() -> list[Any]:
            positions = self.rows(f"SELECT next_offset FROM positions WHERE topic = '{TOPIC}'")  # noqa: S608
            followers = self.rows("SELECT name, after_seq FROM followers")
            (last,) = self.rows("SELECT last_seq FROM feed")[0]
            return [high, positions, last, followers]

        def done() -> bool:
            _, positions, last, followers = behind()
            return positions == [(high,)] and len(followers) == 2 and all(after == last for _, after in followers)

        eventually(done, 60, 0.05, behind)


def week() -> list[dict[str, Any]]:
    """A part of the recorded week, moved to now: its latest events, and its largest."""
    with gzip.open(WEEK) as stream:
        collection = json.load(stream)
    shift_ms = now_ms() - collection["metadata"]["generated"] - 300_000
    features = collection["features"]
    chosen = features[:120] + [one for one in features[120:] if (one["properties"]["mag"] or 0) >= 5.2]
    for one in chosen:
        properties = one["properties"]
        properties["time"] += shift_ms
        properties["updated"] += shift_ms
        for name in ("tz", "detail", "sources", "types", "title", "code"):  # what nobody reads
            properties.pop(name)
    return list(chosen)


def frame(number: int, action: str = "create", **properties: Any) -> dict[str, Any]:
    """As the EMSC's WebSocket sends them."""
    at = dt.datetime.fromtimestamp((now_ms() - 600_000 - number * 60_000) / 1000, dt.UTC).isoformat()
    given = {
        "source_id": str(1_779_000 + number),
        "source_catalog": "EMSC-RTS",
        "lastupdate": dt.datetime.fromtimestamp(now_ms() / 1000, dt.UTC).isoformat(),
        "time": at,
        "flynn_region": "WESTERN TURKEY",
        "lat": 40.1 + number / 10,
        "lon": 28.5,
        "depth": 7.0,
        "evtype": "ke",
        "auth": "AFAD",
        "mag": 1.4,
        "magtype": "ml",
        "unid": f"20250303_{number:07}",
    } | properties
    point = {"type": "Point", "coordinates": [given["lon"], given["lat"], -given["depth"]]}
    return {
        "action": action,
        "data": {"type": "Feature", "geometry": point, "id": given["unid"], "properties": given},
    }


def fdsn_text() -> str:
    """As an agency's FDSN service answers in text."""
    lines = ["#EventID|Time|Latitude|Longitude|Depth/km|Author|Catalog|Contributor|ContributorID|MagType|Magnitude"]
    lines[0] += "|MagAuthor|EventLocationName"
    for number in range(8):
        at = dt.datetime.fromtimestamp((now_ms() - (number + 1) * HOUR_MS) / 1000, dt.UTC)
        time_text = at.isoformat().removesuffix("+00:00")
        lines.append(f"{number}|{time_text}|{42 + number / 5}|13.2|9.1|X|X|X|{number}|ML|{2 + number / 10}|X|Accumoli")
    return "\n".join(lines) + "\n"


def quake(id_: str, latitude: float, longitude: float, magnitude: float | None, **fields: Any) -> dict[str, Any]:
    """One that happened just now."""
    location = {"latitude": latitude, "longitude": longitude, "depth": 35.0}
    event = {"id": id_, "magnitude": magnitude, "location": location, "timestamp": now_ms() - 20_000}
    return event | {"source": "alpha", "mode": "actual", "updated": now_ms()} | fields


def revised(event: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {**event, "updated": now_ms()} | fields


def subscriptions(hooks: str, port: int) -> list[dict[str, Any]]:
    """Of every kind: who they are is their id."""

    def hook(name: str) -> dict[str, Any]:
        return {"channel": "webhook", "url": f"{hooks}/{name}"}

    def one(id_: str, *channels: dict[str, Any], how: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        rest = {"where": {"kind": "world"}, "what": {"min_magnitude": 5}} | more
        return {"id": id_, "name": f"For {id_}", "how": {"channels": list(channels), **(how or {})}, **rest}

    begin = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    quiet = {"start": f"{begin:%H:%M}", "end": f"{begin + dt.timedelta(hours=3):%H:%M}", "unless_intensity": None}
    point = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    browser = {"endpoint": "https://push.example.org/one", "keys": {"p256dh": point, "auth": "BTBZMqHH6r4Tts7J_aSIgg"}}
    sites = [
        {"name": "Store\n1", "latitude": 10.1, "longitude": 20.1, "value": 1e6, "min_intensity": 3},
        {"name": "Store 2", "latitude": -40, "longitude": 100, "min_intensity": 3},
    ]
    area = {"type": "Polygon", "coordinates": [[[19, 9], [22, 9], [22, 12], [19, 12], [19, 9]]]}
    return [
        one("steady", hook("steady"), how={"updates": "every"}),
        one("german", hook("steady"), how={"language": "de", "units": "imperial"}, time_zone="Europe/Berlin"),
        one("two", hook("steady"), {"channel": "apprise", "url": f"json://127.0.0.1:{port}/apprise"}),
        one("final", hook("final")),
        one("busy", hook("busy")),
        one("error", hook("error")),
        one("silent", hook("silent"), where={"kind": "circle", "latitude": -30, "longitude": -70, "radius_km": 300}),
        one("quiet", hook("steady"), how={"quiet_hours": quiet}),
        one("digest", hook("steady"), how={"digest": {"after": 1, "radius_km": 500, "every_minutes": 240}}),
        one("snoozed", hook("steady"), snooze_until_ms=4_102_444_800_000),
        one("exercises", hook("steady"), modes=["actual", "exercise"]),
        one("portfolio", hook("steady"), where={"kind": "portfolio", "sites": sites, "within_km": 300}),
        one("polygon", hook("steady"), where={"kind": "polygon", "geometry": area, "within_km": 50}),
        one("escalating", hook("steady"), how={"escalation": {"after_minutes": 90, "channels": [hook("busy")]}}),
        one("read", hook("steady"), how={"escalation": {"after_minutes": 90, "channels": [hook("final")]}}),
        one("mail", {"channel": "apprise", "url": MAIL}, what={"min_magnitude": 9.5}),
        one("browser", {"channel": "webpush", "subscription": browser}, what={"min_magnitude": 9.5}),
        one("unreadable", hook("steady")),
        one("gone", hook("steady")),
    ]


def subscribe(consumer: Program, documents: list[dict[str, Any]]) -> None:
    for document in documents:
        answer = asked(consumer, "POST", f"/subscriptions?subscriber={document['id']}@example.org", json=document)
        assert answer.status_code == httpx.codes.CREATED, answer.text


def asked(consumer: Program, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {KEY}"}
    return httpx.request(method, f"{consumer.url()}/api/v1{path}", headers=headers, timeout=20, trust_env=False, **more)


def recording(site: Site, name: str, features: list[dict[str, Any]]) -> Path:
    path = site.data_dir / "recordings" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def begin(site: Site, service: Program, consumer: Program) -> None:
    """Every source once, and one alert that expires."""
    agencies = site.agencies
    agencies.shown |= {"usgs": week(), "deleted": [], "frames": [frame(n) for n in range(6)], "fdsn": fdsn_text()}
    subscribe(consumer, [one for one in subscriptions(f"{agencies.url}/hooks", agencies.port) if one["id"] == "busy"])
    site.post(service, quake("late", -20, 60, 5.4, place="Mauritius", timestamp=now_ms()))

    drill = [dict(one, id=f"drill{n}") for n, one in enumerate(agencies.shown["usgs"][:12])]
    path = recording(site, "drill.geojson", drill)
    assert site.start("quakestream", "replay", str(path)).ends() == 0
    cut = json.loads(json.dumps(drill))
    for n, one in enumerate(cut):
        one["id"] = one["properties"]["ids"] = f"cut{n}"
        before_ms = 5 * HOUR_MS - n * 1000 if n < 8 else HOUR_MS - (n - 8) * 600_000
        one["properties"] |= {"time": now_ms() - before_ms, "updated": now_ms() - before_ms}
    recording(site, "cut.geojson", cut)
    start(service, [{"name": "simulator", "seed": 1, "count": 30}, {"name": "fdsn", **fdsn(agencies)}])
    eventually(lambda: source(service, "simulator")["state"] == "finished", 30)
    start(service, wanted(agencies))
    eventually(lambda: source(service, "usgs")["acknowledged"] >= 100, 30, tell=lambda: service.said)
    eventually(lambda: source(service, "emsc")["acknowledged"] == 6, 30, tell=lambda: service.said)
    eventually(lambda: source(service, "replay")["acknowledged"] == 8, 30, tell=lambda: source(service, "replay"))

    shown = agencies.shown["usgs"]
    for one in shown[:6]:
        one["properties"] |= {"mag": (one["properties"]["mag"] or 1) + 0.4, "updated": now_ms(), "status": "reviewed"}
    shown[6]["properties"] |= {"place": ODD, "updated": now_ms()}
    shown[7]["properties"] |= {"type": "quarry blast", "updated": now_ms()}
    shown[8]["properties"] |= {"mag": None, "updated": now_ms()}
    agencies.shown["deleted"] = [shown[9]["id"], shown[10]["id"]]
    agencies.shown["usgs"] = shown[:9] + shown[11:]
    agencies.shown["frames"] += [frame(2, "update", mag=2.2), frame(3, "delete"), frame(7, flynn_region=ODD)]
    site.append(
        *LETTERS,
        (None, b'{"id":"bare","magnitude":4.4,"location":{"latitude":1,"longitude":2},"timestamp":1500000000000}', []),
    )
    withdrawn = "SELECT count(*) FROM earthquakes WHERE deleted AND mode = 'actual'"
    eventually(lambda: site.rows(withdrawn) == [(3,)], 60, tell=lambda: site.rows(withdrawn))
    eventually(lambda: source(service, "emsc")["acknowledged"] == 9, 30)
    eventually(lambda: site.states("busy") == ["expired"], 60, tell=lambda: site.states("busy"))
    site.read_all(consumer)


def fdsn(agencies: Agencies) -> dict[str, Any]:
    return {"url": agencies.fdsn_url, "source": "nearby", "format": "text", "pollIntervalS": 0.5}


def wanted(agencies: Agencies) -> list[dict[str, Any]]:
    """What the control file remembers."""
    return [
        {"name": "usgs", "span": "week", "catchUp": None, "pollIntervalS": 0.5},
        {"name": "emsc"},
        {"name": "fdsn", **fdsn(agencies)},
        {"name": "replay", "files": ["cut.geojson"], "speed": 1, "playHours": 1},
    ]


def start(service: Program, sources: list[dict[str, Any]]) -> None:
    answer = service.post("/earthquake-events/start", json={"sources": sources, "intervalMs": 20})
    assert answer.status_code == httpx.codes.OK, answer.text


def source(service: Program, name: str) -> dict[str, Any]:
    listed = service.get("/earthquake-events/status").json()["sources"]
    found: dict[str, Any] = next((one for one in listed if one["name"] == name), {"state": "absent"})
    return found


def alarm(site: Site, service: Program, consumer: Program) -> None:
    """Alerts in every state, and earthquakes that become one, part, and end."""
    agencies = site.agencies
    documents = [one for one in subscriptions(f"{agencies.url}/hooks", agencies.port) if one["id"] != "busy"]
    subscribe(consumer, documents)
    ended = asked(consumer, "DELETE", "/subscriptions/gone")
    assert ended.status_code == httpx.codes.NO_CONTENT, ended.text
    # as another release let it in: with a field that this one does not know
    document = json.dumps({**next(one for one in documents if one["id"] == "unreadable"), "later": 1}).encode()
    blob = f"'\\x{document.hex()}'" if site.database_url else f"x'{document.hex()}'"
    site.change(f"UPDATE subscriptions SET document = {blob} WHERE id = 'unreadable'")  # noqa: S608

    first = quake("1 ü/\"'", 10, 20, 6.1, place=ODD, url="https://alpha.example.org/1", agency="al\npha")
    site.post(service, first)
    eventually(lambda: site.states("steady") == ["accepted"], 30, tell=lambda: site.states("steady"))
    eventually(lambda: site.states("final") == ["dead"], 30)
    eventually(lambda: site.states("two", more=" AND channel = 'apprise'") == ["sent"], 30)
    eventually(lambda: site.states("read") == ["accepted", "queued"], 30, tell=lambda: site.states("read"))
    key = site.rows("SELECT key FROM notifications WHERE subscription = 'read' AND kind = 'alert'")[0][0]
    read = asked(consumer, "POST", f"/notifications/{key}/acknowledge")
    assert read.status_code == httpx.codes.NO_CONTENT, read.text

    site.post(service, revised(first, magnitude=6.6, status="reviewed"))
    eventually(lambda: site.states("steady") == ["accepted"] * 2, 30)
    before_ms = now_ms() - HOUR_MS // 4
    site.post(service, quake("2", 10.8, 20.6, 5.0, place="the same swarm", timestamp=before_ms))
    eventually(lambda: "queued" in site.states("digest"), 30, tell=lambda: site.states("digest"))
    other = quake("b1", 40, 150, 5.5, source="beta", timestamp=first["timestamp"] + 2000)
    third = quake("3", -50, 10, 5.7, place="withdrawn again")
    pair = quake("4", 60, -150, 5.3)
    site.post(
        service, other, third, pair, quake("e1", 10, 20, 7.0, mode="exercise"), quake("t1", 10, 20, 8, mode="test")
    )
    site.read_all(consumer)
    site.post(service, revised(other, location={"latitude": 10.02, "longitude": 20.02, "depth": 10.0}))  # merged
    site.post(service, revised(pair, magnitude=5.31, source="beta", id="b4"))  # joins as it comes
    site.read_all(consumer)
    site.post(service, revised(other), revised(third, status="deleted"))  # split
    old = quake("5", 0, 0, 4.0, updated=now_ms() - 5000)
    site.post(service, old, {**old, "magnitude": 4.2, "updated": now_ms()}, {**old, "magnitude": 3.9, "updated": 1})
    undated = quake("6", 0, 30, 4.1)
    del undated["updated"]
    site.post(service, undated)
    site.read_all(consumer)
    expected = {"merged", "split", "deleted", "created", "updated"}
    assert {kind for (kind,) in site.rows("SELECT DISTINCT type FROM changes")} == expected
    eventually(lambda: site.states("error", more=" AND attempts >= 2 AND maybe_told AND next_ms > created_ms"), 30)

    # the last thing that its worker ever did: it waits for an answer, and what follows waits for it
    last = quake("9", -30, -70, 5.8, place="Chile")
    site.post(service, last)
    eventually(lambda: site.states("silent") == ["sending"], 30)
    site.post(service, revised(last, magnitude=6.4))
    eventually(lambda: site.states("silent", more=" AND waits_for IS NOT NULL") == ["queued"], 8)
    site.read_all(consumer)
    services = " AND channel = 'apprise'"
    eventually(lambda: set(site.states("two", more=services)) == {"sent"}, 8)
    eventually(lambda: site.states("mail") == ["queued"], 8, tell=lambda: site.states("mail"))


@contextlib.contextmanager
def postgres_server(kind: str) -> Iterator[tuple[PostgresServer | None, str]]:
    if kind == "sqlite":
        yield None, ""
        return
    with PostgresServer() as server:
        yield server, server.make_database()


def make(kind: str, venv: Path, target: Path) -> None:
    """One archive."""
    with contextlib.ExitStack() as ending:
        folder = Path(tempfile.mkdtemp(prefix="upgrades-"))
        ending.callback(shutil.rmtree, folder)
        agencies = ending.enter_context(Agencies())
        server, url = ending.enter_context(postgres_server(kind))
        site = Site(venv, folder, agencies, url)
        ending.callback(site.end)
        service = site.start("earthquake-service")
        brief = site.start("earthquake-consumer", ALERT_MAX_AGE_H="0.004")
        service.url(), brief.url()
        begin(site, service, brief)
        assert brief.terminate() == 0
        consumer = site.start("earthquake-consumer")
        alarm(site, service, consumer)
        consumer.process.send_signal(signal.SIGKILL)
        consumer.process.wait()
        unread = [quake(f"unread{n}", 30, 100 + n, 2.0) for n in range(3)]
        site.post(service, *unread)
        service.process.send_signal(signal.SIGKILL)
        service.process.wait()
        site.end()

        found = {state for (state,) in site.rows("SELECT DISTINCT state FROM notifications")}
        assert found == STATES, STATES ^ found
        left = {"made_ms": now_ms(), "unread": len(unread), "shown": agencies.shown, "posted": site.posted}
        left |= {"port": agencies.port, "sources": wanted(agencies), "letters": len(LETTERS)}
        with tarfile.open(target / f"{kind}.tar.xz", "w:xz", preset=9) as archive:
            _add(archive, "left.json", json.dumps(left).encode())
            for path in sorted(site.data_dir.rglob("*")):
                if path.is_file() and not path.name.endswith((".lock", "-shm", "-wal")):
                    assert path.name in FILES or path.parent.name == "recordings", path
                    if path.suffix == ".sqlite3":  # what a kill left in the write-ahead log, without its unused pages
                        with contextlib.closing(sqlite3.connect(path)) as db:
                            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                    _add(archive, f"data/{path.relative_to(site.data_dir)}", path.read_bytes())
            if server is not None:
                _add(archive, "postgresql.sql", dump(server, url))
        print(f"{kind}: {(target / f'{kind}.tar.xz').stat().st_size:,} bytes")


def dump(server: PostgresServer, url: str) -> bytes:
    """Plain SQL, without what only psql knows."""
    command = [server._bin / "pg_dump", "--inserts", "--rows-per-insert=100", "--no-owner", "--no-privileges", url]
    lines = subprocess.run(command, check=True, capture_output=True).stdout.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith((b"\\restrict", b"\\unrestrict")))


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def main(arguments: list[str]) -> int:
    venv, target, *kinds = arguments
    Path(target).mkdir(parents=True, exist_ok=True)
    for kind in kinds or ("sqlite", "postgresql"):
        make(kind, Path(venv).resolve(), Path(target))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
