"""Hold the packaged tables to ObsPy: `pip install obspy`, then `python tools/check_tables.py`. Exit 1: they differ."""

from __future__ import annotations

import random
import sys

from obspy.geodetics import FlinnEngdahl
from obspy.taup import TauPyModel

from quakestream.seismology import places, travel_times
from quakestream.seismology.geodesy import KM_PER_DEGREE

WORST_S = 0.2


def main() -> int:
    """Compare 2,000 random places and 20 random rays."""
    chance = random.Random(7)
    scheme, names = FlinnEngdahl(), places._regions().names  # noqa: SLF001 - the table itself is what is checked
    wrong = 0
    for _ in range(2000):
        latitude, longitude = chance.uniform(-90, 90), chance.uniform(-180, 180)
        expected = names[scheme.get_number(longitude, latitude) - 1]
        wrong += places.flinn_engdahl(latitude, longitude) != expected
    model = TauPyModel("iasp91")
    worst_s = 0.0
    for _ in range(20):
        degrees, depth_km = chance.uniform(0.0, 90.0), chance.uniform(0.0, 700.0)
        first = model.get_travel_times(depth_km, degrees, ["p", "P", "Pn"])[0].time
        worst_s = max(worst_s, abs(travel_times.p_arrival_s(degrees * KM_PER_DEGREE, depth_km) - first))
    print(f"regions that differ: {wrong} of 2,000; P arrivals: worst {worst_s:.3f} s of 20")
    return 1 if wrong or worst_s > WORST_S else 0


if __name__ == "__main__":
    sys.exit(main())
