"""The event log on Apache Kafka, through librdkafka (confluent-kafka's synchronous clients).

Nothing else in the project knows Kafka's client.

- **Sending.** `send` hands records to librdkafka under a lock and returns; one thread serves delivery reports. The
  producer is idempotent with one request in flight, and has no time limit: while the broker is away, records wait. If
  librdkafka gives a producer up (a *fatal* error), a new one takes over and sends again, in order, what is unreported.
- **Reading.** librdkafka says which partitions came and went while it is polled; the keeper is asked before the next
  fetch, on the same thread, so what it raises reaches the caller and costs no record, and a partition is read only once
  the keeper has said from where.
- **Stopping.** Positions are checked when a partition is taken over; later, librdkafka reports an offset that is gone
  (`auto.offset.reset=error`), and every second the topic's id is compared, for one made anew.
- **Fencing.** A reader that another instance replaced says so (`Fenced`). Within `OUTAGE_S` of an outage, or of a
  time in which it stood still for longer than its session, it joins anew instead: a broker may fence a static member
  because of that member's own repeated request.
- **Not let in.** librdkafka tells of a wrong password or an unknown CA only in its callbacks, and goes on trying. What
  they say is kept (`trouble`) until the cluster answers, and so is what its ACLs do not allow until that is allowed.
- **Static members.** A reader with an `instance_id` keeps its place for the session's time-out when it is closed: that
  is what lets it come back without a rebalance. One without gives its partitions away at once.
"""

from __future__ import annotations

import contextlib
import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, Literal, NamedTuple, cast

import structlog
from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka import Producer as Client
from confluent_kafka.admin import (  # type: ignore[attr-defined] # all are public
    AclOperation,
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
    TopicMetadata,
)

from quakestream import kafka_settings, supervision
from quakestream.clock import boot_ms
from quakestream.errors import (
    ConfigError,
    Denied,
    Fatal,
    Fenced,
    OffsetLost,
    QuakestreamError,
    Rejected,
    Retryable,
    Unreachable,
)
from quakestream.log import (
    MAX_RECORD_BYTES,
    EventLog,
    Fingerprint,
    Identity,
    LoggedRecord,
    Partition,
    PositionKeeper,
    Producer,
    Reader,
    Record,
    Topic,
    TopicUse,
    Watermarks,
)
from quakestream.log.sending import Batch, Outcome, Room, too_large
from quakestream.secrecy import redacted

MAX_MESSAGE_BYTES: Final = MAX_RECORD_BYTES + 64 * 1024  # and what a batch of one record has around it
SESSION_TIMEOUT_S: Final = 10.0
HEARTBEAT_MS: Final = 1000
"""By its answer a member learns that all is shared out anew; what it gives up, nobody reads for so long."""
REQUEST_TIMEOUT_S: Final = 5.0
CHECK_TIMEOUT_S: Final = 3.0
WATCH_INTERVAL_S: Final = 1.0
GROUP_INTERVAL_S: Final = 5.0
NO_ANSWER_S: Final = 15.0
"""A request of which nothing was heard for so long is lost: an outage can swallow one, its own time-out with it."""
UNREAD_S: Final = 10.0
"""A partition that the group has given nobody for so long is not on its way to anybody."""
SERVE_INTERVAL_S: Final = 0.1
POLL_SLICE_S: Final = 0.25
LEAVE_S: Final = 3.0
LEAVE_SLICE_S: Final = 0.02
OUTAGE_S: Final = 60.0
DENIED_PAUSE_S: Final = 2.0
"""How long a producer that may write nothing waits before it tries again."""
LOG_INTERVAL_S: Final = 30.0
"""One kind of message of librdkafka's is logged once in this time."""
MIN_SEGMENT_BYTES: Final = 2 * MAX_MESSAGE_BYTES  # a segment must hold the largest message
MAX_SEGMENT_BYTES: Final = 1024**3

_PRODUCER: Final[dict[str, Any]] = {
    "enable.idempotence": True,
    "acks": "all",
    "max.in.flight.requests.per.connection": 1,  # librdkafka #4953: more may reorder after an error
    "linger.ms": 2,
    "message.timeout.ms": 0,  # keep trying
    "message.max.bytes": MAX_MESSAGE_BYTES,
    "queue.buffering.max.kbytes": 1024 * 1024,  # `Room` is the bound, this one is never met
    "partitioner": "murmur2_random",  # Java's: every client puts a key into the same partition
}
_CONSUMER: Final[dict[str, Any]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "fetch.wait.max.ms": 50,
    "fetch.max.bytes": MAX_MESSAGE_BYTES,
    "fetch.message.max.bytes": 64 * 1024,  # of one partition, compressed: 20 times as much in memory at worst
    "queued.min.messages": 2_000,  # fetch no further ahead than this,
    "queued.max.messages.kbytes": 1024,  # or this,
    "fetch.queue.backoff.ms": 10,  # and look again so soon whether there is room (by default a second, standing still)
    "topic.metadata.refresh.interval.ms": 2000,  # a topic that is made later is found so soon
    "allow.auto.create.topics": False,
}
_COMMON: Final[dict[str, Any]] = {
    "reconnect.backoff.max.ms": 1000,
    "socket.keepalive.enable": True,
    "log.connection.close": False,  # a broker closes idle connections: no news
}

