"""When a message was first seen, of a log whose times are its producers': no producer's clock reaches beyond now.

It stands for `updated` where the source does not say. A clock that is ahead would otherwise silence all that its
report says later: `updated` orders revisions.
"""

from __future__ import annotations

from collections.abc import Sequence

from quakestream.log import LoggedRecord


class FirstSight:
    """Of one partition: the time of each record, from 0 to now, in batches as they are read.

    A record whose time is ahead was seen now, if it is the log's last. Those that stand before others may have been
    written long ago: each has the time of the record before it and one millisecond, which is before whatever follows.
    """

    def __init__(self, before_ms: int | None) -> None:
        """`before_ms`: the time of the record before the first; None: there is none, or it is not known."""
        self._before_ms = before_ms

    def of(self, records: Sequence[LoggedRecord], now_ms: int, *, at_end: bool) -> list[int]:
        """The records' times, ms since 1970. `at_end`: the log has nothing behind them."""
        if self._before_ms is None or self._before_ms > now_ms:
            later = [record.timestamp_ms for record in records if 0 < record.timestamp_ms <= now_ms]
            self._before_ms = min(later, default=now_ms + len(records)) - len(records)
        times: list[int] = []
        for number, record in enumerate(records, 1):
            time_ms = record.timestamp_ms
            if time_ms > now_ms:
                time_ms = now_ms if at_end and number == len(records) else self._before_ms + 1
            self._before_ms = max(0, min(time_ms, now_ms))
            times.append(self._before_ms)
        return times
