"""A fresh shop, its page, and a browser's requests to its server."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlmodel import select
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from store.catalog import products
from store.core import settings
from store.db import engine as db
from store.db.models import Product
from store.storefront import prefetch
from store.stripe_api import transport
from store.web import buyer_cookie
from tests.support.storefront_pages import APP, ME, Browser, never_asked


@pytest.fixture(autouse=True)
def fresh_shop(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """An empty data folder, migrated and seeded, and a Stripe that must not be asked."""
    for name in ("STRIPE_SECRET_KEY", "DATABASE_URL", "STORE_URL", "CURRENCY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr(transport, "call_with_retry", never_asked)
    monkeypatch.setattr(prefetch, "URL_PREFETCH", prefetch.Prefetcher(never_asked))
    settings.current.cache_clear()
    shutil.copy(sqlite_template, tmp_path / "store.db")
    yield
    prefetch.URL_PREFETCH.pool.shutdown()
    db.engine().dispose()
    settings.current.cache_clear()


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open the shop, or another page, as the browser that holds `cookie`."""

    def open_page(
        page: str = "",
        cookie: str | None = ME,
        headers: Sequence[tuple[str, str]] = (),
        **query: str,
    ) -> AppTest:
        given = {buyer_cookie.COOKIE_NAME: cookie} if cookie else {}
        client = SimpleNamespace(cookies=given, headers=headers)
        monkeypatch.setattr("streamlit.runtime.context._get_client_context", lambda: client)
        at = AppTest.from_file(str(APP), default_timeout=20)
        at.context = {"locale": "en-US", "timezone": "UTC", "url": "http://shop.example/"}
        at._page_hash = calc_hash(page) if page else ""  # switch_page() knows files only
        for name, value in query.items():
            own = name in ("session_id", "number", "resume", "again")
            at.query_params[name if own else products.quantity_key(name.replace("_", "-"))] = value
        return at.run()

    return open_page


@pytest.fixture
def priced_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Turn the shop into one whose price list is in another currency."""

    def change(currency: str) -> None:
        monkeypatch.setenv("CURRENCY", currency)
        settings.current.cache_clear()
        with db.unit_of_work() as session:
            for product in session.exec(select(Product)):
                product.currency = currency

    return change


@pytest.fixture
def browser() -> Browser:
    return Browser()
