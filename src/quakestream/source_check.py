"""`quakestream sources check`: what of the agencies' services works now: version, description, one day of events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

import httpx
import typer

from quakestream import sources
from quakestream.clock import now_ms
from quakestream.command import fail, near, print_json
from quakestream.config import ServiceSettings
from quakestream.errors import Rejected, Retryable
from quakestream.event import EarthquakeEvent
from quakestream.formats import Entry, Problem
from quakestream.sources import SourceContext
from quakestream.sources.client import Client, is_url
from quakestream.sources.event_service import DAY_MS, EventService, Form, parameters_in, read_answer
from quakestream.sources.memory import Memory
from quakestream.sources.polling import Polled
from quakestream.sources.presets import ALIASES, PRESETS, Tried
from quakestream.sources.refusals import Reading, Refusals, RefusedBytes

AT_ONCE: Final = 4
PAGE: Final = 1000
WANTED: Final = ("starttime", "endtime", "format", "limit", "minmagnitude", "updatedafter")


@dataclass(frozen=True, slots=True)
class Service:
    """What is asked."""

    name: str
    url: str
    tried: Tried | None = None
    form: Form = "quakeml"
    fallback: bool = False
    source: Mapping[str, Any] | None = None
    """A list, as a start body names it."""


@dataclass(slots=True)
class Finding:
    """What was found; an error for each part that does not work."""

    name: str
    url: str
    tried: Tried | None
    fallback: bool
    works: bool = False
    version: str | None = None
    parameters: list[str] | None = None
    """Those of `WANTED` that its description lists; None: it has no description that can be read."""
    events: int | None = None
    """Of the last 24 hours."""
    refused: int = 0
    """Of those that could not be read."""
    errors: list[str] = field(default_factory=list)
    newest: dict[str, Any] | None = None
    """Of a list that is named by its options: what comes of its newest report."""


def services(
    settings: ServiceSettings, names: Sequence[str], urls: Sequence[str], lists: Sequence[str] = ()
) -> list[Service]:
    """What is to be asked: these, or all that are known. Exit 2 and one line where a name or URL is none."""
    known = {
        "usgs": [Service("usgs", settings.usgs_fdsn_url or _beside(settings.usgs_feed_url), "recorded", "geojson")],
        "emsc": [Service("emsc", settings.emsc_fdsn_url, "recorded", "emsc")],
        "jma": [Service("jma", settings.jma_list_url, "documented", "jma")],
    }
    for name, preset in PRESETS.items():
        known[name] = [Service(name, preset.url, preset.tried)]
        if preset.fallback_url:
            known[name].append(Service(name, preset.fallback_url, preset.tried, fallback=True))
    wanted = [ALIASES.get(name, name) for name in names]
    for name in wanted:
        if name not in known:
            fail(f"there is no preset {name!r}.{near(name, list(known))} Choose from {', '.join(sorted(known))}", 2)
    for url in urls:
        if not url.startswith(("http://", "https://")) or not is_url(url):
            fail(f"--url {url}: not the URL of a service, as in https://example.org/fdsnws/event/1/", 2)
    chosen = wanted or ([] if urls or lists else sorted(known))
    return [
        *(one for name in chosen for one in known[name]),
        *(Service(url, url) for url in urls),
        *(_list(text) for text in lists),
    ]


def _list(text: str) -> Service:
    try:
        wanted = json.loads(text)
    except (ValueError, RecursionError) as error:
        fail(f"--source: not JSON: {error}", 2)
    if not isinstance(wanted, dict) or wanted.get("name") != "feed":
        fail('--source: `{"name": "feed", …}` is wanted, as in a start body', 2)
    return Service(f"feed:{wanted.get('source')}", str(wanted.get("url")), None, "feed", source=wanted)


def _beside(feed_url: str) -> str:
    return str(httpx.URL(feed_url).join("/fdsnws/event/1/"))


def check(settings: ServiceSettings, wanted: Sequence[Service], *, as_json: bool) -> int:
    """Ask each once, and print what works; 0 where all that is no fallback does, else 1."""
    findings = asyncio.run(_ask_all(settings, wanted))
    for one in findings:
        if as_json:
            print_json({name: value for name, value in asdict(one).items() if name != "newest" or value is not None})
        else:
            typer.echo(_line(one))
            for error in one.errors:
                typer.echo(f"    {error}")
            if one.newest is not None:
                typer.echo(f"    {json.dumps(one.newest, ensure_ascii=False)}")
    return 0 if all(one.works or one.fallback for one in findings) else 1


def _line(one: Finding) -> str:
    listed = "no description" if one.parameters is None else "knows " + (", ".join(one.parameters) or "nothing of ours")
    day = "-" if one.events is None else f"{one.events} events a day" + (f", {one.refused} refused" * bool(one.refused))
    name = f"{one.name} (fallback)" if one.fallback else one.name
    return (
        f"{'works' if one.works else 'FAILS'}  {name}  {one.url}  version {one.version or '-'}  {listed}  {day}"
        f"  tried: {one.tried or '-'}"
    )


async def _ask_all(settings: ServiceSettings, wanted: Sequence[Service]) -> list[Finding]:
    turns = asyncio.Semaphore(AT_ONCE)
    context = _context(settings)
    for service in wanted:
        if service.source is not None:  # before any is asked
            sources.build(service.source, context)

    async def one(service: Service) -> Finding:
        if service.source is not None:
            async with turns:
                return await _ask_feed(context, service, service.source)
        async with turns, Client(context, "*/*") as client:
            return await _ask(client, service)

    try:
        return list(await asyncio.gather(*(one(service) for service in wanted)))
    finally:
        context.memory.close()


async def _ask_feed(context: SourceContext, service: Service, wanted: Mapping[str, Any]) -> Finding:
    finding = Finding(service.name, service.url, service.tried, service.fallback)
    source = cast(Polled, sources.build(wanted, replace(context, refusals=_Said(finding))))
    try:
        async with Client(context, source.accept) as client:
            read = await source.read(await client.get(source.url()))
    except (Retryable, Rejected) as error:
        finding.errors.append(f"the list: {error}")
        return finding
    finding.events = len({event.id for event in read.events if event.timestamp_ms >= now_ms() - DAY_MS})
    finding.works = read.broken is None and (bool(read.events) or not finding.refused)
    finding.errors += [f"the list: {read.broken}"] if read.broken else []
    finding.errors += [f"left out: {source.unread.last}"] if source.unread.last else []
    newest = max(read.events, key=lambda event: event.timestamp_ms, default=None)
    finding.newest = None if newest is None else newest.document()
    return finding


class _Said(Refusals):
    """Says what is refused where the finding stands."""

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self._finding = finding

    def refuse(self, label: str, refused: Sequence[RefusedBytes], reading: Reading | None = None) -> None:  # noqa: ARG002
        self._finding.refused += len(refused)
        self._finding.errors.extend(f"refused: {one.reason}" for one in refused[:3])


def _context(settings: ServiceSettings) -> SourceContext:
    return SourceContext(
        memory=Memory(Path(":memory:"), "check"),
        now_ms=now_ms,
        interval_ms=0,
        user_agent=f"quakestream/{version('quakestream')} (sources check)",
        http_timeout_s=settings.http_timeout_s,
        usgs_feed_url="",
    )


async def _ask(client: Client, service: Service) -> Finding:
    finding = Finding(service.name, service.url, service.tried, service.fallback)

    def settle(_form: str, entries: Sequence[Entry]) -> list[EarthquakeEvent]:
        refused = [entry for entry in entries if isinstance(entry, Problem)]
        finding.refused += len(refused)
        finding.errors.extend(f"refused: {one}" for one in refused[:3])
        return [entry for entry in entries if isinstance(entry, EarthquakeEvent)]

    if service.form == "jma":
        await _ask_list(client, service, finding, settle)
    else:
        await _ask_service(client, service, finding, settle)
    return finding


Settle = Callable[[str, Sequence[Entry]], list[EarthquakeEvent]]


async def _ask_list(client: Client, service: Service, finding: Finding, settle: Settle) -> None:
    """A list behind one URL, which says nothing of itself."""
    try:
        read = await read_answer(await client.get(service.url), service.form, settle, now_ms=now_ms())
    except (Retryable, Rejected) as error:
        finding.errors.append(f"the list: {error}")
        return
    finding.events = len({event.id for event in read.events if event.timestamp_ms >= now_ms() - DAY_MS})
    finding.works = read.broken is None
    finding.errors += [f"the list: {read.broken}"] if read.broken else []


async def _ask_service(client: Client, service: Service, finding: Finding, settle: Settle) -> None:
    url = service.url.rstrip("/") + "/"
    for part in ("version", "application.wadl"):
        try:
            body = (await client.get(url + part)).body
        except (Retryable, Rejected) as error:
            finding.errors.append(f"{part}: {error}")
            continue
        if part == "version":
            finding.version = " ".join(body[:40].decode(errors="replace").split())
        else:
            listed = parameters_in(body)
            finding.parameters = None if listed is None else [name for name in WANTED if name in listed]

    try:
        events = EventService(client, url, service.form, settle=settle, now_ms=now_ms, limit=PAGE)
        await events.knows_updated_after()  # from then on it is asked as the source asks it
        page = await events.page(now_ms() - DAY_MS, now_ms())
    except (Retryable, Rejected) as error:
        finding.errors.append(f"one day: {error}")
    else:
        finding.events = len(page.events)
        finding.works = page.broken is None
        finding.errors += [f"one day: {page.broken}"] if page.broken else []
