"""Standard output and standard error, written on a thread of their own: a program never waits for who reads them.

A pipe that nobody reads takes 64 kB and then blocks whoever writes. Here lines wait in a bounded queue; when it is
full, what comes is dropped and counted, and that is said as soon as somebody reads again.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import select
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final, TextIO

MAX_LINES: Final = 20_000
MAX_CHARS: Final = 8 * 1024 * 1024
FLUSH_S: Final = 1.0
"""How long a program that ends waits for what it printed to be taken."""
_BATCH: Final = 64


class Output:
    """One stream. Any thread may write; none waits."""

    def __init__(self, stream: TextIO, said: Callable[[int], str] | None = None) -> None:
        """`said`: a line to write when somebody reads again, for so many that were dropped."""
        self._stream = stream
        self._said = said
        self._fd: int | None = None
        with contextlib.suppress(io.UnsupportedOperation, AttributeError, ValueError):
            self._fd = stream.fileno()
        self._queue: deque[tuple[str, Callable[[bool], None] | None]] = deque()
        self._chars = 0
        self._unsaid = 0
        self._writing = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.dropped = 0
        """Lines that nobody took, since the start."""
        self.ended: str | None = None
        """Why nothing can be written any more."""
        _all.add(self)

    def write(self, text: str, done: Callable[[bool], None] | None = None) -> bool:
        """Whether the text waits to be written; `done` is told, on another thread, whether it was.

        What is no file, pipe or terminal is written at once: it can't block.
        """
        if self._fd is None:
            taken = self._write_at_once(text)
            if taken and done is not None:
                done(True)
            return taken
        with self._changed:
            if self.ended is not None or len(self._queue) >= MAX_LINES or self._chars + len(text) > MAX_CHARS:
                self.dropped += 1
                self._unsaid += 1
                return False
            self._queue.append((text, done))
            self._chars += len(text)
            if self._thread is None or not self._thread.is_alive():  # the log's lines go through it: nobody else can
                self._thread = threading.Thread(target=self._run, name=f"output {self._fd}", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return True

    def flush(self, within_s: float = FLUSH_S) -> bool:
        """Wait until all is written, or that long; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._writing, within_s)

    def _write_at_once(self, text: str) -> bool:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError) as error:
            self.ended = str(error)
            self.dropped += 1
            return False
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._queue)
                batch = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
                self._chars -= sum(len(text) for text, _ in batch)
                self._writing = True
            written = self._take("".join(text for text, _ in batch))
            for _, done in batch:
                if done is not None:
                    done(written)
            with self._changed:
                if not written:
                    self._give_up(len(batch))
                    return
                unsaid, self._unsaid = self._unsaid, 0
            if unsaid and self._said is not None:
                self._take(self._said(unsaid))

    def _take(self, text: str) -> bool:
        assert self._fd is not None  # noqa: S101 - else there is no thread
        left = memoryview(text.encode(errors="backslashreplace"))
        try:
            while left:
                try:
                    left = left[os.write(self._fd, left) :]
                except BlockingIOError:  # whoever started us made it so
                    select.select((), (self._fd,), ())
        except (OSError, ValueError) as error:
            self.ended = str(error)
            return False
        return True

    def _give_up(self, lost: int) -> None:
        """Nobody will read any more."""
        waiting = [done for _, done in self._queue]
        self.dropped += lost + len(waiting)
        self._queue.clear()
        self._chars = 0
        self._writing = False
        self._changed.notify_all()
        for done in waiting:
            if done is not None:
                done(False)


class LogOutput(logging.Handler):
    """Log lines on one stream, which no thread waits for; `dropped` is called for each that found no room."""

    def __init__(self, stream: TextIO, dropped: Callable[[], None]) -> None:
        super().__init__()
        self._output = Output(stream, self._said)
        self._dropped = dropped

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            text = self.format(record) + "\n"
        except Exception:  # noqa: BLE001 - as every handler of the library does
            self.handleError(record)
            return
        if not self._output.write(text):
            self._dropped()

    def flush(self) -> None:
        """Wait a moment for what waits."""
        self._output.flush()

    def _said(self, count: int) -> str:
        text = f"{count} log lines not written: nobody read them"
        record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)
        return self.format(record) + "\n"


_all: weakref.WeakSet[Output] = weakref.WeakSet()
_shared: dict[int, Output] = {}


def shared(stream: TextIO) -> Output:
    """The one output of a stream, whoever writes there."""
    found = _shared.get(id(stream))
    if found is None or found._stream is not stream:  # noqa: SLF001 - its own
        found = _shared[id(stream)] = Output(stream)
    return found


def flush_all(within_s: float = FLUSH_S) -> None:
    """Wait, that long in all, for what was written everywhere."""
    end_s = time.monotonic() + within_s
    for output in list(_all):
        output.flush(max(end_s - time.monotonic(), 0.0))
