"""simulator: made-up earthquakes at a steady pace, to build and test against. Always `mode: test`."""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import structlog
from pydantic import Field

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent, EpochMs, Location, Mode
from quakestream.seismology import plates
from quakestream.seismology.plates import Hypocentre
from quakestream.seismology.statistics import Etas
from quakestream.sources import Outlet, Source, SourceContext, SourceOptions

MODE: Final[Mode] = "test"
CHUNK: Final = 500
MAX_BEHIND_S: Final = 1.0
"""After a stall this much is made up for; the rest is left out, and said."""
WARM_UP_DAYS: Final = 3.0
"""The model begins without aftershocks: by now most of them are there, and the pace with them."""

log = structlog.get_logger(__name__)


class SimulatorOptions(SourceOptions):
    """What is made up, and how fast."""

    profile: Literal["uniform", "realistic"] = Field(
        "uniform",
        description="`uniform`: magnitude 0 to 9, anywhere on Earth. `realistic`: like real seismicity, along plate "
        "boundaries and with aftershocks. The interval is then the mean.",
    )
    interval_ms: float | None = Field(
        None, gt=0, le=86_400_000, description="Time between two events. Absent: `EVENT_INTERVAL_MS`."
    )
    seed: int | None = Field(None, ge=0, lt=2**63, description="The same seed makes the same earthquakes.")
    count: int | None = Field(None, ge=1, description="Stop after this many events.")
    start_time: EpochMs | None = Field(
        None, description="Time of the first event, in ms. The times then follow the schedule, not the clock."
    )


@dataclass(frozen=True, slots=True)
class Planned:
    """One earthquake to come: seconds after the beginning, size and place."""

    due_s: float
    magnitude: float
    place: Hypocentre


def plan(profile: Literal["uniform", "realistic"], seed: int, interval_s: float) -> Iterator[Planned]:
    """Made-up earthquakes without end; the same for the same arguments."""
    rng = random.Random(seed)
    if profile == "uniform":
        for n in itertools.count():
            yield Planned(n * interval_s, round(rng.uniform(0.0, 9.0), 1), plates.anywhere(rng))
    model = Etas()
    # The Earth's own days are made so short that its mean interval becomes ours: sequences keep their shape.
    seconds_per_day = interval_s * model.per_day
    for shock in model.shocks(rng, plates.near_boundary, plates.near_parent):
        if shock.days >= WARM_UP_DAYS:
            due_s = (shock.days - WARM_UP_DAYS) * seconds_per_day
            yield Planned(due_s, round(shock.magnitude, 2), shock.place)


class SimulatorSource(Source):
    """Publishes what is due, as one batch, and waits for what comes next.

    Each event is due by the plan and not so long after the last one, so that the pace does not drift with the time that
    publishing takes.
    """

    name = "simulator"
    Options = SimulatorOptions

    def __init__(self, options: SimulatorOptions, context: SourceContext) -> None:
        super().__init__(options, context)
        self._options = options
        if options.interval_ms is not None and options.interval_ms < context.least_interval_ms:
            raise Rejected(f"source simulator: intervalMs: {context.least_interval_ms:g} at least")

    async def run(self, outlet: Outlet) -> None:
        """Publish until cancelled, or until `count` is reached."""
        options = self._options
        seed = secrets.randbits(40) if options.seed is None else options.seed
        started_ms = self.context.now_ms() if options.start_time is None else options.start_time
        # The seed and the moment of the beginning: another run, even of the same seed, makes other ids.
        prefix = f"{started_ms:x}-{seed:x}"
        interval_ms = self.context.interval_ms if options.interval_ms is None else options.interval_ms
        planned = plan(options.profile, seed, interval_ms / 1000)
        numbered = enumerate(planned if options.count is None else itertools.islice(planned, options.count))
        clock = asyncio.get_running_loop().time
        start_s = clock()
        outlet.report("live")
        coming = next(numbered, None)
        while coming is not None:
            elapsed_s = clock() - start_s
            n, quake = coming
            if quake.due_s > elapsed_s:
                await asyncio.sleep(quake.due_s - elapsed_s)
                continue
            behind_s = elapsed_s - quake.due_s
            if behind_s > MAX_BEHIND_S:
                log.warning(
                    "the simulator is behind its schedule",
                    source=self.name,
                    left_out_s=round(behind_s - MAX_BEHIND_S, 3),
                )
                start_s += behind_s - MAX_BEHIND_S
                elapsed_s = clock() - start_s
            batch: list[EarthquakeEvent] = []
            now_ms = self.context.now_ms()
            while coming is not None and coming[1].due_s <= elapsed_s and len(batch) < CHUNK:
                n, quake = coming
                at_ms = now_ms if options.start_time is None else started_ms + round(quake.due_s * 1000)
                batch.append(_event(f"{prefix}-{n}", quake, at_ms))
                coming = next(numbered, None)
            await outlet.publish(batch)
        outlet.report("finished")


SOURCE = SimulatorSource


def _event(id_: str, quake: Planned, at_ms: int) -> EarthquakeEvent:
    place = quake.place
    return EarthquakeEvent(
        id=id_,
        magnitude=quake.magnitude,
        location=Location(
            latitude=round(place.latitude, 4), longitude=round(place.longitude, 4), depth_km=round(place.depth_km, 1)
        ),
        timestamp_ms=at_ms,
        source=SimulatorSource.name,
        mode=MODE,
        status="automatic",
        type="earthquake",
        updated_ms=at_ms,
    )
