"""Answers as agencies have been reported to give them, through the sources: nothing is lost, nothing made up."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from quakestream import sources
from quakestream.event import EarthquakeEvent, iso_time
from quakestream.sources import Source
from tests.sources import test_emsc as emsc
from tests.sources import test_usgs as usgs
from tests.sources.fakes import Answer, Clock, FakeOutlet, Query, agency, context, http, running

NOW_MS = 1_700_000_000_000
AGO = iso_time(NOW_MS - 300_000)[:-1]
HEADING = (
    "#EventID|Time|Latitude|Longitude|Depth/km|Author|Catalog|Contributor|ContributorID|MagType|Magnitude|MagAuthor"
    "|EventLocationName"
)
SPACE = "http://quakeml.org/xmlns"


class Shows:
    """An agency's service that answers every query with what it is told to, and what its clock says."""

    def __init__(self, *answers: Answer) -> None:
        self.clock = Clock(NOW_MS)
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, query: Query) -> Answer:
        if query.method != "query":
            return http('<application><param name="starttime"/><param name="format"/></application>')
        self.asked += 1
        self.clock.now_ms += 1000
        return self.answers[0]


async def polled(folder: Path, shows: Shows, *then: Answer, **options: Any) -> tuple[list[EarthquakeEvent], Source]:
    """What comes of a service that shows one answer after the other, each twice."""
    outlet = FakeOutlet()
    async with agency(b"", archive=shows) as server:
        given = {"name": "fdsn", "url": server.fdsn_url, "source": "ex", "pollIntervalS": 0.01, "format": "text"}
        source = sources.build(given | options, context(folder, now_ms=shows.clock))
        async with running(source.run(outlet)):
            for answer in (None, *then):
                if answer is not None:
                    shows.answers = [answer]
                before = shows.asked
                async with asyncio.timeout(15):
                    while shows.asked < before + 3:  # noqa: ASYNC110 - the service has no event to wait for
                        await asyncio.sleep(0.01)
    return outlet.events, source


def text(*rows: str, heading: str = HEADING, charset: str = "utf-8") -> Answer:
    body = "".join(f"{line}\n" for line in (heading, *rows)).encode(charset)
    return http(body, Content_Type=f"text/plain; charset={charset}")


def xml(*events: str) -> Answer:
    return http(
        f'<q:quakeml xmlns:q="{SPACE}/quakeml/1.2" xmlns="{SPACE}/bed/1.2"><eventParameters publicID="smi:x/c">'
        f"{''.join(events)}</eventParameters></q:quakeml>"
    )


def quake(
    public_id: str, *, at: str = AGO, created: str = AGO, magnitude: float = 5.0, latitude: float = 20, more: str = ""
) -> str:
    return (
        f'<event publicID="{public_id}" {more}><origin publicID="smi:x/o"><time><value>{at}</value></time><latitude>'
        f"<value>{latitude}</value></latitude><longitude><value>20</value></longitude><creationInfo><creationTime>"
        f"{created}</creationTime></creationInfo></origin><magnitude publicID='smi:x/m'><mag><value>{magnitude}</value>"
        f"</mag></magnitude></event>"
    )


def row(
    id_: str = "a0001", *, at: str = AGO, place: str = "38.80|-122.80|2.0", magnitude: str = "3.1", name: str = "X"
) -> str:
    return f"{id_}|{at}|{place}|NC|NCSS|NCSS||Md|{magnitude}|NC|{name}"


def test_text_in_the_charset_that_the_answer_states(tmp_path: Path) -> None:
    shown = text(row(name="Añonuevo"), charset="iso-8859-1")
    events, _ = asyncio.run(polled(tmp_path, Shows(shown)))
    assert [event.place for event in events] == ["Añonuevo"]


def test_a_value_that_can_not_be_read_is_null_and_stands_in_the_status(tmp_path: Path) -> None:
    events, source = asyncio.run(polled(tmp_path, Shows(text(row(magnitude="NaN"), row("a0002")))))
    assert [(event.id, event.magnitude) for event in events] == [("a0001", None), ("a0002", 3.1)]
    assert source.unread.count >= 1
    assert "magnitude" in (source.unread.last or "")


def test_updated_ahead_is_published_once_with_the_time_of_first_seeing(tmp_path: Path) -> None:
    ahead = iso_time(NOW_MS + 9 * 3_600_000)
    shows = Shows(xml(quake("smi:x/loc0001", created=ahead), quake("smi:x/loc0002")))
    events, source = asyncio.run(polled(tmp_path, shows, format="quakeml"))
    assert sorted(event.id for event in events) == ["loc0001", "loc0002"]
    [first] = [event for event in events if event.id == "loc0001"]
    assert NOW_MS <= (first.updated_ms or 0) <= NOW_MS + 2000
    assert "ahead" in (source.unread.last or "")


