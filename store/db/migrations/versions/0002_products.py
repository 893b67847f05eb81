"""Once filled in the products, which `store.catalog.seeding` does after the last migration now.

Revision ID: 0002
"""

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Nothing: what a migration does must not depend on today's code or files."""
