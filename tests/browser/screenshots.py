"""Pictures of every view, to be looked at: `make screenshots`. Two of them are the README's.

What they show is the bundled recording of a real week, marked as such, and one made-up drill for the wave fronts.
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

from tests.browser.conftest import event
from tests.browser.dashboard import SOFTWARE_GL, Dashboard, System
from tests.free_ports import free_port
from tests.waiting import eventually

ROOT: Final = Path(__file__).resolve().parents[2]
RECORDINGS: Final = (
    ROOT / "src/quakestream/sources/recordings/usgs-week.geojson.gz",
    ROOT / "tests/data/usgs_detail_nn00570710.geojson",
)
KEY: Final = "a-key-for-pictures"
SETTLED_MS: Final = 2500
"""Pulses are over, the fine world is here. Nobody tests these pictures."""
README: Final = (
    ("dashboard", "?minmagnitude=2.5", "light"),
    ("dashboard-charts", "?view=charts&minmagnitude=2.5", "dark"),
)
DESK: Final = {"width": 1440, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
WALL: Final = {"width": 2560, "height": 1440}


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


def picture(browser: Browser, system: System, file: Path, query: str, size: dict[str, int], theme: str) -> None:
    """Open an address, let it settle, and keep what is seen."""
    context: dict[str, Any] = {"viewport": size, "color_scheme": theme, "locale": "en-GB", "timezone_id": "UTC"}
    with browser.new_context(**context) as new:
        new.add_init_script(f"sessionStorage.setItem('quakestream-alerts-key', '{KEY}')")
        dashboard = Dashboard(new.new_page(), system.url)
        dashboard.open(query)
        dashboard.page.wait_for_timeout(SETTLED_MS)
        dashboard.page.screenshot(path=file)
        print(file, *dashboard.complaints)


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
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
