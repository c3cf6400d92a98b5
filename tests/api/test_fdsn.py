"""The FDSN event web service, asked as its specification and its clients ask."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import obspy
import pytest
from lxml import etree
from obspy.clients.fdsn import Client
from obspy.clients.fdsn.header import FDSNNoDataException, FDSNRequestTooLargeException

from quakestream.api import fdsn, pieces
from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.formats.writing import parquet
from tests.api.serving import Consumer
from tests.contracts.catalog import FAR, NOW_MS, TIME_MS, UPDATED_MS, event, shock
from tests.sizes import DATABASES

CLIENT: Final = httpx.Client(trust_env=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0))
PLACES = {
    "fiji": {"latitude": -18.0, "longitude": 178.5, "depth": 550.0},
    "samoa": {"latitude": -15.0, "longitude": -172.0, "depth": 30.0},
    "oslo": {"latitude": 60.0, "longitude": 10.7, "depth": 5.0},
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    """On one database, for what no database has to do with."""
    folder = tmp_path_factory.mktemp("fdsn")
    with contextlib.closing(SqliteCatalog(folder / "catalogue.sqlite3")) as catalog, Consumer(catalog, folder) as one:
        one.write("a1", "a2")
        yield one


@pytest.fixture(scope="module", params=DATABASES)
def consumer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder = tmp_path_factory.mktemp("fdsn")
    made: SqlCatalog
    if request.param == "sqlite":
        made = SqliteCatalog(folder / "catalogue.sqlite3")
    else:
        made = PostgresqlCatalog(request.getfixturevalue("postgresql").make_database())
    with contextlib.closing(made) as catalog, Consumer(catalog, folder) as consumer:
        consumer.writer.write(
            event("fiji1", location=PLACES["fiji"], magnitude=6.1, magnitudeType="mww", agency="us", timestamp=TIME_MS),
            event("samoa1", location=PLACES["samoa"], magnitude=None, source="emsc", timestamp=TIME_MS - 3_600_000),
            event("oslo1", location=PLACES["oslo"], type="quarry blast", magnitude=1.2, timestamp=TIME_MS - 7_200_000),
            event("gone1", status="deleted"),
            event("drill1", mode="exercise", magnitude=8.0, place="Somewhere"),
        )
        consumer.writer.write(
            shock("nn1", agency="nn", magnitude=4.0, magError=0.2, depthError=1.5),
            shock("us1", agency="us", magnitude=4.2, ids=["nn1"], status="reviewed", horizontalError=0.8),
            now_ms=NOW_MS + 10_000,
        )
        yield consumer


def get(consumer: Consumer, query: str, **more: Any) -> httpx.Response:
    return CLIENT.get(f"{consumer.url}/fdsnws/event/1/{query}", **more)


def ids(consumer: Consumer, query: str) -> list[str]:
    """The agencies' ids of what is found, in its order."""
    answer = get(consumer, f"query?format=text&{query}")
    assert answer.status_code in {200, 204}, answer.text
    return [line.split("|")[8] for line in answer.text.splitlines()[1:]]


