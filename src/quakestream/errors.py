"""What can go wrong, by what is to be done about it.

QuakestreamError
├── Retryable          the same call may succeed later: back off, then try again
│   ├── Unreachable    the broker, database or agency does not answer
│   │   └── Denied     it answers, but does not let us: somebody must grant it
│   ├── Backpressure   a bounded queue is full: wait for room
│   └── Fenced         another instance owns this now: drop what is held, join again
├── Rejected           this input is refused, and always will be: say why, go on with the rest
│   └── Gap            the change feed no longer has what comes next: begin with what stands
└── Fatal              stop in order, and loudly: a person must look
    ├── ConfigError    the settings are missing or wrong
    └── OffsetLost     the log has lost what comes next, or is another one: never reset in silence
"""

from collections.abc import Sequence
from typing import Self

from quakestream.secrecy import redacted


class QuakestreamError(Exception):
    """The root: catch it only to report. Its words are for whoever is told of it, so they have no secrets in them."""

    def __str__(self) -> str:
        return redacted(super().__str__())


class Retryable(QuakestreamError):
    """The same call may succeed later."""


class Unreachable(Retryable):
    """A broker, database or agency does not answer."""


class Denied(Unreachable):
    """It answers, and does not let us do that: until somebody grants it, it is as if it were away."""


class Backpressure(Retryable):
    """A bounded queue is full; nothing was accepted."""


class Fenced(Retryable):
    """Another instance has taken over; what this one holds is no longer its own."""


class Rejected(QuakestreamError):
    """The input is refused, with a reason for the one who sent it."""

    def __init__(self, reason: str, faults: Sequence[tuple[str | int | None, str]] = ()) -> None:
        """`faults`: what is at fault (a field, as `how.channels[0]`, or an event's number) and why, where known."""
        super().__init__(reason)
        self.faults = faults

    @classmethod
    def of(cls, faults: Sequence[tuple[str, str]]) -> Self:
        """Refused for these faults, the reason made of them. A fault at the field "" is one of the whole."""
        return cls("; ".join(f"{at}: {why}" if at else why for at, why in faults), faults)


class Gap(Rejected):
    """The change feed no longer has what comes next: begin anew with what stands."""


class Fatal(QuakestreamError):
    """The program must stop in order: to go on would lose or invent something."""


class ConfigError(Fatal):
    """Settings are missing or wrong; the message names every one of them."""


class OffsetLost(Fatal):
    """The log does not have what comes next, or is not the one that was read: a person must say how to go on."""
