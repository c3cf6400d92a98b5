"""Each event, printed as it is stored: for people on a terminal, JSON lines elsewhere."""

from __future__ import annotations

from typing import TextIO

import structlog

from quakestream.event import EarthquakeEvent, encode, iso_time

logger = structlog.get_logger(__name__)


class EventPrinter:
    """Prints to one stream; when nobody reads it any more, it says so once and falls silent."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream
        self._text = _for_people if stream.isatty() else _json_line

    def __call__(self, event: EarthquakeEvent) -> None:
        """Print one event."""
        if self._stream is None:
            return
        try:
            self._stream.write(self._text(event))
            self._stream.flush()
        except (OSError, ValueError) as error:
            logger.warning("nobody reads the printed events", error=str(error))
            self._stream = None


def _json_line(event: EarthquakeEvent) -> str:
    return encode(event).decode() + "\n"


def _for_people(event: EarthquakeEvent) -> str:
    magnitude = "no magnitude" if event.magnitude is None else f"M {event.magnitude:g}"
    place = event.place or f"{event.location.latitude:g}, {event.location.longitude:g}"
    return (
        f"Got message\n  [{event.mode}] {magnitude}, {place}, {iso_time(event.timestamp_ms)}\n"
        f"  {encode(event).decode()}\n"
    )
