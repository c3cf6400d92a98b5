"""Sources: where reports come from. One file a source; the file's name is the source's name in a start body.

A module here defines `SOURCE`, its `Source` class. Nothing else has to be told of a new one.
"""

from __future__ import annotations

import abc
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent
from quakestream.sources.memory import Memory

State = Literal["starting", "live", "failing", "finished", "stopped"]


class Outlet(Protocol):
    """What a source is given to publish through, and to say how it is."""

    async def publish(self, events: Sequence[EarthquakeEvent]) -> None:
        """Hand events to the log, in order; returns when every one was acknowledged.

        Waits while the queue is full or the log is out of reach: that is the back-pressure. An event that the log will
        never take is logged and counted, and does not keep the others out.
        """
        ...

    def report(self, state: State, *, error: str | None = None) -> None:
        """Say how the source is. `failing` counts an error; `live` clears it."""
        ...


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What the program gives every source."""

    memory: Memory
    now_ms: Callable[[], int]
    interval_ms: float
    """Pace where the options do not say."""
    user_agent: str
    http_timeout_s: float
    usgs_feed_url: str
    recordings: Path | None = None
    """Folder whose files a replay may read, by their path below it. None: bundled recordings only."""


class SourceOptions(BaseModel):
    """What a start body may say of a source, in camelCase as there; an unknown option is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, alias_generator=to_camel)


class Source(abc.ABC):
    """One stream of reports.

    `run` publishes until it is cancelled, or returns when nothing more is to come (a replay's end). It deals with
    its own failures: a poll that failed is reported and tried again, and never means that earthquakes vanished. What it
    has published it marks in the memory after the acknowledgement: a crash between the two repeats, and never loses.
    """

    name: ClassVar[str]
    Options: ClassVar[type[SourceOptions]]

    def __init__(self, options: Any, context: SourceContext) -> None:
        self.options = options
        self.context = context

    @abc.abstractmethod
    async def run(self, outlet: Outlet) -> None:
        """Publish through `outlet`."""


def names() -> list[str]:
    """The sources that there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "memory")


def build(wanted: Mapping[str, Any], context: SourceContext) -> Source:
    """One source from `{"name": …, …options}` of a start body.

    Raises:
        Rejected: there is no such source, or an option is unknown or bad; the message names it.
    """
    options = dict(wanted)
    name = options.pop("name", None)
    if name not in names():
        raise Rejected(f"there is no source {name!r}: choose from {', '.join(names())}")
    source: type[Source] = importlib.import_module(f"{__name__}.{name}").SOURCE
    try:
        return source(source.Options.model_validate(options), context)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or name}: {f['msg']}" for f in error.errors())
        raise Rejected(f"source {name}: {faults}") from error
