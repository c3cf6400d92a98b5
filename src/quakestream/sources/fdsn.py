"""fdsn: the event service of any agency that keeps to the FDSN's standard, asked again and again for what is new.

https://www.fdsn.org/webservices/fdsnws-event-1.2.pdf. By `updatedafter` where the service describes itself as one that
knows it, else by a window of time that overlaps the last one, and a longer one less often: the memory tells what is
new. An event that is no longer there is nobody's word for anything: only a type of "not existing" deletes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Literal, Self

import msgspec
import structlog
from pydantic import Field, field_validator, model_validator

from quakestream import sources
from quakestream.errors import Rejected, Retryable
from quakestream.event import EarthquakeEvent
from quakestream.formats import Withdrawal
from quakestream.secrecy import redacted
from quakestream.sources import Outlet, Source, SourceContext, SourceOptions
from quakestream.sources.allowed import check_names
from quakestream.sources.client import Client, ErrorAnswer, Pace, is_loopback, is_url
from quakestream.sources.event_service import DAY_MS, Archive, EventService, Reach
from quakestream.sources.memory import FORGET_AFTER_MS
from quakestream.sources.naming import Names
from quakestream.sources.presets import AGENCIES, ALIASES, PRESETS, Preset
from quakestream.sources.refusals import Reading

MIN_POLL_INTERVAL_S: Final = 60.0
POLL_INTERVAL_S: Final = 300.0
FAILURES_BEFORE_FALLBACK: Final = 3
"""Polls that fail one after the other before the agency's other host is asked."""
POLLS_OF_FALLBACK: Final = 12
"""After so many good ones the first host is tried again."""
PAGE: Final = 5_000
PAGE_PAUSE_S: Final = 5.0

log = structlog.get_logger(__name__)


class FdsnOptions(SourceOptions):
    """Which service, and how it is asked: a `preset`, or a `url` and the `source` that its reports are to be called."""

    preset: str | None = Field(None, description=f"One of {', '.join(PRESETS)}.")
    url: str | None = Field(
        None, pattern=r"^https?://", max_length=500, description="As in `https://example.org/fdsnws/event/1/`."
    )
    source: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        description="The `source` of its reports. Absent: the preset's name.",
    )
    agency: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="Agency that located the events, if it is always the same. Absent: as each event says.",
    )
    format: Literal["quakeml", "text"] = Field(
        "quakeml",
        description="`text` is smaller, and does not say what was reviewed, how sure it is, nor when it changed.",
    )
    updated_after: bool | None = Field(
        None, description="Whether to ask by `updatedafter`. Absent: as the service's `application.wadl` says."
    )
    min_magnitude: float | None = Field(None, ge=-10, le=12, description="Smallest magnitude. Absent: all.")
    poll_interval_s: float | None = Field(
        None,
        gt=0,
        le=86_400,
        description="60 or more, but for a server on this machine. Absent: the preset's, else 300.",
    )
    look_hours: float = Field(
        24, ge=1, le=24 * 31, description="How far back each request goes, without `updatedafter`."
    )
    deep_days: float = Field(7, ge=1, le=365, description="How far back a deep request goes, without `updatedafter`.")
    deep_interval_s: float = Field(6 * 3600, ge=600, le=30 * 86_400, description="Time between two deep requests.")
    backfill_days: float = Field(1, ge=0, le=366 * 200, description="How far back to read at the first start.")

    @field_validator("preset")
    @classmethod
    def _by_its_own_name(cls, preset: str | None) -> str | None:
        return ALIASES.get(preset, preset) if preset else preset

    @model_validator(mode="after")
    def _names_a_service(self) -> Self:
        if (self.preset is None) == (self.url is None):
            raise ValueError("either a preset or a url is wanted")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"there is no preset {self.preset!r}: choose from {', '.join(PRESETS)}")
        if self.url is not None and self.source is None:
            raise ValueError("a url needs a source: what its reports are to be called")
        if self.url is not None and not is_url(self.url):
            raise ValueError(
                "the url is none: `https://HOST/PATH` is wanted; in a user's name or password `/`, `?`, `#`, `:`, `@` "
                "and `%` are percent-encoded"
            )
        if self.source in sources.names():
            whose = "another source's" if self.source not in AGENCIES else "another source's and an agency's own"
            raise ValueError(f"{self.source!r} is {whose} name")
        return self


