"""Any agency's FDSN event service, in small: QuakeML or text, with `updatedafter` or without, and its faults."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quakestream import sources
from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, iso_time
from quakestream.sources import fdsn
from quakestream.sources.emsc import EmscOptions
from quakestream.sources.presets import PRESETS
from quakestream.sources.usgs import UsgsOptions
from tests.formats.reading import DATA, ROOT
from tests.sizes import size
from tests.sources.fakes import Agency, Answer, Clock, FakeOutlet, Query, agency, context, http, running

NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
HEADING = (
    "#EventID|Time|Latitude|Longitude|Depth/km|Author|Catalog|Contributor|ContributorID|MagType|Magnitude|MagAuthor"
    "|EventLocationName|EventType\n"
)


@dataclass(frozen=True)
class Report:
    number: int
    time_ms: int
    magnitude: float = 2.5
    updated_ms: int = 0
    type: str = "earthquake"

    @property
    def text(self) -> str:
        at = iso_time(self.time_ms)[:-1]
        return (
            f"smi:ch.ethz.sed/sc25a/Event/2023ev{self.number:03}|{at}|46.17|7.48|3.2|tdiehl@sc25ag||SED|x|MLhc"
            f"|{self.magnitude}|tdiehl@sc25ag|Sion VS|{self.type}\n"
        )

    @property
    def xml(self) -> str:
        return f"""<event publicID="smi:ch.ethz.sed/sc25a/Event/2023ev{self.number:03}"><type>{self.type}</type>
            <creationInfo><creationTime>{iso_time(self.updated_ms)}</creationTime></creationInfo>
            <origin publicID="o{self.number}"><time><value>{iso_time(self.time_ms)}</value></time>
            <latitude><value>46.17</value></latitude><longitude><value>7.48</value></longitude>
            <depth><value>3200</value></depth><evaluationMode>manual</evaluationMode></origin>
            <magnitude><mag><value>{self.magnitude}</value></mag><type>MLhc</type></magnitude></event>"""


def body(reports: list[Report], form: str) -> bytes:
    if form == "text":
        return (HEADING + "".join(report.text for report in reports)).encode()
    inner = "".join(report.xml for report in reports)
    space = "http://quakeml.org/xmlns"
    return f"""<?xml version="1.0"?><q:quakeml xmlns="{space}/bed/1.2" xmlns:q="{space}/quakeml/1.2">
        <eventParameters publicID="smi:x/y">{inner}</eventParameters></q:quakeml>""".encode()


@dataclass
class Service:
    """An agency's service; `answers` replace its next ones."""

    clock: Clock = field(default_factory=lambda: Clock(NOW_MS))
    reports: dict[int, Report] = field(default_factory=dict)
    knows_updated_after: bool = False
    most: int = 1000
    answers: list[Answer] = field(default_factory=list)
    no_data: str = "204 No Content"

    def put(self, number: int, **fields: Any) -> None:
        before = self.reports.get(number)
        given = {"time_ms": before.time_ms if before else self.clock.now_ms} | fields
        self.reports[number] = Report(number, updated_ms=self.clock.now_ms, **given)

    def __call__(self, query: Query) -> Answer:
        if query.method == "application.wadl":
            name = "updatedafter" if self.knows_updated_after else "updated"
            return http(f'<param name="starttime"/><param name="{name}" style="query"/>')
        if self.answers:
            return self.answers.pop(0)
        found = [
            report
            for report in self.reports.values()
            if query.covers(report.time_ms)
            and ("updatedafter" not in query or report.updated_ms > query.time_ms("updatedafter"))
        ]
        if len(found) > self.most:
            return http("Error 413: Request Entity Too Large", "413 Too Large")
        if not found:
            return http("", self.no_data)
        return http(body(found[: int(query["limit"])], {"xml": "quakeml"}.get(query["format"], query["format"])))


@contextlib.asynccontextmanager
async def at_work(folder: Path, service: Service, **options: Any) -> AsyncIterator[tuple[FakeOutlet, Agency]]:
    outlet = FakeOutlet()
    async with agency(b"", archive=service) as server:
        given = {"name": "fdsn", "url": server.fdsn_url, "source": "sed", "pollIntervalS": 0.01} | options
        async with running(sources.build(given, context(folder, now_ms=service.clock)).run(outlet)):
            yield outlet, server


def polls(server: Agency, more: int = 3) -> Callable[[], bool]:
    before = len(server.asked)
    return lambda: len(server.asked) >= before + more


def run(test: Callable[[], Any]) -> None:
    asyncio.run(test())


FORMS = pytest.mark.parametrize("form", ["text", "quakeml"])


