"""The dashboard: the files that `dashboard/` builds into `dashboard/`, served as they are.

Each was compressed when it was built, and is sent in the form that the browser asks for. A built file's name has its
content's hash, so that it is kept for ever; the page itself is asked for anew each time. Nothing is loaded from
elsewhere, except what a basemap of the operator's own needs.
"""

from __future__ import annotations

import html
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from quakestream.web import wished_encoding

FOLDER: Final = Path(__file__).parent / "dashboard"
ENCODINGS: Final = {"br": ".br", "gzip": ".gz"}
"""By preference."""
_TYPES: Final = {
    ".mjs": "text/javascript",
    ".js": "text/javascript",
    ".json": "application/json",
    ".woff2": "font/woff2",
}
_BASEMAP_META: Final = '<meta name="basemap-style" content="'


def dashboard_router(basemap_style: str = "", basemap_origins: Sequence[str] = (), folder: Path = FOLDER) -> APIRouter:
    """`/` and the files that it needs.

    `basemap_style` is the URL of a MapLibre style that takes the place of the built-in map; its origin, and
    `basemap_origins` (where its tiles, fonts and sprites are), are then allowed by the Content-Security-Policy.
    """
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.glob("**/*"))
        if path.is_file() and path.suffix not in ENCODINGS.values()
    }
    headers = _headers(basemap_style, basemap_origins)
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    def page() -> Response:
        if "index.html" not in files:
            raise HTTPException(503, "the dashboard has not been built. Run `make setup`")
        text = files["index.html"].read_text(encoding="utf-8")
        page = text.replace(f'{_BASEMAP_META}"', f'{_BASEMAP_META}{html.escape(basemap_style)}"')
        return HTMLResponse(page, headers={**headers, "Cache-Control": "no-cache"})

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

    return router


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


def _headers(basemap_style: str, basemap_origins: Sequence[str]) -> dict[str, str]:
    style = urlsplit(basemap_style)
    origins = [f"{style.scheme}://{style.netloc}"] if style.netloc else []
    elsewhere = "".join(f" {origin}" for origin in dict.fromkeys([*origins, *basemap_origins]) if origin)
    policy = (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; font-src 'self'; "
        f"img-src 'self' data: blob:{elsewhere}; connect-src 'self'{elsewhere}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "geolocation=(self), camera=(), microphone=()",
    }
