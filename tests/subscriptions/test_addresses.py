"""Addresses, on both databases: known as long as they are used, asked once, and confirmed by their id alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from quakestream.subscriptions.addresses import Use, take_unasked
from quakestream.subscriptions.registry import Registry
from quakestream.subscriptions.subscription import Subscription, parse


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlCatalog]:
    catalog: SqlCatalog
    if request.param == "sqlite":
        catalog = SqliteCatalog(tmp_path / "catalogue.sqlite3")
    else:
        url = str(request.getfixturevalue("postgresql").make_database())
        catalog = PostgresqlCatalog(url.replace("://", "+psycopg://"))
    with closing(catalog):
        yield catalog


def subscription(id_: str, *names: str) -> Subscription:
    channels = [{"channel": "mail", "to": name} for name in names]
    return parse({"id": id_, "where": {"kind": "world"}, "how": {"channels": channels}})


def targets(one: Subscription) -> list[tuple[str, str]]:
    return [(channel.channel, str((channel.model_extra or {})["to"])) for channel in one.how.channels]


def test_an_address_lives_as_long_as_it_is_used(catalog: SqlCatalog) -> None:
    registry = Registry(catalog, addresses_of=targets)
    known = registry.addresses

    def unasked() -> list[Use]:
        with catalog.writing() as connection:
            return take_unasked(connection, 5)

    registry.put_all([(subscription("a", "x", "y"), ""), (subscription("b", "x"), "")], now_ms=1)
    assert known.any_unasked()
    assert sorted(unasked()) == [Use("a", "mail", "x"), Use("a", "mail", "y")]
    registry.put(subscription("b", "x"), now_ms=2)
    assert not known.any_unasked()
    assert unasked() == []
    ids = known.ids(["x", "y", "z"])
    assert ids.keys() == {"x", "y"}
    assert known.known(ids["x"])
    assert known.confirm(ids["x"], 7)
    assert known.confirm(ids["x"], 8)
    assert not known.confirm("x", 7)
    assert known.confirmed(["x", "y"]) == {"x": 7}
    registry.end(Use("a", "mail", "x"), None, 3)
    assert known.confirmed(["x"]) == {"x": 7}, "b uses it"
    registry.put(subscription("a", "x"), now_ms=4)
    assert known.ids(["x", "y"]).keys() == {"x"}, "y is used no more"
    registry.remove(["b"], 5)
    assert known.ids(["x"]) == {}, "a has it, but it has ended a"
    registry.remove(["a"], 6)
    registry.put(subscription("a", "x"), now_ms=7)
    assert [one.target for one in unasked()] == ["x"], "another subscription of that id begins anew"
