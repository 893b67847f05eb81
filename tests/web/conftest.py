"""The migrated database that each shop of these tests begins with."""

from tests.support.databases import sqlite_template  # noqa: F401 - a fixture
