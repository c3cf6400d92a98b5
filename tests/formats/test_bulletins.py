"""ISF bulletins, the Global CMT catalogue's NDK, and GeoJSON sequences."""

from __future__ import annotations

import gzip
import json

import pytest

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, iso_time
from quakestream.formats import Note
from quakestream.seismology.origin import origin_of
from tests.formats.reading import DATA, entries
from tests.formats.test_agencies import everything

IMPORTS = DATA / "imports"
ISF = (IMPORTS / "bulletin.isf").read_text()
NDK = (IMPORTS / "centroids.ndk").read_text()
LINES = (IMPORTS / "sequence.geojsonl").read_text().splitlines()
SEISCOMP = """BEGIN IMS1.0
MSG_TYPE DATA
MSG_ID 2014/04/08_124906 REV
BULLETIN (IMS1.0:SHORT FORMAT)
DATA_TYPE BULLETIN IMS1.0:short
EVENT abcd2014gtwh Windward Islands
   Date       Time        Err   RMS Latitude Longitude  Smaj  Smin  Az Depth   Err Ndef Nsta Gap  mdist  Mdist Qual   Author      OrigID
2014/04/07 06:03:33.68   0.00  0.08  14.0157  -60.3510   0.0   0.0   0  36.6   5.0   25   24 286   0.61   1.15 g ke Bulletin  za3eeVqt

Magnitude  Err Nsta Author      OrigID
MLv    2.7 0.2   13 Bulletin  za3eeVqt
Sta     Dist  EvAz Phase        Time      TRes  Azim AzRes   Slow   SRes Def   SNR       Amp   Per Qual Magnitude    ArrID
FDF     1.05 313.0 P        06:03:51.621 -0.0   95.0                     ___   2.0       0.3       m__ MLv    2.6 u2l6ZoGd
STOP
"""  # noqa: E501 - as wide as the format


class TestIsf:
    def test_the_origin_that_the_bulletin_prefers_with_a_moment_magnitude(self) -> None:
        (italy, greece), [nowhere] = entries(ISF)
        assert (italy.key, italy.agency, italy.type, italy.status) == ("isc:1234567", "ISC", "earthquake", "reviewed")
        assert iso_time(italy.timestamp_ms) == "2009-04-06T01:32:40.400Z"
        assert (italy.location.latitude, italy.location.longitude, italy.location.depth_km) == (42.3606, 13.3848, 10.2)
        assert (italy.magnitude, italy.magnitude_type, italy.mag_nst) == (6.3, "Mw", 110)
        assert (italy.place, italy.nst, italy.gap, italy.dmin, italy.rms) == ("Central Italy", 880, 15, 0.12, 1.1)
        assert italy.ids == ("isc:evid=1234567",)
        assert not origin_of(italy).centroid
        assert (greece.magnitude, greece.location.depth_km, greece.status) == (None, None, "automatic")
        assert nowhere.where == "line 26 (event 1234569)"
        assert b"Nowhere" in nowhere.raw

    def test_without_a_mark_the_last_origin_and_a_centroid_that_is_one(self) -> None:
        (last, _), _ = entries(ISF.replace(" (#PRIME)\n", ""))
        assert last.agency == "ISC"
        (centroid, _), _ = entries(
            ISF.replace(" (#PRIME)\n", "").replace(" (#CENTROID)\n", " (#CENTROID)\n (#PRIME)\n")
        )
        assert (centroid.agency, centroid.extra) == ("GCMT", {"originType": "centroid"})
        assert origin_of(centroid).centroid

    def test_where_the_preferred_one_can_not_be_read_another_is_taken_and_said(self) -> None:
        found = everything(ISF.replace("42.3606", "       "))
        first = next(entry for entry in found if isinstance(entry, EarthquakeEvent))
        assert first.agency == "GCMT"
        assert any("another one is taken" in str(note) for note in found if isinstance(note, Note))

    def test_a_bound_is_no_magnitude(self) -> None:
        only = "".join(line for line in ISF.splitlines(keepends=True) if not line.startswith(("mb    ", "MS ", "Mw ")))
        assert entries(only)[0][0].magnitude is None

    def test_a_bulletin_of_others(self) -> None:
        [event], problems = entries(SEISCOMP, source="ovsm")
        assert not problems
        assert (event.key, event.magnitude, event.magnitude_type) == ("ovsm:abcd2014gtwh", 2.7, "MLv")
        assert (event.location.longitude, event.location.depth_km, event.ids) == (-60.351, 36.6, ())
        with pytest.raises(Rejected, match="whose reports these are"):
            entries(SEISCOMP)

    def test_a_bulletin_that_is_cut_off(self) -> None:
        for cut in range(0, len(ISF), 97):
            try:
                events, _ = entries(ISF[:cut])
            except Rejected:
                continue
            assert all(e.timestamp_ms > 0 for e in events)


