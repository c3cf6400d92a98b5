"""The settings of each program: from the environment and a .env file, every fault named at once.

A setting's environment name is its field's name in capitals. `docs/settings.md` lists them all; a test holds it to this
file.
"""

from __future__ import annotations

import json
import os
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from quakestream import kafka_settings, tls
from quakestream.addresses import Hosts, Networks, UrlPrefix, listed, origin_of
from quakestream.errors import ConfigError
from quakestream.event import Mode
from quakestream.secrecy import conceal, conceal_passwords, redacted, redacted_all

Port = Annotated[int, Field(ge=0, le=65535)]
NEAR: Final = 0.8
"""How alike a name must be to be taken for a setting with a typing error, as `difflib` counts it, of 1."""
MAX_SECRET_BYTES: Final = 64 * 1024
NEAR_KAFKA: Final = 0.6
KAFKA: Final = "KAFKA_"
"""What is called so and is no setting is always told: it may be the one that was to keep others out."""
OF_OTHERS: Final = {
    **dict.fromkeys(
        ("KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVER", "KAFKA_BROKER_LIST", "KAFKA_BROKER", "KAFKA_HOST"),
        "KAFKA_BROKERS",
    ),
    **dict.fromkeys(("KAFKA_USERNAME", "KAFKA_USER", "KAFKA_API_KEY"), "KAFKA_SASL_USERNAME"),
    **dict.fromkeys(("KAFKA_PASSWORD", "KAFKA_API_SECRET"), "KAFKA_SASL_PASSWORD"),
    "KAFKA_COMPRESSION_TYPE": "KAFKA_COMPRESSION",
    "KAFKA_PROTOCOL": "KAFKA_SECURITY_PROTOCOL",
}
"""What other programs call the same."""
NOT_OURS: Final = re.compile(
    r"KAFKA(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)"
    r"|KAFKA_(HOME|OPTS|DEBUG|VERSION|JMX_PORT|(HEAP|JMX|LOG4J|LOG4J2|GC_LOG|JVM_PERFORMANCE)_OPTS)"
)
"""What Kubernetes puts into every container's environment, and what Kafka's own scripts use."""
NEEDED_FOR_KAFKA: Final = ("kafka_client_id", "kafka_brokers", "kafka_topic")
STREAM_TOPIC: Final = "earthquake-service-topic"
LEAST_INTERVAL_MS: Final = 1.0
"""The simulator's quickest pace over HTTP: 0.3 MB of log a second. As quick as it can it fills a disk."""


def _is_key(key: SecretStr) -> SecretStr:
    if not re.fullmatch(r"|[\x21-\x7e]{16,512}", key.get_secret_value()):
        raise ValueError("16 to 512 ASCII characters are wanted, without blanks")
    return key


def _is_database(url: SecretStr) -> SecretStr:
    said = url.get_secret_value()
    if said and not re.match(r"(sqlite|postgresql)(\+\w+)?://", said):
        raise ValueError("`postgresql://…` or `sqlite:///…` is wanted")
    if said:
        from sqlalchemy import exc, make_url  # noqa: PLC0415 - earthquake-service has no database

        try:
            make_url(said)
        except (exc.ArgumentError, ValueError):  # whose words may be a part of the password
            why = "no URL: in a user's name or password `/`, `?`, `#`, `:`, `@` and `%` are percent-encoded"
            raise ValueError(why) from None
    return url


Key = Annotated[SecretStr, AfterValidator(_is_key)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_is_database)]


