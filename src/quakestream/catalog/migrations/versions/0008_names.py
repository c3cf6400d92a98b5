"""One index for a report's name and for its id alone, which stands first in it.

Revision ID: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.drop_index("reports_by_id", "reports")
    with op.batch_alter_table("reports") as reports:
        reports.drop_constraint("reports_by_name", type_="unique")
        reports.create_unique_constraint("reports_by_name", ["id", "source", "mode"])
