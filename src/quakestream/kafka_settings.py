"""What Kafka's client is told beside our own settings: who we are and whom we trust, and `KAFKA_CONFIG_FILE`.

Names and values are librdkafka's: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import javaproperties

from quakestream.secrecy import conceal

NAMES: Final = {
    "kafka_security_protocol": "security.protocol",
    "kafka_sasl_mechanism": "sasl.mechanisms",
    "kafka_sasl_username": "sasl.username",
    "kafka_sasl_password": "sasl.password",
    "kafka_sasl_oauthbearer_token_endpoint_url": "sasl.oauthbearer.token.endpoint.url",
    "kafka_sasl_oauthbearer_client_id": "sasl.oauthbearer.client.id",
    "kafka_sasl_oauthbearer_client_secret": "sasl.oauthbearer.client.secret",
    "kafka_sasl_oauthbearer_scope": "sasl.oauthbearer.scope",
    "kafka_ssl_ca_location": "ssl.ca.location",
    "kafka_ssl_certificate_location": "ssl.certificate.location",
    "kafka_ssl_key_location": "ssl.key.location",
    "kafka_ssl_key_password": "ssl.key.password",
}
"""Our settings, by field, that are handed on under librdkafka's name."""
FILES: Final = ("kafka_ssl_ca_location", "kafka_ssl_certificate_location", "kafka_ssl_key_location")
MAX_FILE_BYTES: Final = 256 * 1024

_ALIASES: Final = {"sasl.mechanism": "sasl.mechanisms"}
_HAVE_A_SETTING: Final = {
    "bootstrap.servers": "KAFKA_BROKERS",
    "metadata.broker.list": "KAFKA_BROKERS",
    "client.id": "KAFKA_CLIENT_ID",
    "group.id": "KAFKA_GROUP_ID",
    "group.protocol": "KAFKA_GROUP_PROTOCOL",
    "compression.codec": "KAFKA_COMPRESSION",
    "compression.type": "KAFKA_COMPRESSION",
}
_RESTED_ON: Final = {
    **dict.fromkeys(("acks", "request.required.acks"), "is all: what is acknowledged is never lost"),
    **dict.fromkeys(
        ("enable.idempotence", "enable.gapless.guarantee"), "is what keeps events from being doubled or reordered"
    ),
    **dict.fromkeys(
        ("max.in.flight", "max.in.flight.requests.per.connection"), "is 1, so that an error reorders nothing"
    ),
    **dict.fromkeys(
        ("message.timeout.ms", "delivery.timeout.ms", "retries", "message.send.max.retries"),
        "has no limit: an event is tried until it is acknowledged",
    ),
    **dict.fromkeys(
        ("partitioner", "partitioner_cb", "sticky.partitioning.linger.ms"),
        "puts one key into one partition, as every client does",
    ),
    **dict.fromkeys(("delivery.report.only.error", "dr_cb", "dr_msg_cb"), "tells what was acknowledged"),
    **dict.fromkeys(("transactional.id", "transaction.timeout.ms"), "is not used: nothing is written in a transaction"),
    "isolation.level": "is read_committed: what was taken back is not read",
    **dict.fromkeys(
        (
            "enable.auto.commit",
            "auto.commit.enable",
            "auto.commit.interval.ms",
            "enable.auto.offset.store",
            "auto.offset.reset",
            "offset.store.method",
            "offset.store.path",
        ),
        "is not Kafka's to say: positions are kept in the catalogue",
    ),
    "partition.assignment.strategy": "is cooperative-sticky",
    "group.instance.id": "is kept in DATA_DIR",
    "group.protocol.type": "is `consumer`",
    "allow.auto.create.topics": "is off: topics are made with KAFKA_PARTITIONS partitions",
    "enable.partition.eof": "is what reading to the end rests on",
    **dict.fromkeys(("log.queue", "logger"), "is what leads to our own log"),
    **dict.fromkeys(("test.mock.num.brokers", "test.mock.broker.rtt"), "would put a toy in Kafka's place"),
}
_SECRET: Final = re.compile(r"password|secret|token(?!\.endpoint)|\.pem$|jaas|private", re.IGNORECASE)
_SASL: Final = "sasl."
_SSL: Final = "ssl."


