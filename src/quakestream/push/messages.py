"""What is sent: a change, and the few messages beside changes, each as bytes that all its clients share. Pure.

A message is a JSON object. As a server-sent event its `type` is the event's name; over a WebSocket the same object is
one text frame.
"""

from __future__ import annotations

import enum
from typing import Any, Final

import msgspec
from msgspec import Struct
from websockets.frames import Frame, Opcode

from quakestream.catalog import EarthquakeFilter, Feed, Page, Transition
from quakestream.catalog.matching import FilterView, matches, standing_of

_encode: Final = msgspec.json.Encoder().encode


class Wire(enum.IntEnum):
    """How messages travel."""

    SSE = 0
    WEBSOCKET = 1


class JournalEntry(Struct):
    """A change, ready to be sent to those who want it."""

    epoch: str
    seq: int
    type: str
    at_ms: int
    body: bytes
    """The Change, as the contract's JSON."""
    before: FilterView | None
    after: FilterView
    before_unknown: bool
    """What was before has been pruned."""
    sent: list[bytes | None] = msgspec.field(default_factory=lambda: [None] * 4)

    def message(self, wanted: EarthquakeFilter, wire: Wire) -> bytes | None:
        """For whom the earthquake matched before or after; it says so when it does so no more. Else None."""
        if matches(wanted, self.after):
            return self._bytes(wire, leaves=False)
        if self.before_unknown or (self.before is not None and matches(wanted, self.before)):
            return self._bytes(wire, leaves=True)
        return None

    def _bytes(self, wire: Wire, *, leaves: bool) -> bytes:
        place = 2 * wire + leaves
        made = self.sent[place]
        if made is None:
            body = b'%s,"matches":false}' % self.body[:-1] if leaves else self.body
            made = self.sent[place] = framed(wire, self.type, body, position(self.epoch, self.seq))
        return made


def entry(epoch: str, transition: Transition) -> JournalEntry:
    """A change of the feed of that epoch."""
    change, before = transition.change, transition.before
    return JournalEntry(
        epoch,
        change.seq,
        change.type,
        change.at_ms,
        change.encode(),
        standing_of(before) if before else None,
        standing_of(change.document),
        before == b"",
    )


def position(epoch: str, seq: int) -> str:
    """The id of a message: where a client goes on after it."""
    return f"{epoch}-{seq}"


def framed(wire: Wire, type_: str, body: bytes, at: str) -> bytes:
    """A JSON object as a server-sent event or as a WebSocket's text frame."""
    if wire is Wire.SSE:
        return b"event: %s\nid: %s\ndata: %s\n\n" % (type_.encode(), at.encode(), body)
    return Frame(Opcode.TEXT, body).serialize(mask=False)


def live(wire: Wire, epoch: str, seq: int) -> bytes:
    """From here on changes come as they commit."""
    return _told(wire, "live", epoch, seq, {})


def gap(wire: Wire, epoch: str, seq: int, reason: str, asked: str, fetch: str) -> bytes:
    """What was asked for can't be had: fetch the list, for what follows goes on after `seq`."""
    return _told(wire, "gap", epoch, seq, {"reason": reason, "asked": asked, "fetch": fetch})


def snapshot(wire: Wire, feed: Feed, page: Page, fetch: str) -> bytes:
    """The earthquakes as they stood at `seq`, newest first; all of them, or the URL of the list that has the rest."""
    body = b'{"type":"snapshot","epoch":%s,"seq":%d,"id":%s,"earthquakes":[%s],"truncated":%s,"fetch":%s}' % (
        _encode(feed.epoch),
        feed.last_seq,
        _encode(position(feed.epoch, feed.last_seq)),
        b",".join(page.earthquakes),
        _encode(page.next_cursor is not None),
        _encode(fetch),
    )
    return framed(wire, "snapshot", body, position(feed.epoch, feed.last_seq))


def heartbeat(wire: Wire, epoch: str, seq: int) -> bytes:
    """Nothing new up to here."""
    return _told(wire, "heartbeat", epoch, seq, {})


COMMENT: Final = b":\n"
"""Says that a stream of server-sent events is alive. No empty line ends it: to many clients that would end an event, an
empty one, where the standard (https://html.spec.whatwg.org/#event-stream-interpretation) has none without data."""


def _told(wire: Wire, type_: str, epoch: str, seq: int, more: dict[str, Any]) -> bytes:
    at = position(epoch, seq)
    return framed(wire, type_, _encode({"type": type_, "epoch": epoch, "seq": seq, "id": at} | more), at)