ALL = ["us1", "fiji1", "samoa1", "oslo1"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ALL),
        ("minlon=170&maxlon=-170", ["fiji1", "samoa1"]),
        ("minlongitude=170&maxlongitude=190", ["fiji1", "samoa1"]),
        ("minlongitude=-190&maxlongitude=-170", ["fiji1", "samoa1"]),
        ("minlongitude=0&maxlongitude=360", ALL),
        ("minlongitude=-180&maxlongitude=180&minlat=-90&maxlat=0", ["fiji1", "samoa1"]),
        ("lat=-18&lon=178.5&maxradius=5", ["fiji1"]),
        ("latitude=-18&longitude=178.5&minradius=5&maxradius=12", ["samoa1"]),
        ("latitude=-18&longitude=178.5&maxradiuskm=500", ["fiji1"]),
        ("minmag=4&maxmag=5", ["us1"]),
        ("mindepth=100", ["fiji1"]),
        ("magtype=MWW", ["fiji1"]),
        ("eventtype=quarry%20blast,explosion", ["oslo1"]),
        ("catalog=emsc", ["samoa1"]),
        ("contributor=US", ["us1", "fiji1"]),
        ("start=2023-11-14T18:00:00&end=2023-11-14T18:30:00", ["samoa1"]),
        ("updatedafter=2023-11-14T22:13:25", ["us1"]),
        ("orderby=time-asc", ALL[::-1]),
        ("orderby=magnitude", ["fiji1", "us1", "oslo1", "samoa1"]),
        ("orderby=magnitude-asc", ["oslo1", "us1", "fiji1", "samoa1"]),
        ("offset=2&limit=2", ["fiji1", "samoa1"]),
        ("offset=9", []),
        ("includedeleted=only", ["gone1"]),
        ("includedeleted=true", [*ALL, "gone1"]),
        ("mode=exercise", ["drill1"]),
        ("eventid=usgs:nn1", ["us1"]),
        ("eventid=nn1", ["us1"]),
        ("eventid=nobody", []),
        ("eventid=drill1", []),
        ("eventid=drill1&mode=exercise", ["drill1"]),
        ("eventid=gone1", []),
        ("eventid=gone1&includedeleted=true", ["gone1"]),
        ("asof=1", ["fiji1"]),
        ("asof=2023-11-14T22:13:21Z", ["fiji1", "samoa1", "oslo1"]),
        ("includearrivals=true&includesuperseded=true&includeallorigins=true&includeallmagnitudes=false", ALL),
    ],
)
def test_what_each_parameter_finds(consumer: Consumer, query: str, found: list[str]) -> None:
    assert ids(consumer, query) == found
    unlimited = "&".join(part for part in query.split("&") if not part.startswith(("limit", "offset")))
    if unlimited == query:
        assert int(get(consumer, f"count?{query}").text) == len(found)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("minmag=x", "minmagnitude"),
        ("minmag=nan", "minmagnitude"),
        ("minmag=5&maxmag=4", "minmagnitude, maxmagnitude"),
        ("minmag=5&minmagnitude=5", "given twice"),
        ("limit=1&limit=2", "given more than once"),
        ("colour=red", "colour"),
        ("starttime=yesterday", "starttime"),
        ("starttime=1700000000", "seconds"),
        ("starttime=", "starttime"),
        ("start=2023-01-02&end=2023-01-01", "starttime is after endtime"),
        ("minlat=91", "minlatitude"),
        ("minlon=190", "maxlongitude beside it"),
        ("minlon=-361&maxlon=0", "minlongitude"),
        ("lat=1&maxradius=2", "a circle is"),
        ("lat=1&lon=2&maxradius=181", "maxradius"),
        ("lat=1&lon=2&maxradius=1&maxradiuskm=1", "not both"),
        ("limit=0", "limit"),
        ("offset=0", "offset"),
        ("orderby=size", "orderby"),
        ("format=pdf", "format"),
        ("nodata=500", "nodata"),
        ("includedeleted=perhaps", "includedeleted"),
        ("mode=real", "mode"),
        ("asof=soon", "asof"),
        ("asof=999999", "no change 999999 yet"),
        ("asof=other-1", "epoch"),
        ("eventid=", "eventid"),
        ("eventid=%00", "NUL"),
        ("format=cap", "a CAP message is of one earthquake"),
    ],
)
def test_what_is_wrong_is_told_in_fdsn_s_words(alone: Consumer, query: str, said: str) -> None:
    lines = "\n".join(query.replace("%00", "\0").split("&"))
    for answer in (
        get(alone, f"query?{query}"),
        CLIENT.post(f"{alone.url}/fdsnws/event/1/query", content=lines),
    ):
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.text.startswith("Error 400: Bad Request\n")
        assert said in answer.text
        assert "Service version:" in answer.text


def test_nothing_is_204_or_404_as_was_asked(consumer: Consumer) -> None:
    nothing = get(consumer, "query?minmag=9")
    assert (nothing.status_code, nothing.content) == (204, b"")
    assert get(consumer, "query?minmag=9&nodata=404").text.startswith("Error 404: Not Found")
    as_at_the_usgs = get(consumer, "query?minmag=9&format=geojson")
    assert (as_at_the_usgs.status_code, as_at_the_usgs.json()["features"]) == (200, [])
    assert get(consumer, "query?minmag=9&format=geojson&nodata=204").status_code == 204
    assert get(consumer, "query?eventid=nobody&format=geojson").status_code == 204


