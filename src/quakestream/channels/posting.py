"""HTTP POST to addresses that strangers chose: quick, bounded, and never into one's own network.

libcurl through pycurl: its connections are kept and reused, its work is done outside of Python's lock, and it asks for
every socket that it is about to open (`OPENSOCKETFUNCTION`), so the address that is checked is the one that is
connected to, whatever a name resolves to the next time. httpx manages a few hundred posts a second, and a client of our
own would have TLS, time-outs and bounds to get right.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import certifi

from quakestream import late
from quakestream.channels import MAX_TARGET, SEND_TIMEOUT_S, Channel, Outcome, Refused, Retry
from quakestream.errors import Rejected

if TYPE_CHECKING:
    import pycurl
else:
    pycurl = late.module("pycurl")  # 6 MB, for who posts

CONNECT_TIMEOUT_S: Final = 5.0
MAX_ANSWER_BYTES: Final = 64 * 1024
KEPT_ANSWER_BYTES: Final = 200
"""Of an answer, for whoever looks why it failed."""
MAX_CONNECTIONS: Final = 512
MAX_IDLE_S: Final = 30

NOT_ASCII: Final = "ASCII only: a host as `xn--…`, the rest percent-encoded"
_LOCAL_NAMES: Final = ("localhost", "localdomain", "local", "internal", "home.arpa")


@dataclass(frozen=True, slots=True)
class PostOutcome:
    """What came of a post. `status` 0: no whole answer."""

    status: int
    text: str
    retry_after_s: float | None = None
    reached: bool = True
    """Whether any of the request had gone out."""
    forbidden: bool = False
    """Whether it is an address to which nothing is posted, now or later."""

    def failure(self) -> Outcome:
        """What became of a message, of no whole answer."""
        return Refused(self.text) if self.forbidden else Retry(self.text, maybe_told=self.reached)


def check_url(url: str, *, allow_private: bool) -> str:
    """The URL, if it may be posted to.

    Raises:
        Rejected: not http or https, not ASCII, with a password in it, or an address or name of one's own network.
    """
    if not url.isascii():
        raise Rejected(f"url: {NOT_ASCII}")
    if len(url) > MAX_TARGET or any(ord(c) <= 0x20 or ord(c) == 0x7F for c in url):
        raise Rejected(f"url: at most {MAX_TARGET} characters, and no spaces")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Rejected(f"url: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise Rejected("url: `https://host/…`, or http")
    if parts.username is not None or parts.password is not None:
        raise Rejected("url: no user or password in it")
    if not allow_private and _is_ours(host):
        raise Rejected(f"url: {host} is in this machine's own network, where nothing is posted to")
    return url


def _is_ours(host: str) -> bool:
    """Whether a host is an address that is not the world's, or a name that only one's own network knows."""
    name = host.rstrip(".").lower()
    try:
        return not is_public(name)
    except ValueError:
        pass
    try:
        return not is_public(socket.inet_ntoa(socket.inet_aton(name)))  # also 127.1, 0x7f000001 and 2130706433
    except OSError:  # a name: what it resolves to is seen when it is connected to
        return "." not in name or any(name == local or name.endswith(f".{local}") for local in _LOCAL_NAMES)


def is_public(address: str) -> bool:
    """Whether an IP address is the world's: not loopback, private, link-local, shared, multicast or reserved.

    Of an IPv6 address that stands for an IPv4 one (mapped, 6to4, NAT64), whether that one is. Of IPv6, the world's are
    in 2000::/3; what else was given out (site-local, IPv4-compatible, a network's own NAT64) leads nowhere or home.

    Raises:
        ValueError: not an IP address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""Global unicast as IANA gives it out."""


class Poster:
    """Posts, many at once. Used in one event loop."""

    def __init__(self, *, allow_private: bool, timeout_s: float = SEND_TIMEOUT_S) -> None:
        """`allow_private`: also to this machine and its network."""
        self._allow_private = allow_private
        self._timeout_s = timeout_s
        self._multi = pycurl.AsyncCurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, MAX_CONNECTIONS)
        self._idle: list[_Handle] = []

    async def post(self, url: str, body: bytes, headers: Sequence[str]) -> PostOutcome:
        """Post, and read the beginning of the answer. Redirects are answers. `headers`: `name: value`."""
        if not url.isascii():
            return PostOutcome(0, NOT_ASCII, reached=False, forbidden=True)
        handle = self._idle.pop() if self._idle else self._handle()
        curl, handle.refused = handle.curl, ""
        answer = bytearray()

        def take(part: bytes) -> int:
            answer.extend(part)
            return len(part) if len(answer) <= MAX_ANSWER_BYTES else 0

        try:
            curl.setopt(pycurl.URL, url)
            curl.setopt(pycurl.POSTFIELDS, body)
            curl.setopt(pycurl.HTTPHEADER, [*headers, "Expect:"])
            curl.setopt(pycurl.WRITEFUNCTION, take)
            await self._multi.perform(curl)
        except pycurl.error as error:
            if handle.refused:
                why = f"{handle.refused} is in this machine's own network, where nothing is posted to"
                return PostOutcome(0, why, reached=False, forbidden=True)
            return PostOutcome(0, str(error.args[1] or error), reached=curl.getinfo(pycurl.REQUEST_SIZE) > 0)
        finally:
            self._idle.append(handle)
        status = curl.getinfo(pycurl.RESPONSE_CODE)
        if 200 <= status < 300:
            return PostOutcome(status, "")
        wait_s = curl.getinfo(pycurl.RETRY_AFTER)
        said = answer[:KEPT_ANSWER_BYTES].decode(errors="replace")
        return PostOutcome(status, said, float(wait_s) if wait_s > 0 else None)

    async def close(self) -> None:
        """End what is on its way, and close all connections."""
        await self._multi.aclose()
        for handle in self._idle:
            handle.curl.close()
        self._idle.clear()

    def _handle(self) -> _Handle:
        handle = _Handle(pycurl.Curl(), self._allow_private)
        for option, value in (
            (pycurl.POST, 1),
            (pycurl.NOSIGNAL, 1),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
            (pycurl.PROXY, ""),  # the environment's would be asked to connect, past our check
            (pycurl.CONNECTTIMEOUT_MS, round(min(CONNECT_TIMEOUT_S, self._timeout_s) * 1000)),
            (pycurl.TIMEOUT_MS, round(self._timeout_s * 1000)),
            (pycurl.MAXAGE_CONN, MAX_IDLE_S),
            (pycurl.CAINFO, certifi.where()),
            (pycurl.USERAGENT, "quakestream"),
            (pycurl.OPENSOCKETFUNCTION, handle.open_socket),
        ):
            handle.curl.setopt(option, value)
        return handle


@dataclass(slots=True)
class _Handle:
    """One of libcurl's handles, and what it was kept from."""

    curl: Any
    allow_private: bool
    refused: str = ""
    """The address that it would have connected to."""

    def open_socket(self, _purpose: int, address: Any) -> socket.socket | int:
        family, kind, protocol, where = address
        host = where[0] if isinstance(where, tuple) else "0.0.0.0"  # noqa: S104 - a path, of a socket of this machine
        if not self.allow_private and not is_public(host):
            self.refused = host
            return int(pycurl.SOCKET_BAD)
        return _Socket(family, kind, protocol)


class PostingChannel(Channel):
    """A channel whose sends are posts: the first one opens the client for them."""

    def __init__(self, *, allow_private: bool = False, timeout_s: float = SEND_TIMEOUT_S) -> None:
        """`allow_private`: also to this machine and its network."""
        self.timeout_s = timeout_s
        self.allow_private = allow_private
        self._poster: Poster | None = None

    async def close(self) -> None:
        if self._poster is not None:
            await self._poster.close()
            self._poster = None

    async def post(self, url: str, body: bytes, headers: Sequence[str]) -> PostOutcome:
        """As `Poster.post`."""
        if self._poster is None:
            self._poster = Poster(allow_private=self.allow_private, timeout_s=self.timeout_s)
        return await self._poster.post(url, body, headers)


class _Socket(socket.socket):
    """libcurl works on a copy of the descriptor: this one is closed as soon as it was copied."""

    def __del__(self) -> None:
        self.close()