_REJECTED: Final = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_TIMESTAMP,
    KafkaError.RECORD_LIST_TOO_LARGE,
}
_SEND_AGAIN: Final = {KafkaError._FATAL, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT, KafkaError._DESTROY}  # noqa: SLF001 - named so
_NO_SUCH_TOPIC: Final = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001
_NO_LEADER: Final = KafkaError._NOENT  # noqa: SLF001 - of a topic that is not there, or between two leaders
_AWAY: Final = {KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE}  # noqa: SLF001
_OFFSET_GONE: Final = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001
_OTHER_PROTOCOL: Final = {KafkaError.INCONSISTENT_GROUP_PROTOCOL, KafkaError.UNSUPPORTED_ASSIGNOR}
_END: Final = KafkaError._PARTITION_EOF  # noqa: SLF001
_MISCONFIGURED: Final = {
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.INVALID_CONFIG,
    KafkaError.INVALID_PARTITIONS,
    KafkaError.POLICY_VIOLATION,
}
_DENIED: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "cluster",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "transactional id",
}
_LOCKED_OUT: Final = {
    KafkaError._AUTHENTICATION: "see KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",  # noqa: SLF001
    KafkaError.SASL_AUTHENTICATION_FAILED: "see KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
    KafkaError.UNSUPPORTED_SASL_MECHANISM: "see KAFKA_SASL_MECHANISM",
    KafkaError.ILLEGAL_SASL_STATE: "see KAFKA_SECURITY_PROTOCOL",
}
"""What keeps this client out until a person has looked, and where to look; and the same by librdkafka's words."""
_LOCKED_OUT_BY_WORDS: Final = (
    (re.compile("OAUTHBEARER"), "see KAFKA_SASL_OAUTHBEARER_…"),
    (re.compile("security.protocol|PLAINTEXT broker|SSL listener|wrong version number"), "see KAFKA_SECURITY_PROTOCOL"),
    (re.compile("alert .*(certificate|ca)\\b"), "see KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION"),
    (re.compile("certificate"), "see KAFKA_SSL_CA_LOCATION"),
)
_AWAY_BEHIND: Final = "it did before: the broker may be away, behind a proxy or a tunnel that is there"
_CUT_OFF: Final = re.compile("closed by peer.*(APIVERSION|SSL_HANDSHAKE)")
"""So it is where the other side expects TLS, or another way to log in; but also for a moment when a broker ends."""
MOST_CUT_OFF: Final = 3
_AT: Final = re.compile(r" \(after \d+ms in state \w+(, \d+ identical error\(s\) suppressed)?\)|^GroupCoordinator: ")
_EARLIEST: Final = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: Final = OffsetSpec.latest()  # type: ignore[no-untyped-call]

Compression = Literal["none", "gzip", "snappy", "lz4", "zstd"]

log = structlog.get_logger(__name__)


class _Description(NamedTuple):
    log_id: str
    topic_id: str
    partitions: list[int]
    allowed: frozenset[str]
    """What its ACLs let us do: `READ`, `WRITE`, …"""


