"""Each source's state, told to other services on a compacted topic: on every change, and every few seconds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Final

from quakestream import waits
from quakestream.event import iso_time
from quakestream.log import Record
from quakestream.service.publisher import Publisher
from quakestream.service.stream import Stream

INTERVAL_S: Final = 10.0
"""A state older than a few of these comes from a service that is gone."""
LEAST_INTERVAL_S: Final = 0.2
"""A source that flaps is told at most so often."""


async def tell(stream: Stream, publisher: Publisher, topic: str, now_ms: Callable[[], int]) -> None:
    """Publish the states until cancelled. One message for each source, one at a time on its way: never a queue."""
    while True:
        stream.changed.clear()
        await publisher.announce(states(stream, topic, now_ms))
        await asyncio.sleep(LEAST_INTERVAL_S)
        await waits.is_set(stream.changed, INTERVAL_S)


def states(stream: Stream, topic: str, now_ms: Callable[[], int]) -> list[Record]:
    """Each source as a message: key its name, value its entry in the status and `at`, when that was so."""
    at = iso_time(now_ms())
    return [
        Record(topic, source["name"].encode(), json.dumps(source | {"at": at}).encode(), _HEADERS)
        for source in stream.sources()
    ]


_HEADERS: Final = (("content-type", b"application/json"),)
