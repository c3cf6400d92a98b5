"""feed: any agency's list of earthquakes by its URL, GeoJSON, JSON, Atom or RSS, with a mapping of its fields.

So an agency needs no code; what its list can't say by itself stands in the options. See `formats/mapping.py`.
"""

from __future__ import annotations

from typing import Any, Final, Self

import httpx
import msgspec
from pydantic import Field, field_validator, model_validator

from quakestream import sources
from quakestream.event import iso_time
from quakestream.formats import Withdrawal
from quakestream.formats.mapping import FeedMapping
from quakestream.sources import SourceContext, SourceOptions
from quakestream.sources.allowed import SourceUrls, check_names
from quakestream.sources.client import Answer, is_url
from quakestream.sources.event_service import ReadAnswer, read_answer
from quakestream.sources.naming import Names
from quakestream.sources.polling import Polled
from quakestream.sources.presets import AGENCIES
from quakestream.sources.refusals import Reading

POLL_INTERVAL_S: Final = 300.0
_WINDOW: Final = ("{start}", "{end}")


class FeedOptions(FeedMapping, SourceOptions):
    """Which list, what its reports are to be called, and where their fields stand."""

    url: str = Field(
        pattern=r"^https?://",
        max_length=1000,
        description="The list. `{start}` and `{end}` in its query become times, as 2026-01-31T23:59:59, in UTC.",
    )
    source: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="The `source` of its reports.")
    agency: str | None = Field(
        None, min_length=1, max_length=64, description="Agency that located the events, if it is always the same."
    )
    poll_interval_s: float = Field(
        POLL_INTERVAL_S, gt=0, le=86_400, description="60 or more, but for a server on this machine."
    )
    look_hours: float = Field(24, ge=1, le=24 * 31, description="How far `{start}` lies before `{end}`, which is now.")

    @field_validator("url")
    @classmethod
    def _can_be_asked(cls, url: str) -> str:
        if not is_url(url):
            raise ValueError("`https://HOST/PATH` is wanted")
        before, _, _ = url.partition("?")
        if "{" in before or "}" in before:
            raise ValueError("`{start}` and `{end}` may stand in the query alone")
        return url

    @field_validator("source")
    @classmethod
    def _is_its_own(cls, source: str) -> str:
        if source in sources.names():
            whose = "another source's" if source not in AGENCIES else "another source's and an agency's own"
            raise ValueError(f"{source!r} is {whose} name")
        return source

    @model_validator(mode="after")
    def _says_who(self) -> Self:
        if self.agency is not None and "agency" in self.fields:
            raise ValueError("agency: either it is always the same, or fields.agency says it")
        return self

    @property
    def mapping(self) -> FeedMapping:
        """Without what is the source's alone."""
        return FeedMapping.model_validate({name: getattr(self, name) for name in FeedMapping.model_fields})


class FeedSource(Polled):
    """Several run side by side: each has a label of its own, `feed:bgs`, and its reports a `source` of their own."""

    name = "feed"
    Options = FeedOptions

    def __init__(self, options: FeedOptions, context: SourceContext) -> None:
        super().__init__(options, context, url=options.url, source=options.source, interval_s=options.poll_interval_s)
        self._options = options
        self._mapping = options.mapping
        if context.source_urls is not None:
            context.source_urls.check(plain_url(options.url))
        if context.names_reserved:
            check_names(options, self.label)
        self._names = Names(context.memory, options.source, options.agency, context.now_ms)

    @property
    def label(self) -> str:
        """`feed:` and what its reports are called."""
        return f"{self.name}:{self._source}"

    def only(self) -> SourceUrls | None:
        """As a start body's URL."""
        return self.context.source_urls

    def url(self) -> str:
        """With the times of now."""
        end_ms = self.context.now_ms()
        url = self._options.url
        for name, at_ms in zip(_WINDOW, (end_ms - round(self._options.look_hours * 3_600_000), end_ms), strict=True):
            url = url.replace(name, iso_time(at_ms)[:19])
        return url

    async def read(self, answer: Answer) -> ReadAnswer:
        """The reports of the list, under this source's name."""
        read = await read_answer(
            answer, "feed", self.settle, now_ms=self.context.now_ms(), names=self._names, mapping=self._mapping
        )
        agency = self._options.agency
        own = [
            msgspec.structs.replace(event, source=self._source, agency=agency or event.agency) for event in read.events
        ]
        return ReadAnswer(own, read.entries, read.broken)

    def reading(self, form: str) -> Reading:
        """Under this source's name again, by the same mapping."""
        mapping = self._mapping.model_dump_json(by_alias=True, exclude_defaults=True)
        return Reading(form, self._source, self._options.agency, mapping)

    def own_name(self, withdrawal: Withdrawal) -> tuple[str, str]:
        """Whatever the format calls the source."""
        return self._source, withdrawal.id


def plain_url(url: Any) -> str:
    """A URL without its query: what may be named is a place, not what is asked there."""
    return str(httpx.URL(str(url).partition("?")[0].partition("#")[0]))


SOURCE = FeedSource
