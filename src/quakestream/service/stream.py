"""The stream's control: which sources run, what is remembered of it, and how each one is.

What was wanted last is remembered before it is answered for, and resumed when the program starts again; an explicit
stop is remembered too, and wins over `AUTOSTART_SOURCES`, which count only while nobody has ever asked for anything.
`quakestream up` has no such memory: it starts what it says, every time.

One instance at a time reads a source: a lock in `DATA_DIR` keeps a second service off the same folder. It can't see a
service on another machine: with Kafka, too, run one earthquake-service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Final

import structlog
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from quakestream import supervision, telemetry, waits
from quakestream.backoff import pauses
from quakestream.config import LEAST_INTERVAL_MS
from quakestream.errors import Fatal, Rejected, Retryable
from quakestream.event import EarthquakeEvent, iso_time
from quakestream.secrecy import redacted
from quakestream.service.publisher import RETRY_S, Publisher
from quakestream.service.silence import Silence
from quakestream.sources import Source, State
from quakestream.sources.memory import Memory

DEFAULT_SOURCES: Final = ({"name": "simulator"},)
GRACE_S: Final = 1.0
"""How long a source that is stopped may finish the `publish` it is in, so that it can mark what arrived."""
STOP_LIMIT_S: Final = 5.0
MAX_SOURCES: Final = 16

log = structlog.get_logger(__name__)


def _named(sources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not all(isinstance(source.get("name"), str) for source in sources):
        raise ValueError("each source is an object with a name")
    return sources


class Wanted(BaseModel):
    """The body of a start: which sources, with their options, and at what pace where the options do not say."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    sources: (
        Annotated[
            list[
                Annotated[
                    dict[str, Any],
                    WithJsonSchema(
                        {
                            "type": "object",
                            "required": ["name"],
                            "properties": {"name": {"type": "string"}},
                            "additionalProperties": True,
                        }
                    ),
                ]
            ],
            Field(min_length=1, max_length=MAX_SOURCES),
            AfterValidator(_named),
        ]
        | None
    ) = Field(None, description="Absent: the simulator.")
    interval_ms: (
        Annotated[float, Field(ge=LEAST_INTERVAL_MS, le=86_400_000, strict=True, allow_inf_nan=False)] | None
    ) = Field(None, alias="intervalMs", description="Pace in ms an event, 1 or more. Absent: `EVENT_INTERVAL_MS`.")

    @classmethod
    def from_body(cls, body: bytes) -> Wanted | None:
        """A start's body; None for an empty one or `{}`.

        Raises:
            Rejected: with every fault and where it is.
        """
        if not body.strip():
            return None
        try:
            wanted = cls.model_validate_json(body)
        except ValidationError as error:
            faults = (f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}" for fault in error.errors())
            raise Rejected("; ".join(faults)) from error
        return wanted if wanted.model_fields_set else None


