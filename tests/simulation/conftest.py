"""The simulated shop: its databases."""

from tests.support.databases import (  # noqa: F401 - fixtures
    _postgres_server,
    fresh_database_url,
    new_postgres_database,
    postgres,
    postgres_template,
    sqlite_template,
)