class Settings(BaseModel):
    """What both programs have in common."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)  # most programs use one of them

    program: ClassVar[str]
    needed_for_kafka: ClassVar[tuple[str, ...]] = NEEDED_FOR_KAFKA

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """As they are shown: without the passwords of URLs."""
        return [(name, redacted_all(value)) for name, value in super().__repr_args__()]

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. `::` listens on all addresses of IPv4 and IPv6, `localhost` on 127.0.0.1 "
        "and `::1`.",
    )
    port: Port = Field(0, description="Port to listen on; 0 takes a free one.")
    tls_cert: str = Field(
        "", description="PEM file with our certificate and those between it and its CA: HTTP is served as `https`."
    )
    tls_key: str = Field("", description="PEM file with its key. Empty: it stands in `TLS_CERT`.")
    tls_key_password: SecretStr = Field(SecretStr(""), repr=False, description="Password of that key, if it has one.")
    max_connections_per_address: Annotated[int, Field(ge=1, le=100_000)] = Field(
        500,
        description="Most HTTP connections from one address. Live push has its own limits. "
        "Behind a proxy, all connections come from the proxy's address.",
    )
    allowed_hosts: str = Field(
        "",
        description="Names and addresses that requests may use in `Host`: `quakes.example.org,10.0.0.0/8`. "
        "`localhost`, 127.0.0.0/8, `[::1]`, `HOST` and the host of `PUBLIC_URL` are always allowed. "
        "Other names get 421, except on `/health/…`.",
    )
    public_url: str = Field(
        "",
        pattern=r"^$|^https?://[^\s]+[^/\s]$",
        description="Address at which people reach this service, for links in feeds and messages: "
        "`https://quakes.example.org`, or `https://example.org/quakes` where a proxy has it below a path. "
        "Empty: links in messages use `http://HOST:PORT`, normally `http://localhost:3002`.",
    )
    trusted_proxies: str = Field(
        "",
        description="Addresses and networks of your proxies: `127.0.0.1,10.0.0.0/8`. Only their `X-Forwarded-For`, "
        "`-Proto`, `-Host`, `-Port` and `-Prefix` are believed.",
    )
    cors_origins: str = Field(
        "",
        description="Origins of web pages that may read what is public: `https://map.example.org,https://example.com`, "
        "or `*` for all. Never with cookies or keys.",
    )
    data_dir: Path = Field(Path("data"), description="Folder that everything is kept in.")
    default_mode: Mode = Field("test", description="Mode of events that do not say theirs.")

    event_log: Literal["kafka", "embedded"] = Field(
        "kafka", description="`kafka`, or `embedded`: SQLite files in `DATA_DIR`, for a single machine."
    )
    kafka_client_id: str = Field("", description="Name of this client in the broker's logs. Needed for Kafka.")
    kafka_brokers: str = Field("", description="Brokers to connect to first: `host:port,…`. Needed for Kafka.")
    kafka_topic: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,235}$",
        description="Topic of the stream. Needed for Kafka. Embedded: `earthquake-service-topic`.",
    )
    source_status_topic: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,249}$",
        description="Compacted topic with the state of each source. Empty: `earthquake-source-status-topic`; for "
        "another `KAFKA_TOPIC` than `earthquake-service-topic`, that name and `.source-status`.",
    )
    kafka_group_id: str = Field(
        "", description="Consumer group. Needed for Kafka, by the consumer. Embedded: `earthquake-consumer-group`."
    )
    kafka_partitions: Annotated[int, Field(ge=1, le=1000)] = Field(
        6, description="Number of partitions, if the topic has to be created."
    )
    kafka_replication_factor: Annotated[int, Field(ge=1, le=7)] = Field(
        1, description="Copies of each partition, if a topic has to be created. Use 3 on a real cluster."
    )
    kafka_group_protocol: Literal["classic", "consumer"] = Field(
        "classic",
        description="Kafka's group protocol. `consumer` is KIP-848, whose session timeout is set on the broker.",
    )
    kafka_compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = Field(
        "gzip",
        description="How what is sent to Kafka is compressed: `none`, `gzip`, `snappy`, `lz4`, `zstd`. "
        "Every client reads `gzip`. Many need a package of their own for the last three.",
    )
    kafka_security_protocol: Literal["", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "",
        description="How to speak with the brokers: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`. "
        "Empty: `PLAINTEXT`. See [Kafka](kafka.md) for this and all that follows.",
    )
    kafka_sasl_mechanism: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "", description="How to log in, with `SASL_…`: `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER`."
    )
    kafka_sasl_username: str = Field("", description="User for `PLAIN` and `SCRAM-…`; a cloud calls it API key.")
    kafka_sasl_password: SecretStr = Field(
        SecretStr(""), repr=False, description="Password for `PLAIN` and `SCRAM-…`; a cloud calls it API secret."
    )
    kafka_sasl_oauthbearer_token_endpoint_url: str = Field(
        "", pattern=r"^$|^https?://", description="Where `OAUTHBEARER` gets its tokens, by OIDC's client credentials."
    )
    kafka_sasl_oauthbearer_client_id: str = Field("", description="Client id at that endpoint.")
    kafka_sasl_oauthbearer_client_secret: SecretStr = Field(
        SecretStr(""), repr=False, description="Client secret at that endpoint."
    )
    kafka_sasl_oauthbearer_scope: str = Field("", description="Scope to ask that endpoint for, if it wants one.")
    kafka_ssl_ca_location: str = Field(
        "", description="PEM file with the CAs that the brokers' certificates may be of. Empty: those of the system."
    )
    kafka_ssl_certificate_location: str = Field("", description="PEM file with our own certificate, for mutual TLS.")
    kafka_ssl_key_location: str = Field("", description="PEM file with its key.")
    kafka_ssl_key_password: SecretStr = Field(SecretStr(""), repr=False, description="Password of that key.")
    kafka_config_file: str = Field(
        "",
        description="File with more of librdkafka's settings, `name=value` as in Java's properties. "
        "What the promises rest on is refused by name.",
    )
    log_retention_hours: Annotated[float, Field(gt=0)] = Field(
        24 * 30, description="How long the log keeps events, if a topic has to be created."
    )
    log_retention_mb: Annotated[float, Field(gt=0)] = Field(
        4096, description="How much of each partition the log keeps, if a topic has to be created."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Log lines of this level and above."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="`auto`: readable text on a terminal, JSON lines elsewhere."
    )
    shutdown_timeout_s: Annotated[float, Field(gt=0, le=600)] = Field(
        10, description="How long a program that is told to stop may take to finish what it has accepted."
    )

    @field_validator("kafka_compression", mode="before")
    @classmethod
    def _in_small_letters(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("kafka_security_protocol", "kafka_sasl_mechanism", mode="before")
    @classmethod
    def _in_capitals(cls, value: object) -> object:
        return value.strip().upper() if isinstance(value, str) else value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, value: str) -> str:
        Hosts(listed(value))
        return value

    @field_validator("public_url")
    @classmethod
    def _has_an_origin(cls, value: str) -> str:
        if value:
            origin_of("/".join(value.split("/")[:3]))
            UrlPrefix.of(f"http://x{_path_of(value)}")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        Networks(listed(value))
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins_or_all(cls, value: str) -> str:
        for origin in listed(value):
            if origin != "*":
                origin_of(origin)
        return value

    def base_path(self) -> str:
        """The path of `PUBLIC_URL`, without a slash at its end; empty: there is none."""
        return _path_of(self.public_url)

    def listens_on(self) -> str:
        """The address that the program listens on."""
        return self.host

    def topic(self) -> str:
        """The stream's topic."""
        return self.kafka_topic or STREAM_TOPIC

    @property
    def scheme(self) -> str:
        """Of our own addresses."""
        return "https" if self.tls_cert else "http"

    def tls(self) -> ssl.SSLContext | None:
        """What speaks TLS; None: HTTP is plain.

        Raises:
            ConfigError: the files can't be used.
        """
        try:
            return self._tls() if self.tls_cert else None
        except ValueError as error:
            raise ConfigError(f"Config validation error: TLS_CERT {error}") from error

    def tls_faults(self) -> dict[str, str]:
        """Why HTTP can't be served with these: by field."""
        if not self.tls_cert:
            unused = "is of no use without TLS_CERT"
            return {name: unused for name in ("tls_key", "tls_key_password") if _said(getattr(self, name))}
        try:
            self._tls()
        except ValueError as error:
            return {"tls_cert": str(error)}
        return {}

    def _tls(self) -> ssl.SSLContext:
        return tls.server_context(self.tls_cert, self.tls_key, self.tls_key_password.get_secret_value())

    def kafka_client(self) -> dict[str, str]:
        """What Kafka's client is told of security, and by `KAFKA_CONFIG_FILE`, in librdkafka's names.

        Raises:
            ConfigError: the file can't be read any more.
        """
        try:
            file = kafka_settings.read_file(Path(self.kafka_config_file)) if self.kafka_config_file else {}
        except ValueError as error:
            raise ConfigError(f"Config validation error: KAFKA_CONFIG_FILE {error}") from error
        return kafka_settings.merged(self._kafka_said(), file)

    def kafka_faults(self) -> dict[str, str]:
        """What does not fit together of these: by field, what is wrong."""
        try:
            file = kafka_settings.read_file(Path(self.kafka_config_file)) if self.kafka_config_file else {}
        except ValueError as error:
            return {"kafka_config_file": str(error)}
        return kafka_settings.faults(self._kafka_said(), file)

    def _kafka_said(self) -> dict[str, str]:
        said = {name: _said(getattr(self, name)) for name in kafka_settings.NAMES}
        return {name: value for name, value in said.items() if value}

    def group(self) -> str:
        """The consumer group."""
        return self.kafka_group_id or "earthquake-consumer-group"


