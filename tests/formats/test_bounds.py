"""What is unpacked, nested or without end costs no more than a bound, which is named; what came before it is kept."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import resource
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quakestream import formats
from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent
from tests.formats.reading import DATA
from tests.sizes import later, size, sized

MB = 1024 * 1024
MOST_MB = 400
"""More than a reader may take, whatever it is given."""
HEAD = b'<q:quakeml xmlns:q="http://quakeml.org/xmlns/quakeml/1.2" xmlns="http://quakeml.org/xmlns/bed/1.2">'
EVENT = (
    b'<event publicID="smi:a/%d"><origin publicID="o"><time><value>2020-01-01T00:00:00Z</value></time><latitude>'
    b"<value>1</value></latitude><longitude><value>2</value></longitude></origin>%s</event>"
)


class Endless(io.RawIOBase):
    """What parts make, without holding it."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = part
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def entries(parts: Iterable[bytes], form: str | None = None) -> Iterator[formats.Entry]:
    return formats.read(io.BufferedReader(Endless(parts)), mode="exercise", form=form)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def many(part: bytes, megabytes: int = 1000) -> Iterator[bytes]:
    block = part * (MB // len(part) + 1)
    return itertools.repeat(block, megabytes)


def refused(parts: Iterable[bytes], form: str | None = None) -> tuple[int, str]:
    """How many events came before, and what was said then; at no more cost than is allowed."""
    before_mb, count = peak_mb(), 0
    try:
        for entry in entries(parts, form):
            if isinstance(entry, EarthquakeEvent):
                count += 1
            else:
                return count, str(entry)
        raise AssertionError("all of it was read")
    except Rejected as error:
        return count, str(error)
    finally:
        assert peak_mb() - before_mb < MOST_MB


XML = {
    "beside events": (HEAD, b"<a/>"),
    "beside events, deep": (HEAD, b"<a><b><c/></b></a>"),
    "in an event": (HEAD + b'<eventParameters><event publicID="smi:a/1">', b"<a/>"),
    "in an origin": (HEAD + b'<eventParameters><event publicID="smi:a/1"><origin>', b"<a/>"),
    "between picks": (HEAD + b"<eventParameters><event>", b"<pick/><pick/><x>" + b"y" * 1000 + b"</x>"),
    "attributes": (HEAD + b"<a ", b""),
    "a text": (HEAD + b"<a>", b"x"),
    "nested": (HEAD, b"<a>"),
    "a comment": (HEAD + b"<!--", b"x"),
}


@pytest.mark.parametrize("kind", XML)
def test_quakeml_of_no_use_is_not_kept(kind: str) -> None:
    begin, part = XML[kind]
    names = (b'a%d=""\n' % n for n in itertools.count())
    parts = many(part) if part else (b"".join(itertools.islice(names, 10_000)) for _ in range(1000))
    count, why = refused(itertools.chain([begin], parts))
    assert count == 0
    assert why


def test_what_came_before_it_is_kept() -> None:
    events = (EVENT % (n, b"") for n in range(5))
    count, why = refused(itertools.chain([HEAD + b"<eventParameters>"], events, many(b"<a/>")))
    assert count == 5
    assert "100000 elements" in why


def test_much_that_is_of_use_is_read_and_memory_stays_flat() -> None:
    picks = b'<pick publicID="p"><time><value>2020-01-01T00:00:00Z</value></time></pick>' * 5000  # 0.4 MB
    events = itertools.chain([EVENT % (0, picks * 42)], (EVENT % (n, b"") for n in range(1, 4)))
    foreign = b"<x:other xmlns:x='y'>" + b"<x:z/>" * 9_000 + b"</x:other>"
    parts = itertools.chain(
        [HEAD + b"<eventParameters>"], (e + foreign for e in events), [b"</eventParameters></q:quakeml>"]
    )
    before_mb = peak_mb()
    assert sum(isinstance(entry, EarthquakeEvent) for entry in entries(parts)) == 4
    assert peak_mb() - before_mb < MOST_MB


JSON = {
    "objects": b"{},",
    "numbers": b"0,",
    "white space": b" ",
    "nested": b"[",
    "a text": b"x",
}


@pytest.mark.parametrize("form", ["geojson", *later("emsc")])
@pytest.mark.parametrize("kind", JSON)
def test_json_is_counted_before_anything_is_made_of_it(kind: str, form: str) -> None:
    begin = b'{"type":"FeatureCollection","features":[' + (b'"' if kind == "a text" else b"")
    for megabytes in (30, 1000):
        if megabytes == 30 and kind in ("white space", "a text"):
            continue
        _, why = refused(itertools.chain([begin], many(JSON[kind], megabytes)), form)
        assert "more than" in why


@pytest.mark.parametrize("form", ["csv", "text", "scedc"])
def test_a_line_without_end_is_refused(form: str) -> None:
    heads = {
        "csv": b"time,latitude,longitude,depth,mag,id\n",
        "text": b"#EventID|Time|Latitude|Longitude|Depth/km|Author|Catalog|Contributor|MagType|Magnitude\n",
        "scedc": b"#YYY/MM/DD\n",
    }
    _, why = refused(itertools.chain([heads[form]], many(b"x,")))
    assert "longer than" in why


@sized
def test_a_quoted_field_without_end_is_refused_and_the_file_ends() -> None:
    row = b"2020-01-01T00:00:00Z,1,2,3,4,a1\n"
    parts = [b"time,latitude,longitude,depth,mag,id\n", row, b'"', b"x\n" * size(20_000, 100_000)]
    found = list(entries(parts))
    assert isinstance(found[0], EarthquakeEvent)
    assert any(isinstance(entry, formats.Problem) for entry in found)


def test_gzip_in_an_answer_is_bounded() -> None:
    packed = gzip.compress(b"#EventID|Time|Latitude|Longitude|Magnitude\n" + b"\n" * 20 * MB)
    assert len(packed) < MB
    with pytest.raises(Rejected, match="unpacked"):
        list(formats.read(io.BytesIO(packed), mode="exercise", max_bytes=MB))


@pytest.mark.parametrize("name", ["usgs_feed_2014.geojson", "usgs_quakeml_nc72282711.xml", "scedc_2010.catalog"])
def test_what_agencies_write_is_far_within_the_bounds(name: str) -> None:
    data = Path(DATA / name).read_bytes()
    found = list(formats.read(io.BytesIO(gzip.compress(data)), mode="exercise"))
    assert any(isinstance(entry, EarthquakeEvent) for entry in found)
    if name.endswith("geojson"):
        assert json.loads(data)["features"]
