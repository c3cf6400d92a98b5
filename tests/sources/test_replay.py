from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from quakestream import sources
from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent
from quakestream.sources.replay import Progress, ReplaySource
from tests.formats.reading import DATA, WEEK, entries, six_years
from tests.sizes import sized
from tests.sources.fakes import Clock, FakeOutlet, context, running

DETAIL = "usgs_detail_nn00570710.geojson"
NOW_MS = 1_600_000_000_000
PAST = 1707 - 268
"""Of the bundled week, what was said more than 12 hours before its end."""


def replay(folder: Path, *files: str, **options: Any) -> ReplaySource:
    given = {"name": "replay", "files": list(files), "speed": "max"} | options
    clock = given.pop("clock", Clock(NOW_MS))
    for name in files:
        if (DATA / name).is_file():
            (folder / name).write_bytes((DATA / name).read_bytes())
    return sources.build(given, context(folder, now_ms=clock))


def replayed(source: ReplaySource) -> list[EarthquakeEvent]:
    outlet = FakeOutlet()
    asyncio.run(source.run(outlet))
    assert [state for state, _ in outlet.states] == ["live", "finished"]
    assert max(map(len, outlet.batches)) <= 500
    return outlet.events


def killed_after(batches: int, source: ReplaySource) -> list[EarthquakeEvent]:
    """What was acknowledged before the end."""

    async def go() -> list[EarthquakeEvent]:
        outlet = FakeOutlet(hold_after=batches)
        async with running(source.run(outlet)):
            await outlet.until(lambda: len(outlet.batches) > batches)
        return [event for batch in outlet.batches[:batches] for event in batch]

    return asyncio.run(go())


def test_the_bundled_week_in_the_order_of_updated_as_an_exercise(tmp_path: Path) -> None:
    source = replay(tmp_path, "usgs-week")
    events = replayed(source)
    recorded, _ = entries(WEEK)
    assert sorted(events, key=lambda e: e.id) == sorted(recorded, key=lambda e: e.id)
    assert [e.updated_ms for e in events] == sorted(e.updated_ms for e in recorded)
    assert {e.mode for e in events} == {"exercise"}
    assert source.progress == Progress(done=1707, total=1707, problems=0)
    assert replayed(replay(tmp_path, "usgs-week")) == events, "once finished, it begins anew"


def test_superseded_origins_come_in_order_however_the_file_has_them(tmp_path: Path) -> None:
    ordered = replayed(replay(tmp_path, DETAIL))
    assert [e.updated_ms for e in ordered] == sorted(e.updated_ms for e in ordered)
    detail = json.loads((DATA / DETAIL).read_text())
    random.Random(5).shuffle(detail["properties"]["products"]["origin"])
    (tmp_path / "shuffled.json").write_text(json.dumps(detail))
    assert replayed(replay(tmp_path, "shuffled.json")) == ordered


def test_files_of_all_formats_together(tmp_path: Path) -> None:
    events = replayed(
        replay(tmp_path, DETAIL, "scedc_2010.catalog", "usgs_quakeml_nc72282711.xml", "usgs_feed_2014.geojson")
    )
    assert len(events) == 14 + 16 + 1 + 4
    times = [e.updated_ms or e.timestamp_ms for e in events]
    assert times == sorted(times)


@pytest.mark.parametrize("shift", [False, True])
def test_killed_in_the_middle_it_goes_on_where_it_was_acknowledged(tmp_path: Path, shift: bool) -> None:
    options = {"shiftToNow": shift, "clock": Clock(NOW_MS)}
    whole = replayed(replay(tmp_path / "other", "usgs-week", **options))
    before = killed_after(2, replay(tmp_path, "usgs-week", **options))
    later = options | {"clock": Clock(NOW_MS + 3_600_000)}
    middle = killed_after(1, replay(tmp_path, "usgs-week", **later))
    after = replayed(replay(tmp_path, "usgs-week", **later))
    assert before + middle + after == whole, "nothing twice, nothing lost, one shift"


def test_the_past_comes_at_once_and_the_last_hours_are_played(tmp_path: Path) -> None:
    options = {"speed": 60, "playHours": 12, "shiftToNow": True, "resume": False}

    async def soon() -> list[EarthquakeEvent]:
        outlet = FakeOutlet()
        async with running(replay(tmp_path, "usgs-week", **options).run(outlet)):
            await outlet.until(lambda: len(outlet.events) >= PAST)
        return outlet.events

    past = asyncio.run(soon())
    assert PAST <= len(past) < PAST + 20, "the rest takes 12 minutes"
    ends_ms = NOW_MS + 12 * 60_000
    assert all(e.updated_ms is not None and e.updated_ms <= ends_ms - 12 * 3_600_000 + 1000 for e in past[:PAST])
    assert max(e.timestamp_ms for e in past) <= NOW_MS, "nothing is ahead of the clock"
    assert {e.mode for e in past} == {"exercise"}
    everything = replayed(replay(tmp_path, "usgs-week", **options | {"speed": 1e9}))
    assert len(everything) == 1707
    assert max(e.updated_ms or 0 for e in everything) <= NOW_MS + 1


