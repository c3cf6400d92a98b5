"""replay: recorded files once more, as an exercise; at a speed, or as fast as the log takes them.

All entries are sorted by when the source said them (`updated`, else the origin time). They wait on disk, in a temporary
file, with 32 bytes each in memory, so that the largest catalogue does not fill it: 124,390 events take 28 MB of disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import structlog
from pydantic import Field

from quakestream import formats
from quakestream.errors import Rejected, Retryable
from quakestream.event import EarthquakeEvent, Mode, decode, encode
from quakestream.formats import Note, Problem, Withdrawal
from quakestream.further import shifted
from quakestream.sources import Outlet, Source, SourceContext, SourceOptions
from quakestream.sources.memory import Memory
from quakestream.telemetry import EVENTS_REFUSED

MODE: Final[Mode] = "exercise"
BUNDLED: Final = Path(__file__).parent / "recordings"
CHUNK: Final = 500
HOUR_MS: Final = 3_600_000
MAX_ID: Final = 256
MAX_NAME: Final = 4096
"""As long as a path may be."""
_MAX_LOGGED: Final = 20
_MAX_SHOWN: Final = 80
_NO_BOUND_MS: Final = 2**62

log = structlog.get_logger(__name__)


class ReplayOptions(SourceOptions):
    """What to replay, and how."""

    files: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=MAX_NAME)]], Field(min_length=1, max_length=1000)
    ] = Field(description="Names of bundled recordings (`usgs-week`), or paths below the folder of recordings.")
    speed: Annotated[float, Field(gt=0, le=1e9)] | Literal["max"] = Field(
        1.0, description="1: as it happened; 60: a minute in a second; `max`: as fast as possible."
    )
    play_hours: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None,
        description="Play only the recording's last hours at `speed`; what is before them is published at once.",
    )
    shift_to_now: bool = Field(
        default=False,
        description="Add one constant to all times, so that the recording ends when the replay does. The recorded time "
        "stays as `recordedTimestamp`. From the second time on, the events get ids of their own: `us1000abcd~2`.",
    )
    resume: bool = Field(
        default=True,
        description="Go on where the same replay was cut short, with its shift. False: from the beginning. What a "
        "shifted one would have shown by now, had it not been cut short, then comes at once.",
    )


@dataclass(slots=True)
class Progress:
    """How far a replay has come: events acknowledged, of how many; and entries of the files that could not be read."""

    done: int = 0
    total: int = 0
    problems: int = 0


class ReplaySource(Source):
    """Publishes each event of the files once, in order, and returns.

    A replay that was cut short goes on after the last event that was acknowledged, with the same shift; it is known by
    the content of its files and its options. One that came to its end begins anew.

    A recording that is shifted to the present is a *performance*. While it lasts, each start shows the same events at
    the same times: only what really changes is a revision. One after it is another exercise, whose events have ids of
    their own (`~2`), for the same ids at other times would be revisions that nobody ever made.
    """

    name = "replay"
    Options = ReplayOptions

    def __init__(self, options: ReplayOptions, context: SourceContext) -> None:
        super().__init__(options, context)
        self._options = options
        self._paths = [_locate(name, context.recordings) for name in options.files]
        self._digests: list[str] = []
        self.progress = Progress()
        self.on_progress: Callable[[Progress], None] = lambda _: None
        """Called after each acknowledgement."""

    async def run(self, outlet: Outlet) -> None:
        """Publish everything that is left.

        Raises:
            Rejected: none of the files could be read.
        """
        key = f"replay:{await asyncio.to_thread(self._digest)}"
        begun = self.context.memory.load(key) if self._options.resume else None
        now_ms = self.context.now_ms()
        lasting = None if begun or not self._options.shift_to_now else self._performance(key, now_ms)
        state = begun or lasting or {"done": 0, "offset_ms": None, "read_at_ms": now_ms}
        with tempfile.TemporaryFile() as file:
            recording = _Recording(file)
            cancelled = threading.Event()
            try:
                await asyncio.to_thread(self._load, recording, state["read_at_ms"], cancelled)
            finally:
                cancelled.set()
            pace = recording.pace(self._options.speed, self._options.play_hours)
            now_ms = self.context.now_ms()
            if self._options.shift_to_now and state["offset_ms"] is None:
                state |= {"offset_ms": recording.offset_ms(pace, now_ms), "began_ms": now_ms}
                self._begin_performance(key, state, recording.lasts_ms(pace))
            begun_ago_s = (now_ms - lasting["began_ms"]) / 1000 if lasting else 0.0
            schedule = _Schedule(pace, recording, state["done"], asyncio.get_running_loop().time() - begun_ago_s)
            self.progress.total = len(recording)
            self.progress.done = min(state["done"], len(recording))
            self.on_progress(self.progress)
            outlet.report("live")
            while self.progress.done < len(recording):
                end = await schedule.wait(self.progress.done)
                events = [
                    _shifted(event, state["offset_ms"], state.get("number", 1))
                    for event in recording.read(self.progress.done, end)
                ]
                await outlet.publish(events)
                self.progress.done = state["done"] = end
                self._save(key, state)
                self.on_progress(self.progress)
        self._save(key, None)
        outlet.report("finished")

    def _performance(self, key: str, now_ms: int) -> dict[str, Any] | None:
        """The performance that is going on by the clock, to be shown from its beginning; None: there is none."""
        if self._options.resume:
            return None
        known: dict[str, Any] | None = self._performed.load(f"performance of {key}")
        if known is None or not known["began_ms"] <= now_ms < known["ends_ms"]:
            return None
        return known | {"done": 0}

    def _begin_performance(self, key: str, state: dict[str, Any], lasts_ms: int) -> None:
        """Number it, durably, before its first event.

        Raises:
            Unreachable: it could not be remembered.
        """
        files = [f"performances of {digest}" for digest in self._digests]
        state["number"] = 1 + max(self._performed.load(file) or 0 for file in files)
        for file in files:
            self._performed.save(file, state["number"])
        if not self._options.resume:
            self._performed.save(f"performance of {key}", state | {"ends_ms": state["began_ms"] + lasts_ms})

    @property
    def _performed(self) -> Memory:
        return self.context.memory if self.context.performed is None else self.context.performed

    def _save(self, key: str, state: dict[str, Any] | None) -> None:
        """Without it a replay that is cut short repeats, but goes on."""
        try:
            self.context.memory.save(key, state)
        except Retryable as error:
            log.warning("could not save how far the replay is", source=self.name, error=str(error))

    def _digest(self) -> str:
        options = self._options
        played = [] if options.play_hours is None else [options.play_hours]
        digest = hashlib.sha256(msgspec.json.encode([options.speed, options.shift_to_now, *played]))
        self._digests = []
        for path in self._paths:
            with path.open("rb") as stream:
                self._digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
            digest.update(bytes.fromhex(self._digests[-1]))
        return digest.hexdigest()

    def _load(self, recording: _Recording, read_at_ms: int, cancelled: threading.Event) -> None:
        """Read the files. Bad entries, and whole files, are logged and counted; the rest is kept."""
        unreadable = []
        for path in self._paths:
            try:
                for entry in formats.read_file(path, mode=MODE, now_ms=read_at_ms):
                    if cancelled.is_set():
                        return
                    found = recording.withdrawn(entry) if isinstance(entry, Withdrawal) else entry
                    if isinstance(found, Problem):
                        self._problem(path, str(found))
                    elif isinstance(found, Note):
                        self.unread.note(str(found))
                    else:
                        recording.add(found)
            except (Rejected, OSError) as error:
                unreadable.append(f"{path.name}: {error}")
                self._problem(path, str(error))
        if len(unreadable) == len(self._paths):
            raise Rejected("; ".join(unreadable))
        recording.sort()

    def _problem(self, path: Path, reason: str) -> None:
        self.progress.problems += 1
        EVENTS_REFUSED.labels(self.name).inc()
        if self.progress.problems <= _MAX_LOGGED:
            log.warning("could not read", source=self.name, file=path.name, reason=reason)


SOURCE = ReplaySource


@dataclass(frozen=True, slots=True)
class _Pace:
    """How quickly a recording is played, and from which of its moments on: what is before is due at once."""

    speed: float | Literal["max"]
    from_ms: int

    def due_s(self, time_ms: int, after_ms: int) -> float:
        """Seconds from what was said at `after_ms`, or from where playing begins, to what was said at `time_ms`."""
        if self.speed == "max":
            return 0.0
        return max(0, time_ms - max(after_ms, self.from_ms)) / 1000 / self.speed


class _Recording:
    """Events on disk, in the order of their times."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._times_ms = array("q")
        self._latest_ms = array("q")
        self._starts = array("q", [0])
        self._order: Sequence[int] = ()
        self._last: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._order)

    def add(self, event: EarthquakeEvent) -> None:
        encoded = encode(event)
        self._last[event.key] = len(self._times_ms)
        self._file.write(encoded)
        self._starts.append(self._starts[-1] + len(encoded))
        said_ms = event.timestamp_ms if event.updated_ms is None else event.updated_ms
        self._times_ms.append(said_ms)
        self._latest_ms.append(max(said_ms, event.timestamp_ms))

    def withdrawn(self, withdrawal: Withdrawal) -> EarthquakeEvent | Problem:
        """What the recording said of that report before, deleted."""
        n = self._last.get(f"{withdrawal.source}:{withdrawal.id}")
        if n is None:
            return withdrawal.unknown()
        self._file.flush()
        return withdrawal.of(self._at(n))

    def _at(self, n: int) -> EarthquakeEvent:
        encoded = os.pread(self._file.fileno(), self._starts[n + 1] - self._starts[n], self._starts[n])
        return decode(encoded, now_ms=_NO_BOUND_MS)

    def sort(self) -> None:
        """By time; those of one time stay as they came."""
        self._file.flush()
        self._order = array("q", sorted(range(len(self._times_ms)), key=self._times_ms.__getitem__))

    def time_ms(self, n: int) -> int:
        return self._times_ms[self._order[n]]

    def read(self, start: int, end: int) -> Iterator[EarthquakeEvent]:
        for n in self._order[start:end]:
            yield self._at(n)

    def pace(self, speed: float | Literal["max"], play_hours: float | None) -> _Pace:
        """All of it at that speed, or its last hours."""
        if not self._order:
            return _Pace(speed, 0)
        first_ms, last_ms = self.time_ms(0), self.time_ms(len(self) - 1)
        return _Pace(speed, first_ms if play_hours is None else max(first_ms, last_ms - round(play_hours * HOUR_MS)))

    def lasts_ms(self, pace: _Pace) -> int:
        """How long it takes to play."""
        return round(pace.due_s(self.time_ms(len(self) - 1), pace.from_ms) * 1000) if len(self) else 0

    def offset_ms(self, pace: _Pace, now_ms: int) -> int:
        """The largest shift with which no time lies ahead of the moment at which its event is published."""
        return min(
            (
                now_ms + int(pace.due_s(time_ms, pace.from_ms) * 1000) - latest_ms
                for time_ms, latest_ms in zip(self._times_ms, self._latest_ms, strict=True)
            ),
            default=0,
        )


