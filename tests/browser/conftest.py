"""A whole system, and a Chromium that looks at its dashboard.

To start them takes most of what such tests take. So each test process has one browser and one system, which are begun
when the first test of this folder needs them and ended after its last one; and the tests of a module share a tab.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from tests.browser.dashboard import CANVAS, WINDOW, Dashboard, System
from tests.free_ports import free_port
from tests.sizes import size
from tests.waiting import eventually

TOKEN: Final = "a-key-for-the-tests"
FOLDER: Final = Path(__file__).parent
CHROMIUM: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
MANY: Final = size(1_000, 10_000)
LEAN: Final = ("--no-sandbox", "--num-raster-threads=1", "--host-resolver-rules=MAP quakes.test 127.0.0.1")
"""The last: a name of this machine that a browser does not take for secure."""

Launch = Callable[..., Browser]


class Kept:
    """What the tests of this folder share in this process."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._playwright: Playwright | None = None
        self._browsers: dict[tuple[str, ...], Browser] = {}
        self._system: System | None = None
        self._full: System | None = None

    def launch(self, *switches: str, whole: bool = False) -> Browser:
        """Start Debian's Chromium with these switches.

        Its headless shell, where there is one, for that takes half the processor; a `whole` one where that is needed.
        """
        paths = [path for path in map(shutil.which, CHROMIUM) if path]
        if not paths:
            reason = "the dashboard's tests need Chromium, not found on this machine"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        path = next((path for path in paths if not (whole and path.endswith("shell"))), paths[0])
        if self._playwright is None:
            self._playwright = self._stack.enter_context(sync_playwright())
        return self._playwright.chromium.launch(executable_path=path, args=[*LEAN, *switches])

    def browser(self, *switches: str) -> Browser:
        """The one that has these switches."""
        if switches not in self._browsers:
            self._browsers[switches] = self._stack.enter_context(self.launch(*switches))
        return self._browsers[switches]

    def system(self) -> System:
        """Both programs on the embedded log; who posts something withdraws it."""
        if self._system is None:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="quakestream-browser-")))
            self._system = self._stack.enter_context(System(folder, free_port(), TOKEN))
        return self._system

    def full_system(self) -> System:
        """One that has `MANY` earthquakes, of tests that only look."""
        if self._full is None:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="quakestream-browser-")))
            self._full = self._stack.enter_context(System(folder, free_port(), TOKEN))
            fill(self._full, MANY)
        return self._full

    def close(self) -> None:
        """End all of it: Playwright's event loop must be gone before other tests run theirs."""
        stack, self._stack = self._stack, ExitStack()
        self._playwright = self._system = self._full = None
        self._browsers = {}
        stack.close()


KEPT: Final = Kept()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Generator[None]:
    try:
        return (yield)
    finally:
        if nextitem is None or FOLDER not in nextitem.path.parents:
            KEPT.close()


def pytest_sessionfinish() -> None:
    KEPT.close()


@pytest.fixture(scope="session")
def launch() -> Launch:
    """Starts a browser of the test's own, with the switches that are given."""
    return KEPT.launch


@pytest.fixture(scope="module")
def chromium() -> Browser:
    """Draws its maps on a canvas, as the page does wherever there is no graphics processor: test_map.py has WebGL."""
    return KEPT.browser(*CANVAS)


@contextmanager
def left_alone(system: System) -> Iterator[System]:
    """A system that has nothing when the block begins, and nothing when it ends: what was posted is withdrawn."""
    try:
        yield system
    finally:
        system.withdraw()


@pytest.fixture
def system() -> Iterator[System]:
    """Both programs, with nothing but what the test posts."""
    with left_alone(KEPT.system()) as system:
        yield system


@pytest.fixture
def private_system(tmp_path: Path) -> Iterator[System]:
    """One of the test's own, to kill and to start with other settings."""
    with System(tmp_path, free_port(), TOKEN) as system:
        yield system


@pytest.fixture(scope="module")
def shared_system() -> Iterator[System]:
    """One for the tests of a module, with what the module posts."""
    with left_alone(KEPT.system()) as system:
        yield system


@pytest.fixture(scope="module")
def full_system() -> System:
    """One that has `MANY` earthquakes, of tests that only look."""
    return KEPT.full_system()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser that nobody has used; to begin one takes three times as long as to load the page anew."""
    with new_context(chromium) as context:
        yield context


def new_context(chromium: Browser, **settings: Any) -> BrowserContext:
    wanted: dict[str, Any] = {"viewport": WINDOW, "locale": "en-GB", "timezone_id": "UTC"} | settings
    return chromium.new_context(**wanted)


@pytest.fixture(scope="module")
def tab(chromium: Browser) -> Iterator[Page]:
    """One for the tests of a module."""
    with new_context(chromium) as context:
        yield context.new_page()


@contextmanager
def seen_in(tab: Page, system: System) -> Iterator[Dashboard]:
    """The page as somebody sees it who was never there; it must have nothing on its console at the end."""
    with Dashboard(tab, system.url) as dashboard:
        yield dashboard
        assert dashboard.complaints == []


@pytest.fixture
def dashboard(tab: Page, system: System) -> Iterator[Dashboard]:
    with seen_in(tab, system) as dashboard:
        yield dashboard


@pytest.fixture
def shared_dashboard(tab: Page, shared_system: System) -> Iterator[Dashboard]:
    with seen_in(tab, shared_system) as dashboard:
        yield dashboard


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


def fill(system: System, count: int) -> None:
    """Post `many` earthquakes."""
    events = many(count, time.time_ns() // 1_000_000)
    for first in range(0, count, 1000):
        system.post(*events[first : first + 1000])
    eventually(lambda: system.count() == count, within_s=60, tell=system.count)


def shows_count(dashboard: Dashboard, number: int) -> bool:
    return dashboard.count() == f"{number:,} earthquake{'' if number == 1 else 's'}"
