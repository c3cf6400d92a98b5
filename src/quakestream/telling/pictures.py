"""The pictures that go with messages. One that can't be drawn, or not in time, is left out: words never wait for it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final

import structlog

from quakestream import telemetry

MAX_PICTURES: Final = 16
TIME_LIMIT_S: Final = 10.0
"""For one picture. Usually it takes a fraction of a second."""

log = structlog.get_logger(__name__)


class Pictures:
    """Draws each earthquake's map once for all who are told of it. Used by one thread at a time."""

    def __init__(
        self, draw: Callable[[dict[str, Any]], bytes] | None = None, time_limit_s: float = TIME_LIMIT_S
    ) -> None:
        """`draw`: a PNG of an earthquake of the catalogue's JSON."""
        self._draw = draw or _drawn
        self._time_limit_s = time_limit_s
        self._known: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._drawing: threading.Thread | None = None

    def of(self, quake: Mapping[str, Any]) -> bytes:
        """The map as PNG; empty where there is none, which is logged and counted."""
        at = (str(quake["id"]), int(quake["revision"]))
        known = self._known.get(at)
        if known is None:
            if self._drawing is not None and self._drawing.is_alive():
                return self._failed(at, "another one is still being drawn")
            known = self._known[at] = self._made(dict(quake), at)
            if len(self._known) > MAX_PICTURES:
                self._known.popitem(last=False)
        return known

    def _made(self, quake: dict[str, Any], at: tuple[str, int]) -> bytes:
        future: Future[bytes] = Future()
        self._drawing = threading.Thread(target=self._work, args=(quake, future), name="picture", daemon=True)
        try:
            self._drawing.start()
            return future.result(self._time_limit_s)
        except TimeoutError:
            return self._failed(at, f"not drawn within {self._time_limit_s:g} s")
        except Exception as error:  # noqa: BLE001 - whatever it is, people are told without it
            return self._failed(at, f"{type(error).__name__}: {error}", error)

    def _work(self, quake: dict[str, Any], future: Future[bytes]) -> None:
        try:
            future.set_result(self._draw(quake))
        except Exception as error:  # noqa: BLE001 - `_made` deals with it
            future.set_exception(error)

    def _failed(self, at: tuple[str, int], why: str, error: Exception | None = None) -> bytes:
        telemetry.PICTURES_FAILED.inc()
        log.warning("a message goes without its picture", earthquake=at[0], revision=at[1], why=why, exc_info=error)
        return b""


def _drawn(quake: dict[str, Any]) -> bytes:
    from quakestream.formats.picture import picture  # noqa: PLC0415 - 10 MB that not every site needs

    return picture(quake)
