"""Whom subscriptions tell: their receivers checked, listed, and let go when they want no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from quakestream.channels import Channel
from quakestream.errors import Rejected
from quakestream.subscriptions.addresses import Use
from quakestream.subscriptions.registry import Registry
from quakestream.subscriptions.subscription import ChannelTarget, Subscription
from quakestream.telling.outbox import Outbox


class Receivers:
    """The receivers of a registry's subscriptions. A receiver is a channel and its target there."""

    def __init__(
        self, channels: Mapping[str, Channel], registry: Registry, outbox: Outbox, now_ms: Callable[[], int]
    ) -> None:
        self._channels = channels
        self._registry = registry
        self._outbox = outbox
        self._now_ms = now_ms

    def check(self, subscription: Subscription) -> None:
        """Refuse a subscription whose channels or targets can't be.

        Raises:
            Rejected: with every channel at fault.
        """
        how = subscription.how
        wanted = [(f"how.channels[{n}]", one) for n, one in enumerate(how.channels)]
        if how.escalation is not None:
            wanted += [(f"how.escalation.channels[{n}]", one) for n, one in enumerate(how.escalation.channels)]
        words, faults = [], []
        for number, (at, one) in enumerate(wanted, 1):
            try:
                self._channel(one.channel).check(one.model_extra or {})
            except Rejected as error:
                words.append(f"channel {number} ({one.channel}): {error}")
                faults.append((at, str(error)))
        if faults:
            raise Rejected("; ".join(words), faults)

    def targets(self, subscription: Subscription, *, escalation: bool = True) -> list[tuple[str, str]]:
        """Channel and target of all whom it has told; with those to escalate to, or without."""
        how = subscription.how
        wanted = [*how.channels, *(how.escalation.channels if how.escalation and escalation else [])]
        return list(dict.fromkeys((one.channel, self._target(one)) for one in wanted))

    def addresses(self, subscription: Subscription) -> list[tuple[str, str]]:
        """Of its targets, those that must say yes before they are told anything."""
        return [pair for pair in self.targets(subscription) if self._channels[pair[0]].needs_yes(pair[1])]

    def end_for(self, id_: str, receiver: str) -> int:
        """One receiver, as `Registry.receiver` names it, wants no more of a subscription; nobody else loses it.

        It is taken out, and stays out. Without any other, the subscription ends; one of the file stays there, silent.
        Returns how many notifications to it were forgotten.
        """
        stored = self._registry.get(id_)
        if stored is None:
            return 0
        names = {self._registry.receiver(*pair): pair for pair in self.targets(stored.subscription())}
        if receiver not in names:
            return 0
        if stored.origin == "api" and names.keys() <= {receiver, *stored.ended.split()}:
            return self.forget([id_])
        use = Use(id_, *names[receiver])
        self._registry.end(use, self._without(use) if stored.origin == "api" else None, self._now_ms())
        return self._outbox.erase([id_], (use.channel, use.target))

    def forget(self, ids: Sequence[str]) -> int:
        """End subscriptions: what they asked for, and all that was told to them; how many notifications."""
        self._registry.remove(ids, self._now_ms())
        return self._outbox.erase(ids)

    def _without(self, use: Use) -> Callable[[Subscription], Subscription]:
        return lambda subscription: subscription.without(
            lambda one: (one.channel, self._target(one)) == (use.channel, use.target)
        )

    def _target(self, one: ChannelTarget) -> str:
        return self._channel(one.channel).target(one.model_extra or {})

    def _channel(self, name: str) -> Channel:
        try:
            return self._channels[name]
        except KeyError:
            raise Rejected(f"no such channel here; there are {', '.join(sorted(self._channels))}") from None
