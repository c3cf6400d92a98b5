"""The page is built where there is no Node.js, too."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from tools import build_page


@pytest.mark.long
def test_a_machine_without_node_gets_one_whose_npm_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert not build_page.has_node()
    with build_page.node_on_path() as environment:
        npm = shutil.which("npm", path=environment["PATH"])
        assert npm is not None
        told = subprocess.run([npm, "--version"], env=environment, capture_output=True, text=True, timeout=60)  # noqa: PLW1510 - the code is looked at
    assert (told.returncode, told.stderr) == (0, "")
