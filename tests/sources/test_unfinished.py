"""An answer that was not read to its end moves no cursor; what a service does not know is not asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quakestream.errors import Rejected, Retryable
from quakestream.event import EarthquakeEvent
from quakestream.formats import Entry
from quakestream.sources.client import Client
from quakestream.sources.event_service import Archive, EventService, Form, Reach, parameters_in
from tests.sizes import size, sized
from tests.sources.fakes import Answer, Clock, Query, agency, context, http
from tests.sources.test_fdsn import HOUR_MS, NOW_MS, Report, Service, at_work, body, polls, run

REPORTS = [Report(n, NOW_MS - n * HOUR_MS, updated_ms=NOW_MS) for n in range(1, 5)]
IDS = {f"2023ev{n:03}" for n in range(1, 5)}


def framed(whole: bytes, cut: int, framing: str) -> bytes:
    """The first bytes of an answer, as three kinds of servers end it."""
    part = whole[:cut]
    if framing == "length":
        return http(part, length=len(whole))
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
    if framing == "chunks":
        return head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(part), part) if part else head + b"\r\n"
    return head + b"\r\n" + part


@sized
@pytest.mark.hypothesis
@pytest.mark.parametrize("form", ["quakeml", "text"])
@pytest.mark.parametrize("framing", ["length", "chunks", "close"])
def test_an_answer_cut_at_any_byte_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, form: Form, framing: str
) -> None:
    whole = body(REPORTS, form)

    @settings(max_examples=size(4, 40), deadline=None)
    @given(cut=st.integers(0, len(whole) - 1))
    def check(cut: int) -> None:
        if form == "text" and framing == "close" and whole[:cut].endswith(b"\n"):
            return  # nothing tells it from a whole answer: neither the form nor HTTP
        run(lambda: _read(tmp_path_factory.mktemp("memory"), form, framed(whole, cut, framing), http(whole)))

    check()


def events_of(_: str, entries: Sequence[Entry]) -> list[EarthquakeEvent]:
    return [entry for entry in entries if isinstance(entry, EarthquakeEvent)]


async def _read(folder: Path, form: Form, cut: bytes, whole: bytes) -> None:
    answers: list[Answer] = [cut, whole]
    read: list[EarthquakeEvent] = []

    async def deliver(events: object) -> None:
        read.extend(events)  # type: ignore[arg-type]  # a sequence of them

    async with agency(b"", archive=lambda _: answers.pop(0)) as server:
        given = context(folder, now_ms=Clock(NOW_MS))
        async with Client(given, "*/*") as client:
            service = EventService(client, server.fdsn_url, form, settle=events_of, now_ms=given.now_ms, limit=100)
            archive = Archive(service, given.memory, "key", given.now_ms, Reach(first_ms=24 * HOUR_MS), by_update=True)
            with pytest.raises((Retryable, Rejected)):
                await archive.step(deliver)
            assert archive.is_first, "the look is not done"
            first = {event.id: event for event in read}
            assert not await archive.step(deliver)
    assert {event.id for event in read} == IDS
    assert all(first[event.id] == event for event in read if event.id in first), "what was read of a part is right"
    given.memory.close()


def test_what_was_read_before_a_break_is_published_and_the_error_is_shown(tmp_path: Path) -> None:
    async def test() -> None:
        whole = body(REPORTS, "quakeml")
        service = Service(answers=[http(whole[: whole.rindex(b"<event ") + 50])] * 3)
        for report in REPORTS:
            service.reports[report.number] = report
        async with at_work(tmp_path, service) as (outlet, _):
            await outlet.until(lambda: outlet.states)
            assert outlet.states[0][0] == "failing"
            assert "breaks off" in (outlet.states[0][1] or "")
            assert {event.id for event in outlet.events} == IDS - {"2023ev004"}
            await outlet.until(lambda: outlet.states[-1] == ("live", None))
            assert sorted(event.id for event in outlet.events) == sorted(IDS)

    run(test)


def test_a_row_that_an_error_replaces_is_asked_for_again(tmp_path: Path) -> None:
    async def test() -> None:
        whole = body(REPORTS, "text")
        broken = b"\n".join(whole.splitlines()[:3]) + b"\nError 500: the database has gone away\n"
        service = Service(answers=[http(broken)], reports={r.number: r for r in REPORTS})
        async with at_work(tmp_path, service, format="text") as (outlet, _):
            await outlet.until(lambda: len(outlet.events) == 4)
            assert outlet.states[0][0] == "failing"

    run(test)


def test_a_last_line_without_its_end_is_read_where_the_answer_says_that_it_ends(tmp_path: Path) -> None:
    async def test() -> None:
        service = Service(answers=[http(body(REPORTS, "text").rstrip())], reports={r.number: r for r in REPORTS})
        async with at_work(tmp_path, service, format="text") as (outlet, _):
            await outlet.until(lambda: len(outlet.events) == 4)
            assert [state for state, _ in outlet.states] == ["live"] * len(outlet.states)

    run(test)


def wadl(*names: str) -> bytes:
    params = "".join(f'<param name="{name}" style="query"/>' for name in names)
    return http(f'<application xmlns="http://wadl.dev.java.net/2009/02"><method>{params}</method></application>')


REFUSALS = [
    'Error 400: "limit" is not supported',
    "Error 400: Bad Request\n\nUnrecognized parameter: limit\n\nRequest:\nhttp://x/query?format=xml&limit=5000",
    "<html><body><h1>Bad request</h1>Unknown query parameter <b>LIMIT</b></body></html>",
]


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("words", REFUSALS)
def test_a_parameter_that_is_not_known_is_left_out(tmp_path: Path, words: str, described: bool) -> None:
    asked: list[Query] = []

    def answer(query: Query) -> Answer:
        if query.method == "application.wadl":
            return wadl("starttime", "updatedafter") if described else http("", "404 Not Found")
        asked.append(query)
        if "limit" in query:
            return http(words, "400 Bad Request")
        return http(body(REPORTS, "quakeml"))

    async def test() -> None:
        async with at_work(tmp_path, answer) as (outlet, _):  # type: ignore[arg-type]  # what it calls is there
            await outlet.until(lambda: len(outlet.events) == 4)
            assert [state for state, _ in outlet.states] == ["live"] * len(outlet.states)

    answer.clock = Clock(NOW_MS)  # type: ignore[attr-defined]
    run(test)
    assert sum("limit" in query for query in asked) == (0 if described else 1)
    assert all("starttime" in query for query in asked)


def test_a_magnitude_that_can_not_be_asked_for_is_looked_at_here(tmp_path: Path) -> None:
    def answer(query: Query) -> Answer:
        if query.method == "application.wadl":
            return wadl("starttime", "endtime")
        reports = [Report(1, NOW_MS, magnitude=2.0), Report(2, NOW_MS, magnitude=4.0)]
        return http("", "400 Bad Request") if "minmagnitude" in query else http(body(reports, "quakeml"))

    async def test() -> None:
        async with at_work(tmp_path, answer, minMagnitude=3) as (outlet, server):  # type: ignore[arg-type]
            await outlet.until(polls(server))
            assert [event.id for event in outlet.events] == ["2023ev002"]

    answer.clock = Clock(NOW_MS)  # type: ignore[attr-defined]
    run(test)


def test_why_a_service_refuses_is_shown(tmp_path: Path) -> None:
    async def test() -> None:
        service = Service(answers=[http("Error 400: starttime is before 1900", "400 Bad Request")])
        async with at_work(tmp_path, service) as (outlet, _):
            await outlet.until(lambda: outlet.states)
            assert "starttime is before 1900" in (outlet.states[0][1] or "")

    run(test)


GONE = {
    "a page": http("<html><h1>404</h1>This service was retired.</html>", "404 Not Found"),
    "an empty page": http("<html><body></body></html>", "404 Not Found"),
    "words": http("No data here any more: the service has moved to https://example.org", "404 Not Found"),
    "410": http("", "410 Gone"),
    "a redirect to a home page": http("<html>Welcome</html>", "200 OK"),
}


@pytest.mark.parametrize("name", GONE)
def test_a_service_that_is_gone_fails_aloud(tmp_path: Path, name: str) -> None:
    async def test() -> None:
        service = Service(reports={1: REPORTS[0]})
        async with at_work(tmp_path, service) as (outlet, _):
            await outlet.until(lambda: outlet.events)
            service.answers = [GONE[name]] * 1000
            await outlet.until(lambda: outlet.states and outlet.states[-1][0] == "failing")
            assert outlet.states[-1][1]

    run(test)


def test_a_service_that_is_no_longer_there_at_all_fails_aloud(tmp_path: Path) -> None:
    service, gone = Service(reports={1: REPORTS[0]}), asyncio.Event()

    def answer(query: Query) -> Answer:
        return http("", "404 Not Found") if gone.is_set() else service(query)

    async def test() -> None:
        async with at_work(tmp_path, answer) as (outlet, _):  # type: ignore[arg-type]
            await outlet.until(lambda: outlet.events)
            gone.set()
            await outlet.until(lambda: outlet.states and outlet.states[-1][0] == "failing")
            assert "404" in (outlet.states[-1][1] or "")

    answer.clock = service.clock  # type: ignore[attr-defined]
    run(test)


NO_DATA = [
    "Error 404: No data available",
    "Error 404: Not Found\n\nNo events were found\n",
    "<html>no matching events</html>",
    "",
]


@pytest.mark.parametrize("words", NO_DATA)
def test_a_404_that_means_no_data_is_an_answer(tmp_path: Path, words: str) -> None:
    async def test() -> None:
        service = Service(answers=[http(words, "404 Not Found")] * 1000)
        async with at_work(tmp_path, service) as (outlet, server):
            await outlet.until(polls(server, 4))
            assert {state for state, _ in outlet.states} == {"live"}

    run(test)


def test_what_a_description_lists() -> None:
    assert parameters_in(b'<application><param name="Limit"/><param/></application>') == {"limit"}
    assert parameters_in(b'<param name="limit"/><param name="x"/>') is None, "not whole"
    assert parameters_in(b"<html/>") is None
    assert parameters_in(b"") is None
