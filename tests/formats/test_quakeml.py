from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Final

import pytest

from quakestream import formats
from quakestream.event import iso_time
from tests.formats.reading import DATA, entries, recorded, refusal
from tests.sizes import sized

STATM: Final = Path("/proc/self/statm")
TEMPLATE: Final = """<?xml version="1.0"?>
<q:quakeml xmlns:q="http://quakeml.org/xmlns/quakeml/1.2" xmlns="http://quakeml.org/xmlns/bed/1.2">
<eventParameters publicID="smi:x/1">{}</eventParameters></q:quakeml>"""


def origin(name: str, *, status: str = "", longitude: str = "10.5", extra: str = "") -> str:
    return f"""<origin publicID="smi:x/origin/{name}"><time><value>2020-01-02T03:04:05.678901Z</value></time>
    <latitude><value>46.5</value></latitude><longitude><value>{longitude}</value></longitude>{extra}
    {f"<evaluationStatus>{status}</evaluationStatus>" if status else ""}</origin>"""


def quake(*inner: str, public_id: str = "smi:org.example/sc/Event/2020abc") -> str:
    return f'<event publicID="{public_id}">{"".join(inner)}</event>'


def document(*events: str) -> str:
    return TEMPLATE.format("".join(events))


def test_the_usgs_own_names_units_and_preferences() -> None:
    (event,), problems = entries(DATA / "usgs_quakeml_nc72282711.xml")
    assert not problems
    assert event.key == "usgs:nc72282711"
    assert (event.magnitude, event.magnitude_type) == (6.02, "Mw")
    assert event.location.depth_km == 11.12
    assert (event.depth_error_km, event.horizontal_error_km) == (0.15, 0.11)
    assert (event.status, event.agency, event.type) == ("reviewed", "NC", "earthquake")
    assert event.timestamp_ms == 1_408_875_644_070
    assert event.updated_ms == 1_447_379_176_000
    assert (event.nst, event.gap, event.dmin, event.rms) == (369, 28, 0.03604, 0.18)


def test_the_preferred_origin_and_magnitude_not_the_first() -> None:
    magnitudes = "".join(
        f'<magnitude publicID="smi:x/mag/{n}"><mag><value>{n}.5</value></mag><type>M{n}</type></magnitude>'
        for n in (1, 2)
    )
    chosen = quake(
        "<preferredOriginID>smi:x/origin/b</preferredOriginID>",
        "<preferredMagnitudeID>smi:x/mag/2</preferredMagnitudeID>",
        origin("a", longitude="1"), origin("b", longitude="2"), magnitudes,
    )  # fmt: skip
    first = quake(origin("a", longitude="1"), origin("b", longitude="2"), magnitudes)
    (one, two), _ = entries(document(chosen, first))
    assert (one.location.longitude, one.magnitude, one.magnitude_type) == (2.0, 2.5, "M2")
    assert (two.location.longitude, two.magnitude) == (1.0, 1.5)


def test_what_is_not_said_is_not_made_up() -> None:
    (event,), _ = entries(document(quake(origin("a"))))
    assert event.key == "org.example:2020abc"
    assert (event.magnitude, event.updated_ms, event.location.depth_km, event.place) == (None, None, None, None)
    assert (event.status, event.type) == ("automatic", "earthquake")
    assert iso_time(event.timestamp_ms) == "2020-01-02T03:04:05.679Z"


def test_the_newest_creation_time_is_updated() -> None:
    def created(time: str) -> str:
        return f"<creationInfo><creationTime>{time}</creationTime></creationInfo>"

    told = quake(created("2020-01-02T00:00:00Z"), origin("a", extra=created("2021-05-06T07:08:09")))
    (event,), _ = entries(document(told))
    assert iso_time(event.updated_ms) == "2021-05-06T07:08:09.000Z"