def read_file(path: Path) -> dict[str, str]:
    """The settings of a `name=value` file, as Java reads properties. Its secrets are shown nowhere from now on.

    Raises:
        ValueError: it can't be read, or says what it may not; each fault by name.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"{path}: more than {MAX_FILE_BYTES} bytes")
        found = javaproperties.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8") from error
    except javaproperties.InvalidUEscapeError as error:
        raise ValueError(f"{path}: {error}") from error
    for name, value in found.items():
        if _SECRET.search(name):
            conceal(value)
    said = {_ALIASES.get(name, name): value.strip() for name, value in found.items()}
    faults = [fault for name in said for fault in _refusals(name)]
    if faults:
        raise ValueError(f"{path}: {', '.join(faults)}")
    return said


def _refusals(name: str) -> Iterator[str]:
    if name in _HAVE_A_SETTING:
        yield f"{name} is said by {_HAVE_A_SETTING[name]}"
    elif name in _RESTED_ON:
        yield f"{name} can't be chosen, for it {_RESTED_ON[name]}"


def faults(settings: Mapping[str, str], file: Mapping[str, str]) -> dict[str, str]:
    """What does not fit together: by our setting's field, what is wrong.

    `settings`: those of `NAMES` that are said, by field; `file`: of `read_file`.
    """
    found = {
        field: f"is said twice, here and as {NAMES[field]} in KAFKA_CONFIG_FILE"
        for field in settings
        if NAMES[field] in file
    }
    said = merged(settings, file)
    protocol = said.get("security.protocol", "PLAINTEXT").upper()
    for field, value in settings.items():
        name = NAMES[field]
        if field in FILES and (why := _no_file(value)):
            found[field] = why
        elif name.startswith(_SASL) and not protocol.startswith("SASL_"):
            found[field] = f"is of no use: KAFKA_SECURITY_PROTOCOL is {protocol}, not SASL_SSL or SASL_PLAINTEXT"
        elif name.startswith(_SSL) and not protocol.endswith("SSL"):
            found[field] = f"is of no use: KAFKA_SECURITY_PROTOCOL is {protocol}, not SSL or SASL_SSL"
    if protocol.startswith("SASL_"):
        found |= {field: why for field, why in _missing(said).items() if field not in found}
    certificate, key = "ssl.certificate.location" in said, "ssl.key.location" in said
    if certificate and not key and "ssl.key.pem" not in said:
        found.setdefault("kafka_ssl_key_location", "is needed with KAFKA_SSL_CERTIFICATE_LOCATION")
    if key and not certificate and "ssl.certificate.pem" not in said:
        found.setdefault("kafka_ssl_certificate_location", "is needed with KAFKA_SSL_KEY_LOCATION")
    return found


def _no_file(path: str) -> str | None:
    if "-----BEGIN" in path:
        return "wants the path of a PEM file, not what stands in it"
    try:
        Path(path).stat()
    except (OSError, ValueError) as error:
        return f"can't be read: {path[:200]}: {getattr(error, 'strerror', None) or error}"
    return None


def _missing(said: Mapping[str, str]) -> dict[str, str]:
    mechanism = said.get("sasl.mechanisms", "").upper()
    if not mechanism:
        return {"kafka_sasl_mechanism": "is needed with KAFKA_SECURITY_PROTOCOL=SASL_…"}
    if mechanism == "OAUTHBEARER":
        if "enable.sasl.oauthbearer.unsecure.jwt" in said or "sasl.oauthbearer.method" in said:
            return {}  # another way to a token, by KAFKA_CONFIG_FILE
        needed = [field for field in NAMES if re.search(r"_oauthbearer_.*(url|id|secret)$", field)]
    else:
        needed = ["kafka_sasl_username", "kafka_sasl_password"] if mechanism != "GSSAPI" else []
    return {field: f"is needed for {mechanism}" for field in needed if NAMES[field] not in said}


def merged(settings: Mapping[str, str], file: Mapping[str, str]) -> dict[str, str]:
    """What the client is told."""
    said = {**file, **{NAMES[field]: value for field, value in settings.items()}}
    if said.get("sasl.mechanisms", "").upper() == "OAUTHBEARER" and "sasl.oauthbearer.token.endpoint.url" in said:
        said.setdefault("sasl.oauthbearer.method", "oidc")
    return said
