"""The settings of each program: from the environment and a .env file, every fault named at once.

A setting's environment name is its field's name in capitals. `docs/settings.md` lists them all; a test holds it to this
file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from quakestream.addresses import Hosts, UrlPrefix, listed, origin_of
from quakestream.errors import ConfigError
from quakestream.event import Mode
from quakestream.secrecy import conceal, conceal_passwords, redacted, redacted_all

Port = Annotated[int, Field(ge=0, le=65535)]
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

    model_config = ConfigDict(frozen=True, extra="ignore")

    program: ClassVar[str]

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """As they are shown: without the passwords of URLs."""
        return [(name, redacted_all(value)) for name, value in super().__repr_args__()]

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(0, description="Port to listen on; 0 takes a free one.")
    max_connections_per_address: Annotated[int, Field(ge=1, le=100_000)] = Field(
        500,
        description="Most HTTP connections from one address; live push has bounds of its own. "
        "Behind a proxy all come from the proxy's.",
    )
    allowed_hosts: str = Field(
        "",
        description="What this service may be called in `Host`: `quakes.example.org,10.0.0.0/8`. Beside it "
        "`localhost`, 127.0.0.0/8, `[::1]`, `HOST` and `PUBLIC_URL`'s host. Other names get 421, but for `/health/…`.",
    )
    public_url: str = Field(
        "",
        pattern=r"^$|^https?://[^\s]+[^/\s]$",
        description="Where people reach this service, for links in feeds and messages: `https://quakes.example.org`. "
        "Empty: messages lead to `http://HOST:PORT`, `http://localhost:3002` unless these say otherwise.",
    )
    data_dir: Path = Field(Path("data"), description="Folder for all that this program keeps.")
    default_mode: Mode = Field("test", description="Mode of an event that does not say its own.")

    event_log: Literal["kafka", "embedded"] = Field(
        "kafka", description="`kafka`, or `embedded`: SQLite files in `DATA_DIR`, for one machine."
    )
    kafka_client_id: str = Field("", description="Name of this client, in the broker's logs. Needed for Kafka.")
    kafka_brokers: str = Field("", description="`host:port,…` to begin with. Needed for Kafka.")
    kafka_topic: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,240}$",
        description="Topic of the stream. Needed for Kafka; embedded: `earthquake-service-topic`.",
    )
    kafka_group_id: str = Field(
        "", description="Consumer group. Needed for Kafka; embedded: `earthquake-consumer-group`."
    )
    kafka_partitions: Annotated[int, Field(ge=1, le=1000)] = Field(
        6, description="Partitions of the topic, when it has to be made."
    )
    kafka_replication_factor: Annotated[int, Field(ge=1, le=7)] = Field(
        1, description="Copies of each partition, when a topic has to be made. 3 on a real cluster."
    )
    kafka_group_protocol: Literal["classic", "consumer"] = Field(
        "classic", description="`consumer` is KIP-848; its session time-out is the broker's to set."
    )
    log_retention_hours: Annotated[float, Field(gt=0)] = Field(
        24 * 30, description="How long the log keeps events, when a topic has to be made."
    )
    log_retention_mb: Annotated[float, Field(gt=0)] = Field(
        4096, description="How much of a partition the log keeps, when a topic has to be made."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe line to log.")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="`auto`: for people on a terminal, JSON lines elsewhere."
    )
    shutdown_timeout_s: Annotated[float, Field(gt=0, le=600)] = Field(
        10, description="How long SIGTERM waits for what was accepted to be delivered."
    )

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
        return value

    def topic(self) -> str:
        """The stream's topic."""
        return self.kafka_topic or "earthquake-service-topic"

    def group(self) -> str:
        """The consumer group."""
        return self.kafka_group_id or "earthquake-consumer-group"


NEEDED_FOR_KAFKA = ("kafka_client_id", "kafka_brokers", "kafka_topic", "kafka_group_id")