def test_too_many_are_413_and_say_how_to_split(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fdsn, "MAX_EVENTS", 3)
    answer = get(consumer, "query")
    assert answer.status_code == 413
    assert f"asof={answer.headers['quakestream-seq']}" in answer.text
    assert get(consumer, "query?limit=3").status_code == 200
    assert get(consumer, "query?limit=4").status_code == 413
    assert get(consumer, "query?minmag=6").status_code == 200
    with pytest.raises(FDSNRequestTooLargeException):
        Client(base_url=consumer.url).get_events()


def test_what_is_too_long_is_refused(alone: Consumer) -> None:
    assert get(alone, f"query?eventid={'a' * 9000}").status_code == 414
    assert get(alone, f"query?eventid={'a' * 60_000}").status_code == 414
    url = f"{alone.url}/fdsnws/event/1/query"
    assert CLIENT.post(url, content=f"eventid={'a' * 9000}").status_code == 400
    assert CLIENT.post(url, content=b"a" * 100_000).status_code == 413
    assert CLIENT.post(url, content=(b"a" * 1000 for _ in range(100))).status_code == 413


def test_post_is_what_get_is(consumer: Consumer) -> None:
    url = f"{consumer.url}/fdsnws/event/1"
    lines = "format=text\r\nminmag = 4\n\nmaxmag=5\n"
    posted = CLIENT.post(f"{url}/query", content=lines)
    assert posted.text == get(consumer, "query?format=text&minmag=4&maxmag=5").text
    form = CLIENT.post(f"{url}/query", data={"format": "text", "minmag": "4", "maxmag": "5"})
    assert form.text == posted.text
    assert CLIENT.post(f"{url}/count", content="minmag=4").text == "2\n"
    wrong = CLIENT.post(f"{url}/query", content="minmag")
    assert (wrong.status_code, "key=value" in wrong.text) == (400, True)
    xml = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'
    assert CLIENT.post(f"{url}/query", content=xml).status_code == 400


def test_head_has_the_head_of_get(consumer: Consumer) -> None:
    asked = CLIENT.get(f"{consumer.url}/fdsnws/event/1/query")
    head = CLIENT.head(f"{consumer.url}/fdsnws/event/1/query")
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "quakestream-seq", "etag"):
        assert head.headers[name] == asked.headers[name]
    assert CLIENT.head(f"{consumer.url}/fdsnws/event/1/query?minmag=9").status_code == 204


