"""The dashboard as somebody uses it, and the system that it shows."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Locator, Page

from tests.end_to_end.programs import Program, Site
from tests.sizes import size
from tests.waiting import eventually

SOFTWARE_GL: Final = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
CANVAS: Final = ("--disable-3d-apis", "--disable-gpu")
WINDOW: Final = {"width": 1100, "height": 720}
AXE: Final = Path(__file__).resolve().parents[2] / "dashboard/node_modules/axe-core/axe.min.js"
REFUSED: Final = re.compile(
    r"net::ERR_(CONNECTION_(REFUSED|RESET|CLOSED|ABORTED)|SOCKET_NOT_CONNECTED|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING)"
)
"""What Chromium itself says of a server that is away; nobody can keep it from that."""

CHANGED: Final = "net::ERR_NETWORK_CHANGED"
"""Another test has made a network of its own, and Chromium tells all its pages."""


def draw_by_webgl(context: BrowserContext) -> None:
    """Wish for it: in software it is not what draws the map by itself."""
    context.add_init_script("localStorage.setItem('quakestream', 'map=webgl')")


class System:
    """earthquake-service and earthquake-consumer on one embedded log; the consumer can be killed and comes back.

    With `CONTROL_ORIGINS` the page knows where the service is.
    """

    def __init__(self, folder: Path, port: int, token: str, **settings: str) -> None:
        self._site = Site(folder, EVENT_LOG="embedded", INGEST_TOKEN=token, LOG_EVENTS="false", **settings)
        self._token = token
        self._controlled = "CONTROL_ORIGINS" in settings
        self._port = str(port)
        self._posted: dict[tuple[str, str], dict[str, Any]] = {}
        self.url = f"http://localhost:{port}"
        self.service: Program
        self.consumer: Program

    def __enter__(self) -> Self:
        self._site.__enter__()
        self.service = self._site.service()
        self.begin(**({"SERVICE_URL": self.service.url()} if self._controlled else {}))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._site.__exit__(kind, error, trace)

    def begin(self, **settings: str) -> None:
        """Start the consumer, where it was before."""
        self.consumer = self._site.consumer(PORT=self._port, **settings)
        self.consumer.url()

    def post(self, *events: Mapping[str, Any]) -> None:
        """Publish events; they are acknowledged when this returns."""
        answer = self.service.post(
            "/earthquake-events", json={"events": list(events)}, headers={"Authorization": f"Bearer {self._token}"}
        )
        assert answer.is_success, answer.text
        self._posted |= {(str(one["source"]), str(one["id"])): dict(one) for one in events}

    def withdraw(self) -> None:
        """Withdraw all that was posted; both programs run, and nothing is listed, when this returns."""
        if self.consumer.process.poll() is not None:
            self.begin()
        gone, self._posted = [one for one in self._posted.values() if one.get("status") != "deleted"], {}
        if gone:
            self.post(*(one | {"status": "deleted", "updated": one["updated"] + 1} for one in gone))
            self._posted = {}
            eventually(lambda: self.count() == 0, every_s=0.05, tell=self.count)

    def replay(self, *files: Path) -> None:
        """Publish recorded files as an exercise, as if they were of now; all is in the catalogue when this returns."""
        for file in files:
            self.tool("replay", str(file), "--shift-to-now")
        before = -1
        while before != (before := self.count()):  # it grows as long as there is something to read
            time.sleep(1)

    def tool(self, *arguments: str) -> None:
        """Run `quakestream` with these arguments, which must end well."""
        ended = self._site.run("quakestream", *arguments, within_s=60)
        assert ended.process.returncode == 0, ended.said

    def earthquakes(self, **wanted: Any) -> list[dict[str, Any]]:
        """What the catalogue lists, up to 10,000."""
        answer = httpx.get(f"{self.url}/api/v1/earthquakes", params={"limit": 10_000, **wanted}, trust_env=False)
        assert answer.is_success, answer.text
        return list(answer.json()["earthquakes"])

    def count(self, **wanted: Any) -> int:
        answer = httpx.get(f"{self.url}/api/v1/earthquakes/count", params=wanted, trust_env=False)
        assert answer.is_success, answer.text
        return int(answer.json()["count"])


class Dashboard:
    """The page in a browser."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        self.away = False
        self._window = page.viewport_size
        page.on("console", self._heard)
        page.on("pageerror", self._failed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, query: str = "", *, ready: bool = True, badge: str = "Live") -> None:
        """Go to an address; `ready`: wait until the badge begins so and there is a map."""
        self.page.goto(f"{self.url}/{query}")
        if ready:
            eventually(lambda: self.badge().startswith(badge) and self.drawn() is not None, tell=self.badge)

    def turn(self, query: str) -> None:
        """Go to another address within the page, as back and forward do: in a quarter of the time that `open` takes.

        What is a reader's preference (language, zone, units), and the map's camera, stay as they are.
        """
        script = "(query) => { history.pushState(null, '', query); dispatchEvent(new PopStateEvent('popstate')); }"
        self.page.evaluate(script, query)

    def visit(self, query: str) -> None:
        """`turn` there where the page stands already, else `open` it."""
        if not self.page.url.startswith(f"{self.url}/") or self.drawn() is None:
            self.open(query)
            return
        self.turn(query)
        eventually(lambda: self.badge() == "Live", tell=self.badge)

    def badge(self) -> str:
        return str(self.page.evaluate("document.querySelector('#connection')?.textContent.trim() ?? ''"))

    def count(self) -> str:
        return self.page.locator("#count").inner_text()

    def rows(self) -> dict[str, str]:
        """The rows that are in the page: id and text."""
        script = "[...document.querySelectorAll('.row a')].map((row) => [row.dataset.id, row.innerText])"
        pairs: list[tuple[str, str]] = self.page.evaluate(script)
        assert len(dict(pairs)) == len(pairs), "a row stands there twice"
        return dict(pairs)

    def row(self, text: str) -> Locator:
        return self.page.locator(".row a", has_text=text)

    def drawn(self) -> list[str] | None:
        """Ids that the map itself says it draws; None while there is no map."""
        ids: list[str] | None = self.page.evaluate("window.quakestream?.drawn()?.ids ?? null")
        return ids

    def middle_of_map(self) -> tuple[float, float]:
        """Where it is, in px of the page. To be asked each time: a headline that comes makes the map smaller.

        What waits for the effect of a click or a move tries again, for one can come between the two.
        """
        box = self.page.locator("#map").bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def click_map(self, right_px: float = 0) -> None:
        """Click on the middle of the map, or so far to the right of it."""
        x, y = self.middle_of_map()
        self.page.mouse.click(x + right_px, y)

    def drawn_in_all(self) -> int:
        """As many as the map draws one by one or counts in clusters."""
        script = "(({ ids, clustered }) => ids.length + clustered)(quakestream.drawn())"
        return int(self.page.evaluate(script))

    def lines(self) -> set[str]:
        """Which lines the map draws: plates, P, S."""
        return set(self.page.evaluate("window.quakestream?.drawn()?.lines ?? []"))

    def query(self) -> str:
        """The address's query, asked of the page: what Playwright remembers of it is older."""
        return str(self.page.evaluate("location.search.slice(1)"))

    def shows(self, place: str) -> bool:
        """Whether the list has a row of that text, and the map draws the same one."""
        found = [name for name, text in self.rows().items() if place in text]
        return len(found) == 1 and found[0] in (self.drawn() or ())

    def violations(self, *rules: str) -> Sequence[str]:
        """What axe finds serious or critical, or outside of all landmarks; `rules`: of these alone."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text())
        found: list[dict[str, Any]] = self.page.evaluate(
            "(rules) => axe.run({ resultTypes: ['violations'], ...(rules.length ? { runOnly: rules } : {}) })"
            ".then((result) => result.violations)",
            list(rules),
        )
        return [
            f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
            for one in found
            if one["impact"] in {"serious", "critical"} or one["id"] == "region"
        ]

    def violations_by_theme(self, *, told: bool = True) -> dict[str, Sequence[str]]:
        """What axe finds in the light theme and in the dark one, of a page that follows its browser.

        `told`: the page itself says which one it shows. In the dark one, `make test` looks for what a theme can change.
        """
        found: dict[str, Sequence[str]] = {}
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]  # one of its literals
            if told:
                self.page.locator(f"html[data-theme={theme}]").wait_for(state="attached")
            found[theme] = self.violations(*(() if theme == "light" else size(("color-contrast",), ())))
        return found

    def close(self) -> None:
        """Leave the tab as it would be if nobody had been here."""
        self.page.remove_listener("console", self._heard)
        self.page.remove_listener("pageerror", self._failed)
        if self.page.is_closed() or not self.page.url.startswith("http"):
            return
        self.page.unroute_all()
        self.page.evaluate("localStorage.clear(); sessionStorage.clear()")
        if self._window is not None:
            self.page.set_viewport_size(self._window)
        self.page.emulate_media(media="null", color_scheme="null", reduced_motion="null")

    def _failed(self, error: Error) -> None:
        self.complaints.append(f"error: {error}")

    def _heard(self, message: ConsoleMessage) -> None:
        is_excused = CHANGED in message.text or (self.away and REFUSED.search(message.text))
        if message.type in {"error", "warning"} and not is_excused:
            self.complaints.append(f"{message.type}: {message.text}")