class _Schedule:
    """When each event of a recording is due."""

    def __init__(self, pace: _Pace, recording: _Recording, first: int, start_s: float) -> None:
        self._pace = pace
        self._recording = recording
        self._start_s = start_s
        self._first_ms = recording.time_ms(first) if first < len(recording) else 0

    async def wait(self, n: int) -> int:
        """Wait until event `n` is due; the end of the run of those that are due with it."""
        end = min(n + CHUNK, len(self._recording))
        if self._pace.speed == "max":
            return end
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(max(0.0, self._due_s(n) - clock()))
        now_s = max(clock(), self._due_s(n))
        return next((k for k in range(n + 1, end) if self._due_s(k) > now_s), end)

    def _due_s(self, n: int) -> float:
        return self._start_s + self._pace.due_s(self._recording.time_ms(n), self._first_ms)


def _shifted(event: EarthquakeEvent, offset_ms: int | None, number: int) -> EarthquakeEvent:
    if offset_ms is None:
        return event
    recorded: dict[str, Any] = {"recordedTimestamp": event.timestamp_ms}
    if number > 1:
        recorded["recordedId"] = event.id
    return msgspec.structs.replace(
        event,
        id=_numbered(event.id, number),
        ids=tuple(_numbered(name, number) for name in event.ids),
        timestamp_ms=event.timestamp_ms + offset_ms,
        updated_ms=None if event.updated_ms is None else event.updated_ms + offset_ms,
        magnitudes=shifted(event.magnitudes, offset_ms),
        origins=shifted(event.origins, offset_ms),
        focal_mechanisms=shifted(event.focal_mechanisms, offset_ms),
        extra=event.extra | recorded,
    )