@FORMS
def test_what_is_there_is_published_once_and_under_the_sources_name(tmp_path: Path, form: str) -> None:
    async def test() -> None:
        service = Service()
        for number in range(5):
            service.put(number, time_ms=NOW_MS - number * HOUR_MS)
        async with at_work(tmp_path, service, format=form) as (outlet, server):
            await outlet.until(lambda: outlet.events)
            await outlet.until(polls(server))
            assert sorted(event.key for event in outlet.events) == [f"sed:2023ev{n:03}" for n in range(5)]
            first = next(event for event in outlet.events if event.id == "2023ev000")
            assert (first.mode, first.magnitude, first.location.depth_km) == ("actual", 2.5, 3.2)
            assert first.updated_ms == NOW_MS
            assert first.status == ("automatic" if form == "text" else "reviewed")
            assert server.asked[1].headers["user-agent"].startswith("quakestream/")
        async with at_work(tmp_path, service, format=form) as (later, server):
            await later.until(polls(server))
            assert later.events == []

    run(test)


@FORMS
@pytest.mark.parametrize("by_update", [False, True])
def test_revisions_are_found_however_the_service_is_asked(tmp_path: Path, form: str, by_update: bool) -> None:
    async def test() -> None:
        service = Service(knows_updated_after=by_update)
        service.put(1)
        async with at_work(tmp_path, service, format=form) as (outlet, server):
            await outlet.until(lambda: len(outlet.events) == 1)
            service.clock.now_ms += HOUR_MS
            service.put(1, magnitude=3.0)
            await outlet.until(lambda: len(outlet.events) == 2)
            assert [event.updated_ms for event in outlet.events] == [NOW_MS, NOW_MS + HOUR_MS]
            assert ("updatedafter" in server.asked[-1]) is by_update
            service.clock.now_ms += HOUR_MS
            service.put(1, type="not existing")
            await outlet.until(lambda: len(outlet.events) == 3)
            assert outlet.events[-1].status == "deleted"

    run(test)


def test_without_times_a_content_is_as_old_as_its_first_sight_also_across_a_crash(tmp_path: Path) -> None:
    async def test() -> None:
        service = Service()
        service.put(1)
        async with at_work(tmp_path, service, format="text") as (outlet, _):
            outlet.hold_after = 0
            await outlet.until(lambda: outlet.events)
        service.clock.now_ms += 5 * 60_000
        async with at_work(tmp_path, service, format="text") as (later, server):
            await later.until(lambda: later.events)
            assert later.events == outlet.events, "not acknowledged: said again, as it was"
            service.clock.now_ms += 5
            service.put(1, magnitude=9.0)
            await later.until(lambda: len(later.events) == 2)
            service.clock.now_ms += 5
            service.put(1)
            await later.until(lambda: len(later.events) == 3)
            await later.until(polls(server))
        moments = [event.updated_ms - NOW_MS for event in later.events if event.updated_ms]
        assert moments == [0, 5 * 60_000 + 5, 5 * 60_000 + 10], "back to the first content is a revision too"

    run(test)


def test_an_event_that_is_no_longer_there_means_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        service = Service()
        service.put(1)
        async with at_work(tmp_path, service) as (outlet, server):
            await outlet.until(lambda: outlet.events)
            del service.reports[1]
            await outlet.until(polls(server))
            assert len(outlet.events) == 1

    run(test)


