"""seisplotjs, which asks FDSN services from a page: in Node, with jsdom in place of a browser."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from quakestream.catalog.sqlite import SqliteCatalog
from tests.api.serving import Consumer
from tests.conftest import ROOT
from tests.contracts.catalog import event, shock


@pytest.mark.long
@pytest.mark.timeout(400)
def test_it_asks_and_reads(tmp_path: Path) -> None:
    """It fetches 100 packages."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    npm = shutil.which("npm", path=path) or pytest.skip("npm is missing")
    modules = tmp_path / "modules"
    shutil.copytree(ROOT / "tests" / "seisplotjs", modules)
    environment = os.environ | {"PATH": path}
    subprocess.run([npm, "ci", "--loglevel=error"], cwd=modules, timeout=300, env=environment, check=True)
    with (
        contextlib.closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog,
        Consumer(catalog, tmp_path) as consumer,
    ):
        consumer.writer.write(
            shock("nn1", agency="nn", magnitude=4.0),
            shock("us1", agency="us", magnitude=4.2, ids=["nn1"], status="reviewed", place="Nevada"),
            event("b1", magnitude=6.0),
        )
        asked = [shutil.which("node", path=path) or "node", "events.mjs", consumer.url]
        done = subprocess.run(
            asked, cwd=modules, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["version"] == "1.2.0"
    assert said["catalogs"] == ["usgs"]
    assert said["contributors"] == ["b", "nn", "us"]
    assert said["none"] == 0
    (one,) = said["events"]
    assert (one["magnitude"], one["depthM"], one["origins"], one["magnitudes"]) == (4.2, 12_000, 2, 2)
    assert one["description"] == "Nevada"
