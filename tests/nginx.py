"""A real nginx before a program."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.free_ports import free_port
from tests.waiting import eventually


def missing(reason: str) -> Any:
    """On a build machine nothing is skipped."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@contextlib.contextmanager
def nginx(folder: Path, to_port: int, settings: str = "") -> Iterator[str]:
    """One that passes all on to a port; its URL."""
    with nginx_with(folder, {"/": f"proxy_pass http://127.0.0.1:{to_port}; {settings}"}) as url:
        yield url


@contextlib.contextmanager
def nginx_with(folder: Path, locations: dict[str, str]) -> Iterator[str]:
    """One with these locations, each with its settings; its URL."""
    path = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(path).exists():
        missing("nginx is not on this machine")
    port = free_port()
    folder.mkdir()
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    listed = " ".join(f"location {where} {{ {settings} }}" for where, settings in locations.items())
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n"
        f"server {{ listen 127.0.0.1:{port}; {listed} }} }}\n"
    )
    process = subprocess.Popen([path, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    try:
        eventually(lambda: process.poll() is not None or _answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
