"""A recording in place of live sources that do not answer: somebody who tries this out offline sees something.

It is an exercise and says so in every event (`mode`, `recordedTimestamp`); it goes as soon as a live source answers.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import structlog

from quakestream.service.stream import Stream

CHECK_INTERVAL_S: Final = 0.5

log = structlog.get_logger(__name__)


def performance(recording: str) -> dict[str, Any]:
    """The source that shows a recording to somebody who looks on: its past at once, its last 12 h in 12 minutes."""
    return {
        "name": "replay",
        "files": [recording],
        "speed": 60,
        "playHours": 12,
        "shiftToNow": True,
        "resume": False,
    }


async def fall_back(stream: Stream, recording: str, after_s: float) -> None:
    """Replay `recording`, shifted to now, when no live source has answered within `after_s`, and until one does.

    Once one has answered, or somebody has stopped the stream, this is over: a source that fails later is no reason to
    show a recording, and who stopped the stream wants nothing. What somebody starts gets its own `after_s`.
    """
    clock = asyncio.get_running_loop().time
    filled_in, since_s = False, clock()
    while not (stream.stopped or stream.answered):
        if filled_in and not stream.filled_in:  # something else was started in its place
            filled_in, since_s = False, clock()
        if not filled_in and clock() - since_s >= after_s:
            log.warning(
                "no live source answers: replaying a RECORDING of past earthquakes until one does",
                recording=recording,
                waited_s=after_s,
            )
            filled_in = await stream.fill_in(performance(recording))
        await asyncio.sleep(CHECK_INTERVAL_S if filled_in else min(CHECK_INTERVAL_S, after_s))
    if filled_in and stream.filled_in and not stream.stopped:
        log.info("a live source answers: the recording ends")
    await stream.withdraw()
    await asyncio.Event().wait()