class FdsnSource(Source):
    """Asks at once, then every `poll_interval_s`; after failures later and later, with jitter.

    Several run side by side: each has a label of its own, `fdsn:ingv`, and its reports a `source` of their own, `ingv`.
    """

    name = "fdsn"
    Options = FdsnOptions
    never_ends = True

    def __init__(self, options: FdsnOptions, context: SourceContext) -> None:
        super().__init__(options, context)
        self._options = options
        preset: Preset | None = PRESETS[options.preset] if options.preset else None
        self._url = options.url or (preset.url if preset else "")
        self._fallback_url = preset.fallback_url if preset and not options.url else None
        self._elsewhere: str | None = None
        self._polls_elsewhere = 0
        self._source = options.source or options.preset or ""
        self._agency = options.agency or (preset.agency if preset else None)
        self._network = preset.agency if preset and not options.url else None
        self._only = context.source_urls if options.url else None
        if self._only is not None:
            self._only.check(self._url)
        if context.names_reserved:
            check_names(options, self.label)
        self._interval_s = options.poll_interval_s or (preset.poll_interval_s if preset else POLL_INTERVAL_S)
        if self._interval_s < MIN_POLL_INTERVAL_S and not is_loopback(self._url):
            raise Rejected(f"source {self.label}: pollIntervalS: {MIN_POLL_INTERVAL_S:g} s at least")

    @property
    def label(self) -> str:
        """`fdsn:` and what its reports are called."""
        return f"{self.name}:{self._source}"

    @property
    def network(self) -> str | None:
        return self._network

    async def run(self, outlet: Outlet) -> None:
        """Ask until cancelled."""

        async def deliver(events: Sequence[EarthquakeEvent]) -> None:
            first = archive is not None and archive.is_first
            await self.deliver(outlet, [self._own(event) for event in events], backfill=first)

        archive: Archive | None = None
        pace = Pace(self._interval_s)
        clock = asyncio.get_running_loop().time
        async with Client(self.context, "*/*", self._only) as client:
            service = self._service(client)
            while True:
                began, more = clock(), False
                try:
                    if archive is None:
                        archive = await self._archive(service)
                    more = await archive.step(deliver)
                except (Retryable, Rejected) as error:
                    pace.failed(error)
                    log.warning(
                        "poll failed", source=self.label, url=service.url, failures=pace.failures, error=str(error)
                    )
                    outlet.report("failing", error=str(error))
                    if pace.failures % FAILURES_BEFORE_FALLBACK == 0:
                        self._ask_other(service)
                    if isinstance(error, ErrorAnswer) and error.status == 400 and archive is not None:
                        archive.give_up_updates()  # it may not know them after all
                else:
                    pace.succeeded()
                    outlet.report("live", error=self._elsewhere)
                    if not more:
                        self._forget()
                        self._polls_elsewhere += self._elsewhere is not None
                        if self._polls_elsewhere >= POLLS_OF_FALLBACK:
                            self._ask_other(service)
                between_s = min(PAGE_PAUSE_S, self._interval_s)
                await asyncio.sleep(between_s if more else pace.pause_s(clock() - began))

    def _ask_other(self, service: EventService) -> None:
        """Ask the agency's other host from now on, where it has one; or the first one again."""
        if self._fallback_url is None:
            return
        self._polls_elsewhere = 0
        if self._elsewhere is None:
            self._elsewhere = f"{self._url} fails: {self._fallback_url} is asked"
            service.move(self._fallback_url)
        else:
            self._elsewhere = None
            service.move(self._url)
        log.warning("asking another host of the agency", source=self.label, url=service.url)

    def _service(self, client: Client) -> EventService:
        least = self._options.min_magnitude
        return EventService(
            client,
            self._url,
            self._options.format,
            settle=self.settle,
            names=Names(self.context.memory, self._source, self._agency, self.context.now_ms),
            now_ms=self.context.now_ms,
            limit=PAGE,
            parameters={} if least is None else {"minmagnitude": least},
        )

    async def _archive(self, service: EventService) -> Archive:
        options = self._options
        by_update = options.updated_after
        if by_update is None:
            by_update = await service.knows_updated_after()
        reach = Reach(
            first_ms=round(options.backfill_days * DAY_MS),
            look_ms=round(options.look_hours * 3_600_000),
            deep_ms=round(options.deep_days * DAY_MS),
            deep_interval_ms=round(options.deep_interval_s * 1000),
        )
        key = f"{self.label}: looked through {redacted(self._url.rstrip('/') + '/')}, {options.min_magnitude}"
        return Archive(service, self.context.memory, key, self.context.now_ms, reach, by_update=by_update)

    def reading(self, form: str) -> Reading:
        """Under this source's name again."""
        return Reading(form, self._source, self._agency)

    def _own(self, event: EarthquakeEvent) -> EarthquakeEvent:
        """Called by this source's name, whatever the format makes of the agency's ids."""
        return msgspec.structs.replace(event, source=self._source, agency=self._agency or event.agency)

    def own_name(self, withdrawal: Withdrawal) -> tuple[str, str]:
        """Whatever the format calls the source."""
        return self._source, withdrawal.id

    def _forget(self) -> None:
        before_ms = self.context.now_ms() - FORGET_AFTER_MS
        try:
            self.context.memory.forget(self._source, before_ms)
            self.context.memory.forget_older(before_ms)
        except Retryable as error:
            log.warning("could not remove old entries from the memory", source=self.label, error=str(error))


SOURCE = FdsnSource
