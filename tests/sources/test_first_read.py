"""What a source shows when it is read for the very first time is back-fill; what is found after a gap is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

from quakestream.event import BACKFILL_HEADER, cloudevent_headers, is_backfill
from quakestream.sources.first_read import FirstRead
from tests.service.fakes import event
from tests.sources import test_emsc as emsc
from tests.sources import test_fdsn as fdsn
from tests.sources.fakes import FakeOutlet, agency, context, http, running
from tests.sources.test_usgs import FEATURES, WEEK_BODY, feed, polled, source


def test_a_first_read_that_was_cut_short_is_still_the_first(tmp_path: Path) -> None:
    memory = context(tmp_path).memory
    assert FirstRead(memory, "usgs", "usgs").begin()
    memory.mark([event(source="usgs")], 1)
    again = FirstRead(memory, "usgs", "usgs")
    assert again.begin()
    again.done()
    assert not again.begin()
    assert not FirstRead(memory, "usgs", "usgs").begin()


def test_a_source_of_which_something_is_known_has_had_its_first_read(tmp_path: Path) -> None:
    memory = context(tmp_path).memory
    memory.mark([event(source="usgs")], 1)
    assert not FirstRead(memory, "usgs", "usgs").begin()
    assert FirstRead(memory, "other", "other").begin()


def test_headers_say_what_is_back_fill() -> None:
    assert is_backfill(cloudevent_headers(event(), backfill=True))
    assert not is_backfill(cloudevent_headers(event()))
    assert not is_backfill([(BACKFILL_HEADER, None), (BACKFILL_HEADER, b"false")])


def test_the_usgs_feed_is_back_fill_once(tmp_path: Path) -> None:
    first, second = FEATURES[:2]
    outlet, _ = polled(tmp_path, http(feed(first)), http(feed(first, second)))
    assert (len(outlet.events), outlet.backfilled) == (2, [first["id"]])


def test_the_usgs_feed_is_back_fill_until_all_of_it_was_acknowledged(tmp_path: Path) -> None:
    async def killed_while_the_log_is_silent() -> FakeOutlet:
        outlet = FakeOutlet(hold_after=1)
        async with agency(http(WEEK_BODY)) as server, running(source(tmp_path, server).run(outlet)):
            await outlet.until(lambda: len(outlet.batches) == 2)
        return outlet

    asyncio.run(killed_while_the_log_is_silent())
    after, _ = polled(tmp_path, http(WEEK_BODY))
    assert len(after.backfilled) == len(after.events) > 1000
    later, _ = polled(tmp_path, http(feed(*FEATURES[:3], FEATURES[3] | {"id": "us9new"})))
    assert (len(later.events), later.backfilled) == (1, [])


def test_of_the_emsc_the_first_look_is_back_fill_and_a_frame_is_not(tmp_path: Path) -> None:
    async def test() -> None:
        centre = emsc.centre(emsc.plays(emsc.frame(emsc.feature(1))))
        old = emsc.feature(2, at_ms=emsc.NOW_MS - emsc.HOUR_MS)
        centre.known[old["id"]] = old
        async with emsc.at_work(tmp_path, centre) as outlet:
            await outlet.until(lambda: len(outlet.events) == 2)
            assert outlet.backfilled == [old["id"]]
        missed = emsc.feature(3, at_ms=emsc.NOW_MS + 1)
        centre.clock.now_ms += emsc.HOUR_MS
        centre.known[missed["id"]] = missed
        async with emsc.at_work(tmp_path, centre) as outlet:
            await outlet.until(lambda: outlet.events)
            assert (emsc.ids(outlet.events), outlet.backfilled) == ([missed["id"]], [])

    asyncio.run(test())


def test_of_an_fdsn_service_the_first_look_is_back_fill(tmp_path: Path) -> None:
    async def test() -> None:
        service = fdsn.Service()
        service.put(1)
        async with fdsn.at_work(tmp_path, service) as (outlet, server):
            await outlet.until(lambda: outlet.events)
            await outlet.until(fdsn.polls(server))
            service.clock.now_ms += fdsn.HOUR_MS
            service.put(2)
            await outlet.until(lambda: len(outlet.events) == 2)
            assert outlet.backfilled == ["2023ev001"]

    asyncio.run(test())
