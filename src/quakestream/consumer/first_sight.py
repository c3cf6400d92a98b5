"""When a message was first seen, of a log whose times are its producers': no producer's clock reaches beyond now.

It stands for `updated` where the source does not say. A clock that is ahead would otherwise silence all that its
report says later: `updated` orders revisions.
"""

from __future__ import annotations


class FirstSight:
    """Of one partition: when each record was first seen, from 0 to now, in the log's order.

    A record whose time is ahead was seen now, if it is the log's last. Those that stand before others may have been
    written long ago: each is later than the record before it and than its own earthquake, and before what follows.
    """

    def __init__(self, before_ms: int | None) -> None:
        """`before_ms`: the time of the record before the first; None: there is none, or it is not known."""
        self._before_ms = before_ms

    def of(self, logged_ms: int, origin_ms: int, now_ms: int, *, last: bool) -> int:
        """Of the next record: its time in the log, and its earthquake's, ms since 1970. `last`: none is behind it."""
        seen_ms = logged_ms
        if logged_ms > now_ms:
            before_ms = self._before_ms if self._before_ms is not None and self._before_ms <= now_ms else -1
            seen_ms = now_ms if last else max(before_ms + 1, origin_ms)
        self._before_ms = max(0, min(seen_ms, now_ms))
        return self._before_ms
