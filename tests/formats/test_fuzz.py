"""Each reader, given what is nearly right: it neither fails nor grows, and what has a place and a time comes out of it.

Short in `make test`, longer in `make test-long`. For a quarter of an hour:
`FUZZ_EXAMPLES=5000 .venv/bin/pytest tests/formats/test_fuzz.py`.
"""

from __future__ import annotations

import io
import json
import math
import os
import tracemalloc
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent
from quakestream.formats import Entry, Note, Problem, Withdrawal, read
from tests.formats.reading import DATA
from tests.formats.test_agencies import AT_MS, HEADING, ROW, SCEDC, collection, csv, emsc, feature, quake, text
from tests.sizes import size, sized

EXAMPLES: Final = int(os.environ.get("FUZZ_EXAMPLES", size(25, 400)))
MOST_BYTES: Final = 256 * 1024 * 1024
SEEDS: Final[dict[str, bytes]] = {
    "geojson": collection(feature(), feature(ids=",a,b,")).encode(),
    "emsc": emsc().encode(),
    "quakeml": quake("<description><text>A &amp; B</text></description>").encode(),
    "text": (text() + ROW.replace("abc1", "abc2") + "\n").encode(),
    "csv": csv().encode(),
    "scedc": SCEDC.format(magnitude="1.0", depth="2.0").encode() * 2,
    "geojsonseq": (DATA / "imports/sequence.geojsonl").read_bytes(),
    "isf": (DATA / "imports/bulletin.isf").read_bytes(),
    "ndk": (DATA / "imports/centroids.ndk").read_bytes(),
    "table": (DATA / "imports/points.csv")
    .read_bytes()
    .replace(b"Datum;Uhrzeit;Breite;L\xc3\xa4nge", b"date;time;lat;lon"),
    "zmap": (DATA / "imports/places.zmap").read_bytes(),
    "earthquakes": json.dumps(
        {
            "id": "a",
            "magnitude": 1.0,
            "location": {"latitude": 1.0, "longitude": 2.0},
            "timestamp": AT_MS,
            "source": "x",
        }
    ).encode()
    + b"\n",
}
NAMELESS: Final = ("isf", "table", "zmap")
"""They do not say whose reports they have."""
PIECES: Final = st.sampled_from(
    [
        b"NaN",
        b"null",
        b'"',
        b"|",
        b",",
        b"\n",
        b"\r",
        b"<",
        b">",
        b"&",
        b"{}",
        b"[]",
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"1e999",
        b"-",
        b"#",
        b"0",
        b"9" * 40,
        b"<event>",
        b"</event>",
        b"<!--",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"T",
        b":60",
    ]
)
CHANGE: Final = st.tuples(st.floats(0, 1), st.integers(0, 12), PIECES | st.binary(max_size=6))


def changed(data: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    for where, removed, put in changes:
        at = math.floor(where * len(data))
        data = data[:at] + put + data[at + removed :]
    return data


def read_all(data: bytes, form: str | None) -> list[Entry]:
    try:
        source = "x" if form in NAMELESS else None
        return list(read(io.BytesIO(data), mode="exercise", now_ms=AT_MS, form=form, redate=True, source=source))
    except Rejected:
        return []


@sized
@pytest.mark.parametrize("form", SEEDS)
def test_what_is_nearly_right_neither_fails_nor_grows(form: str) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(CHANGE, min_size=1, max_size=6), st.sampled_from([form, None]))
    def test(changes: list[tuple[float, int, bytes]], named: str | None) -> None:
        for entry in read_all(changed(SEEDS[form], changes), named):
            assert isinstance(entry, EarthquakeEvent | Problem | Note | Withdrawal)
            assert isinstance(entry, EarthquakeEvent) or str(entry)
            if isinstance(entry, EarthquakeEvent):
                assert all(not isinstance(v, float) or math.isfinite(v) for v in entry.document().values())

    tracemalloc.start()
    try:
        test()
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


VALUES: Final = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just([]) | st.just({})
)


def _json(make: Callable[..., Any], keep: set[str]) -> st.SearchStrategy[bytes]:
    names = sorted(json.loads(make())["features"][0]["properties"].keys() - keep)
    return st.dictionaries(st.sampled_from(names), VALUES).map(lambda given: make(**given).encode())


FIELD: Final = st.text(
    st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp"), blacklist_characters='|,"<&#'), max_size=12
)


def _text(fields: list[str]) -> bytes:
    start = ROW.split("|")[:4]
    return f"{HEADING}\n{'|'.join([*start, *fields])}\n".encode()


PLACED: Final[dict[str, st.SearchStrategy[bytes]]] = {
    "geojson": _json(lambda **given: collection(feature(**given)), {"time", "status", "type"}),
    "emsc": _json(emsc, {"unid", "time", "lat", "lon", "evtype"}),
    "text": st.lists(FIELD, max_size=9).map(_text),
    "csv": st.dictionaries(
        st.sampled_from(["depth", "mag", "magType", "nst", "gap", "rms", "place", "net"]), FIELD
    ).map(lambda given: csv(**given).encode()),
    "quakeml": st.tuples(FIELD, FIELD, FIELD).map(
        lambda one: quake(
            f"<description><text>{one[0]}</text></description>", magnitude=one[1] or "x", depth=one[2] or "x"
        ).encode()
    ),
}


@sized
@pytest.mark.parametrize("form", PLACED)
def test_what_has_an_id_a_place_and_a_time_is_published(form: str) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(PLACED[form])
    def test(data: bytes) -> None:
        found = read_all(data, form)
        assert sum(isinstance(entry, EarthquakeEvent) for entry in found) == 1, (data, found)
        assert not any(isinstance(entry, Problem) for entry in found)

    test()