class KafkaLog(EventLog):
    """The event log on a Kafka cluster. Made without waiting for the cluster to be reachable."""

    kind: Literal["kafka", "embedded"] = "kafka"

    def __init__(
        self,
        brokers: str,
        client_id: str,
        *,
        replication_factor: int = 1,
        group_protocol: Literal["classic", "consumer"] = "classic",
        compression: Compression = "gzip",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.client_id = client_id
        self.group_protocol = group_protocol
        self.compression = compression
        self._replication_factor = replication_factor
        self._common: dict[str, Any] = {**_COMMON, "bootstrap.servers": brokers, "client.id": client_id}
        self._chosen = dict(extra or {})
        self._cluster_id: str | None = None
        self._compared: set[str] = set()
        self._trouble: str | None = None
        self._heard = self._cut_off = 0
        self._was_in = False
        self.denied: dict[str, str] = {}
        """What the cluster's ACLs do not allow, and the words for it."""
        with _as_settings(self._chosen):
            own: dict[str, Any] = {"error_cb": self.hear, "logger": _Listener(self._hear), "log.connection.close": True}
            self._admin = AdminClient({**self._common, **self._chosen, **own})
            if self._chosen:  # what is wrong with them is said now, not when the first reader comes
                Consumer({**self.settings(_CONSUMER, {"group.id": "settings"}), "log_level": 0}).close()

    def settings(self, defaults: Mapping[str, Any], *own: Mapping[str, Any]) -> dict[str, Any]:
        """What a client of this log is made with: `defaults` that may be chosen otherwise, and what is its `own`."""
        settings: dict[str, Any] = {**self._common, **defaults, **self._chosen, "logger": _ClientLog()}
        for part in own:
            settings.update(part)
        return settings

    def hear(self, error: KafkaError) -> None:
        """What librdkafka says of a client as a whole: remember why it is not let in."""
        self._hear(error.str(), _LOCKED_OUT.get(error.code()))

    def _hear(self, said: str, hint: str | None = None) -> None:
        hint = next((where for words, where in _LOCKED_OUT_BY_WORDS if words.search(said)), hint)
        if hint is None and _CUT_OFF.search(said):
            self._cut_off += 1
            if self._cut_off >= MOST_CUT_OFF:
                hint = _AWAY_BEHIND if self._was_in else "see KAFKA_SECURITY_PROTOCOL"
        if hint is None:
            return
        trouble = redacted(f"Kafka does not let us in: {_AT.sub('', said)} ({hint})".replace("\n", " "))
        if self._trouble is None:
            log.error("not let in by Kafka", why=trouble)
        self._trouble = trouble
        self._heard += 1

    def _let_in(self) -> None:
        """The cluster has answered."""
        if self._trouble is not None:
            log.info("let in by Kafka")
        self._was_in = True
        self._trouble = None
        self._cut_off = 0

    def deny(self, what: str) -> Denied:
        """Remember that the cluster's ACLs do not allow this until it is `allowed`; the error to raise."""
        why = f"Kafka does not allow {what}: its ACL is missing"
        if what not in self.denied:
            self.denied[what] = why
            log.error("not allowed by Kafka", what=what, why=why)
        return Denied(why)

    def allowed(self, what: str) -> None:
        """It was done, or may be done now."""
        if what in self.denied:
            del self.denied[what]
            log.info("allowed by Kafka again", what=what)

    def trouble(self) -> str | None:
        return self._trouble or "; ".join(list(self.denied.values())) or None

    def check(self, uses: Sequence[TopicUse], group: str | None = None) -> list[str]:
        with self._errors("the cluster"):
            self._wait(self._admin.describe_cluster(request_timeout=CHECK_TIMEOUT_S))
        found: list[str] = []
        for use in uses:
            try:
                description = self.describe(use.topic)
            except Denied:
                found.append(f"Kafka does not allow Describe of topic {use.topic}: its ACL is missing")
                continue
            if description is None:
                continue  # it is made, or the attempt says why not
            wanted = {"Read": use.reads, "Write": use.writes}
            found += [
                f"Kafka does not allow {name} of topic {use.topic}: its ACL is missing"
                for name, needed in wanted.items()
                if needed and name.upper() not in description.allowed
            ]
        if group is not None:
            asked = self._admin.describe_consumer_groups(
                [group], include_authorized_operations=True, request_timeout=REQUEST_TIMEOUT_S
            )
            try:
                may = {one.name for one in asked[group].result().authorized_operations or ()}
            except KafkaException as error:
                may = set() if error.args[0].code() in _DENIED else {"READ"}  # a new group is nobody's yet
            if "READ" not in may:
                found.append(f"Kafka does not allow Read of group {group}: its ACL is missing")
        return found

    def ensure_topics(self, topics: Sequence[Topic]) -> None:
        with self._errors("topics"):
            self._wait(self._admin.describe_cluster(request_timeout=REQUEST_TIMEOUT_S))
            known = self._admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
            missing = [self._new_topic(topic) for topic in topics if topic.name not in known]
            self._compare([topic for topic in topics if topic.name in known], known)
            if not missing:
                return
            for name, made in self._admin.create_topics(missing, request_timeout=REQUEST_TIMEOUT_S).items():
                try:
                    made.result()
                    log.info("topic made", topic=name)
                    self._compared.add(name)
                except KafkaException as error:
                    if error.args[0].code() in _DENIED:
                        raise self._may_not_make(name) from error
                    if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                        raise
                self.allowed(f"Create of topic {name}")
        deadline = time.monotonic() + REQUEST_TIMEOUT_S
        while any(self.describe(topic.topic) is None for topic in missing):
            if time.monotonic() > deadline:
                raise Unreachable("topics were made, but the brokers do not know them yet")
            time.sleep(0.05)

    def _compare(self, topics: Sequence[Topic], known: Mapping[str, TopicMetadata]) -> None:
        """Say, once of each, what was made otherwise than the settings say: nothing of that is changed."""
        found = [topic for topic in topics if topic.name not in self._compared]
        asked = {topic.name: ConfigResource(ResourceType.TOPIC, topic.name) for topic in found}
        answers = self._admin.describe_configs(list(asked.values()), request_timeout=REQUEST_TIMEOUT_S) if asked else {}
        for topic in found:
            self._compared.add(topic.name)
            differs: dict[str, str] = {}
            if len(known[topic.name].partitions) != topic.partitions:
                differs["partitions"] = f"{len(known[topic.name].partitions)}, not {topic.partitions}"
            with contextlib.suppress(KafkaException):  # not everybody may see that
                has = answers[asked[topic.name]].result()
                for name, wanted in self._topic_config(topic).items():
                    if name in has and has[name].value != wanted:
                        differs[name] = f"{has[name].value}, not {wanted}"
            if differs:
                log.warning(
                    "a topic is not as the settings would make it; it is left as it is", topic=topic.name, **differs
                )

    def producer(self, queue_size: int = 10_000) -> Producer:
        return KafkaProducer(self, queue_size)

    def reader(self, topic: str, group: str, keeper: PositionKeeper, instance_id: str | None = None) -> Reader:
        return KafkaReader(self, topic, group, keeper, instance_id)

    def members(self, group: str) -> list[str]:
        with self._errors(f"Describe of group {group}"):
            asked = self._admin.describe_consumer_groups([group], request_timeout=REQUEST_TIMEOUT_S)[group]
            try:
                found = asked.result()
            except KafkaException as error:
                if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                    return []
                raise
        return [member.group_instance_id or member.member_id for member in found.members]

    def describing_group(self, group: str) -> Future[Any]:
        """Ask for a group's members and what each was given, without waiting for it."""
        found: Future[Any] = self._admin.describe_consumer_groups([group], request_timeout=REQUEST_TIMEOUT_S)[group]
        return found

    def watermarks(self, topic: str) -> Mapping[int, Watermarks]:
        low = self._offsets(topic, _EARLIEST)
        high = self._offsets(topic, _LATEST)
        return {number: Watermarks(low[number], high[number]) for number in low.keys() & high.keys()}

    def offsets_at(self, topic: str, timestamp_ms: int) -> Mapping[int, int]:
        found = self._offsets(topic, OffsetSpec.for_timestamp(timestamp_ms))
        if all(offset >= 0 for offset in found.values()):
            return found
        end = self._offsets(topic, _LATEST)
        return {number: offset if offset >= 0 else end[number] for number, offset in found.items()}

    def read(self, topic: str, partition: int, offset: int, max_records: int) -> list[LoggedRecord]:
        marks = self.watermarks(topic).get(partition)
        if marks is None:
            raise OffsetLost(f"there is no partition {partition} of {topic}")
        if lost := _out_of_range(topic, partition, offset, marks):
            raise lost
        own = {"group.id": "read", "enable.partition.eof": True, "error_cb": self.hear}
        consumer = Consumer(self.settings(_CONSUMER, own))
        try:
            with self._errors(f"Read of topic {topic}"):
                consumer.assign([TopicPartition(topic, partition, offset)])
                return _read_to_end(consumer, max_records)
        finally:
            consumer.close()

    def identity(self, topic: str) -> Identity | None:
        description = self.describe(topic)
        return None if description is None else Identity(description.log_id, description.topic_id)

    def reachable(self) -> bool:
        self._admin.poll(0)  # what it has to say would pile up
        try:
            self._admin.list_topics(topic="", timeout=1.0)
        except KafkaException:
            self._admin.poll(0)  # and hear why
            return False
        self._let_in()
        return True

    def close(self) -> None:
        with contextlib.suppress(AttributeError):  # closed already
            del self._admin  # which ends its threads

    def describe(self, topic: str) -> _Description | None:
        """The topic as the cluster knows it now; None where it does not exist. Raises Unreachable."""
        with self._errors(f"Describe of topic {topic}"):
            if self._cluster_id is None:
                asked = self._admin.describe_cluster(request_timeout=REQUEST_TIMEOUT_S)
                self._cluster_id = self._wait(asked).cluster_id
            return self.described(topic, self.describing(topic))

    def describing(self, topic: str) -> Future[Any]:
        """Ask for a topic's description without waiting for it."""
        asked = self._admin.describe_topics(
            TopicCollection([topic]), include_authorized_operations=True, request_timeout=REQUEST_TIMEOUT_S
        )
        found: Future[Any] = asked[topic]
        return found

    def described(self, topic: str, answer: Future[Any]) -> _Description | None:
        """The answer to `describing`."""
        with self._errors(f"Describe of topic {topic}"):
            try:
                found = answer.result()
            except KafkaException as error:
                if error.args[0].code() in _NO_SUCH_TOPIC:
                    return None
                raise
        self._let_in()
        self.allowed(f"Describe of topic {topic}")
        may = frozenset(one.name for one in found.authorized_operations or AclOperation)
        return _Description(self._cluster_id or "", str(found.topic_id), [part.id for part in found.partitions], may)

    def _wait(self, asked: Future[Any]) -> Any:
        """The answer; or at once why none will come, for the cluster does not let us in."""
        heard = self._heard
        while not asked.done():
            self._admin.poll(SERVE_INTERVAL_S / 2)
            if self._trouble is not None and self._heard != heard:
                raise Denied(self._trouble)
        answer = asked.result()
        self._let_in()
        return answer

    def _may_not_make(self, topic: str) -> Denied:
        """A topic that may not be described looks as one that is not there."""
        try:
            self.describe(topic)
        except Denied as error:
            return error
        return self.deny(f"Create of topic {topic}")

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn librdkafka's errors into ours; `what` was to be done.

        Raises:
            Fatal: what was asked for makes no sense.
            Denied: the cluster does not allow it, or does not let us in.
            Unreachable: anything else that may pass.
        """
        try:
            yield
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            if reason.code() in _DENIED:
                raise self.deny(what) from error
            self._admin.poll(0)
            if self._trouble is not None:
                raise Denied(self._trouble) from error
            kind = Fatal if reason.code() in _MISCONFIGURED else Unreachable
            raise kind(f"{what}: {reason.str()}") from error

    def _new_topic(self, topic: Topic) -> NewTopic:
        return NewTopic(topic.name, topic.partitions, self._replication_factor, config=self._topic_config(topic))

    def _topic_config(self, topic: Topic) -> dict[str, str]:
        config = {"cleanup.policy": topic.cleanup, "max.message.bytes": str(MAX_MESSAGE_BYTES)}
        if topic.cleanup == "delete":
            config["retention.ms"] = str(-1 if topic.retention_ms is None else topic.retention_ms)
            config["retention.bytes"] = str(-1 if topic.retention_bytes is None else topic.retention_bytes)
        if topic.retention_bytes is not None:  # Kafka removes whole segments, so they must be smaller than the limit
            segment = max(MIN_SEGMENT_BYTES, min(topic.retention_bytes // 4, MAX_SEGMENT_BYTES))
            config["segment.bytes"] = str(segment)
        if self._replication_factor > 2:
            config["min.insync.replicas"] = "2"
        return config

    def newest_ms(self, topic: str) -> int | None:
        newest = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
        found = self._places(topic, newest).values()
        return max((timestamp_ms for _, timestamp_ms in found if timestamp_ms > 0), default=None)

    def _offsets(self, topic: str, spec: OffsetSpec) -> dict[int, int]:
        return {number: offset for number, (offset, _) in self._places(topic, spec).items()}

    def _places(self, topic: str, spec: OffsetSpec) -> dict[int, tuple[int, int]]:
        """Offset and timestamp that are asked for, by partition."""
        description = self.describe(topic)
        if description is None:
            return {}
        asked = {TopicPartition(topic, number): spec for number in description.partitions}
        with self._errors(f"Describe of topic {topic}"):
            answers = self._admin.list_offsets(
                asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=REQUEST_TIMEOUT_S
            )
            try:
                found = {place.partition: answer.result() for place, answer in answers.items()}
                return {number: (place.offset, place.timestamp) for number, place in found.items()}
            except KafkaException as error:
                # It went while it was being asked about; a topic that is still there is asked again by the caller.
                if error.args[0].code() in {*_NO_SUCH_TOPIC, _NO_LEADER} and self.describe(topic) is None:
                    return {}
                raise


def compressing(kind: Compression) -> dict[str, Any]:
    """What a producer is told of it: gzip's first level is twice as quick as its sixth, for 3 % more bytes."""
    return {"compression.type": kind} | ({"compression.level": 1} if kind == "gzip" else {})


class KafkaProducer(Producer):
    """Sends what its callers give it, in order, and reports each record's fate by batch."""

    def __init__(self, owner: KafkaLog, queue_size: int) -> None:
        self.queue_size = queue_size
        self._log = owner
        self._room = Room(queue_size)
        self._lock = threading.Lock()  # held while handing over, never while reports are served
        self._open: dict[int, Batch] = {}  # by number, in the order in which they were sent
        self._sent = 0
        self._unsent: deque[tuple[int, Batch, list[int]]] = deque()  # not yet with librdkafka, in order
        self._refused: deque[tuple[int, Batch, int, Outcome]] = deque()  # to be reported by the serving thread
        self._newest: dict[tuple[str, int], tuple[int, Record]] = {}  # by topic and partition
        self._broken = False
        self._denial: Denied | None = None
        self._denied: dict[str, float] = {}  # what, and when that was said last
        self._closing = False
        self._ended = threading.Event()
        self._client = self._new_client()
        self._fatal: Fatal | None = None
        self._thread = supervision.Thread(
            "kafka-reports", self._serve, self._ended, limit=supervision.AGAIN_AND_AGAIN, on_end=self._give_up
        )
        self._thread.start()

    @property
    def queued(self) -> int:
        return self._room.used

    @property
    def failed(self) -> Fatal | None:
        return self._fatal

    def send(self, records: Sequence[Record]) -> Future[Sequence[Outcome]]:
        batch = Batch(records)
        with self._lock:
            if self._fatal is not None:
                raise self._fatal
            if self._closing:
                raise RuntimeError("the producer is closed")
            if batch.records:
                self._room.take(len(batch.records), batch.size)
                self._open[self._sent] = batch
                self._unsent.append((self._sent, batch, batch.unreported()[::-1]))
                self._sent += 1
                self._hand_over()
        return batch.future

    def newest(self, topic: str) -> Mapping[int, Fingerprint]:
        found = dict(self._newest)
        return {
            number: Fingerprint.of_sent(record, offset)
            for (name, number), (offset, record) in found.items()
            if name == topic
        }

    def close(self, timeout_s: float) -> int:
        with self._lock:
            self._closing = True
        self._room.wait_empty(timeout_s)
        left = self.queued
        self._ended.set()
        self._thread.join(2 * REQUEST_TIMEOUT_S)
        return left

    def _serve(self) -> None:
        """Serve reports, hand over what could not be handed over before, put a new client in a broken one's place."""
        try:
            while not self._ended.is_set():
                try:
                    self._client.poll(SERVE_INTERVAL_S)
                except KafkaException as error:  # a fatal one, which this client will say for ever
                    self._on_error(error.args[0])
                while self._refused:
                    self._report(*self._refused.popleft())
                if self._denial is not None:
                    self._wait_for_permission(self._denial)
                if self._broken:
                    self._renew()
                self._forget_denials()
                if self._unsent:
                    with self._lock:
                        self._hand_over()
        except BaseException:
            self._broken = True  # a report may have been lost with the error: what has none is sent again
            raise
        self._purge()
        self._abandon(Retryable("the producer was closed before this was acknowledged"))

    def _wait_for_permission(self, denial: Denied) -> None:
        """Give back all that is open, for its callers to send again; then try with another client, but not at once."""
        self._denial = None
        self._abandon(denial)
        self._ended.wait(DENIED_PAUSE_S)

    def _forget_denials(self) -> None:
        """A client that is not told so again may write: of one that has nothing to write no more is heard."""
        for what, said_s in list(self._denied.items()):
            if time.monotonic() - said_s > 3 * DENIED_PAUSE_S:
                del self._denied[what]
                self._log.allowed(what)

    def _give_up(self, error: BaseException) -> None:
        """The serving thread has ended for good: nothing more is sent, and what is open has no other report to come."""
        with self._lock:
            self._fatal = Fatal(f"the producer's reports can't be served: {error}")
        self._abandon(self._fatal)

    def _abandon(self, error: QuakestreamError) -> None:
        for number, batch in list(self._open.items()):
            for index in batch.unreported():
                self._report(number, batch, index, error)

    def _hand_over(self) -> None:
        """Give librdkafka what waits, as far as it has room. Called with the lock held."""
        while self._unsent and self._hand_over_batch(*self._unsent[0]):
            self._unsent.popleft()

    def _hand_over_batch(self, number: int, batch: Batch, indices: list[int]) -> bool:
        """Hand over these records of a batch, from the last index to the first; False when that must wait."""
        produce, delivered = self._client.produce, self._delivered
        while indices and not self._broken:
            index = indices[-1]
            record = batch.records[index]
            refusal: Outcome | None = too_large(batch.sizes[index])
            try:
                if refusal is None:
                    report = partial(delivered, number, batch, index)
                    produce(record.topic, record.value, record.key, headers=list(record.headers), on_delivery=report)
            except BufferError:
                return False  # again after the next reports
            except KafkaException as error:
                if self._lost_client(error.args[0]):
                    return False
                refusal = self._fate(error.args[0], record.topic)
            if refusal is not None:
                self._refused.append((number, batch, index, refusal))
            indices.pop()
        return not indices

    def _delivered(self, number: int, batch: Batch, index: int, error: KafkaError | None, message: Message) -> None:
        """One record's report from librdkafka, on the serving thread."""
        if error is None:
            if self._log.denied:
                self._log.allowed(f"Write of topic {batch.records[index].topic}")
            offset = cast("int", message.offset())
            if offset >= 0:  # a broker that knew the record already may not say where it stands
                record = batch.records[index]
                self._newest[record.topic, cast("int", message.partition())] = offset, record
            self._report(number, batch, index, offset)
        elif not self._lost_client(error):  # else it stays unreported, and the next client sends it again
            self._report(number, batch, index, self._fate(error, batch.records[index].topic))

    def _report(self, number: int, batch: Batch, index: int, outcome: Outcome) -> None:
        if batch.report(index, outcome):
            del self._open[number]
            self._room.give_back(len(batch.records), batch.size)
            batch.settle()

    def _fate(self, error: KafkaError, topic: str) -> QuakestreamError:
        """What the callers are told about a record that was not acknowledged."""
        if error.code() in _REJECTED:
            return Rejected(error.str())
        if error.code() in _DENIED:
            return self._log.deny(f"Write of topic {topic}")
        return Retryable(error.str())

    def _lost_client(self, error: KafkaError) -> bool:
        """Whether the error says that this client will send nothing any more."""
        if error.fatal() or error.code() in _SEND_AGAIN:
            self._broken = True
        return self._broken

    def _renew(self) -> None:
        log.warning("producer renewed", client_id=self._log.client_id, queued=self.queued)
        self._purge()
        with self._lock:
            self._unsent = deque((number, batch, batch.unreported()[::-1]) for number, batch in self._open.items())
            self._refused.clear()
            self._client = self._new_client()
            self._broken = False

    def _purge(self) -> None:
        """Let the client drop what it has, and serve its last reports.

        Whoever hands over right now may have looked at `_broken` before it was set: that record is dropped, too. Sent
        by a client that is not dead, it would stand before those that the next one sends again.
        """
        with self._lock:
            self._client.purge()
        self._client.flush(REQUEST_TIMEOUT_S)

    def _new_client(self) -> Client:
        room = {"queue.buffering.max.messages": max(2 * self.queue_size, 1000)}
        return Client(
            self._log.settings(_PRODUCER, room, compressing(self._log.compression), {"error_cb": self._on_error})
        )

    def _on_error(self, error: KafkaError) -> None:
        self._log.hear(error)
        if error.code() in _DENIED and error.fatal():
            topics = {record.topic for batch in list(self._open.values()) for record in batch.records}
            whats = [f"Write of topic {topic}" for topic in sorted(topics)] or ["Write of any topic"]
            self._denied |= dict.fromkeys(whats, time.monotonic())
            for what in whats:
                self._denial = self._log.deny(what)
            self._broken = True
        elif self._lost_client(error):
            log.error("producer failed", error=error.str())


class Look:
    """A question that is asked again and again, and never waited for."""

    def __init__(self, ask: Callable[[], Future[Any]], interval_s: float) -> None:
        """`interval_s`: from an answer, or from giving up, to the next question; as long goes by before the first."""
        self._ask = ask
        self._interval_s = interval_s
        self._asked: Future[Any] | None = None
        self._next_s = time.monotonic() + interval_s
        """When to ask, or to give up what was asked."""

    def over(self) -> Future[Any] | None:
        """The question that is over: answered or, where it is not done, lost. None: none is."""
        now_s = time.monotonic()
        if self._asked is None:
            if now_s >= self._next_s:
                self._asked, self._next_s = self._ask(), now_s + NO_ANSWER_S
            return None
        if not self._asked.done() and now_s < self._next_s:
            return None
        asked, self._asked, self._next_s = self._asked, None, now_s + self._interval_s
        return asked


class KafkaReader(Reader):
    """A member of a Kafka consumer group that reads on from where its keeper says."""

    def __init__(
        self, owner: KafkaLog, topic: str, group: str, keeper: PositionKeeper, instance_id: str | None
    ) -> None:
        self._log = owner
        self._topic = topic
        self._group = group
        self._keeper = keeper
        self._instance_id = instance_id
        self._away_at = -math.inf  # when a broker was last out of reach, or this member was out of theirs
        self._polled_ms = boot_ms()
        self._reachable = True
        self._join()

    def _join(self) -> None:
        self._fenced = False
        self._refused: Fatal | None = None
        self._owned: dict[int, Partition] = {}  # what the keeper was told of
        self._positions: dict[int, int] = {}  # what is read: the next offset of each
        self._begun: dict[int, int] = {}  # where reading began, of each that nothing was stored of before
        self._coming: set[int] = set()  # given by the group, the keeper not yet asked
        self._going: set[int] = set()  # taken by the group, the keeper not yet told
        self._lost: dict[int, OffsetLost] = {}  # to be stopped, the keeper not yet told
        self._topic_look = Look(lambda: self._log.describing(self._topic), WATCH_INTERVAL_S)
        self._group_look = Look(lambda: self._log.describing_group(self._group), GROUP_INTERVAL_S)
        self._there: frozenset[int] = frozenset()  # the topic's partitions
        self._unread: frozenset[int] = frozenset()  # those that nobody was given
        self._unread_since = math.inf
        self._others = True  # as far as is known: whether the group has other members
        self._consumer = Consumer(self._log.settings(_CONSUMER, self._membership(), {"error_cb": self._on_error}))
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def _look_whether_it_slept(self) -> None:
        """Whether the group may have given this member up since the last look, as while its machine slept."""
        before_ms, self._polled_ms = self._polled_ms, boot_ms()
        if self._polled_ms - before_ms > SESSION_TIMEOUT_S * 1000:
            self._away_at = time.monotonic()

    def _membership(self) -> dict[str, Any]:
        settings: dict[str, Any] = {"group.id": self._group}
        if self._instance_id is not None:
            settings["group.instance.id"] = self._instance_id
        if self._log.group_protocol == "consumer":  # its time-outs and assignors are the broker's to set
            return {**settings, "group.protocol": "consumer"}
        session = {"session.timeout.ms": round(SESSION_TIMEOUT_S * 1000), "heartbeat.interval.ms": HEARTBEAT_MS}
        return {**settings, **session, "partition.assignment.strategy": "cooperative-sticky"}

    @property
    def reachable(self) -> bool:
        return self._reachable

    @property
    def trouble(self) -> str | None:
        if time.monotonic() - self._unread_since < UNREAD_S:
            return None
        return f"nobody in group {self._group} reads partitions {sorted(self._unread)} of {self._topic}"

    def poll(self, max_records: int, timeout_s: float) -> list[LoggedRecord]:
        deadline = time.monotonic() + timeout_s
        while True:
            self._look_whether_it_slept()
            self._tell_keeper()
            self._watch_topic()
            self._watch_group()
            wait_s = max(0.0, min(deadline - time.monotonic(), POLL_SLICE_S))
            records = self._accept(self._fetch(max_records, wait_s))
            if self._refused is not None:
                raise self._refused
            if records or time.monotonic() >= deadline:
                return records

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        offsets = [
            TopicPartition(self._topic, number, offset, self._log.client_id)
            for number, offset in next_offsets.items()
            if number in self._positions
        ]
        if offsets:
            with contextlib.suppress(KafkaException):  # for tools only: the next one will do
                self._consumer.commit(offsets=offsets, asynchronous=True)

    def reached(self, stored: Mapping[int, int]) -> Mapping[int, int]:
        reached = dict(stored)
        behind = [
            number
            for number, returned in self._positions.items()
            if stored.get(number, self._begun.get(number)) == returned
        ]
        if behind:
            with contextlib.suppress(KafkaException, RuntimeError):
                for place in self._consumer.position([TopicPartition(self._topic, number) for number in behind]):
                    if place.offset > reached.get(place.partition, 0):
                        reached[place.partition] = place.offset
        return reached

    def lag(self) -> Mapping[int, int]:
        lags: dict[int, int] = {}
        for number, position in self._positions.items():
            with contextlib.suppress(KafkaException):
                _, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), cached=True)
                if high >= 0:  # else nothing was fetched of it yet
                    lags[number] = max(high - position, 0)
        return lags

    def rejoin(self) -> None:
        try:
            self.close()
        finally:
            self._join()

    def close(self) -> None:
        with contextlib.suppress(KafkaException, RuntimeError):
            if self._others and not self._fenced:
                self._leave()
            self._consumer.close()
        owned = list(self._owned.values())
        self._owned.clear()
        self._positions.clear()
        if owned:
            self._keeper.revoked(owned)

    def _fetch(self, max_records: int, timeout_s: float) -> list[Message]:
        """What is there, as soon as there is something: `consume` alone would wait for the whole batch."""
        try:
            first = self._consumer.poll(timeout_s)
            if first is None:
                return []
            rest = self._consumer.consume(max_records - 1, 0) if max_records > 1 else []
        except KafkaException as error:
            self._on_error(error.args[0])
            return []
        return [first, *rest]

    def _accept(self, messages: Iterable[Message]) -> list[LoggedRecord]:
        """Keep what belongs to partitions that are still this reader's; look at the errors among them."""
        records: list[LoggedRecord] = []
        for message in messages:
            error = message.error()
            if error is not None:
                self._on_message_error(message, error)
                continue
            record = _logged(message)
            position = self._positions.get(record.partition)
            if position is None or record.offset < position or record.partition in self._going:
                continue  # fetched before the partition went away
            self._positions[record.partition] = record.offset + 1
            records.append(record)
        if records:
            self._reachable = True
        return [record for record in records if record.partition not in self._going]

    def _on_message_error(self, message: Message, error: KafkaError) -> None:
        number = message.partition()
        if error.code() in _OFFSET_GONE and number in self._owned:
            self._lost[number] = OffsetLost(f"{self._topic} partition {number}: {error.str()}")
        elif error.code() not in _NO_SUCH_TOPIC:  # a topic that does not exist yet is waited for
            self._on_error(error)

    def _on_error(self, error: KafkaError) -> None:
        """What librdkafka says of the client as a whole; what passes by itself it logs on its own."""
        self._log.hear(error)
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            self._log.deny(f"Read of group {self._group}")
        if error.code() in _AWAY:
            self._reachable = False
            self._away_at = time.monotonic()
        if error.code() in _OTHER_PROTOCOL:
            self._refused = Fatal(
                f"the members of group {self._group} use another protocol ({error.str()}): another program's consumers "
                "have this group. Use another KAFKA_GROUP_ID"
            )
        if error.code() == KafkaError.FENCED_INSTANCE_ID or error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001
            self._fenced = True
            log.warning("reader fenced", topic=self._topic, group=self._group, error=error.str())

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Answer the group at once; reading begins when the keeper has been asked."""
        self._log.allowed(f"Read of group {self._group}")
        consumer.incremental_assign([])
        self._coming.update(place.partition for place in partitions)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = {place.partition for place in partitions}
        self._coming -= numbers
        self._going |= numbers
        read = [place for place in partitions if place.partition in self._positions]
        with contextlib.suppress(KafkaException):
            consumer.incremental_unassign(read)

    def _tell_keeper(self) -> None:
        """Tell the keeper what went and what is lost, then ask it about what came."""
        if self._fenced:
            self._going.update(self._owned)
        gone = [self._owned.pop(number) for number in sorted(self._going) if number in self._owned]
        for number in self._going:
            self._positions.pop(number, None)
        self._going.clear()
        if gone:
            self._keeper.revoked(gone)
        if self._fenced:
            self._after_fencing()
        while self._lost:
            number, error = self._lost.popitem()
            if number in self._owned:
                self._stop(number, error)
        if self._coming:
            self._take_over(sorted(self._coming))

    def _after_fencing(self) -> None:
        """Another instance took the place; or, after an outage, this one's repeated request did: then join anew."""
        if time.monotonic() - self._away_at > OUTAGE_S:
            raise Fenced(f"this member of {self._group} (instance id {self._instance_id}) was replaced")
        log.warning("reader joins the group again after an outage", topic=self._topic, group=self._group)
        self.rejoin()

    def _take_over(self, numbers: list[int]) -> None:
        try:
            description = self._log.describe(self._topic)
            marks = self._log.watermarks(self._topic)
        except Unreachable:
            self._reachable = False
            return  # the next poll asks again
        if description is None or not marks.keys() >= set(numbers):
            return
        partitions = [Partition(description.log_id, self._topic, description.topic_id, number) for number in numbers]
        found = self._ask_keeper(partitions)
        begin: list[TopicPartition] = []
        for partition in partitions:
            number = partition.partition
            self._coming.discard(number)
            self._owned[number] = partition
            position = found[number]
            if not isinstance(position, OffsetLost):
                offset = marks[number].low if position is None else position
                lost = _out_of_range(self._topic, number, offset, marks[number])
                if lost is None:
                    self._positions[number] = offset
                    if position is None:
                        self._begun[number] = offset
                    begin.append(TopicPartition(self._topic, number, offset))
                    continue
                position = lost
            self._stop(number, position)
        if begin:
            self._consumer.incremental_assign(begin)

    def _ask_keeper(self, partitions: Sequence[Partition]) -> dict[int, int | OffsetLost | None]:
        """Each partition's position, or why there is none: one at a time only where one of several is lost."""
        try:
            positions = self._keeper.assigned(partitions)
        except OffsetLost as error:
            if len(partitions) == 1:
                return {partitions[0].partition: error}
            found: dict[int, int | OffsetLost | None] = {}
            for partition in partitions:
                found.update(self._ask_keeper([partition]))
            return found
        return {partition.partition: positions.get(partition.partition) for partition in partitions}

    def _stop(self, number: int, error: OffsetLost) -> None:
        """Read no more of a partition, though it stays this member's."""
        if self._positions.pop(number, None) is not None:
            with contextlib.suppress(KafkaException):
                self._consumer.incremental_unassign([TopicPartition(self._topic, number)])
        log.error("partition stopped", topic=self._topic, partition=number, error=str(error))
        self._keeper.stopped(self._owned[number], error)

    def _watch_topic(self) -> None:
        """Every second: does the cluster answer, and is the topic still the one that is read?"""
        answer = self._topic_look.over()
        if answer is None:
            return
        if not answer.done():
            self._reachable = False
            return
        try:
            description = self._log.described(self._topic, answer)
        except Unreachable:
            self._reachable = False
            return
        self._reachable = True
        if description is not None:
            self._there = frozenset(description.partitions)
            if "READ" in description.allowed:
                self._log.allowed(f"Read of topic {self._topic}")
            else:
                self._log.deny(f"Read of topic {self._topic}")
        for number in list(self._positions):
            if description is not None and description.topic_id != self._owned[number].topic_id:
                self._stop(number, OffsetLost(f"topic {self._topic} was made anew"))

    def _watch_group(self) -> None:
        """Every 5 s: is there a partition that nobody reads?

        A member that was told to give partitions up asks the group to share them out again when it has. Where it is
        started anew before that, the broker gives one with the same `group.instance.id` what it had been left with
        (KIP-345), and shares nothing out: the others' part is nobody's until somebody comes or goes.
        """
        answer = self._group_look.over()
        if answer is None:
            return
        try:
            group = answer.result() if answer.done() else None
        except KafkaException:  # whatever it is, `_watch_topic` says it
            group = None
        if group is None or group.state is not ConsumerGroupState.STABLE:
            self._unread, self._unread_since = frozenset(), math.inf  # what is not known is not said
            return
        given = {
            place.partition
            for member in group.members
            for place in member.assignment.topic_partitions
            if place.topic == self._topic
        }
        unread = self._there - given
        if unread != self._unread:
            self._unread, self._unread_since = unread, time.monotonic() if unread else math.inf
        names = sorted(member.group_instance_id or member.member_id for member in group.members)
        own = self._instance_id or self._consumer.memberid()
        self._others = names != [own]
        turn = names.index(own) + 1 if own in names else len(names) + 1
        if time.monotonic() - self._unread_since > turn * UNREAD_S:  # one after the other, until it is mended
            self._leave_and_join()

    def _leave_and_join(self) -> None:
        """Have the group share everything out again."""
        log.warning("joins the group anew, for nobody reads a part", topic=self._topic, partitions=sorted(self._unread))
        self._others = True
        self.rejoin()

    def _leave(self) -> None:
        """Be a member no more, so that the others have its part at once.

        With a `group.instance.id` one that closes stays a member until its session is over, so that it is given the
        same again when it comes back before that; one that asks for nothing leaves.
        """
        self._consumer.unsubscribe()
        until_s = time.monotonic() + LEAVE_S
        while self._consumer.assignment() and time.monotonic() < until_s:
            self._consumer.poll(LEAVE_SLICE_S)


