from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from quakestream.service import fallback
from quakestream.service.fallback import fall_back, performance
from quakestream.service.stream import Stream
from tests.service.fakes import FakeLog, until
from tests.service.test_stream import a_stream, names, wanted

AWAY: Mapping[str, Any] = {"name": "step", "fails": "rejected"}
AFTER_S = 0.05


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recording is `second`, a source of the tests."""
    monkeypatch.setattr(fallback, "CHECK_INTERVAL_S", 0.01)
    monkeypatch.setattr(fallback, "performance", lambda _: {"name": "second"})


@contextlib.asynccontextmanager
async def falling_back(
    folder: Path, autostart: Sequence[Mapping[str, Any]] = (AWAY,), after_s: float = AFTER_S
) -> AsyncIterator[Stream]:
    async with a_stream(folder, FakeLog(), autostart) as stream:
        await stream.resume()
        task = asyncio.create_task(fall_back(stream, "usgs-week", after_s))
        try:
            yield stream
        finally:
            task.cancel()
            await asyncio.wait([task])


async def stays(stream: Stream, found: list[str]) -> None:
    """Longer than it takes to fall back."""
    for _ in range(20):
        assert names(stream) == found
        await asyncio.sleep(AFTER_S / 5)


def test_it_plays_while_nothing_answers_and_goes_when_something_does(tmp_path: Path) -> None:
    async def main() -> None:
        async with falling_back(tmp_path) as stream:
            await until(lambda: names(stream) == ["step", "second"])
            await stream.start(wanted({"name": "step"}))
            await stays(stream, ["step"])

    asyncio.run(main())


@pytest.mark.parametrize("while_it_plays", [True, False])
def test_it_never_plays_after_a_stop(tmp_path: Path, while_it_plays: bool) -> None:
    async def main() -> None:
        async with falling_back(tmp_path, after_s=AFTER_S if while_it_plays else 2 * AFTER_S) as stream:
            if while_it_plays:
                await until(lambda: names(stream) == ["step", "second"])
            await stream.stop()
            await until(lambda: names(stream) == ["step"])
            await stays(stream, ["step"])
            assert not stream.running
            await stream.start(wanted(AWAY))
            await stays(stream, ["step"])
        async with falling_back(tmp_path, ()) as stream:
            await stream.stop()
        async with falling_back(tmp_path) as stream:
            await stays(stream, [])
            assert not stream.running, "nor at the next start, where the stop is remembered"

    asyncio.run(main())


def test_what_is_started_in_its_place_gets_the_same_time_to_answer(tmp_path: Path) -> None:
    async def main() -> None:
        async with falling_back(tmp_path) as stream:
            await until(lambda: names(stream) == ["step", "second"])
            await stream.start(wanted(AWAY | {"called": "other"}))
            assert "second" not in names(stream)
            await until(lambda: "second" in names(stream))

    asyncio.run(main())


def test_a_source_of_the_same_name_that_was_asked_for_is_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with falling_back(tmp_path) as stream:
            await until(lambda: names(stream) == ["step", "second"])
            await stream.start(wanted({"name": "second"}))
            await stays(stream, ["second"])
            assert stream.running

    asyncio.run(main())


def test_where_nothing_is_wanted_nothing_is_played(tmp_path: Path) -> None:
    async def main() -> None:
        async with falling_back(tmp_path, ()) as stream:
            await stays(stream, [])

    asyncio.run(main())


def test_it_shows_the_past_at_once_as_the_demonstration_does() -> None:
    shown = performance("usgs-week")
    assert shown["files"] == ["usgs-week"]
    assert (shown["playHours"], shown["shiftToNow"], shown["speed"]) == (12, True, 60)


def test_without_a_memory_what_is_to_start_by_itself_starts_every_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with a_stream(tmp_path, FakeLog(), [{"name": "second"}]) as stream:
            await stream.stop()  # by the program that does remember
        for _ in range(2):
            async with a_stream(tmp_path, FakeLog(), [{"name": "second"}], remembering=False) as stream:
                await stream.resume()
                assert names(stream) == ["second"], "a stop before does not hold"
                await stream.stop()
                assert stream.silenced, "while it holds, it is told"
        async with a_stream(tmp_path, FakeLog(), [{"name": "second"}]) as stream:
            await stream.resume()
            assert not stream.running, "what the program remembers is its own"

    asyncio.run(main())
