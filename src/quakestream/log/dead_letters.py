"""Messages that can't be read: set aside with the reason, bytes and headers as they came; sent again when asked.

They go to `<topic>.dlq`. The header names are Spring Kafka's, so that tools which know them show them; values are text.
"""

from __future__ import annotations

from typing import Final

from quakestream.errors import QuakestreamError
from quakestream.log import LoggedRecord, Record

PREFIX = "kafka_dlt-"
ATTEMPT = "quakestream-attempt"
FIRST = "quakestream-first-letter"
"""Where the first letter of this message stands, of one that was sent again."""
VALUE_BYTES = "quakestream-value-bytes"
"""How long the value was of a letter that was shortened."""
SHORTENED_BYTES: Final = 64 * 1024
"""What is left of such a value."""


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


def shortened(letter: Record) -> Record:
    """A dead letter whose topic does not take it whole: its value's beginning, and of the headers those that say why.

    The message itself stands where it was, at the original topic's offset, for as long as that topic keeps it.
    """
    value = letter.value or b""
    ours = tuple(header for header in letter.headers if header[0].startswith(PREFIX) or header[0] == ATTEMPT)
    return Record(
        letter.topic,
        letter.key and letter.key[:SHORTENED_BYTES],
        letter.value and value[:SHORTENED_BYTES],
        (*ours, (VALUE_BYTES, str(len(value)).encode())),
    )


def revived(letter: LoggedRecord) -> Record:
    """The message as it first came, to be sent to its topic again as the next attempt."""
    topic = dict(letter.headers).get(f"{PREFIX}original-topic") or letter.topic.removesuffix(".dlq").encode()
    headers = tuple(
        (name, value) for name, value in letter.headers if not name.startswith(PREFIX) and name not in (ATTEMPT, FIRST)
    )
    ours = (ATTEMPT, str(attempt(letter) + 1).encode()), (FIRST, first_letter(letter).encode())
    return Record(topic.decode(), letter.key, letter.value, (*headers, *ours))


def place_of(letter: LoggedRecord) -> str:
    """Its partition and offset."""
    return f"{letter.partition}/{letter.offset}"


def first_letter(letter: LoggedRecord) -> str:
    """The place of the first letter of its message: its own, where it was not sent again before."""
    return (dict(letter.headers).get(FIRST) or b"").decode(errors="replace") or place_of(letter)


def attempt(record: LoggedRecord) -> int:
    """Which attempt at this message it is, from 1."""
    value = dict(record.headers).get(ATTEMPT) or b"1"
    return int(value) if value.isdigit() and len(value) < 10 else 1