@pytest.mark.parametrize("format_", ["text", "quakeml"])
def test_a_report_that_has_become_nothing_is_withdrawn_where_it_was(tmp_path: Path, format_: str) -> None:
    if format_ == "text":
        shown = [text(row()), text(row(place="0.00000|0.00000|0.000", magnitude="0.0", name=""))]
    else:
        zero = quake("smi:x/a0001", latitude=0, magnitude=0, created=iso_time(NOW_MS))
        shown = [xml(quake("smi:x/a0001")), xml(zero.replace(">20<", ">0<"))]
    events, _ = asyncio.run(
        polled(tmp_path, Shows(shown[0]), shown[1], shown[0].replace(b"3.1", b"3.3"), format=format_)
    )
    assert [event.status for event in events][:2] == ["automatic", "deleted"]
    assert all(event.location.latitude != 0 for event in events)
    assert events[0].location == events[1].location
    assert events[1].magnitude == events[0].magnitude
    assert (events[1].updated_ms or 0) > (events[0].updated_ms or 0)
    assert len(events) == (3 if format_ == "text" else 2), "the same withdrawal again is nothing new"


def test_what_was_never_located_is_never_located_there(tmp_path: Path) -> None:
    events, _ = asyncio.run(polled(tmp_path, Shows(text(row(place="0|0|0", magnitude="0.0"), row("a0002")))))
    assert [event.id for event in events] == ["a0002"]


def test_the_emsc_deletes_without_a_place(tmp_path: Path) -> None:
    async def test() -> None:
        gone = {"type": "Feature", "properties": {"unid": emsc.feature(1)["id"]}}
        never = {"type": "Feature", "properties": {"unid": "20250303_0000099"}}
        frames = (emsc.frame(emsc.feature(1)), emsc.frame(gone, "delete"), emsc.frame(never, "delete"))
        one = emsc.centre(emsc.plays(*frames, emsc.frame(gone, "delete"), emsc.frame(emsc.feature(2))))
        async with emsc.at_work(tmp_path, one) as outlet:
            await outlet.until(lambda: len(outlet.events) == 3)
            first, deleted, other = outlet.events
            assert (deleted.id, deleted.status, deleted.location) == (first.id, "deleted", first.location)
            assert (deleted.updated_ms or 0) > (first.updated_ms or 0)
            assert other.id == emsc.feature(2)["id"]

    asyncio.run(test())


def test_the_usgs_deletes_without_a_place(tmp_path: Path) -> None:
    told = usgs.FEATURES[0]
    gone = {**told, "geometry": None, "properties": {**told["properties"], "status": "deleted", "time": None}}
    gone["properties"]["updated"] += 1000
    outlet, _ = usgs.polled(tmp_path, http(usgs.feed(told)), http(usgs.feed(gone)), http(usgs.feed(gone)))
    assert [event.status for event in outlet.events] == [outlet.events[0].status, "deleted"]
    assert outlet.events[1].location == outlet.events[0].location


# --- what reports are called -----------------------------------------------------------------------------------------

SHOCKS = ((20.0, 5.0), (30.0, 6.0), (40.0, 7.0))


@pytest.mark.parametrize(
    "shape",
    [
        "smi:local/ndk/C20240{n}010000A/event",
        "smi:local/cat#{n}",
        "smi:local/2024/{n}",
        "smi:local/file20240101#{n}",
        "smi:local/C2024{n}/version/00001",
        "quakeml:local/a{n}/EVENT",
        "smi:local/{n}/00042?x=1",
    ],
)
@pytest.mark.parametrize("apart", [False, True], ids=["together", "one by one"])
def test_public_ids_that_end_alike_are_as_many_reports(tmp_path: Path, shape: str, apart: bool) -> None:
    quakes = [quake(shape.format(n=n), latitude=place, magnitude=m) for n, (place, m) in enumerate(SHOCKS, 1)]
    shown = [xml(one) for one in quakes] if apart else []
    events, _ = asyncio.run(
        polled(tmp_path, Shows(*(shown[:1] or [xml(*quakes)])), *shown[1:], xml(*quakes), format="quakeml")
    )
    assert len({event.id for event in events}) == 3
    assert {event.id: event.magnitude for event in events}.keys() == {event.id for event in events[:3]}
    assert sorted(event.magnitude or 0 for event in events) == [5.0, 6.0, 7.0], "none is a revision of another"


@pytest.mark.parametrize(
    ("public_id", "id_"),
    [
        ("smi:ch.ethz.sed/sc25a/Event/2026errxzt", "2026errxzt"),
        ("smi:webservices.ingv.it/fdsnws/event/1/query?eventId=44000001", "44000001"),
        ("quakeml:eu.emsc/event/20240101_0000001", "20240101_0000001"),
        ("smi:nz.org.geonet/2024p123456", "2024p123456"),
    ],
)
def test_ids_stay_as_they_are_where_the_last_part_is_what_its_text_says(
    tmp_path: Path, public_id: str, id_: str
) -> None:
    shows = Shows(xml(quake(public_id)))
    events, _ = asyncio.run(polled(tmp_path, shows, text(row(id_, place="20|20|", magnitude="5.0")), format="quakeml"))
    assert {event.id for event in events} == {id_}