def test_a_deep_look_comes_less_often(tmp_path: Path) -> None:
    async def test() -> None:
        service = Service()
        async with at_work(tmp_path, service) as (outlet, server):
            await outlet.until(polls(server, 5))
            service.clock.now_ms += 6 * HOUR_MS
            await outlet.until(polls(server, 5))
            reaches = [(query.time_ms("endtime") - query.time_ms("starttime")) // HOUR_MS for query in server.asked[1:]]
        assert reaches.count(7 * 24) == 1
        assert set(reaches) == {24, 7 * 24}

    run(test)


@pytest.mark.parametrize("way", ["413", "full pages"])
def test_too_much_at_once_is_split(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "full pages":
        monkeypatch.setattr(fdsn, "PAGE", 20)

    async def test() -> None:
        service = Service(most=20 if way == "413" else 1000)
        for number in range(150):
            service.put(number, time_ms=NOW_MS - number * 10 * 60_000)
        async with at_work(tmp_path, service, backfillDays=2) as (outlet, _):
            await outlet.until(lambda: len(outlet.events) == 150)
        assert len({event.id for event in outlet.events}) == 150

    run(test)


FAULTS: dict[str, tuple[Answer, str]] = {
    "a page": (http("<html><body>Busy</body></html>"), "not"),
    "a page as text": (http("Service temporarily down"), "not"),
    "cut": (http(body([Report(1, NOW_MS)], "quakeml")[:400]), "not XML"),
    "a cut connection": (http(body([Report(1, NOW_MS)], "quakeml")[:400], length=5000), "RemoteProtocolError"),
    "busy": (http("", "503 Busy"), "HTTP 503"),
    "too often": (http("", "429 Too Many Requests", Retry_After="0"), "HTTP 429"),
    "refused": (http("", "403 Forbidden"), "HTTP 403"),
    "no such service": (http("<html>", "404 Not Found"), "HTTP 404"),
    "no answer": (b"", "RemoteProtocolError"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_reported_and_the_next_poll_goes_on(tmp_path: Path, name: str) -> None:
    fault, reason = FAULTS[name]

    async def test() -> None:
        service = Service(answers=[fault])
        service.put(1)
        async with at_work(tmp_path, service) as (outlet, _):
            await outlet.until(lambda: outlet.events)
            assert outlet.states[0][0] == "failing"
            assert reason in (outlet.states[0][1] or "")
            await outlet.until(lambda: outlet.states[-1] == ("live", None))

    run(test)


def test_a_silent_server_is_left(tmp_path: Path) -> None:
    async def silence(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)

    async def test() -> None:
        service = Service(answers=[silence])
        service.put(1)
        async with agency(b"", archive=service) as server:
            given = {"name": "fdsn", "url": server.fdsn_url, "source": "sed", "pollIntervalS": 0.01}
            made = sources.build(given, context(tmp_path, now_ms=service.clock, http_timeout_s=0.1))
            outlet = FakeOutlet()
            async with running(made.run(outlet)):
                await outlet.until(lambda: outlet.events)
            assert outlet.states[0][0] == "failing"

    run(test)


@pytest.mark.parametrize("no_data", ["204 No Content", "404 Not Found"])
def test_nothing_there_is_an_answer_too(tmp_path: Path, no_data: str) -> None:
    async def test() -> None:
        service = Service()
        service.put(1)
        async with at_work(tmp_path, service) as (outlet, server):
            await outlet.until(lambda: outlet.events)
            service.reports.clear()
            service.no_data = no_data
            await outlet.until(polls(server))
            assert {state for state, _ in outlet.states} == {"live"}

    run(test)


def test_a_service_that_can_not_be_asked_by_update_after_all_is_asked_by_windows(tmp_path: Path) -> None:
    async def test() -> None:
        service = Service(knows_updated_after=True)
        service.put(1)
        async with at_work(tmp_path, service) as (outlet, _):
            await outlet.until(lambda: outlet.events)
            service.answers = [http("Error 400: Bad Request: updatedafter", "400 Bad Request")]
            await outlet.until(lambda: any(state == "failing" for state, _ in outlet.states))
            service.knows_updated_after = False
            service.put(2)
            await outlet.until(lambda: len(outlet.events) == 2)

    run(test)


def test_a_bad_entry_keeps_none_of_the_others_out(tmp_path: Path) -> None:
    async def test() -> None:
        good = Report(1, NOW_MS).text
        lines = HEADING + "x|y\n" + good.replace("46.17", "146.17").replace("ev001", "ev002") + good + good[:60]
        service = Service(answers=[http(lines)])
        async with at_work(tmp_path, service, format="text") as (outlet, _):
            await outlet.until(lambda: outlet.events)
        assert [event.id for event in outlet.events] == ["2023ev001"]

    run(test)


@FORMS
@pytest.mark.parametrize(
    ("who", "by_update"),
    [
        ("they", False),
        ("we", True),
        *(pytest.param(*one, marks=pytest.mark.long) for one in (("they", True), ("we", False))),
    ],
)
def test_an_hour_down_and_back_none_is_missing_none_doubled_and_none_vanishes(
    tmp_path: Path, form: str, by_update: bool, who: str
) -> None:
    async def test() -> None:
        service = Service(knows_updated_after=by_update)
        seen: list[EarthquakeEvent] = []
        number = 0
        down = http("", "503 Busy")
        for _ in range(3):
            async with at_work(tmp_path, service, format=form) as (outlet, server):
                if who == "they":
                    service.answers = [down] * 3
                    await outlet.until(lambda: any(state == "failing" for state, _ in outlet.states))
                service.answers = []
                await outlet.until(lambda: outlet.states and outlet.states[-1][0] == "live")
                for _ in range(6):
                    service.clock.now_ms += HOUR_MS // 6
                    number += 1
                    service.put(number)
                    await outlet.until(polls(server, 2))
                wanted = {f"2023ev{n:03}" for n in service.reports}
                await outlet.until(lambda: {e.id for e in [*seen, *outlet.events]} == wanted)  # noqa: B023
                seen += outlet.events
            for _ in range(6):  # an hour of which nobody hears
                service.clock.now_ms += HOUR_MS // 6
                number += 1
                service.put(number)
            service.put(number - 8, magnitude=5.0)
        identities = [(event.id, event.updated_ms) for event in seen]
        assert len(identities) == len(set(identities)) == 30 + 2
        assert sum(event.magnitude == 5.0 for event in seen) == 2
        assert all(event.status != "deleted" for event in seen)

    run(test)


@settings(max_examples=size(3, 15), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 4), st.sampled_from([1.0, 2.0, 3.0]), st.sampled_from(["ok", "503", "cut", "restart"])
        ),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_happens_the_last_word_of_each_report_is_the_services(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, float, str]]
) -> None:
    folder = tmp_path_factory.mktemp("fdsn")

    async def test() -> None:
        service = Service()
        last: dict[str, EarthquakeEvent] = {}
        remaining = list(steps)
        while remaining:
            async with at_work(folder, service, format="text") as (outlet, server):
                while remaining:
                    number, magnitude, fault = remaining.pop(0)
                    service.clock.now_ms += 60_000
                    service.put(number, magnitude=magnitude)
                    if fault != "ok":
                        service.answers = [http("", "503 Busy") if fault == "503" else http(HEADING[:20])]
                    if fault == "restart":
                        break
                    await outlet.until(polls(server, 1))
                await outlet.until(polls(server, 1))
                await outlet.until(lambda: outlet.states and outlet.states[-1][0] == "live")
                await outlet.until(polls(server, 2))
                for event in outlet.events:
                    assert event.id not in last or event.updated_ms > last[event.id].updated_ms
                    last[event.id] = event
        assert {id_: event.magnitude for id_, event in last.items()} == {
            f"2023ev{n:03}": report.magnitude for n, report in service.reports.items()
        }

    run(test)


# options


def test_several_run_side_by_side_under_labels_of_their_own(tmp_path: Path) -> None:
    labels = [sources.build({"name": "fdsn", "preset": name}, context(tmp_path)).label for name in PRESETS]
    assert labels == [f"fdsn:{name}" for name in PRESETS]
    renamed = {"name": "fdsn", "preset": "ingv", "source": "ingv-mirror", "url": None}
    assert sources.build(renamed, context(tmp_path)).label == "fdsn:ingv-mirror"


def test_a_preset_has_other_names(tmp_path: Path) -> None:
    for alias in ("eth", "ethz"):
        assert sources.build({"name": "fdsn", "preset": alias}, context(tmp_path)).label == "fdsn:sed"


def test_presets_are_whole() -> None:
    assert list(PRESETS) == sorted(PRESETS)
    for preset in PRESETS.values():
        assert preset.url.startswith("https://")
        assert preset.url.endswith("/fdsnws/event/1/")
        assert preset.terms
        assert preset.poll_interval_s >= fdsn.MIN_POLL_INTERVAL_S


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "either"),
        ({"preset": "ingv", "url": "https://example.org/"}, "either"),
        ({"preset": "koeri"}, "koeri"),
        ({"url": "https://example.org/"}, "needs a source"),
        ({"url": "ftp://example.org/", "source": "x"}, "url"),
        ({"url": "https://example.org/", "source": "usgs"}, "another source's"),
        ({"url": "https://example.org/", "source": "A:b"}, "source"),
        ({"preset": "ingv", "format": "json"}, "format"),
        ({"preset": "ingv", "pollIntervalS": 59}, "60 s at least"),
    ],
)
def test_bad_options_are_named(tmp_path: Path, options: dict[str, Any], named: str) -> None:
    with pytest.raises(Rejected, match=named):
        sources.build({"name": "fdsn"} | options, context(tmp_path))


