"""How soon the page shows something, and how it bears much at once: `python -m benchmarks.page`.

In Chromium, with WebGL in software: times are upper bounds. A server of the benchmark's own answers at once
(`page_server.py`), so that the page alone is measured. With `--before COMMIT`, the page of that commit is built into a
temporary folder and measured in the same run, so that both have the same machine.

- **size**: what is fetched for the first view, and all files, compressed.
- **slow**: 400 kbit/s and 400 ms: frame, first rows, whole list, map; the long tasks meanwhile. 1,700 earthquakes.
- **many**: 50,000 earthquakes: first rows, whole list, and the next frame after each of some filters.
- **burst**: 1,000 changes a second: the time between frames, beside that of an empty page in the same browser.
- **heap**: after 10,000 changes and after many more, with the garbage collected.

Exit code 1: a goal was missed by the present page.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.running import ROOT, free_port

PRESENT: Final = ROOT / "src/quakestream/api/dashboard"
SOFTWARE_GL: Final = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
CHROMIUM: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
SLOW: Final = {"offline": False, "latency": 400, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
WATCH: Final = """(() => {
    const at = window.at = { long: 0, longest: 0 };
    new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) {
            at.long += duration;
            at.longest = Math.max(at.longest, duration);
        }
    }).observe({ type: 'longtask', buffered: true });
    const look = () => {
        const now = performance.now();
        if (document.querySelector('#connection')) at.frame ??= now;
        if (document.querySelector('.row')) at.rows ??= now;
        if (/^[\\d,]+ earthquakes?/.test(document.querySelector('#count')?.textContent.trim() ?? '')
            && document.querySelector('.row')) at.whole ??= now;
        if (window.quakestream?.map) at.map ??= now;
        requestAnimationFrame(look);
    };
    look();
})()"""
FRAMES: Final = """(ms) => new Promise((resolve) => {
    const gaps = [];
    let last = performance.now();
    const end = last + ms;
    const look = () => {
        const now = performance.now();
        gaps.push(now - last);
        last = now;
        if (now < end) requestAnimationFrame(look); else resolve(gaps.slice(1));
    };
    requestAnimationFrame(look);
})"""
SHOWS: Final = "(n) => document.querySelector('#count').textContent.replace(/\\D/g, '') === String(n)"
FILTERS: Final = """async (values) => {
    const taken = [];
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    for (const value of values) {
        await new Promise((resolve) => setTimeout(resolve, 3000));
        const select = document.querySelector('#minmagnitude');
        select.value = value;
        const before = performance.now();
        select.dispatchEvent(new Event('change', { bubbles: true }));
        await frame();
        taken.push(performance.now() - before);
    }
    return taken;
}"""


class Figures:
    """What was measured of one page."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.of: dict[str, float] = {}

    def note(self, what: str, value: float, unit: str) -> None:
        """Keep and show."""
        self.of[what] = value
        print(f"  {self.name:<8} {what:<44} {value:>10,.1f} {unit}", flush=True)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--before", metavar="COMMIT", help="measure the page of this commit as well")
    options.add_argument("--before-page", type=Path, help="or one that is built already")
    options.add_argument("--rounds", type=int, default=3, help="of what is timed once a round; the median counts")
    options.add_argument("--changes", type=int, default=1_000_000, help="of `heap`")
    options.add_argument("--only", choices=["size", "slow", "many", "burst", "heap"])
    asked = options.parse_args()
    program = next((path for path in map(shutil.which, CHROMIUM) if path), None)
    if program is None:
        print("skipped: Chromium is not on this machine")
        return 0
    with contextlib.ExitStack() as stack:
        pages = {"now": PRESENT}
        if asked.before_page:
            pages["before"] = asked.before_page
        elif asked.before:
            pages["before"] = stack.enter_context(built(asked.before))
        playwright = stack.enter_context(sync_playwright())
        browser = stack.enter_context(
            playwright.chromium.launch(executable_path=program, args=["--no-sandbox", *SOFTWARE_GL])
        )
        figures = [Figures(name) for name in pages]
        urls = [stack.enter_context(served(folder)) for folder in pages.values()]
        runs: dict[str, Any] = {"slow": slow, "many": many, "burst": burst, "heap": heap}
        if asked.only in (None, "size"):
            print("size")
            for one, folder in zip(figures, pages.values(), strict=True):
                one.note("all files, compressed", packed_bytes(folder) / 1000, "kB")
        for name, run in runs.items():
            if asked.only in (None, name):
                print(name, flush=True)
                for one, url in zip(figures, urls, strict=True):
                    run(browser, url, one, asked)
    return 0 if met(figures[0].of) else 1


