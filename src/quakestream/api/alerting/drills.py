"""Drills: an earthquake that never was, published to the stream as an `exercise`.

From there it goes the way that a real one goes: into the catalogue, onto the page, and to whoever asks for exercises.
"""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final

from quakestream.errors import QuakestreamError, Unreachable
from quakestream.event import EarthquakeEvent, cloudevent_headers, encode
from quakestream.log import EventLog, Record

TIMEOUT_S: Final = 10.0
"""How long the log may take to acknowledge."""
CLOSE_TIMEOUT_S: Final = 1.0


class Drills:
    """Publishes drills to `topic`, the stream's."""

    def __init__(self, event_log: EventLog, topic: str) -> None:
        self._log = event_log
        self._topic = topic

    def publish(self, event: EarthquakeEvent) -> None:
        """Return when the log has it.

        Raises:
            Unreachable: the log does not answer in time; it may have taken it all the same.
            QuakestreamError: the log refuses it.
        """
        assert event.mode != "actual", "a drill is nothing real"  # noqa: S101
        producer = self._log.producer()
        try:
            record = Record(self._topic, event.key.encode(), encode(event), cloudevent_headers(event))
            (fate,) = producer.send([record]).result(TIMEOUT_S)
        except FutureTimeoutError:
            raise Unreachable(f"the event log did not take the drill within {TIMEOUT_S:g} s") from None
        finally:
            producer.close(CLOSE_TIMEOUT_S)
        if isinstance(fate, QuakestreamError):
            raise fate
