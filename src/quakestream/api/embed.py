"""`/embed`: one earthquake, or a list with a map, for a frame in somebody's article.

A page without forms, keys or alerts, and the only one that another site may show in a frame: those of `EMBED_ORIGINS`.
It is whole without its script, which asks for it again. What is not real says so in words, in every place. `/handbook`,
in the same dress, says what is to be done about each fault that the view of the status names, in the reader's language.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import msgspec
from fastapi import HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from pydantic import Field, ValidationError

from quakestream.api.embed_words import WORDS
from quakestream.api.languages import LANGUAGES, Language, preferred_language
from quakestream.api.parameters import FilterParameters, Name
from quakestream.api.sharing import DRILLS, headline, sentence
from quakestream.catalog import Catalog, EarthquakeFilter, Orderby
from quakestream.event import iso_time, utc
from quakestream.plain import one_line
from quakestream.web import Routes, approach

FOLDER: Final = Path(__file__).parent / "embedding"
_FILES: Final = {"again.js": "text/javascript", "style.css": "text/css"}
MOST: Final = 50
PICTURES: Final = 8
"""So many maps are kept: 60 kB each, and their earthquakes."""
PERIOD_MS: Final = {"hour": 3_600_000, "day": 86_400_000, "week": 604_800_000, "month": 2_592_000_000}
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class EmbedParameters(FilterParameters):
    """Which earthquakes: one by its `id`, else a list; and how they are shown."""

    id: Name | None = Field(None, description="One earthquake, as in `/api/v1/earthquakes/{id}`.")
    period: Literal["hour", "day", "week", "month"] | None = Field(None, description="Back from now.")
    limit: Annotated[int, Field(ge=1, le=MOST)] = 10
    orderby: Orderby = "time"
    show: Literal["both", "list", "map"] = Field("both", description="Of a list.")
    language: Language | None = Field(None, description="Absent: what the browser asks for.")
    theme: Literal["auto", "light", "dark"] = "auto"

    def chosen(self, now_ms: int) -> EarthquakeFilter:
        """The filter, of `actual` ones unless `mode` says otherwise."""
        wanted = self.wanted()
        began_ms = None if self.period is None else now_ms - PERIOD_MS[self.period]
        return replace(wanted, mode=wanted.mode or "actual", starttime_ms=wanted.starttime_ms or began_ms)


def embed_router(
    catalog: Catalog, now_ms: Callable[[], int], *, public_url: str = "", origins: Sequence[str] = ()
) -> Routes:
    """`/embed`, its map and files, and `/handbook`. `origins`: whose pages may show `/embed` in a frame; `*`: all."""
    router = Routes(include_in_schema=False)
    headers = _headers(origins)

    @router.get("/embed")
    def embed(request: Request) -> HTMLResponse:
        asked = _asked(request)
        spoken = _spoken(request)
        if isinstance(asked, str):
            return _page(headers, spoken, "auto", WORDS[spoken]["wrong"], f"<p>{html.escape(asked)}</p>", 400)
        home = public_url or approach(request.scope).home
        language = asked.language or spoken
        if asked.id is None:
            title, body = _list(catalog, asked, now_ms(), home, language)
            return _page(headers, language, asked.theme, title, body)
        one = _named(catalog, asked.id, asked.mode)
        if one is None:
            missing = WORDS[language]["missing"]
            return _page(headers, language, asked.theme, missing, f"<p>{missing}</p>", 404)
        return _page(headers, language, asked.theme, headline(one), _one(one, home, language))

    @router.get("/embed/map.png")
    def list_map(request: Request) -> Response:
        asked = _asked(request)
        if isinstance(asked, str):
            raise HTTPException(400, asked)
        page = catalog.earthquakes(asked.chosen(now_ms()), asked.limit, orderby=asked.orderby)
        picture = _drawn(tuple(page.earthquakes), asked.mode or "actual")
        return Response(picture, media_type="image/png", headers={"Cache-Control": "no-cache"})

    @router.get("/handbook")
    def handbook(request: Request) -> HTMLResponse:
        wanted = request.query_params.get("language", "")
        language = next((one for one in LANGUAGES if one == wanted), _spoken(request))
        text = (FOLDER / f"handbook-{language}.html").read_text(encoding="utf-8")
        return HTMLResponse(text, headers=_headers(()) | _in(language))

    @router.get("/embed/{name}")
    def part(name: str) -> FileResponse:
        if name not in _FILES:
            raise HTTPException(404, "there is no such file")
        return FileResponse(FOLDER / name, media_type=_FILES[name], headers=headers)

    return router


def _spoken(request: Request) -> Language:
    return preferred_language(request.headers.get("accept-language", ""))


def _in(language: Language) -> dict[str, str]:
    return {"Content-Language": language, "Vary": "Accept-Language"}


def _asked(request: Request) -> EmbedParameters | str:
    """What is asked for; else what is wrong with it."""
    try:
        return EmbedParameters.model_validate(dict(request.query_params))
    except ValidationError as error:
        faults = ((".".join(map(str, fault["loc"])), fault["msg"]) for fault in error.errors())
        return "; ".join(f"{where}: {why}" if where else why for where, why in faults)


def _named(catalog: Catalog, name: str, mode: Any) -> dict[str, Any] | None:
    found = catalog.find(name, mode)
    return catalog.earthquake(catalog.merged_into(found[0]) or found[0]) if len(found) == 1 else None


def _found(catalog: Catalog, asked: EmbedParameters, now_ms: int) -> list[dict[str, Any]]:
    page = catalog.earthquakes(asked.chosen(now_ms), asked.limit, orderby=asked.orderby)
    return [_decode(document) for document in page.earthquakes]


@functools.lru_cache(maxsize=PICTURES)
def _drawn(documents: tuple[bytes, ...], mode: str) -> bytes:
    """The map of these, drawn once for however many readers."""
    from quakestream.formats.world_picture import world_picture  # noqa: PLC0415 - 10 MB that not every site needs

    return world_picture([_decode(one) for one in documents], mode)


def _one(one: dict[str, Any], home: str, language: Language) -> str:
    words, id_ = WORDS[language], html.escape(one["id"])
    title, said = html.escape(headline(one)), html.escape(sentence(one))
    return (
        f"{_drill(one['mode'], language)}<h1>{title}</h1>\n<p>{said}</p>\n"
        f'<img src="api/v1/earthquakes/{id_}/map.png?revision={one["revision"]}" width="720" height="480" '
        f'alt="{words["map"]}: {title}">\n'
        f'<p><a href="{html.escape(home)}/?id={id_}" target="_blank" rel="noopener">{words["open"]}</a></p>'
    )


def _list(catalog: Catalog, asked: EmbedParameters, now_ms: int, home: str, language: Language) -> tuple[str, str]:
    """The title and the body."""
    words, mode = WORDS[language], asked.mode or "actual"
    found = _found(catalog, asked, now_ms)
    picture = html.escape(f"embed/map.png?{_query(asked)}".removesuffix("?"))
    title = words["list"] if mode == "actual" else f"{DRILLS[mode]}: {words['list']}"
    rows = "\n".join(_row(one, home) for one in found)
    heads = "".join(f'<th scope="col">{words[name]}</th>' for name in ("magnitude", "place", "time"))
    body = [f"{_drill(mode, language)}<h1>{html.escape(title)}</h1>"]
    if asked.show != "list":
        body.append(f'<img src="{picture}" width="720" height="400" alt="{words["map"]}: {html.escape(title)}">')
    if asked.show != "map":
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        body.append(table if found else f"<p>{words['none']}</p>")
    body.append(f'<p><a href="{html.escape(home)}/" target="_blank" rel="noopener">{words["all"]}</a></p>')
    return title, "\n".join(body)


def _query(asked: EmbedParameters) -> str:
    """The filters, as they were asked for."""
    given = asked.model_dump(exclude_unset=True, exclude_none=True, exclude={"language", "theme", "show"})
    given |= {name: iso_time(given[name]) for name in ("starttime", "endtime", "updatedafter") if name in given}
    return urlencode({name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()})


def _row(one: dict[str, Any], home: str) -> str:
    magnitude = one.get("magnitude")
    place = html.escape(headline({**one, "magnitude": None}).replace("M ?, ", "", 1))
    when = one["timestamp"]
    return (
        f'<tr class="{html.escape(one["mode"])}"><td>{"M ?" if magnitude is None else f"M {magnitude:.1f}"}</td>'
        f'<td><a href="{html.escape(home)}/?id={html.escape(one["id"])}" target="_blank" rel="noopener">{place}</a>'
        f' <span class="soft">{html.escape(one_line(str(one.get("agency") or one["source"]))[:50])}</span></td>'
        f'<td class="when"><time datetime="{iso_time(when)}">{utc(when):%Y-%m-%d %H:%M} UTC</time></td></tr>'
    )


def _drill(mode: str, language: Language) -> str:
    return "" if mode == "actual" else f'<p class="drill" role="note">{WORDS[language][mode]}</p>\n'


def _page(
    headers: dict[str, str], language: Language, theme: str, title: str, body: str, status: int = 200
) -> HTMLResponse:
    words = WORDS[language]
    return HTMLResponse(
        f'<!doctype html>\n<html lang="{language}" data-theme="{theme}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="robots" content="noindex">\n'
        f"<title>{html.escape(title)} – Quakestream</title>\n"
        '<link rel="stylesheet" href="embed/style.css">\n<script src="embed/again.js" defer></script>\n</head>\n'
        "<body>\n"
        f'<p id="stale" role="status" data-said="{words["stale"]}"></p>\n<main>\n{body}\n</main>\n'
        f"<footer>{words['note']}</footer>\n</body>\n</html>\n",
        status,
        headers=headers | _in(language),
    )


def _headers(origins: Sequence[str]) -> dict[str, str]:
    framing = " ".join(origins) or "'none'"
    return {
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {framing}",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
        "Cross-Origin-Resource-Policy": "cross-origin" if origins else "same-origin",
        "Cache-Control": "no-cache",
    }
