from __future__ import annotations

import subprocess
import sys

import pytest

from quakestream import late

BIG = ("rich", "lxml.etree", "shapely", "pycurl", "cryptography", "http_ece", "PIL", "alembic", "apprise", "psycopg")
"""What takes megabytes, and who stores and serves earthquakes alone has no use for."""
CONSUMER = """
import sys
from quakestream import starting
starting.keep_one_heap()
starting.import_structlog()
import quakestream.consumer.main, quakestream.log.kafka, quakestream.catalog.sqlite
import quakestream.api.alerting.routes, quakestream.telling.alerts
print(*sorted(name for name, module in sys.modules.items() if module is not None))
"""


def test_a_late_module_is_imported_when_it_is_used() -> None:
    sys.modules.pop("colorsys", None)
    colours = late.module("colorsys")
    assert "colorsys" not in sys.modules
    assert colours.rgb_to_hsv(1.0, 0.0, 0.0) == (0.0, 1.0, 1.0)
    assert "colorsys" in sys.modules


def test_what_is_put_into_it_is_seen_after_its_first_use_too(monkeypatch: pytest.MonkeyPatch) -> None:
    colours = late.module("colorsys")
    assert colours.ONE_THIRD == 1 / 3
    monkeypatch.setattr("colorsys.ONE_THIRD", 0)
    assert colours.ONE_THIRD == 0


def test_a_late_module_that_is_not_there_says_so() -> None:
    nothing = late.module("quakestream.no_such_module")
    with pytest.raises(ImportError, match="no_such_module"):
        nothing.anything  # noqa: B018


@pytest.mark.long  # a process of its own
def test_the_consumer_imports_nothing_large_that_it_may_never_use() -> None:
    found = subprocess.run([sys.executable, "-c", CONSUMER], capture_output=True, text=True, check=True, timeout=120)
    assert not set(BIG) & set(found.stdout.split())
