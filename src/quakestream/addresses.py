"""Hosts and URLs that a setting lists, and whether a stranger's is among them. Nothing is looked up here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_HOST: Final = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:(?P<port>[0-9]{1,5}))?", re.IGNORECASE)
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(/[a-z0-9._~!$&'()*+,;=:@%-]*)*)",
    re.IGNORECASE,
)
_DISGUISED: Final = re.compile(r"%(2e|2f|5c|25|00)", re.IGNORECASE)
"""A dot, a slash, a backslash, a per cent sign, a NUL: what a server may read as another path than it looks."""
_PORTS: Final = {"http": 80, "https": 443}
_LOOPBACK: Final[tuple[Network, ...]] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - known, so that nobody is let in by it
"""What is listened on and is no host's name."""


def host_and_port(text: str) -> tuple[str, int | None]:
    """The parts of a `Host` header: the name in small letters, an IPv6 address without brackets.

    Raises:
        ValueError: it is no `Host`.
    """
    match = _HOST.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:80]!r} is not a host name")
    return _plain(match["host"]), None if match["port"] is None else int(match["port"])


def origin_of(text: str) -> tuple[str, str, int]:
    """The parts of an `Origin` header: scheme, host, port.

    Raises:
        ValueError: it is none, or `null`.
    """
    match = _URL.fullmatch(text if text.isascii() else text.encode("idna").decode())
    if match is None or match["path"]:
        raise ValueError(f"{text[:80]!r} is not an origin like `https://host:port`")
    scheme = match["scheme"].lower()
    return scheme, _plain(match["host"]), int(match["port"] or _PORTS[scheme])


def address_of(text: str) -> Address | None:
    """An IP address, one of IPv4 as such where it comes mapped into IPv6, without its zone; None: it is none."""
    return _address(text.partition("%")[0])


def is_loopback_name(host: str) -> bool:
    """Whether a host, as `host_and_port` has it, can only mean the machine on which it is said."""
    address = _address(host)
    return host == "localhost" if address is None else any(address in network for network in _LOOPBACK)


class Hosts:
    """Names, addresses and networks. The loopback ones are always among them."""

    def __init__(self, listed: Sequence[str]) -> None:
        """`listed`: `quakes.example.org`, `192.0.2.7`, `[2001:db8::1]`, `10.0.0.0/8`.

        Raises:
            ValueError: one of them is none of these; the message names it.
        """
        self._names = {"localhost"}
        self._networks = list(_LOOPBACK)
        for one in listed:
            plain = _plain(one)
            network = _network(plain)
            if network is not None:
                self._networks.append(network)
            elif _NAME.fullmatch(plain):
                self._names.add(plain)
            else:
                raise ValueError(f"{one[:80]!r} is not a host name, an address or a network. Leave out port and scheme")

    def __contains__(self, host: str) -> bool:
        """Whether a host, as `host_and_port` has it, is one of them."""
        address = _address(host)
        return host in self._names if address is None else any(address in network for network in self._networks)


class Networks:
    """Addresses and networks, and nothing else."""

    def __init__(self, listed: Sequence[str]) -> None:
        """`listed`: `192.0.2.7`, `2001:db8::1`, `10.0.0.0/8`.

        Raises:
            ValueError: one of them is none of these; the message names it.
        """
        found = [(one, _network(_plain(one))) for one in listed]
        for one, network in found:
            if network is None:
                raise ValueError(f"{one[:80]!r} is not an address or a network")
        self._networks = [network for _, network in found if network is not None]

    def __contains__(self, address: str) -> bool:
        """Whether an address is one of them."""
        known = address_of(address)
        return known is not None and any(known in network for network in self._networks)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._networks)


@dataclass(frozen=True, slots=True)
class UrlPrefix:
    """A URL, and all that lie below it on the same server."""

    scheme: str
    host: str
    port: int
    path: str
    """Without a slash at its end."""

    @classmethod
    def of(cls, url: str) -> Self:
        """The URL's parts, in one spelling.

        Raises:
            ValueError: not http or https, not ASCII, with a user, a query or a fragment, or a path that could be read
                in two ways (`..`, an encoded slash).
        """
        match = _URL.fullmatch(url)
        if match is None:
            raise ValueError("`https://host/path` or http is wanted, in ASCII, without user, query or fragment")
        scheme, path = match["scheme"].lower(), match["path"]
        if _DISGUISED.search(path) or any(part in {".", ".."} for part in path.split("/")):
            raise ValueError("no `.` or `..`, and no encoded dot, slash or per cent sign, may be in the path")
        port = int(match["port"] or _PORTS[scheme])
        return cls(scheme, _plain(match["host"]), port, path.rstrip("/"))

    def holds(self, other: UrlPrefix) -> bool:
        """Whether `other` is the same, or below it."""
        same_server = (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)
        return same_server and (other.path == self.path or other.path.startswith(f"{self.path}/"))


def listed(value: str) -> list[str]:
    """The entries of a setting that is a list, as `one,two`."""
    return [entry.strip() for entry in value.split(",") if entry.strip()]


def _plain(host: str) -> str:
    host = host.lower()
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host.removesuffix(".")


def _address(host: str) -> Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (address.version == 6 and address.ipv4_mapped) or address


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