def _path_of(url: str) -> str:
    return "".join(f"/{step}" for step in url.split("/")[3:])


class ServiceSettings(Settings):
    """earthquake-service."""

    program = "earthquake-service"

    port: Port = Field(3001, description="Port to listen on; 0 takes a free one.")
    service_host: str = Field("", description="Address that this program listens on. Empty: `HOST`.")
    event_interval_ms: Annotated[float, Field(ge=LEAST_INTERVAL_MS, le=86_400_000)] = Field(
        100, description="Time between two simulated events, if `start` does not say it. 1 or more."
    )
    autostart_sources: str = Field(
        "",
        description="Sources to start with the program: `usgs,simulator`, or JSON like the `sources` of a start body. "
        "A stop or start over HTTP is remembered and comes first.",
    )
    fallback_recording: str = Field(
        "", description="Recording to play while no live source answers. `quakestream up` sets `usgs-week`."
    )
    fallback_after_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        10, description="How long to wait for live sources before `FALLBACK_RECORDING` is played."
    )
    publish_queue_size: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        10_000, description="Most events on their way to the log at once. Others wait."
    )
    usgs_feed_url: str = Field(
        "https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/",
        pattern=r"^https?://",
        description="Folder of the USGS summary feeds.",
    )
    usgs_fdsn_url: str = Field(
        "",
        pattern=r"^$|^https?://",
        description="FDSN event service of the USGS. Empty: `/fdsnws/event/1/` on the host of `USGS_FEED_URL`.",
    )
    emsc_websocket_url: str = Field(
        "wss://www.seismicportal.eu/standing_order/websocket",
        pattern=r"^wss?://",
        description="WebSocket of the EMSC.",
    )
    emsc_fdsn_url: str = Field(
        "https://www.seismicportal.eu/fdsnws/event/1/",
        pattern=r"^https?://",
        description="FDSN event service of the EMSC. It is asked for what the WebSocket did not deliver.",
    )
    jma_list_url: str = Field(
        "https://www.jma.go.jp/bosai/quake/data/list.json",
        pattern=r"^https?://",
        description="List of the Japan Meteorological Agency's bulletins.",
    )
    http_timeout_s: Annotated[float, Field(gt=0, le=300)] = Field(
        20, description="Longest wait for the answer of an agency."
    )
    contact: str = Field(
        "", description="Web or e-mail address at which agencies can reach you. It is sent in the User-Agent."
    )
    control_token: Key = Field(
        SecretStr(""),
        repr=False,
        description="Key for `start` and `stop`, 16 characters or more. Empty: only users of this machine may start "
        "and stop, and only while `HOST` is a loopback address and `PUBLIC_URL` is empty.",
    )
    control_origins: str = Field(
        "",
        description="Origins of web pages that may start and stop, with `CONTROL_TOKEN`: `https://ops.example.org`. "
        "`quakestream up` sets the origin of its own page.",
    )
    source_urls: str = Field(
        "",
        description="URLs that a start request may use as the `url` of a source, and everything below them: "
        "`https://example.org/fdsnws/event/1/`. Those of the presets are always allowed. "
        "Private addresses must be listed here.",
    )
    ingest_token: Key = Field(
        SecretStr(""),
        repr=False,
        description="Key for `POST /earthquake-events`, 16 characters or more. Empty: nobody may post.",
    )
    ingest_sources: str = Field(
        "",
        pattern=r"^[^\s:/]*$",
        description="Names that posted events may have as `source`: `mine,partner`. Empty: all but those of agencies.",
    )

    def listens_on(self) -> str:
        """The address that the program listens on."""
        return self.service_host or self.host

    @field_validator("control_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        for origin in listed(value):
            origin_of(origin)
        return value

    @field_validator("source_urls")
    @classmethod
    def _are_urls(cls, value: str) -> str:
        for url in listed(value):
            UrlPrefix.of(url)
        return value

    @field_validator("autostart_sources")
    @classmethod
    def _is_names_or_json(cls, value: str) -> str:
        source_list(value)
        return value


class ConsumerSettings(Settings):
    """earthquake-consumer."""

    program = "earthquake-consumer"
    needed_for_kafka = (*NEEDED_FOR_KAFKA, "kafka_group_id")

    port: Port = Field(3002, description="Port to listen on; 0 takes a free one.")
    consumer_host: str = Field("", description="Address that this program listens on. Empty: `HOST`.")
    database_url: DatabaseUrl = Field(
        SecretStr(""),
        repr=False,
        description="Database of the catalogue: `postgresql://…`. Empty: SQLite in `DATA_DIR`.",
    )
    log_events: Literal["", "false", "short", "json"] = Field(
        "",
        description="How to print each event as it comes. `short` (or `true`): a short line. `json`: one line of JSON. "
        "`false`: not at all. Empty: `short` on a terminal, `json` elsewhere.",
    )
    dead_letters_in_a_row: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        500,
        description="After so many messages of a partition in a row that can't be read, the next such one stops it: a "
        "person must look. A release that can read nothing makes no dead letters of all that there is. 0: no limit.",
    )
    ingest_batch_size: Annotated[int, Field(ge=1, le=10_000)] = Field(
        500, description="Most events in one transaction."
    )
    republish: bool = Field(True, description="Whether to publish every change of the catalogue to `CATALOG_TOPIC`.")
    catalog_topic: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,249}$",
        description="Compacted topic that gets every change, for other services. Each catalogue needs one of its own. "
        "Empty: `earthquake-catalog-topic`; for another `KAFKA_TOPIC` than `earthquake-service-topic`, that name and "
        "`.catalog`.",
    )
    changes_retention_days: Annotated[float, Field(gt=0)] = Field(
        90, description="How long changes are kept in the change feed. The history of each earthquake is kept for ever."
    )
    catalog_max_mb: Annotated[float, Field(ge=0)] = Field(
        0, description="Size above which older changes are removed earlier, on SQLite. 0: no limit."
    )

    push_max_connections: Annotated[int, Field(ge=0, le=100_000)] = Field(
        12_000, description="Most clients of live push at once. Others get 503. Each client takes a file descriptor."
    )
    push_max_connections_per_address: Annotated[int, Field(ge=1, le=100_000)] = Field(
        1_000,
        description="Most of them from one address. Behind a proxy that `TRUSTED_PROXIES` does not list, all come from "
        "the proxy's address.",
    )

    embed_origins: str = Field(
        "",
        description="Origins of web pages that may show `/embed` in a frame: `https://news.example.org`, "
        "`https://*.example.org`, or `*` for all. Empty: none.",
    )
    service_url: str = Field(
        "",
        pattern=r"^$|^https?://[^\s;,'\"?#]+$",
        description="Where the readers' browsers reach earthquake-service, so that the page can start and stop the "
        "stream: `https://quakes.example.org/service`. The page's origin must be one of `CONTROL_ORIGINS` there. "
        "Empty: the page has no such buttons. `quakestream up` sets it.",
    )
    cap_sender: str = Field(
        "quakestream@localhost",
        pattern=r"^[^\s,<&]+$",
        description="Sender of the CAP messages. Use an address at a domain of yours.",
    )

    alerts: bool = Field(True, description="Whether to send alerts to subscribers.")
    alert_max_age_h: Annotated[float, Field(gt=0, le=240)] = Field(
        1, description="Earthquakes that are older than this when they become known are not alerted."
    )
    alerts_token: Key = Field(
        SecretStr(""),
        repr=False,
        description="Key for `/api/v1/subscriptions`, 16 characters or more. Empty: nobody may use it.",
    )
    subscriptions_file: str = Field("", description="YAML file with subscriptions, if you want to keep them in git.")
    alert_channels: str = Field(
        "webhook,apprise,webpush",
        pattern=r"^[a-z][a-z0-9-]*(,[a-z][a-z0-9-]*)*$",
        description="Channels that subscriptions may use. `console` prints the messages.",
    )
    alert_target_rate: Annotated[float, Field(gt=0, le=1_000_000)] = Field(
        100, description="Most messages per second from one instance to one target."
    )
    alert_private_targets: bool = Field(
        False,
        description="Whether messages may go to this machine and its own network. Subscribers choose the addresses.",
    )

    @field_validator("embed_origins")
    @classmethod
    def _may_embed(cls, value: str) -> str:
        for origin in listed(value):
            if origin != "*":
                origin_of(origin.replace("://*.", "://any.", 1))
        return value

    @field_validator("service_url")
    @classmethod
    def _has_an_origin(cls, value: str) -> str:
        if value:
            origin_of("/".join(value.split("/")[:3]))
        return value.rstrip("/")

    @field_validator("log_events", mode="before")
    @classmethod
    def _may_be_a_boolean(cls, value: object) -> object:
        word = str(value).strip().lower()
        if word in {"true", "1", "yes", "on", "y", "t"}:
            return "short"
        return "false" if word in {"0", "no", "off", "n", "f"} else word

    basemap_style: str = Field(
        "",
        pattern=r"^$|^https?://[^\s;,'\"]+$",
        description="URL of a MapLibre style to use instead of the built-in map. The readers' browsers load it.",
    )
    basemap_origins: str = Field(
        "",
        pattern=r"^$|^https?://[^\s;,'\"/]+(,https?://[^\s;,'\"/]+)*$",
        description="Origins of the tiles, fonts and sprites of that style: `https://tiles.example,https://fonts.example`.",
    )

    def listens_on(self) -> str:
        """The address that the program listens on."""
        return self.consumer_host or self.host

    def on_postgresql(self) -> bool:
        """Whether the catalogue is in PostgreSQL."""
        return self.database_url.get_secret_value().startswith("postgresql")

    def database_file(self) -> Path | None:
        """The catalogue's file; None where it is in PostgreSQL."""
        if self.on_postgresql():
            return None
        said = self.database_url.get_secret_value()
        named = ""
        if said:
            from sqlalchemy import make_url  # noqa: PLC0415

            named = make_url(said).database or ""
        return self.data_dir / (named or "catalogue.sqlite3")

    def link_url(self) -> str:
        """Where a message's links lead to; empty where that can't be known, for `PORT` is 0."""
        if self.public_url or not self.port:
            return self.public_url
        here = {"127.0.0.1", "::1", "0.0.0.0", "::", ""}  # noqa: S104 - what is listened on, told as one reaches it
        host = self.listens_on()
        shown = "localhost" if host in here else f"[{host}]" if ":" in host else host
        return f"{self.scheme}://{shown}:{self.port}"

    def catalog_max_bytes(self) -> int | None:
        """`CATALOG_MAX_MB` in bytes; None: no limit."""
        return round(self.catalog_max_mb * 1024 * 1024) or None