class ServiceSettings(Settings):
    """earthquake-service."""

    program = "earthquake-service"

    port: Port = Field(3001, description="Port to listen on; 0 takes a free one.")
    event_interval_ms: Annotated[float, Field(ge=LEAST_INTERVAL_MS, le=86_400_000)] = Field(
        100, description="Pace of the simulator where `start` does not say; 1 or more."
    )
    autostart_sources: str = Field(
        "", description='Sources to start unasked: `usgs,simulator`, or the JSON of a start body\'s `"sources"`.'
    )
    fallback_recording: str = Field(
        "", description="Recording to replay while no live source answers; `quakestream up` sets `usgs-week`."
    )
    fallback_after_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        10, description="How long live sources may take to answer before `FALLBACK_RECORDING` is replayed."
    )
    publish_queue_size: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        10_000, description="Events on their way to the log at once; more wait."
    )
    usgs_feed_url: str = Field(
        "https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/",
        pattern=r"^https?://",
        description="Folder of the USGS summary feeds.",
    )
    usgs_fdsn_url: str = Field(
        "",
        pattern=r"^$|^https?://",
        description="The USGS's FDSN event service. Empty: `/fdsnws/event/1/` on the host of `USGS_FEED_URL`.",
    )
    emsc_websocket_url: str = Field(
        "wss://www.seismicportal.eu/standing_order/websocket",
        pattern=r"^wss?://",
        description="The EMSC's standing order.",
    )
    emsc_fdsn_url: str = Field(
        "https://www.seismicportal.eu/fdsnws/event/1/",
        pattern=r"^https?://",
        description="The EMSC's FDSN event service, asked for what the standing order did not bring.",
    )
    http_timeout_s: Annotated[float, Field(gt=0, le=300)] = Field(
        20, description="Longest wait for an agency's answer."
    )
    contact: str = Field("", description="Web or mail address for agencies to reach you by, in the User-Agent.")
    control_token: Key = Field(
        SecretStr(""),
        repr=False,
        description="Key of `start` and `stop`, 16 characters or more. Empty: only a user of this machine may, while "
        "`HOST` is a loopback address and `PUBLIC_URL` is empty.",
    )
    control_origins: str = Field(
        "",
        description="Origins whose pages may start and stop, with `CONTROL_TOKEN`: `https://ops.example.org`. "
        "`quakestream up` sets its own page's.",
    )
    source_urls: str = Field(
        "",
        description="What a start body may name as a source's `url`: these URLs and what lies below them, "
        "`https://example.org/fdsnws/event/1/`. Beside them the presets' own. "
        "A private address only where one names it.",
    )
    ingest_token: Key = Field(
        SecretStr(""),
        repr=False,
        description="Key of `POST /earthquake-events`, 16 characters or more. Empty: nobody may post.",
    )
    ingest_sources: str = Field(
        "",
        pattern=r"^[^\s:/]*$",
        description="`source` names that may be posted, `mine,partner`. Empty: all but the agencies' own.",
    )

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

    port: Port = Field(3002, description="Port to listen on; 0 takes a free one.")
    database_url: DatabaseUrl = Field(
        SecretStr(""),
        repr=False,
        description="Catalogue: empty for SQLite in `DATA_DIR`, else `postgresql://…`.",
    )
    log_events: bool = Field(True, description="Print each event as it comes.")
    ingest_batch_size: Annotated[int, Field(ge=1, le=10_000)] = Field(
        500, description="Most events in one transaction."
    )
    republish: bool = Field(True, description="Publish every change of the catalogue to `CATALOG_TOPIC`.")
    catalog_topic: str = Field(
        "earthquake-catalog-topic",
        pattern=r"^[A-Za-z0-9._-]{1,240}$",
        description="Compacted topic with every change, for other services.",
    )
    changes_retention_days: Annotated[float, Field(gt=0)] = Field(
        90, description="How long the change feed is whole. An earthquake's history is kept for ever."
    )
    catalog_max_mb: Annotated[float, Field(ge=0)] = Field(
        0, description="Size above which the change feed is cut earlier, on SQLite; 0: no limit."
    )

    push_max_connections: Annotated[int, Field(ge=0, le=100_000)] = Field(
        12_000, description="Most clients of live push at once; more get 503. Each takes a file descriptor."
    )
    push_max_connections_per_address: Annotated[int, Field(ge=1, le=100_000)] = Field(
        1_000, description="Most of them from one address. Behind a proxy all come from the proxy's."
    )

    cap_sender: str = Field(
        "quakestream@localhost",
        pattern=r"^[^\s,<&]+$",
        description="Who answers for the CAP messages: best an address at a domain of yours.",
    )

    alerts: bool = Field(True, description="Tell subscribers of earthquakes.")
    alert_max_age_h: Annotated[float, Field(gt=0, le=240)] = Field(
        1, description="No first alert of an earthquake that is older when it becomes known."
    )
    alerts_token: Key = Field(
        SecretStr(""),
        repr=False,
        description="Key of `/api/v1/subscriptions`, 16 characters or more. Empty: nobody may use it.",
    )
    subscriptions_file: str = Field("", description="YAML file with subscriptions, for those who keep theirs in git.")
    alert_channels: str = Field(
        "webhook,apprise,webpush",
        pattern=r"^[a-z][a-z0-9-]*(,[a-z][a-z0-9-]*)*$",
        description="Channels that subscriptions may use; `console` prints.",
    )
    alert_target_rate: Annotated[float, Field(gt=0, le=1_000_000)] = Field(
        100, description="Most messages a second to one target, from one instance."
    )
    alert_private_targets: bool = Field(
        False, description="Let messages go to this machine and its own network: subscribers choose the addresses."
    )

    basemap_style: str = Field(
        "",
        pattern=r"^$|^https?://[^\s;,'\"]+$",
        description="URL of a MapLibre style in place of the dashboard's own map. Readers' browsers fetch it.",
    )
    basemap_origins: str = Field(
        "",
        pattern=r"^$|^https?://[^\s;,'\"/]+(,https?://[^\s;,'\"/]+)*$",
        description="Where that style's tiles, fonts and sprites are, `https://tiles.example,https://fonts.example`.",
    )

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
        host = "localhost" if self.host in here else f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

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
    kind: type[S], env_file: Path | None = None, environment: Mapping[str, str] | None = None, **overrides: Any
) -> S:
    """The settings of one program.

    From `env_file`, else `configs/<program>.env` where present; the environment wins over the file, and `overrides`
    (from the command line) over both. An empty value counts as absent.

    Raises:
        ConfigError: one line that names every setting at fault.
    """
    values = {name.lower(): value for name, value in _file_values(kind, env_file).items() if value}
    environ = os.environ if environment is None else environment
    values |= {name.lower(): value for name, value in environ.items() if value and name == name.upper()}
    given = {name: value for name, value in values.items() if name in kind.model_fields} | overrides

    for value in given.values():
        conceal_passwords(str(value))
    faults: dict[str, str] = {}
    if given.get("event_log", "kafka") == "kafka":
        faults |= {name: "is needed when EVENT_LOG=kafka" for name in NEEDED_FOR_KAFKA if not given.get(name)}
    settings: S | None = None
    try:
        settings = kind.model_validate(given)
    except ValidationError as error:
        for fault in error.errors():
            name = str(fault["loc"][0])
            shown = kind.model_fields[name].repr  # a key is not: it would stand in logs
            got = f" (got {redacted(str(fault['input']))[:80]!r})" if shown else ""
            faults[name] = f"{fault['msg'].removeprefix('Value error, ')}{got}"
    if settings is None or faults:
        listed = "; ".join(f"{name.upper()} {fault}" for name, fault in sorted(faults.items()))
        raise ConfigError(f"Config validation error: {listed}")
    for value in vars(settings).values():
        if isinstance(value, SecretStr):
            conceal(value.get_secret_value())
    return settings


