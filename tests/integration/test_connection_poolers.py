"""PostgreSQL behind a connection pooler: a real PgBouncer as it comes, in both of its modes."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from sqlalchemy import URL, create_engine, make_url, text
from sqlmodel import Session, select

from store.catalog import seeding
from store.core import settings
from store.core.errors import DatabaseUnavailable
from store.core.settings import ROOT
from store.db import engine as db
from store.db import leases, postgresql
from store.db.models import Order
from store.orders import refunds
from store.reconciliation import reconciler
from tests.integration.test_leases import HOLDER
from tests.support.databases import set_to
from tests.support.pgbouncer import pooled
from tests.support.shop import Shop, at_once

NOW = timedelta(0)


@pytest.fixture(scope="module", params=["session", "transaction"])
def pooler(request: pytest.FixtureRequest, postgres: str) -> Iterator[URL]:
    with pooled(postgres, request.param) as url:
        yield url


@pytest.fixture
def behind(new_postgres_database: Callable[[], str]) -> str:
    """A migrated database of its own, by its direct address."""
    url = new_postgres_database()
    with set_to(url):
        seeding.migrate()
    return url


@pytest.fixture
def database_url(pooler: URL, behind: str) -> str:
    """Takes the place of the databases that the other tests run on."""
    through = pooler.set(database=make_url(behind).database)
    return through.render_as_string(hide_password=False)


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Another program, with a connection of its own, holds every order."""
    with Session(create_engine(url)) as session, session.begin():
        session.exec(select(Order).with_for_update()).all()
        yield


@pytest.mark.scenario("N3")
def test_a_shop_sells_through_a_pooler(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.deliver_all()
    refunds.submit_refund(refunds.create_refund(number, 100, key="form-1"), source="operator")
    reconciler._run_with_lease(NOW)
    numbers = [shop.a_paid_order({"sneakers": count}) for count in (1, 2, 3)]
    event = shop.event("checkout.session.completed")
    answers = at_once(24, lambda i: shop.deliver(event | {"id": f"evt_{i}"}).status_code)

    assert set(answers) == {200}
    assert shop.order(number).status == "partially_refunded"
    assert {shop.order(each).status for each in numbers} == {"paid"}


@pytest.mark.scenario("N3")
def test_an_empty_database_is_migrated_through_a_pooler(
    pooler: URL, new_postgres_database: Callable[[], str]
) -> None:
    through = pooler.set(database=make_url(new_postgres_database()).database)

    with set_to(through.render_as_string(hide_password=False)):
        assert list(db.checks_passed())
        seeding.migrate()
        assert db.schema_is_current()


@pytest.mark.scenario("N3")
def test_session_limits_hold_behind_a_pooler_and_do_not_leak(
    shop: Shop, behind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.place()
    monkeypatch.setattr(db, "LOCK_SECONDS", 1)
    db.engine().dispose()
    db.engine_for.cache_clear()

    started = time.monotonic()
    with locked(behind), pytest.raises(DatabaseUnavailable), db.unit_of_work() as session:
        session.exec(select(Order).with_for_update()).all()
    took = time.monotonic() - started

    assert took < 4
    assert {limits_of_another_client() for _ in range(6)} == {("0", "0", "4")}


def limits_of_another_client() -> tuple[Any, ...]:
    url = make_url(settings.current().database)
    other = psycopg2.connect(host=url.host, port=url.port, dbname=url.database, user="other")
    with other.cursor() as cursor:
        shown = []
        for name in ("lock_timeout", "statement_timeout", "random_page_cost"):
            cursor.execute(f"SHOW {name}")
            shown.append(cursor.fetchone()[0])
    other.close()
    return tuple(shown)


@pytest.mark.scenario("N3")
def test_every_transaction_behind_a_pooler_has_all_settings(shop: Shop) -> None:
    names = ("lock_timeout", "statement_timeout", "client_encoding", "transaction_isolation")

    def of_one(_: int) -> tuple[Any, ...]:
        with db.reading() as session:
            run = session.connection().exec_driver_sql
            return tuple(run(f"SHOW {name}").scalar() for name in names)

    assert set(at_once(12, of_one)) == {("5s", "20s", "UTF8", "read committed")}


@pytest.mark.scenario("N3")
def test_a_direct_connection_is_set_once_and_pays_nothing_per_transaction(behind: str) -> None:
    with set_to(behind), db.engine().connect() as connection:
        assert connection.info[postgresql.POOLED] is False
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "5s"
        connection.rollback()
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "20s"


@pytest.mark.scenario("N4")
def test_a_reconciler_that_is_killed_behind_a_pooler_keeps_nothing(shop: Shop, behind: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert holder.stdout
    assert holder.stdin
    assert holder.stdout.readline() == b"True\n"
    with leases.lease("reconciler", every=NOW) as meanwhile:
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()

    with leases.lease("reconciler", every=NOW) as afterwards:
        pass

    assert meanwhile is None
    assert afterwards
    with create_engine(behind).connect() as connection:
        kept = connection.execute(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"))
        assert kept.scalar() == 0


@pytest.mark.scenario("N4")
def test_processes_that_migrate_at_once_through_a_pooler_do_it_once(
    pooler: URL, new_postgres_database: Callable[[], str]
) -> None:
    through = pooler.set(database=make_url(new_postgres_database()).database)
    with set_to(through.render_as_string(hide_password=False)):
        line = "from store.catalog import seeding; seeding.migrate()"
        started = [
            subprocess.Popen([sys.executable, "-c", line], cwd=ROOT, stderr=subprocess.PIPE)
            for _ in range(3)
        ]
        said = [process.communicate(timeout=60)[1] for process in started]

        assert [process.returncode for process in started] == [0, 0, 0], said
        assert db.schema_is_current()


@pytest.mark.scenario("N3", "M5")
def test_a_search_path_in_the_address_is_honoured_behind_a_pooler(
    pooler: URL, new_postgres_database: Callable[[], str]
) -> None:
    direct = new_postgres_database()
    with create_engine(direct).begin() as connection:
        connection.execute(text("CREATE SCHEMA shop"))
    through = pooler.set(
        database=make_url(direct).database, query={"options": "-c search_path=shop"}
    )

    with set_to(through.render_as_string(hide_password=False)):
        seeding.migrate()
        assert db.schema_is_current()

    with create_engine(direct).connect() as connection:
        where = connection.execute(
            text("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename = 'orders'")
        )
        assert where.scalars().all() == ["shop"]
