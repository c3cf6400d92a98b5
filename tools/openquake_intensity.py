"""Reference values for `tests/seismology/test_openquake.py`: Allen et al. (2012) as the OpenQuake engine has it.

    python tools/openquake_intensity.py > tests/data/openquake_allen_2012.csv

In an environment of its own with `openquake.engine`: it asks for GDAL's headers, which is why the tests only read what
this has printed. Where it can be imported, the tests compute it anew as well. The engine is AGPL-3.0; nothing of it is
used but these numbers. It has no version of Atkinson & Wald (2007).
"""

from __future__ import annotations

import csv
import sys
from importlib.metadata import version

import numpy as np

MAGNITUDES = [(50 + step) / 10 for step in range(30)]
DISTANCES_KM = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 49.9, 50.0, 50.1, 75.0, 100.0, 150.0, 200.0, 250.0, 300.0]


def reference(magnitude: float, distances_km: list[float]) -> tuple[list[float], list[float]]:
    """Mean and total standard deviation at hypocentral distances."""
    import openquake.baselib  # noqa: F401, PLC0415 - sets itself up
    from openquake.hazardlib.gsim.allen_2012_ipe import AllenEtAl2012Rhypo  # noqa: PLC0415
    from openquake.hazardlib.imt import MMI  # noqa: PLC0415

    count = len(distances_km)
    context = np.recarray(count, dtype=[("mag", float), ("rhypo", float)])
    context["mag"], context["rhypo"] = magnitude, distances_km
    mean, sigma, tau, phi = (np.zeros((1, count)) for _ in range(4))
    AllenEtAl2012Rhypo().compute(context, [MMI()], mean, sigma, tau, phi)
    return mean[0].tolist(), sigma[0].tolist()


if __name__ == "__main__":
    writer = csv.writer(sys.stdout, lineterminator="\n")
    print(f"# AllenEtAl2012Rhypo of openquake.engine {version('openquake.engine')}, by tools/openquake_intensity.py")
    writer.writerow(["magnitude", "hypocentral_km", "mmi", "sigma"])
    for magnitude in MAGNITUDES:
        for km, mmi, sigma in zip(DISTANCES_KM, *reference(magnitude, DISTANCES_KM), strict=True):
            writer.writerow([f"{magnitude:.1f}", km, f"{mmi:.9f}", f"{sigma:.9f}"])
