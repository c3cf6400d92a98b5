"""Reading the change feed with a cursor of one's own: what is new, whose turn it is, and what was missed.

`News` wakes whoever waits, at once for what this process commits; what others commit is seen by looking again, every
`LOOK_INTERVAL_S`. `FeedFollower` reads for one named follower, of which one instance is at work at a time.
"""

from __future__ import annotations

import abc
import threading
from collections.abc import Callable
from typing import ClassVar, Final

import structlog
from sqlalchemy import Connection

from quakestream import supervision, telemetry
from quakestream.backoff import pause_after
from quakestream.catalog import Catalog, Change, Cursor, Feed, queries
from quakestream.errors import Fenced, Gap, Retryable

LOOK_INTERVAL_S: Final = 0.1
LEASE_MS: Final = 30_000
"""How long a follower's place waits for an owner that has died."""
RENEW_INTERVAL_MS: Final = 10_000
STANDBY_INTERVAL_S: Final = 1.0
RETRY_FIRST_S: Final = 0.2
RETRY_MOST_S: Final = 5.0
STORE_INTERVAL_MS: Final = 1_000
"""How often the cursor is stored while there is much to do, so that it does not hold up whoever ingests."""

log = structlog.get_logger(__name__)


class Bell:
    """That the change feed has moved. Safe between threads; a listener is called on the thread that tells."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def tell(self) -> None:
        """Something was committed: wake all that wait."""
        for listener in self._listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have `listener` called after each commit of this process; it must not block. Returns how to end that."""
        with self._lock:
            self._listeners = [*self._listeners, listener]
        return lambda: self._end(listener)

    def _end(self, listener: Callable[[], None]) -> None:
        with self._lock:
            self._listeners = [one for one in self._listeners if one is not listener]


class FollowerThread(abc.ABC):
    """A thread that follows the feed for as long as the program runs: it stands by, serves, and tries again.

    A subclass says what it is called in the log (`what`), and what it does while it has the place (`serve`).
    """

    what: ClassVar[str]

    def __init__(self, follower: FeedFollower, news: Bell, name: str) -> None:
        self.follower = follower
        self.stopping = threading.Event()
        self.wake = threading.Event()
        """Set by each commit of this process."""
        self.error: str | None = None
        """Why it is not at work; `serve` takes it back when it is, and so does standing by."""
        self._end_listening = news.listen(self.wake.set)
        self._thread = supervision.Thread(name, self._run, self.stopping)

    def start(self) -> None:
        """Begin, or stand by."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End what is at hand, and give the place up; whether that was done in time."""
        self.stopping.set()
        self.wake.set()
        in_time = self._thread.join(timeout_s)
        self._end_listening()
        return in_time

    def state(self) -> dict[str, object]:
        """How it is, for the health page."""
        cursor = self.follower.cursor
        return {"active": cursor is not None, "seq": cursor and cursor.after_seq, "error": self.error}

    def prepare(self) -> None:  # noqa: B027 - most have nothing to prepare
        """Before the place is taken."""

    @abc.abstractmethod
    def serve(self) -> None:
        """Have the place, and follow, until it is lost or `stopping` is set."""

    def _run(self) -> None:
        failures = 0
        while not self.stopping.is_set():
            try:
                self.prepare()
                if self._stand_by():
                    self.serve()
            except Retryable as error:
                if self.stopping.is_set():
                    return
                failures = 1 if self.error is None else failures + 1  # it was well since
                wait_s = pause_after(failures, RETRY_FIRST_S, RETRY_MOST_S)
                self.error = str(error)
                log.warning("will try again", what=self.what, wait_s=wait_s, reason=str(error))
                self.stopping.wait(wait_s)
            except BaseException as error:  # it is started again: the catalogue must stay up
                self.error = f"{type(error).__name__}: {error}"
                raise

    def _stand_by(self) -> bool:
        """Wait for the place; False: it is time to stop."""
        while not self.follower.take():
            self.error = None  # whoever has the place says what fails
            if self.stopping.wait(STANDBY_INTERVAL_S):
                return False
        return True


