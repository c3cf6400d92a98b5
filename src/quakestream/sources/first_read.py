"""Whether a source is read for the very first time: what it then shows is back-fill, and alarms nobody.

Remembered: a first read that is cut short is still the first one when it goes on. After an outage nothing is a first
read: what is found then is late news.
"""

from __future__ import annotations

import contextlib
from typing import Final

from quakestream.errors import Unreachable
from quakestream.sources.memory import Memory

_UNDER_WAY: Final = "under way"
_DONE: Final = "done"


class FirstRead:
    """The first read of one source, called `label`, whose reports are called `source`."""

    def __init__(self, memory: Memory, label: str, source: str) -> None:
        self._memory = memory
        self._key = f"{label}: first read"
        self._source = source
        self._state: str | None = None

    def begin(self) -> bool:
        """Whether what is read now is of the first read; to be asked before it is published.

        Raises:
            Unreachable: the memory can't be read.
        """
        if self._state is None:
            self._state = self._memory.load(self._key)
        if self._state is None:
            self._state = _DONE if self._memory.knows(self._source) else _UNDER_WAY
            with contextlib.suppress(Unreachable):  # what can be read goes out all the same
                self._memory.save(self._key, self._state)
        return self._state == _UNDER_WAY

    def done(self) -> None:
        """All that it showed was acknowledged.

        Raises:
            Unreachable: the memory fails.
        """
        if self._state == _UNDER_WAY:
            self._memory.save(self._key, _DONE)
            self._state = _DONE
