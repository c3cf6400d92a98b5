"""What is said of a topic that is not as it was, and what to do about it."""

from __future__ import annotations


def missing(topic: str) -> str:
    """It is not there."""
    return (
        f"topic {topic} does not exist: it was deleted, or never made. Start earthquake-service again, which makes it. "
        "A consumer that has read the deleted one then stops, until `quakestream catalog accept-log`"
    )


def made_anew(topic: str) -> str:
    """It is another than the one that was there."""
    return (
        f"topic {topic} was made anew: what the sources show is published again. A consumer that has read the other "
        "one stops, until `quakestream catalog accept-log`"
    )
