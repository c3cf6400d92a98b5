"""A short load, and its chart. Whether all is flat is asked of a long one (`make load`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from lxml import etree

from tests.faults.load import _not_flat
from tests.faults.load_chart import Phase, Sample, draw

ROOT: Final = Path(__file__).resolve().parents[2]
SVG: Final = {"s": "http://www.w3.org/2000/svg"}


def sample(at_s: float, *, memory_mb: float = 100.0, lag: int | None = 0, latency_s: float | None = 0.05) -> Sample:
    return Sample(at_s, {"service": memory_mb}, {"service": 30}, lag, latency_s, latency_s)


def test_a_line_breaks_where_nothing_is_known() -> None:
    samples = [sample(0.0), sample(60.0, lag=None, latency_s=None), sample(120.0, memory_mb=200.0)]
    drawn = etree.fromstring(draw(samples, [Phase("consumer away", 30.0, 90.0)], "a & b").encode())
    panels = drawn.findall("s:g", SVG)
    names = ["memory, MB", "descriptors", "lag, events", "latency, ms"]
    assert [one.findtext("s:text", namespaces=SVG) for one in panels] == names
    assert [len(one.findall("s:polyline", SVG)) for one in panels] == [1, 1, 2, 4]
    assert all(one.findtext("s:rect/s:title", namespaces=SVG) == "consumer away" for one in panels)
    line = panels[0].find("s:polyline", SVG)
    assert line is not None
    heights = [float(point.split(",")[1]) for point in line.get("points", "").split()]
    assert heights[0] == heights[1] > heights[2], "more stands higher"


def test_where_nothing_came_no_latency_is_compared_and_in_a_long_run_that_is_a_fault() -> None:
    for minutes, faults in ((0.5, 0), (60.0, 2)):
        lasts_s = minutes * 60
        samples = [sample(0.3 * lasts_s), sample(0.9 * lasts_s, latency_s=None)]
        assert len(_not_flat(samples, lasts_s)) == faults


@pytest.mark.long
@pytest.mark.timeout(400)
def test_nothing_is_lost_under_load(tmp_path: Path) -> None:
    chart = tmp_path / "load.svg"
    command = [sys.executable, "-m", "tests.faults.load", "--minutes", "0.5", "--folder", str(tmp_path / "run")]
    done = subprocess.run(
        [*command, "--chart", str(chart)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=380
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]
    assert "consumer away" in chart.read_text()