GOALS: Final = {
    "all files, compressed": 700.0,
    "slow: first rows": 4.0,
    "50,000: first rows": 1.5,
    "50,000: next frame after a filter, worst": 200.0,
    "burst: median frame, of an empty page's": 3.0,
    "heap after all changes, of that after 10,000": 1.2,
}


def met(found: dict[str, float]) -> bool:
    """Say which goals were met."""
    print("goals")
    well = True
    for what, most in GOALS.items():
        if what in found:
            well &= found[what] <= most
            print(f"  {'met   ' if found[what] <= most else 'MISSED'} {what}: {found[what]:,.2f} of {most:g}")
    return well


def slow(browser: Browser, url: str, figures: Figures, asked: argparse.Namespace) -> None:
    """Over a line of 400 kbit/s and 400 ms."""
    plan(url, listed=1_700)
    found: list[dict[str, float]] = []
    sizes: list[float] = []
    for _ in range(asked.rounds):
        with opened(browser) as page:
            session = page.context.new_cdp_session(page)
            session.send("Network.enable")
            session.send("Network.emulateNetworkConditions", SLOW)
            received: list[float] = []
            session.on("Network.loadingFinished", lambda event, got=received: got.append(event["encodedDataLength"]))
            page.goto(f"{url}/?period=week", wait_until="commit")
            page.wait_for_function("at.map && at.whole", timeout=90_000)
            found.append(page.evaluate("at"))
            sizes.append(sum(received))
    for what in ("frame", "rows", "whole", "map"):
        times = [one[what] / 1000 for one in found]
        label = {"frame": "frame", "rows": "first rows", "whole": "whole list", "map": "map"}[what]
        figures.note(f"slow: {label}", statistics.median(times), f"s ({min(times):.1f} to {max(times):.1f})")
    figures.note("slow: fetched", statistics.median(sizes) / 1000, "kB")
    figures.note("slow: long tasks in all", statistics.median(one["long"] for one in found), "ms")
    figures.note("slow: longest task", statistics.median(one["longest"] for one in found), "ms")


def many(browser: Browser, url: str, figures: Figures, asked: argparse.Namespace) -> None:
    """With 50,000 earthquakes."""
    plan(url, listed=50_000)
    urllib.request.urlopen(f"{url}/api/v1/earthquakes?limit=100", timeout=60).read()  # noqa: S310 - our own
    found, frames = [], []
    for _ in range(asked.rounds):
        with opened(browser) as page:
            page.goto(f"{url}/?period=month", wait_until="commit")
            page.wait_for_function("at.map && at.whole", timeout=120_000)
            found.append(page.evaluate("at"))
            page.wait_for_timeout(3_000)
            frames += page.evaluate(FILTERS, ["2.5", "", "1", "4.5", ""])
    for what, label in (("rows", "first rows"), ("whole", "whole list")):
        times = [one[what] / 1000 for one in found]
        figures.note(f"50,000: {label}", statistics.median(times), f"s ({min(times):.1f} to {max(times):.1f})")
    figures.note("50,000: next frame after a filter", statistics.median(frames), "ms")
    figures.note("50,000: next frame after a filter, worst", max(frames), "ms")


