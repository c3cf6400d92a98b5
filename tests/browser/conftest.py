"""A whole system, and a Chromium that looks at its dashboard."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.browser.dashboard import CANVAS, Dashboard, System
from tests.free_ports import free_port
from tests.waiting import eventually

TOKEN: Final = "a-key-for-the-tests"
CHROMIUM: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


Launch = Callable[..., Browser]


@pytest.fixture(scope="module")  # its event loop must be gone before other tests run theirs
def launch() -> Iterator[Launch]:
    """Starts Debian's Chromium with the switches that are given.

    Its headless shell, where there is one, for that takes half the processor; a `whole` one where that is needed.
    """
    paths = [path for path in map(shutil.which, CHROMIUM) if path]
    if not paths:
        reason = "the dashboard's tests need Chromium, not found on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:

        def start(*switches: str, whole: bool = False) -> Browser:
            path = next((path for path in paths if not (whole and path.endswith("shell"))), paths[0])
            return playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *switches])

        yield start


@pytest.fixture(scope="module")
def chromium(launch: Launch) -> Iterator[Browser]:
    """Draws its maps on a canvas, as the page does wherever there is no graphics processor: test_map.py has WebGL."""
    with launch(*CANVAS) as browser:
        yield browser


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """Both programs on the embedded log, the test's own."""
    with System(tmp_path, free_port(), TOKEN) as system:
        yield system


@pytest.fixture(scope="module")
def shared_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One for the tests of a module that only look."""
    with System(tmp_path_factory.mktemp("system"), free_port(), TOKEN) as system:
        yield system


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context(viewport={"width": 1100, "height": 720}, locale="en-GB", timezone_id="UTC") as context:
        yield context


@pytest.fixture
def dashboard(context: BrowserContext, system: System) -> Iterator[Dashboard]:
    """The page, which must have nothing on its console at the end."""
    dashboard = Dashboard(context.new_page(), system.url)
    yield dashboard
    assert dashboard.complaints == []


@pytest.fixture
def shared_dashboard(context: BrowserContext, shared_system: System) -> Iterator[Dashboard]:
    dashboard = Dashboard(context.new_page(), shared_system.url)
    yield dashboard
    assert dashboard.complaints == []


@pytest.fixture
def now_ms() -> int:
    return time.time_ns() // 1_000_000


def event(name: str, now_ms: int, **more: Any) -> dict[str, Any]:
    """An event as a partner would post it."""
    return {
        "id": name,
        "source": "partner",
        "mode": "actual",
        "magnitude": 5.4,
        "magnitudeType": "mw",
        "location": {"latitude": 10.0, "longitude": 20.0, "depth": 12.0},
        "timestamp": now_ms - 60_000,
        "updated": now_ms,
        "place": f"Near {name}",
    } | more


def many(count: int, now_ms: int, decay: float = 1.7) -> list[dict[str, Any]]:
    """Earthquakes all over the Earth, a minute apart, the newest first; a magnitude more has e^`decay` times fewer."""
    rng = random.Random(5)
    return [
        event(
            f"q{n}",
            now_ms,
            magnitude=round(min(2.0 + rng.expovariate(decay), 8.0), 1),
            location={
                "latitude": round(rng.uniform(-70, 70), 3),
                "longitude": round(-179.9 + n * 359.8 / count, 3),  # apart, or they would be taken for one
                "depth": round(rng.choice([rng.uniform(0, 60), rng.uniform(70, 650)]), 1),
            },
            timestamp=now_ms - 120_000 - n * 60_000,
            place=f"Place {n}",
        )
        for n in range(count)
    ]


def filled(folder: Path, count: int, decay: float = 1.7) -> Iterator[System]:
    """A fixture: a system that has `many` earthquakes."""
    with System(folder, free_port(), TOKEN) as system:
        events = many(count, time.time_ns() // 1_000_000, decay)
        for first in range(0, count, 1000):
            system.post(*events[first : first + 1000])
        eventually(lambda: system.count() == count, within_s=60, tell=system.count)
        yield system


def shows_count(dashboard: Dashboard, number: int) -> bool:
    return dashboard.count() == f"{number:,} earthquake{'' if number == 1 else 's'}"
