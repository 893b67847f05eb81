"""The simulated shop: its databases."""

from tests.integration.conftest import (  # noqa: F401 - fixtures
    database_url,
    new_postgres_database,
    postgres,
    postgres_template,
    set_to,
    sqlite_template,
)
