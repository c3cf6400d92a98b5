"""A worker as a program of its own, to be killed: `python -m tests.telling.worker <database> <owner>`."""

import sys
import time
from pathlib import Path

from quakestream.catalog.postgresql import PostgresqlCatalog
from quakestream.catalog.sqlite import SqliteCatalog
from tests.telling.shared import delivery

if __name__ == "__main__":
    _, database, owner = sys.argv
    catalog = PostgresqlCatalog(database) if "://" in database else SqliteCatalog(Path(database))
    delivery(catalog, owner).start()
    while True:
        time.sleep(3600)
