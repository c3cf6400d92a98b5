"""The dashboard: the files that `dashboard/` builds into `dashboard/`, served as they are.

Each was compressed when it was built, and is sent in the form that the browser asks for. A built file's name has its
content's hash, so that it is kept for ever; the page itself is asked for anew each time. Nothing is loaded from
elsewhere, except what a basemap of the operator's own needs. A link to one earthquake (`/?id=`) tells whoever shows a
card of it what it is (`sharing.py`).
"""

from __future__ import annotations

import asyncio
import html
import mimetypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from fastapi import HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from quakestream.api import icons, sharing
from quakestream.catalog import Catalog
from quakestream.errors import QuakestreamError
from quakestream.formats.writing import parquet
from quakestream.web import Routes, approach, wished_encoding

FOLDER: Final = Path(__file__).parent / "dashboard"
ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""By preference."""
_TYPES: Final = {
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".json": "application/json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
_TITLE: Final = "<title>Quakestream</title>"
SHARED_WITHIN_S: Final = 1.0
"""How long the page waits for what it says of a shared earthquake; then it comes without."""
MAX_WAITING: Final = 20
MAX_NAME: Final = 300

log = structlog.get_logger(__name__)


def dashboard_router(
    basemap_style: str = "",
    basemap_origins: Sequence[str] = (),
    folder: Path = FOLDER,
    *,
    catalog: Catalog | None = None,
    public_url: str = "",
    service_url: str = "",
    embed_origins: Sequence[str] = (),
) -> Routes:
    """`/` and the files that it needs.

    `basemap_style` is the URL of a MapLibre style that takes the place of the built-in map; its origin, and
    `basemap_origins` (where its tiles, fonts and sprites are), are then allowed by the Content-Security-Policy, and so
    is that of `service_url`, where the page starts and stops the stream. `catalog` knows the earthquake of a shared
    link; None: such a link says no more than the page's own. `embed_origins`: the page says who may embed.
    """
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.glob("**/*"))
        if path.is_file() and path.suffix not in ENCODINGS.values()
    }
    headers = _headers(basemap_style, basemap_origins, service_url)
    told = {
        "basemap-style": basemap_style,
        "service-url": service_url,
        "embeds": " ".join(embed_origins),
        "parquet": "yes" if parquet.is_there() else "",
    }
    shared = _Shared(catalog)
    router = Routes(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        if "index.html" not in files:
            raise HTTPException(503, "the dashboard has not been built. Run `make setup`")
        text = files["index.html"].read_text(encoding="utf-8")
        for name, value in told.items():
            meta = f'<meta name="{name}" content="'
            text = text.replace(f'{meta}"', f'{meta}{html.escape(value)}"')
        one = await shared.earthquake(request.query_params.get("id", ""))
        home = public_url or approach(request.scope).home
        return HTMLResponse(
            text.replace(_TITLE, sharing.head(one, home)), headers={**headers, "Cache-Control": "no-cache"}
        )

    @router.api_route("/assets/{name}", methods=["GET", "HEAD"])
    def asset(name: str, request: Request) -> FileResponse:
        return _file(files.get(f"assets/{name}"), request, headers, "public, max-age=31536000, immutable")

    @router.api_route("/sw.js", methods=["GET", "HEAD"])
    def service_worker(request: Request) -> FileResponse:
        # At the root, so that its scope is the page; asked for anew, so that a new one takes over.
        return _file(files.get("sw.js"), request, headers, "no-cache")

    @router.api_route("/icon.svg", methods=["GET", "HEAD"])
    def icon(request: Request) -> FileResponse:
        return _file(files.get("icon.svg"), request, headers, "public, max-age=86400")

    @router.api_route("/manifest.webmanifest", methods=["GET", "HEAD"])
    def manifest(request: Request) -> FileResponse:
        return _file(files.get("manifest.webmanifest"), request, headers, "no-cache")

    @router.api_route("/{name}.png", methods=["GET", "HEAD"])
    def drawn_icon(name: str) -> Response:
        if f"{name}.png" not in icons.SIZES:
            raise HTTPException(404, "there is no such file")
        return Response(
            icons.icon(f"{name}.png"),
            media_type="image/png",
            headers={**headers, "Cache-Control": "public, max-age=86400"},
        )

    return router


class _Shared:
    """Looks up what a link is of. The page never waits long for it, and comes without where the catalogue is away."""

    def __init__(self, catalog: Catalog | None) -> None:
        self._catalog = catalog
        self._own = ThreadPoolExecutor(2, "shared links")
        self._waiting = 0

    async def earthquake(self, name: str) -> dict[str, Any] | None:
        """The one that is called so; None: none, several, or it is not known now."""
        if self._catalog is None or not 0 < len(name) <= MAX_NAME or self._waiting >= MAX_WAITING:
            return None
        self._waiting += 1
        try:
            looked = asyncio.get_running_loop().run_in_executor(self._own, _found, self._catalog, name)
            async with asyncio.timeout(SHARED_WITHIN_S):
                return await looked
        except (QuakestreamError, TimeoutError) as error:
            log.warning("a shared link is shown without its earthquake", reason=str(error) or "no answer in time")
            return None
        finally:
            self._waiting -= 1


def _found(catalog: Catalog, name: str) -> dict[str, Any] | None:
    found = catalog.find(name)
    if len(found) != 1:
        return None
    return catalog.earthquake(catalog.merged_into(found[0]) or found[0])


def _file(path: Path | None, request: Request, headers: dict[str, str], caching: str) -> FileResponse:
    if path is None:
        raise HTTPException(404, "there is no such file")
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    more = {**headers, "Cache-Control": caching, "Vary": "Accept-Encoding"}
    offered = [one for one, suffix in ENCODINGS.items() if path.with_name(path.name + suffix).is_file()]
    encoding = wished_encoding(request.headers, offered)
    if encoding is not None:
        path = path.with_name(path.name + ENCODINGS[encoding])
        more["Content-Encoding"] = encoding
    return FileResponse(path, media_type=kind, headers=more)


def _headers(basemap_style: str, basemap_origins: Sequence[str], service_url: str) -> dict[str, str]:
    style = urlsplit(basemap_style)
    origins = [f"{style.scheme}://{style.netloc}"] if style.netloc else []
    elsewhere = "".join(f" {origin}" for origin in dict.fromkeys([*origins, *basemap_origins]) if origin)
    service = urlsplit(service_url)
    asked = f" {service.scheme}://{service.netloc}" if service.netloc else ""
    policy = (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; font-src 'self'; "
        f"img-src 'self' data: blob:{elsewhere}; connect-src 'self'{elsewhere}{asked}; manifest-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "geolocation=(self), camera=(), microphone=()",
    }
