"""From what is leased to messages: with the subscription as it is now, and the earthquake as it was told of."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa
import structlog

from quakestream.catalog.schema import changes, earthquakes, feed
from quakestream.catalog.sql import SqlCatalog
from quakestream.channels import Channel, Message
from quakestream.seismology.intensity import CITATIONS
from quakestream.subscriptions.registry import Registry
from quakestream.telling import messages
from quakestream.telling.delivery import Parcel
from quakestream.telling.messages import Facts, Links, View
from quakestream.telling.outbox import Leased
from quakestream.telling.pictures import Pictures

MAX_DOCUMENTS: Final = 256
MAX_VIEWS: Final = 20_000

_facts = msgspec.json.Decoder(Facts)
_view = msgspec.json.Decoder(View)
_document = msgspec.json.Decoder(dict[str, Any])
_encode = msgspec.json.Encoder().encode

log = structlog.get_logger(__name__)


class _NoMore(Exception):
    """There is nothing to write of, and what the notification is instead."""

    def __init__(self, why: str, instead: Literal["superseded", "dead"]) -> None:
        super().__init__(why)
        self.instead: Literal["superseded", "dead"] = instead


class Composer:
    """Writes the messages. Used by one thread at a time."""

    def __init__(
        self,
        catalog: SqlCatalog,
        registry: Registry,
        channels: Mapping[str, Channel],
        public_url: str,
        now_ms: Callable[[], int],
    ) -> None:
        """`public_url`: where people reach this service; empty: messages have no links."""
        self._catalog = catalog
        self._registry = registry
        self._channels = channels
        self._url = public_url.rstrip("/")
        self._now_ms = now_ms
        self._views: OrderedDict[str, tuple[int, frozenset[str], View]] = OrderedDict()
        self._pictures = Pictures()
        self._documents: OrderedDict[tuple[str, str, int], tuple[bytes, Mapping[str, Any]]] = OrderedDict()
        self._newest: dict[tuple[str, str, int, bool], tuple[bytes, Mapping[str, Any]] | _NoMore] = {}
        """Of those that are written now: the next time they may be others."""

    def __call__(self, leased: Sequence[Leased]) -> list[Parcel]:
        """A parcel for each, in their order; those of one digest in one."""
        self._refresh(leased)
        self._newest.clear()
        asked = {one.target for one in leased if self._channels[one.channel].needs_yes(one.target)}
        refused = asked - self._registry.addresses.confirmed(asked).keys() if asked else asked
        questions = self._registry.addresses.ids({one.target for one in leased if one.kind == "confirmation"})
        now_ms = self._now_ms()
        parcels: list[Parcel] = []
        digests: dict[tuple[str, str, str], list[tuple[Leased, Facts, View]]] = {}
        for one in leased:
            _, ended, view = self._views.get(one.subscription, (0, frozenset(), None))
            if view is None:
                parcels.append(Parcel([one], None, "the subscription is no more"))
            elif ended and self._registry.receiver(one.channel, one.target) in ended:
                parcels.append(Parcel([one], None, "the receiver has ended it"))
            elif one.kind == "confirmation":
                id_ = questions.get(one.target)
                question = None if id_ is None else self._question(one, view, id_)
                parcels.append(Parcel([one], question, "" if question else "the address is used no more"))
            elif one.target in refused:
                parcels.append(Parcel([one], None, "the address has not been confirmed"))
            elif one.kind in ("blind", "seeing"):
                parcels.append(Parcel([one], self._silence(one, view)))
            else:
                facts = _facts.decode(one.facts)
                try:
                    self._earthquake(one, facts)
                except _NoMore as nothing:
                    parcels.append(Parcel([one], None, str(nothing), nothing.instead))
                    continue
                if facts.digest:
                    digests.setdefault((one.subscription, one.channel, one.target), []).append((one, facts, view))
                else:
                    parcels.append(Parcel([one], self._message(one, facts, view, now_ms)))
        for members in digests.values():
            if len(members) == 1:
                one, facts, view = members[0]
                parcels.append(Parcel([one], self._message(one, facts, view, now_ms)))
            else:
                parcels.append(self._digest(members))
        return parcels

    def _message(self, one: Leased, facts: Facts, view: View, now_ms: int) -> Message:
        raw, quake = self._earthquake(one, facts)
        links = self._links(one, "" if facts.why is None else facts.why.into, quake)
        title, text = messages.words(one.kind, one.mode, quake, facts, view, links, now_ms)
        data = {
            "kind": one.kind,
            "mode": one.mode,
            "subscription": {"id": one.subscription, "name": view.name},
            "title": title,
            "text": text,
            "language": view.how.language,
            "cause": None if facts.why is None else facts.why.cause,
            "reason": messages.reason(facts, quake, view) or facts.reason,
            "into": None if facts.why is None else facts.why.into or None,
            "earthquake": msgspec.Raw(raw),
            "expected": _expected(facts, quake),
            "before": None if facts.before is None else {"magnitude": facts.before.magnitude, "seq": facts.before.seq},
            "links": links,
            "attribution": quake.get("agency") or quake.get("source"),
            "notice": messages.notice(view.how.language),
        }
        message = self._envelope(one, view, title, text, data, links)
        if self._channels[one.channel].shows_pictures(one.target):
            return msgspec.structs.replace(message, image=self._pictures.of(quake))
        return message

    def _digest(self, members: Sequence[tuple[Leased, Facts, View]]) -> Parcel:
        first, _, view = members[0]
        known = [(self._earthquake(one, facts), facts) for one, facts, _ in members]
        links = msgspec.structs.replace(self._links(first), details="")
        quakes = [(quake, facts) for (_, quake), facts in known]
        pages = [self._page(one.earthquake) for one, _, _ in members]
        title, text = messages.digest_words(first.mode, quakes, pages, view, links)
        data = {
            "kind": "digest",
            "mode": first.mode,
            "subscription": {"id": first.subscription, "name": view.name},
            "title": title,
            "text": text,
            "language": view.how.language,
            "earthquakes": [msgspec.Raw(raw) for (raw, _), _ in known],
            "expected": [_expected(facts, quake) for quake, facts in quakes],
            "pages": pages,
            "shakemaps": [messages.shakemap_url(quake) for quake, _ in quakes],
            "links": links,
            "attribution": sorted({str(quake.get("agency") or quake.get("source")) for quake, _ in quakes}),
            "notice": messages.notice(view.how.language),
        }
        keys = "\0".join(sorted(one.key for one, _, _ in members))
        key = "ntf_" + hashlib.blake2b(keys.encode(), digest_size=16).hexdigest()
        message = self._envelope(first, view, title, text, data, links)
        return Parcel(
            [one for one, _, _ in members], msgspec.structs.replace(message, key=key, kind="digest", subject="")
        )

    def _silence(self, one: Leased, view: View) -> Message:
        facts = _facts.decode(one.facts)
        links = msgspec.structs.replace(self._links(one), details="", acknowledge="")
        title, text = messages.silence_words(one.kind, facts, view, links)
        data = {
            "kind": one.kind,
            "mode": one.mode,
            "subscription": {"id": one.subscription, "name": view.name},
            "title": title,
            "text": text,
            "language": view.how.language,
            "since": facts.since_ms,
            "links": links,
            "notice": messages.notice(view.how.language),
        }
        return self._envelope(one, view, title, text, data, links)

    def _question(self, one: Leased, view: View, id_: str) -> Message:
        url = f"{self._url}/alerts/confirm/{id_}"
        title, text = messages.confirmation_words(view, url)
        data = {"kind": one.kind, "title": title, "text": text, "confirm": url}
        return self._envelope(one, view, title, text, data, Links())

    def _envelope(
        self, one: Leased, view: View, title: str, text: str, data: Mapping[str, Any], links: Links
    ) -> Message:
        fields = next(({"secret": c.secret} for c in view.how.channels if c.channel == one.channel and c.secret), None)
        return Message(
            key=one.key,
            kind=one.kind,
            mode=one.mode,
            asked=view.modes,
            target=one.target,
            title=title,
            text=text,
            data=_encode(data),
            language=view.how.language,
            subject=one.earthquake,
            time_ms=one.created_ms,
            expires_ms=one.expires_ms,
            priority=one.priority,
            secret=self._registry.webhook_secret(one.subscription, fields) if one.channel == "webhook" else "",
            unsubscribe_url=links.unsubscribe,
            picture=links.picture,
        )

    def _links(self, one: Leased, into: str = "", quake: Mapping[str, Any] | None = None) -> Links:
        """`into`: the earthquake that the one that is told of turned out to be."""
        standing = quake is not None and one.kind != "cancellation"
        shakemap = messages.shakemap_url(quake) if quake is not None and standing else ""
        if not self._url:
            return Links(shakemap=shakemap)
        picture = f"{self._url}/api/v1/earthquakes/{one.earthquake}/map.png" if one.earthquake and standing else ""
        receiver = f"{one.subscription} {self._registry.receiver(one.channel, one.target)}"
        return Links(
            self._page(into or one.earthquake) if one.earthquake else "",
            f"{self._url}/alerts/acknowledge/{self._registry.token('acknowledge', one.key)}",
            f"{self._url}/alerts/unsubscribe/{self._registry.token('unsubscribe', receiver)}",
            shakemap,
            picture,
        )

    def _page(self, earthquake_id: str) -> str:
        """The dashboard, with that earthquake open."""
        return f"{self._url}/?id={earthquake_id}" if self._url else ""

    # --- what is read -----------------------------------------------------------------------------------------------

    def _refresh(self, leased: Sequence[Leased]) -> None:
        """Know the subscriptions of these as they are now."""
        ids = {one.subscription for one in leased}
        known = [id_ for id_ in ids if id_ in self._views]
        versions = self._registry.versions(known)
        for id_ in known:
            if self._views[id_][0] == versions.get(id_):
                self._views.move_to_end(id_)  # what is needed now is not what goes
            else:
                del self._views[id_]
        for id_, stored in self._registry.get_all([id_ for id_ in ids if id_ not in self._views]).items():
            self._views[id_] = (stored.version, frozenset(stored.ended.split()), _view.decode(stored.document))
        while len(self._views) > MAX_VIEWS + len(ids):
            self._views.popitem(last=False)

    def _earthquake(self, one: Leased, facts: Facts) -> tuple[bytes, Mapping[str, Any]]:
        """The earthquake as it was after the change that is told of; where that is no more, as it is now.

        A change's number is one of its epoch: in another one it is another earthquake's.

        Raises:
            _NoMore: it is withdrawn by now, or the catalogue does not have it.
        """
        if bytes(facts.document) != b"null":
            return bytes(facts.document), _document.decode(facts.document)
        at = (one.epoch, one.earthquake, one.seq)
        standing = one.kind != "cancellation"
        known = self._documents.get(at)
        if known is None and (*at, standing) not in self._newest:
            own = (
                sa.select(changes.c.document)
                .join(earthquakes, earthquakes.c.earthquake == changes.c.earthquake)
                .where(changes.c.seq == one.seq, earthquakes.c.id == one.earthquake)
                .where(sa.select(feed.c.epoch).scalar_subquery() == one.epoch)
            )
            with self._catalog.reading() as connection:
                raw = connection.execute(own).scalar_one_or_none()
            if raw:
                known = self._documents[at] = (raw, _document.decode(raw))
                if len(self._documents) > MAX_DOCUMENTS:
                    self._documents.popitem(last=False)
            else:
                self._newest[*at, standing] = self._read_newest(one.earthquake, standing=standing)
        newest = known or self._newest[*at, standing]
        if isinstance(newest, _NoMore):
            raise newest
        return newest

    def _read_newest(self, id_: str, *, standing: bool) -> tuple[bytes, Mapping[str, Any]] | _NoMore:
        """An earthquake as it is now; `standing`: the one that it turned out to be, and none that is withdrawn."""
        home = (self._catalog.merged_into(id_) if standing else None) or id_
        newest = self._catalog.newest([home])
        if not newest:
            log.error("the earthquake of a notification is not in the catalogue", earthquake=id_)
            return _NoMore(f"the catalogue does not have {id_}", "dead")
        raw = newest[0].document
        quake = _document.decode(raw)
        if standing and quake.get("status") == "deleted":
            return _NoMore("it was withdrawn before it was told", "superseded")
        return raw, quake


def _expected(facts: Facts, quake: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is expected at the subscription's place, as data."""
    match = facts.match
    if match is None:
        return None
    arrival_ms = messages.s_arrival_ms(quake["timestamp"], match.distance_km, quake["location"].get("depth"))
    found: dict[str, Any] = {"distance_km": round(match.distance_km, 1), "s_arrival": arrival_ms}
    if facts.site:
        found |= {"site": facts.site, "sites": match.sites}
    if match.intensity is not None:
        e = match.intensity
        found["intensity"] = {
            "mmi": round(e.mmi, 2),
            "low": round(e.low, 2),
            "high": round(e.high, 2),
            "model": e.model,
            "source": f"{CITATIONS[e.model].name}, {CITATIONS[e.model].where}",
            "extrapolated": e.extrapolated,
            "estimate": True,
        }
    return found
