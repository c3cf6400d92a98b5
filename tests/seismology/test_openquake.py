"""Expected intensity against the OpenQuake engine's, on a grid over the model's whole range.

The engine does not install without GDAL's headers, so what it gave is recorded; where it is there, it is asked.
"""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

import pytest

from quakestream.seismology.intensity import active_crust_mmi, sigma

RECORDED = Path(__file__).parents[1] / "data" / "openquake_allen_2012.csv"


def test_the_mean_and_its_spread_are_those_of_openquake() -> None:
    with RECORDED.open() as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert len(rows) == 450
    for row in rows:
        magnitude, km = float(row["magnitude"]), float(row["hypocentral_km"])
        assert active_crust_mmi(magnitude, km) == pytest.approx(float(row["mmi"]), abs=1e-8)
        assert sigma(km) == pytest.approx(float(row["sigma"]), abs=1e-8)


@pytest.mark.skipif(importlib.util.find_spec("openquake") is None, reason="the OpenQuake engine is not installed")
def test_openquake_as_it_is_installed() -> None:
    from tools.openquake_intensity import DISTANCES_KM, MAGNITUDES, reference

    for magnitude in MAGNITUDES:
        means, spreads = reference(magnitude, DISTANCES_KM)
        assert [active_crust_mmi(magnitude, km) for km in DISTANCES_KM] == pytest.approx(means, abs=1e-9)
        assert [sigma(km) for km in DISTANCES_KM] == pytest.approx(spreads, abs=1e-9)
