"""Each reader, given what is nearly right, as long as one likes: it does not fail, hang or grow, and loses nothing.

    .venv/bin/python -m tests.formats.fuzz [--minutes 10] [--seed N] [reader …]

`test_fuzz.py` does the same for a moment. What breaks a promise is written to a file and named with its seed.

- Whatever the bytes, a reader yields entries or says `Rejected`; each says why, and its numbers are finite.
- What is refused is a document of its own, which the same reader takes again and refuses again, or reads.
- Of a document that can be taken apart otherwise (JSON), every item is accounted for: published, withdrawn, refused
  with a reason, or, of the JMA's, said to have no place.
- What has an id, a place and a time is published, whatever stands beside them.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, iso_time
from quakestream.formats import Entry, Note, Problem, Withdrawal, read
from quakestream.formats.mapping import FeedMapping
from quakestream.formats.writing.parquet import ParquetWriter
from tests.formats.reading import DATA
from tests.formats.test_agencies import AT_MS, HEADING, ROW, SCEDC, collection, csv, emsc, feature, quake, text
from tests.formats.test_jma import alone, bulletin

MOST_BYTES: Final = 1024**3
"""Of address space beyond what the program has when it begins."""
LONGEST_S: Final = 5.0
"""Of processor, for one document of some kB."""
AT_ONCE: Final = 500
NAMELESS: Final = ("isf", "table", "zmap")
"""They do not say whose reports they have."""
AT: Final = iso_time(AT_MS)

Items = Callable[[Any], list[Any] | None]


@dataclass(frozen=True)
class Reader:
    """One reader, a document that it reads, and how it may be varied."""

    form: str
    seed: bytes
    placed: st.SearchStrategy[bytes] | None = None
    """Documents of one report with an id, a place and a time, and anything else beside them."""
    mapping: FeedMapping | None = None
    items: Items | None = None
    """The items of a JSON document; None: it is none that has any."""

    def read(self, data: bytes, form: str | None = "") -> list[Entry]:
        """All entries; none of what is not of the format."""
        named = self.form if form == "" else form
        source = "x" if named in NAMELESS else None
        mapping = self.mapping if named == "feed" else None
        stream = io.BytesIO(data)
        try:
            found = read(stream, mode="exercise", now_ms=AT_MS, form=named, redate=True, source=source, mapping=mapping)
            return list(found)
        except Rejected:
            return []


VALUES: Final = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just([]) | st.just({})
)
FIELD: Final = st.text(
    st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp"), blacklist_characters='|,"<&#'), max_size=12
)


def _beside(make: Callable[..., str], names: list[str]) -> st.SearchStrategy[bytes]:
    return st.dictionaries(st.sampled_from(names), VALUES).map(lambda said: make(**said).encode())


def _properties(make: Callable[..., str], keep: set[str]) -> st.SearchStrategy[bytes]:
    return _beside(make, sorted(json.loads(make())["features"][0]["properties"].keys() - keep))


def _text(fields: list[str]) -> bytes:
    start = ROW.split("|")[:4]
    return f"{HEADING}\n{'|'.join([*start, *fields])}\n".encode()


def _stream_event(**given: Any) -> str:
    place = {"latitude": 1.0, "longitude": 2.0}
    document = {"id": "a", "magnitude": 1.0, "location": place, "timestamp": AT_MS, "source": "x", "place": "X"}
    return json.dumps(document | given) + "\n"


JAPAN: Final = {"at": AT, "ctt": "", "rdt": None}


def _bulletins(**given: Any) -> str:
    return json.dumps([bulletin(**JAPAN | given)])


FEED_FIELDS: Final = {
    "id": "id",
    "time": "t",
    "latitude": "lat",
    "longitude": "lon",
    "magnitude": "m",
    "updated": "u",
    "depth": {"path": "z", "unit": "m"},
    "place": {"path": "p", "pattern": "near (.*)"},
    "status": {"path": "s", "words": {"gone": "deleted"}},
}
FEED: Final = {
    "id": "a",
    "t": AT,
    "lat": 1.0,
    "lon": 2.0,
    "z": 10_000,
    "m": "3,1",
    "p": "near X",
    "s": "reviewed",
    "u": AT,
}


def _mapping(form: str, **more: Any) -> FeedMapping:
    return FeedMapping.model_validate({"format": form, "fields": FEED_FIELDS | more})


def _feed(**given: Any) -> str:
    return json.dumps([FEED | given])


def _feed_xml(root: str, name: str, **given: str) -> str:
    inner = "".join(f"<{key}>{value}</{key}>" for key, value in ({k: str(v) for k, v in FEED.items()} | given).items())
    return f"<?xml version='1.0'?><{root}><{name} k='v'>{inner}</{name}></{root}>"


def _xml_beside(root: str, name: str) -> st.SearchStrategy[bytes]:
    fields = st.dictionaries(st.sampled_from(["z", "m", "p", "u"]), FIELD.map(lambda value: value.replace(">", "")))
    return fields.map(lambda said: _feed_xml(root, name, **said).encode())


def _features(document: Any) -> list[Any] | None:
    if not isinstance(document, dict):
        return None
    if document.get("type") == "Feature":
        return [document]
    features = document.get("features")
    return features if document.get("type") == "FeatureCollection" and isinstance(features, list) else None


def _list(document: Any) -> list[Any] | None:
    return document if isinstance(document, list) else [document] if isinstance(document, dict) else None


def _list_alone(document: Any) -> list[Any] | None:
    return document if isinstance(document, list) else None


def _parquet() -> bytes:
    event = {"id": "eq_1", "preferred": "x:a", "source": "x", "location": {"latitude": 1.0, "longitude": 2.0}}
    event |= {"magnitude": 3.0, "timestamp": AT_MS, "mode": "exercise", "status": "automatic", "type": "earthquake"}
    writer = ParquetWriter({})
    return b"".join([writer.begin(), writer.write(event | {"theirs": 1}), writer.write(event), writer.end()])


READERS: Final[dict[str, Reader]] = {
    "parquet": Reader("parquet", _parquet()),
    "geojson": Reader(
        "geojson",
        collection(feature(), feature(ids=",a,b,")).encode(),
        _properties(lambda **given: collection(feature(**given)), {"time", "status", "type"}),
        items=_features,
    ),
    "emsc": Reader(
        "emsc", emsc().encode(), _properties(emsc, {"unid", "time", "lat", "lon", "evtype"}), items=_features
    ),
    "quakeml": Reader(
        "quakeml",
        quake("<description><text>A &amp; B</text></description>").encode(),
        st.tuples(FIELD, FIELD, FIELD).map(
            lambda one: quake(
                f"<description><text>{one[0]}</text></description>", magnitude=one[1] or "x", depth=one[2] or "x"
            ).encode()
        ),
    ),
    "text": Reader(
        "text", (text() + ROW.replace("abc1", "abc2") + "\n").encode(), st.lists(FIELD, max_size=9).map(_text)
    ),
    "csv": Reader(
        "csv",
        csv().encode(),
        st.dictionaries(st.sampled_from(["depth", "mag", "magType", "nst", "gap", "rms", "place", "net"]), FIELD).map(
            lambda said: csv(**said).encode()
        ),
    ),
    "scedc": Reader("scedc", SCEDC.format(magnitude="1.0", depth="2.0").encode() * 2),
    "geojsonseq": Reader("geojsonseq", (DATA / "imports/sequence.geojsonl").read_bytes()),
    "isf": Reader("isf", (DATA / "imports/bulletin.isf").read_bytes()),
    "ndk": Reader("ndk", (DATA / "imports/centroids.ndk").read_bytes()),
    "table": Reader(
        "table",
        (DATA / "imports/points.csv").read_bytes().replace(b"Datum;Uhrzeit;Breite;L\xc3\xa4nge", b"date;time;lat;lon"),
    ),
    "zmap": Reader("zmap", (DATA / "imports/places.zmap").read_bytes()),
    "earthquakes": Reader(
        "earthquakes", _stream_event().encode(), _beside(_stream_event, ["magnitude", "place", "updated", "url", "nst"])
    ),
    "jma": Reader(
        "jma",
        json.dumps([bulletin(**JAPAN), alone(**JAPAN, eid="2"), bulletin(**JAPAN, ift="取消", cod="")]).encode(),
        _beside(_bulletins, ["anm", "acd", "mag", "maxi", "int", "json", "ser", "rdt", "ctt", "en_anm", "en_ttl"]),
        items=_list_alone,
    ),
    "feed-json": Reader(
        "feed", json.dumps([FEED, FEED]).encode(), _beside(_feed, ["z", "m", "p", "u"]), _mapping("json"), items=_list
    ),
    "feed-geojson": Reader(
        "feed",
        json.dumps({"type": "FeatureCollection", "features": [FEED, FEED]}).encode(),
        mapping=_mapping("geojson"),
        items=_features,
    ),
    "feed-atom": Reader(
        "feed", _feed_xml("feed", "entry").encode(), _xml_beside("feed", "entry"), _mapping("atom", type="@k")
    ),
    "feed-rss": Reader("feed", _feed_xml("rss", "item").encode(), _xml_beside("rss", "item"), _mapping("rss")),
}
PIECES: Final = (
    *(b"NaN", b"null", b'"', b"|", b",", b";", b"\n", b"\r", b"<", b">", b"&", b"{}", b"[]", b"\x00", b"\xff"),
    *(b"\xef\xbb\xbf", b"1e999", b"-", b"#", b"0", b"9" * 40, b"<event>", b"</event>", b"<!--", b"\xed\xa0\x80"),
    *(b"\\ud800", b"T", b":60", b"true", b"[[", b"{{", b"<!DOCTYPE x [", b"&x;", b"]]>", b"<![CDATA[", b"\x1f\x8b"),
    *(b"\xff\xfe", b"+", b".", b"\xc2\xa0", "１".encode(), b"1e-400", b"-0.0", b"24:00", b"2024-02-30"),
)
ODD: Final[tuple[Any, ...]] = (
    *(None, True, 0, -1, 1.5, 1e300, -1e-300, 10**30, "", "x", "NaN", "-9999", "１", "\x00", "\ud800", [], {}, [[]]),
    *("9" * 40, "a" * 5000, ["x"] * 50, {"a": {"a": {}}}, AT_MS, AT, "deleted", "not existing", 90.0001, -180.5),
)


def mutated(rng: random.Random, data: bytes) -> bytes:
    """A document that is nearly the same: bytes are put in the place of others, or values of JSON changed."""
    if rng.random() < 0.4:
        try:
            document = json.loads(data)
        except ValueError:
            pass
        else:
            for _ in range(rng.randint(1, 4)):
                document = _changed(rng, document)
            data = json.dumps(document).encode("utf-8", "surrogatepass")
            if rng.random() < 0.7:
                return data
    for _ in range(rng.randint(1, 6)):
        at, cut = rng.randint(0, len(data)), rng.choice((0, 1, 1, 2, 5, 12, 40))
        piece = rng.choice(PIECES) if rng.random() < 0.7 else rng.randbytes(rng.randint(0, 6))
        if rng.random() < 0.1:  # a part of it again
            piece = data[at : at + rng.randint(1, 200)] * rng.choice((1, 2, 30))
        data = data[:at] + piece + data[at + cut :]
    return data[: rng.randint(0, len(data))] if rng.random() < 0.05 else data


def _changed(rng: random.Random, value: Any) -> Any:
    """One value within it is another."""
    if isinstance(value, dict) and value and rng.random() < 0.95:
        name = rng.choice(list(value))
        if rng.random() < 0.1:
            return {key: one for key, one in value.items() if key != name}
        return value | {name: _changed(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.95:
        place = rng.randrange(len(value))
        return [*value[:place], _changed(rng, value[place]), *value[place + 1 :]]
    return rng.choice(ODD)


def check(reader: Reader, data: bytes, form: str | None = "") -> None:
    """Whether what a reader makes of these bytes keeps its promises.

    Raises:
        AssertionError: it does not.
    """
    began = time.process_time()
    found = reader.read(data, form)
    assert time.process_time() - began < LONGEST_S, "it takes too long"
    for entry in found:
        assert isinstance(entry, EarthquakeEvent | Problem | Note | Withdrawal)
        if isinstance(entry, EarthquakeEvent):
            assert all(not isinstance(v, float) or math.isfinite(v) for v in entry.document().values()), entry
        else:
            assert str(entry).strip(), "it says nothing"
        if isinstance(entry, Problem) and entry.raw.strip(b"\xef\xbb\xbf \r\n\t") and form == "":
            again = reader.read(entry.raw)
            assert again, ("what was refused is not taken again", entry)
    if reader.items is not None and form == "":
        _all_accounted_for(reader.items, data, found)


def _all_accounted_for(items: Items, data: bytes, found: list[Entry]) -> None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    expected = items(document)
    if expected is None:
        return
    told = sum(not isinstance(entry, Note) for entry in found)
    alone = sum(isinstance(entry, Note) and "without a place" in entry.reason for entry in found)
    siblings = sum(isinstance(one, dict) and not one.get("cod") and "eid" in one for one in expected)
    assert told + alone + siblings >= len(expected), (expected, found)


def check_placed(reader: Reader, data: bytes) -> None:
    """Whether the one report in it, with its id, place and time, is published.

    Raises:
        AssertionError: it is not.
    """
    found = reader.read(data)
    assert sum(isinstance(entry, EarthquakeEvent) for entry in found) == 1, (data, found)
    assert not any(isinstance(entry, Problem) for entry in found), (data, found)


def _placed(reader: Reader, seed: int, number: int) -> None:
    if reader.placed is None:
        return

    @hypothesis.seed(seed)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(reader.placed)
    def test(data: bytes) -> None:
        check_placed(reader, data)

    test()


def fuzz(name: str, minutes: float, seed: int) -> int:
    """Fuzz one reader; how many documents it was given.

    Raises:
        AssertionError, Exception: it broke a promise; the document stands in a file that the message names.
    """
    reader = READERS[name]
    ends_s = time.monotonic() + 60 * minutes
    number = 0
    while time.monotonic() < ends_s:
        _placed(reader, seed + number, 100)
        for _ in range(AT_ONCE):
            rng = random.Random(seed + number)
            number += 1
            data = mutated(rng, reader.seed)
            form = rng.choice(("", "", "", None)) if reader.form != "feed" else ""
            try:
                check(reader, data, form)
            except BaseException as error:
                kept = Path(tempfile.gettempdir()) / f"fuzz-{name}-{seed + number - 1}"
                kept.write_bytes(data)
                error.add_note(f"{name}, seed {seed + number - 1}, form {form!r}: the document is {kept}")
                raise
    return number


def main() -> int:
    """Fuzz each of the readers that are named; 1 where one broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.formats.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("readers", nargs="*", choices=[*READERS, []], metavar="reader", help=", ".join(READERS))
    given_ = parser.parse_args()
    for name in READERS:
        READERS[name].read(READERS[name].seed)  # everything is loaded
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST_BYTES, hard))
    for name in given_.readers or READERS:
        try:
            number = fuzz(name, given_.minutes, given_.seed)
        except Exception as error:  # noqa: BLE001 - whatever it is, that is what is looked for
            notes = getattr(error, "__notes__", [])
            print(f"FAILS  {name}: {type(error).__name__}: {str(error)[:2000]}", *notes, sep="\n  ")
            return 1
        most_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"holds  {name}  {number} documents  at most {most_mb} MB", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
