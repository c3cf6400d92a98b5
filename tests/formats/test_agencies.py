"""What agencies have been reported to write, and readers of others to fall over: a report is not lost for it.

The files in `tests/data/agencies` are made by hand after public reports; none is a recording.
"""

from __future__ import annotations

import codecs
import io
import itertools
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from quakestream.event import EarthquakeEvent, iso_time
from quakestream.formats import Entry, Note, Problem, Withdrawal, read
from quakestream.formats.charset import charset_of
from quakestream.formats.fields import epoch_ms
from tests.formats.reading import DATA, entries
from tests.sizes import size

CASES = DATA / "agencies"
HEADING = (
    "#EventID|Time|Latitude|Longitude|Depth/km|Author|Catalog|Contributor|ContributorID|MagType|Magnitude|MagAuthor"
    "|EventLocationName"
)
ROW = "2024abc1|2024-03-05T01:02:03.5|10.5|20.5|12.0|AA|CAT|CON|1|ML|4.2|AA|SOMEWHERE NEAR A COAST"
AT_MS = 1_709_600_523_500


def everything(data: bytes | str, **options: Any) -> list[Entry]:
    data = data.encode() if isinstance(data, str) else data
    return list(read(io.BytesIO(data), **{"mode": "exercise"} | options))


def one(data: bytes | str, **options: Any) -> tuple[EarthquakeEvent, list[str]]:
    """The only event, and what was left out of it."""
    found = everything(data, **options)
    [event] = [entry for entry in found if isinstance(entry, EarthquakeEvent)]
    notes = [str(entry) for entry in found if isinstance(entry, Note)]
    assert len(found) == 1 + len(notes), found
    return event, notes


def text(row: str = ROW, heading: str = HEADING) -> str:
    return f"{heading}\n{row}\n"


# --- a value beside id, place and time -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count", "unread"),
    [
        ("g02_nan.geojson", 4, 3),
        ("q15_mag_nan.xml", 1, 1),
        ("q16_depthunc_inf.xml", 1, 1),
        ("q18_rms_empty_etc.xml", 1, 1),
    ],
)
def test_a_secondary_value_that_can_not_be_read_is_null_and_said(name: str, count: int, unread: int) -> None:
    found = everything((CASES / name).read_bytes())
    events = [entry for entry in found if isinstance(entry, EarthquakeEvent)]
    notes = [entry for entry in found if isinstance(entry, Note)]
    assert (len(events), len(notes), len(found)) == (count, unread, count + unread)
    assert all(event.rms is None or event.rms == 0.5 for event in events)


def feature(**properties: Any) -> dict[str, Any]:
    given = {"mag": 4.2, "place": "X", "time": AT_MS, "updated": AT_MS, "status": "automatic", "ids": ",nn1,"}
    given |= {"net": "xx", "type": "earthquake", "magType": "ml", "nst": 5, "rms": 0.5, "sig": 100, "url": "http://x"}
    point = {"type": "Point", "coordinates": [20.5, 10.5, 12.0]}
    return {"type": "Feature", "id": "nn1", "properties": given | properties, "geometry": point}


