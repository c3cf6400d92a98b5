"""Channels: ways to reach people and machines. One file a channel, found by its name.

The promise of a `Channel`:

- **Checked early.** `check` refuses a target that can't be right, with a reason for whoever asked for it.
- **Three outcomes.** `send` answers `Accepted`, `Retry` or `Refused`, and raises nothing but programming errors.
- **Once.** The message's `key` goes along, so that a receiver can tell a second delivery of the same message.
- **Truthful.** What is no real event reaches nobody that did not ask for it, and says so first.
- **Bounded.** A send ends within `timeout_s`, and no more than `max_sends` run at once.
"""

from __future__ import annotations

import abc
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Self

from msgspec import Struct

from quakestream.errors import Rejected
from quakestream.event import Mode

Kind = Literal["alert", "update", "cancellation", "digest", "reminder", "test", "confirmation", "blind", "seeing"]

SEND_TIMEOUT_S: Final = 15.0
MAX_TARGET: Final = 2000
"""Characters of a target."""


class Message(Struct, frozen=True, kw_only=True):
    """One message to one receiver, in words and as data."""

    key: str
    """The same for every delivery of this message; no other message has it."""
    kind: Kind
    mode: Mode
    asked: tuple[Mode, ...]
    """What the subscription asked for."""
    target: str
    title: str
    """One line, with EXERCISE or TEST first where it is one."""
    text: str
    """Plain: what matters first, then details and links."""
    data: bytes
    """The same for machines, as a JSON object."""
    language: str = "en"
    subject: str = ""
    """The earthquake's id."""
    time_ms: int
    expires_ms: int
    priority: int = 5
    secret: str = ""
    """With which it is signed, where the channel signs."""
    unsubscribe_url: str = ""
    picture: str = ""
    """Address of a picture of where it is; empty: there is none."""
    image: bytes = b""
    """The picture itself, a PNG, for a channel that `shows_pictures`."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """It was taken: by the receiver itself, or by a service that tells no more."""

    by_receiver: bool


@dataclass(frozen=True, slots=True)
class Retry:
    """It may be taken later."""

    why: str
    after_s: float | None = None
    """What the receiver asked for."""
    maybe_told: bool = True
    """Whether it may have arrived nevertheless."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It will never be taken."""

    why: str


Outcome = Accepted | Retry | Refused


@dataclass(frozen=True, slots=True)
class ChannelContext:
    """What channels are made with."""

    contact: str
    """Who answers for what is sent: `mailto:…` or `https:…`."""
    key: Callable[[str, Callable[[], bytes]], bytes]
    """A key of that name, kept for ever; made by that function when it is first asked for."""
    allow_private: bool = False
    """Whether targets may be in this machine's own network."""


class Channel(abc.ABC):
    """One way to reach somebody. Opened, used and closed in one event loop."""

    name: ClassVar[str]
    max_sends: ClassVar[int] = 8
    """At once, of all targets together."""
    timeout_s: float = SEND_TIMEOUT_S
    """Within which a send ends."""

    @classmethod
    @abc.abstractmethod
    def made(cls, context: ChannelContext) -> Self:
        """The channel, for a program."""

    @abc.abstractmethod
    def target(self, fields: Mapping[str, Any]) -> str:
        """The target that a subscription's fields for this channel name, in its one form; they were checked before."""

    @abc.abstractmethod
    def check(self, fields: Mapping[str, Any]) -> None:
        """Refuse fields that can't be right.

        Raises:
            Rejected: one is missing or wrong, or its target is not allowed.
        """

    def needs_yes(self, target: str) -> bool:  # noqa: ARG002 - it depends on the channel
        """Whether a target has to say yes before it gets anything else: somebody's mailbox or telephone."""
        return False

    def shows_pictures(self, target: str) -> bool:  # noqa: ARG002
        """Whether a target is sent the picture itself, in the same message as the text."""
        return False

    async def open(self) -> None:  # noqa: B027 - not every channel holds something
        """Get ready to send."""

    async def close(self) -> None:  # noqa: B027
        """Give up what was held."""

    async def send(self, message: Message) -> Outcome:
        """Deliver one message. What is no real event goes only to who asked for it, or pressed the test button."""
        if (
            message.mode != "actual"
            and message.mode not in message.asked
            and message.kind not in {"test", "confirmation"}
        ):
            return Refused(f"an event of mode {message.mode}, which was not asked for")
        return await self._send(message)

    @abc.abstractmethod
    async def _send(self, message: Message) -> Outcome:
        """Deliver, or say why not."""


def names() -> list[str]:
    """Every channel there is."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name not in _PARTS)


_PARTS: Final = frozenset(["posting", "guarding"])
"""Modules here that are no channel."""


def load(name: str) -> type[Channel]:
    """The channel of that name. Only what is used is imported.

    Raises:
        Rejected: there is none.
    """
    if name not in names():
        raise Rejected(f"no channel is called {name!r}; there are {', '.join(names())}")
    channel: type[Channel] = importlib.import_module(f"{__name__}.{name}").CHANNEL
    return channel


def text_field(fields: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    """A channel's field `name`, which must be there; no fields but `known` may be.

    Raises:
        Rejected: it is missing, no text or too long, or there are others.
    """
    unknown = sorted(fields.keys() - {*known, "channel"})
    if unknown:
        raise Rejected(f"unknown field {', '.join(unknown)}; there are {', '.join(known)}")
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_TARGET:
        raise Rejected(f"{name} is needed, a text of at most {MAX_TARGET} characters")
    return value.strip()
