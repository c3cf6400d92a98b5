"""Pages of one `asof` are parts of one answer, whatever arrives between them; in each format, on both databases."""

from __future__ import annotations

import contextlib
import csv
import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from lxml import etree

from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from tests.api.serving import Consumer
from tests.contracts.catalog import NOW_MS, event
from tests.sizes import DATABASES, size, sized

EVENTS, LATER, PAGE = size((200, 30, 50), (5000, 500, 1000))
CLIENT: Final = httpx.Client(trust_env=False, timeout=60, limits=httpx.Limits(max_keepalive_connections=0))


@pytest.fixture(params=DATABASES)
def consumer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Consumer]:
    made: SqlCatalog
    if request.param == "sqlite":
        made = SqliteCatalog(tmp_path / "catalogue.sqlite3")
    else:
        made = PostgresqlCatalog(request.getfixturevalue("postgresql").make_database())
    with contextlib.closing(made) as catalog, Consumer(catalog, tmp_path) as one:
        yield one


def _ids(form: str, body: bytes) -> list[str]:
    if form == "xml":
        return [one.get("publicID", "").rpartition("/")[2] for one in etree.fromstring(body).iter("{*}event")]
    if form == "text":
        return [line.partition("|")[0] for line in body.decode().splitlines() if not line.startswith("#")]
    return [row["id"] for row in csv.DictReader(io.StringIO(body.decode()))]


@sized
def test_each_earthquake_is_on_one_page_while_others_arrive_and_move(consumer: Consumer) -> None:
    chance = random.Random(17)
    hour_ms = 3_600_000
    first = [
        event(f"p{n}", timestamp=NOW_MS - (n + 2 * LATER) * hour_ms, magnitude=round(chance.uniform(1, 7), 1))
        for n in range(EVENTS)
    ]
    for begin in range(0, EVENTS, 500):
        consumer.writer.write(*first[begin : begin + 500])
    url = f"{consumer.url}/fdsnws/event/1/query"
    asof = CLIENT.head(url, params={"limit": 1, "format": "text"}).headers["quakestream-seq"]
    before = {
        (form, orderby): _ids(form, CLIENT.get(url, params={"format": form, "orderby": orderby}).content)
        for form, orderby in (("xml", "time"), ("text", "magnitude"), ("csv", "magnitude-asc"), ("text", "time-asc"))
    }
    assert {len(set(found)) for found in before.values()} == {EVENTS}
    moves = chance.sample(range(EVENTS), LATER)
    pages = EVENTS // PAGE
    seen: dict[tuple[str, str], list[str]] = {asked: [] for asked in before}
    for page in range(pages):
        for (form, orderby), found in seen.items():
            asked = {"format": form, "orderby": orderby, "asof": asof, "limit": PAGE, "offset": 1 + page * PAGE}
            answer = CLIENT.get(url, params=asked)
            assert (answer.status_code, answer.headers["quakestream-seq"]) == (200, asof)
            found.extend(_ids(form, answer.content))
        some = slice(page * LATER // pages, (page + 1) * LATER // pages)
        consumer.writer.write(
            *(event(f"n{n}", timestamp=NOW_MS - n * hour_ms - 1_800_000) for n in range(LATER)[some]),
            *(
                event(
                    f"p{n}",
                    timestamp=NOW_MS - chance.randrange(EVENTS + 2 * LATER) * hour_ms - 900_000,
                    magnitude=round(chance.uniform(1, 7), 1),
                    updated=NOW_MS + page,
                )
                for n in moves[some]
            ),
            now_ms=NOW_MS + page + 1,
        )
    assert seen == before
    assert CLIENT.get(f"{consumer.url}/fdsnws/event/1/count", params={"asof": asof}).text.strip() == str(EVENTS)
    assert int(CLIENT.get(f"{consumer.url}/fdsnws/event/1/count").text) > EVENTS
