"""What the tests of formats share."""

import io
from pathlib import Path

import pytest

from quakestream.errors import Rejected
from quakestream.event import EarthquakeEvent
from quakestream.formats import Problem, read

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data"
SHARED = ROOT.parent / "shared/data"
WEEK = ROOT / "src/quakestream/sources/recordings/usgs-week.geojson.gz"


def shared(name: str) -> Path:
    """A file of the larger recorded data, which is not part of the project."""
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"the recorded data are not here: {path}")
    return path


def entries(data: bytes | str | Path, **options: object) -> tuple[list[EarthquakeEvent], list[Problem]]:
    data = data.read_bytes() if isinstance(data, Path) else data.encode() if isinstance(data, str) else data
    read_ = list(read(io.BytesIO(data), **{"mode": "exercise"} | options))
    return [e for e in read_ if isinstance(e, EarthquakeEvent)], [e for e in read_ if isinstance(e, Problem)]


def refusal(data: bytes | str) -> str:
    """Why it is refused as a whole."""
    with pytest.raises(Rejected) as caught:
        entries(data)
    return str(caught.value)
