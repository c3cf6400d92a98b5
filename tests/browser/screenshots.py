"""Pictures of every view, to be looked at: `make screenshots`. Two of them are the README's.

Those show the bundled recording of a real week, marked as the exercise that it is. Others show a made-up drill for
the wave fronts, and two made-up days in catalogues of their own: a quiet one, and one with an M 7.8.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import httpx
from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import event, many
from tests.browser.dashboard import SOFTWARE_GL, Dashboard, System
from tests.free_ports import free_port
from tests.waiting import eventually

ROOT: Final = Path(__file__).resolve().parents[2]
RECORDINGS: Final = (
    ROOT / "src/quakestream/sources/recordings/usgs-week.geojson.gz",
    ROOT / "tests/data/usgs_detail_nn00570710.geojson",
)
KEY: Final = "a-key-for-pictures"
SETTLED_MS: Final = 6000
"""Pulses are over, the fine world is here. Nobody tests these pictures."""
DRAWN_WITHIN_MS: Final = 180_000
"""WebGL in software takes its time where waves move."""
README: Final = (
    ("dashboard", "?period=week&minmagnitude=2.5", "light"),
    ("dashboard-charts", "?view=charts&minmagnitude=2.5", "dark"),
)
DESK: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
WALL: Final = {"width": 2560, "height": 1440}
HALL: Final = {"width": 1920, "height": 1080}
ZOOMED: Final = {"width": 320, "height": 256}
"""1280 × 1024 at 400 %."""


def subscribed(system: System) -> str:
    """Somebody who has two alerts, one of them snoozed and told of tests; the other one's id."""
    headers = {"Authorization": f"Bearer {KEY}"}
    how = {"channels": [{"channel": "webhook", "url": "https://example.org/quakes"}], "language": "en"}
    anchorage = {"kind": "circle", "latitude": 61.22, "longitude": -149.9, "radius_km": 400, "place": "Anchorage"}
    home = {"name": "Home", "where": anchorage, "what": {"min_intensity": 3}, "how": how}
    home["how"] = how | {"quiet_hours": {"start": "22:00", "end": "07:00"}}
    world = {"name": "Large ones", "where": {"kind": "world"}, "what": {"min_magnitude": 6.5}}
    world |= {"how": how, "modes": ["actual", "exercise"], "snooze_until_ms": time.time_ns() // 1_000_000 + 30_000_000}
    ids = []
    with httpx.Client(base_url=f"{system.url}/api/v1", headers=headers, trust_env=False) as client:
        for wanted in (home, world):
            answer = client.post("/subscriptions", json=wanted).raise_for_status()
            ids.append(answer.json()["id"])
        client.post(f"/subscriptions/{ids[0]}/test").raise_for_status()
    return str(ids[0])


def views(system: System, drill: str) -> dict[str, str]:
    """Each view's address."""
    home = subscribed(system)
    told_by_many = max(system.earthquakes(), key=lambda one: (len(one["events"]), one["revision"]))["id"]
    return {
        "list": "?minmagnitude=2.5",
        "map": "?view=map&projection=flat&camera=15,-160,1.3&minmagnitude=2.5",
        "depth": "?colour=depth&minmagnitude=2.5&camera=-18,178,3",
        "earthquake": f"?id={told_by_many}",
        "waves": f"?id={drill}&camera=20,140,1.6",
        "charts": "?view=charts",
        "status": "?view=status",
        "alerts": "?view=alerts&minmagnitude=2.5",
        "alert": f"?view=alerts&alert={home}&minmagnitude=2.5&camera=61,-150,3.6",
        "alert-new": "?view=alerts&alert=new&minmagnitude=2.5",
    }


def picture(
    browser: Browser, system: System, file: Path, query: str, size: dict[str, int], theme: str, *, paper: bool = False
) -> None:
    """Open an address, let it settle, and keep what is seen, or what would be printed."""
    context: dict[str, Any] = {"viewport": size, "color_scheme": theme, "locale": "en-GB", "timezone_id": "UTC"}
    with browser.new_context(**context) as new:
        new.add_init_script(f"sessionStorage.setItem('quakestream-alerts-key', '{KEY}')")
        dashboard = Dashboard(new.new_page(), system.url)
        dashboard.open(query)
        dashboard.page.wait_for_timeout(SETTLED_MS)
        if paper:
            dashboard.page.emulate_media(media="print")
            dashboard.page.wait_for_timeout(SETTLED_MS)
            dashboard.page.pdf(path=file.with_suffix(".pdf"), format="A4")
        dashboard.page.screenshot(path=file, full_page=paper, timeout=DRAWN_WITHIN_MS)
        print(file, *dashboard.complaints)


def made_up_day(now_ms: int, *, large: bool) -> list[dict[str, Any]]:
    """A day as quiet as most, and on wish an M 7.8 under it, of three agencies. Nothing of it ever happened."""
    quiet = [one | {"magnitude": min(one["magnitude"], 5.6)} for one in many(400, now_ms, 1.7)]
    if not large:
        return quiet
    under = {"location": {"latitude": 37.23, "longitude": 37.01, "depth": 10.0}, "timestamp": now_ms - 3 * 3_600_000}
    place = {"place": "26 km ENE of Nurdağı, Turkey", "status": "automatic"}
    told = [event("large", now_ms, magnitude=7.7, source=name, **under, **place) for name in ("north", "south")]
    first = event("large", now_ms, magnitude=7.6, **under, **place)
    revised = [first | {"magnitude": m, "updated": now_ms + n} for n, m in ((60_000, 7.7), (120_000, 7.8))]
    return [*quiet, first, *told, *revised]


def made_up_pictures(browser: Browser, folder: Path) -> None:
    """The first sight of a quiet day and of one that is not, on everything that it is looked at with."""
    for name, large in (("quiet", False), ("large", True)):
        with tempfile.TemporaryDirectory() as data, System(Path(data), free_port(), KEY, ALERTS_TOKEN=KEY) as system:
            events = made_up_day(time.time_ns() // 1_000_000, large=large)
            for first in range(0, len(events), 400):
                system.post(*events[first : first + 400])
            eventually(lambda: system.count() >= 400, within_s=60)
            for theme in ("light", "dark"):
                picture(browser, system, folder / f"{name}-{theme}.png", "", DESK, theme)
                picture(browser, system, folder / f"{name}-phone-{theme}.png", "", PHONE, theme)
                picture(browser, system, folder / f"{name}-wall-{theme}.png", "?view=map", HALL, theme)
            picture(browser, system, folder / f"{name}-zoomed.png", "", ZOOMED, "light")
            picture(browser, system, folder / f"{name}-print.png", "", DESK, "light", paper=True)
            largest = max(system.earthquakes(), key=lambda one: one["magnitude"] or 0)["id"]
            picture(
                browser, system, folder / f"{name}-earthquake-print.png", f"?id={largest}", DESK, "light", paper=True
            )


def main() -> int:
    folder = ROOT / "build/screenshots"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path = shutil.which("chromium")
    if path is None:
        print("Chromium is needed: apt-get install chromium", file=sys.stderr)
        return 2
    now_ms = time.time_ns() // 1_000_000
    with tempfile.TemporaryDirectory() as data, System(Path(data), free_port(), KEY, ALERTS_TOKEN=KEY) as system:
        system.replay(*RECORDINGS)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *SOFTWARE_GL])
            for name, query, theme in README:
                picture(browser, system, ROOT / f"docs/images/{name}.png", query, DESK, theme)
            browser.close()
        place = {"latitude": 38.3, "longitude": 142.4, "depth": 24.0}
        off_japan = event("drill", now_ms, magnitude=7.4, location=place, timestamp=now_ms - 200_000, mode="exercise")
        system.post(off_japan | {"place": "Off the east coast of Honshu, Japan"})
        eventually(lambda: system.earthquakes(minmagnitude=7.4))
        drill = system.earthquakes(minmagnitude=7.4)[0]["id"]
        addresses = views(system, drill)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *SOFTWARE_GL])

            for theme in ("light", "dark"):
                for name, query in addresses.items():
                    picture(browser, system, folder / f"{name}-{theme}.png", query, DESK, theme)
                    if name in {"list", "earthquake", "charts", "alerts", "alert"}:
                        picture(browser, system, folder / f"phone-{name}-{theme}.png", query, PHONE, theme)
            picture(browser, system, folder / "wall-dark.png", "?view=map&minmagnitude=2.5", WALL, "dark")
            drilled = folder / "exercise-print.png"
            picture(browser, system, drilled, f"?id={drill}", DESK, "light", paper=True)
            made_up_pictures(browser, folder)
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
