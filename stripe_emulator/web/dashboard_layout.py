"""The frame of every dashboard page: the menu, its counts, the number of armed faults."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from fastapi.responses import Response

from stripe_emulator.emulator import Emulator, Kind
from stripe_emulator.storage.activity import Log
from stripe_emulator.web.rendering import page, web_link

MENU: tuple[tuple[str, str, Kind | Log | None], ...] = (
    ("/", "Payments", "payment_intent"),
    ("/sessions", "Sessions", "checkout.session"),
    ("/refunds", "Refunds", "refund"),
    ("/disputes", "Disputes", "dispute"),
    ("/events", "Events", "event"),
    ("/deliveries", "Deliveries", "delivery"),
    ("/requests", "Requests", "request"),
    ("/trouble", "Trouble", None),
)


def dashboard_page(
    emulator: Emulator, name: str, here: str, context: Mapping[str, Any], status: int = 200
) -> Response:
    """Return a page of the dashboard; `here` is its entry in the menu."""
    kept = (*emulator.counts().items(), *emulator.log_counts().items())
    counts = {str(kind): count for kind, count in kept}
    shared = {
        "menu": [(href, title, counts.get(kind) if kind else None) for href, title, kind in MENU],
        "shop": shop_address(emulator),
        "here": here,
        "armed": sum(fault.remaining or 1 for fault in emulator.faults()),
    }
    return page(name, {**shared, **context}, status=status)


def shop_address(emulator: Emulator) -> str | None:
    """Return the address of the shop that created the newest session, from the session's URLs."""
    for session in emulator.list_objects("checkout.session", limit=1).items:
        parts = urlsplit(session.get("success_url") or session.get("return_url") or "")
        return web_link(f"{parts.scheme}://{parts.netloc}/") if parts.netloc else None
    return None


def not_found_page(emulator: Emulator) -> Response:
    """Return the 404 page of an unknown id."""
    return dashboard_page(emulator, "not_found.html", "", {}, 404)