def test_a_demonstration_begins_anew_shifted_to_its_own_now(tmp_path: Path) -> None:
    options = {"shiftToNow": True, "resume": False}
    killed_after(2, replay(tmp_path, "usgs-week", **options))
    again = replayed(replay(tmp_path, "usgs-week", **options, clock=Clock(NOW_MS + 86_400_000)))
    assert len(again) == 1707
    assert max(event.updated_ms for event in again) == NOW_MS + 86_400_000


DEMONSTRATION = {"speed": 60, "playHours": 12, "shiftToNow": True, "resume": False}


def shown_at(folder: Path, now_ms: int, *, least: int = PAST) -> list[EarthquakeEvent]:
    """What a demonstration that is started then shows at once."""

    async def soon() -> list[EarthquakeEvent]:
        outlet = FakeOutlet()
        async with running(replay(folder, "usgs-week", **DEMONSTRATION, clock=Clock(now_ms)).run(outlet)):
            await outlet.until(lambda: len(outlet.events) >= least)
        return outlet.events

    return asyncio.run(soon())


def test_a_demonstration_that_is_started_again_while_it_lasts_shows_the_same_events_at_the_same_times(
    tmp_path: Path,
) -> None:
    first = {(e.key, e.updated_ms): e for e in shown_at(tmp_path, NOW_MS)}
    again = shown_at(tmp_path, NOW_MS + 6 * 60_000, least=PAST + 50)
    assert len({e.key for e in again}) > len({key for key, _ in first}), "what came due meanwhile is there too"
    known = [e for e in again if (e.key, e.updated_ms) in first]
    assert len(known) == len(first)
    assert all(first[e.key, e.updated_ms] == e for e in known)
    assert max(e.timestamp_ms for e in again) <= NOW_MS + 6 * 60_000