class _Listener:
    """librdkafka's log lines of a client whose failures are said otherwise."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear

    def log(self, _level: int, _pattern: str, _kind: str, _client: str, text: str, *_rest: object) -> None:
        """As `logging.Logger.log`."""
        self._hear(re.sub(r"^\[thrd:[^\]]*\]: ", "", text))


class _ClientLog:
    """librdkafka's log lines in ours, each kind at most once in `LOG_INTERVAL_S`."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def log(self, level: int, pattern: str, kind: str, client: str, text: str, *_rest: object) -> None:
        """As `logging.Logger.log`; `kind` is librdkafka's facility."""
        del pattern
        if kind == "CONFWARN" and "will be ignored" in text:
            return  # KAFKA_CONFIG_FILE is for producers and consumers alike
        now = time.monotonic()
        if now - self._last.get(kind, -LOG_INTERVAL_S) >= LOG_INTERVAL_S:
            self._last[kind] = now
            log.log(level, "kafka client", kind=kind, client=client, text=text)


@contextlib.contextmanager
def _as_settings(chosen: Mapping[str, str]) -> Iterator[None]:
    """What librdkafka does not take of the settings is theirs: raises ConfigError with its words."""
    try:
        yield
    except (KafkaException, TypeError, ValueError) as error:
        said = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        ours = [field.upper() for field, name in kafka_settings.NAMES.items() if name in said and name in chosen]
        raise ConfigError(f"Config validation error: {(ours or ['KAFKA_CONFIG_FILE'])[0]} {said}") from error


def _logged(message: Any) -> LoggedRecord:  # a message without an error has everything that its type calls optional
    headers = message.headers()
    return LoggedRecord(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(headers) if headers else (),
    )


def _read_to_end(consumer: Consumer, max_records: int) -> list[LoggedRecord]:
    records: list[LoggedRecord] = []
    deadline = time.monotonic() + REQUEST_TIMEOUT_S
    while len(records) < max_records:
        if time.monotonic() > deadline:
            raise Unreachable("the log does not answer")
        message = consumer.poll(0.1)
        if message is None:
            continue
        error = message.error()
        if error is None:
            records.append(_logged(message))
            deadline = time.monotonic() + REQUEST_TIMEOUT_S
        elif error.code() == _END:
            break
        elif error.code() in _OFFSET_GONE:
            raise OffsetLost(error.str())
        elif error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, *_LOCKED_OUT):
            raise KafkaException(error)
    return records


def _out_of_range(topic: str, partition: int, offset: int, marks: Watermarks) -> OffsetLost | None:
    if marks.low <= offset <= marks.high:
        return None
    return OffsetLost(f"offset {offset} of {topic} partition {partition}: the log has {marks.low} to {marks.high}")
