"""Make `src/quakestream/seismology/travel_times.npz`: first arrivals of P and S through iasp91, by ObsPy's TauP.

    python tools/build_travel_times.py src/quakestream/seismology/travel_times.npz tests/seismology/data/taup.csv

The table holds the mean slowness along the straight line that a flat Earth would have, time / √(arc² + depth²): it is
smooth where the time itself bends most, near the source, so that interpolating it needs few nodes. The second file has
times at random points, from TauP directly: the tests hold the interpolation to them. Needs obspy; takes 15 minutes.
"""

from __future__ import annotations

import csv
import math
import random
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from obspy.taup import TauPyModel

KM_PER_DEGREE = math.pi * 6371.0 / 180.0
"""iasp91's Earth is a sphere of 6371 km."""
SHADOW_DEGREES = 120.0
# Up to the shadow's end the wave that creeps along the core counts as P; beyond it is too weak to be read, and
# what comes first is PKP. SKS and SKIKS are S at the station: beyond some 82° they overtake.
P_PHASES = ["p", "P", "Pn", "Pdiff"]
CORE_PHASES = ["PKP", "PKiKP", "PKIKP"]
S_PHASES = ["s", "S", "Sn", "Sdiff", "SKS", "SKIKS"]

DEPTHS_KM = np.array([*range(0, 50, 5), *range(50, 100, 10), *range(100, 701, 20), 210, 410], float)
DEPTHS_KM = np.unique(DEPTHS_KM)
DISTANCES = np.unique(
    np.round(
        np.concatenate(
            [
                np.arange(0.0, 1.0, 0.05),
                np.arange(1.0, 5.0, 0.1),
                np.arange(5.0, 30.0, 0.25),
                np.arange(30.0, 180.5, 1.0),
                np.arange(78.0, 86.0, 0.25),  # where SKS overtakes S
                np.arange(142.0, 148.0, 0.25),  # where PKP is focused and overtakes PKIKP
            ]
        ),
        3,
    )
)


def first_s(model: TauPyModel, depth_km: float, degrees: float, phases: list[str]) -> float:
    """Seconds to the first of the phases."""
    arrivals = model.get_travel_times(depth_km, degrees, phases)
    if not arrivals:
        message = f"no {phases} at {degrees} degrees, {depth_km} km"
        raise RuntimeError(message)
    return min(float(arrival.time) for arrival in arrivals)


def p_s(model: TauPyModel, depth_km: float, degrees: float) -> float:
    return first_s(model, depth_km, degrees, P_PHASES if degrees <= SHADOW_DEGREES else CORE_PHASES)


def slowness(time_s: float, depth_km: float, degrees: float) -> float:
    return time_s / math.hypot(degrees * KM_PER_DEGREE, depth_km)


def table(model: TauPyModel, phases: list[str], distances: NDArray[np.float64]) -> NDArray[np.float32]:
    rows = []
    for depth in DEPTHS_KM:
        row = []
        for degrees in distances:
            # At the source itself time and way are both 0; the slowness is the crust's, found just beside it.
            depth_at = depth if depth + degrees > 0.0 else 0.001
            row.append(slowness(first_s(model, depth_at, degrees, phases), depth_at, degrees))
        rows.append(row)
        print(f"{phases[0]} {depth:.0f} km", flush=True)
    return np.array(rows, np.float32)


def main(table_path: str, fixture_path: str) -> None:
    model = TauPyModel("iasp91")
    mantle = DISTANCES[DISTANCES <= SHADOW_DEGREES]
    core = DISTANCES[DISTANCES >= SHADOW_DEGREES]
    np.savez_compressed(
        table_path,
        depths_km=DEPTHS_KM.astype(np.float32),
        mantle_degrees=mantle.astype(np.float32),
        core_degrees=core.astype(np.float32),
        s_degrees=DISTANCES.astype(np.float32),
        p_mantle=table(model, P_PHASES, mantle),
        p_core=table(model, CORE_PHASES, core),
        s=table(model, S_PHASES, DISTANCES),
    )
    rng = random.Random(20260101)
    with Path(fixture_path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["depth_km", "degrees", "p_s", "s_s"])
        for number in range(600):
            # A third of them near and shallow: there the alerts are.
            near = number % 3 == 0
            depth = round(rng.uniform(0.0, 60.0 if near else 700.0), 2)
            degrees = round(rng.uniform(0.0, 5.0 if near else 180.0), 3)
            times = p_s(model, depth, degrees), first_s(model, depth, degrees, S_PHASES)
            writer.writerow([depth, degrees, *(f"{time:.3f}" for time in times)])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