def test_what_has_not_changed_is_304(consumer: Consumer) -> None:
    tag = get(consumer, "query").headers["etag"]
    assert get(consumer, "query", headers={"If-None-Match": tag}).status_code == 304
    assert get(consumer, "query", headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_every_agency_s_solution_is_there_where_it_is_asked_for(consumer: Consumer) -> None:
    def solutions(query: str) -> tuple[int, int]:
        (one,) = obspy.read_events(io.BytesIO(get(consumer, f"query?{query}").content))
        assert one.preferred_magnitude().mag == 4.2
        return len(one.origins), len(one.magnitudes)

    assert solutions("minmag=4&maxmag=5") == (1, 1)
    assert solutions("minmag=4&maxmag=5&includeallorigins=true") == (2, 1)
    assert solutions("minmag=4&maxmag=5&includeallmagnitudes=true") == (2, 2)
    assert solutions("eventid=us1") == (2, 2)
    assert solutions("eventid=us1&includeallorigins=false&includeallmagnitudes=false") == (1, 1)


def test_one_event_by_its_id_is_a_detail_as_at_the_usgs(consumer: Consumer) -> None:
    one = get(consumer, "query?format=geojson&eventid=us1&includesuperseded=True&includedeleted=False").json()
    assert one["type"] == "Feature"
    origins = one["properties"]["products"]["origin"]
    assert [origin["properties"]["magnitude"] for origin in origins] == ["4.2", "4.0"]
    at_the_feed = CLIENT.get(one["properties"]["detail"]).json()
    assert at_the_feed["properties"]["title"] == one["properties"]["title"]
    assert [o["id"] for o in at_the_feed["properties"]["products"]["origin"]] == [o["id"] for o in origins]
    as_of = get(consumer, "query?format=geojson&eventid=nn1&asof=6").json()
    assert [o["properties"]["magnitude"] for o in as_of["properties"]["products"]["origin"]] == ["4.0"]


def test_long_answers_come_in_pieces_that_join(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {form: get(consumer, f"query?format={form}").text for form in ("text", "csv", "geojson", "xml", "kml")}
    monkeypatch.setattr(pieces, "PIECE", 1)
    for form, text in whole.items():
        pieced = get(consumer, f"query?format={form}").text
        if form in {"text", "csv", "kml"}:
            assert pieced == text
    assert len(json.loads(get(consumer, "query?format=geojson").text)["features"]) == len(ALL)
    assert len(obspy.read_events(io.BytesIO(get(consumer, "query").content))) == len(ALL)
    assert len(list(csv.DictReader(io.StringIO(whole["csv"])))) == len(ALL)
    assert etree.fromstring(whole["kml"].encode()).tag.endswith("kml")


def test_parquet_is_an_answer_like_the_others(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    monkeypatch.setattr(pieces, "PIECE", 1)
    answer = get(consumer, "query?format=parquet&orderby=time")
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert "content-encoding" not in answer.headers
    frame = pd.read_parquet(io.BytesIO(answer.content))
    assert list(frame["source_id"]) == ALL
    assert set(frame["mode"]) == {"actual"}
    assert CLIENT.head(f"{consumer.url}/fdsnws/event/1/query?format=parquet").status_code == 200
    assert get(consumer, "query?format=parquet&minmag=9").status_code == 204


@pytest.mark.parametrize("query", ["format=parquet", "format=parquet&minmag=9", "format=parquet&limit=1"])
def test_without_pyarrow_the_extra_is_named(alone: Consumer, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    monkeypatch.setattr(parquet, "is_there", lambda: False)
    for answer in (get(alone, f"query?{query}"), CLIENT.post(f"{alone.url}/fdsnws/event/1/query", content=query)):
        assert answer.status_code == 400
        assert "pip install 'quakestream[parquet]'" in answer.text


def test_what_merged_away_is_what_it_became_and_what_is_ambiguous_is_all(tmp_path: Path) -> None:
    with (
        contextlib.closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog,
        Consumer(catalog, tmp_path) as consumer,
    ):
        consumer.writer.write(shock("us1", magnitude=5.0), shock("nn1", location=FAR, timestamp=TIME_MS + 90_000))
        (away,) = catalog.find("nn1")
        before = catalog.feed().last_seq
        consumer.writer.write(shock("nn1", magnitude=5.1, updated=UPDATED_MS + 9000))
        home = catalog.merged_into(away) or away
        assert home != away
        assert get(consumer, f"query?format=text&eventid={away}").text.splitlines()[1].startswith(home)
        assert get(consumer, f"query?format=text&eventid={away}&asof={before}").text.splitlines()[1].startswith(away)
        consumer.writer.write(event("same", source="emsc"), event("same", source="gfz", timestamp=TIME_MS - 10**10))
        assert len(get(consumer, "query?format=text&eventid=same").text.splitlines()) == 3


def test_obspy_asks_and_reads(consumer: Consumer, tmp_path: Path) -> None:
    client = Client(base_url=consumer.url)
    assert {"event", "available_event_catalogs", "available_event_contributors"} <= client.services.keys()
    assert client.services["available_event_catalogs"] == {"emsc", "usgs"}
    assert client.get_webservice_version("event") == [1, 2, 0]
    everything = client.get_events()
    assert [one.preferred_origin().time.timestamp * 1000 for one in everything][:2] == [TIME_MS, TIME_MS]
    found = client.get_events(
        starttime=obspy.UTCDateTime(TIME_MS / 1000) - 60,
        endtime=obspy.UTCDateTime(TIME_MS / 1000) + 60,
        minlatitude=30,
        maxlatitude=45,
        minlongitude=-125,
        maxlongitude=-110,
        mindepth=1,
        maxdepth=50,
        minmagnitude=4,
        maxmagnitude=5,
        eventtype="earthquake",
        includeallorigins=True,
        includeallmagnitudes=True,
        includearrivals=True,
        limit=10,
        offset=1,
        orderby="time-asc",
        catalog="usgs",
        contributor="us",
        updatedafter=obspy.UTCDateTime(2020, 1, 1),
    )
    assert [sorted(m.mag for m in one.magnitudes) for one in found] == [[4.0, 4.2]]
    assert found[0].preferred_origin().origin_uncertainty.horizontal_uncertainty == 800.0
    circle = client.get_events(latitude=-18, longitude=178.5, minradius=0, maxradius=3, magnitudetype="mww")
    assert [one.preferred_magnitude().mag for one in circle] == [6.1]
    assert len(client.get_events(eventid=found[0].resource_id.id)) == 1
    with pytest.raises(FDSNNoDataException):
        client.get_events(minmagnitude=9)
    client.get_events(format="text", filename=str(tmp_path / "events.txt"), minmagnitude=6)
    assert (tmp_path / "events.txt").read_text().count("\n") == 2


def test_its_own_description_lists_every_parameter(alone: Consumer) -> None:
    described = etree.fromstring(get(alone, "application.wadl").content)
    query = next(r for r in described.iter("{*}resource") if r.get("path") == "query")
    names = {param.get("name") for param in query.iter("{*}param")}
    assert {
        *("starttime", "start", "endtime", "end", "minlatitude", "minlat", "latitude", "lat", "minradius", "maxradius"),
        *("mindepth", "minmagnitude", "minmag", "magnitudetype", "magtype", "eventtype", "eventid", "limit", "offset"),
        *("includeallorigins", "includeallmagnitudes", "includearrivals", "orderby", "catalog", "contributor"),
        *("updatedafter", "format", "nodata", "includedeleted", "includesuperseded", "mode", "asof"),
    } <= names
    for name in names:
        answer = get(alone, f"query?{name}=%20")
        assert answer.status_code == 400, (name, answer.text)
        assert f"{name}: Extra" not in answer.text


def test_its_page_needs_nothing_inline(alone: Consumer) -> None:
    page = get(alone, "")
    assert page.status_code == 200
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]
    assert "<script>" not in page.text
    assert 'id="minmagnitude"' in page.text
    assert "with <code>longitude</code> and a radius" in page.text
    assert "`" not in page.text
    assert get(alone, "builder.js").headers["content-type"].startswith("text/javascript")
    assert get(alone, "style.css").status_code == 200
    assert CLIENT.get(f"{alone.url}/fdsnws/event/1", follow_redirects=True).status_code == 200
    assert get(alone, "elsewhere").status_code == 404
    assert "<Contributor>a</Contributor>" in get(alone, "contributors").text


def test_our_own_list_takes_the_same_names_and_asof(consumer: Consumer) -> None:
    def listed(query: str) -> list[str]:
        found: list[str] = []
        cursor = ""
        while True:
            answer = CLIENT.get(f"{consumer.url}/api/v1/earthquakes?{query}{cursor}")
            assert answer.status_code == 200, answer.text
            found += [one["id"] for one in answer.json()["earthquakes"]]
            if answer.json()["next"] is None:
                count = "&".join(part for part in query.split("&") if not part.startswith(("limit", "orderby")))
                counted = CLIENT.get(f"{consumer.url}/api/v1/earthquakes/count?{count}").json()
                assert counted == {"count": len(found)}
                return found
            cursor = f"&cursor={answer.json()['next']}"

    for query in (
        "mode=actual&minmag=4&orderby=magnitude",
        "mode=actual&catalog=emsc",
        "source=usgs&eventtype=earthquake&mode=actual",
        "mode=actual&updatedafter=2023-11-14T22:13:25&lat=38&lon=-119&maxradius=5",
        "mode=actual&asof=3&limit=1&orderby=time-asc",
        "mode=actual&asof=2023-11-14T22:13:21Z&limit=2",
    ):
        lines = get(consumer, "query?format=text&" + query.replace("limit=1&", "").replace("&limit=2", "")).text
        assert listed(query) == [line.split("|")[0] for line in lines.splitlines()[1:]]
    for wrong in ("asof=soon", "asof=99999", "asof=1&cursor=MTIz", "minmag=1&minmagnitude=2"):
        assert CLIENT.get(f"{consumer.url}/api/v1/earthquakes?{wrong}").status_code == 400