@pytest.mark.parametrize("options", [{"resume": False}, {"resume": True}, {"resume": False, "speed": 1e9}])
def test_a_recording_shifted_to_another_present_is_another_exercise_with_ids_of_its_own(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    options = {"shiftToNow": True} | options
    first = replayed(replay(tmp_path, "usgs-week", **options))
    later = Clock(NOW_MS + 86_400_000)
    second = replayed(replay(tmp_path, "usgs-week", **options, clock=later))
    assert {e.key for e in first}.isdisjoint(e.key for e in second)
    assert {name for e in first for name in e.ids}.isdisjoint(name for e in second for name in e.ids)
    assert [e.document()["recordedId"] for e in second] == [e.id for e in first]
    assert [e.document()["recordedTimestamp"] for e in second] == [e.document()["recordedTimestamp"] for e in first]
    other = replayed(replay(tmp_path, "usgs-week", **options | {"playHours": 1}, clock=later))
    assert {e.id for e in other} == {f"{e.id}~3" for e in first}, "with other options too"


def test_an_id_that_is_as_long_as_it_may_be_gets_a_number_too(tmp_path: Path) -> None:
    feed = json.loads(feed_of(0, 1))
    for feature, end in zip(feed["features"], "ab", strict=True):
        feature["id"] = "x" * 255 + end
    (tmp_path / "long.json").write_text(json.dumps(feed))
    for number in (1, 2):
        events = replayed(replay(tmp_path, "long.json", shiftToNow=True))
        assert len({e.id for e in events}) == 2
        assert all(len(e.id) <= 256 for e in events)
        assert all(e.id.endswith("~2") for e in events) == (number == 2)


def test_another_content_or_other_options_are_another_replay(tmp_path: Path) -> None:
    killed_after(1, replay(tmp_path, "usgs-week"))
    assert len(replayed(replay(tmp_path, "usgs-week", speed=1e9))) == 1707
    assert len(replayed(replay(tmp_path, "usgs-week", DETAIL))) == 1707 + 14
    assert len(replayed(replay(tmp_path, "usgs-week"))) == 1707 - 500


def test_shifted_by_one_constant_with_the_recorded_time_beside(tmp_path: Path) -> None:
    events = replayed(replay(tmp_path, "usgs-week", DETAIL, "scedc_2010.catalog", shiftToNow=True))
    recorded = {(e.key, e.updated_ms): e for e in replayed(replay(tmp_path, "usgs-week", DETAIL, "scedc_2010.catalog"))}
    offset = NOW_MS - max(max(e.timestamp_ms, e.updated_ms or 0) for e in recorded.values())
    assert max(max(e.timestamp_ms, e.updated_ms or 0) for e in events) == NOW_MS
    for event in events:
        then = recorded[event.key, event.updated_ms and event.updated_ms - offset]
        assert event.timestamp_ms == then.timestamp_ms + offset
        assert event.document()["recordedTimestamp"] == then.timestamp_ms
        assert event.location == then.location


@pytest.mark.parametrize("speed", [40_000.0, 400_000.0, 0.5])
def test_nothing_lies_in_the_future_when_it_is_published(tmp_path: Path, speed: float) -> None:
    (tmp_path / "three.json").write_text(feed_of(0, 40, 100) if speed < 1 else feed_of(0, 3_000, 30_000))

    async def go() -> list[tuple[float, EarthquakeEvent]]:
        clock = asyncio.get_running_loop().time
        wall = lambda: NOW_MS + round(clock() * 1000)  # noqa: E731
        seen = []

        class Watching(FakeOutlet):
            async def publish(self, events: Any, *, backfill: bool = False) -> None:
                seen.extend((wall(), event) for event in events)

        await replay(tmp_path, "three.json", speed=speed, shiftToNow=True, clock=wall).run(Watching())
        return seen

    seen = asyncio.run(go())
    assert len(seen) == 3
    assert all(max(e.timestamp_ms, e.updated_ms) <= at_ms + 1 for at_ms, e in seen)
    first, _, last = seen
    span_ms = 100 if speed < 1 else 30_000
    assert last[1].updated_ms - first[1].updated_ms == span_ms
    assert last[0] - first[0] >= span_ms / speed - 1, "no faster than asked"


def feed_of(*updated_ms: int) -> str:
    features = [
        {
            "id": f"x{ms}",
            "properties": {"mag": 1.0, "time": 1_500_000_000_000 + ms, "updated": 1_500_000_000_000 + ms},
            "geometry": {"coordinates": [1, 2, 3]},
        }
        for ms in updated_ms
    ]  # fmt: skip
    return json.dumps({"type": "FeatureCollection", "features": features})


def test_bad_entries_and_bad_files_are_counted_and_the_rest_is_kept(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>")
    line = "2010/01/01 00:16:54.48 eq  l 1.10 l    36.032 -117.782   1.1 A 14566836   26  402\n"
    ahead = line.replace("2010", "2999")
    (tmp_path / "bad.catalog").write_text(line + "2010/01/01 00:00:00 eq\n" + ahead)
    source = replay(tmp_path, "page.html", "bad.catalog", shiftToNow=True)
    (event,) = replayed(source)
    assert event.timestamp_ms == NOW_MS, "one entry of the year 2999 moves nothing"
    assert source.progress == Progress(done=1, total=1, problems=3)


def test_no_file_that_can_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html>")
    with pytest.raises(Rejected, match=r"page\.html: a web page"):
        asyncio.run(replay(tmp_path, "page.html").run(FakeOutlet()))


def test_a_file_with_nothing_in_it_is_soon_over(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_text('{"type": "FeatureCollection", "features": []}')
    for speed in ("max", 1):
        outlet = FakeOutlet()
        asyncio.run(replay(tmp_path, "empty.json", speed=speed, shiftToNow=True).run(outlet))
        assert (outlet.events, outlet.states[-1][0]) == ([], "finished")


def test_only_bundled_files_and_those_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (tmp_path / "secret.json").write_text("{}")
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    for name in ("../secret.json", str(tmp_path / "secret.json"), "/etc/passwd", "link.json"):
        with pytest.raises(Rejected, match="not below the folder"):
            sources.build({"name": "replay", "files": [name]}, context(tmp_path, recordings=folder))
    for name in ("none.json", ".", "x\0y"):
        with pytest.raises(Rejected, match=r"there is no file|not a name"):
            sources.build({"name": "replay", "files": [name]}, context(tmp_path, recordings=folder))
    with pytest.raises(Rejected, match="choose from usgs-week"):
        sources.build({"name": "replay", "files": ["x.json"]}, context(tmp_path, recordings=None))


@pytest.mark.parametrize("options", [{"speed": 0}, {"speed": "fast"}, {"speed": -1}, {"files": []}, {"mode": "actual"}])
def test_bad_options_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match=next(iter(options))):
        sources.build({"name": "replay", "files": ["usgs-week"]} | options, context(tmp_path))


def test_progress_is_told_after_each_acknowledgement(tmp_path: Path) -> None:
    source, told = replay(tmp_path, "usgs-week"), []
    source.on_progress = lambda progress: told.append(progress.done)
    replayed(source)
    assert told == [0, 500, 1000, 1500, 1707]


@sized
def test_the_largest_catalogue(tmp_path: Path) -> None:
    paths, events_in_all = six_years()
    source = sources.build(
        {"name": "replay", "files": [path.name for path in paths], "speed": "max"},
        context(tmp_path, recordings=paths[0].parent, now_ms=Clock(NOW_MS)),
    )
    count, last_ms = 0, 0

    class Counting(FakeOutlet):
        async def publish(self, events: Any, *, backfill: bool = False) -> None:
            nonlocal count, last_ms
            for event in events:
                assert event.timestamp_ms >= last_ms
                last_ms = event.timestamp_ms
            count += len(events)

    asyncio.run(source.run(Counting()))
    assert count == events_in_all