def source_list(value: str) -> list[dict[str, Any]]:
    """`AUTOSTART_SOURCES` as the `sources` of a start body.

    Raises:
        ValueError: JSON that is not a list of objects that have a name.
    """
    value = value.strip()
    if not value.startswith("["):
        return [{"name": name.strip()} for name in value.split(",") if name.strip()]
    sources = json.loads(value)
    if not all(isinstance(source, dict) and isinstance(source.get("name"), str) for source in sources):
        raise ValueError('a list of objects with a "name" is wanted')
    return list(sources)


S = TypeVar("S", bound=Settings)


def load(
    kind: type[S],
    env_file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> S:
    """The settings of one program.

    From `env_file`, else `configs/<program>.env`, else `configs/.env`, where present; the environment wins over the
    file, and `overrides` (from the command line) over both. An empty value counts as absent. `defaults` stand in place
    of the fields' own.

    Raises:
        ConfigError: one line that names every setting at fault.
    """
    said = values(kind, env_file, environment)
    faults = _take_secrets(kind, said)
    given = dict(defaults or {}) | {name: value for name, value in said.items() if name in kind.model_fields}
    given |= overrides

    for value in given.values():
        conceal_passwords(str(value))
    if given.get("event_log", "kafka") == "kafka":
        faults |= {name: "is needed when EVENT_LOG=kafka" for name in kind.needed_for_kafka if not given.get(name)}
    settings: S | None = None
    try:
        settings = kind.model_validate(given)
    except ValidationError as error:
        for fault in error.errors():
            name = str(fault["loc"][0])
            shown = kind.model_fields[name].repr  # a key is not: it would stand in logs
            got = f" (got {redacted(str(fault['input']))[:80]!r})" if shown else ""
            faults[name] = f"{fault['msg'].removeprefix('Value error, ')}{got}"
    if settings is not None:
        faults |= settings.tls_faults()
        if settings.event_log == "kafka":
            faults |= settings.kafka_faults()
    if settings is None or faults:
        meant = {one.meant: one.name for one in mistaken_names(kind, env_file, environment) if one.meant}
        faults |= {
            name: f"{fault} (there is {meant[name.upper()]}, which is not a setting)"
            for name, fault in faults.items()
            if name.upper() in meant
        }
        listed = "; ".join(f"{name.upper()} {fault}" for name, fault in sorted(faults.items()))
        raise ConfigError(f"Config validation error: {listed}")
    for value in vars(settings).values():
        if isinstance(value, SecretStr):
            conceal(value.get_secret_value())
    return settings


def _said(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def secret_names(kind: type[Settings]) -> list[str]:
    """The fields that are secrets: each may stand in a file that `<NAME>_FILE` names."""
    return [name for name, field in kind.model_fields.items() if field.annotation is SecretStr]


def _take_secrets(kind: type[Settings], said: dict[str, str]) -> dict[str, str]:
    """Put the secrets that stand in files of their own among what is said; by name, what is wrong."""
    faults: dict[str, str] = {}
    for name in secret_names(kind):
        path = said.get(f"{name}_file")
        if path is None:
            continue
        if name in said:
            faults[name] = f"is said twice, here and by {name.upper()}_FILE"
            continue
        try:
            with Path(path).open(encoding="utf-8", newline="") as file:
                secret = file.read(MAX_SECRET_BYTES + 1)
        except OSError as error:
            faults[f"{name}_file"] = f"can't be read: {_as_path(path)}: {error.strerror or error}"
            continue
        except ValueError:
            faults[f"{name}_file"] = f"can't be read: {_as_path(path)}: not UTF-8"
            continue
        secret = secret.removesuffix("\n").removesuffix("\r")
        if not secret or len(secret) > MAX_SECRET_BYTES:
            faults[f"{name}_file"] = f"{_as_path(path)} is {'too long for a secret' if secret else 'empty'}"
            continue
        said[name] = secret
    return faults


def _as_path(path: str) -> str:
    """A path as it may be shown: somebody may have put the secret itself there."""
    return path if re.match(r"\.{0,2}/", path) else "(a path is wanted)"


def values(
    kind: type[Settings], env_file: Path | None = None, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What the file and the environment say, as it stands there, by names in small letters; also what is no setting.

    Raises:
        ConfigError: the file can't be read.
    """
    said = {name.lower(): value for name, value in _file_values(kind, env_file).items() if value}
    environ = os.environ if environment is None else environment
    return said | {name.lower(): value for name, value in environ.items() if value and name == name.upper()}


@dataclass(frozen=True, slots=True)
class Mistake:
    """A name that is no setting, and the setting that it is near to; empty: none."""

    name: str
    meant: str = ""
    file: str = ""

    @property
    def grave(self) -> bool:
        """Whether something was surely wanted that does not happen."""
        return bool(self.meant) or self.name.upper().startswith(KAFKA)

    def __str__(self) -> str:
        where = f" in {self.file}" if self.file else ""
        hint = f". Did you mean {self.meant}?" if self.meant else ""
        return f"{self.name}{where} is not a setting{hint}"


def mistaken_names(
    kind: type[Settings], env_file: Path | None = None, environment: Mapping[str, str] | None = None
) -> list[Mistake]:
    """What looks like a setting and is none: of the environment what is near to one, of the file everything.

    Raises:
        ConfigError: the file can't be read.
    """
    known = [name.upper() for name in ServiceSettings.model_fields.keys() | ConsumerSettings.model_fields.keys()]
    known += [f"{name.upper()}_FILE" for one in (ServiceSettings, ConsumerSettings) for name in secret_names(one)]
    prefixes = {name.partition("_")[0] for name in known if "_" in name}
    compact = {name.replace("_", ""): name for name in known}

    def meant(name: str) -> str:
        word = name.upper().replace("-", "_")
        if word in OF_OTHERS:
            return OF_OTHERS[word]
        longer = min((name for name in known if word.startswith(KAFKA) and name.startswith(word)), key=len, default="")
        if longer:
            return longer
        near = get_close_matches(word, known, 1, NEAR_KAFKA if word.startswith(KAFKA) else NEAR)
        return compact.get(word.replace("_", ""), near[0] if near else "")

    mistakes = [
        Mistake(name, meant(name), str(env_file or _own_file(kind)))
        for name in _file_values(kind, env_file)
        if name.upper() not in known
    ]
    for name in sorted(os.environ if environment is None else environment):
        if name == name.upper() and name not in known and not NOT_OURS.fullmatch(name):
            ours = name.partition("_")[0] in prefixes or name.replace("_", "") in compact
            if (name.startswith(KAFKA) or ours) and ((word := meant(name)) or name.startswith(KAFKA)):
                mistakes.append(Mistake(name, word))
    return mistakes


def as_markdown() -> str:
    """Every setting of both programs, as `docs/settings.md` shows them."""
    shared = Settings.model_fields.keys() - {"port"}
    secrets = sorted({name for kind in (ServiceSettings, ConsumerSettings) for name in secret_names(kind)})
    named = ", ".join(f"`{name.upper()}`" for name in secrets)
    parts = [
        "# Settings",
        SETTINGS_PREFACE.replace("SECRETS", named),
        "## Both programs",
        _table(Settings, sorted(shared)),
    ]
    for kind in (ServiceSettings, ConsumerSettings):
        parts += [f"## {kind.program}", _table(kind, [name for name in kind.model_fields if name not in shared])]
    return "\n\n".join(parts) + "\n"


SETTINGS_PREFACE = """\
Settings come from the environment and from a `.env` file. The file is the one that `--env-file` names, or
`configs/<program>.env` if it exists, or else `configs/.env`. The environment wins over the file. An empty value counts
as absent.

If settings are missing or wrong, the program names all of them in one line and exits with 2. `quakestream check-config`
checks the settings without starting anything. It also finds mistyped names.

A secret can stand in a file of its own, which the setting's name with `_FILE` names:
`CONTROL_TOKEN_FILE=/run/secrets/control`. A line break at its end is no part of it. The secrets are SECRETS.

The other commands of `quakestream` use the embedded log in `DATA_DIR`, if there is one and neither `EVENT_LOG` nor any
`KAFKA_*` is set. They say so. This page is what `quakestream settings` prints."""


def _table(kind: type[Settings], names: Iterable[str]) -> str:
    rows = ["| setting | default | |", "|---|---|---|"]
    for name in names:
        field = kind.model_fields[name]
        said = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        default = json.dumps(said, default=str).strip('"') if said != "" else ""
        rows.append(f"| `{name.upper()}` | {f'`{default}`' if default else ''} | {field.description} |")
    return "\n".join(rows)


def _own_file(kind: type[Settings]) -> Path:
    """The program's own, else the one for whichever program is alone in the folder."""
    own = Path("configs") / f"{kind.program}.env"
    shared = own.with_name(".env")
    return shared if shared.is_file() and not own.is_file() else own


def _file_values(kind: type[Settings], env_file: Path | None) -> dict[str, str | None]:
    if env_file is None:
        env_file = _own_file(kind)
        if not env_file.is_file():
            return {}
    try:
        with env_file.open(encoding="utf-8-sig") as file:
            return dotenv_values(stream=file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Config validation error: --env-file {env_file}: {error}") from error
