"""What the outbox promises, on every database. Inherit `OutboxContract` and give it a `catalog` fixture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from quakestream.catalog.sql import SqlCatalog
from quakestream.telling.outbox import Leased, Notification, Outbox, Settled, move, put, standing, supersede, told_of

NOW_MS = 1_700_000_000_000
LEASE_MS = 60_000


def notification(subscription: str = "s1", **fields: Any) -> Notification:
    values: dict[str, Any] = {
        "subscription": subscription,
        "earthquake": "eq_1",
        "revision": 1,
        "seq": 1,
        "kind": "alert",
        "mode": "actual",
        "channel": "webhook",
        "target": "https://example.org/hook",
        "priority": 5,
        "facts": b"{}",
        "next_ms": NOW_MS,
        "expires_ms": NOW_MS + 3_600_000,
    }
    return Notification(**(values | fields))


class OutboxContract:
    @pytest.fixture
    def catalog(self) -> Iterator[SqlCatalog]:
        raise NotImplementedError

    @pytest.fixture
    def outbox(self, catalog: SqlCatalog) -> Outbox:
        return Outbox(catalog)

    def put(self, outbox: Outbox, *new: Notification) -> None:
        with outbox.writing() as connection:
            put(connection, new, NOW_MS)

    def lease(
        self, outbox: Outbox, limit: int = 100, owner: str = "w1", at_ms: int = NOW_MS, **more: Any
    ) -> list[Leased]:
        return outbox.turn("webhook", owner, [], limit, now_ms=at_ms, lease_ms=LEASE_MS, **more)

    def settle(self, outbox: Outbox, one: Leased, state: Any, owner: str = "w1", **more: Any) -> None:
        outbox.turn("webhook", owner, [Settled(one.notification, state, **more)], 0, now_ms=NOW_MS, lease_ms=LEASE_MS)

    def states(self, outbox: Outbox) -> Counter[str]:
        return Counter(outbox.counts())

    # --- once -----------------------------------------------------------------------------------------------------

    def test_the_same_notification_again_changes_nothing(self, outbox: Outbox) -> None:
        self.put(outbox, notification(), notification())
        self.put(outbox, notification())
        assert len(self.lease(outbox)) == 1
        assert self.lease(outbox) == []

    def test_two_workers_never_have_the_same(self, outbox: Outbox) -> None:
        self.put(outbox, *(notification(f"s{i}") for i in range(400)))

        def work(owner: str) -> list[str]:
            mine: list[str] = []
            while leased := self.lease(outbox, 20, owner):
                mine += [one.key for one in leased]
            return mine

        with ThreadPoolExecutor(4) as workers:
            had = [key for keys in workers.map(work, ["a", "b", "c", "d"]) for key in keys]
        assert len(had) == len(set(had)) == 400

    def test_what_was_rolled_back_was_not_put(self, outbox: Outbox) -> None:
        def cut_short() -> None:
            with outbox.writing() as connection:
                put(connection, [notification()], NOW_MS)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            cut_short()
        assert self.lease(outbox) == []

    # --- order ----------------------------------------------------------------------------------------------------

    def test_severe_goes_before_mild_and_nothing_before_its_time(self, outbox: Outbox) -> None:
        self.put(
            outbox,
            notification("mild", priority=7),
            notification("severe", priority=0),
            notification("later", priority=0, next_ms=NOW_MS + 1000),
            notification("middle", priority=4),
        )
        assert [one.subscription for one in self.lease(outbox, 2)] == ["severe", "middle"]
        assert [one.subscription for one in self.lease(outbox)] == ["mild"]
        assert [one.subscription for one in self.lease(outbox, at_ms=NOW_MS + 1000)] == ["later"]

    def test_a_busy_target_and_another_channel_are_passed_over(self, outbox: Outbox) -> None:
        self.put(
            outbox, notification("a"), notification("b", target="https://other.org/"), notification("c", channel="x")
        )
        assert [one.subscription for one in self.lease(outbox, busy=["https://example.org/hook"])] == ["b"]

    def test_what_follows_waits_for_the_one_that_is_on_its_way(self, outbox: Outbox) -> None:
        self.put(outbox, notification())
        (first,) = self.lease(outbox)
        self.put(outbox, notification(kind="update", revision=2, seq=2, waits_for=first.notification))
        assert self.lease(outbox) == []
        self.settle(outbox, first, "accepted")
        (second,) = self.lease(outbox)
        assert (second.kind, second.revision) == ("update", 2)

    def test_what_failed_on_its_way_gives_way_to_what_follows_which_is_then_the_first(self, outbox: Outbox) -> None:
        self.put(outbox, notification())
        (first,) = self.lease(outbox)
        self.put(outbox, notification(kind="update", revision=2, seq=2, waits_for=first.notification))
        self.settle(outbox, first, "queued", next_ms=NOW_MS)
        (second,) = self.lease(outbox)
        assert (second.kind, second.revision) == ("alert", 2)
        assert self.states(outbox) == {"superseded": 1, "sending": 1}

    @pytest.mark.parametrize(
        ("maybe_told", "then"), [(False, {"dead": 1, "superseded": 1}), (True, {"dead": 1, "queued": 1})]
    )
    def test_a_cancellation_goes_only_to_who_may_have_been_told(
        self, outbox: Outbox, maybe_told: bool, then: dict[str, int]
    ) -> None:
        self.put(outbox, notification())
        (first,) = self.lease(outbox)
        self.put(outbox, notification(kind="cancellation", revision=2, seq=2, waits_for=first.notification))
        self.settle(outbox, first, "dead", maybe_told=maybe_told)
        assert self.states(outbox) == then

    # --- leases ---------------------------------------------------------------------------------------------------

    def test_a_lost_workers_part_is_sent_again_and_may_have_been_told(self, outbox: Outbox) -> None:
        self.put(outbox, notification())
        (first,) = self.lease(outbox, owner="gone")
        assert outbox.recover(NOW_MS + LEASE_MS - 1, 10) == 0
        assert outbox.recover(NOW_MS + LEASE_MS, 10) == 1
        (again,) = self.lease(outbox, owner="next", at_ms=NOW_MS + LEASE_MS)
        assert (again.key, again.attempts) == (first.key, 2)
        self.settle(outbox, first, "dead", owner="gone")  # too late: it is another's
        row = outbox.by_key(first.key)
        assert row is not None
        assert (row["state"], row["maybe_told"]) == ("sending", True)

    def test_an_owner_that_comes_back_has_its_own_at_once(self, outbox: Outbox) -> None:
        self.put(outbox, notification("a"), notification("b"))
        self.lease(outbox, 1, owner="back")
        self.lease(outbox, 1, owner="other")
        assert outbox.recover(NOW_MS, 10, "back") == 1

    def test_what_kills_its_workers_again_and_again_is_set_aside(self, outbox: Outbox) -> None:
        self.put(outbox, notification())
        for life in range(3):
            at_ms = NOW_MS + life * LEASE_MS
            self.lease(outbox, at_ms=at_ms)
            outbox.recover(at_ms + LEASE_MS, 3)
        assert self.states(outbox) == {"dead": 1}

    def test_what_was_given_back_untried_counts_no_attempt(self, outbox: Outbox) -> None:
        self.put(outbox, notification())
        (one,) = self.lease(outbox)
        self.settle(outbox, one, "queued", tried=False)
        (again,) = self.lease(outbox)
        assert again.attempts == 1

    def test_many_are_settled_at_once(self, outbox: Outbox) -> None:
        self.put(outbox, *(notification(f"s{i}") for i in range(1200)))
        leased = self.lease(outbox, 1200)
        kinds: list[Any] = ["accepted", "sent", "dead", "queued"]
        settled = [Settled(one.notification, kinds[i % 4], "" if i % 8 else f"why {i}") for i, one in enumerate(leased)]
        outbox.turn("webhook", "w1", settled, 0, now_ms=NOW_MS, lease_ms=LEASE_MS)
        assert self.states(outbox) == {"accepted": 300, "sent": 300, "dead": 300, "queued": 300}

    # --- expiry, superseding, merging -----------------------------------------------------------------------------

    def test_what_is_late_expires_and_is_not_sent(self, outbox: Outbox) -> None:
        self.put(outbox, notification(expires_ms=NOW_MS + 10), notification("s2"))
        assert [one.subscription for one in self.lease(outbox, at_ms=NOW_MS + 10)] == ["s2"]
        assert outbox.expire(NOW_MS + 10) == 1
        assert self.states(outbox) == {"expired": 1, "sending": 1}

    def test_only_what_still_waits_is_superseded(self, outbox: Outbox) -> None:
        self.put(outbox, notification("a"), notification("b"))
        (on_its_way,) = self.lease(outbox, 1)
        with outbox.writing() as connection:
            found = standing(connection, "eq_1", ["a", "b"])
            supersede(connection, [one.notification for one in found], "newer", NOW_MS)
        assert self.states(outbox) == {"sending": 1, "superseded": 1}
        with outbox.writing() as connection:
            (left,) = standing(connection, "eq_1", ["a", "b"])
        assert (left.notification, left.told) == (on_its_way.notification, True)

    def test_what_was_told_of_a_merged_earthquake_was_told_of_the_other(self, outbox: Outbox) -> None:
        self.put(outbox, notification("a", earthquake="eq_2"), notification("b"))
        with outbox.writing() as connection:
            move(connection, [one.notification for one in standing(connection, "eq_2", ["a"])], "eq_1")
            assert told_of(connection, "eq_1") == {"a", "b"}
            assert told_of(connection, "eq_2") == set()

    # --- for people -----------------------------------------------------------------------------------------------

    def test_dead_ones_can_be_sent_again_unless_something_newer_was_told(self, outbox: Outbox) -> None:
        self.put(outbox, notification("a"), notification("b"))
        for one in self.lease(outbox):
            self.settle(outbox, one, "dead", why="gone")
        self.put(outbox, notification("b", revision=2, seq=2, kind="update"))
        keys = [row["key"] for row in outbox.listed(state="dead")]
        assert len(keys) == 2
        assert outbox.resend(keys, NOW_MS, NOW_MS + 1000) == 1
        assert sorted((one.subscription, one.revision, one.attempts) for one in self.lease(outbox)) == [
            ("a", 1, 1),
            ("b", 2, 1),
        ]

    def test_acknowledging_ends_what_was_to_remind(self, outbox: Outbox) -> None:
        reminder = notification("a", kind="reminder", target="boss", next_ms=NOW_MS + 60_000)
        self.put(outbox, notification("a"), reminder)
        (one,) = self.lease(outbox)
        assert not outbox.acknowledge(one.key, NOW_MS)
        self.settle(outbox, one, "accepted")
        assert outbox.acknowledge(one.key, NOW_MS)
        assert self.states(outbox) == {"acknowledged": 1, "superseded": 1}

    def test_lists_go_on_and_erasing_leaves_nothing(self, outbox: Outbox) -> None:
        self.put(outbox, *(notification("a", revision=i) for i in range(5)), notification("b"))
        first = outbox.listed(subscription="a", limit=3)
        rest = outbox.listed(subscription="a", limit=3, before=first[-1]["notification"])
        assert [row["revision"] for row in first + rest] == [4, 3, 2, 1, 0]
        assert msgspec.json.decode(first[0]["facts"]) == {}
        assert outbox.erase(["a"]) == 5
        assert outbox.listed(subscription="a") == []
        assert len(outbox.listed(earthquake="eq_1")) == 1

    def test_pruning_forgets_what_is_old_and_settled(self, outbox: Outbox) -> None:
        self.put(outbox, notification("a"), notification("b"))
        (one,) = self.lease(outbox, 1)
        self.settle(outbox, one, "accepted")
        assert outbox.prune(NOW_MS, 100) == 0
        assert outbox.prune(NOW_MS + 1, 100) == 1
        assert self.states(outbox) == {"queued": 1}
