"""`quakestream sources check`, and the other host of an agency, against servers on this machine."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from quakestream import cli, sources
from quakestream.clock import now_ms
from quakestream.event import utc
from quakestream.sources import fdsn, presets
from quakestream.sources.presets import PRESETS
from tests.formats.test_feed import PLACED, item
from tests.formats.test_jma import bulletin
from tests.sources.fakes import (
    Agency,
    Answer,
    Archive,
    Clock,
    FakeOutlet,
    Query,
    agency,
    context,
    http,
    nothing_there,
    running,
)
from tests.sources.test_fdsn import NOW_MS, Report, Service, body
from tests.sources.test_unfinished import wadl


@contextmanager
def serving(archive: Archive = nothing_there, page: Answer = b"") -> Iterator[Agency]:
    """On a loop of its own: the command has one too."""
    began, loop = threading.Event(), asyncio.new_event_loop()
    found: list[Agency] = []

    async def serve() -> None:
        async with agency(page, archive=archive) as server:
            found.append(server)
            done.append(asyncio.Event())
            began.set()
            await done[0].wait()

    done: list[asyncio.Event] = []
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert began.wait(10)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(done[0].set)
        thread.join(10)
        loop.close()


def answers(query: Query) -> Answer:
    if query.method == "version":
        return http("1.2.3\n")
    if query.method == "application.wadl":
        return wadl("starttime", "endtime", "updatedafter")
    return http("", "400 Bad") if "limit" in query else http(body([Report(1, now_ms())], "quakeml"))


def check(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["sources", "check", *arguments])


def test_it_says_what_works(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answers) as good, serving(lambda _: http("<html>", "404 Not Found")) as gone:
        monkeypatch.setitem(PRESETS, "noa", replace(PRESETS["noa"], url=good.fdsn_url, fallback_url=gone.fdsn_url))
        monkeypatch.setitem(PRESETS, "sed", replace(PRESETS["sed"], url=gone.fdsn_url))
        well = check("noa", "--json")
        assert well.exit_code == 0, well.output
        first, fallback = [json.loads(line) for line in well.stdout.splitlines()]
        assert first | {"url": "", "errors": []} == {
            "name": "noa", "url": "", "tried": "documented", "fallback": False, "works": True, "version": "1.2.3",
            "parameters": ["starttime", "endtime", "updatedafter"], "events": 1, "refused": 0, "errors": [],
        }  # fmt: skip
        assert (fallback["fallback"], fallback["works"]) == (True, False)
        ill = check("ethz", "--url", good.fdsn_url)
        assert ill.exit_code == 1
        assert "FAILS  sed" in ill.stdout
        assert "HTTP 404" in ill.stdout
        assert f"works  {good.fdsn_url}" in ill.stdout
        assert "tried: recorded" in ill.stdout


def test_a_list_is_asked_once_and_says_nothing_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    at = utc(now_ms() + 9 * 3_600_000).strftime("%Y-%m-%dT%H:%M:00+09:00")
    two = [bulletin(at=at), bulletin(at=at, ctt="20260628052700"), bulletin(eid="20260101000000"), bulletin(cod="x")]
    with serving(page=http(json.dumps(two))) as well, serving(page=http("<html>")) as ill:
        monkeypatch.setenv("JMA_LIST_URL", f"{well.url}list.json")
        result = check("jma")
        assert result.exit_code == 0, result.output
        assert "works  jma" in result.stdout
        assert "1 events a day, 1 refused" in result.stdout
        assert "tried: documented" in result.stdout
        monkeypatch.setenv("JMA_LIST_URL", f"{ill.url}list.json")
        result = check("jma")
        assert result.exit_code == 1
        assert "FAILS  jma" in result.stdout


def test_a_mapping_can_be_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_URLS", raising=False)
    at = utc(now_ms()).isoformat()
    shown = [item(id="old"), item(id="new", t=at, m="3,5"), item(id="bad", t="soon")]
    with serving(page=http(json.dumps(shown))) as server:
        wanted = {"name": "feed", "url": f"{server.url}x", "source": "mine", "fields": PLACED | {"magnitude": "m"}}
        result = check("--source", json.dumps(wanted))
        assert result.exit_code == 0, result.output
        assert "works  feed:mine" in result.stdout
        assert "1 events a day, 1 refused" in result.stdout
        [newest] = [json.loads(line) for line in result.stdout.splitlines() if line.strip().startswith("{")]
        assert (newest["id"], newest["source"], newest["magnitude"]) == ("new", "mine", 3.5)
        wrong = wanted | {"fields": PLACED | {"time": "nowhere"}}
        result = check("--source", json.dumps(wrong), "--json")
        assert result.exit_code == 1
        assert json.loads(result.stdout)["refused"] == 3
        assert check("--source", json.dumps(wanted | {"fields": {}})).exit_code != 0
    assert check("--source", "{").exit_code == 2
    assert check("--source", '{"name": "usgs"}').exit_code == 2


def test_what_is_no_preset_is_said() -> None:
    assert check("invg").exit_code == 2
    assert "Did you mean ingv?" in check("invg").stderr
    assert check("--url", "nonsense").exit_code == 2


def test_the_other_host_is_asked_when_the_first_one_fails_and_the_first_one_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fdsn, "POLLS_OF_FALLBACK", 3)
    service = Service(Clock(NOW_MS))
    service.put(1)
    away = True

    def first(query: Query) -> Answer:
        return http("", "503 Busy") if away else service(query)

    async def main() -> None:
        nonlocal away
        outlet = FakeOutlet()
        async with agency(b"", archive=first) as main_host, agency(b"", archive=service) as other_host:
            noa = replace(PRESETS["noa"], url=main_host.fdsn_url, fallback_url=other_host.fdsn_url)
            monkeypatch.setitem(PRESETS, "noa", noa)
            given = {"name": "fdsn", "preset": "noa", "pollIntervalS": 0.01}
            async with running(sources.build(given, context(tmp_path, now_ms=service.clock)).run(outlet)):
                await outlet.until(lambda: outlet.events)
                assert [state for state, _ in outlet.states].count("failing") == fdsn.FAILURES_BEFORE_FALLBACK
                await outlet.until(lambda: outlet.states[-1][0] == "live")
                assert "is asked" in (outlet.states[-1][1] or "")
                away = False
                await outlet.until(lambda: outlet.states[-1] == ("live", None))
                assert len(outlet.events) == 1, "the cursor is the same"

    asyncio.run(main())


def test_each_preset_says_how_it_is_known_as_the_docs_do() -> None:
    docs = (Path(__file__).parents[1] / "docs" / "sources.md").read_text()
    for name, preset in presets.PRESETS.items():
        row = next(line for line in docs.splitlines() if line.startswith(f"| `{name}` |"))
        fallback = f"`{preset.fallback_url}`" if preset.fallback_url else "–"
        assert row.endswith(f"| {preset.tried} | {fallback} |"), f"| {preset.tried} | {fallback} |"
