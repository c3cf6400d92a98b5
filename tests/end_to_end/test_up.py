"""`quakestream up`: it starts what it says, each time; and what a person at its terminal reads.

These start the program itself, for it is its beginning, its end and its terminal that they are about.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.programs import BIN, Program, Site, every_earthquake, last_seq
from tests.end_to_end.test_programs import sources, terminal
from tests.free_ports import free_port
from tests.waiting import eventually

FEED = Path(__file__).parents[1] / "data" / "usgs_feed_2014.geojson"
PAST = 1400
"""Reports that the bundled week shows at once, at least."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path, USGS_FEED_URL="http://127.0.0.1:9/", FALLBACK_AFTER_S="0.5") as one:
        yield one


def up(site: Site, *options: str) -> Program:
    ports = ("--service-port", "0", "--port", "0", "--data-dir", str(site.data_dir))
    return site.start("quakestream", "up", *ports, *options)


def stood(program: Program) -> dict[str, tuple[Any, ...]]:
    found = every_earthquake(program, page=1000)
    assert {e["mode"] for e in found} == {"exercise"}
    return {e["id"]: (e["revision"], e["timestamp"], e["preferred"]) for e in found}


def consumed(program: Program) -> int:
    return int((program.ask("/health/ready", "earthquake-consumer") or {"consumed": 0})["consumed"])


def test_it_always_starts_what_it_says_and_a_second_time_revises_nothing(site: Site) -> None:
    """The demonstration, then the recording in place of a live source, which shows the same."""
    first = up(site, "--demo")
    eventually(lambda: consumed(first) > PAST, within_s=60)
    assert first.post("/earthquake-events/stop", "earthquake-service").status_code == 200
    eventually(lambda: all(source["state"] != "live" for source in sources(first)))
    ready = first.get("/health/ready", "earthquake-service").json()
    assert ready["status"] == "degraded", "while it holds, it is told"
    before, seq = stood(first), last_seq(first)
    assert first.terminate() == 0

    second = up(site)
    eventually(lambda: consumed(second) > PAST, within_s=60)
    assert {source["name"]: source["state"] for source in sources(second)} == {"usgs": "failing", "replay": "live"}
    now = last_seq(second), stood(second)

    def still() -> bool:  # it plays on: both are of one moment
        nonlocal now
        was, now = now, (last_seq(second), stood(second))
        return was == now

    eventually(still)
    assert {id_: now[1][id_] for id_ in before} == before
    assert now[0] - seq == len(now[1]) - len(before), "what is new is new, and nothing is revised"
    assert second.terminate() == 0


def test_its_terminal_says_where_to_look_and_the_past_in_one_line(site: Site, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(browser.stat().st_mode | stat.S_IEXEC)
    port = free_port()
    page = f"http://localhost:{port}"
    with terminal() as (master, slave):
        os.set_blocking(master, False)
        shown = bytearray()
        service = free_port()
        ports = ("-p", str(port), "--service-port", str(service))
        options = ("up", "--demo", "--open", *ports, "--data-dir", str(site.data_dir))
        program = site.start("quakestream", *options, stdout=slave, BROWSER=f"{browser} %s")

        def lines() -> list[str]:
            try:
                shown.extend(os.read(master, 65536))
            except BlockingIOError:
                assert program.process.poll() is None, program.said
            return shown.decode().splitlines()

        at_once = r"\[exercise\] ([\d,]+) reports at once, the largest M \d\.\d  "

        def past() -> list[int]:
            return [int(count.replace(",", "")) for count in re.findall(at_once, "\n".join(lines()))]

        eventually(lambda: f"  Open {page}" in lines() and sum(past()) > PAST, within_s=60)
        assert len(past()) <= 3, "one, where the machine is not as slow as under many tests"
        assert len(shown.splitlines()) < 24
        eventually(lambda: (tmp_path / "opened").exists() and (tmp_path / "opened").read_text().strip() == page)
        told = httpx.get(page, trust_env=False).text
        assert f'<meta name="service-url" content="http://localhost:{service}">' in told, "there it starts and stops it"
        assert program.terminate() == 0


def test_the_terminal_of_a_replay_shows_its_events(site: Site) -> None:
    with terminal() as (master, slave):
        os.set_blocking(master, False)
        command = [BIN / "quakestream", "replay", FEED, "--data-dir", site.data_dir]
        replaying = subprocess.Popen(
            command, stdout=slave, stderr=slave, env=os.environ | {"EVENT_LOG": "embedded"}, start_new_session=True
        )
        shown = bytearray()

        def ended() -> bool:
            with contextlib.suppress(BlockingIOError):
                shown.extend(os.read(master, 65536))
            return replaying.poll() is not None

        try:
            eventually(ended, within_s=60)
            ended()
        finally:
            replaying.kill()
            replaying.wait()
    assert replaying.returncode == 0
    lines = re.findall(r"\[exercise\] M \d\.\d  .*?  -?\d+ km deep  \d{4}-\d\d-\d\d \d\d:\d\d UTC", shown.decode())
    assert len(lines) == 4
