"""What EarthScope's FetchEvent and crotwell's fdsn-service-check ask and rely on, each as a test of our own."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import httpx
import pytest
from lxml import etree

from quakestream.api import fdsn
from quakestream.catalog.sqlite import SqliteCatalog
from tests.api.serving import Consumer
from tests.contracts.catalog import TIME_MS, event, shock

CLIENT: Final = httpx.Client(trust_env=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0))
PAGE: Final = {"Origin": "https://crotwell.github.io"}
BED: Final = "{http://quakeml.org/xmlns/bed/1.2}"
LATE: Final = "starttime=2023-11-14T18:30:00&endtime=2023-11-14T20:30:00.123"


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder = tmp_path_factory.mktemp("checkers")
    with (
        contextlib.closing(SqliteCatalog(folder / "c.sqlite3")) as catalog,
        Consumer(catalog, folder, cors_origins="*") as one,
    ):
        one.writer.write(
            shock("nn1", agency="nn", magnitude=4.0, timestamp=TIME_MS + 900),
            shock(
                "us1",
                agency="us",
                magnitude=4.2,
                magnitudeType="mww",
                ids=["nn1"],
                status="reviewed",
                place="Nevada & more",
            ),
            event("plain", magnitude=5.0, source="emsc"),
        )
        yield one


def get(consumer: Consumer, path: str, **headers: str) -> httpx.Response:
    return CLIENT.get(f"{consumer.url}/fdsnws/event/1/{path}", headers=PAGE | headers)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("version", 200),
        ("catalogs", 200),
        ("contributors", 200),
        ("application.wadl", 200),
        ("", 200),
        (f"query?{LATE}", 200),
        (f"query?{LATE}&minmag=99", 400),
        (f"query?{LATE}&minmag=9.9", 204),
        (f"query?{LATE}&minmag=9.9&nodata=404", 404),
        ("query?colour=red", 400),
        ("query?limit=1&limit=2", 400),
        (f"query?eventid={'a' * 9000}", 414),
        ("count", 200),
        ("elsewhere", 404),
    ],
)
def test_a_page_of_another_site_reads_every_answer(consumer: Consumer, path: str, status: int) -> None:
    answer = get(consumer, path, Accept="application/xml")
    if "minmag=99" in path:  # more than any magnitude: either nothing matches, or it says why not
        assert answer.status_code in {204, 400}
    else:
        assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = answer.headers["access-control-expose-headers"]
    assert {"Quakestream-Seq", "Link", "Quakestream-Agencies"} <= set(exposed.split(", "))
    head = CLIENT.head(f"{consumer.url}/fdsnws/event/1/{path}", headers=PAGE)
    assert head.status_code == answer.status_code
    assert head.headers["access-control-allow-origin"] == "*"


def test_a_page_of_another_site_reads_413_and_304(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = get(consumer, "query").headers["etag"]
    known = get(consumer, "query", **{"If-None-Match": tag})
    assert (known.status_code, known.headers["access-control-allow-origin"]) == (304, "*")
    monkeypatch.setattr(fdsn, "MAX_EVENTS", 1)
    large = get(consumer, "query?minmagnitude=0.5")
    assert (large.status_code, large.headers["access-control-allow-origin"]) == (413, "*")


@pytest.mark.parametrize("path", ["query", "count", "version", "catalogs", "contributors", "application.wadl"])
def test_a_browser_that_asks_first_may(consumer: Consumer, path: str) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-requested-with"}
    answer = CLIENT.options(f"{consumer.url}/fdsnws/event/1/{path}", headers=PAGE | asked)
    assert answer.status_code in {200, 204}
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "GET" in answer.headers["access-control-allow-methods"]


def test_the_version_is_three_numbers_in_plain_text(consumer: Consumer) -> None:
    answer = get(consumer, "version")
    assert answer.headers["content-type"].startswith("text/plain")
    assert [part.isdigit() for part in answer.text.strip().split(".")] == [True] * 3
    assert answer.text.startswith("1.2")


def test_lists_of_catalogs_and_contributors_are_xml(consumer: Consumer) -> None:
    for path, root, name, found in (
        ("catalogs", "Catalogs", "Catalog", ["emsc", "usgs"]),
        ("contributors", "Contributors", "Contributor", ["emsc", "nn", "us"]),
    ):
        answer = get(consumer, path)
        assert answer.headers["content-type"].startswith("application/xml")
        document = etree.fromstring(answer.content)
        assert document.tag == root
        values = [one.text for one in document.findall(name)]
        assert values == found
        for value in values:
            if value == "nn":  # its report does not speak for the earthquake
                continue
            assert get(consumer, f"query?{name.lower()}={quote(value or '')}&nodata=404").status_code == 200


def test_the_description_is_well_formed_wadl(consumer: Consumer) -> None:
    document = etree.fromstring(get(consumer, "application.wadl").content)
    assert document.tag == "{http://wadl.dev.java.net/2009/02}application"
    base = document.find("{*}resources")
    assert base is not None
    assert base.get("base") == f"{consumer.url}/fdsnws/event/1/"
    paths = {one.get("path") for one in document.iter("{*}resource")}
    assert {"query", "count", "version", "catalogs", "contributors", "application.wadl"} <= paths


@pytest.mark.parametrize(
    "query",
    [
        LATE,
        LATE.replace("00&", "00Z&") + "Z",
        "starttime=2023-11-14T18:30:00.000&endtime=2023-11-14T20:30:00.000",
        "starttime=2023-11-14&endtime=2023-11-15",
        f"{LATE}&minlat=-90&maxlat=90&minlon=-180&maxlon=180",
        f"{LATE}&orderby=time&includeallorigins=true&includeallmagnitudes=true",
        f"{LATE}&lat=38&lon=-119&maxradius=5&minradius=0",
        f"{LATE}&limit=10&offset=1&mindepth=-10&maxdepth=700",
    ],
)
def test_times_with_and_without_z_and_parts_of_seconds(consumer: Consumer, query: str) -> None:
    document = etree.fromstring(get(consumer, f"query?{query}").content)
    times = [one.text or "" for one in document.iterfind(f".//{BED}origin/{BED}time/{BED}value")]
    assert times
    assert all(time.endswith("Z") for time in times)


def test_across_180_degrees_is_no_bad_request(consumer: Consumer) -> None:
    query = "starttime=2017-01-01T12:34:56.789&endtime=2017-01-05T00:00:00.000"
    assert get(consumer, f"query?{query}&minlat=-20&maxlat=20&minlon=170&maxlon=-170").status_code == 204


@pytest.mark.parametrize("escaped", [1, 2])
def test_a_public_id_is_an_eventid_also_escaped_twice(consumer: Consumer, escaped: int) -> None:
    (first, *_) = etree.fromstring(get(consumer, f"query?{LATE}&minmag=4.2&maxmag=4.2").content).iter(f"{BED}event")
    public_id = str(first.get("publicID"))
    name = public_id
    for _ in range(escaped):
        name = quote(name, safe="")
    (again,) = etree.fromstring(get(consumer, f"query?eventid={name}").content).iter(f"{BED}event")
    assert again.get("publicID") == public_id
    # what follows the last slash is how FetchEvent shows it, and asks for it
    short = public_id.rpartition("/")[2]
    assert get(consumer, f"query?orderby=time&eventid={short}").status_code == 200
    assert get(consumer, f"query?eventid={quote('100%25', safe='')}&nodata=404").status_code == 404


def test_fetchevent_finds_what_it_prints(consumer: Consumer) -> None:
    """It reads elements by their names without a prefix, appends all descriptions, and prints `author`."""
    query = f"query?orderby=time&{LATE}&minmag=4.2&maxmag=4.2&includeallorigins=true&includeallmagnitudes=true"
    answer = get(consumer, query)
    (one,) = etree.fromstring(answer.content).iter(f"{BED}event")
    assert b"<event " in answer.content
    assert b"<origin " in answer.content
    assert b"<magnitude " in answer.content
    assert "".join(text.text or "" for text in one.iterfind(f"{BED}description/{BED}text")) == "Nevada & more"
    origins = {origin.get("publicID"): origin for origin in one.iter(f"{BED}origin")}
    magnitudes = {magnitude.get("publicID"): magnitude for magnitude in one.iter(f"{BED}magnitude")}
    assert (len(origins), len(magnitudes)) == (2, 2)
    best = origins[one.findtext(f"{BED}preferredOriginID")]
    largest = magnitudes[one.findtext(f"{BED}preferredMagnitudeID")]
    assert best.findtext(f"{BED}creationInfo/{BED}author") == "us"
    assert largest.findtext(f"{BED}creationInfo/{BED}author") == "us"
    assert (largest.findtext(f"{BED}type"), largest.findtext(f"{BED}mag/{BED}value")) == ("mww", "4.2")
    assert float(best.findtext(f"{BED}depth/{BED}value") or "nan") == 12_000


def test_fetchevent_unpacks_gzip_piece_by_piece(consumer: Consumer) -> None:
    url = f"{consumer.url}/fdsnws/event/1/query?orderby=magnitude"
    with CLIENT.stream("GET", url, headers={"Accept-Encoding": "gzip", "TE": "deflate,gzip;q=0.3"}) as answer:
        inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        text = b"".join(inflater.decompress(part) for part in answer.iter_raw(64))
    assert answer.headers["content-encoding"] == "gzip"
    assert inflater.eof
    assert etree.fromstring(text).tag.endswith("quakeml")


def test_what_fetchevent_prints_of_an_error_says_what_to_do(consumer: Consumer) -> None:
    answer = get(consumer, "query?orderby=time&originid=4711")
    assert answer.status_code == 400
    assert "originid" in answer.text
    assert f"{consumer.url}/fdsnws/event/1/" in answer.text