def as_markdown() -> str:
    """Every setting of both programs, as `docs/settings.md` shows them."""
    shared = Settings.model_fields.keys() - {"port"}
    parts = ["# Settings", SETTINGS_PREFACE, "## Both programs", _table(Settings, sorted(shared))]
    for kind in (ServiceSettings, ConsumerSettings):
        parts += [f"## {kind.program}", _table(kind, [name for name in kind.model_fields if name not in shared])]
    return "\n\n".join(parts) + "\n"


SETTINGS_PREFACE = """\
From the environment, and from a `.env` file: `--env-file`, else `configs/<program>.env` where present. The environment
wins; an empty value counts as absent. What is missing or wrong is named all at once, in one line, with exit code 2;
`quakestream check-config` looks without starting anything. This page is what `quakestream settings` prints."""


def _table(kind: type[Settings], names: Iterable[str]) -> str:
    rows = ["| setting | default | |", "|---|---|---|"]
    for name in names:
        field = kind.model_fields[name]
        said = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        default = json.dumps(said, default=str).strip('"') if said != "" else ""
        rows.append(f"| `{name.upper()}` | {f'`{default}`' if default else ''} | {field.description} |")
    return "\n".join(rows)


def _file_values(kind: type[Settings], env_file: Path | None) -> dict[str, str | None]:
    if env_file is None:
        env_file = Path("configs") / f"{kind.program}.env"
        if not env_file.is_file():
            return {}
    try:
        with env_file.open(encoding="utf-8") as file:
            return dotenv_values(stream=file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Config validation error: --env-file {env_file}: {error}") from error