def _numbered(name: str, number: int) -> str:
    """An id in the performance of that number."""
    if number == 1:
        return name
    suffix = f"~{number}"
    if len(name) + len(suffix) > MAX_ID:
        suffix = f"~{hashlib.sha256(name.encode()).hexdigest()[:16]}{suffix}"
        name = name[: MAX_ID - len(suffix)]
    return f"{name}{suffix}"


def bundled() -> dict[str, Path]:
    """The recordings that come along, by their names."""
    return {path.name.partition(".")[0]: path for path in BUNDLED.glob("*.gz")}


def _locate(name: str, folder: Path | None) -> Path:
    """A bundled recording, or a file below `folder`; nothing else on this machine."""
    named = bundled()
    if name in named:
        return named[name]
    shown = name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}…"
    if folder is None:
        raise Rejected(f"source replay: there is no recording {shown!r}: choose from {', '.join(sorted(named))}")
    try:
        path = (folder / name).resolve()
        inside, there = path.is_relative_to(folder.resolve()), path.is_file()
    except (ValueError, OSError, RuntimeError) as error:  # no name, too long a one, links in a circle
        why = error.strerror if isinstance(error, OSError) else str(error)[:_MAX_SHOWN]
        raise Rejected(f"source replay: {shown!r} is not a name: {why}") from error
    if not inside:
        raise Rejected(f"source replay: {shown!r} is not below the folder of recordings")
    if not there:
        raise Rejected(f"source replay: there is no file {shown!r} in the folder of recordings")
    return path
