"""The docs that can be held to the code are."""

from pathlib import Path

from quakestream import config, telemetry

DOCS = Path(__file__).parents[1] / "docs"


def test_every_setting_is_documented() -> None:
    assert (DOCS / "settings.md").read_text() == config.as_markdown(), "`quakestream settings > docs/settings.md`"


def test_every_metric_is_documented() -> None:
    described = (DOCS / "operations.md").read_text()
    names = [metric._name for metric in vars(telemetry).values() if hasattr(metric, "_documentation")]
    assert names
    assert [name for name in names if f"`{name}" not in described] == []
