"""Times in queries: milliseconds or ISO 8601, and never seconds."""

from __future__ import annotations

import time

import pytest

from quakestream.api.parameters import epoch_ms

NOW_S = round(time.time()) // 86_400 * 86_400  # the same in all processes of a run, but at midnight
YEAR_S = 365 * 86_400


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1517967973840", 1_517_967_973_840),
        ("1517967973840.9", 1_517_967_973_840),
        ("-0.5", -1),
        ("1.51796797384E12", 1_517_967_973_840),
        (f"{NOW_S + 11 * YEAR_S}", NOW_S + 11 * YEAR_S),
        ("2018-02-07T01:46:13.8409999Z", 1_517_967_973_840),
        ("2018-02-07T01:46:13.840", 1_517_967_973_840),
        ("2018-02-07T02:46:13.840+01:00", 1_517_967_973_840),
        ("1970-01-01", 0),
    ],
)
def test_a_time_is_iso_8601_or_milliseconds(text: str, time_ms: int) -> None:
    assert epoch_ms(text) == time_ms


@pytest.mark.parametrize("seconds", [NOW_S, NOW_S + 0.5, NOW_S - 9 * YEAR_S, NOW_S + 9 * YEAR_S])
def test_a_number_that_was_meant_as_seconds_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="this looks like seconds"):
        epoch_ms(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2018",
        "--5",
        "1e999",
        "1e99",
        "-1e30",
        "1e999999999",
        "0e99999999999999999999",
        "²",
        "2018-02-30",
        "0x10",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        epoch_ms(text)
