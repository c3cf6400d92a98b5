from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quakestream.event import WIRE_FIELDS
from quakestream.formats.fields import region
from tests.formats.reading import DATA, entries, refusal

LONG = (
    "#EventID|Time|Latitude|Longitude|Depth/km|Author|Catalog|Contributor|ContributorID|MagType|Magnitude|MagAuthor"
    "|EventLocationName|EventType\n"
)
SED = (
    "smi:ch.ethz.sed/sc25a/Event/2026errxzt|2026-03-08T07:02:15.702386|46.17832923826476|7.486|3.24|tdiehl@sc25ag||SED"
    "|smi:ch.ethz.sed/sc25a/Event/2026errxzt|MLhc|0.52|tdiehl@sc25ag|Sion VS|earthquake\n"
)


def test_the_recorded_lines_of_the_emsc() -> None:
    events, problems = entries(DATA / "emsc_text_2017.txt")
    assert (len(events), problems) == (6, [])
    assert events[0].document() == {
        "id": "20171031_0000002",
        "source": "emsc",
        "mode": "exercise",
        "status": "automatic",
        "type": "earthquake",
        "magnitude": 6.8,
        "magnitudeType": "mw",
        "location": {"latitude": -21.71, "longitude": 169.11, "depth": 25.0},
        "timestamp": 1_509_410_532_400,
        "place": "Southeast of Loyalty Islands",
        "agency": "EMSC",
    }


def test_fourteen_columns_and_an_id_that_is_an_address() -> None:
    [event], problems = entries(LONG + SED)
    assert (event.key, event.agency, event.place, problems) == ("sed:2026errxzt", "SED", "Sion VS", [])
    assert event.updated_ms is None


def test_columns_are_found_by_their_names() -> None:
    heading = "#EventID|Time|Latitude|Longitude|Depth/km|MagType|Magnitude|EventLocationName\n"
    [event], _ = entries(heading + "20260826.1|2026-08-26T10:01:58Z|49.1|-123.9|1.0|ML|2.1|Nanaimo, BC\n")
    assert (event.magnitude, event.magnitude_type, event.place, event.source) == (2.1, "ML", "Nanaimo, BC", "fdsn")


def test_what_is_not_there_is_not_made_up() -> None:
    [event], _ = entries(LONG + SED.replace("|0.52|", "||").replace("|3.24|", "||").replace("|SED|", "|--|"))
    assert (event.magnitude, event.location.depth_km, event.agency) == (None, None, None)


def test_other_types_and_withdrawn_events() -> None:
    blast, gone = SED.replace("|earthquake", "|quarry blast"), SED.replace("|earthquake", "|not existing")
    events, _ = entries(LONG + blast + gone)
    assert [(e.type, e.status) for e in events] == [("quarry blast", "automatic"), ("earthquake", "deleted")]


def test_a_bad_line_is_a_problem_and_the_others_are_kept() -> None:
    lines = [
        SED,
        "a|b\n",
        SED.replace("46.17832923826476", "x"),
        SED.replace("2026-03-08", "2026-13-08"),
        "\xff|\n",
        SED,
    ]
    events, problems = entries(LONG + "# a comment\n\n" + "".join(lines))
    assert (len(events), [problem.where for problem in problems]) == (2, [f"line {n}" for n in (5, 6, 7, 8)])


def test_nothing_is_nothing_and_what_is_no_text_is_refused() -> None:
    assert entries(LONG) == ([], [])
    assert entries("", form="text") == ([], [])
    assert "missing" in refusal("#EventID|Time\n")
    assert "not a format" in refusal("Service temporarily down")


@given(st.binary(max_size=300))
def test_whatever_comes_is_an_event_a_problem_or_a_refusal(tail: bytes) -> None:
    events, problems = entries(LONG.encode() + SED.encode() + b"\n" + tail)
    assert events
    assert all(event.document().keys() <= WIRE_FIELDS for event in events)
    assert all(str(problem) for problem in problems)


def test_regions_are_written_as_people_write_them() -> None:
    assert region("NEAR EAST COAST OF HONSHU, JAPAN") == "Near East Coast of Honshu, Japan"
    assert region("NEW BRITAIN REGION, P.N.G.") == "New Britain Region, P.N.G."
    assert region("IRAN-IRAQ BORDER REGION") == "Iran-Iraq Border Region"
    assert region("4 km S Campotosto (AQ)") == "4 km S Campotosto (AQ)"
    assert region(" ") is None
    assert region(None) is None
