"""What the tests of formats share."""

import io
from pathlib import Path

import pytest

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent
from quakestream.formats import Problem, read
from tests.sizes import LONG

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data"
SHARED = ROOT.parent / "shared/data"
WEEK = ROOT / "src/quakestream/sources/recordings/usgs-week.geojson.gz"


def recorded(begins: str, whole: str) -> tuple[Path, bool]:
    """How a recorded file begins, in `tests/data`; in `make test-long` the whole, where it is here. Whether it is."""
    path = SHARED / whole
    return (path, True) if LONG and path.is_file() else (DATA / begins, False)


def six_years() -> tuple[list[Path], int]:
    """The catalogue of Southern California of 2009 to 2014, and how many earthquakes these files have."""
    files = [recorded(f"scedc_{y}_begins.catalog", f"scedc-catalog/SCEC_DC_{y}.catalog") for y in range(2009, 2015)]
    whole = all(one for _, one in files)
    return [path for path, _ in files], 124_390 if whole else 1_740


def entries(data: bytes | str | Path, **options: object) -> tuple[list[EarthquakeEvent], list[Problem]]:
    data = data.read_bytes() if isinstance(data, Path) else data.encode() if isinstance(data, str) else data
    read_ = list(read(io.BytesIO(data), **{"mode": "exercise"} | options))
    return [e for e in read_ if isinstance(e, EarthquakeEvent)], [e for e in read_ if isinstance(e, Problem)]


def refusal(data: bytes | str) -> str:
    """Why it is refused as a whole."""
    with pytest.raises(Rejected) as caught:
        entries(data)
    return str(caught.value)
