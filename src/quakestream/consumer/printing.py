"""Each event, printed as it is stored: a short line, or a line of JSON. On a terminal much at once is one line."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, TextIO

import structlog

from quakestream import clock, output, supervision, telemetry
from quakestream.event import EarthquakeEvent, Mode, encode, iso_time

REMIND_S: Final = 60.0
TICK_S: Final = 0.5
MANY: Final = 20
"""Events in half a second that are more than anybody can read."""
LULL_S: Final = 4.0
"""How long it must be quiet until a burst is over: what is stored comes in batches."""
BURST_S: Final = 15.0
"""As long as that goes on, one line stands for so many seconds."""
QUIET_S: Final = 1.0
"""How long nothing may come before the address is said."""
NO_LATER_S: Final = 5.0
KEPT_ROWS: Final = 4
"""Rows at the top of the terminal in which the address counts as gone."""

Form = Literal["auto", "short", "json"]

logger = structlog.get_logger(__name__)


class Pointer:
    """Where to look, on a terminal: said last, after everything that comes at once, and again where it scrolled away.

    `scrolled` is called, by any thread, for lines that somebody else writes to the same terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._output = output.shared(stream)
        self._text = ""
        self._due = False
        self._lines = 0
        self._quiet = threading.Condition()
        self._closed = False
        self._counted = _LinesCounted(self.scrolled)
        logging.getLogger().addHandler(self._counted)
        self._ending = threading.Event()
        supervision.Thread("pointer", self._run, self._ending).start()

    def show(self, text: str) -> None:
        """Say this, as soon as nothing else comes."""
        with self._quiet:
            self._text, self._due = text, True
            self._quiet.notify_all()

    def scrolled(self, lines: int, *, burst: bool = False) -> None:
        """So many lines were written; `burst`: they stand for much that came at once."""
        with self._quiet:
            self._lines += lines
            rows = shutil.get_terminal_size().lines
            self._due = self._due or (burst and self._lines > 0) or self._lines >= rows - KEPT_ROWS
            self._quiet.notify_all()

    def close(self) -> None:
        """Say nothing more."""
        logging.getLogger().removeHandler(self._counted)
        self._ending.set()
        with self._quiet:
            self._closed = True
            self._quiet.notify_all()

    def _run(self) -> None:
        while True:
            with self._quiet:
                self._quiet.wait_for(lambda: self._closed or (self._due and self._text))
                end_s = time.monotonic() + NO_LATER_S
                before = -1
                while not self._closed and before != self._lines and time.monotonic() < end_s:
                    before = self._lines
                    self._quiet.wait_for(lambda: self._closed, QUIET_S)
                if self._closed:
                    return
                self._due, self._lines = False, 0
                self._output.write(f"\n  {self._text}\n\n")


class _LinesCounted(logging.Handler):
    """Log lines go to the same terminal."""

    def __init__(self, scrolled: Callable[[int], None]) -> None:
        super().__init__()
        self._scrolled = scrolled

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - that it came is all
        self._scrolled(1)


class Gathered:
    """Events as short lines; of many that come at once, one line for all of them.

    Lines are written on a thread of its own, half a second late at most.
    """

    def __init__(self, write: Callable[[str], None], pointer: Pointer | None = None) -> None:
        self._write = write
        self._pointer = pointer
        self._came = threading.Condition()
        self._waiting: list[EarthquakeEvent] = []
        self._closed = False
        self._burst: dict[Mode, _Burst] = {}
        self._ending = threading.Event()
        self._thread = supervision.Thread("lines", self._run, self._ending)
        self._thread.start()

    def __call__(self, event: EarthquakeEvent) -> None:
        """Show one event; never waits."""
        with self._came:
            if len(self._waiting) < MANY:
                self._waiting.append(event)
            else:  # much at once: no more is kept of it than its one line needs
                self._add(event)
            self._came.notify_all()

    def close(self) -> None:
        """Write what waits."""
        self._ending.set()
        with self._came:
            self._closed = True
            self._came.notify_all()
        self._thread.join(2 * TICK_S)

    def _run(self) -> None:
        began_s = many_s = 0.0
        closed = False
        while not closed:
            with self._came:
                self._came.wait_for(lambda: self._closed or self._waiting or self._burst)
                began_s = began_s if self._burst else time.monotonic()
                self._came.wait_for(lambda: self._closed, TICK_S)
                closed, now_s = self._closed, time.monotonic()
                events, self._waiting = self._waiting, []
                if len(events) >= MANY:
                    many_s = now_s
                if len(events) >= MANY or self._burst:  # what comes on its heels belongs to it
                    for event in events:
                        self._add(event)
                    events = []
                    if not closed and now_s - many_s < LULL_S and now_s - began_s < BURST_S:
                        continue
                bursts, self._burst = self._burst, {}
            self._tell(bursts, events)

    def _add(self, event: EarthquakeEvent) -> None:
        self._burst.setdefault(event.mode, _Burst()).add(event)

    def _tell(self, bursts: Mapping[Mode, _Burst], events: Sequence[EarthquakeEvent]) -> None:
        now_ms = clock.now_ms()
        lines = [burst.line(mode) for mode, burst in sorted(bursts.items())]
        lines += [short_line(event, now_ms) for event in events]
        for line in lines:
            self._write(line)
        if self._pointer is not None and lines:
            self._pointer.scrolled(len(lines), burst=bool(bursts))


