"""Whatever is given names the agencies and the terms of what it holds."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterator
from typing import Any, Final

import feedparser
import httpx
import obspy
import pyarrow.parquet as pq
import pytest
from lxml import etree
from PIL import Image

from quakestream.api import pieces
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.terms import TERMS, UNKNOWN, Credits, terms_of
from tests.api.serving import Consumer
from tests.contracts.catalog import NOW_MS, event, shock

CLIENT: Final = httpx.Client(trust_env=False, timeout=20)
USGS: Final = "U.S. public domain"
INGV: Final = "CC BY 4.0: ISIDe"


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder = tmp_path_factory.mktemp("terms")
    with contextlib.closing(SqliteCatalog(folder / "c.sqlite3")) as catalog, Consumer(catalog, folder) as one:
        one.writer.write(
            shock("us1", agency="us", magnitude=6.2),
            shock("em1", agency="INGV", source="emsc", magnitude=6.1, ids=["us1"]),
            event("far1", agency="Ağency, “X”", source="mine", magnitude=5.0, timestamp=NOW_MS - 3_600_000),
            event("drill1", mode="exercise", agency="jma", source="jma", magnitude=7.0, timestamp=NOW_MS - 1000),
        )
        yield one


def get(consumer: Consumer, path: str) -> httpx.Response:
    answer = CLIENT.get(consumer.url + path)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize(
    "path",
    [
        *(f"/fdsnws/event/1/query?format={form}&minmagnitude=6" for form in ("xml", "text", "csv", "geojson", "kml")),
        "/fdsnws/event/1/query?format=parquet&minmagnitude=6",
        "/fdsnws/event/1/query?format=cap&eventid=us1",
        "/fdsnws/event/1/query?format=geojson&eventid=us1",
        "/earthquakes/feed/v1.0/detail/us1.geojson",
        "/api/v1/earthquakes?limit=2",
        "/api/v1/earthquakes/usgs:us1",
        "/api/v1/earthquakes/usgs:us1/map.png",
    ],
)
def test_the_head_of_an_answer_names_them(consumer: Consumer, path: str) -> None:
    headers = get(consumer, path).headers
    assert "us" in headers["quakestream-agencies"].split(", ")
    links = headers["link"]
    assert f'<{TERMS["usgs"].url}>; rel="license"; title="{TERMS["usgs"].words}"' in links
    assert f'<{consumer.url}/api/v1/terms>; rel="license"' in links
    assert headers["link"].isascii()
    if "minmagnitude=6" in path or "us1" in path:
        assert "mine" not in headers["quakestream-agencies"]
        assert "jma" not in headers["quakestream-agencies"]


def test_the_answer_itself_names_them_where_it_has_room(consumer: Consumer) -> None:
    catalogue = obspy.read_events(io.BytesIO(get(consumer, "/fdsnws/event/1/query?eventid=us1").content))
    (comment,) = catalogue.comments
    assert "Agencies: INGV, emsc, us." in comment.text
    assert USGS in comment.text
    assert INGV in comment.text
    collection = get(consumer, "/fdsnws/event/1/query?format=geojson").json()["metadata"]
    assert collection["agencies"] == ["Ağency, “X”", "emsc", "us"]
    said = {one.get("source"): one for one in collection["terms"]}
    assert said["mine"] == {"source": "mine", "terms": UNKNOWN}
    assert said["usgs"]["terms"].startswith(USGS)
    kml = get(consumer, "/fdsnws/event/1/query?format=kml&minmagnitude=6").text
    assert USGS in kml
    data = get(consumer, "/fdsnws/event/1/query?format=parquet").content
    assert json.loads(pq.read_metadata(io.BytesIO(data)).metadata[b"quakestream"])["agencies"] == collection["agencies"]
    alert = etree.fromstring(get(consumer, "/fdsnws/event/1/query?format=cap&eventid=us1").content)
    parameters = {one[0].text: one[1].text for one in alert.iter("{*}parameter")}
    assert USGS in (parameters["terms"] or "")
    for path in ("/fdsnws/event/1/query?format=geojson&eventid=us1", "/earthquakes/feed/v1.0/detail/us1.geojson"):
        properties = get(consumer, path).json()["properties"]
        assert properties["agencies"] == ["INGV", "emsc", "us"]
    detail = get(consumer, "/api/v1/earthquakes/usgs:us1").json()
    assert [one.get("source") or one["agency"] for one in detail["terms"]] == ["emsc", "usgs", "INGV"]
    assert get(consumer, "/api/v1/terms?mode=actual").json()["agencies"] == ["ağency, “x”", "ingv", "us"]
    assert "jma" in get(consumer, "/api/v1/terms").json()["agencies"]


def test_feeds_name_them(consumer: Consumer) -> None:
    feed = feedparser.parse(get(consumer, "/feeds/atom?minmagnitude=6").content)
    assert USGS in feed.feed.rights
    metadata = get(consumer, "/earthquakes/feed/v1.0/summary/significant_hour.geojson").json()["metadata"]
    assert metadata["agencies"] == []
    assert "agencies" in get(consumer, "/earthquakes/feed/v1.0/summary/all_month.geojson").json()["metadata"]
    drill = get(consumer, "/earthquakes/feed/v1.0/summary/all_month.geojson?mode=exercise").json()["metadata"]
    assert drill["agencies"] == ["jma"]
    assert [one["source"] for one in drill["terms"]] == ["jma"]


def test_a_picture_names_them(consumer: Consumer) -> None:
    picture = Image.open(io.BytesIO(get(consumer, "/api/v1/earthquakes/usgs:us1/map.png").content))
    assert picture.size == (720, 480)
    assert isinstance(picture.info["Source"], str)
    assert USGS in picture.info["Copyright"]


def test_a_long_answer_names_all_that_the_catalogue_has(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 1)
    headers = get(consumer, "/fdsnws/event/1/query?format=text").headers
    named = headers["quakestream-agencies"]
    assert named.isascii()
    assert {"us", "ingv"} <= set(named.split(", "))
    assert "jma" not in named


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    said = Credits.of({"source": "somebody", "agency": None})
    assert said.document() == {"agencies": ["somebody"], "terms": [{"source": "somebody", "terms": UNKNOWN}]}
    assert "somebody: unknown" in said.line()
    assert Credits().line() == "Agencies: none. Terms: none."
    assert terms_of("INGV") is terms_of("ingv") is TERMS["ingv"]
    assert terms_of("NC") is TERMS["ncedc"]


def test_headers_are_ascii_and_bounded() -> None:
    events: list[dict[str, Any]] = [{"source": "x", "agency": f"é\r\nX-Evil: {n}, ;" * 20} for n in range(500)]
    headers = Credits.of(*events, {"source": "sed"}).headers("http://here")
    for value in headers.values():
        assert value.isascii()
        assert not re.search(r"[\r\n]", value)
        assert len(value) < 4 * 1024
    assert "title*=UTF-8''see%20its%20site" in headers["Link"]
