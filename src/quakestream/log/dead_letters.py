"""Messages that can't be read: set aside with the reason, bytes and headers as they came; sent again when asked.

They go to `<topic>.dlq`. The header names are Spring Kafka's, so that tools which know them show them; values are text.
"""

from __future__ import annotations

from quakestream.errors import QuakestreamError
from quakestream.log import LoggedRecord, Record

PREFIX = "kafka_dlt-"
ATTEMPT = "quakestream-attempt"


def dead_letter_topic(topic: str) -> str:
    """Where the dead letters of `topic` go."""
    return f"{topic}.dlq"


def dead_letter(record: LoggedRecord, error: QuakestreamError) -> Record:
    """`record` with its own headers, and why, where from and at which attempt it was refused."""
    why = {
        f"{PREFIX}original-topic": record.topic,
        f"{PREFIX}original-partition": str(record.partition),
        f"{PREFIX}original-offset": str(record.offset),
        f"{PREFIX}original-timestamp": str(record.timestamp_ms),
        f"{PREFIX}exception-fqcn": f"{type(error).__module__}.{type(error).__qualname__}",
        f"{PREFIX}exception-message": str(error)[:2000],
        ATTEMPT: str(attempt(record)),
    }
    headers = tuple((name, value) for name, value in record.headers if name != ATTEMPT)
    added = tuple((name, value.encode()) for name, value in why.items())
    return Record(dead_letter_topic(record.topic), record.key, record.value, headers + added)


def revived(letter: LoggedRecord) -> Record:
    """The message as it first came, to be sent to its topic again as the next attempt."""
    topic = dict(letter.headers).get(f"{PREFIX}original-topic") or letter.topic.removesuffix(".dlq").encode()
    headers = tuple((name, value) for name, value in letter.headers if not name.startswith(PREFIX) and name != ATTEMPT)
    return Record(topic.decode(), letter.key, letter.value, (*headers, (ATTEMPT, str(attempt(letter) + 1).encode())))


def attempt(record: LoggedRecord) -> int:
    """Which attempt at this message it is, from 1."""
    value = dict(record.headers).get(ATTEMPT) or b"1"
    return int(value) if value.isdigit() else 1
