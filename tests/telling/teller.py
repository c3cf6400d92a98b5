"""Changes of a catalogue through the policy, as delivery does it: what each subscription was told, in order."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from quakestream.catalog import Change
from quakestream.fence.aftershocks import MIN_MAINSHOCK, mainshock_of
from quakestream.fence.rules import check
from quakestream.subscriptions.earthquake import Quake, earthquake_of
from quakestream.subscriptions.subscription import Subscription, parse
from quakestream.telling.policy import Decision, News, Told, carried, decide

HOUR_MS = 3_600_000
HOW = {"channels": [{"channel": "console"}]}
RENO = {"kind": "circle", "latitude": 39.53, "longitude": -119.81, "radius_km": 1000}


def subscription(**fields: object) -> Subscription:
    """Whoever wants magnitude 4.5 and more within 1,000 km of Reno, but for `fields`."""
    return parse({"where": RENO, "what": {"min_magnitude": 4.5}, "how": HOW} | fields)


def news_of(change: Change) -> News:
    quake = earthquake_of(msgspec.json.decode(change.document))
    quake = dataclasses.replace(quake, id=change.earthquake_id)
    return News(change.seq, change.type, quake, change.at_ms, change.from_id, change.into_id, change.imported)


class Teller:
    """Sends at once what is not held; keeps what was told, and what waits, by subscription and earthquake."""

    def __init__(self, subscriptions: Mapping[str, Subscription], *, holds_all: bool = False) -> None:
        self.subscriptions = subscriptions
        self.holds_all = holds_all
        """Nothing leaves the outbox until `release`."""
        self.said: list[tuple[str, Decision]] = []
        self.told: dict[tuple[str, str], Told] = {}
        self.waiting: dict[tuple[str, str], Told] = {}
        self.mainshocks: dict[str, Quake] = {}
        self.last: list[Decision] = []
        self.carried_away: Counter[tuple[str, str]] = Counter()
        """How often what was told of an earthquake went on under another's id: should it come back, it is a new one."""

    def hear(self, changes: Iterable[Change], now_ms: int | None = None) -> None:
        for change in changes:
            self.hear_one(news_of(change), now_ms)

    def hear_one(self, news: News, now_ms: int | None = None) -> list[Decision]:
        quake = news.quake
        now_ms = news.at_ms if now_ms is None else now_ms
        if quake.magnitude is not None and quake.magnitude >= MIN_MAINSHOCK:
            self.mainshocks[quake.id] = quake
        self.last = [self._hear(name, one, news, now_ms) for name, one in self.subscriptions.items()]
        return self.last

    def _hear(self, name: str, subscription: Subscription, news: News, now_ms: int) -> Decision:
        at = (name, news.quake.id)
        if news.from_id is not None and news.type == "merged":
            for store in (self.told, self.waiting):
                before = store.get((name, news.from_id))
                survivor, gone = carried(store.get(at), before)
                self.carried_away[name, news.from_id] += before is not None and gone is None
                self._keep(store, at, survivor)
                self._keep(store, (name, news.from_id), gone)
        recent = [one for (who, _), one in (self.told | self.waiting).items() if who == name and one.kind == "alert"]
        decision = decide(
            subscription,
            self.told.get(at),
            news,
            check(subscription, news.quake, now_ms),
            now_ms,
            max_age_ms=HOUR_MS,
            waiting=self.waiting.get(at),
            mainshock=mainshock_of(news.quake, self.mainshocks.values()),
            recent=recent,
        )
        if decision.action == "withdraw":
            del self.waiting[at]
        elif decision.action == "send":
            assert decision.told is not None
            self.waiting.pop(at, None)
            if self.holds_all or decision.not_before_ms > now_ms:
                self.waiting[at] = decision.told
            else:
                self.said.append((name, decision))
                self.told[at] = decision.told
        return decision

    def release(self) -> None:
        """What waits is sent."""
        self.told |= self.waiting
        self.waiting.clear()

    def kinds(self, name: str = "one") -> list[str]:
        return [decision.kind for who, decision in self.said if who == name]

    @staticmethod
    def _keep(store: dict[tuple[str, str], Told], at: tuple[str, str], told: Told | None) -> None:
        store.pop(at, None)
        if told is not None:
            store[at] = told
