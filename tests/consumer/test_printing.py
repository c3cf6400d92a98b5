"""What a person reads of the stream, on a real terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from quakestream.config import ConsumerSettings, load
from quakestream.consumer import printing
from quakestream.consumer.printing import EventPrinter, Gathered, Pointer, short_line
from quakestream.errors import ConfigError
from quakestream.event import EarthquakeEvent, from_document
from tests.waiting import eventually

NOW_MS = 1_700_000_000_000
ROWS = 24


def an_event(n: int = 0, *, ago_s: float = 0.0, now_ms: int = NOW_MS, **fields: Any) -> EarthquakeEvent:
    document = {
        "id": f"a{n}",
        "magnitude": 4.7,
        "location": {"latitude": -29.5, "longitude": -177.123, "depth": 10.2},
        "timestamp": now_ms - round(ago_s * 1000),
        "place": "Kermadec Islands",
        "mode": "actual",
    }
    return from_document(document | fields, now_ms=2**62)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"ago_s": 125}, "M 4.7  Kermadec Islands  10 km deep  2 min ago"),
        ({"ago_s": 0}, "M 4.7  Kermadec Islands  10 km deep  0 s ago"),
        ({"ago_s": -5}, "M 4.7  Kermadec Islands  10 km deep  0 s ago"),
        ({"ago_s": 7200, "mode": "exercise"}, "[exercise] M 4.7  Kermadec Islands  10 km deep  2 h ago"),
        ({"mode": "test"}, "[test] M 4.7  Kermadec Islands  10 km deep  0 s ago"),
        ({"ago_s": 10 * 86_400}, "M 4.7  Kermadec Islands  10 km deep  2023-11-04 22:13 UTC"),
        ({"ago_s": -7200}, "M 4.7  Kermadec Islands  10 km deep  2023-11-15 00:13 UTC"),
        ({"magnitude": None, "place": None}, "M ?  -29.50, -177.12  10 km deep  0 s ago"),
        ({"location": {"latitude": 1, "longitude": 2}}, "M 4.7  Kermadec Islands  0 s ago"),
        ({"status": "deleted"}, "M 4.7  Kermadec Islands  10 km deep  0 s ago  withdrawn"),
    ],
)
def test_a_line_an_event(fields: dict[str, Any], line: str) -> None:
    assert short_line(an_event(**fields), NOW_MS) == line + "\n"


# Much at once


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "TICK_S", 0.05)
    monkeypatch.setattr(printing, "LULL_S", 0.2)
    monkeypatch.setattr(printing, "QUIET_S", 0.1)


def test_what_comes_at_once_is_one_line_and_what_comes_singly_a_line_each(quick: None) -> None:
    lines: list[str] = []
    show = Gathered(lines.append)
    show(an_event(mode="exercise"))
    eventually(lambda: len(lines) == 1)
    for n in range(1, 1448):
        show(an_event(n, magnitude=n % 60 / 10, place=f"place {n}", mode="exercise"))
        if n == 1000:
            time.sleep(0.07)  # what is stored comes in batches
    eventually(lambda: len(lines) == 2)
    assert lines[1] == "[exercise] 1,447 reports at once, the largest M 5.9  place 59\n"
    show(an_event())
    eventually(lambda: len(lines) == 3)
    assert lines[2].startswith("M 4.7  Kermadec Islands")
    show.close()


def test_of_each_mode_its_own_and_what_was_withdrawn_is_not_the_largest(quick: None) -> None:
    lines: list[str] = []
    show = Gathered(lines.append)
    for n in range(100):
        show(
            an_event(
                n,
                mode=("actual", "test")[n % 2],
                magnitude=9.0 if n == 50 else 2.0,
                status=("automatic", "deleted")[n == 50],
            )
        )
    show.close()
    assert [line.partition(",")[0] for line in lines] == ["50 reports at once", "[test] 50 reports at once"]
    assert not any("9.0" in line for line in lines)


def test_a_burst_that_does_not_end_is_told_of_again_and_again(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "BURST_S", 0.3)
    lines: list[str] = []
    show = Gathered(lines.append)
    stop = threading.Event()

    def simulator() -> None:
        while not stop.wait(0.001):
            show(an_event(mode="test"))

    thread = threading.Thread(target=simulator)
    thread.start()
    try:
        eventually(lambda: sum("at once" in line for line in lines) >= 2)
    finally:
        stop.set()
        thread.join()
    show.close()


# A terminal


class Screen:
    """A terminal, and what was written to it."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, 80, 0, 0))
        self.stream = os.fdopen(slave, "w")
        self._shown = b""
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @property
    def lines(self) -> list[str]:
        return self._shown.decode().splitlines()

    def _read(self) -> None:
        try:
            while data := os.read(self._master, 65536):
                self._shown += data
        except OSError:
            pass

    def close(self) -> None:
        self.stream.close()
        self._reading.join(10)
        os.close(self._master)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_, **__: os.terminal_size((80, ROWS)))
    one = Screen()
    yield one
    one.close()


