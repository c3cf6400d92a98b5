"""How the sources ask an agency over HTTP: politely, and within bounds.

A User-Agent that says who asks, conditional requests, a ceiling on bodies and time, `Cache-Control` and `Retry-After`
heeded, and longer and longer pauses after failures, with jitter.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
import ipaddress
import random
import re
import zlib
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx

from quakestream.backoff import pause_after
from quakestream.errors import Rejected, Retryable, Unreachable
from quakestream.sources import SourceContext
from quakestream.sources.allowed import GuardedTransport, SourceUrls

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""Unpacked. The largest feed of the USGS has about 10 MB, 20,000 events of its FDSN service 16 MB."""
MAX_REDIRECTS: Final = 5
MAX_CONNECTIONS: Final = 2
MAX_WAIT_S: Final = 3600.0
"""A server that asks for a longer wait, by mistake or for its images, is asked again after an hour."""
MAX_BACKOFF_S: Final = 600.0
JITTER: Final = 0.25

_MAX_AGE: Final = re.compile(r"\bmax-age\s*=\s*\"?(\d{1,9})")
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_MAX_REASON: Final = 500
_MAX_SAID: Final = 200
_TAG: Final = re.compile(r"<(style|script|head)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """200, 204 or, to a conditional request, 304; the other two have no body."""

    status: int
    body: bytes
    headers: httpx.Headers
    ended: bool = True
    """Whether it says where it ends: by its length, by chunks, or by how it is packed."""
    cut: str | None = None
    """Why it is not whole. None: it is, as far as HTTP can tell."""

    @property
    def charset(self) -> str | None:
        """What the body is written in, by its `Content-Type`; None: it does not say."""
        match = _CHARSET.search(self.headers.get("Content-Type", ""))
        return match[1] if match else None

    @property
    def fresh_for_s(self) -> float:
        """`max-age`, less the `Age` that a cache on the way has added; 0 where the server does not say."""
        match = _MAX_AGE.search(self.headers.get("Cache-Control", ""))
        age = self.headers.get("Age", "0")
        return max(0.0, float(match.group(1)) - (float(age) if age.isdigit() else 0.0)) if match else 0.0


class ErrorAnswer(Retryable):
    """The server answered with an error; `wait_s` is what it asked for, `reason` how its answer begins, without marks.

    `is_page`: its words are a web page, as of a server that does not know what was asked for.
    """

    def __init__(self, message: str, status: int, wait_s: float, reason: str, *, is_page: bool) -> None:
        super().__init__(message)
        self.status = status
        self.wait_s = wait_s
        self.reason = reason
        self.is_page = is_page


class CutOff(Unreachable):
    """The answer came in part; `answer` has that part."""

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(message)
        self.answer = answer


class TooLarge(Rejected):
    """The answer has more bytes than may be."""


async def whole_or_cut(asking: Awaitable[Answer]) -> Answer:
    """The answer, be it only a part: for who can read a part, and will ask again."""
    try:
        return await asking
    except CutOff as error:
        return error.answer


class Client:
    """One agency's client, open while its block runs."""

    def __init__(self, context: SourceContext, accept: str, only: SourceUrls | None = None) -> None:
        """`only`: ask nobody else, past whatever proxy the environment names; None: whom the operator chose."""
        self._context = context
        self._client = httpx.AsyncClient(
            headers={"User-Agent": context.user_agent, "Accept": accept, "Accept-Encoding": "gzip, deflate"},
            timeout=context.http_timeout_s,
            follow_redirects=True,
            max_redirects=MAX_REDIRECTS,
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=1),
            transport=None if only is None else GuardedTransport(only, max_connections=MAX_CONNECTIONS),
            trust_env=only is None,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(
        self, url: str, parameters: Mapping[str, Any] | None = None, conditions: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask once; no longer than three times the time that one step may take.

        Raises:
            ErrorAnswer: the server answers with an error.
            CutOff: a good answer breaks off.
            Unreachable: it does not answer.
            TooLarge, Rejected: the body is too large, or of a coding that was not asked for.
        """
        limit_s = 3 * self._context.http_timeout_s
        begun, body = None, bytearray()
        try:
            async with (
                asyncio.timeout(limit_s),
                self._client.stream("GET", url, params=parameters, headers=conditions) as response,
            ):
                begun = response
                await _unpack(response, body)
                return self._answer(response, bytes(body), conditional=bool(conditions))
        except TimeoutError as error:
            raise _broken(f"no whole answer within {limit_s:g} s from {url}", begun, body) from error
        except httpx.InvalidURL as error:  # its words may be a part of a password
            raise Unreachable(f"not a URL that can be asked: {url}") from error
        except httpx.HTTPError as error:
            raise _broken(f"{type(error).__name__} {error} from {url}", begun, body) from error

    def _answer(self, response: httpx.Response, body: bytes, *, conditional: bool) -> Answer:
        status = response.status_code
        if status == httpx.codes.NO_CONTENT or (status == httpx.codes.NOT_MODIFIED and conditional):
            return Answer(status, b"", response.headers)
        if status == httpx.codes.OK:
            return Answer(status, body, response.headers, _says_its_end(response.headers))
        reason = " ".join(_TAG.sub(" ", body[: 4 * _MAX_REASON].decode(errors="replace")).split())[:_MAX_REASON]
        wait_s = _retry_after_s(response.headers, self._context.now_ms())
        said = f": {reason[:_MAX_SAID]}" if reason else ""
        raise ErrorAnswer(
            f"HTTP {status} from {response.url}{said}", status, wait_s, reason, is_page=b"<html" in body.lower()
        )


class Pace:
    """How long to wait before the next request, by how the last ones went."""

    def __init__(self, interval_s: float, longest_s: float = MAX_BACKOFF_S) -> None:
        self.interval_s = interval_s
        self.failures = 0
        self._longest_s = max(interval_s, longest_s)
        self._asked_s = 0.0
        self._jitter = random.Random()

    def succeeded(self, fresh_for_s: float = 0.0) -> None:
        """An answer, and for how long the server says that it stays fresh."""
        self.failures = 0
        self._asked_s = fresh_for_s

    def failed(self, error: Exception) -> None:
        """An error, with which the server may have asked for a pause."""
        self.failures += 1
        self._asked_s = error.wait_s if isinstance(error, ErrorAnswer) else 0.0

    def pause_s(self, spent_s: float = 0.0) -> float:
        """The interval, less what the last request took of it; after failures twice as long each time.

        What the server asks for counts from its answer. After failures up to a quarter more by chance, so that not all
        come at once when an agency is back.
        """
        pause_s = self.interval_s
        if self.failures:
            pause_s = pause_after(self.failures, self.interval_s, self._longest_s) * self._jitter.uniform(1, 1 + JITTER)
        return max(pause_s - spent_s, min(self._asked_s, MAX_WAIT_S), 0.0)


def is_loopback(url: str) -> bool:
    """Whether the server is this machine, which may be asked as often as one likes."""
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_url(url: str) -> bool:
    """Whether it can be asked at all: it names a host, and a port that is a number."""
    try:
        return bool(httpx.URL(url).host)
    except httpx.InvalidURL:
        return False


def _broken(why: str, response: httpx.Response | None, body: bytearray) -> Unreachable:
    """What a good answer had before it broke off is worth reading; of others, or of nothing, only the error is."""
    if response is None or response.status_code != httpx.codes.OK or not body:
        return Unreachable(why)
    return CutOff(why, Answer(response.status_code, bytes(body), response.headers, cut=why))


def _says_its_end(headers: httpx.Headers) -> bool:
    return not headers.keys().isdisjoint({"content-length", "transfer-encoding", "content-encoding"})


async def _unpack(response: httpx.Response, body: bytearray) -> None:
    """Into `body`, unpacked here: httpx makes 64 MB of a part of 64 kB, and that again where the answer says so."""
    too_large = TooLarge(f"more than {MAX_BODY_BYTES} bytes from {response.url}")
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    unpack = _unpacking(coding, response)
    received_bytes = 0
    async for part in response.aiter_raw():
        received_bytes += len(part)
        if received_bytes > MAX_BODY_BYTES:
            raise too_large
        if unpack is None:
            body += part
            continue
        try:
            body += unpack.decompress(part, MAX_BODY_BYTES + 1 - len(body))
        except zlib.error as error:
            if coding != "deflate" or body or received_bytes > len(part):
                raise httpx.DecodingError(str(error), request=response.request) from error
            unpack = zlib.decompressobj(-zlib.MAX_WBITS)  # some send it without its wrapping
            try:
                body += unpack.decompress(part, MAX_BODY_BYTES + 1)
            except zlib.error:
                raise httpx.DecodingError(str(error), request=response.request) from error
        if len(body) > MAX_BODY_BYTES:
            raise too_large
    if unpack is not None and received_bytes and not unpack.eof:
        raise httpx.DecodingError("it breaks off", request=response.request)


def _unpacking(coding: str, response: httpx.Response) -> Any:
    if coding in ("", "identity"):
        return None
    if coding in ("gzip", "x-gzip"):
        return zlib.decompressobj(zlib.MAX_WBITS | 16)
    if coding == "deflate":
        return zlib.decompressobj()
    raise Rejected(f"Content-Encoding {coding[:40]!r} was not asked for, from {response.url}")


def _retry_after_s(headers: httpx.Headers, now_ms: int) -> float:
    """`Retry-After`, as seconds or a date."""
    value = headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return max(0.0, moment.timestamp() - now_ms / 1000)