@pytest.mark.parametrize(("recorded", "known"), [("fdsn_usgs.wadl", True), ("fdsn_seismicportal.wadl", True)])
def test_recorded_descriptions_are_understood(tmp_path: Path, recorded: str, known: bool) -> None:
    wadl = (DATA / recorded).read_bytes()

    async def test() -> None:
        service = Service()
        service.put(1)

        def answer(query: Query) -> Answer:
            return http(wadl) if query.method == "application.wadl" else service(query)

        outlet = FakeOutlet()
        async with agency(b"", archive=answer) as server:
            given = {"name": "fdsn", "url": server.fdsn_url, "source": "sed", "pollIntervalS": 0.01}
            async with running(sources.build(given, context(tmp_path, now_ms=service.clock)).run(outlet)):
                await outlet.until(lambda: len(server.asked) >= 4)
            assert ("updatedafter" in server.asked[-1]) is known

    run(test)


def test_the_docs_name_every_option_and_every_preset_with_its_terms() -> None:
    described = (ROOT / "docs/sources.md").read_text()
    for name, preset in PRESETS.items():
        assert f"| `{name}` | {preset.about} | {preset.poll_interval_s:g} s | {preset.terms} |" in described
    for kind in (UsgsOptions, EmscOptions, fdsn.FdsnOptions):
        for option in kind.model_fields.values():
            assert f"`{option.alias}`" in described