class _Burst:
    """Many events that came at once, as one line."""

    def __init__(self) -> None:
        self._count = 0
        self._largest: EarthquakeEvent | None = None

    def add(self, event: EarthquakeEvent) -> None:
        self._count += 1
        if event.status == "deleted":
            return
        if self._largest is None or (event.magnitude or -10.0) > (self._largest.magnitude or -10.0):
            self._largest = event

    def line(self, mode: Mode) -> str:
        largest = "" if self._largest is None else f", the largest {_size(self._largest)}  {_place(self._largest)}"
        return f"{_mark(mode)}{self._count:,} reports at once{largest}\n"


class EventPrinter:
    """Prints to one stream, in a form: `auto` is `short` on a terminal and `json` elsewhere.

    `aside`: without waiting for who reads it; what finds no room is counted, and said. On a terminal, what comes at
    once is one line, and `pointer` is told.

    When nobody reads it any more, it says so once and falls silent.
    """

    def __init__(
        self, stream: TextIO, form: Form = "auto", *, aside: bool = False, pointer: Pointer | None = None
    ) -> None:
        on_terminal = stream.isatty()
        short = form == "short" or (form == "auto" and on_terminal)
        self._stream: TextIO | None = stream
        self._text = _short_now if short else _json_line
        self._output = output.shared(stream) if aside else None
        self._silencing = threading.Lock()
        self._gathered = Gathered(self._print_text, pointer) if short and aside and on_terminal else None
        self._told_s = -REMIND_S
        self._untold = 0

    def __call__(self, event: EarthquakeEvent) -> None:
        """Print one event."""
        if self._gathered is not None:
            self._gathered(event)
            return
        if self._output is not None:
            self._print_aside(self._output, self._text(event))
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
        if self._gathered is not None:
            self._gathered.close()
        if self._output is None or self._stream is None:
            return
        self._output.flush()
        if self._output.ended is not None:
            self._fall_silent(self._output.ended)
        elif self._untold:
            self._tell()

    def _print_text(self, text: str) -> None:
        if self._output is not None:
            self._print_aside(self._output, text)

    def _print_aside(self, aside: output.Output, text: str) -> None:
        if self._stream is None:
            telemetry.LINES_DROPPED.labels("events").inc()
            return
        if aside.ended is None and aside.write(text, self._was_taken):
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


def _short_now(event: EarthquakeEvent) -> str:
    return short_line(event, clock.now_ms())


def _json_line(event: EarthquakeEvent) -> str:
    return encode(event).decode() + "\n"


def short_line(event: EarthquakeEvent, now_ms: int) -> str:
    """`M 4.7  Kermadec Islands  10 km deep  2 min ago`; what is no real event is marked as such."""
    depth_km = event.location.depth_km
    parts = [
        f"{_mark(event.mode)}{_size(event)}",
        _place(event),
        "" if depth_km is None else f"{round(depth_km)} km deep",
        _ago(now_ms - event.timestamp_ms, event.timestamp_ms),
        "withdrawn" if event.status == "deleted" else "",
    ]
    return "  ".join(part for part in parts if part) + "\n"


def _mark(mode: Mode) -> str:
    return "" if mode == "actual" else f"[{mode}] "


def _size(event: EarthquakeEvent) -> str:
    return "M ?" if event.magnitude is None else f"M {event.magnitude:.1f}"


def _place(event: EarthquakeEvent) -> str:
    return event.place or f"{event.location.latitude:.2f}, {event.location.longitude:.2f}"


def _ago(age_ms: int, time_ms: int) -> str:
    age_s = age_ms // 1000
    if -60 <= age_s < 60:
        return f"{max(age_s, 0)} s ago"
    if 0 <= age_s < 3600:
        return f"{age_s // 60} min ago"
    if 0 <= age_s < 48 * 3600:
        return f"{age_s // 3600} h ago"
    return f"{iso_time(time_ms)[:16].replace('T', ' ')} UTC"
