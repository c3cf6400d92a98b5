"""Addresses by an id that links may carry, and who uses them; receivers that have ended a subscription.

Revision ID: 0007
"""

import json
import secrets

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    with op.batch_alter_table("subscriptions") as subscriptions:
        subscriptions.add_column(sa.Column("ended", sa.Text, nullable=False, server_default=""))
    connection = op.get_bind()
    known = connection.execute(sa.text("SELECT target, asked_ms, confirmed_ms FROM addresses")).mappings().all()
    op.drop_table("addresses")
    addresses = op.create_table(
        "addresses",
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("asked_ms", sa.BigInteger, nullable=False),
        sa.Column("confirmed_ms", sa.BigInteger),
        sa.UniqueConstraint("id", name="addresses_by_id"),
    )
    where = sa.text("asked_ms = 0")
    op.create_index("addresses_unasked", "addresses", ["target"], sqlite_where=where, postgresql_where=where)
    uses = op.create_table(
        "address_uses",
        sa.Column("subscription", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
    )
    op.create_index("address_uses_by_target", "address_uses", ["target"])
    if not known:
        return
    connection.execute(addresses.insert(), [dict(row) | {"id": secrets.token_urlsafe(24)} for row in known])
    targets = {row["target"] for row in known}
    stored = connection.execute(sa.text("SELECT id, document FROM subscriptions WHERE NOT removed")).all()
    found = {(id_, *pair) for id_, document in stored for pair in _apprise_targets(document) if pair[1] in targets}
    if found:
        connection.execute(
            uses.insert(), [dict(zip(("subscription", "channel", "target"), one, strict=True)) for one in sorted(found)]
        )


def _apprise_targets(document: bytes) -> list[tuple[str, str]]:
    """Only Apprise's had to say yes until then."""
    how = json.loads(bytes(document))["how"]
    listed = [*how["channels"], *(how.get("escalation") or {}).get("channels", [])]
    return [("apprise", str(one["url"]).strip()) for one in listed if one["channel"] == "apprise"]
