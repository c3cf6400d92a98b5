"""Many tabs, one connection: browsers open no more than six to a site over HTTP/1.1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext

from quakestream.catalog.sqlite import SqliteCatalog
from tests.api.serving import Consumer
from tests.browser.dashboard import Dashboard
from tests.contracts.catalog import NOW_MS
from tests.sizes import size, sized
from tests.waiting import eventually

TABS: Final = 10
BARE: Final = """delete window.SharedWorker;
window.channels = [];
window.BroadcastChannel = class extends BroadcastChannel {
    constructor(name) { super(name); channels.push(this); }
};"""
"""No shared worker; and a way to make a tab deaf and dumb, as one is that stands still."""
ADDRESS: Final = "?period=all&sort=newest&view=list"


@pytest.fixture
def consumer(tmp_path: Path) -> Iterator[Consumer]:
    catalog = SqliteCatalog(tmp_path / "catalogue.sqlite3")
    with Consumer(catalog, tmp_path) as consumer:
        yield consumer
    catalog.close()


def come(consumer: Consumer, *names: str) -> None:
    """Earthquakes, far from each other."""
    for name in names:
        number = consumer.catalog.feed().last_seq
        place = {"latitude": 20.0 * number - 60, "longitude": 50.0 * number - 150, "depth": 10.0}
        consumer.write(name, location=place, timestamp=NOW_MS - 7_200_000 * (number + 1), place=name)


def opened(context: BrowserContext, consumer: Consumer, tabs: int) -> list[Dashboard]:
    """So many tabs, all live."""
    found = []
    for _ in range(tabs):
        found.append(Dashboard(context.new_page(), consumer.url))
        found[-1].page.goto(f"{consumer.url}/{ADDRESS}")
    for one in found:
        eventually(lambda: one.badge() == "Live", within_s=30, tell=one.badge)  # noqa: B023 - called at once
    return found


def all_show(tabs: list[Dashboard], *names: str) -> None:
    for one in tabs:
        eventually(
            lambda: all(any(name in text for text in one.rows().values()) for name in names),  # noqa: B023
            within_s=30,
            tell=one.rows,
        )
        assert len(one.rows()) == len(names)


@sized
def test_ten_tabs_have_one_connection(context: BrowserContext, consumer: Consumer) -> None:
    tabs = opened(context, consumer, size(4, TABS))
    assert consumer.connections() == 1
    come(consumer, "first")
    all_show(tabs, "first")
    tabs[0].page.close()
    come(consumer, "second")
    all_show(tabs[1:], "first", "second")
    consumer.call(lambda: [one.transport.abort() for one in consumer.hub._connections])
    come(consumer, "third")
    all_show(tabs[1:], "first", "second", "third")
    assert consumer.connections() == 1


@sized
def test_where_there_is_no_shared_worker_one_tab_leads(context: BrowserContext, consumer: Consumer) -> None:
    context.add_init_script(BARE)
    tabs = opened(context, consumer, size(3, TABS))
    assert consumer.connections() == 1
    come(consumer, "first")
    all_show(tabs, "first")

    tabs.pop(0).page.close()  # it was the first, and led
    come(consumer, "second")
    all_show(tabs, "first", "second")
    consumer.eventually_connections(1)
    for one in tabs:
        eventually(lambda: one.badge() == "Live", tell=one.badge)  # noqa: B023


@pytest.mark.long  # it takes 12 s to take a tab for dead
def test_a_leader_that_stands_still_is_followed_by_another(context: BrowserContext, consumer: Consumer) -> None:
    context.add_init_script(BARE)
    leader, *tabs = opened(context, consumer, 3)
    leader.page.evaluate("channels.forEach((one) => one.close())")  # it has the lock still
    come(consumer, "first")
    all_show(tabs, "first")
    for one in tabs:
        eventually(lambda: one.badge() == "Live", within_s=20, tell=one.badge)  # noqa: B023


def test_a_leader_that_is_frozen_lets_another_lead(context: BrowserContext, consumer: Consumer) -> None:
    context.add_init_script(BARE)
    leader, *tabs = opened(context, consumer, 3)
    session = context.new_cdp_session(leader.page)
    session.send("Page.setWebLifecycleState", {"state": "frozen"})
    come(consumer, "first")
    all_show(tabs, "first")
    session.send("Page.setWebLifecycleState", {"state": "active"})
    come(consumer, "second")
    all_show([leader, *tabs], "first", "second")
    consumer.eventually_connections(1)
