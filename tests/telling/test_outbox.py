"""The outbox on both databases."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sql import SqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from tests.contracts.outbox import OutboxContract
from tests.postgres_server import PostgresServer


class TestOnSqlite(OutboxContract):
    @pytest.fixture
    def catalog(self, tmp_path: Path) -> Iterator[SqlCatalog]:
        with closing(SqliteCatalog(tmp_path / "catalogue.sqlite3")) as catalog:
            yield catalog


class TestOnPostgresql(OutboxContract):
    @pytest.fixture
    def catalog(self, postgresql: PostgresServer) -> Iterator[SqlCatalog]:
        with closing(PostgresqlCatalog(postgresql.make_database())) as catalog:
            yield catalog