class Stream:
    """One stream, whatever is called how often and by how many at once."""

    def __init__(
        self,
        publisher: Publisher,
        build: Callable[[Mapping[str, Any], float | None], Source],
        control: Memory | None,
        autostart: Sequence[Mapping[str, Any]] = (),
        build_own: Callable[[Mapping[str, Any], float | None], Source] | None = None,
        recalled: asyncio.Event | None = None,
        *,
        reports: Memory | None = None,
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        """`build` makes a source from its entry in a start body and a pace, or says `Rejected`.

        `control` remembers what was wanted; None: nothing is remembered, and `resume` starts `autostart` every time.
        `build_own` builds what the operator chose, `autostart`; None: as `build`. `recalled`: sources may ask the
        memory; they wait for it.
        `reports` remembers how often each source reports; without `now_ms` nobody listens whether one falls silent.
        """
        self.changed = asyncio.Event()
        """Set when a source's state changes."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the exception after which the program must stop in order."""
        self.publisher = publisher
        """What the sources publish through."""
        self.recalled = recalled
        self.now_ms = now_ms
        self.reports = reports
        self._build = build
        self._build_own = build_own or build
        self._stopped = False
        self._control = control
        self._autostart = [dict(source) for source in autostart]
        self._lock = asyncio.Lock()
        self._runs: list[_Run] = []

    @property
    def running(self) -> bool:
        """Whether a source is at work."""
        return any(run.at_work for run in self._runs)

    @property
    def answered(self) -> bool:
        """Whether a source that is wanted is live, or has come to its end."""
        return any(run.state in ("live", "finished") for run in self._runs if not run.fills_in)

    @property
    def filled_in(self) -> bool:
        """Whether something runs that nobody asked for, in place of what does not answer."""
        return any(run.fills_in for run in self._runs)

    @property
    def silent(self) -> list[str]:
        """The sources that report nothing for longer than they ever kept still."""
        return [run.name for run in self._runs if run.silent_since is not None]

    @property
    def stopped(self) -> bool:
        """Whether no stream is wanted: somebody has stopped it, or nobody has ever started one."""
        return self._stopped

    @property
    def silenced(self) -> bool:
        """Whether somebody has stopped what is to start by itself, now or before the program was started."""
        return self._stopped and bool(self._autostart)

    async def start(self, wanted: Wanted | None = None) -> None:
        """Run what is wanted, in place of what runs; without saying what, leave a running stream alone.

        Raises:
            Rejected: there is no such source, or it does not take these options; nothing has changed.
            Unreachable: it could not be remembered; nothing has changed.
        """
        async with self._lock:
            if wanted is None and self.running:
                log.info("the stream runs already")
                return
            sources = (wanted and wanted.sources) or [dict(source) for source in DEFAULT_SOURCES]
            interval_ms = wanted.interval_ms if wanted else None
            built = [self._build(source, interval_ms) for source in sources]
            _each_once(built)
            self._remember({"running": True, "sources": sources, "intervalMs": interval_ms})
            self._stopped = False
            await self._halt()
            self._run([_Run(one.label, one, self) for one in built])

    async def stop(self) -> None:
        """Stop, and remember that nothing is wanted.

        Raises:
            Unreachable: it could not be remembered; nothing has changed.
        """
        async with self._lock:
            if not self.running:
                log.info("No running earthquake event stream to stop.")
            self._remember({"running": False})
            self._stopped = True
            if self.running:
                await self._halt()
                log.info("Earthquake event stream stopped.")

    async def resume(self) -> None:
        """Run what was wanted when the program last ran; where nobody ever asked, what starts by itself."""
        async with self._lock:
            remembered = None if self._control is None else self._control.load("wanted")
            build = self._build_own if remembered is None else self._build
            if remembered is None:
                remembered = {"running": bool(self._autostart), "sources": self._autostart}
            self._stopped = not remembered["running"]
            if self._stopped:
                log.info("no stream is running. POST /earthquake-events/start starts one")
                return
            log.info("resuming the stream")
            self._run([self._revive(source, remembered.get("intervalMs"), build) for source in remembered["sources"]])

    async def suspend(self) -> None:
        """Stop for now: what is wanted stays remembered."""
        async with self._lock:
            await self._halt()

    async def begin_again(self, between: Callable[[], Awaitable[object]]) -> None:
        """Stop the sources that are at work, do what changes their memory, and run them from their beginning."""
        async with self._lock:
            runs = [run for run in self._runs if run.at_work]
            await asyncio.gather(*(run.stop() for run in runs))
            try:
                await between()
            finally:
                for run in runs:
                    run.begin()

    async def fill_in(self, source: Mapping[str, Any]) -> bool:
        """Run one more source beside what is wanted, for now: it is not remembered, and goes when anything is started.

        False, and nothing runs, where no stream is wanted or one that is wanted has answered meanwhile.

        Raises:
            Rejected: there is no such source, or it does not take these options.
        """
        async with self._lock:
            if self._stopped or self.answered:
                return False
            built = self._build_own(source, None)
            label = built.label
            while any(run.name == label for run in self._runs):
                label = f"{label}-fallback"
            run = _Run(label, built, self, fills_in=True)
            self._runs.append(run)
            run.begin()
            self.changed.set()
            return True

    async def withdraw(self) -> None:
        """End what `fill_in` began, and show it no more."""
        async with self._lock:
            for run in [run for run in self._runs if run.fills_in]:
                await run.stop()
                self._runs.remove(run)
            self.changed.set()

    def status(self) -> dict[str, Any]:
        """What `GET /earthquake-events/status` answers."""
        publisher = self.publisher
        return {
            "running": self.running,
            "sources": self.sources(),
            "queue": {"used": publisher.queue_used, "size": publisher.queue_size},
            "log": {"kind": publisher.kind, "reachable": publisher.reachable},
        }

    def sources(self) -> list[dict[str, Any]]:
        """How each source is. Counts are since the program started; `lastEventAt` is when the last one arrived."""
        return [run.document() for run in self._runs]

    def fail(self, error: BaseException) -> None:
        """Something must end the program."""
        if not self.failed.done():
            # whoever waits for a future is to get no CancelledError or SystemExit of another's
            why = error if isinstance(error, Exception) else Fatal(f"a source failed: {error!r}")
            self.failed.set_exception(why)

    def _remember(self, wanted: Mapping[str, Any]) -> None:
        if self._control is not None:
            self._control.save("wanted", wanted)

    def _revive(
        self,
        source: Mapping[str, Any],
        interval_ms: float | None,
        build: Callable[[Mapping[str, Any], float | None], Source],
    ) -> _Run:
        """A source that was once accepted; where it no longer is, it fails for itself, and the others run."""
        try:
            built = build(source, interval_ms)
            return _Run(built.label, built, self)
        except Rejected as error:
            run = _Run(str(source["name"]), None, self)
            run.report("failing", error=str(error))
            return run

    def _run(self, runs: list[_Run]) -> None:
        self._runs = runs
        for run in runs:
            run.begin()
        log.info("the stream runs", sources=[run.name for run in runs])
        self.changed.set()

    async def _halt(self) -> None:
        if not self.running:
            return
        await asyncio.gather(*(run.stop() for run in self._runs))
        log.info("the stream has stopped")


def _each_once(sources: Sequence[Source]) -> None:
    labels = [source.label for source in sources]
    for label in labels:
        if labels.count(label) > 1:
            raise Rejected(f"source {label!r} is named twice")


class _Run:
    """One source at work, and its outlet. A task of its own: what happens to it holds up no other."""

    def __init__(self, name: str, source: Source | None, stream: Stream, *, fills_in: bool = False) -> None:
        self.name = name
        self.fills_in = fills_in
        self.state: State = "starting"
        self._error: str | None = None
        self._source = source
        self._stream = stream
        self._task: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._silence: Silence | None = None

    @property
    def silent_since(self) -> int | None:
        """Since when nothing has come of it, where that is an alarm; ms."""
        return self._silence.since_ms() if self._silence and self.at_work else None

    @property
    def at_work(self) -> bool:
        """Whether more may come of it."""
        return self._task is not None and not self._task.done()

    def begin(self) -> None:
        if self._source is not None:
            self._stopping = False
            if self._source.never_ends and self._stream.now_ms is not None:
                self._silence = Silence(self.name, self._stream.reports, self._stream.now_ms)
            self._task = supervision.once("source", self._work(self._source), on_error=self._fail)

    async def publish(self, events: Sequence[EarthquakeEvent], *, backfill: bool = False) -> None:
        """`Outlet.publish`."""
        self._idle.clear()
        try:
            if self._stopping:
                await asyncio.Event().wait()  # until it is cancelled, which is a moment away
            await self._stream.publisher.publish(self.name, events, backfill=backfill)
            if self._silence is not None:
                self._silence.heard(events, backfill=backfill)
        finally:
            self._idle.set()
        if self.state == "starting" and events:
            self.report("live")

    def report(self, state: State, *, error: str | None = None) -> None:
        """`Outlet.report`."""
        error = None if error is None else redacted(error)
        if state == "failing":
            telemetry.SOURCE_ERRORS.labels(self.name).inc()
            log.warning("source fails", source=self.name, error=error)
        elif state != self.state:
            log.info("source", source=self.name, state=state)
        self._error = error
        telemetry.SOURCE_UP.labels(self.name).set(state in ("live", "finished"))
        if state != self.state:
            self.state = state
            self._stream.changed.set()

    async def stop(self) -> None:
        """Let it finish the `publish` that it is in, for a moment; then end it."""
        if self._task is None or self._task.done():
            return
        self._stopping = True
        await waits.is_set(self._idle, GRACE_S)
        self._task.cancel()
        _, pending = await asyncio.wait([self._task], timeout=STOP_LIMIT_S)
        if pending:
            raise Fatal(f"source {self.name} does not stop")
        if self.state != "finished":
            self.report("stopped", error=self._error)

    def document(self) -> dict[str, Any]:
        """Its entry in the status."""
        publisher, since_ms = self._stream.publisher, self.silent_since
        document = publisher.tally(self.name).document(self.name, self.state, self._error)
        silent = {"silentSince": None if since_ms is None else iso_time(since_ms)}
        unread = None if self._source is None else self._source.unread
        left_out = {"unread": unread.count if unread else 0, "lastUnread": unread.last if unread else None}
        actual = {"actual": self._source is None or self._source.never_ends}
        network = None if self._source is None else self._source.network
        whose = {"agency": network} if network else {}
        return document | publisher.refusals.state(self.name) | silent | left_out | actual | whose

    async def _work(self, source: Source) -> None:
        pauses_s = pauses(*RETRY_S)
        if self._stream.recalled is not None:
            await self._stream.recalled.wait()
        while True:
            try:
                await source.run(self)
            except Rejected as error:  # what it was told to read can't be read: it alone ends
                self.report("failing", error=str(error))
                return
            except Retryable as error:
                self.report("failing", error=str(error))
                await asyncio.sleep(next(pauses_s))
            else:
                self.report("finished")
                return

    def _fail(self, error: BaseException) -> None:
        """Whatever it is, it ends the program, in order."""
        self.report("failing", error=repr(error))
        self._stream.fail(error)