OPEN = "  Open http://localhost:3002"


def test_the_address_stands_last_after_the_past_and_again_where_it_scrolled_away(screen: Screen, quick: None) -> None:
    pointer = Pointer(screen.stream)
    show = EventPrinter(screen.stream, aside=True, pointer=pointer)
    for n in range(1447):
        show(an_event(n))
    pointer.show(OPEN.strip())
    eventually(lambda: OPEN in screen.lines, tell=lambda: screen.lines)
    eventually(lambda: [line for line in screen.lines if line][-1:] == [OPEN], tell=lambda: screen.lines)
    at_once = [int(line.split()[0].replace(",", "")) for line in screen.lines if "at once" in line]
    singly = sum("Kermadec" in line and "at once" not in line for line in screen.lines)
    assert sum(at_once) + singly == 1447, "in one line, or in few on a busy machine"
    assert len(at_once) + singly < ROWS // 2
    assert len(screen.lines) < ROWS

    once = screen.lines.count(OPEN)
    shown = sum("ago" in line or "UTC" in line for line in screen.lines)
    for n in range(ROWS - printing.KEPT_ROWS):
        assert screen.lines.count(OPEN) == once
        show(an_event(n))
        eventually(lambda n=n: sum("ago" in line or "UTC" in line for line in screen.lines) == shown + n + 1)
    eventually(lambda: screen.lines.count(OPEN) == once + 1, tell=lambda: screen.lines)
    pointer.scrolled(ROWS)  # as the log does, on the same terminal
    eventually(lambda: screen.lines.count(OPEN) == once + 2, tell=lambda: screen.lines)
    pointer.close()
    pointer.scrolled(ROWS)
    show(an_event())
    show.close()
    assert screen.lines.count(OPEN) == once + 2


# The setting


@pytest.mark.parametrize(
    ("said", "on_terminal", "elsewhere"),
    [
        ("", "short", "json"),
        ("true", "short", "short"),
        ("1", "short", "short"),
        ("short", "short", "short"),
        ("json", "json", "json"),
        ("JSON", "json", "json"),
    ],
)
def test_how_events_are_printed(said: str, on_terminal: str, elsewhere: str, screen: Screen, tmp_path: Any) -> None:
    form = load(ConsumerSettings, environment={"EVENT_LOG": "embedded", "LOG_EVENTS": said}).log_events or "auto"
    assert form != "false"
    with (tmp_path / "out").open("w") as file:
        for stream in (screen.stream, file):
            show = EventPrinter(stream, form)
            show(an_event())
    begins = {"short": "M 4.7  Kermadec", "json": '{"id":"a0"'}
    eventually(lambda: len(screen.lines) == 1)
    assert screen.lines[0].startswith(begins[on_terminal])
    assert (tmp_path / "out").read_text().startswith(begins[elsewhere])


@pytest.mark.parametrize("said", ["false", "0", "no", "off", "False"])
def test_or_not_at_all(said: str) -> None:
    assert load(ConsumerSettings, environment={"EVENT_LOG": "embedded", "LOG_EVENTS": said}).log_events == "false"


def test_what_is_neither_is_refused() -> None:
    with pytest.raises(ConfigError, match="LOG_EVENTS"):
        load(ConsumerSettings, environment={"EVENT_LOG": "embedded", "LOG_EVENTS": "loud"})