def test_withdrawn_by_the_agency_is_deleted() -> None:
    events, _ = entries(
        document(
            quake("<type>not existing</type>", origin("a")),
            quake(origin("a", status="rejected")),
            quake(origin("a", status="rejected"), origin("b", status="confirmed", longitude="11")),
        )
    )
    assert [e.status for e in events] == ["deleted", "deleted", "reviewed"]
    assert events[2].location.longitude == 11


def test_ids_in_all_their_shapes() -> None:
    names = {
        "smi:www.iris.edu/ws/event/query?eventId=3279407": "www.iris.edu:3279407",
        "quakeml:comcat.cr.usgs.gov/fdsnws/event/1/query?eventid=ci1&amp;format=quakeml": "comcat.cr.usgs.gov:ci1",
        "smi:de.bgr/out.97566/20150304062151/event/1": "de.bgr:out.97566/20150304062151/event/1",
        "quakeml:Nc.anss.org/Event/NC/72282711#148": "nc.anss.org:72282711",
    }
    events, problems = entries(document(*(quake(origin("a"), public_id=name) for name in names)))
    assert not problems
    assert [e.key for e in events] == list(names.values())


def test_a_bad_event_is_a_problem_and_the_others_are_kept() -> None:
    bad = [
        quake(),
        quake(origin("a"), public_id=""),
        quake(origin("a", longitude="east")),
        quake(origin("a", longitude="NaN")),
        quake("<origin publicID='o'/>"),
    ]
    events, problems = entries(document(quake(origin("a")), *bad, quake(origin("a"))))
    assert (len(events), len(problems)) == (2, len(bad))


def test_cut_in_half_keeps_what_was_whole() -> None:
    whole = document(*(quake(origin("a"), public_id=f"smi:x/{n}") for n in range(400)))
    events, problems = entries(whole[: len(whole) // 2])
    assert 190 <= len(events) <= 200
    assert len(problems) == 1
    assert "breaks off" in problems[0].reason


def test_other_xml_is_refused() -> None:
    assert "not QuakeML" in refusal("<alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'/>")
    assert "not XML" in refusal("<quakeml >" + "<a>" * 10)


def test_entities_are_not_expanded_and_nothing_is_fetched() -> None:
    evil = document(quake(origin("a"), "<description><type>region name</type><text>&x;</text></description>")).replace(
        "<q:quakeml", '<!DOCTYPE q [<!ENTITY x SYSTEM "file:///etc/passwd">]><q:quakeml', 1
    )
    events, problems = entries(evil)
    assert all("root" not in str(entry) for entry in (*events, *problems))
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    bomb = evil.replace('<!ENTITY x SYSTEM "file:///etc/passwd">', f'<!ENTITY l0 "ha">{laughs}').replace("&x;", "&l11;")
    assert "amplification" in refusal(bomb)


@pytest.mark.skipif(not STATM.exists(), reason="resident memory is read as Linux has it")
def test_memory_stays_flat() -> None:
    pick = "<pick publicID='p'><time><value>2020-01-01T00:00:00Z</value></time></pick>"
    whole = document(*(quake(pick * 500, origin("a"), public_id=f"smi:x/{n:05}") for n in range(300))).encode()
    before, highest, count = resident_bytes(), 0, 0
    for _ in formats.read(io.BytesIO(whole), mode="test"):
        highest, count = max(highest, resident_bytes()), count + 1
    assert count == 300
    # Held as a tree it takes about 100 MB.
    assert highest - before < 25_000_000


def resident_bytes() -> int:
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(("name", "count"), [("quakeml_sed.xml", 4), ("quakeml_iris.xml", 2)])
def test_other_agencies_files(name: str, count: int) -> None:
    of_another_agency(DATA / name, count)


@sized
def test_a_catalogue_of_another_agency() -> None:
    path, whole = recorded("quakeml_sed_catalog.xml", "quakeml/etas_sed_catalog.xml")
    of_another_agency(path, 1142 if whole else 25)


def of_another_agency(path: Path, count: int) -> None:
    events, problems = entries(path)
    assert not problems
    assert len({e.key for e in events}) == count
    assert all(e.source != "usgs" for e in events)