class FeedFollower:
    """One instance's part of one follower: its lease, its cursor, what comes next. Used by one thread.

    `take` the place, then `read` and say what is `done`, again and again, at least every `RENEW_INTERVAL_MS`. All raise
    Unreachable while the database is away, and Fenced when the place or the feed is another: then begin with `take`.
    """

    def __init__(self, catalog: Catalog, name: str, owner: str, now_ms: Callable[[], int]) -> None:
        self.name = name
        self.cursor: Cursor | None = None
        """The last change that is done; None while the place is not ours."""
        self._catalog = catalog
        self._owner = owner
        self._now_ms = now_ms
        self._read_to = 0
        self._whole_from = 0
        self._stored = Cursor("", 0)
        self._stored_ms = 0

    def take(self) -> bool:
        """Take the place, if it is free: then reading begins after the stored cursor."""
        now_ms = self._now_ms()
        stored = self._catalog.follow(self.name, self._owner, now_ms, LEASE_MS)
        self.cursor = stored
        if stored is None:
            return False
        self._stored, self._stored_ms, self._read_to = stored, now_ms, stored.after_seq
        feed = self._catalog.feed()
        if feed.epoch != stored.epoch:
            self._miss(f"the feed's epoch is {feed.epoch}, no longer {stored.epoch}: all of it is read anew")
            self.cursor, self._read_to, self._whole_from = Cursor(feed.epoch, 0), 0, feed.first_seq
        return True

    def unread(self) -> Feed | None:
        """The feed as it stands, where none of it is dealt with: at the first start, or in another epoch.

        None: something is, or there is nothing to deal with. For who need not `read` all of it, but `skip` it.
        """
        if self.cursor is None or self.cursor.after_seq > 0:
            return None
        feed = self._catalog.feed()
        if feed.epoch != self.cursor.epoch:
            raise Fenced(f"{self.name} reads a feed that is no more")
        return feed if feed.last_seq > 0 else None

    def skip(self, feed: Feed) -> None:
        """All that `feed` had is dealt with, otherwise than by reading it. It is stored at once."""
        now_ms = self._now_ms()
        self.cursor = Cursor(feed.epoch, feed.last_seq)
        self._catalog.advance(self.name, self._owner, self.cursor, now_ms, LEASE_MS)
        self._stored, self._stored_ms, self._read_to, self._whole_from = self.cursor, now_ms, feed.last_seq, 0

    def read(self, limit: int = 500) -> list[Change]:
        """The changes that follow what was read before; none: there are no more now.

        Where the feed was pruned, that is said loudly, and reading goes on with what is left: the newest change of each
        earthquake that has changed no more, in order.
        """
        feed = self._catalog.feed()
        if self.cursor is None or feed.epoch != self.cursor.epoch:
            raise Fenced(f"{self.name} reads a feed that is no more")
        telemetry.FOLLOWER_LAG.labels(self.name).set(max(feed.last_seq - self._read_to, 0))
        if feed.last_seq <= self._read_to:
            return []
        try:
            changes = self._catalog.changes(self._read_to, limit, over_gap=self._read_to < self._whole_from - 1)
        except Gap as gap:
            self._miss(str(gap))
            self._whole_from = self._catalog.feed().first_seq
            changes = self._catalog.changes(self._read_to, limit, over_gap=True)
        self._read_to = changes[-1].seq if changes else self._read_to
        return changes

    def begin_anew(self, reason: str) -> None:
        """Read the feed from its first change, or from what is left of it: what was done is done no more."""
        if self.cursor is None:
            raise Fenced(f"{self.name} has lost its place")
        self._miss(reason)
        self.cursor, self._read_to = Cursor(self.cursor.epoch, 0), 0
        self._whole_from = self._catalog.feed().first_seq

    def done(self, seq: int | None = None) -> None:
        """Everything up to `seq` is dealt with. It is stored every now and then, and the place kept."""
        if self.cursor is None:
            return
        if seq is not None:
            self.cursor = Cursor(self.cursor.epoch, max(seq, self.cursor.after_seq))
        interval_ms = RENEW_INTERVAL_MS if self.cursor == self._stored else STORE_INTERVAL_MS
        now_ms = self._now_ms()
        if not 0 <= now_ms - self._stored_ms < interval_ms:
            self._catalog.advance(self.name, self._owner, self.cursor, now_ms, LEASE_MS)
            self._stored, self._stored_ms = self.cursor, now_ms

    def done_within(self, connection: Connection, seq: int | None = None) -> None:
        """As `done`, stored at once and in the caller's transaction: with it, or not at all.

        Let it be the transaction's first statement. Where that fails, go on with `take`.
        """
        if self.cursor is None:
            raise Fenced(f"{self.name} has lost its place")
        if seq is not None:
            self.cursor = Cursor(self.cursor.epoch, max(seq, self.cursor.after_seq))
        now_ms = self._now_ms()
        queries.advance(connection, self.name, self._owner, self.cursor, now_ms, LEASE_MS)
        self._stored, self._stored_ms = self.cursor, now_ms

    def leave(self) -> None:
        """Store what is done, and let another instance have the place at once."""
        if self.cursor is not None:
            self._catalog.advance(self.name, self._owner, self.cursor, self._now_ms(), 0)
            self.cursor = None

    def _miss(self, reason: str) -> None:
        telemetry.FOLLOWER_GAPS.labels(self.name).inc()
        log.error("gap in the change feed", follower=self.name, after_seq=self._read_to, reason=reason)
