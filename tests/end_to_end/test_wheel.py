"""The wheel, from a fresh clone into an environment of its own: the page is in it, and it starts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import ROOT
from tests.free_ports import free_port
from tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


def run(*command: str | Path, folder: Path, within_s: float = 300) -> str:
    """What it said; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(  # noqa: PLW1510 - what it said is shown first
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=within_s
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an environment with the wheel in it, and nothing of the developers'."""
    folder = tmp_path_factory.mktemp("wheel")
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("a fresh clone is made by git, of a clone")
    clone, environment = folder / "clone", folder / "environment"
    run("git", "clone", "--quiet", ROOT, clone, folder=folder)
    run(sys.executable, "-m", "venv", environment, folder=folder)
    python = environment / "bin/python"
    run(python, *PIP, "install", "--require-hashes", "-r", clone / "requirements-build.lock", folder=folder)
    run(python, *PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder / "dist", clone, folder=folder)
    lock = clone / "requirements.lock"
    run(python, *PIP, "install", "--no-build-isolation", "--use-pep517", "--require-hashes", "-r", lock, folder=folder)
    (wheel,) = (folder / "dist").glob("quakestream-*.whl")
    run(python, *PIP, "install", "--no-deps", wheel, folder=folder)
    shutil.rmtree(clone)  # nothing of it is needed any more
    yield environment
    shutil.rmtree(folder)


def test_up_serves_the_page_and_the_tools_find_its_log(installed: Path, tmp_path: Path) -> None:
    programs = installed / "bin"
    service, consumer = free_port(), free_port()
    ports = ("--service-port", str(service), "--port", str(consumer))
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "USGS_FEED_URL": "http://127.0.0.1:9/"}
    with (tmp_path / "said").open("wb") as said:
        up = subprocess.Popen(
            [programs / "quakestream", "up", "--demo", *ports], cwd=tmp_path, env=environment, stdout=said, stderr=said
        )
    base = f"http://127.0.0.1:{consumer}"
    with httpx.Client(base_url=base, trust_env=False, timeout=20) as client:

        def listed() -> int:
            assert up.poll() is None, (tmp_path / "said").read_text()[-2000:]
            try:
                answer = client.get("/api/v1/earthquakes/count?mode=exercise")
            except httpx.TransportError:
                return 0
            return int(answer.json()["count"]) if answer.status_code == httpx.codes.OK else 0

        try:
            eventually(lambda: listed() > 1400, within_s=90)
            page = client.get("/")
            assert page.status_code == httpx.codes.OK
            assert "<title>Quakestream</title>" in page.text
            tail = run(programs / "quakestream", "tail", "-n", "3", "--no-follow", folder=tmp_path)
            assert tail.count('"mode":"exercise"') == 3, tail
        finally:
            up.send_signal(signal.SIGINT)
            code = up.wait(30)
    assert code in {0, 130}
    assert "1707 events acknowledged" in run(programs / "quakestream", "replay", "usgs-week", folder=tmp_path)
    assert "0." in run(programs / "quakestream", "--version", folder=tmp_path)
