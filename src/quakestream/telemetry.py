"""What the programs tell of themselves: log lines and metrics.

Metrics are one list, here. Labels are few and bounded: a source's or topic's name, never an earthquake's.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, Final, Literal

import structlog
from prometheus_client import Counter, Gauge, Histogram

from quakestream.output import LogOutput
from quakestream.secrecy import redacted_all

# --- earthquake-service ---------------------------------------------------------------------------------------------
EVENTS_PUBLISHED = Counter("quakestream_events_published", "Events handed to the log.", ["source"])
EVENTS_ACKNOWLEDGED = Counter("quakestream_events_acknowledged", "Events that the log has acknowledged.", ["source"])
VALUES_UNREAD = Counter(
    "quakestream_values_unread", "Values that can't be read, of reports that were published without them.", ["source"]
)
EVENTS_REFUSED = Counter("quakestream_events_refused", "Events of a source that were not publishable.", ["source"])
REFUSED_KEPT = Gauge("quakestream_refused_kept", "What was refused and is kept to be read again.", ["source"])
REFUSED_FELL_OUT = Counter(
    "quakestream_refused_fell_out", "What was refused and is kept no more, for there was no room.", ["source"]
)
REFUSED_UNKEPT = Counter("quakestream_refused_unkept", "What was refused and could not be kept.", ["source"])
SOURCE_SILENT = Gauge(
    "quakestream_source_silent", "1 while a source reports nothing for longer than it ever kept still.", ["source"]
)
BACKPRESSURE = Counter("quakestream_publish_backpressure", "Times that a source had to wait for room in the queue.")
PUBLISH_QUEUE_USED = Gauge("quakestream_publish_queue_used", "Events on their way to the log.")
PUBLISH_SECONDS = Histogram(
    "quakestream_publish_seconds",
    "From handing events over to the log's acknowledgement.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
SOURCE_UP = Gauge("quakestream_source_up", "1 while a source is live, 0 while it fails.", ["source"])
SOURCE_LAG_SECONDS = Gauge(
    "quakestream_source_lag_seconds", "From the source's `updated` to the acknowledgement, newest event.", ["source"]
)
SOURCE_ERRORS = Counter("quakestream_source_errors", "Polls and connections of a source that failed.", ["source"])
SOURCE_VANISHED = Counter(
    "quakestream_source_vanished",
    "Events that left a feed early, by what the agency says of them: deleted, renamed, standing, unknown.",
    ["source", "answer"],
)
LOGS_FORGOTTEN = Counter(
    "quakestream_logs_forgotten_total",
    "Times that the log was not the one that acknowledged, so that all was published again.",
)
EVENTS_POSTED = Counter(
    "quakestream_events_posted", "Events of `POST /earthquake-events`: accepted, duplicate, refused.", ["outcome"]
)

# --- earthquake-consumer --------------------------------------------------------------------------------------------
EVENTS_CONSUMED = Counter("quakestream_events_consumed", "Events read, checked and stored or known already.")
EVENTS_DUPLICATE = Counter("quakestream_events_duplicate", "Events that the catalogue had already.")
DEAD_LETTERS = Counter("quakestream_dead_letters", "Messages that could not be read, sent to the dead-letter topic.")
CHANGES = Counter("quakestream_changes", "Changes of the catalogue.", ["type"])
INGEST_SECONDS = Histogram(
    "quakestream_ingest_seconds",
    "One ingest transaction, of one or many events.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CONSUMER_LAG = Gauge("quakestream_consumer_lag", "Records in the log after the last one stored.", ["partition"])
TOPIC_MISSING = Gauge("quakestream_topic_missing", "1 while a topic that is needed does not exist.", ["topic"])
TOPICS_MADE_ANEW = Counter("quakestream_topics_made_anew", "Times that the stream's topic was another than before.")
PARTITIONS_STOPPED = Gauge("quakestream_partitions_stopped", "Partitions that wait for a person: see the log lines.")
FOLLOWER_LAG = Gauge("quakestream_follower_lag", "Changes that a follower of the feed has not read yet.", ["follower"])
FOLLOWER_GAPS = Counter(
    "quakestream_follower_gaps", "Times that a follower missed changes: pruned before it came.", ["follower"]
)
REPUBLISHED = Counter("quakestream_republished", "Changes that the log has acknowledged on the catalogue's topic.")
CATALOG_BYTES = Gauge("quakestream_catalog_bytes", "What the catalogue takes of its disk, room for reuse left out.")
CHANGES_PRUNED = Counter("quakestream_changes_pruned", "Changes whose document retention has taken out of the feed.")
PUSH_CONNECTIONS = Gauge("quakestream_push_connections", "Clients of live push: sse, websocket.", ["wire"])
PUSH_MESSAGES = Counter("quakestream_push_messages", "Changes written to clients of live push.", ["wire"])
PUSH_SECONDS = Histogram(
    "quakestream_push_seconds",
    "From a change's own time, the beginning of its transaction, until it was written to every client that was live.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
PUSH_DROPPED = Counter(
    "quakestream_push_dropped",
    "Clients closed because they took nothing: stalled, for 10 s; behind, 256 KiB waiting; vanished, network gone.",
    ["reason"],
)
PUSH_REFUSED = Counter("quakestream_push_refused", "Clients of live push refused: too many, in all or of an address.")
PUSH_RESUMED = Counter("quakestream_push_resumed", "Clients that went on where they had been.")
PUSH_GAPS = Counter(
    "quakestream_push_gaps",
    "Clients told of a gap: pruned, epoch (another feed), ahead (beyond its end), malformed.",
    ["reason"],
)
READS_ENDED = Counter(
    "quakestream_reads_ended",
    "Requests that read the catalogue and got no answer, by lane (dear, list, one, snapshot) and reason: busy (503), "
    "late (503 at the deadline), left (the client).",
    ["lane", "reason"],
)
FENCED = Counter("quakestream_fenced", "Writes refused because another instance had taken over.")

NOTIFICATIONS = Gauge("quakestream_notifications", "Notifications in the outbox, by what became of them.", ["state"])
NOTIFIED = Counter(
    "quakestream_notified", "Notifications put in the outbox: alert, update, cancellation, reminder.", ["kind"]
)
PICTURES_FAILED = Counter("quakestream_pictures_failed", "Messages' pictures that could not be drawn, or not in time.")
DELIVERIES = Counter("quakestream_deliveries", "Attempts to deliver: accepted, retry, refused.", ["channel", "outcome"])
DELIVERY_SECONDS = Histogram(
    "quakestream_delivery_seconds",
    "From the outbox to the receiver's answer.",
    ["channel"],
    buckets=(0.01, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)

# --- both -----------------------------------------------------------------------------------------------------------
CONNECTIONS_ENDED = Counter(
    "quakestream_connections_ended",
    "HTTP connections ended unasked: head too large, head late, half-open (made room for another), too many, "
    "body late, body unwanted, too many pipelined.",
    ["reason"],
)
REQUESTS_REFUSED = Counter(
    "quakestream_requests_refused",
    "Requests kept out: host (not one of ALLOWED_HOSTS), cross_site (another site's page), token (none, or a wrong "
    "one), not_local (without CONTROL_TOKEN, not surely of this machine), source (what a start may not name).",
    ["reason"],
)
LINES_DROPPED = Counter(
    "quakestream_lines_dropped", "Lines not written because nobody reads them: log, events, console.", ["what"]
)
WORKER_UP = Gauge(
    "quakestream_worker_up",
    "1 while a thread or task is at work, 0 while it fails or waits to be started again.",
    ["worker"],
)
WORKER_FAILURES = Counter(
    "quakestream_worker_failures", "Times that a thread or task ended unasked, or said that it fails.", ["worker"]
)
CLOCK_AHEAD_SECONDS = Gauge(
    "quakestream_clock_ahead_seconds",
    "How far this machine's clock is ahead of another: the log's, by its records; the database's.",
    ["of"],
)
LOG_REACHABLE = Gauge("quakestream_log_reachable", "1 while the event log answers.")


CHATTY: Final = (
    *("httpx", "httpcore", "uvicorn", "alembic"),
    *("apprise", "urllib3", "requests", "websockets", "sqlalchemy", "asyncio"),
)
"""Libraries whose lines below a warning are not for people. Some of them have tokens in theirs."""


_readable: Final = threading.Event()


def is_readable() -> bool:
    """Whether the log that was set up is for people."""
    return _readable.is_set()


def configure_logging(level: str, form: Literal["auto", "console", "json"]) -> None:
    """Set up log lines on standard error: readable on a terminal, JSON elsewhere; once, by each program's `main`.

    No thread waits for who reads them.
    """
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    (_readable.clear if as_json else _readable.set)()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # No locals: the keys and passwords that a function works with are no business of whoever reads the log.
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    renderer: list[structlog.typing.Processor] = (
        [structlog.processors.ExceptionRenderer(tracebacks), _without_secrets, structlog.processors.JSONRenderer()]
        if as_json
        else [
            structlog.processors.ExceptionRenderer(),
            _without_secrets,
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = LogOutput(sys.stderr, LINES_DROPPED.labels("log").inc)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    sys.excepthook = _tell
    sys.unraisablehook = lambda lost: _tell(lost.exc_type, lost.exc_value, lost.exc_traceback)
    threading.excepthook = lambda ended: _tell(ended.exc_type, ended.exc_value, ended.exc_traceback)


def _tell(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """What nobody caught is a line of the log as well: Python's own would show what is hidden there."""
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    structlog.get_logger(__name__).critical("unexpected error", exc_info=(kind, error, trace))


def _without_secrets(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: redacted_all(value) for name, value in line.items()}