class TestNdk:
    def test_a_centroid_s_time_place_and_moment_magnitude(self) -> None:
        (java, kuril), problems = entries(NDK)
        assert not problems
        assert (java.key, java.agency, java.magnitude, java.magnitude_type) == (
            "gcmt:C200607170819A",
            "GCMT",
            7.71,
            "Mwc",
        )
        assert iso_time(java.timestamp_ms) == "2006-07-17T08:20:36.200Z"
        assert (java.location.latitude, java.location.longitude, java.location.depth_km) == (-10.28, 107.78, 20.0)
        assert iso_time(java.updated_ms or 0) == "2007-10-05T12:17:23.000Z"
        assert java.place == "South of Java, Indonesia"
        assert origin_of(java).centroid
        assert origin_of(java).status == "automatic"
        assert iso_time(kuril.timestamp_ms) == "1977-01-06T06:12:02.100Z"
        assert (kuril.id, kuril.updated_ms, kuril.magnitude) == ("B010677A", None, 5.71)

    def test_what_is_broken_is_a_problem_and_the_next_one_is_read(self) -> None:
        lines = NDK.splitlines(keepends=True)
        for missing in range(1, 5):
            broken = [line for n, line in enumerate(lines) if n != missing]
            found = everything("".join(lines[5:] + broken))
            ids = [entry.id for entry in found if isinstance(entry, EarthquakeEvent)]
            assert ids.count("B010677A") == 2
            assert len(found) > 2
        noted = everything("".join([*lines[:4], "V10\n", *lines[5:]]))
        assert [entry.magnitude for entry in noted if isinstance(entry, EarthquakeEvent)] == [None, 5.71]
        assert any(isinstance(entry, Note) for entry in noted)


class TestSequences:
    @pytest.mark.parametrize("separator", ["", "\x1e"])
    @pytest.mark.parametrize("packed", [False, True])
    def test_each_feature_and_what_is_cut_is_a_problem(self, separator: str, packed: bool) -> None:
        data = "".join(f"{separator}{line}\n" for line in LINES).encode()
        events, [cut] = entries(gzip.compress(data) if packed else data)
        assert [e.key for e in events] == ["usgs:nn1", "emsc:20240305_0000001", "usgs:nn3"]
        assert [e.location.depth_km for e in events] == [7.5, 5.0, None]
        assert cut.raw == LINES[2].encode()

    def test_a_text_over_several_lines_and_collections_where_separators_stand(self) -> None:
        good = [json.loads(line) for n, line in enumerate(LINES) if n != 2]
        collection = {"type": "FeatureCollection", "features": good[1:]}
        data = f"\x1e{json.dumps(good[0], indent=2)}\n\x1e\x1e\n\x1e{json.dumps(collection, indent=1)}\n"
        events, problems = entries(data)
        assert not problems
        assert [e.key for e in events] == ["usgs:nn1", "emsc:20240305_0000001", "usgs:nn3"]

    def test_one_feature_alone_is_no_sequence(self) -> None:
        assert [e.key for e in entries(LINES[0])[0]] == ["usgs:nn1"]
        assert [e.key for e in entries(f"\x1e{LINES[0]}")[0]] == ["usgs:nn1"]

    def test_what_is_no_feature_is_a_problem(self) -> None:
        events, problems = entries(f'{LINES[0]}\n{{"type":"Point","coordinates":[1,2]}}\n{LINES[3]}\n')
        assert (len(events), len(problems)) == (2, 1)
