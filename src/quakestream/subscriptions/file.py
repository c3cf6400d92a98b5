"""Subscriptions in a YAML file, for those who keep theirs in git: a list, each with an `id`.

    - id: home
      where: {kind: circle, latitude: 37.98, longitude: 23.73}
      what: {min_intensity: 4}
      how: {channels: [{channel: webhook, url: "https://example.org/quakes"}]}

What is in the file is; what is taken out of it is removed. Those of the HTTP interface are left alone, and can't have
an id that the file has.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

import yaml

from quakestream.errors import Rejected
from quakestream.subscriptions.registry import Registry
from quakestream.subscriptions.subscription import Subscription, encode, parse

ORIGIN: Final = "file"
MAX_BYTES: Final = 64 * 1024 * 1024
MAX_BORROWED: Final = 1_000_000
"""Values that all aliases together may stand for."""


def read(path: Path, check: Callable[[Subscription], None]) -> list[Subscription]:
    """The subscriptions of a file; `check` refuses channels and targets that can't be.

    Raises:
        Rejected: it can't be read, or one is wrong; the message names every one, by its id or number, and its faults.
    """
    text = _text(path)
    try:
        listed = yaml.load(text, _Loader)  # noqa: S506 - a safe loader, with a bound on aliases
    except (yaml.YAMLError, RecursionError) as error:
        raise Rejected(f"{path}: {error}") from error
    except Exception as error:  # PyYAML lets out what Python says of a bad date or number, by whatever kind of error
        if isinstance(error, MemoryError):
            raise
        raise Rejected(f"{path}: a value that can't be read: {type(error).__name__}: {error}") from error
    if not isinstance(listed, list):
        raise Rejected(f"{path}: a list of subscriptions is wanted")
    found: dict[str, Subscription] = {}
    faults: list[str] = []
    for number, document in enumerate(listed, 1):
        given = document.get("id") if isinstance(document, dict) else None
        name = given if isinstance(given, str) and given else f"number {number}"  # others may not even be shown
        try:
            subscription = parse(document)
            check(subscription)
        except Rejected as error:
            faults.append(f"{name}: {error}")
            continue
        except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError) as error:
            faults.append(f"{name}: it can't be read: {type(error).__name__}: {error}")
            continue
        if subscription.id is None or subscription.id in found:
            faults.append(f"{name}: an id of its own is needed")
        else:
            found[subscription.id] = subscription
    if faults:
        raise Rejected(f"{path}: {'; '.join(faults)}")
    return list(found.values())


def state(path: Path) -> tuple[int, ...]:
    """What tells one content of the file from the next, without reading it.

    Raises:
        Rejected: it is not there.
    """
    try:
        at = path.stat()
    except (OSError, ValueError) as error:
        raise Rejected(f"{path}: {error}") from error
    return at.st_mtime_ns, at.st_ctime_ns, at.st_size, at.st_ino


def _text(path: Path) -> str:
    """What a file has; only one that has an end, and not more than `MAX_BYTES`.

    Raises:
        Rejected: it is not there, no file, too large, or not UTF-8.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device would be read for ever
            raise Rejected(f"{path}: not a file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise Rejected(f"{path}: {error}") from error
    if len(content) > MAX_BYTES:
        raise Rejected(f"{path}: at most {MAX_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Rejected(f"{path}: not UTF-8: {error}") from error


class _Loader(yaml.SafeLoader):
    """A safe loader with a bound on what aliases stand for: a few lines of them can mean billions of values."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._values = 0
        self._of: dict[int, int] = {}
        self._borrowed = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """As PyYAML does, counting values."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            node = super().compose_node(parent, index)
            if id(node) not in self._of:
                raise yaml.composer.ComposerError(None, None, "an alias within what it stands for", mark)
            self._borrowed += self._of[id(node)]
            self._values += self._of[id(node)]
            if self._borrowed > MAX_BORROWED:
                raise yaml.composer.ComposerError(None, None, f"aliases stand for over {MAX_BORROWED} values", mark)
            return node
        before = self._values
        node = super().compose_node(parent, index)
        self._values += 1
        self._of[id(node)] = self._values - before
        return node


def sync(wanted: list[Subscription], registry: Registry, now_ms: int) -> tuple[int, int]:
    """Have these, and no others of a file; how many were put in or changed, and how many removed.

    Raises:
        Rejected: the HTTP interface has one of that id.
    """
    stored = registry.get_all([one.id for one in wanted if one.id is not None])
    foreign = sorted(one.id for one in stored.values() if one.origin != ORIGIN)
    if foreign:
        raise Rejected(f"the HTTP interface has subscriptions of the same id: {', '.join(foreign)}")
    changed = [
        one
        for one in wanted
        if one.id not in stored or stored[one.id].document != encode(one.model_copy(update={"id": None}))
    ]
    if changed:
        registry.put_all([(one, "") for one in changed], origin=ORIGIN, now_ms=now_ms)
    gone = registry.ids_of(ORIGIN) - {one.id for one in wanted if one.id is not None}
    if gone:
        registry.remove(sorted(gone), now_ms)
    return len(changed), len(gone)
