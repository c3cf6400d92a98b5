"""Clocks of subscriptions: every name that the world uses is taken, and no name ever stops an alert."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.errors import Rejected
from quakestream.fence.compiling import Hours, is_night
from quakestream.subscriptions.registry import Registry
from quakestream.subscriptions.subscription import local_time, parse
from quakestream.telling import messages
from quakestream.telling.messages import Facts, Links, View, Words
from tests.subscriptions.test_subscription import subscription

BROWSERS = (Path(__file__).parents[1] / "data" / "browser_time_zones.txt").read_text(encoding="utf-8").split()
"""`Intl.supportedValuesOf("timeZone")` of Node.js 20: the old names, as Chromium says them."""
NOON_MS = 1_751_371_200_000
QUAKE: dict[str, Any] = {
    "id": "eq_1",
    "magnitude": 6.1,
    "place": "8 km S of Somewhere",
    "timestamp": NOON_MS,
    "source": "usgs",
    "location": {"latitude": 38.0, "longitude": 23.0, "depth": 10.0},
}
OF_MACHINES = ("localtime", "posixrules")
"""What some systems have among their zones: the machine's own clock."""


@pytest.fixture
def package_alone() -> Iterator[None]:
    """As on a system without a time zone database, which `PYTHONTZPATH=` makes of any."""
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(to=before)
    zoneinfo.ZoneInfo.clear_cache()


def told(zone: str, language: str = "en") -> str:
    how = Words(language=language)
    view = View(how=how, time_zone=zone)
    _, text = messages.words("alert", "actual", QUAKE, Facts(), view, Links(), NOON_MS)
    return text


@pytest.mark.usefixtures("package_alone")
@pytest.mark.parametrize("name", ["Europe/Athens", "Asia/Calcutta", "Asia/Saigon", "Europe/Kiev", "US/Pacific", "UTC"])
def test_the_time_zones_come_along(name: str) -> None:
    one = parse(subscription(time_zone=name))
    assert one.time_zone == name
    assert local_time(name, NOON_MS).tzname()
    assert "12:00:00" in told(name)


@pytest.mark.usefixtures("package_alone")
def test_every_name_that_a_browser_says_is_taken() -> None:
    assert len(BROWSERS) > 400
    for name in (*BROWSERS, "UTC", "Etc/GMT+12"):
        assert parse(subscription(time_zone=name)).time_zone == name
        assert f" {name}" in told(name) or local_time(name, NOON_MS).tzname() == "UTC"


def test_every_name_of_this_system_makes_a_message() -> None:
    for name in sorted(zoneinfo.available_timezones()):
        assert "12:00:00" in told(name)
        is_night(Hours("night", name, "22:00", "07:00"), NOON_MS)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("europe/athens", "Europe/Athens"),
        ("ASIA/CALCUTTA", "Asia/Calcutta"),
        (" Europe/Athens ", "Europe/Athens"),
        ("utc", "UTC"),
        ("america/argentina/buenos_aires", "America/Argentina/Buenos_Aires"),
        ("posix/Europe/Athens", "Europe/Athens"),
        ("right/Europe/Athens", "Europe/Athens"),  # counts leap seconds: half a minute off
    ],
)
def test_a_name_may_be_written_small_and_is_kept_as_it_is_written_elsewhere(written: str, kept: str) -> None:
    assert parse(subscription(time_zone=written)).time_zone == kept


@pytest.mark.parametrize(
    "name", ["Etc/Unknown", "Mars/Olympus", "Europe", "", "+05:30", *OF_MACHINES, "../../etc/passwd", "\0"]
)
def test_what_is_no_zone_everywhere_is_refused_by_name(name: str) -> None:
    with pytest.raises(Rejected) as refused:
        parse(subscription(time_zone=name))
    assert str(refused.value).startswith("time_zone: ")


@given(st.text(max_size=40) | st.sampled_from([*BROWSERS, "Europe", "../../etc/passwd", "/etc/passwd", "Etc/Unknown"]))
def test_no_name_stops_a_message(name: str) -> None:
    for language in ("en", "de"):
        assert "12:00:00" in told(name, language)
    is_night(Hours("night", name, "22:00", "07:00"), NOON_MS)
    local_time(name, NOON_MS)


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_clock_that_is_missing_is_said(language: str) -> None:
    text = told("Mars/Olympus", language)
    assert "Mars/Olympus" in text
    assert " UTC (" in text


def test_one_that_is_stored_with_a_zone_that_is_gone_is_still_told(tmp_path: Path) -> None:
    with closing(SqliteCatalog(tmp_path / "c.sqlite3")) as catalog:
        stored = Registry(catalog).put(parse(subscription()), now_ms=1)
    document = msgspec.json.decode(stored.document) | {"time_zone": "Mars/Olympus"}
    found = msgspec.structs.replace(stored, document=msgspec.json.encode(document)).subscription()
    assert found.time_zone == "Mars/Olympus"
    found.is_night(NOON_MS)
