"""Alembic runs inside the connection and transaction that `store.db.engine` opened."""

from alembic import context
from sqlmodel import SQLModel

from store.db import models  # noqa: F401 - fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    transactional_ddl=True,  # SQLite can, although Alembic assumes it cannot
)
with context.begin_transaction():
    context.run_migrations()
