"""DATA_DIR is the program's own: 0700, its files 0600, whatever they were; what others may need is left alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from quakestream import cli, data_dir
from quakestream.data_dir import close_to_others, open_as_the_user_wants
from tests.test_secrecy import logging_as_it_was

__all__ = ["logging_as_it_was"]


@pytest.fixture(autouse=True)
def umask(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As most users have it; and as it was before."""
    before = os.umask(0o022)
    monkeypatch.setattr(data_dir, "_users_umask", None)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def an_open_one(folder: Path) -> list[Path]:
    """A DATA_DIR as it was made before."""
    folder.mkdir(mode=0o755)
    ours = ("catalogue.sqlite3", "catalogue.sqlite3-wal", "log.sqlite3", "earthquake-service.lock", "instance-id")
    files = [folder / name for name in ours]
    for file in files:
        file.touch(0o644)
    return files


@pytest.mark.usefixtures("logging_as_it_was")
def test_what_a_program_makes_is_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "above" / "data"
    env = {"EVENT_LOG": "embedded", "DATABASE_URL": f"sqlite:///{tmp_path}/elsewhere.db"}
    for more in ({}, env):
        run = CliRunner().invoke(cli.app, ["migrate", "--data-dir", str(folder)], env={"EVENT_LOG": "embedded"} | more)
        assert run.exit_code == 0, run.output
    assert mode(folder) == 0o700
    made = [*folder.iterdir(), tmp_path / "elsewhere.db"]
    assert {path.name for path in made} >= {"catalogue.sqlite3", "elsewhere.db"}
    assert {mode(path) for path in made} == {0o600}


def test_what_was_open_is_closed_and_said_once(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    files = an_open_one(folder)
    elsewhere = tmp_path / "elsewhere.db"
    for path in (elsewhere, tmp_path / "elsewhere.db-wal"):
        path.touch(0o644)
    with capture_logs() as logged:
        close_to_others(folder, elsewhere)
        close_to_others(folder, elsewhere)
    assert mode(folder) == 0o700
    assert {mode(path) for path in (*files, elsewhere, tmp_path / "elsewhere.db-wal")} == {0o600}
    assert [(line["event"], line["closed"]) for line in logged] == [
        ("closed to others what was open to them", len(files) + 3)
    ]


def test_no_link_is_followed_and_no_other_s_file_touched(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    an_open_one(folder)
    far, own = tmp_path / "far", folder / "subscriptions.yaml"
    for path in (far, own):
        path.touch(0o644)
    (folder / "link.sqlite3").symlink_to(far)
    close_to_others(folder)
    assert (mode(far), mode(own)) == (0o644, 0o644)


def test_a_folder_that_others_need_stays_open_and_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = an_open_one(tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with capture_logs() as logged:
        close_to_others(tmp_path / "home")
    assert mode(tmp_path / "home") == 0o755
    assert {mode(path) for path in files} == {0o600}
    assert [line["log_level"] for line in logged] == ["info", "warning"]


def test_a_folder_of_another_user_is_warned_of_and_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    an_open_one(tmp_path / "data")
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000)
    with capture_logs() as logged:
        close_to_others(tmp_path / "data")
        close_to_others(tmp_path / "missing")
    assert [line["log_level"] for line in logged] == ["warning"]
    assert mode(tmp_path / "data") == 0o755


def test_an_export_is_the_user_s(tmp_path: Path) -> None:
    close_to_others(tmp_path / "data")
    with open_as_the_user_wants():
        (tmp_path / "export.csv").touch()
    (tmp_path / "ours").touch()
    assert (mode(tmp_path / "export.csv"), mode(tmp_path / "ours")) == (0o644, 0o600)
