"""jma: the Japan Meteorological Agency's earthquake bulletins, from the list behind its own page.

https://www.jma.go.jp/bosai/quake/data/list.json: what it felt in Japan within the last weeks, and great distant
earthquakes. It is no documented service: see `formats/jma.py` for what is known of it.
"""

from __future__ import annotations

from pydantic import Field

from quakestream.sources import SourceContext, SourceOptions
from quakestream.sources.client import Answer
from quakestream.sources.event_service import ReadAnswer, read_answer
from quakestream.sources.polling import Polled


class JmaOptions(SourceOptions):
    """How often."""

    poll_interval_s: float = Field(60, gt=0, le=86_400, description="60 or more, but for a server on this machine.")


class JmaSource(Polled):
    """Each bulletin is a revision of its earthquake: all that the list shows are published, in their order."""

    name = "jma"
    Options = JmaOptions
    accept = "application/json"

    def __init__(self, options: JmaOptions, context: SourceContext) -> None:
        super().__init__(
            options, context, url=context.jma_list_url, source=self.name, interval_s=options.poll_interval_s
        )

    @property
    def network(self) -> str:
        return "jma"

    async def read(self, answer: Answer) -> ReadAnswer:
        """The bulletins of the list."""
        return await read_answer(answer, "jma", self.settle, now_ms=self.context.now_ms())


SOURCE = JmaSource
