"""Each event, printed as it is stored: for people on a terminal, JSON lines elsewhere."""

from __future__ import annotations

import threading
import time
from typing import Final, TextIO

import structlog

from quakestream import output, telemetry
from quakestream.event import EarthquakeEvent, encode, iso_time

REMIND_S: Final = 60.0

logger = structlog.get_logger(__name__)


class EventPrinter:
    """Prints to one stream. `aside`: without waiting for who reads it; what finds no room is counted, and said.

    When nobody reads it any more, it says so once and falls silent.
    """

    def __init__(self, stream: TextIO, *, aside: bool = False) -> None:
        self._stream: TextIO | None = stream
        self._text = _for_people if stream.isatty() else _json_line
        self._output = output.shared(stream) if aside else None
        self._silencing = threading.Lock()
        self._told_s = -REMIND_S
        self._untold = 0

    def __call__(self, event: EarthquakeEvent) -> None:
        """Print one event."""
        if self._output is not None:
            self._print_aside(self._output, event)
            return
        if self._stream is None:
            return
        try:
            self._stream.write(self._text(event))
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._fall_silent(str(error))

    def close(self) -> None:
        """Wait a moment for what waits to be printed, and say what was not."""
        if self._output is None or self._stream is None:
            return
        self._output.flush()
        if self._output.ended is not None:
            self._fall_silent(self._output.ended)
        elif self._untold:
            self._tell()

    def _print_aside(self, aside: output.Output, event: EarthquakeEvent) -> None:
        if self._stream is None:
            telemetry.LINES_DROPPED.labels("events").inc()
            return
        if aside.ended is None and aside.write(self._text(event), self._was_taken):
            if self._untold and time.monotonic() - self._told_s >= REMIND_S:
                self._tell()
            return
        telemetry.LINES_DROPPED.labels("events").inc()
        if aside.ended is not None:
            self._fall_silent(aside.ended)
            return
        self._untold += 1
        if time.monotonic() - self._told_s >= REMIND_S:
            self._tell()

    def _was_taken(self, taken: bool) -> None:
        """On the output's thread: say at once that nobody reads any more, for the next event may be hours away."""
        if not taken and self._output is not None:
            telemetry.LINES_DROPPED.labels("events").inc()
            self._fall_silent(self._output.ended or "not written")

    def _tell(self) -> None:
        logger.warning(f"{self._untold} lines not printed: nobody reads them", count=self._untold)  # noqa: G004
        self._told_s, self._untold = time.monotonic(), 0

    def _fall_silent(self, error: str) -> None:
        with self._silencing:
            if self._stream is None:
                return
            self._stream = None
        if self._untold:
            self._tell()
        logger.warning("nobody reads the printed events", error=error)


def _json_line(event: EarthquakeEvent) -> str:
    return encode(event).decode() + "\n"


def _for_people(event: EarthquakeEvent) -> str:
    magnitude = "no magnitude" if event.magnitude is None else f"M {event.magnitude:g}"
    place = event.place or f"{event.location.latitude:g}, {event.location.longitude:g}"
    return (
        f"Got message\n  [{event.mode}] {magnitude}, {place}, {iso_time(event.timestamp_ms)}\n"
        f"  {encode(event).decode()}\n"
    )