def burst(browser: Browser, url: str, figures: Figures, asked: argparse.Namespace) -> None:
    """1,000 new earthquakes a second, for 20 s."""
    empty, full = [], []
    for _ in range(asked.rounds):
        plan(url, listed=5_000, rate=1_000, changes=20_000)
        with opened(browser) as page:
            page.goto(f"{url}/empty")
            empty += page.evaluate(FRAMES, 5_000)
            page.goto(f"{url}/?period=week", wait_until="commit")
            page.wait_for_function("at.map && at.whole", timeout=120_000)
            page.wait_for_timeout(3_000)
            urllib.request.urlopen(f"{url}/begin", timeout=10).close()  # noqa: S310
            full += page.evaluate(FRAMES, 20_000)
    figures.note("burst: median frame of an empty page", statistics.median(empty), "ms")
    figures.note("burst: median frame", statistics.median(full), "ms")
    figures.note("burst: frame that one in twenty exceeds", statistics.quantiles(full, n=20)[-1], "ms")
    figures.note("burst: worst frame", max(full), "ms")
    figures.note("burst: median frame, of an empty page's", statistics.median(full) / statistics.median(empty), "times")


def heap(browser: Browser, url: str, figures: Figures, asked: argparse.Namespace) -> None:
    """A week of much in a short time: revisions of what there is, and now and then something new."""
    after: list[float] = []
    for changes in (10_000, asked.changes):
        plan(url, listed=5_000, rate=5_000, changes=changes, new=0.002)
        with opened(browser) as page:
            session = page.context.new_cdp_session(page)
            page.goto(f"{url}/?period=week", wait_until="commit")
            page.wait_for_function("at.map && at.whole", timeout=120_000)
            urllib.request.urlopen(f"{url}/begin", timeout=10).close()  # noqa: S310
            end_s = time.monotonic() + 60 + changes / 500
            while int(urllib.request.urlopen(f"{url}/sent", timeout=60).read()) < changes:  # noqa: S310
                assert time.monotonic() < end_s, "the page does not take the changes"
                page.wait_for_timeout(500)
            known = int(urllib.request.urlopen(f"{url}/known", timeout=60).read())  # noqa: S310
            page.wait_for_function(SHOWS, arg=known, timeout=120_000)
            page.wait_for_timeout(5_000)
            session.send("HeapProfiler.enable")
            session.send("HeapProfiler.collectGarbage")
            after.append(session.send("Runtime.getHeapUsage")["usedSize"] / 1e6)
    figures.note("heap after 10,000 changes", after[0], "MB")
    figures.note(f"heap after {asked.changes:,} changes", after[1], "MB")
    figures.note("heap after all changes, of that after 10,000", after[1] / after[0], "times")


def packed_bytes(folder: Path) -> int:
    """All files in the smallest form that is served."""
    files = [path for path in folder.glob("**/*") if path.is_file() and path.suffix not in (".br", ".gz")]
    wanted = [path for path in files if path.name != "licences.txt"]
    return sum(
        min(form.stat().st_size for form in (path, path.with_name(f"{path.name}.br")) if form.is_file())
        for path in wanted
    )


def plan(url: str, **asked: float) -> None:
    """Say what the server has from now on."""
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    urllib.request.urlopen(f"{url}/plan?{query}", timeout=60).close()  # noqa: S310


@contextlib.contextmanager
def opened(browser: Browser) -> Iterator[Page]:
    """A page without a cache, that notes when it shows what."""
    with browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB") as context:
        context.add_init_script(WATCH)
        yield context.new_page()


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """A built page, at this URL."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.page_server", str(port), str(folder)]
    process = subprocess.Popen(command, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/sent", timeout=1).close()  # noqa: S310
                break
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def built(commit: str) -> Iterator[Path]:
    """The page as it was at a commit."""
    with tempfile.TemporaryDirectory(prefix="page-") as name:
        folder = Path(name)
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        subprocess.run([sys.executable, folder / "tools/build_page.py"], check=True)
        yield folder / "src/quakestream/api/dashboard"


if __name__ == "__main__":
    raise SystemExit(main())
