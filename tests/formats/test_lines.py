"""The formats of one event a line: SCEDC and CSV."""

from __future__ import annotations

import csv
import gzip
import io

import pytest

from quakestream.event import EarthquakeEvent, iso_time
from quakestream.formats import scedc
from tests.formats.reading import DATA, WEEK, entries, six_years
from tests.formats.test_agencies import AT_MS, everything
from tests.sizes import sized

COLUMNS = (
    "time,latitude,longitude,depth,mag,magType,nst,gap,dmin,rms,net,id,updated,place,type,horizontalError,depthError,"
    "magError,magNst,status,locationSource,magSource"
)
ROW = (
    '2018-02-07T01:26:13.840Z,34.4945,-118.6671667,26.49,2,ml,7,174,0.04214,0.35,ci,ci37868143,2018-02-07T01:29:56.303Z,'
    '"4km W of Castaic, CA",earthquake,1.2,0.5,0.13,9,automatic,ci,ci'
)  # fmt: skip
LINE = "2010/01/01 00:16:54.48 eq  l 1.10 l    36.032 -117.782   1.1 A 14566836   26  402\n"


class TestScedc:
    def test_fields(self) -> None:
        events, problems = entries(DATA / "scedc_2010.catalog")
        assert not problems
        assert len(events) == 16
        event = events[0]
        assert (event.key, event.agency, event.magnitude, event.magnitude_type) == ("scedc:14566836", "ci", 1.1, "ml")
        assert (event.location.latitude, event.location.longitude, event.location.depth_km) == (36.032, -117.782, 1.1)
        assert iso_time(event.timestamp_ms) == "2010-01-01T00:16:54.480Z"
        assert event.updated_ms is None
        assert event.ids == ("ci14566836",)
        assert {e.type for e in events} == {"earthquake", "quarry blast"}
        assert min(e.location.depth_km for e in events) == -1.2
        assert events[-1].magnitude == 0.0

    def test_no_magnitude_is_null_whatever_stands_there(self) -> None:
        events, _ = entries(LINE.replace("1.10 l", "0.00 n"))
        assert (events[0].magnitude, events[0].magnitude_type) == (None, None)

    @pytest.mark.parametrize(
        ("time", "read_as"),
        [("00:16:60.00", "2010-01-01T00:17:00.000Z"), ("23:59:60.00", "2010-01-02T00:00:00.000Z")],
    )
    def test_a_second_of_sixty_is_the_next_minute(self, time: str, read_as: str) -> None:
        events, _ = entries(LINE.replace("00:16:54.48", time))
        assert iso_time(events[0].timestamp_ms) == read_as

    @pytest.mark.parametrize(
        "bad",
        [
            LINE[:50],
            LINE.replace("36.032", "96.032"),
            LINE.replace("36.032", "nan   "),
            LINE.replace("2010/01/01", "2010/02/30"),
            LINE.replace("00:16:54.48", "00:16:99.00"),
            LINE.replace("14566836", "ABCDEFGH"),
        ],
    )
    def test_a_bad_line_is_a_problem_and_the_others_are_kept(self, bad: str) -> None:
        events, problems = entries(LINE + bad.rstrip("\n") + "\n" + LINE)
        assert (len(events), len(problems)) == (2, 1)
        assert problems[0].where == "line 2"

    def test_a_line_without_end_stops_there(self) -> None:
        events, problems = entries(LINE + "x" * 100_000)
        assert (len(events), len(problems)) == (1, 1)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("", ""),
            ("1.10 l", "0.00 n"),
            ("1.10 l", "9.99 n"),
            ("1.10 l", "-0.3 l"),
            ("1.10 l", "1.1e0 w"),
            ("1.10 l", "13.0 w"),
            ("-117.782", "242.218"),
            ("  1.1 A", " -1.2 A"),
            ("  1.1 A", "nan   A"),
            (" eq ", " xx "),
            ("14566836", "014566836"),
            ("14566836", "9" * 20),
            ("36.032 -117.782", " 0.000   0.000"),
            ("2010/01/01", "2999/01/01"),
            (":54.48", ":1e999"),
        ],
    )
    def test_a_line_is_read_in_short_as_it_is_at_length(
        self, monkeypatch: pytest.MonkeyPatch, old: str, new: str
    ) -> None:
        line = LINE.replace(old, new) if old else LINE
        short = everything(line * 2, now_ms=AT_MS, form="scedc")
        monkeypatch.setattr(scedc, "_plain_event", lambda *_: None)
        assert everything(line * 2, now_ms=AT_MS, form="scedc") == short
        assert {type(entry.location.latitude) for entry in short if isinstance(entry, EarthquakeEvent)} <= {float}

    @sized
    def test_all_lines_of_six_years(self) -> None:
        paths, count = six_years()
        counts = [tuple(map(len, entries(path))) for path in paths]
        assert sum(good for good, _ in counts) == count
        assert all(bad == 0 for _, bad in counts)


class TestCsv:
    def test_fields(self) -> None:
        (event,), problems = entries(f"{COLUMNS}\n{ROW}\n")
        assert not problems
        feed = next(e for e in entries(WEEK)[0] if e.id == "ci37868143")
        for name in ("id", "source", "magnitude", "location", "magnitude_type", "place", "agency", "nst", "gap", "rms"):
            assert getattr(event, name) == getattr(feed, name), name
        assert (event.timestamp_ms, event.updated_ms) == (1_517_966_773_840, 1_517_966_996_303)
        assert (event.horizontal_error_km, event.depth_error_km, event.mag_error, event.mag_nst) == (1.2, 0.5, 0.13, 9)

    def test_a_whole_week_in_columns(self) -> None:
        events, _ = entries(WEEK)
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(
            ["time", "latitude", "longitude", "depth", "mag", "magType", "id", "updated", "place", "status", "net"]
        )
        rows.writerows(
            (iso_time(e.timestamp_ms), e.location.latitude, e.location.longitude, e.location.depth_km, e.magnitude,
             e.magnitude_type, e.id, iso_time(e.updated_ms), e.place, e.status, e.agency)
            for e in events
        )  # fmt: skip
        again, problems = entries(gzip.compress(text.getvalue().encode()))
        assert not problems
        assert [(e.id, e.magnitude, e.location, e.timestamp_ms, e.updated_ms, e.place) for e in again] == [
            (e.id, e.magnitude, e.location, e.timestamp_ms, e.updated_ms, e.place) for e in events
        ]

    def test_empty_cells_are_null(self) -> None:
        row = "2018-02-07T01:26:13.840Z,34,-118,,,,,,,,ci,ci1,,,,,,,,,,"
        (event,), _ = entries(f"{COLUMNS}\r\n{row}\r\n")
        assert (event.magnitude, event.location.depth_km, event.updated_ms, event.status) == (
            None,
            None,
            None,
            "automatic",
        )

    @pytest.mark.parametrize(
        "bad",
        [
            ROW.replace("34.4945", "91"),
            ROW.replace("2018-02-07T01:26", "yesterday"),
            "1,2,3",
            ROW.replace("ci37868143", ""),
        ],
    )
    def test_a_bad_row_is_a_problem_and_the_others_are_kept(self, bad: str) -> None:
        text = f"{COLUMNS}\n{ROW}\n{bad}\n{ROW}\n".encode("utf-8", "surrogateescape")
        events, problems = entries(text)
        assert (len(events), len(problems)) == (2, 1)
        assert problems[0].where == "line 3"

    def test_a_cell_without_end(self) -> None:
        events, problems = entries(f'{COLUMNS}\n{ROW}\n"{"x" * 200_000}\n')
        assert len(events) == 1
        assert problems
