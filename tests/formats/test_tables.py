"""Tables of others: with commas, semicolons, tabs or blanks, with points or decimal commas, with ids or without."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, iso_time
from quakestream.formats import Note
from quakestream.formats.fields import epoch_ms
from quakestream.seismology.origin import origin_of
from tests.formats.reading import DATA, entries, refusal
from tests.formats.test_agencies import everything
from tests.sizes import size

IMPORTS = DATA / "imports"
SWISS = (DATA / "no_ids_switzerland.csv").read_text()
COMCAT = (DATA / "no_ids_comcat.csv").read_text()
OBSERVATORY = "time=Datum+Uhrzeit,latitude=Breite,longitude=Länge,depth=Tiefe (km)"
HORUS = (
    "Year\tMo\tDa\tHo\tMi\tSe\tLat\tLon\tDepth\tMw\tsigMw\tGeo-Ita\tGeo-CPTI15\t\n"
    "     2017.0000000000\t        4.0000000000\t       22.0000000000\t        4.0000000000\t       42.0000000000\t"
    "       58.0600000000\t       42.9043000000\t       13.0005000000\t       11.1000000000\t        1.0300000000\t"
    "        0.2000000000\t*\t*\t\n"
    "2020.0\t9.0\t22.0\t10.0\t60.0\t64.29\t41.615\t14.0108\t6.1\t1.06\t0.2\t*\t*\t\n"
)


def mapped(text: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in text.split(","))


def read(text: str, **options: Any) -> list[EarthquakeEvent]:
    events, problems = entries(text, **{"source": "someone"} | options)
    assert not problems
    return events


def test_a_swiss_table_says_no_id_no_depth_and_is_read_all_the_same() -> None:
    events = read(SWISS, source="etas-ch")
    assert len(events) == len(SWISS.splitlines()) - 1
    event = events[0]
    assert (event.source, event.magnitude, event.location.depth_km, event.magnitude_type) == (
        "etas-ch",
        2.3,
        None,
        None,
    )
    assert (event.location.latitude, event.location.longitude) == (46.36, 7.35)
    assert iso_time(event.timestamp_ms) == "1972-01-10T23:24:41.000Z"
    assert len({e.id for e in events}) == len(events)
    by_number = read(SWISS, columns={"id": "1"})
    assert [e.id for e in by_number][:2] == ["2597", "2598"]


def test_columns_of_pycsep_s_table_are_found_and_its_empty_ids_are_none() -> None:
    events = read(COMCAT)
    assert (events[0].magnitude, events[0].location.depth_km) == (4.73, 9.35)
    assert iso_time(events[0].timestamp_ms) == "2019-07-06T03:22:35.630Z"
    assert len({e.id for e in events}) == len(events) == 19
    said = read(
        COMCAT, columns=mapped("time=time_string,id=event_id,latitude=lat,longitude=lon,magnitude=M,depth=depth")
    )
    assert said == events


def test_a_column_of_the_same_everywhere_is_no_id() -> None:
    events, problems = entries(COMCAT, source="x", columns={"id": "catalog_id"})
    assert (len(events), len(problems)) == (1, 18)
    assert "its id -1 is that of another earthquake, in line 2: leave the column out (id=)" in str(problems[0])
    revised = "time,lat,lon,id,updated\n2024-03-05T01:02:03,1,1,a,2024-03-05T01:05:00\n"
    for row, bad in (("2024-03-05T01:02:09,1.2,1,a,2024-03-05T01:09:00", 0), ("2024-03-07T01:02,1,1,a,2024-03-08", 1)):
        assert len(entries(f"{revised}{row}\n", source="x")[1]) == bad


def test_italy_s_horus_whose_seconds_may_be_more_than_sixty() -> None:
    first, second = read(HORUS, source="horus")
    assert (first.magnitude, first.magnitude_type, first.mag_error) == (1.03, "Mw", 0.2)
    assert (first.location.latitude, first.location.longitude, first.location.depth_km) == (42.9043, 13.0005, 11.1)
    assert [iso_time(e.timestamp_ms) for e in (first, second)] == [
        "2017-04-22T04:42:58.060Z",
        "2020-09-22T11:01:04.290Z",
    ]
    again = read(HORUS, source="horus", columns=mapped("time=Year+Mo+Da+Ho+Mi+Se,latitude=Lat,longitude=Lon"))
    assert again == [first, second]


def test_decimal_commas_semicolons_a_date_with_its_day_first_and_letters_of_other_languages() -> None:
    for charset in ("utf-8", "utf-8-sig", "utf-16"):
        data = (IMPORTS / "points.csv").read_text().encode(charset)
        events, problems = entries(data, source="x", columns=mapped(OBSERVATORY))
        assert not problems
        assert [(e.magnitude, e.location.depth_km) for e in events] == [(2.3, 8.1), (1.9, 8.1), (None, None)]
        assert [iso_time(e.timestamp_ms) for e in events] == [
            *["2024-03-05T01:02:03.500Z"] * 2,
            "2024-03-07T00:00:00.000Z",
        ]
        assert (events[2].location.latitude, events[2].location.longitude) == (-0.5, -179.9)
        assert len({e.id for e in events}) == 3


@pytest.mark.parametrize("between", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("comma", [False, True])
def test_an_earthquake_has_the_same_id_however_its_table_is_written(between: str, comma: bool) -> None:
    rows = [["time", "lat", "lon", "depth", "mag"], ["2024-03-05T01:02:03.5", "46.36", "7.35", "8", "2.3"]]
    plain = read("\n".join(",".join(row) for row in rows))
    cells = [[cell.replace(".", ",") for cell in row] for row in rows] if comma else rows
    text = io.StringIO()
    csv.writer(text, delimiter=between, lineterminator="\r\n").writerows([row[::-1] for row in cells])
    assert read(text.getvalue()) == plain


def test_of_rows_that_differ_nowhere_each_is_an_earthquake_and_all_have_their_ids_again() -> None:
    row = "2024-03-05T01:02,46.4,7.4,2.0\n"
    text = "time,lat,lon,mag\n" + row + "2024-03-05T01:02,46.4,7.4,2.5\n" + row
    ids = [e.id for e in read(text)]
    assert len(set(ids)) == 3
    assert ids[2] == f"{ids[0]}-2"
    assert [e.id for e in read(text)] == ids
    assert {e.id for e in read(text + "2025-01-01T00:00,1,1,1\n")} > set(ids)


def test_without_a_heading_columns_have_numbers() -> None:
    columns = {"time": "1+2", "latitude": "3", "longitude": "4", "magnitude": "5"}
    text = "2024-03-05;01:02:03;46,36;7,35;2,3\n2024-03-06;01:02:03;46,36;7,35;2,3\n"
    assert len(read(text, columns=columns)) == 2
    assert read("a;b;c;d;e\n" + text, columns={**columns, "time": "1"} | {"time": "a+b"})[0].magnitude == 2.3


def test_comments_before_the_heading_and_a_heading_that_is_one() -> None:
    row = "2024-03-05T01:02:03,46.36,7.35\n"
    for heading in ("# made by hand\n\n#time,lat,lon\n", "# made by hand\ntime,lat,lon\n# and more\n"):
        assert len(read(heading + row)) == 1


def test_what_is_said_to_be_missing_is_null_and_what_can_not_be_read_too() -> None:
    text = (
        "time,lat,lon,depth,mag,place,type\n2024-03-05T01:02:03,46.36,7.35,NaN,-,,quarry_blast\n2024-03-05,1,1,x,y,z\n"
    )
    found = everything(text, source="x")
    first, second = (entry for entry in found if isinstance(entry, EarthquakeEvent))
    assert (first.magnitude, first.location.depth_km, first.place, first.type) == (None, None, None, "quarry_blast")
    assert (second.magnitude, second.location.depth_km, second.place) == (None, None, "z")
    assert sum(isinstance(entry, Note) for entry in found) == 3


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("yesterday,46.36,7.35,1", "time"),
        ("03/05/2024 01:02:03,46.36,7.35,1", "time"),
        ("2024-03-05T01:02:03,96.36,7.35,1", "latitude"),
        ("2024-03-05T01:02:03,46,36,7,35,1", "6 fields, but there are 4 columns"),
        ("2024-03-05T01:02:03,,7.35,1", "latitude"),
    ],
)
def test_a_row_without_a_place_or_a_time_is_a_problem_and_the_others_are_kept(row: str, why: str) -> None:
    good = "2024-03-05T01:02:03,46.36,7.35,1\n2024-03-06T01:02:03,46.36,7.35,1\n"
    events, [problem] = entries(f"time,lat,lon,mag\n{good}{row}\n", source="x")
    assert len(events) == 2
    assert problem.where == "line 4"
    assert why in problem.reason
    assert row.split(",", 1)[0].encode() in problem.raw


def test_a_day_without_a_time_in_columns_of_its_own_is_none() -> None:
    text = "year,month,day,hour,minute,lat,lon\n1356,10,18,,,47.5,7.6\n1356,10,18,21,,47.5,7.6\n"
    events, [problem] = entries(text, source="x")
    assert iso_time(events[0].timestamp_ms) == "1356-10-18T21:00:00.000Z"
    assert "time" in problem.reason


@pytest.mark.parametrize(
    ("heading", "row", "coarse"),
    [
        ("time", "2024-03-05 01:02", True),
        ("time", "2024-03-05T01:02Z", True),
        ("time", "05.03.2024 01:02 UTC", True),
        ("date,time", "2024-03-05,01:02", True),
        ("year,month,day,hour,minute", "2024,3,5,1,2", True),
        ("year,month,day,hour,minute,second", "2024,3,5,1,2,", True),
        ("year,month,day,hour,minute,second", "2024,3,5,1,2,0", False),
        ("time", "2024-03-05 01:02:00", False),
        ("date,time", "2024-03-05,01:02:00.0", False),
    ],
)
def test_a_time_without_seconds_is_any_of_its_minute(heading: str, row: str, coarse: bool) -> None:
    [event] = read(f"{heading},lat,lon\n{row},1,1\n")
    assert iso_time(event.timestamp_ms) == "2024-03-05T01:02:00.000Z"
    assert (origin_of(event).time_resolution_s == 60.0) is coarse


def test_why_a_table_is_refused() -> None:
    assert "whose reports these are" in refusal(SWISS)
    with pytest.raises(Rejected, match=r"no column for time, latitude: .*its columns are a, lon, c"):
        entries("a,lon,c\n1,2,3\n", source="x")
    with pytest.raises(Rejected, match="there is no column 'Magn' for magnitude; its columns are"):
        entries(SWISS, source="x", columns={"magnitude": "Magn"})
    with pytest.raises(Rejected, match="magnitude may be Mw, ML: say which, as in --columns magnitude=Mw"):
        entries("time,lat,lon,Mw,ML\n", source="x")
    assert len(read("time,lat,lon,Mw,ML\n2024-03-05T01:02,1,1,2,3\n", columns={"magnitude": "ML"})) == 1
    assert read("time,lat,lon,Mw,ML\n2024-03-05T01:02,1,1,2,3\n", columns={"magnitude": ""})[0].magnitude is None


def test_what_is_no_format_is_refused_with_what_was_tried() -> None:
    said = refusal("Dear colleagues\n")
    for name in ("GeoJSON", "QuakeML", "ISF", "NDK", "ZMAP", "a table with a heading", "FDSN event text"):
        assert name in said


def test_a_source_is_the_users_word_in_other_formats_too_but_not_against_our_own() -> None:
    events, _ = entries(DATA / "usgs_feed_2014.geojson", source="mine")
    assert {e.source for e in events} == {"mine"}
    line = '{"id":"a","magnitude":1.0,"location":{"latitude":1.0,"longitude":2.0},"timestamp":1,"source":"x"}\n'
    with pytest.raises(Rejected, match="leave out --source"):
        entries(line, source="mine")


def test_zmap() -> None:
    text = (IMPORTS / "places.zmap").read_text()
    first, second = read(text)
    assert (first.location.longitude, first.location.latitude, first.magnitude) == (13.3848, 42.3606, 6.3)
    assert iso_time(first.timestamp_ms) == "2009-04-06T01:32:40.400Z"
    assert (second.magnitude, second.location.depth_km) == (None, None)
    for between in (" ", ",", ";", "   "):
        assert read(text.replace("\t", between)) == [first, second]
    [wide] = read("13.3848 42.3606 2009 4 6 6.3 10.2 1 32 40.4 2.5 0.4 0.1\n")
    assert (wide.horizontal_error_km, wide.depth_error_km, wide.mag_error) == (2.5, 0.4, 0.1)
    assert "whose reports these are" in refusal(text)
    _, problems = entries(
        text + "13 42 2009 13 6 6.3 10.2 1 32 40.4\n13 42 2009\n13 42 2009 4 6 6 10 NaN 0 0\n", source="x"
    )
    assert len(problems) == 3
    assert "Tried were" in refusal("9" * 400 + " 42 2009 4 6 6.3 10.2 1 32 40.4\n")


TEXT = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp"), blacklist_characters='"'), max_size=8)


@settings(max_examples=size(12, 400), deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(-90, 90), st.integers(-180, 180), TEXT, TEXT, st.integers(0, 10**12)), max_size=12
    ),
    between=st.sampled_from([",", ";", "\t"]),
)
def test_every_row_that_has_a_place_and_a_time_is_an_earthquake_of_its_own(
    rows: list[tuple[int, int, str, str, int]], between: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=between)
    writer.writerow(["lat", "lon", "depth", "place", "origin time"])
    writer.writerows([*row[:4], iso_time(row[4])] for row in rows)
    found = everything(text.getvalue(), source="x")
    events = [entry for entry in found if isinstance(entry, EarthquakeEvent)]
    zeroed = [row for row in rows if row[:2] == (0, 0)]
    assert len(events) >= len(rows) - len(zeroed)
    assert len({e.id for e in events}) == len(events)
    assert {e.timestamp_ms for e in events} <= {epoch_ms(iso_time(row[4])) for row in rows}