@pytest.mark.parametrize("id_", ["event", "cat", "goner"])
def test_a_report_that_is_stored_under_its_old_id_keeps_it(tmp_path: Path, id_: str) -> None:
    name = {"event": "smi:local/ndk/C1/event", "cat": "smi:local/cat#1", "goner": "smi:local/a/goner#7"}[id_]
    told = quake(name)
    old = EarthquakeEvent(
        id=id_, magnitude=5.0, location={"latitude": 20.0, "longitude": 20.0}, timestamp_ms=NOW_MS - 300_000,  # type: ignore[arg-type]
        source="ex", mode="actual", status="automatic", type="earthquake", updated_ms=NOW_MS - 300_000,
    )  # fmt: skip
    context(tmp_path).memory.mark([old], NOW_MS)
    context(tmp_path).memory._db.execute("DROP TABLE said")  # as 0.1.0 left it
    context(tmp_path).memory._db.execute("DROP TABLE names")
    events, _ = asyncio.run(
        polled(tmp_path, Shows(xml(told, quake("smi:local/other#2", latitude=50))), format="quakeml")
    )
    assert [event.id for event in events if event.location.latitude == 20] in ([], [id_])
    assert len({event.id for event in events}) <= 2


ANSS = 'xmlns:c="http://anss.org/xmlns/catalog/0.1" c:eventsource="nc" c:eventid="75000077"'
FORMS = {
    "anss": (quake("quakeml:nc.ex.org/Event/NC/75000077", more=ANSS), "75000077"),
    "last part": (quake("smi:x/event/2024abcd"), "2024abcd"),
    "value": (quake("smi:ISC/evid=600516598"), "600516598"),
}


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("first", ["quakeml", "text"])
@pytest.mark.parametrize("forgotten", [False, True], ids=["", "names of 0.1.0"])
def test_a_switch_of_the_format_makes_no_report_twice(tmp_path: Path, kind: str, first: str, forgotten: bool) -> None:
    switched(tmp_path, kind, first, "nc", forgotten=forgotten)


@pytest.mark.parametrize("first", ["quakeml", "text"])
@pytest.mark.parametrize("code", ["ex", None])
def test_nor_does_it_where_the_code_is_not_known(tmp_path: Path, first: str, code: str | None) -> None:
    """As of a service that is nobody's whom we know: `nc` may be said of the NCEDC's own alone."""
    switched(tmp_path, "anss", first, code)


def switched(folder: Path, kind: str, first: str, code: str | None, *, forgotten: bool = False) -> None:
    as_xml, id_ = FORMS[kind]
    if forgotten and kind == "value":
        pytest.skip("0.1.0 could not know, and its id is not its text's")
    shown = {"quakeml": xml(as_xml), "text": text(row(id_, place="20|20|", magnitude="5.0"))}
    then = "text" if first == "quakeml" else "quakeml"
    named = {} if code is None else {"agency": code}
    before, _ = asyncio.run(polled(folder, Shows(shown[first]), format=first, **named))
    if forgotten:
        context(folder).memory._db.execute("DROP TABLE names")
    after, _ = asyncio.run(polled(folder, Shows(shown[then]), shown[then], format=then, **named))
    again, _ = asyncio.run(polled(folder, Shows(shown[first]), format=first, **named))
    assert len({event.id for event in [*before, *after, *again]}) == 1


@pytest.mark.parametrize("place", ["49.6|-129.2|10", "49.601|-129.201|12"])
def test_the_same_solution_under_a_new_id_is_a_revision(tmp_path: Path, place: str) -> None:
    first, new = row("20261127.0001001", place="49.6|-129.2|10"), row("20261127.0001002", place=place, magnitude="3.3")
    moved = row("20261127.0001002", place="49.7|-129.4|12", magnitude="3.4")
    events, _ = asyncio.run(polled(tmp_path, Shows(text(first)), text(new), text(moved), text(moved, row("b0001"))))
    assert [event.id for event in events] == ["20261127.0001001"] * 3 + ["b0001"]
    assert [event.magnitude for event in events] == [3.1, 3.3, 3.4, 3.1]


def test_two_that_are_shown_together_are_two_reports(tmp_path: Path) -> None:
    both = text(row("a0001"), row("a0002", magnitude="3.3"))
    events, _ = asyncio.run(
        polled(tmp_path, Shows(text(row("a0001"))), both, both, text(row("a0002", magnitude="3.3")))
    )
    assert sorted((event.id, event.magnitude) for event in events) == [("a0001", 3.1), ("a0002", 3.3)]
