"""Attack a deployment from outside, and hold it to its promises.

    python -m tests.faults --deployment embedded --events 1000000 --faults 100 --seed 1 --minutes 100
    python -m tests.faults --check FOLDER           a run that was cut short
    python -m tests.faults --off acknowledge-early  a negative control: it must exit with 1

Exit 0: all promises hold. Exit 1: those that do not are named.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.controls import CONTROLS
from tests.faults.faults import FAULTS
from tests.faults.running import DEPLOYMENTS, Plan, check, run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deployment", choices=DEPLOYMENTS, default="embedded")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0, help="over which faults are spread; no new one later")
    parser.add_argument("--folder", type=Path, help="for the ledger and all that the deployment has; made anew")
    parser.add_argument("--only", default="", help=f"kinds of faults, of {', '.join(FAULTS)}")
    parser.add_argument("--off", default="", choices=["", *CONTROLS], help="a safeguard that is switched off")
    parser.add_argument("--recovery-limit-s", type=float, default=0, help="instead of the deployment's own")
    parser.add_argument("--check", type=Path, metavar="FOLDER", help="hold together what a run left")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through `finally`: nothing goes on
    if asked.check:
        return int(bool(check(asked.check.resolve())))
    only = tuple(filter(None, asked.only.split(","))) or (CONTROLS[asked.off].faults if asked.off else ())
    if unknown := set(only) - FAULTS.keys():
        parser.error(f"no such faults: {', '.join(sorted(unknown))}")
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="faults-"))
    plan = Plan(
        asked.deployment, asked.events, asked.faults, asked.seed, asked.minutes, folder.resolve(), only, asked.off,
        asked.recovery_limit_s,
    )  # fmt: skip
    return int(bool(run(plan)))


if __name__ == "__main__":
    sys.exit(main())