def collection(*features: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def emsc(**properties: Any) -> str:
    given = {"unid": "20240305_1", "time": "2024-03-05T01:02:03.5Z", "lat": 10.5, "lon": 20.5, "depth": 12.0}
    given |= {"mag": 4.2, "magtype": "ml", "evtype": "ke", "auth": "AA", "flynn_region": "X"}
    given |= {"lastupdate": "2024-03-05T01:02:03.5Z"}
    return collection({"type": "Feature", "properties": given | properties})


def quake(
    inside: str = "",
    *,
    magnitude: str = "4.2",
    depth: str = "12000",
    quality: str = "",
    public_id: str = "smi:x/2024a1",
) -> str:
    space = "http://quakeml.org/xmlns"
    return f"""<q:quakeml xmlns:q="{space}/quakeml/1.2" xmlns="{space}/bed/1.2"><eventParameters publicID="smi:x/y">
<event publicID="{public_id}">{inside}<origin publicID="smi:x/o"><time><value>2024-03-05T01:02:03.5Z</value></time>
<latitude><value>10.5</value></latitude><longitude><value>20.5</value></longitude><depth><value>{depth}</value></depth>
{quality}</origin><magnitude publicID="smi:x/m"><mag><value>{magnitude}</value></mag></magnitude></event>
</eventParameters></q:quakeml>"""


COLUMNS = "time,latitude,longitude,depth,mag,magType,nst,gap,dmin,rms,net,id,updated,place,type,status"


def csv(**fields: str) -> str:
    given = {"time": "2024-03-05T01:02:03.5Z", "latitude": "10.5", "longitude": "20.5", "depth": "12", "mag": "4.2"}
    given |= {"id": "nn1", "type": "earthquake", "status": "automatic"} | fields
    return f"{COLUMNS}\n{','.join(given.get(name, '') for name in COLUMNS.split(','))}\n"


SCEDC = "2024/03/05 01:02:03.50 eq  l {magnitude} l    10.5 20.5   {depth} A 14566836   26  402\n"
NASTY: Any = st.sampled_from(
    ["NaN", "nan", "inf", "-Infinity", "1e999", "x", "-", "?", "1;2", "*****", "\u0661", "1_0", "0x1F", "12..5", "--"]
)


@settings(max_examples=size(15, 300), deadline=None)
@given(
    nasty=NASTY
    | st.text(
        st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp"), blacklist_characters='|,"<&'),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_stands_in_a_secondary_field_of_any_format_the_report_is_kept(nasty: str) -> None:
    shapes = [
        *(text(ROW.replace(field, f"|{nasty}|", 1)) for field in ("|12.0|", "|4.2|", "|ML|", "|CON|")),
        *(collection(feature(**{name: nasty})) for name in feature()["properties"] if name != "time"),
        *(emsc(**{name: nasty}) for name in ("mag", "depth", "magtype", "evtype", "auth", "lastupdate")),
        *(csv(**{name: nasty}) for name in ("depth", "mag", "nst", "gap", "rms", "updated", "status", "type")),
        quake(magnitude=nasty),
        quake(depth=nasty),
        quake(quality=f"<quality><standardError>{nasty}</standardError></quality>"),
        quake(f"<creationInfo><creationTime>{nasty}</creationTime></creationInfo>"),
        quake(f"<type>{nasty}</type>"),
    ]
    if nasty.isascii() and " " not in nasty:
        shapes += [SCEDC.format(magnitude=nasty, depth="1.0"), SCEDC.format(magnitude="1.0", depth=nasty)]
    for shape in shapes:
        found = everything(shape, now_ms=AT_MS + 10**9)
        events = [entry for entry in found if isinstance(entry, EarthquakeEvent)]
        assert len(events) == 1, (shape, found)
        assert (events[0].location.latitude, events[0].location.longitude) == (10.5, 20.5)
        assert events[0].timestamp_ms == AT_MS


@settings(max_examples=size(15, 300), deadline=None)
@given(
    name=st.sampled_from([name for name in feature()["properties"] if name != "time"] + ["depth"]),
    value=st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=2), st.none(), max_size=2),
)  # fmt: skip
@example("mag", 99.0)
@example("depth", -9999.0)
@example("ids", ["a", 5])
def test_whatever_stands_in_a_feature_beside_id_place_and_time_it_is_kept(name: str, value: Any) -> None:
    told = feature() if name == "depth" else feature(**{name: value})
    if name == "depth":
        told["geometry"]["coordinates"][2] = value
    found = everything(collection(told), now_ms=AT_MS, redate=True)
    assert sum(isinstance(entry, EarthquakeEvent) for entry in found) == 1, found


def test_numbers_in_texts_are_read_where_json_has_numbers() -> None:
    told = feature(mag="5.6", nst="7", time="2024-03-05T01:02:03.5Z")
    told["geometry"]["coordinates"] = ["20.5", "10.5", "12"]
    event, notes = one(collection(told))
    assert (event.magnitude, event.nst, event.timestamp_ms, event.location.depth_km) == (5.6, 7, AT_MS, 12.0)
    assert (event.location.latitude, event.location.longitude, notes) == (10.5, 20.5, [])


def test_an_origin_without_a_place_gives_way_to_one_that_has_it() -> None:
    broken = quake(
        "<preferredOriginID>smi:x/p</preferredOriginID><origin publicID='smi:x/p'><time><value>2024-03-05T01:00:00Z"
        "</value></time><latitude><value>NaN</value></latitude><longitude><value>1</value></longitude></origin>"
    )
    event, _ = one(broken)
    assert event.location.latitude == 10.5


# --- rows and headings of FDSN text ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t03_pipe_in_name.txt", "t06_no_hash.txt", "t14_depth_header_variants2.txt"])
def test_rows_and_headings_as_agencies_write_them(name: str) -> None:
    event, notes = one((CASES / name).read_bytes())
    assert (event.id, event.magnitude, event.location.depth_km, notes) == ("2024abc1", 4.2, 12.0, [])
    if name.startswith("t03"):
        assert event.place == "North | South Border"


NAMES = HEADING.lstrip("#").split("|")
FIELDS = dict(zip(NAMES, ROW.split("|"), strict=True))


@settings(max_examples=size(20, 600), deadline=None)
@given(data=st.data())
def test_columns_in_any_order_and_case_and_without_those_that_nobody_needs(data: st.DataObject) -> None:
    left_out = data.draw(st.sets(st.sampled_from(NAMES[4:])))
    names = [name for name in data.draw(st.permutations(NAMES)) if name not in left_out]
    if names[0] != "EventID":  # by which such text is known
        names = ["EventID", *(name for name in names if name != "EventID")]
    case = data.draw(st.sampled_from([str, str.upper, str.lower, str.title]))
    blank = data.draw(st.sampled_from(["", " ", "  "]))
    mark = data.draw(st.sampled_from(["#", "", "# ", "\ufeff#", "# made by hand\n#"]))
    aliases = {"Depth/km": data.draw(st.sampled_from(["Depth/km", "Depth", "Depth (km)", "DepthKm"]))}
    aliases |= {"Longitude": data.draw(st.sampled_from(["Longitude", "Longtitude", "Lon"]))}
    heading = mark + "|".join(f"{blank}{case(aliases.get(name, name))}{blank}" for name in names)
    row = "|".join(f"{blank}{FIELDS[name]}{blank}" for name in names)
    ending = data.draw(st.sampled_from(["\n", "\r\n"]))
    event, notes = one(f"{heading}{ending}{row}{ending}", form="text")
    assert (event.id, event.timestamp_ms, event.location.latitude) == ("2024abc1", AT_MS, 10.5)
    assert event.magnitude == (None if "Magnitude" in left_out else 4.2)
    assert event.location.depth_km == (None if "Depth/km" in left_out else 12.0)
    assert notes == []


@pytest.mark.parametrize(
    "column", ["Author", "Catalog", "Contributor", "ContributorID", "MagAuthor", "EventLocationName"]
)
def test_a_pipe_in_a_text_shifts_no_number(column: str) -> None:
    row = "|".join("A | B" if name == column else field for name, field in FIELDS.items())
    event, _ = one(text(row))
    assert (event.magnitude, event.magnitude_type, event.location.depth_km) == (4.2, "ML", 12.0)


def test_rows_without_a_heading_or_without_their_ends() -> None:
    event, _ = one(f"{ROW}\n")
    assert (event.id, event.magnitude) == ("2024abc1", 4.2)
    event, _ = one(text("2024abc1|2024-03-05T01:02:03.5|10.5|20.5"))
    assert (event.id, event.magnitude) == ("2024abc1", None)
    event, _ = one(text(ROW + "||"))
    assert event.place == "Somewhere near A Coast"


def test_the_heading_of_scedc() -> None:
    heading = (
        "#EventID  | Time                | Latitude | Longtitude   | Depth/km | Author | Catalog | ET | GT   | MagType "
        "| Magnitude | MagAuthor | EventLocationName"
    )
    row = (
        "40000001 | 2024/03/05 01:02:03.5000 | 35.29 | -117.80 |  6.95    | CI     | SCEDC   | {} | l |   l     |  "
        "3.36     | CI        |   WSW of Exampleville, CA\n# of events : 1"
    )
    event, notes = one(text(row.format("eq"), heading))
    assert (event.magnitude, event.location.longitude, event.type, event.timestamp_ms) == (
        3.36,
        -117.8,
        "earthquake",
        AT_MS,
    )
    assert notes == []
    assert one(text(row.format("qb"), heading))[0].type == "quarry blast"


# --- charsets --------------------------------------------------------------------------------------------------------

NAME = "Añonuevo, Ängelholm"


@pytest.mark.parametrize(
    ("charset", "mark", "stated"),
    [
        ("utf-8", b"", None),
        ("utf-8", codecs.BOM_UTF8, None),
        ("utf-8", codecs.BOM_UTF8, "iso-8859-1"),
        ("latin-1", b"", "iso-8859-1"),
        ("latin-1", b"", "ISO_8859-1"),
        ("cp1252", b"", "windows-1252"),
        ("utf-16-le", codecs.BOM_UTF16_LE, None),
        ("utf-16-be", codecs.BOM_UTF16_BE, "utf-8"),
        ("utf-16-le", b"", None),
        ("utf-16-be", b"", "utf-16"),
    ],
)
@pytest.mark.parametrize("form", ["text", "xml", "json", "emsc", "csv"])
def test_what_is_written_in_another_charset(charset: str, mark: bytes, stated: str | None, form: str) -> None:
    documents = {
        "text": text(ROW.replace("SOMEWHERE NEAR A COAST", NAME)),
        "xml": f'<?xml version="1.0"?>{quake(f"<description><text>{NAME}</text></description>")}',
        "json": collection(feature(place=NAME)).encode().decode("unicode-escape"),
        "emsc": emsc(flynn_region=NAME).encode().decode("unicode-escape"),
        "csv": csv(place=f'"{NAME}"'),
    }
    event, notes = one(mark + documents[form].encode(charset), charset=stated)
    assert (event.place, notes) == (NAME, [])


def test_what_xml_says_of_itself_goes_before_what_the_server_says() -> None:
    told = quake(f"<description><text>{NAME}</text></description>")
    for said, stated in (("ISO-8859-1", "utf-8"), ("ISO-8859-1", None), ("windows-1252", "utf-8")):
        document = f'<?xml version="1.0" encoding="{said}"?>{told}'.encode("latin-1")
        assert one(document, charset=stated)[0].place == NAME


def test_what_is_of_no_charset_is_read_with_a_sign_in_the_letters_place() -> None:
    found = everything((CASES / "t09_latin1.txt").read_bytes())
    events = [entry for entry in found if isinstance(entry, EarthquakeEvent)]
    assert [event.place for event in events] == ["Somewhere near A Coast", "A\ufffdonuevo"]
    assert [entry for entry in found if isinstance(entry, Problem)] == []
    assert any("letters" in str(entry) for entry in found if isinstance(entry, Note))
    event, _ = one(quake(f"<description><text>{NAME}</text></description>").encode("latin-1"))
    assert event.place == "A\ufffdonuevo, \ufffdngelholm"
    assert one(quake("<description><text>a\x01b</text></description>"))[0].place == "a b"
    assert charset_of(b"abc", "klingon") == ("utf-8", 0)
    assert charset_of(b"abc", "hex") == ("utf-8", 0)


# --- times -----------------------------------------------------------------------------------------------------------


def test_times_as_agencies_write_them() -> None:
    events, problems = entries(CASES / "t20_time60.txt")
    assert [iso_time(event.timestamp_ms) for event in events] == [
        "2024-03-05T01:03:00.000Z",
        "2024-03-05T01:03:00.000Z",
        "2024-03-06T00:00:00.000Z",
        "2024-03-05T01:02:03.000Z",
        "2024-03-05T01:02:03.500Z",
        "2024-03-05T01:02:03.500Z",
        "2024-03-05T01:02:03.000Z",
        "2024-03-05T01:02:00.000Z",
    ]
    assert len(problems) == 1, "before the year 1: nothing on the stream can say it"
    events, problems = entries(CASES / "t17_slash_date.txt")
    assert (events[0].timestamp_ms, problems) == (AT_MS, [])


@settings(max_examples=size(60, 2000), deadline=None)
@given(
    moment=st.integers(-60_000_000_000, 200_000_000_000),
    date=st.sampled_from(["-", "/", "."]),
    between=st.sampled_from(["T", " ", "t", "  "]),
    zone=st.sampled_from([("", 0), ("Z", 0), (" UTC", 0), ("+00:00", 0), ("+09:00", 540), ("-0330", -210)]),
    decimals=st.integers(0, 9),
    padded=st.booleans(),
)  # fmt: skip
def test_a_time_however_it_is_written(
    moment: int, date: str, between: str, zone: tuple[str, int], decimals: int, padded: bool
) -> None:
    if not padded and date == "-" and between == "t":
        between = "T"
    shown = iso_time((moment + zone[1] * 60) * 1000)
    year, month, day = shown[:10].split("-")
    hour, minute, second = shown[11:19].split(":")
    if not padded:
        month, day, hour, second = (part.lstrip("0") or "0" for part in (month, day, hour, second))
    fraction = "." + "5" + "0" * decimals if decimals else ""
    written = f"{year}{date}{month}{date}{day}{between}{hour}:{minute}:{second}{fraction}{zone[0]}"
    assert epoch_ms(written) == moment * 1000 + (500 if decimals else 0), written


@pytest.mark.parametrize(
    "written",
    [
        "",
        "now",
        "24/03/05 01:02:03",
        "2024-13-05",
        "2024-03-32",
        "2024-03-05T25:00",
        "2024-03-05T01:61:00",
        "2024-03-05T01:02:61",
        "05/03/2024",
        "2024-03-05 01:02 JST",
        "170960052",
        "202403",
    ],
)
def test_what_is_no_time_is_not_made_one(written: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it says why in its own words
        epoch_ms(written)


@pytest.mark.parametrize(
    "written", ["20240305T010203.5Z", "20240305010203.5", "2024-03-05T01:02:03,5", "1709600523500", "2024/3/5 1:2:3.5"]
)
def test_short_forms_of_a_time(written: str) -> None:
    assert epoch_ms(written) == AT_MS


def test_a_day_of_24_hours_and_a_minute_of_60_seconds_end_where_the_next_begins() -> None:
    assert (
        iso_time(epoch_ms("2023-12-31T24:00:00Z"))
        == iso_time(epoch_ms("2023-12-31 23:59:60.0"))
        == "2024-01-01T00:00:00.000Z"
    )


# --- withdrawals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["not existing", "duplicate", "not locatable", "Not_Existing", "not-locatable"])
def test_types_that_withdraw(kind: str) -> None:
    documents = [
        text(f"{ROW}|{kind}", f"{HEADING}|EventType"),
        quake(f"<type>{kind}</type>"),
        collection(feature(type=kind)),
        csv(type=kind),
    ]
    for document in documents:
        event, _ = one(document)
        assert (event.status, event.type) == ("deleted", "earthquake")


def test_a_withdrawal_without_a_place_or_a_time() -> None:
    [entry] = everything((CASES / "usgs-deleted-2.geojson").read_bytes())
    assert isinstance(entry, Withdrawal)
    assert (entry.source, entry.id, entry.updated_ms) == ("usgs", "aa1004", 1_795_746_000_000)
    deleted = feature(status="deleted", time=None, mag=None)
    for geometry in (None, {"type": "Point", "coordinates": []}, {"coordinates": [None, None]}):
        [entry] = everything(collection(deleted | {"geometry": geometry}))
        assert isinstance(entry, Withdrawal)
    [entry] = everything(json.dumps({"action": "delete", "data": {"properties": {"unid": "20240305_1"}}}), form="emsc")
    assert isinstance(entry, Withdrawal)
    [entry] = everything(quake("<type>not existing</type>").replace("<value>10.5</value>", ""))
    assert isinstance(entry, Withdrawal)


ZEROED = {
    "text": text("2024abc1|2024-03-05T01:02:03.5|0.00000|0.00000|0.000|NC|NCSS|NCSS||MU|0.0|NC|"),
    "quakeml": quake(magnitude="0.0", depth="0").replace("10.5", "0").replace("20.5", "0"),
    "csv": csv(latitude="0", longitude="0", depth="0", mag=""),
    "emsc": emsc(lat=0, lon=0, depth=0, mag=0),
    "geojson": collection(feature(mag=None) | {"geometry": {"coordinates": [0, 0, None]}}),
}


@pytest.mark.parametrize("form", ZEROED)
def test_what_has_become_nothing_is_withdrawn(form: str) -> None:
    [entry] = everything(ZEROED[form])
    assert isinstance(entry, Withdrawal)
    assert "zeroed" in entry.reason


@given(
    latitude=st.sampled_from([0.0, 0.001, -0.5]),
    longitude=st.sampled_from([0.0, 0.001, -0.5]),
    depth=st.sampled_from(["", "0", "10"]),
    magnitude=st.sampled_from(["", "0.0", "0.1", "4.5"]),
)
def test_a_true_report_near_the_null_island_stays(
    latitude: float, longitude: float, depth: str, magnitude: str
) -> None:
    nothing = latitude == 0 == longitude and depth in ("", "0") and magnitude in ("", "0.0")
    [entry] = everything(text(f"a1|2024-03-05T01:02:03.5|{latitude}|{longitude}|{depth}|A|A|A|1|ML|{magnitude}|A|X"))
    assert isinstance(entry, Withdrawal if nothing else EarthquakeEvent)


# --- times ahead -----------------------------------------------------------------------------------------------------


def test_updated_ahead_is_a_note_for_who_knows_since_when_and_a_problem_for_who_does_not() -> None:
    told = collection(feature(updated=AT_MS + 9 * 3_600_000))
    event, [note] = one(told, now_ms=AT_MS, redate=True)
    assert (event.updated_ms, "ahead" in note) == (None, True)
    [entry] = everything(told, now_ms=AT_MS)
    assert isinstance(entry, Problem)
    assert "more than an hour ahead" in str(entry)
    assert one(collection(feature(updated=AT_MS + 3_000_000)), now_ms=AT_MS)[0].updated_ms == AT_MS + 3_000_000


def test_each_format_says_it() -> None:
    ahead = "2100-01-01T00:00:00Z"
    documents = [
        csv(updated=ahead),
        emsc(lastupdate=ahead),
        quake(f"<creationInfo><creationTime>{ahead}</creationTime></creationInfo>"),
    ]
    for document, redate in itertools.product(documents, (True, False)):
        found = everything(document, now_ms=AT_MS, redate=redate)
        assert isinstance(found[-1], EarthquakeEvent if redate else Problem)
