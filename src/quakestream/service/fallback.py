"""A recording in place of live sources that do not answer: somebody who tries this out offline sees something.

It is an exercise and says so in every event (`mode`, `recordedTimestamp`); it goes as soon as a live source answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from quakestream.service.stream import Stream

SPEED: Final = 600
REPLAY: Final = "replay"
CHECK_INTERVAL_S: Final = 0.5

log = structlog.get_logger(__name__)


async def fall_back(stream: Stream, recording: str, after_s: float) -> None:
    """Replay `recording`, shifted to now, when no live source has answered within `after_s`, and until one does.

    Once one has answered, this is over: a source that fails later is no reason to show a recording.
    """
    if not await _answered(stream, within_s=after_s):
        log.warning(
            "no live source answers: replaying a RECORDING of past earthquakes until one does",
            recording=recording,
            waited_s=after_s,
        )
        await stream.fill_in(
            {"name": REPLAY, "files": [recording], "speed": SPEED, "shiftToNow": True, "resume": False}
        )
        await _answered(stream)
        log.info("a live source answers: the recording ends")
        await stream.withdraw(REPLAY)
    await asyncio.Event().wait()


async def _answered(stream: Stream, within_s: float | None = None) -> bool:
    """Wait until a source other than the recording is live; False when `within_s` is over."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while not any(s["state"] == "live" for s in stream.sources() if s["name"] != REPLAY):  # noqa: ASYNC110
                await asyncio.sleep(CHECK_INTERVAL_S)  # sources change their states in several ways
            return True
    return False
