"""pycsep and usgs-libcomcat, which ask ComCat for GeoJSON: in an environment of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quakestream.catalog.sqlite import SqliteCatalog
from tests.api.serving import Consumer
from tests.conftest import ROOT
from tests.contracts.catalog import event, shock

FOLDER = ROOT / "tests" / "comcat_clients"


@pytest.mark.long
@pytest.mark.timeout(400)
def test_they_ask_and_read(tmp_path: Path) -> None:
    """It fetches 15 packages, 50 MB: what they need beside what develops here."""
    target = tmp_path / "packages"
    fetch = (sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "--target", str(target))
    subprocess.run([*fetch, "-r", str(FOLDER / "requirements.txt")], check=True, timeout=300)
    with (
        contextlib.closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog,
        Consumer(catalog, tmp_path) as consumer,
    ):
        consumer.writer.write(
            shock("nn1", agency="nn", magnitude=4.0),
            shock("us1", agency="us", magnitude=4.2, ids=["nn1"], status="reviewed", place="Nevada"),
            event("b1", magnitude=6.0),
            event("small", magnitude=1.0),
        )
        done = subprocess.run(
            [sys.executable, str(FOLDER / "ask.py"), consumer.url],
            env=os.environ | {"PYTHONPATH": str(target), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["count"] == 2
    for client in ("pycsep", "libcomcat"):
        found = said[client]
        assert found["magnitudes"] == [6.0, 4.2]
        assert found["depths_km"] == [5.0, 12.0]
        assert (found["products"], found["origins"], found["place"]) == (["origin"], 2, "Nevada")
        assert all(one.startswith("eq_") for one in found["ids"])
